"""The documents that are measured: the public corpus beside a checkout, else the project's own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lxml import etree

from ccda.document import parse_document
from ccda.errors import CcdaError

ROOT: Final = Path(__file__).resolve().parents[2]
_PUBLIC: Final = ROOT.parent / "shared" / "corpus"
_OWN: Final = (ROOT / "gateway" / "demo" / "documents", ROOT / "tests" / "samples" / "ccda")
_WANTED: Final = 150
"""How many documents the project's own are repeated to."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Clinical documents that both lxml and we read; no two have the same bytes."""

    name: str
    documents: tuple[bytes, ...]

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.documents))

    @property
    def text(self) -> str:
        return f"{self.name}: {len(self.documents)} documents, {self.size_bytes / 1e6:.1f} MB"


def load_corpus() -> Corpus:
    if _PUBLIC.is_dir():
        return Corpus("public corpus", _readable([_PUBLIC]))
    own = _readable(_OWN)
    repeats = -(-_WANTED // len(own))
    copies = (_marked(content, copy) for copy in range(repeats) for content in own)
    # Few patients with many documents each: renewing their summaries weighs more in ingest.
    return Corpus(f"the project's own documents, each {repeats} times", tuple(copies))


def _readable(folders: list[Path] | tuple[Path, ...]) -> tuple[bytes, ...]:
    files = (file for folder in folders for file in sorted(folder.rglob("*.xml")))
    contents = dict.fromkeys(file.read_bytes() for file in files)
    return tuple(content for content in contents if _is_readable(content))


def _is_readable(content: bytes) -> bool:
    try:
        etree.fromstring(content)
        parse_document(content)
    except (etree.XMLSyntaxError, CcdaError):
        return False
    return True


def _marked(content: bytes, copy: int) -> bytes:
    """The same document in other bytes, for the same bytes twice are one document."""
    return content + f"<!-- {copy} -->\n".encode() if copy else content
