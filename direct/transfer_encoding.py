"""How the bytes of a part are written into a mail, and read out again (RFC 2045: 6)."""

import binascii
from typing import Final

IDENTITY: Final = frozenset({"7bit", "8bit", "binary", ""})
_BLANK: Final = b"\r\n\t "
_MOST_RUNS: Final = 20_000
_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NO_LETTERS: Final = bytes(byte for byte in range(256) if byte not in _LETTERS)


def decode(content: bytes, encoding: str) -> tuple[bytes, bool]:
    """The bytes, and whether all of `content` could be read.

    An encoding that we do not know leaves them as they are.
    """
    match encoding:
        case "base64":
            return _decode_base64(content)
        case "quoted-printable":
            return binascii.a2b_qp(content), True
        case _:
            return content, encoding in IDENTITY


def _decode_base64(content: bytes) -> tuple[bytes, bool]:
    padding = content.find(b"=")
    if padding < 0 or not content[padding:].strip(b"=" + _BLANK):
        return _decode_run(content)
    # Quirk: several encoded runs one after the other, each with its own padding. Python's
    # decoder stops at the first.
    decoded, whole = bytearray(), True
    runs = content.split(b"=", _MOST_RUNS)
    if b"=" in runs[-1].rstrip(b"=" + _BLANK):
        # Millions of tiny runs are an attack, at a step each; what follows is left undecoded.
        runs, whole = runs[:-1], False
    for run in runs:
        piece, good = _decode_run(run)
        decoded += piece
        whole = whole and good
    return bytes(decoded), whole


def _decode_run(content: bytes) -> tuple[bytes, bool]:
    try:
        return binascii.a2b_base64(content), True
    except binascii.Error:
        # The padding is missing, or the text was cut: what stands there is still content.
        letters = content.translate(None, _NO_LETTERS)
    whole = len(letters) % 4 != 1
    kept = letters if whole else letters[:-1]
    return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4)), whole


def encode_base64(content: bytes) -> bytes:
    """Lines of 76 characters, each with CRLF."""
    encoded = binascii.b2a_base64(content, newline=False)
    return b"".join(encoded[at : at + 76] + b"\r\n" for at in range(0, len(encoded), 76))
