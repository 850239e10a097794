"""Pages set by typst: PDF/A-2b and PDF/UA-1, to print and keep.

Typst is the optional extra `pdf`. It runs in a worker process (DECISIONS 25), gets all words as
JSON and never as markup, reads no file and no clock: the template and the time are handed to it.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.util import find_spec
from typing import Any, Final

import orjson

from ccda.html.markup import clean

NOT_INSTALLED: Final = (
    "A PDF needs the optional part `pdf`, which is not installed: "
    "pip install 'document-exchange-gateway[pdf]'"
)
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


def typeset(template: bytes, words: Mapping[str, Any], *, now: datetime) -> bytes:
    """The PDF of the template, which finds each of `words` as JSON in `sys.inputs`, and in `note`
    what the reader must know of the print itself. The same at the same `now` gives the same bytes.

    PDF/A allows no character without a letter to show it. Where typst's own fonts have none, the
    machine's are tried, and then the character is spelt out, so that nobody reads a blank.
    """
    import typst  # the extra `pdf`; who never prints never loads it

    form = _each_text(dict(words), clean)
    try:
        return _compile(template, form, now, "", own_fonts=True)
    except typst.TypstError:
        try:
            return _compile(template, form, now, "", own_fonts=False)
        except typst.TypstError:
            spelt = _each_text(form, lambda words: _UNCOMMON.sub(_spell, words))
            return _compile(template, spelt, now, _SPELT, own_fonts=True)


def _compile(
    template: bytes, form: Mapping[str, Any], now: datetime, note: str, *, own_fonts: bool
) -> bytes:
    import typst

    return typst.compile(
        template,
        format="pdf",
        ignore_system_fonts=own_fonts,
        sys_inputs={
            **{name: orjson.dumps(value).decode() for name, value in form.items()},
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
