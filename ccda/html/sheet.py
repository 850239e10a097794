"""A member's summary in plain words: what the page and the print of it both lay out.

Nothing is decided here: a line's facts are named, its codes left out where they have a name, and
what must not be overlooked (a conflict, a negation, a withdrawal) is a word of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ccda.hl7v3 import CD
from ccda.html.details import label, words_of
from ccda.html.words import (
    GENDERS,
    HAPPENS,
    INTERPRETATIONS,
    MOODS,
    code_words,
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
_MEASURED: Final = frozenset(("result", "vital_sign", "social_history"))
"""Kinds that stand for a value; of the others a missing one says nothing."""
_LASTS: Final = frozenset(("problem", "allergy", "medication", "concern"))
_UNSAID: Final = frozenset(
    ("panel", "statement", "concern", "question", "relative", "relative_ids", "exclusive",
     "status_code", "product_ids", "within", "reference", "entry_reference")
)  # fmt: skip
"""Details that the line shows otherwise, or that say nothing to people."""


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
    if line.mood not in (None, "EVN") and line.kind != "goal":
        yield sentence_case(MOODS.get(line.mood or "", line.mood or ""))
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
        if key not in _UNSAID and (key != "value_null_flavor" or line.kind in _MEASURED):
            words = words_of(key, form)
            yield label(key), None if _is_said(words, name, line.status) else words


def _is_said(words: str | None, name: str, status: str | None) -> bool:
    """Whether the line says that already, or it says nothing."""
    return words is None or words == name or words.lower() in (status, "problem")


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
    # A drug of one moment was given once; a condition's moment is its onset.
    is_single = line.kind == "medication" and line.is_moment
    goes_on = line.kind in _LASTS and not (line.negated or is_single)
    if start and not end and goes_on:
        return "Since", start
    return ("Date", start) if start else ("Until", end or None)


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
