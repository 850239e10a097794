"""RTF inside a document as plain words (Rich Text Format 1.9.1): the text, none of the rest."""

import re
from typing import Final

_TOKEN: Final = re.compile(
    rb"\\'([0-9a-fA-F]{2})|\\([a-zA-Z]{1,32})(-?\d{1,9})? ?|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)"
)
_SILENT: Final = frozenset(
    b"fonttbl colortbl stylesheet info pict object header footer themedata datastore "
    b"listtable listoverridetable generator filetbl rsidtbl xmlnstbl fldinst".split()
)
"""Groups that hold no words of the text (1.9.1: destinations)."""
_WORDS: Final = {
    b"par": "\n", b"line": "\n", b"sect": "\n", b"page": "\n", b"row": "\n", b"tab": "\t",
    b"cell": "\t", b"emdash": "—", b"endash": "–", b"bullet": "•", b"lquote": "‘",
    b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”",
}  # fmt: skip
_SYMBOLS: Final = {b"\\": "\\", b"{": "{", b"}": "}", b"~": "\xa0", b"_": "-", b"\n": "\n"}
_MOST_SURROGATE: Final = 65536


def read_rtf(data: bytes) -> str:
    """The words in order; a character of another code page than Windows' own may show wrong."""
    words: list[str] = []
    silent: list[bool] = [False]
    skip, skips = 0, [1]
    for match in _TOKEN.finditer(data):
        hexadecimal, word, number, symbol, brace, plain = match.groups()
        if brace == b"{":
            silent.append(silent[-1])
            skips.append(skips[-1])
            continue
        if brace == b"}":
            if len(silent) > 1:
                silent.pop()
                skips.pop()
            continue
        if word == b"uc":
            skips[-1] = max(0, min(int(number or 1), 8))
        elif word == b"u" and number:
            skip = skips[-1]
        if word in _SILENT or symbol == b"*":
            silent[-1] = True
        if silent[-1]:
            continue
        if skip and (hexadecimal or plain):  # the stand-in for readers that know no Unicode
            said = "" if hexadecimal else _decode(plain[skip:])
            skip = max(0, skip - (1 if hexadecimal else len(plain)))
        else:
            said = _said(hexadecimal, word, number, symbol, plain)
        words.append(said)
    return "".join(words).strip()


def _said(
    hexadecimal: bytes | None,
    word: bytes | None,
    number: bytes | None,
    symbol: bytes | None,
    plain: bytes | None,
) -> str:
    """What one token adds to the text; most say only how it looks."""
    if plain is not None:
        return _decode(plain)
    if hexadecimal is not None:
        return _decode(bytes((int(hexadecimal, 16),)))
    if word == b"u" and number is not None:
        code = int(number) % _MOST_SURROGATE
        return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)
    return _WORDS.get(word or b"", "") or _SYMBOLS.get(symbol or b"", "")


def _decode(data: bytes) -> str:
    return data.decode("cp1252", "replace")
