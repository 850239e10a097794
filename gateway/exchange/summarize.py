"""Many documents, one summary: each fact once, with every source, and no disagreement hidden.

Pure: the same statements in any order give the same summary. What is merged and what is not is
decided in `code_groups`, how one value is chosen among several here: the statement recorded last
speaks for the line, except for an allergy, where the more dangerous one does.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from ccda.hl7v3 import CD, TS
from ccda.model import KINDS, Kind
from ccda.summary import (
    Completeness,
    NothingKnown,
    Summary,
    SummaryDocument,
    SummaryLine,
    SummarySection,
    TrendPoint,
    summary_json,
)
from gateway.exchange.code_groups import (
    Evidence,
    Fact,
    cluster,
    contradictions,
    learn_translations,
    why_one,
)
from gateway.exchange.conflicts import (
    allergy_conflict,
    course_conflict,
    danger,
    latest_by_voice,
    lot_conflict,
    negation_conflict,
    nothing_known_conflict,
    outcome_conflict,
    status_conflict,
)
from gateway.exchange.directives import answer_conflicts
from gateway.exchange.effort import spend
from gateway.exchange.identity import was_done
from gateway.exchange.moments import sort_key
from gateway.exchange.nothing_known import denial_text, denies, is_denial
from gateway.exchange.people import whose
from gateway.exchange.reused_ids import without_reused_ids
from gateway.exchange.spans import first_start, is_moment, last_end
from gateway.exchange.statements import (
    ENDED,
    CodeKey,
    Statement,
    code_key,
    document_order,
    read_statements,
    superseded_documents,
)
from gateway.exchange.summary_names import line_name, with_person
from gateway.exchange.taken_back import NULLIFIED, untaken
from gateway.exchange.trends import TREND_KINDS, measurements, newest, point, standing
from gateway.model.document import Document, IndexedEntry
from gateway.model.member import Member

__all__ = ["Completeness", "Summary", "member_json", "summarize", "summary_json"]

# A dose of one statement beside the drug of another would be an order nobody wrote; how it stands,
# each tells for itself.
_NEVER_BORROWED: Final = frozenset(
    "dose frequency rate max_dose sig precondition concern clinical_status status_code".split()
)

# Kinds whose words say more than their code: a plan's "Follow-up with primary care".
_SPOKEN: Final = frozenset(
    {"plan", "goal", "encounter", "note", "advance_directive", "functional_status", "care_team"}
)
# Kinds that tell what is so, rather than what was done.
_IS_SO: Final = frozenset(
    {"problem", "allergy", "concern", "family_history", "social_history", "functional_status",
     "mental_status"}
)  # fmt: skip
# An event stays what it was: completed is no reason to come after others.
EVENT_KINDS: Final = frozenset({"result", "vital_sign", "immunization", "procedure", "encounter"})


def summarize(
    indexed: Iterable[tuple[Document, IndexedEntry]],
    *,
    as_of: datetime,
    documents: Iterable[Document] = (),
) -> Summary:
    """The merged summary of one member's filed documents.

    `documents` are those that have no entries but are part of the picture: an unstructured one,
    or a newer version that dropped everything. Held documents are not given at all; of those that
    we derived ourselves none is a source (DECISIONS 10).
    """
    given = {(pair[0].id, pair[1].ordinal): pair for pair in indexed}
    pairs = [pair for pair in given.values() if not pair[0].is_derived]
    known = {document.id: document for document in documents if not document.is_derived}
    known |= {document.id: document for document, _ in pairs}
    read = read_statements(pairs, known.values(), as_of=as_of.date())
    statements = without_reused_ids(read)
    learned = learn_translations(statements)
    by_kind: dict[Kind, list[Statement]] = defaultdict(list)
    for one in statements:
        by_kind[one.entry.kind].append(one)
    sections = (_section(kind, by_kind[kind], learned) for kind in KINDS if by_kind[kind])
    return Summary(
        as_of=as_of.isoformat(),
        documents=_documents(known.values()),
        sections=tuple(found for found in sections if found.lines or found.nothing_known),
    )


def member_json(member: Member) -> dict[str, Any]:
    """The member as a summary names it."""
    demographics = member.demographics
    name = str(demographics.names[0]) if demographics.names else None
    return {
        "id": member.id,
        "plan": member.plan,
        "member_id": member.member_id,
        "name": name,
        "birth_date": demographics.birth_time.iso if demographics.birth_time else None,
        "gender": demographics.gender,
    }


def _documents(documents: Iterable[Document]) -> tuple[SummaryDocument, ...]:
    """Oldest first, lettered A, B, … Z, AA."""
    old = superseded_documents(documents := list(documents))
    ordered = sorted(
        documents, key=lambda one: (sort_key(TS(one.effective_time)), document_order(one))
    )
    return tuple(
        SummaryDocument(
            id=one.id,
            letter=_letter(index),
            partner=one.source.partner_name or one.custodian,
            title=one.title or one.type_display,
            time=TS(one.effective_time).iso,
            superseded=one.id in old,
        )
        for index, one in enumerate(ordered)
    )


def _letter(index: int) -> str:
    head, last = divmod(index, 26)
    return (_letter(head - 1) if head else "") + chr(ord("A") + last)


def _section(kind: Kind, statements: Sequence[Statement], learned: Evidence) -> SummarySection:
    facts = cluster((one for one in statements if not one.entry.no_information), learned)
    denials = _denials(statements)
    # That a newborn has none says nothing of the member.
    denying = [one for one in denials if not one.superseded and not whose(one.details)]
    conflicts = _negations(facts, learned)
    if kind == "advance_directive":
        conflicts = answer_conflicts(facts) | conflicts
    lines = [_line(kind, fact, learned, denying, conflicts.get(fact[0].order)) for fact in facts]
    return SummarySection(kind, tuple(sorted(lines, key=_line_order)), _nothing_known(denials))


def _negations(facts: Sequence[Fact], learned: Evidence) -> dict[tuple[str, int], str]:
    """The conflict of each fact that another contradicts, by its first statement."""
    found: dict[tuple[str, int], str] = {}
    for yes, no in contradictions(facts, learned):
        held, denied = (untaken([one for one in side if not one.superseded]) for side in (yes, no))
        if held and denied:
            text = negation_conflict(held, denied)
            for side in (yes, no):
                found.setdefault(side[0].order, text)
    return found


def _denials(statements: Iterable[Statement]) -> list[Statement]:
    """Those that say that there is nothing, as far as that was not entered in error."""
    denials = [one for one in statements if one.entry.no_information and is_denial(one)]
    return [one for _, told in _by_words(denials) for one in untaken(told)]


def _by_words(denials: Iterable[Statement]) -> list[tuple[str, list[Statement]]]:
    by_text: dict[str, list[Statement]] = defaultdict(list)
    for one in sorted(denials, key=lambda one: one.order):
        by_text[with_person(denial_text(one), one)].append(one)
    return sorted(by_text.items())


def _nothing_known(denials: Sequence[Statement]) -> tuple[NothingKnown, ...]:
    """What some source still denies; a newer version may have taken back what an older one did."""
    return tuple(
        NothingKnown(
            text,
            tuple([one.source() for one in told]),
            tuple([replace(one.entry, details=one.details) for one in told]),
        )
        for text, told in _by_words(denials)
        if not all(one.superseded for one in told)
    )


def _line(
    kind: Kind,
    fact: Fact,
    learned: Evidence,
    denying: Sequence[Statement],
    contradiction: str | None,
) -> SummaryLine:
    ranked = sorted(fact, key=lambda one: one.rank, reverse=True) if len(fact) > 1 else fact
    current = [one for one in ranked if not one.superseded]
    speaking = _speaking(kind, current or ranked)
    voices = latest_by_voice(_heard(speaking, current or ranked))
    measured = measurements(standing(ranked)) if kind in TREND_KINDS else ()
    last = newest(measured)
    winner = last.speaking if last else _winner(kind, speaking)
    ordered = [winner, *(one for one in ranked if one is not winner)]
    resting_on = {one.order for one in speaking}
    agreeing = [one for one in ordered if one.order in resting_on]

    sources = {
        one.order: one.source(None if one is winner else why_one(winner, one, learned))
        for one in ordered
    }
    trend = tuple(point(one, sources) for one in measured)
    shown = point(last, sources) if last else None
    stating = _stating(winner, speaking)
    status = _line_status(stating)
    start, end = first_start(agreeing), last_end(stating, agreeing)
    valued = _valued(winner, agreeing)
    ended = end.iso if end and not (shown and kind != "social_history") else None
    return SummaryLine(
        kind=kind,
        display=line_name(kind, agreeing),
        sources=tuple(sources.values()),
        code=_code(kind, ordered),
        status=status,
        start=shown.time if shown else start.iso if start else None,
        end=ended,
        value=shown.value if shown and kind != "social_history" else valued.entry.value,
        unit=shown.unit if shown else valued.entry.unit,
        negated=winner.entry.negated,
        conflict=contradiction or _conflict(winner, voices, denying, current and speaking, trend),
        withdrawn=not current,
        mood=winner.entry.mood,
        details=_details(kind, agreeing),
        trend=trend,
        section=winner.section,
        is_moment=ended is None and is_moment(agreeing),
    )


def _speaking(kind: Kind, told: Sequence[Statement]) -> Sequence[Statement]:
    """Those on whose word the line rests: not what was entered in error, unless all of it was."""
    return told if kind in TREND_KINDS else untaken(told) or told


def _heard(speaking: Sequence[Statement], told: Sequence[Statement]) -> Sequence[Statement]:
    """With them those who have taken back all that they told: others may rest on that."""
    if len(speaking) == len(told):
        return told
    known = {one.voice for one in speaking}
    return [*speaking, *(one for one in told if one.voice not in known)]


def _winner(kind: Kind, speaking: Sequence[Statement]) -> Statement:
    """Who speaks for the line."""
    if kind == "allergy":
        return max(latest_by_voice(speaking), key=lambda one: (danger(one), one.rank))
    if kind in TREND_KINDS:
        right = standing(speaking) or speaking
        return max(right, key=lambda one: (sort_key(one.when), one.rank))
    return speaking[0]


def _stating(winner: Statement, speaking: Sequence[Statement]) -> Statement:
    """Who says how it stands: the last that tells. An update (ADT A08) or a diagnosis may not."""
    entry = winner.entry
    if winner.status is not None or entry.negated or entry.kind not in ("encounter", "problem"):
        return winner
    return next((one for one in speaking if one.status is not None), winner)


def _valued(winner: Statement, agreeing: Sequence[Statement]) -> Statement:
    """Who says the value: the last that says one, unless the last says that it is not known."""
    if winner.entry.value is not None or "value_null_flavor" in winner.details:
        return winner
    if winner.entry.kind in TREND_KINDS:
        agreeing = standing(agreeing)
    return next((one for one in agreeing if one.entry.value is not None), winner)


def _line_status(winner: Statement) -> str | None:
    """A statement that something is not so is not itself active or completed."""
    if not winner.entry.negated or winner.status == NULLIFIED:
        return winner.status
    if winner.entry.kind in _IS_SO:
        return "absent"
    return "refused" if winner.details.get("refusal_reason") else "not done"


def _conflict(
    winner: Statement,
    voices: Sequence[Statement],
    denying: Sequence[Statement],
    speaking: Sequence[Statement],
    trend: Sequence[TrendPoint],
) -> str | None:
    """`speaking` is nobody where nobody still says it."""
    kind = winner.entry.kind
    if not speaking:
        return None
    if kind == "allergy":
        found = allergy_conflict(voices)
        if winner.status == NULLIFIED:
            return found
        spend(len(denying) * len(speaking))
        against = [one for one in denying if any(denies(one, other) for other in speaking)]
        return found or (nothing_known_conflict(voices, against) if against else None)
    if kind in TREND_KINDS:
        return next((point.conflict for point in reversed(trend) if point.conflict), None)
    if len(voices) < 2:
        return None
    if kind == "problem":
        return status_conflict(winner, voices)
    if kind == "medication":
        return status_conflict(winner, voices) or course_conflict(voices)
    if kind in ("procedure", "encounter"):
        return outcome_conflict(voices)
    return outcome_conflict(voices) or lot_conflict(voices) if kind == "immunization" else None


def _code(kind: Kind, ordered: Sequence[Statement]) -> CD | None:
    """The winner's code, or the first there is; all others of the same fact as translations."""
    if kind == "social_history":
        return ordered[0].entry.code
    if len(ordered) == 1 and (only := ordered[0].entry.code) and not only.translations:
        is_code = only.code and not only.null_flavor
        told = CD(only.code, only.system, only.display, qualifiers=only.qualifiers)
        return told if is_code else only
    codes: dict[CodeKey, CD] = {}
    for one in ordered:
        for code in (one.entry.code, *(one.entry.code.translations if one.entry.code else ())):
            if code is not None and code.code and not code.null_flavor:
                codes.setdefault(code_key(code.system, code.code), code)
    if not codes:
        return ordered[0].entry.code
    first, *others = codes.values()
    others.sort(key=lambda code: (code.system or "", code.code or ""))
    bare = tuple(CD(code.code, code.system, code.display) for code in others)
    return CD(
        first.code, first.system, first.display, translations=bare, qualifiers=first.qualifiers
    )


def _details(kind: Kind, agreeing: Sequence[Statement]) -> Mapping[str, Any]:
    """The winner's, and what only others tell (a lot number); never a dose of another's."""
    winner = agreeing[0]
    merged: dict[str, Any] = {}
    if kind not in TREND_KINDS:
        for one in reversed(agreeing[1:]):
            if _is_one_outcome(one, winner):
                merged |= {k: v for k, v in one.details.items() if k not in _NEVER_BORROWED}
    merged |= winner.details
    if kind in _SPOKEN and winner.entry.text:
        merged["text"] = winner.entry.text
    return merged


def _is_one_outcome(one: Statement, other: Statement) -> bool:
    """A visit that was cancelled did not end as another source says that it ended."""
    done = {was_done(one), was_done(other)} - {None}
    return len(done) < 2


class _Downward(dict[int, int]):
    """Each character as one that sorts the other way round."""

    def __missing__(self, character: int) -> int:
        self[character] = sys.maxunicode - character
        return self[character]


_DOWNWARD: Final = _Downward()


def _line_order(line: SummaryLine) -> tuple[Any, ...]:
    """What holds today first, then newest first, then by name; else in the order they stand."""
    group = 3 if line.withdrawn else 2 if line.negated else 1 if line.status in ENDED else 0
    if line.kind in EVENT_KINDS:
        group = min(group, 0) if not line.withdrawn else 3
    newest_first = (line.start or "").translate(_DOWNWARD)
    return group, not line.start, newest_first, line.display
