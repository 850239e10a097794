"""Content that was encoded for its way, as it streams in (RFC 2045: 6.7, 6.8)."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from typing import Final, Protocol

from ihe.errors import MalformedMessage

_BINARY: Final = frozenset({"", "binary", "8bit", "7bit"})
_BLANKS: Final = b" \t\r\n"
_NO_BASE64: Final = "a part is not the base64 that it says it is"
# An escape, or a soft line break. Blanks in it come from relays, and of more we believe none.
_ESCAPE: Final = re.compile(rb"=(?:([0-9A-Fa-f]{2})|[ \t]{0,256}\r?\n)")
_UNFINISHED: Final = re.compile(rb"=(?:[0-9A-Fa-f]|[ \t]{0,256}\r?)\Z")
_LONGEST_BYTES: Final = 260


class Decoder(Protocol):
    """Content in, piece by piece, and out as it was before; never more than came in."""

    def feed(self, content: bytes) -> bytes:
        """Raises:
        MalformedMessage: it is not so encoded.
        """

    def finish(self) -> bytes:
        """What is left once all has come.

        Raises:
            MalformedMessage: it is not whole.
        """


def decoder_of(encoding: str) -> Decoder | None:
    """What undoes that Content-Transfer-Encoding; None where nothing is to be undone.

    XOP has parts be binary; some senders encode theirs as for mail.

    Raises:
        MalformedMessage: an encoding that we do not know.
    """
    match encoding.strip().lower():
        case "base64":
            return Base64Decoder()
        case "quoted-printable":
            return QuotedPrintableDecoder()
        case known if known in _BINARY:
            return None
        case _:
            raise MalformedMessage("a part's Content-Transfer-Encoding is not known")


class Base64Decoder:
    """Lines of any length; padding may be missing at the end."""

    def __init__(self) -> None:
        self._begun = b""
        self._ended = False

    def feed(self, content: bytes) -> bytes:
        bare = self._begun + content.translate(None, _BLANKS)
        whole = len(bare) - len(bare) % 4
        self._begun = bare[whole:]
        return self._decoded(bare[:whole])

    def finish(self) -> bytes:
        begun, self._begun = self._begun, b""
        return self._decoded(begun + b"=" * (-len(begun) % 4))

    def _decoded(self, whole: bytes) -> bytes:
        if not whole:
            return b""
        # Content behind padding would be another's than what a second reader makes of it.
        if self._ended or b"=" in whole[:-2]:
            raise MalformedMessage(_NO_BASE64)
        self._ended = whole.endswith(b"=")
        try:
            return b64decode(whole, validate=True)
        except NotBase64:
            raise MalformedMessage(_NO_BASE64) from None


class QuotedPrintableDecoder:
    """An escape that is none stands for itself, as RFC 2045: 6.7 advises."""

    def __init__(self) -> None:
        self._begun = b""

    def feed(self, content: bytes) -> bytes:
        whole = self._begun + content
        unfinished = _UNFINISHED.search(whole, max(0, len(whole) - _LONGEST_BYTES))
        end = len(whole) if unfinished is None else unfinished.start()
        self._begun = whole[end:]
        return _ESCAPE.sub(_meaning, whole[:end])

    def finish(self) -> bytes:
        begun, self._begun = self._begun, b""
        return b"" if begun.rstrip(_BLANKS) == b"=" else begun


def _meaning(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex((escape.group(1) or b"").decode())
