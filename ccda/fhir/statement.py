"""One clinical statement on its way into FHIR, of a document or of a merged summary.

Both are seen in one form: an `Entry`, where it stands (of a summary's line, every place), and
the statements around and inside it. What a document tells by positions, a summary tells by the
paths of its sources: one that begins with another is a part of it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ccda.fhir.datatypes import many
from ccda.fhir.times import when
from ccda.hl7v3 import TS, hl7_time
from ccda.model import ClinicalDocument, Entry
from ccda.summary import LineSource, Summary, SummaryLine, SummarySection, TrendPoint

_ONESELF: Final = "ONESELF"
"""HL7 RoleCode: the patient, after all."""

Position = tuple[int, int]
"""Section and entry of a document, section and line of a summary."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a statement stands: a document, by the id it is held under, and a path in it."""

    document: str
    path: str


@dataclass(slots=True)
class Statement:
    """An entry with its origins, the one that gives it its identity first."""

    entry: Entry
    origins: tuple[Origin, ...]
    position: Position
    section: str | None = None
    """The LOINC code of the section; of a summary's line, of the source that speaks for it."""
    conflict: str | None = None
    parent: "Statement | None" = None
    parts: list["Statement"] = field(default_factory=list)

    @property
    def key(self) -> str:
        origin = self.origins[0]
        return f"{origin.document} {origin.path}"

    @property
    def documents(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(origin.document for origin in self.origins))

    def one(self, name: str) -> Any:
        """The detail of that name; the first of several."""
        detail = self.entry.details.get(name)
        if isinstance(detail, list):
            return detail[0] if detail else None
        return detail

    def all(self, name: str) -> list[Any]:
        return many(self.entry.details.get(name))

    @property
    def about_other(self) -> dict[str, Any] | None:
        """Whom it is about where that is not the patient: a newborn, a donor."""
        whose = self.entry.details.get("subject")
        if not isinstance(whose, dict):
            return None
        relationship = whose.get("relationship")
        is_self = isinstance(relationship, dict) and relationship.get("code") == _ONESELF
        return None if is_self else whose

    @property
    def is_panel(self) -> bool:
        return bool(self.entry.details.get("panel"))

    @property
    def is_in_error(self) -> bool:
        """Whether it was entered in error: what it denies is then not denied either."""
        return self.entry.status == "nullified"

    @property
    def moment(self) -> str | None:
        """When it was, if that is one moment."""
        entry = self.entry
        start, end = when(entry.start), when(entry.end)
        return when(entry.time) or (start if start == end else None)


def document_statements(document: ClinicalDocument, document_id: str) -> list[Statement]:
    """What each entry states, in document order; nothing for one that states nothing."""
    found = []
    for at, section in enumerate(document.sections):
        code = None if section.code is None else section.code.code
        made: dict[int, Statement] = {}
        for position, entry in enumerate(section.entries):
            one = Statement(
                entry, (Origin(document_id, entry.path),), (at, position), code,
                parent=None if entry.parent is None else made.get(entry.parent),
            )  # fmt: skip
            made[position] = one
            if one.parent is not None:
                one.parent.parts.append(one)
            found.append(one)
    return found


def summary_statements(summary: Summary) -> list[Statement]:
    """What each line states, of a test each point, and what is denied to be.

    Withdrawn facts are stated by nobody.
    """
    found: list[Statement] = []
    for at, section in enumerate(summary.sections):
        stated = [
            one
            for position, line in enumerate(section.lines)
            if not line.withdrawn
            for one in _of_line(line, (at, position))
        ]
        _find_parents(stated)
        found.extend(stated)
    _find_encounters(found)
    for at, section in enumerate(summary.sections):
        found.extend(_denials(section, at))
    return found


def _of_line(line: SummaryLine, position: Position) -> Iterator[Statement]:
    if not line.trend:
        origins = _origins(line.sources)
        entry = _line_entry(line)
        yield Statement(entry, origins, position, line.section, line.conflict)
        return
    for point in line.trend:
        origins = _origins(point.sources)
        yield Statement(_point_entry(line, point), origins, position, conflict=point.conflict)


def _denials(section: SummarySection, at: int) -> Iterator[Statement]:
    """Those that deny the same, in whatever words, are one; the last of them speaks."""
    same: dict[str, list[tuple[LineSource, Entry]]] = {}
    for word in section.nothing_known:
        for source, entry in zip(word.sources, word.entries, strict=False):
            if not source.superseded:
                same.setdefault(_denied(entry), []).append((source, entry))
    for position, told in enumerate(same.values(), len(section.lines)):
        _, last = max(told, key=lambda one: (one[0].time or "", one[0].document))
        entry = replace(last, ids=(), authors=(), parent=None)
        yield Statement(entry, _origins(source for source, _ in told), (at, position))


def _denied(entry: Entry) -> str:
    code, kind = entry.code, entry.details.get("type")
    named = code and (code.code, code.system)
    asked = kind.get("code") if isinstance(kind, dict) else None
    return repr((named, asked, entry.negated, entry.details.get("subject")))


def _origins(sources: Iterable[LineSource]) -> tuple[Origin, ...]:
    """The oldest source first: it stays when others join it, and so does what is named by it."""
    ordered = sorted(sources, key=lambda one: (one.time or "~", one.document, one.path))
    return tuple(Origin(one.document, one.path) for one in ordered)


def _line_entry(line: SummaryLine) -> Entry:
    return Entry(
        kind=line.kind,
        path=line.sources[0].path,
        code=line.code,
        start=None if line.is_moment else _time(line.start),
        end=_time(line.end),
        time=_time(line.start) if line.is_moment else None,
        status=line.status,
        value=line.value,
        unit=line.unit,
        text=line.display,
        negated=line.negated,
        mood=line.mood,
        details=line.details,
    )


def _point_entry(line: SummaryLine, point: TrendPoint) -> Entry:
    """A measurement as its author wrote it: what the line tells is of the newest alone."""
    said = point.entry or Entry(
        kind=line.kind,
        path="",
        code=line.code,
        status=line.status,
        value=point.written_value,
        unit=point.written_unit,
        text=line.display,
        negated=line.negated,
        mood=line.mood,
    )
    lasted = _lasted(said, point.time)
    return Entry(
        kind=line.kind,
        path=point.sources[0].path,
        code=said.code,
        start=said.start if lasted else None,
        end=said.end if lasted else None,
        time=None if lasted else _time(point.time),
        status=said.status,
        value=said.value,
        unit=said.unit,
        text=said.text,
        negated=said.negated,
        mood=said.mood,
        details=said.details,
    )


def _lasted(said: Entry, time: str | None) -> bool:
    """Whether it is told from when to when, or since when somebody answers so: a smoker."""
    if said.time is not None or time != (said.start and said.start.iso):
        return False
    return when(said.end) is not None or said.kind == "social_history"


def _time(iso: str | None) -> TS | None:
    return None if iso is None else TS(hl7_time(iso))


def _find_parents(stated: list[Statement]) -> None:
    """Whoever has a source around that of another is its parent, the nearest first."""
    known = {(origin.document, origin.path): one for one in stated for origin in one.origins}
    for one in stated:
        for origin in one.origins:
            parent = _around(origin, known)
            if parent is not None and parent is not one and one.parent is None:
                one.parent = parent
                parent.parts.append(one)


def _find_encounters(stated: list[Statement]) -> None:
    """The encounter of each of its diagnoses, which a summary shows among the problems."""
    known = {
        (origin.document, origin.path): one
        for one in stated
        if one.entry.kind == "encounter"
        for origin in one.origins
    }
    for one in stated:
        if one.entry.kind == "problem" and one.parent is None:
            around = (_around(origin, known) for origin in one.origins)
            one.parent = next((encounter for encounter in around if encounter), None)
            if one.parent is not None:
                one.parent.parts.append(one)


def _around(origin: Origin, known: dict[tuple[str, str], Statement]) -> Statement | None:
    path = origin.path.rpartition("/")[0]
    while path:
        found = known.get((origin.document, path))
        if found is not None:
            return found
        path = path.rpartition("/")[0]
    return None
