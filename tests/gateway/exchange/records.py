"""Small made-up records to merge: documents, entries, and the codes they use."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ccda.hl7v3 import CD, II, TS
from ccda.model import Author, Entry, Interval, Kind
from ccda.summary import Summary, SummaryLine
from gateway.exchange.summarize import summarize
from gateway.model.document import Blob, Document, IndexedEntry, Source
from gateway.model.identity import DocumentId, MemberId, PartnerId, PlanId

SNOMED = "2.16.840.1.113883.6.96"
ICD10 = "2.16.840.1.113883.6.90"
RXNORM = "2.16.840.1.113883.6.88"
LOINC = "2.16.840.1.113883.6.1"
CVX = "2.16.840.1.113883.12.292"
NOW = datetime(2026, 3, 1, tzinfo=UTC)

Pairs = list[tuple[Document, IndexedEntry]]


def document(
    name: str,
    time: str = "20250101",
    *,
    partner: str | None = None,
    set_id: str | None = None,
    version: int | None = None,
    superseded_by: str | None = None,
) -> Document:
    partner = partner or name
    return Document(
        id=DocumentId(name),
        plan=PlanId("p"),
        state="filed",
        blob=Blob(name, 1, "", name),
        source=Source("ITI-39", PartnerId(partner), partner.title()),
        received=NOW,
        member=MemberId("m"),
        title=f"Document {name}",
        effective_time=time,
        set_id=set_id,
        version=version,
        superseded_by=DocumentId(superseded_by) if superseded_by else None,
    )


def entry(
    kind: Kind,
    code: CD | None,
    *,
    start: str | None = None,
    end: str | None = None,
    time: str | None = None,
    status: str | None = "active",
    value: str | CD | Interval | None = None,
    unit: str | None = None,
    text: str | None = None,
    negated: bool = False,
    no_information: bool = False,
    id_: str | None = None,
    recorded: str | None = None,
    details: Mapping[str, Any] | None = None,
    path: str | None = None,
    parent: int | None = None,
    mood: str | None = None,
) -> Entry:
    return Entry(
        kind=kind,
        path=path or "/*",
        code=code,
        start=TS(start) if start else None,
        end=TS(end) if end else None,
        time=TS(time) if time else None,
        status=status,
        value=value,
        unit=unit,
        text=text,
        negated=negated,
        no_information=no_information,
        mood=mood,
        ids=(II("2.999.1", id_),) if id_ else (),
        authors=(Author(time=TS(recorded)),) if recorded else (),
        details=details or {},
        parent=parent,
    )


def holding(where: Document, *entries: Entry) -> Pairs:
    return [
        (where, IndexedEntry(where.id, ordinal, None, one)) for ordinal, one in enumerate(entries)
    ]


def merged(*pairs: Pairs, documents: Sequence[Document] = ()) -> Summary:
    return summarize([one for some in pairs for one in some], as_of=NOW, documents=documents)


def lines(kind: Kind, *pairs: Pairs) -> tuple[SummaryLine, ...]:
    return merged(*pairs).section(kind).lines


def only(kind: Kind, *pairs: Pairs) -> SummaryLine:
    (line,) = lines(kind, *pairs)
    return line


def cited(line: SummaryLine) -> list[str]:
    return sorted(source.document for source in line.sources)


def without_sources(summary: Summary) -> Any:
    """All that the summary says, but on whose word it says it."""
    return [
        (
            section.kind,
            [_bare(line) for line in section.lines],
            [denial.text for denial in section.nothing_known],
        )
        for section in summary.sections
    ]


def _bare(line: SummaryLine) -> SummaryLine:
    trend = tuple(replace(point, sources=()) for point in line.trend)
    return replace(line, sources=(), trend=trend)


def reached(summary: Summary) -> set[tuple[str, int]]:
    """The statements, by document and ordinal, that a line or a denial names as its source."""
    lines = [line.sources for section in summary.sections for line in section.lines]
    denials = [word.sources for section in summary.sections for word in section.nothing_known]
    return {(s.document, s.entry) for sources in (*lines, *denials) for s in sources}


def copied(pairs: Pairs, document: Document) -> Pairs:
    """The document once more, by the same voice under another id."""
    copy = replace(document, id=DocumentId(f"{document.id} again"))
    return [(copy, replace(item, document=copy.id)) for d, item in pairs if d.id == document.id]


DIABETES = CD("44054006", SNOMED, "Type 2 diabetes mellitus")
DIABETES_ICD = CD("E11.9", ICD10, "Type 2 diabetes without complications")
BOTH = CD("44054006", SNOMED, "Type 2 diabetes mellitus", translations=(DIABETES_ICD,))
ASTHMA = CD("195967001", SNOMED, "Asthma")
PENICILLIN = CD("7980", RXNORM, "Penicillin G")
LISINOPRIL = CD("314076", RXNORM, "lisinopril 10 MG")
A1C = CD("4548-4", LOINC, "Hemoglobin A1c")
GLUCOSE = CD("2345-7", LOINC, "Glucose")
WEIGHT = CD("29463-7", LOINC, "Body weight")
FLU = CD("135", CVX, "Influenza, high-dose")

A, B, C = document("a", "20230101"), document("b", "20240101"), document("c", "20250101")
