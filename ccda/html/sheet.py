"""A member's summary in plain words: what the page and the print of it both lay out.

Nothing is decided here: a line's facts are named, its codes left out where they have a name, and
what must not be overlooked (a conflict, a negation, a withdrawal) is a word of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ccda.hl7v3 import CD
from ccda.html.words import (
    GENDERS,
    HAPPENS,
    INTERPRETATIONS,
    code_words,
    detail_words,
    moment,
    name_of,
    plain_unit,
    sentence_case,
    value_words,
)
from ccda.model import Interval
from ccda.summary import Completeness, LineSource, Summary, SummaryLine, TrendPoint

Fact = tuple[str, str]

OUTCOMES: Final[Mapping[str, str]] = {
    "matched": "Found the member",
    "no_match": "Knows no such member",
    "refused": "Refused to answer",
    "failed": "Could not be asked",
    "late": "Gave no answer in time",
    "held": "Answered; held for review",
    "not_asked": "Was not asked",
}
_ANSWERED: Final = frozenset(("matched", "no_match"))
WITHDRAWN: Final = "Withdrawn"
CONFLICT: Final = "Sources disagree"
_WITHDRAWN_WORDS: Final = "A newer version of the document no longer says so."

_SPOKEN: Final = frozenset(("plan", "goal", "encounter", "note", "advance_directive"))
"""Kinds whose words say more than their code."""
_ENDS_WELL: Final = frozenset(
    ("immunization", "procedure", "encounter", "social_history", "family_history", "coverage",
     "result", "vital_sign")
)  # fmt: skip
"""Kinds of which "completed" says nothing."""
_LASTS: Final = frozenset(("problem", "allergy", "medication", "concern"))
_UNSAID: Final = frozenset(("panel", "statement", "concern", "question", "relative", "exclusive"))
"""Details that the line shows otherwise, or that say nothing to people."""
_UNSAID_PARTS: Final = frozenset(("ids", "institution_specified", "operator"))
_OF_A_NAME: Final = _UNSAID_PARTS | {"name"}
_CODED: Final = frozenset(("code", "system"))
_RHYTHMS: Final[Mapping[str, str]] = {
    "1 d": "daily", "24 h": "daily", "1 wk": "weekly", "1 mo": "monthly",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SheetPoint:
    """One measurement; `written` where it came in another unit."""

    time: str
    value: str
    written: str
    interpretation: str
    remark: str
    sources: str


@dataclass(frozen=True, slots=True)
class SheetLine:
    """One fact; `flags` are what must be seen first, `remarks` whole sentences."""

    name: str
    flags: tuple[str, ...]
    facts: tuple[Fact, ...]
    remarks: tuple[str, ...]
    points: tuple[SheetPoint, ...]
    code: str
    sources: str


@dataclass(frozen=True, slots=True)
class SheetSection:
    key: str
    title: str
    lines: tuple[SheetLine, ...]
    nothing_known: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """`answers` and `documents` are the rows of two tables, in the order of their columns."""

    name: str
    member: tuple[Fact, ...]
    as_of: str
    completeness: str
    answers: tuple[tuple[str, str, str, str, str], ...]
    sections: tuple[SheetSection, ...]
    documents: tuple[tuple[str, str, str, str], ...]


ANSWER_COLUMNS: Final = ("Partner", "Answer", "Documents", "Asked", "Remark")
DOCUMENT_COLUMNS: Final = ("Letter", "Date", "From", "Title")
POINT_COLUMNS: Final = ("Date", "Value", "As written", "Reading", "Remark", "Sources")


def write_sheet(
    summary: Summary, *, member: Mapping[str, Any], completeness: Sequence[Completeness]
) -> Sheet:
    """The summary in words; nothing of it is left out but codes and ids."""
    letters = {document.id: document.letter for document in summary.documents}
    return Sheet(
        name=str(member.get("name") or "a member whose name is not known"),
        member=tuple(_member(member)),
        as_of=moment(summary.as_of),
        completeness=_completeness(completeness),
        answers=tuple(_answer(answer) for answer in completeness),
        sections=tuple(
            SheetSection(
                section.key,
                sentence_case(section.key),
                tuple(_line(line, letters) for line in section.lines),
                tuple((word.text, _letters(word.sources, letters)) for word in
                      section.nothing_known),
            )
            for section in summary.sections
        ),
        documents=tuple(
            (
                document.letter,
                day(document.time),
                document.partner or "",
                (document.title or "Without a title")
                + (" (replaced by a newer version)" if document.superseded else ""),
            )
            for document in summary.documents
        ),
    )  # fmt: skip


# ---- the member, and who was asked -----------------------------------------------------------


def _member(member: Mapping[str, Any]) -> Iterator[Fact]:
    given = (
        ("Born", member.get("birth_date")),
        ("Gender", GENDERS.get(str(member.get("gender")), member.get("gender"))),
        ("Member number", member.get("member_id")),
        ("Plan", member.get("plan")),
    )
    return ((name, str(words)) for name, words in given if words)


def _completeness(answers: Sequence[Completeness]) -> str:
    """One sentence: may the reader take this for everything that is known?"""
    if not answers:
        return "No partner was asked: only documents that came otherwise are in this summary."
    lacking = [each for each in answers if each.outcome not in _ANSWERED or each.missing]
    if not lacking:
        count = "The one partner" if len(answers) == 1 else f"All {len(answers)} partners"
        return f"{count} answered in full."
    return (
        f"Not complete: {len(lacking)} of {len(answers)} partners gave no full answer. "
        "What they know may be missing here."
    )


def _answer(answer: Completeness) -> tuple[str, str, str, str, str]:
    missing = f"{answer.documents}, {answer.missing} missing" if answer.missing else None
    return (
        answer.partner,
        OUTCOMES.get(answer.outcome, answer.outcome),
        missing or str(answer.documents),
        moment(answer.at),
        answer.detail or "",
    )


# ---- a line ----------------------------------------------------------------------------------


def _line(line: SummaryLine, letters: Mapping[str, str]) -> SheetLine:
    name = _name(line)
    kept = [source for source in line.sources if line.withdrawn or not source.superseded]
    return SheetLine(
        name=name,
        flags=tuple(_flags(line)),
        facts=tuple((label, words) for label, words in _facts(line, name) if words),
        remarks=tuple(_remarks(line)),
        points=tuple(_point(point, letters) for point in line.trend) if _is_course(line) else (),
        code=code_words(line.code) or "",
        sources=_letters(kept or line.sources, letters),
    )


def _name(line: SummaryLine) -> str:
    said = line.details.get("text")
    if line.kind in _SPOKEN and isinstance(said, str):
        return said
    question = _display(line.details.get("question"))
    if line.kind == "social_history" and question:
        return question
    whose = _display(line.details.get("relative"))
    if line.kind == "family_history" and whose:
        return f"{sentence_case(whose)}: {line.display}"
    return line.display


def _flags(line: SummaryLine) -> Iterator[str]:
    if line.negated:
        yield "Not done" if line.kind in HAPPENS else "Negated: not so"
    if line.withdrawn:
        yield WITHDRAWN
    if line.conflict or any(point.conflict for point in line.trend):
        yield CONFLICT


def _facts(line: SummaryLine, name: str) -> Iterator[tuple[str, str | None]]:
    yield "Answer" if line.kind == "social_history" else "Value", _value(line)
    completed = line.kind in _ENDS_WELL and line.status == "completed"
    yield "Status", None if completed else line.status
    yield _when(line)
    for key, form in line.details.items():
        if key in _UNSAID or (key == "type" and _display(form) == "Problem"):
            continue
        words = _detail(key, form)
        yield sentence_case(key), None if words == name else words


def _detail(key: str, form: Any) -> str | None:
    if key == "frequency":
        return _frequency(form)
    if key.endswith("_period") and isinstance(form, Mapping):
        return _dates(day(form.get("low")), day(form.get("high")))
    return _plain(form)


def _value(line: SummaryLine) -> str | None:
    value = line.value
    if value is None and line.kind == "social_history" and line.details.get("question"):
        return name_of(line.code)
    unit = plain_unit(line.unit)
    match value:
        case CD():
            return name_of(value)
        case Interval():
            return value_words(value, unit, line.details.get("exclusive") or ())
        case _:
            return f"{value} {unit}" if value and unit else value


def _when(line: SummaryLine) -> tuple[str, str | None]:
    start, end = day(line.start), day(line.end)
    if start and end and start != end:
        return "Dates", f"{start} to {end}"
    if start and not end and line.kind in _LASTS and not line.negated:
        return "Since", start
    return ("Date", start) if start else ("Until", end or None)


def _dates(start: str, end: str) -> str | None:
    if start and end:
        return f"{start} to {end}"
    if start:
        return f"from {start}"
    return f"until {end}" if end else None


def _remarks(line: SummaryLine) -> Iterator[str]:
    if line.withdrawn:
        yield _WITHDRAWN_WORDS
    if line.conflict:
        yield sentence_case(line.conflict.rstrip(".")) + "."


def _is_course(line: SummaryLine) -> bool:
    """Whether the points say more than the line does."""
    return len(line.trend) > 1 or any(
        point.conflict or point.written_value != point.value or point.written_unit != point.unit
        for point in line.trend
    )


def _point(point: TrendPoint, letters: Mapping[str, str]) -> SheetPoint:
    value = f"{point.value or 'not given'} {plain_unit(point.unit) or ''}".strip()
    written = f"{point.written_value or ''} {plain_unit(point.written_unit) or ''}".strip()
    reading = point.interpretation or ""
    return SheetPoint(
        time=moment(point.time) or "not dated",
        value=value,
        written="" if written == value else written,
        interpretation=INTERPRETATIONS.get(reading, reading),
        remark=sentence_case(point.conflict or ""),
        sources=_letters(point.sources, letters),
    )


# ---- words -----------------------------------------------------------------------------------


def day(iso: str | None) -> str:
    """The date alone, as precise as it is."""
    return (iso or "")[:10]


def _letters(sources: Sequence[LineSource], letters: Mapping[str, str]) -> str:
    found = {letters.get(source.document, "?") for source in sources}
    return ", ".join(sorted(found, key=lambda letter: (len(letter), letter)))


def _display(form: Any) -> str | None:
    words = form.get("display") if isinstance(form, Mapping) else None
    return words if isinstance(words, str) else None


def _frequency(form: Any) -> str | None:
    """Every 6 h, daily; any other timing as it stands."""
    rhythms = form if isinstance(form, list) else [form]
    said = (_rhythm(each) if isinstance(each, Mapping) else _plain(each) for each in rhythms)
    return "; ".join(words for words in said if words) or None


def _rhythm(timing: Mapping[str, Any]) -> str | None:
    rest = {key: value for key, value in timing.items() if key != "period"}
    period = timing.get("period")
    amount = _plain(period)
    is_plain = isinstance(period, Mapping) and period.keys() <= {"value", "unit"}
    if amount is None or not is_plain:
        return _plain(timing)
    said = _RHYTHMS.get(amount, f"every {amount}")
    return ", ".join(words for words in (said, _plain(rest)) if words)


def _plain(form: Any) -> str | None:
    return detail_words(_without_codes(form))


def _without_codes(form: Any) -> Any:
    """The same, in which what has a name goes without its code."""
    match form:
        case list() | tuple():
            return [_without_codes(each) for each in form]
        case {"text": str() as words, "value": _}:
            return words  # a reference range as its laboratory wrote it
        case {"name": str() as name}:
            beside = (_plain(each) for key, each in form.items() if key not in _OF_A_NAME)
            return ", ".join(words for words in (name, *beside) if words)
        case Mapping():
            left_out = _UNSAID_PARTS | (_CODED if _is_named(form) else frozenset())
            kept = {key: _without_codes(each) for key, each in form.items() if key not in left_out}
            if isinstance(kept.get("unit"), str):
                kept["unit"] = plain_unit(kept["unit"])
            return kept
        case _:
            return form


def _is_named(form: Mapping[str, Any]) -> bool:
    return bool(form.get("display") or form.get("text"))
