"""What we say in FHIR: of every document at hand, and of a member for whom several came."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ccda import CcdaError, ClinicalDocument, parse_document
from ccda.fhir import document_bundle, fhir_json, summary_bundle
from gateway.exchange.summarize import summarize
from gateway.model.document import Blob, Document, IndexedEntry, Source
from gateway.model.identity import DocumentId, MemberId, PartnerId, PlanId

_ROOT: Final = Path(__file__).resolve().parents[2]
_CORPUS: Final = _ROOT.parent / "shared" / "corpus"
_DEMO: Final = _ROOT / "gateway" / "demo" / "documents"
_NOW: Final = datetime(2025, 10, 1, tzinfo=UTC)

FOLDERS: Final = {
    "the demo": _DEMO,
    "our samples": _ROOT / "tests" / "samples" / "ccda",
    **({"the public corpus": _CORPUS} if _CORPUS.is_dir() else {}),
}


def document_bundles(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every document below the folder that can be read, by its name, as a line of FHIR."""
    for name, document in _documents(folder):
        yield name, fhir_json(document_bundle(document, document_id=name, partner="partner"))


def demo_member_bundle() -> bytes:
    """The merged summary of the demo's documents as a line of FHIR."""
    read = list(_documents(_DEMO))
    indexed = [_indexed(name, document) for name, document in read]
    pairs = [(document, entry) for document, entries in indexed for entry in entries]
    summary = summarize(pairs, as_of=_NOW, documents=[document for document, _ in indexed])
    return fhir_json(summary_bundle(summary, member_id="member", patient=read[0][1].patient))


def _documents(folder: Path) -> Iterator[tuple[str, ClinicalDocument]]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    contents = {file.read_bytes(): str(file.relative_to(folder)) for file in files}
    for content, name in contents.items():
        try:
            yield name, parse_document(content)
        except CcdaError:
            continue


def _indexed(name: str, found: ClinicalDocument) -> tuple[Document, list[IndexedEntry]]:
    document = Document(
        id=DocumentId(name),
        plan=PlanId("demo"),
        state="filed",
        blob=Blob(name, 1, "", ""),
        source=Source("ITI-39", PartnerId(name.split("_")[0]), found.custodian),
        received=_NOW,
        member=MemberId("member"),
        title=found.title,
        effective_time=found.effective_time.value if found.effective_time else None,
        set_id=str(found.set_id) if found.set_id else None,
        version=int(found.version) if (found.version or "").isdecimal() else None,
        custodian=found.custodian,
    )
    entries = [entry for section in found.sections for entry in section.entries]
    return document, [IndexedEntry(document.id, n, None, entry) for n, entry in enumerate(entries)]
