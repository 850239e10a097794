"""A member's summary as a PDF to print and keep (PDF/A-2b, PDF/UA-1), set by typst."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Final

from ccda.html.sheet import ANSWER_COLUMNS, DOCUMENT_COLUMNS, POINT_COLUMNS, Sheet
from gateway.exchange.typeset import typeset

_TEMPLATE: Final = Path(__file__).with_name("summary.typ")
_COLUMNS: Final = {
    "answers": ANSWER_COLUMNS,
    "documents": DOCUMENT_COLUMNS,
    "points": POINT_COLUMNS,
}


def write_pdf(sheet: Sheet, *, author: str, now: datetime) -> bytes:
    """The summary as PDF; the same words at the same `now` give the same bytes."""
    words = {"sheet": asdict(sheet), "columns": _COLUMNS, "author": author}
    return typeset(_TEMPLATE.read_bytes(), words, now=now)
