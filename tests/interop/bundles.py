"""What we say in FHIR: of every document at hand, and of a member for whom several came."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ccda import CcdaError, ClinicalDocument, parse_document
from ccda.fhir import document_bundle, fhir_json, summary_bundle
from tests.ccda.written import summarized

_ROOT: Final = Path(__file__).resolve().parents[2]
_CORPUS: Final = _ROOT.parent / "shared" / "corpus"
_DEMO: Final = _ROOT / "gateway" / "demo" / "documents"

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
    files = sorted(_DEMO.rglob("*.xml"))
    summary, patient = summarized([(file.name, file.read_bytes()) for file in files])
    return fhir_json(summary_bundle(summary, member_id="member", patient=patient))


def _documents(folder: Path) -> Iterator[tuple[str, ClinicalDocument]]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    contents = {file.read_bytes(): str(file.relative_to(folder)) for file in files}
    for content, name in contents.items():
        try:
            yield name, parse_document(content)
        except CcdaError:
            continue
