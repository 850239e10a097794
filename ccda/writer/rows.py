"""One line of a summary on its way into a document: where its words stand, and who said it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from ccda.hl7v3 import CD, II
from ccda.model import Interval
from ccda.summary import (
    LineSource,
    SummaryDocument,
    SummaryLine,
    SummarySection,
    TrendPoint,
)
from ccda.writer.elements import Element, add, template
from ccda.writer.values import (
    UNKNOWN,
    as_time,
    list_of,
    write_code,
    write_id,
    write_interval,
    write_moment,
    write_time,
)

_AUTHOR_PARTICIPATION: Final = "2.16.840.1.113883.10.20.22.4.119"
_EXTERNAL_DOCUMENT: Final = "2.16.840.1.113883.10.20.22.4.115"
_INSTRUCTION: Final = "2.16.840.1.113883.10.20.22.4.20"
_SNOMED: Final = "2.16.840.1.113883.6.96"
_COMMENT: Final = "2.16.840.1.113883.10.20.22.4.64"
_LOINC: Final = "2.16.840.1.113883.6.1"


@dataclass(frozen=True, slots=True)
class Origin:
    """What every line of one document shares: its id, and the documents behind the summary."""

    document_id: II
    documents: Mapping[str, SummaryDocument]
    source_ids: Mapping[str, II]

    def make_id(self, name: str) -> II:
        """The same id whenever the same document is written."""
        return II(str(uuid5(NAMESPACE_OID, f"{self.document_id}/{name}")))


@dataclass(frozen=True, slots=True)
class Row:
    """A line, or one point of its trend. `anchor` is the narrative ID of its table row."""

    line: SummaryLine
    anchor: str
    origin: Origin
    start: str | None
    end: str | None
    value: str | CD | Interval | None
    unit: str | None
    status: str | None
    sources: tuple[LineSource, ...]
    conflict: str | None
    point: TrendPoint | None = None
    is_lines_own: bool = True
    """Whether this is the statement that the line's status and details are of."""

    @property
    def is_moment(self) -> bool:
        """Whether it was at `start`, and did not only begin then."""
        return self.line.is_moment if self.point is None else self.point.time is not None

    @property
    def said(self) -> str | None:
        """The words of a line that says more than its code."""
        text = self.line.details.get("text")
        return text if isinstance(text, str) else None

    def mood(self, known: frozenset[str], otherwise: str = "EVN") -> str:
        """The moodCode, where it is one of `known`."""
        told = self.line.mood
        return told if told is not None and told in known else otherwise

    @property
    def words(self) -> str:
        """The narrative ID of what the line is about."""
        return f"{self.anchor}-{'text' if self.said else 'name'}"

    def detail(self, name: str) -> object:
        """A detail of the statement itself; an older point of a trend has none."""
        return self.line.details.get(name) if self.is_lines_own else None


def rows_of(section: SummarySection, origin: Origin, *, with_trend: bool) -> Iterator[Row]:
    """What is held to be so, in the order of the summary; withdrawn lines are not."""
    for number, line in enumerate(section.lines, 1):
        anchor = f"{section.key}-{number}"
        if line.withdrawn:
            continue
        if with_trend and line.trend:
            yield from _points(line, anchor, origin)
        else:
            yield Row(
                line=line,
                anchor=anchor,
                origin=origin,
                start=line.start,
                end=line.end,
                value=line.value,
                unit=line.unit,
                status=line.status,
                sources=_held(line.sources),
                conflict=line.conflict,
            )


def _points(line: SummaryLine, anchor: str, origin: Origin) -> Iterator[Row]:
    """A row for each point, that of the line's own statement last among those of its time."""
    own = _own_point(line)
    points = [point for point in line.trend if point is own or _held(point.sources)]
    points.sort(key=lambda point: point is own)
    for number, point in enumerate(points, 1):
        is_own, is_timed = point is own, point.time is not None
        yield Row(
            line=line,
            anchor=f"{anchor}-{number}",
            origin=origin,
            start=point.time,
            end=None if is_timed else line.end if is_own else None,
            value=point.value if is_timed or not is_own else line.value,
            unit=point.unit if is_timed or not is_own else line.unit,
            status=line.status if is_own or line.status == "completed" else None,
            sources=_held(point.sources) or point.sources,
            conflict=point.conflict or (line.conflict if is_own else None),
            point=point,
            is_lines_own=is_own,
        )


def _own_point(line: SummaryLine) -> TrendPoint:
    newest = line.trend[-1]
    if newest.time is not None:
        return newest
    first = line.sources[0] if line.sources else None
    return next((point for point in line.trend if first and _tells(point, first)), newest)


def _tells(point: TrendPoint, source: LineSource) -> bool:
    told = ((one.document, one.entry) for one in point.sources)
    return (source.document, source.entry) in told


def _held(sources: tuple[LineSource, ...]) -> tuple[LineSource, ...]:
    return tuple(source for source in sources if not source.superseded)


# ---- what every entry carries ----------------------------------------------------------------


def statement(
    parent: Element, name: str, class_code: str, mood: str = "EVN", *, negated: bool | None = None
) -> Element:
    indicator = None if negated is None else str(negated).lower()
    return add(parent, name, classCode=class_code, moodCode=mood, negationInd=indicator)


def is_denied(form: object) -> bool | None:
    """True of a detail that tells what is not so; None, as nothing is written, of any other."""
    return True if isinstance(form, dict) and form.get("negated") else None


def relation(parent: Element, type_code: str, *, inverted: bool = False) -> Element:
    inversion = "true" if inverted else None
    return add(parent, "entryRelationship", typeCode=type_code, inversionInd=inversion)


def write_when(parent: Element, row: Row) -> Element:
    """effectiveTime: the moment it was, else from when to when; a lone start is no moment."""
    if row.is_moment or as_time(row.start) is None:
        return write_moment(parent, row.start, row.end)
    return write_interval(parent, row.start, row.end)


def write_own_id(parent: Element, row: Row, part: str = "") -> None:
    write_id(parent, row.origin.make_id(row.anchor + part))


def write_reference(parent: Element, anchor: str) -> None:
    """text: where in the narrative the statement is told."""
    add(add(parent, "text"), "reference", value=f"#{anchor}")


def write_authors(parent: Element, *rows: Row) -> None:
    """Author Participation (4.119): who said it and when, as the sources name them."""
    told = dict.fromkeys((source.partner, source.time) for row in rows for source in row.sources)
    for partner, time in told:
        author = add(parent, "author")
        template(author, _AUTHOR_PARTICIPATION)
        write_time(author, "time", time)
        assigned = add(author, "assignedAuthor")
        write_id(assigned, None)
        add(assigned, "code", nullFlavor=UNKNOWN)
        if partner:
            add(add(assigned, "representedOrganization"), "name", partner)


def write_provenance(parent: Element, row: Row, *, comment: bool = True) -> None:
    """The comment on a conflict, and External Document Reference (4.115) for each source."""
    if comment and row.conflict:
        note = statement(relation(parent, "SUBJ", inverted=True), "act", "ACT")
        template(note, _COMMENT)
        write_code(note, "code", CD("48767-8", _LOINC, "Annotation comment"))
        write_reference(note, f"{row.anchor}-conflict")
    if comment:
        _write_remarks(parent, row)
    for document in dict.fromkeys(source.document for source in row.sources):
        reference = add(parent, "reference", typeCode="REFR")
        external = add(reference, "externalDocument", classCode="DOCCLIN", moodCode="EVN")
        template(external, _EXTERNAL_DOCUMENT, "2014-06-09")
        write_id(external, row.origin.source_ids.get(document))
        known = row.origin.documents.get(document)
        add(external, "code", nullFlavor=UNKNOWN, displayName=(known.title if known else None))
        # A summary does not carry them, which is not to say that the document has none.
        add(external, "setId", nullFlavor="NI")
        add(external, "versionNumber", nullFlavor="NI")


def _write_remarks(parent: Element, row: Row) -> None:
    """Comment Activity (4.64) and Instruction (4.20), each pointing to its words."""
    for number, said in enumerate(list_of(row.detail("comment")), 1):
        if isinstance(said, str) and said.strip():
            note = statement(relation(parent, "SUBJ", inverted=True), "act", "ACT")
            template(note, _COMMENT)
            write_code(note, "code", CD("48767-8", _LOINC, "Annotation comment"))
            write_reference(note, f"{row.anchor}-comment-{number}")
    for number, said in enumerate(list_of(row.detail("instruction")), 1):
        if isinstance(said, str) and said.strip():
            told = statement(relation(parent, "SUBJ", inverted=True), "act", "ACT", "INT")
            template(told, _INSTRUCTION, "2014-06-09")
            write_code(told, "code", CD("409073007", _SNOMED, "Education"))
            write_reference(told, f"{row.anchor}-instruction-{number}")
            add(told, "statusCode", code="completed")
