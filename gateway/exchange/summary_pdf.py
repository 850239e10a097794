"""A member's summary as a PDF to print and keep (PDF/A-2b, PDF/UA-1), set by typst.

Typst is the optional extra `pdf`. It runs in a worker process (DECISIONS 25), gets the words as
JSON and never as markup, reads no file and no clock: the template and the time are handed to it.
"""

import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import orjson

from ccda.html.markup import clean
from ccda.html.sheet import ANSWER_COLUMNS, DOCUMENT_COLUMNS, POINT_COLUMNS, Sheet

NOT_INSTALLED: Final = (
    "A PDF needs the optional part `pdf`, which is not installed: "
    "pip install 'document-exchange-gateway[pdf]'"
)
_TEMPLATE: Final = Path(__file__).with_name("summary.typ")
_COLUMNS: Final = {
    "answers": ANSWER_COLUMNS,
    "documents": DOCUMENT_COLUMNS,
    "points": POINT_COLUMNS,
}
_UNCOMMON: Final = re.compile(
    "[^\t\n -~\xa0-\u037f\u0384-\u0481\u048a-\u04ff\u0591-\u05f4\u1e00-\u1eff"
    "\u2000-\u2027\u202f-\u2040\u2070-\u209c\u20a0-\u20bf\u2122\u2150-\u2183"
    "\u2190-\u226f\u25a0-\u2600\ufffd]"
)
"""What the fonts inside typst have no letter for, taken broadly: scripts far from Latin."""
_SPELT: Final = (
    "Letters for which this print has no shape are given by their Unicode number, as <U+4E2D>."
)


def is_installed() -> bool:
    """Whether typst is there to set pages with."""
    return find_spec("typst") is not None


def write_pdf(sheet: Sheet, *, author: str, now: datetime) -> bytes:
    """The summary as PDF; the same words at the same `now` give the same bytes.

    PDF/A allows no character without a letter to show it. Where typst's own fonts have none, the
    machine's are tried, and then the character is spelt out, so that nobody reads a blank.
    """
    import typst  # the extra `pdf`; who never prints never loads it

    form = _each_text({"sheet": asdict(sheet), "author": author}, clean)
    try:
        return _compile(form, now, "", own_fonts=True)
    except typst.TypstError:
        try:
            return _compile(form, now, "", own_fonts=False)
        except typst.TypstError:
            spelt = _each_text(form, lambda words: _UNCOMMON.sub(_spell, words))
            return _compile(spelt, now, _SPELT, own_fonts=True)


def _compile(form: Any, now: datetime, note: str, *, own_fonts: bool) -> bytes:
    import typst

    return typst.compile(
        _TEMPLATE.read_bytes(),
        format="pdf",
        ignore_system_fonts=own_fonts,
        sys_inputs={
            "sheet": orjson.dumps(form["sheet"]).decode(),
            "columns": orjson.dumps(_COLUMNS).decode(),
            "author": form["author"],
            "note": note,
        },
        pdf_standards=["a-2b", "ua-1"],
        timestamp=int(now.timestamp()),
    )


def _each_text(form: Any, change: Callable[[str], str]) -> Any:
    """The same values, every text of them changed."""
    match form:
        case str():
            return change(form)
        case dict():
            return {key: _each_text(value, change) for key, value in form.items()}
        case list() | tuple():
            return [_each_text(value, change) for value in form]
        case _:
            return form


def _spell(match: re.Match[str]) -> str:
    return f"<U+{ord(match[0]):04X}>"
