"""A summary as plain text for a terminal: every line with the letters of its sources."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from textwrap import wrap
from typing import Any, Final

from ccda.hl7v3 import CD
from ccda.html.words import MOODS
from ccda.model import Interval
from ccda.summary import (
    Completeness,
    LineSource,
    Summary,
    SummaryLine,
    SummarySection,
    TrendPoint,
)
from gateway.exchange.courses import dose_words, rhythm_words
from gateway.exchange.people import whose

_SYSTOLIC: Final = "8480-6"
_DIASTOLIC: Final = "8462-4"
_OUTCOMES: Final = {
    "matched": "found", "no_match": "knows no such patient", "refused": "refused",
    "failed": "could not be asked", "late": "no answer in time", "held": "held for review",
    "not_asked": "not asked",
}  # fmt: skip
_TEXT_KINDS: Final = frozenset({"plan", "goal", "encounter", "note", "advance_directive"})
_DONE: Final = frozenset(
    {"immunization", "procedure", "encounter", "social_history", "family_history", "coverage"}
)
"""Kinds of which "completed" says nothing."""
_LASTS: Final = frozenset({"problem", "allergy", "medication", "concern"})

_EMPTY: Final = [
    "No document is filed with this member yet: partners are asked with `gateway retrieve`,",
    "files are taken in with `gateway ingest`.",
]


def summary_text(
    summary: Summary,
    *,
    member: Mapping[str, Any],
    completeness: Sequence[Completeness] = (),
    width: int = 100,
) -> str:
    """Sections in order, then who was asked and which documents were read."""
    blocks = [
        _heading(summary, member),
        *(_section(section, summary, width) for section in summary.sections),
        [] if summary.sections or summary.documents else _EMPTY,
        _asked(completeness),
        _documents(summary),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _heading(summary: Summary, member: Mapping[str, Any]) -> list[str]:
    facts = [
        member.get("name") or "",
        {"F": "female", "M": "male"}.get(str(member.get("gender")), ""),
        f"born {member['birth_date']}" if member.get("birth_date") else "",
        f"member {member['member_id']}" if member.get("member_id") else "",
    ]
    return [" · ".join(fact for fact in facts if fact), f"as of {_day(summary.as_of)}"]


def _section(section: SummarySection, summary: Summary, width: int) -> list[str]:
    letters = {document.id: document.letter for document in summary.documents}
    block = [section.key.replace("_", " ").upper()]
    for line in _paired(section.lines):
        block += _line(line, letters, width)
    for word in section.nothing_known:
        block.append(f"    {word.text}  {_letters(_current(word.sources), letters)}")
    return block


def _line(line: SummaryLine, letters: Mapping[str, str], width: int) -> Iterator[str]:
    mark = "×" if line.withdrawn else "!" if line.conflict else "–" if line.negated else " "
    sources = line.sources if line.withdrawn else _current(line.sources)
    text = "  ".join(part for part in (_name(line), _facts(line)) if part)
    text += f"  {_letters(sources, letters)}"
    yield from wrap(text, width, initial_indent=f"  {mark} ", subsequent_indent=" " * 8)
    for remark in _remarks(line):
        yield from wrap(remark, width, initial_indent=" " * 6, subsequent_indent=" " * 8)


def _name(line: SummaryLine) -> str:
    said = line.details.get("text")
    if line.kind in _TEXT_KINDS and isinstance(said, str):
        return _with_person(said, line)
    if line.kind == "social_history":
        question = line.details.get("question")
        asked = question.get("display") if isinstance(question, Mapping) else None
        return _with_person(str(asked), line) if asked else line.display
    if line.kind == "family_history":
        relative = line.details.get("relative")
        whose = relative.get("display") if isinstance(relative, Mapping) else None
        return f"{whose}: {line.display}" if whose else line.display
    return line.display


def _with_person(said: str, line: SummaryLine) -> str:
    """As the line's own name has it; what is said instead of that name must not lose it."""
    person = whose(line.details)
    return f"{said} ({person})" if person else said


def _facts(line: SummaryLine) -> str:
    """What it says; first, where that is so, that it is only meant to be."""
    ahead = MOODS.get(line.mood or "") if line.kind not in ("plan", "goal", "medication") else None
    return ", ".join(part for part in (ahead, _said(line)) if part)


def _said(line: SummaryLine) -> str:
    if line.trend and not (line.kind == "social_history" and len(line.trend) == 1):
        return _trend(line.trend)
    value = _value(line.value, line.unit)
    if line.kind == "social_history" and not value and line.code is not None:
        value = line.code.display or ""
    parts = (value, _status(line), _period(line), _reactions(line), _taken(line))
    return ", ".join(part for part in parts if part)


def _reactions(line: SummaryLine) -> str:
    """What an allergy does, and how badly."""
    if line.kind != "allergy":
        return ""
    words = []
    reactions = line.details.get("reaction")
    for reaction in reactions if isinstance(reactions, list) else ():
        if isinstance(reaction, Mapping) and not reaction.get("negated"):
            words += [_name_of(reaction), _name_of(reaction.get("severity"))]
    words.append(_name_of(line.details.get("criticality")))
    return ", ".join(dict.fromkeys(word.lower() for word in words if word))


def _taken(line: SummaryLine) -> str:
    """Dose and rhythm, as far as they are coded: 2 puff every 6 h as needed."""
    if line.kind != "medication" or line.status not in ("active", None):
        return ""
    told = (dose_words(line.details), rhythm_words(line.details))
    words = [text.translate(_WITHOUT_BRACES) for text in told]
    if line.details.get("precondition"):
        words.append("as needed")
    return " ".join(word for word in words if word)


_WITHOUT_BRACES: Final = str.maketrans("", "", "{}")
"""UCUM writes what is no unit in braces: 2 {puff}."""


def _name_of(code: Any) -> str:
    return str(code.get("display") or "") if isinstance(code, Mapping) else ""


def _trend(points: Sequence[TrendPoint]) -> str:
    """7.9 → 7.4 → 7.1 %; a change of unit is written out, the same answer again is not."""
    steps: list[str] = []
    for unit, run in groupby(points, key=lambda point: point.unit):
        values = [value for value, _ in groupby(point.value or "?" for point in run)]
        steps.append(" ".join(part for part in (" → ".join(values), _unit(unit)) if part))
    first, last = _day(points[0].time), _day(points[-1].time)
    when = last if first == last else f"{first} to {last}"
    flag = {"H": "high", "L": "low", "HH": "very high", "LL": "very low", "A": "abnormal"}.get(
        points[-1].interpretation or ""
    )
    return ", ".join(part for part in (" → ".join(steps), flag, when) if part)


def _status(line: SummaryLine) -> str:
    reason = line.details.get("refusal_reason")
    why = reason.get("display") if isinstance(reason, Mapping) else None
    if line.negated and why:
        return f"{line.status or 'not done'} ({why})"
    return "" if line.kind in _DONE and line.status == "completed" else line.status or ""


def _period(line: SummaryLine) -> str:
    start, end = _day(line.start), _day(line.end)
    if start and end:
        return start if start == end else f"{start} to {end}"
    goes_on = line.kind in _LASTS and not (line.negated or _is_single(line))
    if start and goes_on:
        return f"since {start}"
    return start or (f"until {end}" if end else "")


def _is_single(line: SummaryLine) -> bool:
    """A drug that was given once; what a condition tells as one moment is its onset."""
    return line.kind == "medication" and line.is_moment


def _remarks(line: SummaryLine) -> Iterator[str]:
    if line.withdrawn:
        yield "withdrawn: a newer version of the document no longer says so"
    if line.conflict:
        yield line.conflict
    converted = [p for p in line.trend if (p.written_unit or "") != (p.unit or "")]
    written = dict.fromkeys(
        f"{p.value} was {p.written_value} {_unit(p.written_unit)}" for p in converted
    )
    if converted:
        yield "as written: " + "; ".join(written)


def _paired(lines: Iterable[SummaryLine]) -> Iterator[SummaryLine]:
    """Systolic and diastolic pressure of one moment stand together: 128/78."""
    listed = list(lines)
    own = [line for line in listed if not line.withdrawn and not whose(line.details)]
    pressure = {line.code.code: line for line in own if line.code}
    systolic, diastolic = pressure.get(_SYSTOLIC), pressure.get(_DIASTOLIC)
    below = {point.time: point for point in diastolic.trend} if diastolic else {}
    paired = systolic is not None and {p.time for p in systolic.trend} == below.keys()
    for line in listed:
        if paired and line is diastolic:
            continue
        if paired and line is systolic:
            yield _pressure(line, below)
        else:
            yield line


def _pressure(systolic: SummaryLine, below: Mapping[str | None, TrendPoint]) -> SummaryLine:
    points = tuple(
        TrendPoint(
            point.time,
            f"{point.value}/{below[point.time].value}",
            point.unit,
            point.written_value,
            point.written_unit,
            None,
            point.conflict or below[point.time].conflict,
            point.sources,
        )
        for point in systolic.trend
    )
    conflict = next((point.conflict for point in points if point.conflict), systolic.conflict)
    return SummaryLine(
        systolic.kind, "Blood pressure", systolic.sources, conflict=conflict, trend=points
    )


def _value(value: str | CD | Interval | None, unit: str | None) -> str:
    match value:
        case None:
            return ""
        case CD():
            return value.display or value.original_text or value.code or ""
        case Interval(low=low, high=high):
            bounds = f"{low} to {high}" if low and high else f"from {low}" if low else f"to {high}"
            return f"{bounds} {_unit(unit)}".strip()
        case _:
            return f"{value} {_unit(unit)}".strip()


_PLAIN_UNITS: Final = {
    "[lb_av]": "lb", "[in_i]": "in", "[degF]": "°F", "Cel": "°C", "mm[Hg]": "mmHg",
    "mL/min/{1.73_m2}": "mL/min/1.73 m²", "kg/m2": "kg/m²", "10*3/uL": "10³/µL",
}  # fmt: skip


def _unit(unit: str | None) -> str:
    return _PLAIN_UNITS.get(unit or "", unit or "")


def _current(sources: Iterable[LineSource]) -> list[LineSource]:
    return [source for source in sources if not source.superseded]


def _letters(sources: Iterable[LineSource], letters: Mapping[str, str]) -> str:
    found = sorted({letters.get(s.document, "?") for s in sources}, key=lambda x: (len(x), x))
    return "".join(f"[{letter}]" for letter in found)


def _asked(completeness: Sequence[Completeness]) -> list[str]:
    if not completeness:
        return []
    rows = [
        (
            answer.partner,
            _OUTCOMES.get(answer.outcome, answer.outcome),
            _count(answer),
            _day(answer.at),
            answer.detail or "",
        )
        for answer in completeness
    ]
    return ["WHO WAS ASKED", *_table(rows)]


def _count(answer: Completeness) -> str:
    noun = "document" if answer.documents == 1 else "documents"
    missing = f", {answer.missing} missing" if answer.missing else ""
    return f"{answer.documents} {noun}{missing}"


def _documents(summary: Summary) -> list[str]:
    rows = [
        (
            f"[{document.letter}]",
            _day(document.time),
            document.partner or "",
            (document.title or "") + (" (replaced)" if document.superseded else ""),
        )
        for document in summary.documents
    ]
    return ["DOCUMENTS", *_table(rows)] if rows else []


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "    " + "  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _day(iso: str | None) -> str:
    return (iso or "")[:10]
