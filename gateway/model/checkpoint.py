"""A checkpoint of the exchange log: how long it is and its root, signed (C2SP tlog-checkpoint).

The text is a signed note: origin, size, root and two lines of ours (the hash of the last record,
and when it was signed), an empty line, and the signature by an Ed25519 key that is known by name.
Whoever holds one sees whether the log it is of was cut, rewritten or taken back to an older state.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_SIGNED_BY = "\N{EM DASH} "
_HEAD = re.compile(r"head ([0-9a-f]{64})")
_AT = re.compile(r"at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_SIZE = re.compile(r"0|[1-9]\d{0,18}")


class InvalidCheckpoint(Exception):
    """It is none, or not signed by the key in question; the text says which."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log of `origin` had `size` records under `root`, the last with the hash `head`."""

    origin: str
    size: int
    root: bytes
    head: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LogKey:
    """The public key of a log, under the log's name."""

    name: str
    key: Ed25519PublicKey

    @property
    def hint(self) -> bytes:
        """Four octets by which a signature names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self._raw).digest()[:4]

    @property
    def text(self) -> str:
        """`name+hint+key`, as the tools for signed notes read it."""
        return f"{self.name}+{self.hint.hex()}+{base64.b64encode(_ED25519 + self._raw).decode()}"

    @property
    def _raw(self) -> bytes:
        return self.key.public_bytes_raw()

    @classmethod
    def parse(cls, text: str) -> "LogKey":
        """Reads what `text` gives.

        Raises:
            InvalidCheckpoint: it is no key of a log.
        """
        parts = text.strip().split("+", 2)
        try:
            name, hint, encoded = parts
            raw = base64.b64decode(encoded, validate=True)
            if raw[:1] != _ED25519:
                raise ValueError
            found = cls(name, Ed25519PublicKey.from_public_bytes(raw[1:]))
        except (ValueError, binascii.Error):
            raise InvalidCheckpoint("it is not the key of a log") from None
        if found.hint.hex() != hint:
            raise InvalidCheckpoint("the key does not fit its name")
        return found


def write_checkpoint(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """The signed note."""
    body = "".join(
        f"{line}\n"
        for line in (
            checkpoint.origin,
            checkpoint.size,
            base64.b64encode(checkpoint.root).decode(),
            f"head {checkpoint.head}",
            f"at {checkpoint.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        )
    )
    return sign_note(body, checkpoint.origin, key)


def sign_note(body: str, origin: str, key: Ed25519PrivateKey) -> str:
    """The lines as a note signed in the name of `origin`."""
    named = LogKey(origin, key.public_key())
    signature = base64.b64encode(named.hint + key.sign(body.encode())).decode()
    return f"{body}\n{_SIGNED_BY}{origin} {signature}\n"


def read_note(text: str, key: LogKey) -> str:
    """The lines of the note, once its signature is seen to be that of `key`.

    Raises:
        InvalidCheckpoint: `key` has not signed it.
    """
    body, _, signatures = text.rpartition("\n\n")
    body += "\n"
    if not any(_is_signed(body, line, key) for line in signatures.splitlines()):
        raise InvalidCheckpoint("it is not signed by this log's key")
    return body


def read_checkpoint(text: str, key: LogKey) -> Checkpoint:
    """The checkpoint that the note says, once its signature is seen to be that of `key`.

    Raises:
        InvalidCheckpoint: it is no checkpoint, or `key` has not signed it.
    """
    body = read_note(text, key)
    try:
        origin, size, root, head, at = body.removesuffix("\n").split("\n")
        found = (_SIZE.fullmatch(size), _HEAD.fullmatch(head), _AT.fullmatch(at))
        decoded = base64.b64decode(root, validate=True)
        if not all(found) or len(decoded) != 32 or origin != key.name:
            raise ValueError
        return Checkpoint(
            origin, int(size), decoded, head.removeprefix("head "), datetime.fromisoformat(at[3:])
        )
    except (ValueError, binascii.Error):
        raise InvalidCheckpoint("what is signed is not a checkpoint of this log") from None


def _is_signed(body: str, line: str, key: LogKey) -> bool:
    start = f"{_SIGNED_BY}{key.name} "
    if not line.startswith(start):
        return False
    try:
        signed = base64.b64decode(line.removeprefix(start), validate=True)
        if signed[:4] != key.hint:
            return False
        key.key.verify(signed[4:], body.encode())
    except (ValueError, InvalidSignature):
        return False
    return True
