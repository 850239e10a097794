"""A member's documents made into one summary, and that written as a document, for the tests."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ccda import CcdaError, ClinicalDocument, parse_document
from ccda.hl7v3 import II, TS
from ccda.model import Patient
from ccda.summary import Summary
from ccda.writer import AuthoringDevice, Organization, write_ccd
from gateway.exchange.summarize import summarize
from gateway.model.document import Blob, Document, IndexedEntry, Source
from gateway.model.identity import DocumentId, MemberId, PartnerId, PlanId

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"
SAMPLES = ROOT / "tests" / "samples" / "ccda"
DEMO = ROOT / "gateway" / "demo" / "documents"
NOW = datetime(2025, 10, 1, tzinfo=UTC)
PLAN = Organization("Example Health Plan", (II("2.999.1"),))


@dataclass(frozen=True, slots=True)
class Written:
    """A summary, the document made of it, and what is read in that."""

    name: str
    summary: Summary
    xml: bytes
    read: ClinicalDocument
    again: Summary


def index(name: str, xml: bytes) -> tuple[ClinicalDocument, Document, list[IndexedEntry]]:
    found = parse_document(xml)
    document = Document(
        id=DocumentId(name),
        plan=PlanId("demo"),
        state="filed",
        blob=Blob(name, 1, "", ""),
        source=Source("ITI-39", PartnerId(name.split("_")[0]), found.custodian),
        received=NOW,
        member=MemberId("m"),
        title=found.title,
        effective_time=found.effective_time.value if found.effective_time else None,
        set_id=str(found.set_id) if found.set_id else None,
        version=_version(found.version),
        custodian=found.custodian,
    )
    entries = [
        (section.code.code if section.code else None, entry)
        for section in found.sections
        for entry in section.entries
    ]
    items = [IndexedEntry(document.id, n, code, one) for n, (code, one) in enumerate(entries)]
    return found, document, items


def _version(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 10 else None


def summarized(documents: Iterable[tuple[str, bytes]]) -> tuple[Summary, Patient]:
    indexed = [index(name, xml) for name, xml in documents]
    pairs = [(document, item) for _, document, items in indexed for item in items]
    summary = summarize(pairs, as_of=NOW, documents=[document for _, document, _ in indexed])
    return summary, indexed[0][0].patient


def write(summary: Summary, patient: Patient) -> bytes:
    return write_ccd(
        summary,
        patient=patient,
        author=AuthoringDevice("Example Gateway", "Example Gateway 1.0", PLAN),
        custodian=PLAN,
        document_id=II("2.999.1.2", "derived-1"),
        set_id=II("2.999.1.3", "member-1"),
        version=1,
        now=TS("20251001000000+0000"),
        sources={document.id: II("2.999.5", document.id) for document in summary.documents},
    )


def written(name: str, documents: Iterable[tuple[str, bytes]]) -> Written:
    summary, patient = summarized(documents)
    xml = write(summary, patient)
    again, _ = summarized([("derived", xml)])
    return Written(name, summary, xml, parse_document(xml), again)


def files() -> Iterator[tuple[str, bytes]]:
    folder = CORPUS if CORPUS.is_dir() else SAMPLES
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield str(file.relative_to(folder)), file.read_bytes()


def readable() -> Iterator[tuple[str, bytes]]:
    for name, xml in files():
        try:
            parse_document(xml)
        except CcdaError:
            continue
        yield name, xml
