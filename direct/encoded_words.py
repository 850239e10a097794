"""Words for people in a header: decoded, and harmless when shown (RFC 2047, RFC 2231).

Strategy: what a header decodes to may hold anything: line breaks that would begin a new field
where the text is copied into one, a NUL that ends a file name, marks that turn the reading
direction round. Nothing leaves this room but printable characters and single spaces.
"""

import binascii
import codecs
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

# A codec is looked up by a name that the sender chose, so only names from this list are: some
# of Python's text codecs are no character sets (punycode) or read more than characters (utf-7).
_CHARSETS: Final = frozenset(
    "utf-8 utf8 us-ascii ascii utf-16 utf-16le utf-16be koi8-r koi8-u gb2312 gbk gb18030 big5 "
    "shift_jis iso-2022-jp euc-jp euc-kr macintosh windows-874".split()
    + [f"iso-8859-{number}" for number in range(1, 17) if number != 12]
    + [f"windows-125{number}" for number in range(9)]
    + [f"cp125{number}" for number in range(9)]
)
_WORD: Final = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?\s]*)\?=")
_SPACES: Final = re.compile(r"[\s\x1c-\x1f]+")
# Controls, marks that reorder or join what is shown, and halves of a character.
_INVISIBLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\ufff9-\ufffb\ufffe\uffff]"
)


def printable(text: str) -> str:
    """`text` on one line, without anything that is not shown."""
    shown = _INVISIBLE.sub("", _SPACES.sub(" ", text))
    return " ".join(shown.split())  # what is gone may have stood between two spaces


def decode_words(text: str) -> str:
    """`text` with its encoded words decoded (RFC 2047: 6), printable.

    What cannot be decoded stays as it was written.
    """
    if "=?" not in text:
        return printable(text)
    return printable("".join(_decoded(text)))


def decode_bytes(content: bytes, charset: str | None, *, is_cut: bool = False) -> str:
    """`content` in `charset`; UTF-8, else Latin-1, where that is not one we read.

    Never fails: what does not fit is shown as U+FFFD. `is_cut`: the last character may be there in
    part, and is left out then.
    """
    name = (charset or "").strip().lower().partition("*")[0]
    if name in _CHARSETS and name not in ("us-ascii", "ascii"):
        return codecs.getincrementaldecoder(name)("replace").decode(content, not is_cut)
    try:
        return codecs.utf_8_decode(content, "strict", not is_cut)[0]
    except UnicodeDecodeError:
        return content.decode("latin-1")


def decode_extended(value: str) -> str:
    """The value of a parameter written `name*=charset'language'percent-encoded` (RFC 2231: 4)."""
    charset, quote, rest = value.partition("'")
    if not quote or "'" not in rest:
        return printable(decode_bytes(unquote_to_bytes(value), None))
    return printable(decode_bytes(unquote_to_bytes(rest.partition("'")[2]), charset))


def _decoded(text: str) -> Iterator[str]:
    """The pieces of `text`. Neighbouring words of one charset may share a character."""
    position, charset, gathered = 0, "", bytearray()
    for match in _WORD.finditer(text):
        between = text[position : match.start()]
        name = match[1].lower().partition("*")[0]
        content = _word_bytes(match) if name in _CHARSETS else None
        joins = bool(gathered) and not between.strip() and name == charset and content is not None
        if not joins:
            if gathered:
                yield decode_bytes(bytes(gathered), charset)
                gathered.clear()
                between = between if between.strip() or content is None else ""
            yield between
        if content is None:
            yield match[0]
        else:
            gathered += content
            charset = name
        position = match.end()
    yield decode_bytes(bytes(gathered), charset)
    yield text[position:]


def _word_bytes(match: re.Match[str]) -> bytes | None:
    payload = match[3].encode("utf-8", "replace")
    if match[2] in "qQ":
        return binascii.a2b_qp(payload, header=True)
    try:
        return binascii.a2b_base64(payload + b"=" * (-len(payload) % 4))
    except binascii.Error:
        return None
