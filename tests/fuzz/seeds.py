"""The documents that are mutated: the public corpus beside a checkout, and always our own."""

from functools import cache
from pathlib import Path
from typing import Final

from ccda import CcdaError, parse_document

ROOT: Final = Path(__file__).resolve().parents[2]
CORPUS: Final = ROOT.parent / "shared" / "corpus"
SAMPLES: Final = ROOT / "tests" / "samples" / "ccda"


@cache
def load_seeds(*folders: Path, most_bytes: int = 1_000_000) -> tuple[bytes, ...]:
    """What can be read in the folders, in the order of the files' names."""
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())
    found = (file.read_bytes() for file in files if file.stat().st_size <= most_bytes)
    return tuple(data for data in found if _is_readable(data))


def _is_readable(data: bytes) -> bool:
    try:
        parse_document(data)
    except CcdaError:
        return False
    return True
