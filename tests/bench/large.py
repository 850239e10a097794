"""Documents as large as wanted: the demo's CCD with its entries repeated under ids of their own."""

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

_ENTRY: Final = re.compile(rb"<entry\b.*?</entry>", re.DOTALL)
_TEXT: Final = re.compile(rb"<text\b.*?</text>", re.DOTALL)
_EXTENSION: Final = re.compile(rb'(<id [^>]*extension=")([^"]*)')


def document_of(size_bytes: int) -> bytes:
    """The demo's CCD with its entries so often that it is about so large."""
    content = files("gateway.demo.documents").joinpath("northfield_ccd.xml").read_bytes()
    entries = sum(len(entry[0]) for entry in _ENTRY.finditer(content))
    copies = (size_bytes - len(content) + entries) / entries
    if copies < 1:
        # Too small for all: the narrative goes, and the entries as far as needed.
        content = _TEXT.sub(b"<text>Left out.</text>", content)
        copies = (size_bytes - len(content) + entries) / entries
    shares = _shares(copies)

    def repeated(entry: re.Match[bytes]) -> bytes:
        return b"\n".join(
            _EXTENSION.sub(rb"\g<1>\g<2>-%d" % copy, entry[0]) for copy in range(next(shares))
        )

    return _ENTRY.sub(repeated, content)


def _shares(copies: float) -> Iterator[int]:
    """Whole numbers that are `copies` on average."""
    owed = 0.0
    while True:
        owed += copies
        yield int(owed)
        owed -= int(owed)
