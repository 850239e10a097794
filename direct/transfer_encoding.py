"""How the bytes of a part are written into a mail, and read out again (RFC 2045: 6)."""

import binascii
import re
from typing import Final

IDENTITY: Final = frozenset({"7bit", "8bit", "binary", ""})
_NAMED: Final = re.compile(r"(?:\([^()]*\)\s*)*\"?([!#$%&'*+.^_`{|}~0-9A-Za-z-]+)")
_BLANK: Final = b"\r\n\t "
_MOST_RUNS: Final = 20_000
_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NO_LETTERS: Final = bytes(byte for byte in range(256) if byte not in _LETTERS)


def encoding_named(field: str) -> str:
    """The encoding that a field names, in lower case (RFC 2045: 6.1): without comments, and
    without the quotes and semicolons that some mailers add."""
    bare = field.strip()
    match = _NAMED.match(bare)
    return (bare if match is None else match[1]).lower()


def decode(source: bytes, start: int, end: int, encoding: str) -> tuple[bytes, bool]:
    """The bytes that `source` holds from `start` to `end`, and whether all could be read.

    An encoding that we do not know leaves them as they are. What is encoded is not copied: it may
    be nearly all of the message, and what is decoded comes beside it.
    """
    match encoding:
        case "base64":
            return _decode_base64(source, start, end)
        case "quoted-printable":
            return binascii.a2b_qp(memoryview(source)[start:end]), True
        case _:
            return source[start:end], encoding in IDENTITY


def _decode_base64(source: bytes, start: int, end: int) -> tuple[bytes, bool]:
    padding = source.find(b"=", start, end)
    if padding < 0 or not source[padding:end].strip(b"=" + _BLANK):
        return _decode_run(memoryview(source)[start:end])
    # Quirk: several encoded runs one after the other, each with its own padding. Python's
    # decoder stops at the first.
    decoded, whole = bytearray(), True
    runs = source[start:end].split(b"=", _MOST_RUNS)
    if b"=" in runs[-1].rstrip(b"=" + _BLANK):
        # Millions of tiny runs are an attack, at a step each; what follows is left undecoded.
        runs, whole = runs[:-1], False
    for run in runs:
        piece, good = _decode_run(run)
        decoded += piece
        whole = whole and good
    return bytes(decoded), whole


def _decode_run(content: bytes | memoryview) -> tuple[bytes, bool]:
    try:
        return binascii.a2b_base64(content), True
    except binascii.Error:
        # The padding is missing, or the text was cut: what stands there is still content.
        letters = bytes(content).translate(None, _NO_LETTERS)
    whole = len(letters) % 4 != 1
    kept = letters if whole else letters[:-1]
    return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4)), whole


def encode_base64(content: bytes) -> bytes:
    """Lines of 76 characters, each with CRLF."""
    encoded = binascii.b2a_base64(content, newline=False)
    return b"".join(encoded[at : at + 76] + b"\r\n" for at in range(0, len(encoded), 76))
