"""One member's record, merged from many documents: every line with its sources.

The values that `gateway.exchange.summarize` makes and every view of a summary reads. Times are
ISO 8601 as precise as they were written. Nothing here decides anything: `conflict` is the
sentence that says on what the sources disagree, `withdrawn` that a newer version of the same
document no longer says it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ccda.hl7v3 import CD
from ccda.model import KINDS, Entry, Interval, Kind
from ccda.values import quickly_made

SECTION_KEYS: Final[Mapping[Kind, str]] = {
    "problem": "problems",
    "allergy": "allergies",
    "medication": "medications",
    "immunization": "immunizations",
    "result": "results",
    "vital_sign": "vital_signs",
    "procedure": "procedures",
    "encounter": "encounters",
    "social_history": "social_history",
    "family_history": "family_history",
    "functional_status": "functional_status",
    "mental_status": "mental_status",
    "device": "devices",
    "coverage": "coverage",
    "advance_directive": "advance_directives",
    "goal": "goals",
    "plan": "plans",
    "concern": "concerns",
    "care_team": "care_teams",
    "note": "notes",
}
"""The name of each kind's section, in the order in which sections are shown."""

assert tuple(SECTION_KEYS) == KINDS  # noqa: S101  # a new kind needs a section


@quickly_made
@dataclass(frozen=True, slots=True)
class LineSource:
    """One statement of one document. `time` is when it was recorded, by its author if known.

    `superseded`: a newer version of that document is held. `joined_by` says what showed that it
    is the same fact as the line's first source; None for that one.
    """

    document: str
    partner: str | None
    entry: int
    path: str
    time: str | None
    superseded: bool = False
    joined_by: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One measurement: in the trend's unit, and as it was written.

    `entry` is what its best source wrote, with its status and details as they were merged; the
    JSON does not tell it.
    """

    time: str | None
    value: str | None
    unit: str | None
    written_value: str | None
    written_unit: str | None
    interpretation: str | None = None
    conflict: str | None = None
    sources: tuple[LineSource, ...] = ()
    entry: Entry | None = None


@quickly_made
@dataclass(frozen=True, slots=True)
class SummaryLine:
    """One fact. For a test `value` and `start` are those of its newest point.

    The translations of `code` are all other codes that the sources gave the same fact. `mood` is
    as who speaks for the line wrote it: EVN has happened, INT, RQO or APT is meant to. `section`
    is the LOINC code of that source's section. `is_moment`: `start` is when it was, and not the
    beginning of what may go on. The JSON tells neither.
    """

    kind: Kind
    display: str
    sources: tuple[LineSource, ...]
    code: CD | None = None
    status: str | None = None
    start: str | None = None
    end: str | None = None
    value: str | CD | Interval | None = None
    unit: str | None = None
    negated: bool = False
    conflict: str | None = None
    withdrawn: bool = False
    mood: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    trend: tuple[TrendPoint, ...] = ()
    section: str | None = None
    is_moment: bool = False


@dataclass(frozen=True, slots=True)
class NothingKnown:
    """A source's word that there is nothing of a kind: no known food allergies.

    `entries` are what the sources wrote, one each; the JSON does not tell them.
    """

    text: str
    sources: tuple[LineSource, ...]
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class SummarySection:
    """All lines of a kind, what holds today first, then newest first."""

    kind: Kind
    lines: tuple[SummaryLine, ...] = ()
    nothing_known: tuple[NothingKnown, ...] = ()

    @property
    def key(self) -> str:
        return SECTION_KEYS[self.kind]


@dataclass(frozen=True, slots=True)
class SummaryDocument:
    """A document that was read for the summary; `letter` is its short name in print."""

    id: str
    letter: str
    partner: str | None
    title: str | None
    time: str | None
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Completeness:
    """How one partner answered, and when it was last asked (DECISIONS 13).

    `outcome` is one of matched, no_match, refused, failed, late, held, not_asked.
    """

    partner: str
    outcome: str
    documents: int = 0
    missing: int = 0
    at: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """`sections` holds those with something to say, in the order of `SECTION_KEYS`."""

    as_of: str
    documents: tuple[SummaryDocument, ...] = ()
    sections: tuple[SummarySection, ...] = ()

    def section(self, kind: Kind) -> SummarySection:
        """The section of that kind, empty if no source speaks of it."""
        found = (section for section in self.sections if section.kind == kind)
        return next(found, SummarySection(kind))


# ---- JSON ------------------------------------------------------------------------------------


def summary_json(
    summary: Summary, *, member: Mapping[str, Any], completeness: Sequence[Completeness]
) -> dict[str, Any]:
    """`GET /api/v1/members/{id}/summary` as JSON values; every kind has its section."""
    return {
        "member": dict(member),
        "as_of": summary.as_of,
        "completeness": [_completeness_json(answer) for answer in completeness],
        "sections": {
            key: [_line_json(line) for line in summary.section(kind).lines]
            for kind, key in SECTION_KEYS.items()
        },
        "nothing_known": {
            section.key: [
                {"text": word.text, "sources": [_source_json(s) for s in word.sources]}
                for word in section.nothing_known
            ]
            for section in summary.sections
            if section.nothing_known
        },
        "documents": [_document_json(document) for document in summary.documents],
    }


def _line_json(line: SummaryLine) -> dict[str, Any]:
    translations = line.code.translations if line.code else ()
    return {
        "code": _code_json(line.code),
        "translations": [_code_json(code) for code in translations],
        "display": line.display,
        "status": line.status,
        "start": line.start,
        "end": line.end,
        "value": _value_json(line.value),
        "unit": line.unit,
        "negated": line.negated,
        "conflict": line.conflict,
        "withdrawn": line.withdrawn,
        "mood": line.mood,
        "details": dict(line.details),
        "trend": [_point_json(point) for point in line.trend],
        "sources": [_source_json(source) for source in line.sources],
    }


def _source_json(source: LineSource) -> dict[str, Any]:
    return {
        "document": source.document,
        "partner": source.partner,
        "entry": source.entry,
        "path": source.path,
        "time": source.time,
        "superseded": source.superseded,
        "joined_by": source.joined_by,
    }


def _point_json(point: TrendPoint) -> dict[str, Any]:
    return {
        "time": point.time,
        "value": point.value,
        "unit": point.unit,
        "written": {"value": point.written_value, "unit": point.written_unit},
        "interpretation": point.interpretation,
        "conflict": point.conflict,
        "sources": [_source_json(source) for source in point.sources],
    }


def _document_json(document: SummaryDocument) -> dict[str, Any]:
    return {
        "id": document.id,
        "letter": document.letter,
        "partner": document.partner,
        "title": document.title,
        "time": document.time,
        "superseded": document.superseded,
    }


def _completeness_json(answer: Completeness) -> dict[str, Any]:
    return {
        "partner": answer.partner,
        "outcome": answer.outcome,
        "documents": answer.documents,
        "missing": answer.missing,
        "at": answer.at,
        "detail": answer.detail,
    }


def _code_json(code: CD | None) -> dict[str, Any] | None:
    if code is None:
        return None
    return {"code": code.code, "system": code.system, "display": code.display}


def _value_json(value: str | CD | Interval | None) -> Any:
    match value:
        case CD():
            return _code_json(value)
        case Interval(low=low, high=high):
            return {"low": low, "high": high}
        case _:
            return value
