"""The key of one month of a plan's exchange log: what it seals, and what it is searched by."""

import binascii
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.model.identity import PlanId

_NONCE_BYTES: Final = 12
_INDEX_BYTES: Final = 16
"""Of a keyed hash: no two of a month's members or documents will ever share so much."""
MonthName = tuple[str, str]
"""Whose month: the plan's id, or nothing for the house, and the month as `2026-11`."""
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True, repr=False)
class MonthKey:
    """With what one month of a plan's log is sealed, and with what it is searched."""

    plan: PlanId | None
    month: str
    cipher: AESGCM
    index_key: bytes
    _mac: hmac.HMAC = field(init=False, compare=False)
    """To be copied: a record has a hash a document, and to set up the key takes the longest."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_mac", hmac.new(self.index_key, digestmod="sha256"))

    def seal(self, content: bytes, name: str) -> bytes:
        """The content sealed, bound to the plan, the month and `name`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self.cipher.encrypt(nonce, content, self._bound(name))

    def open(self, sealed: bytes, name: str) -> bytes:
        """What `seal` sealed; raises InvalidTag if it was changed, or is another's."""
        return self.cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._bound(name))

    def index(self, kind: str, id: str) -> str:
        """A keyed hash by which records of this month that name the id are found."""
        mac = self._mac.copy()
        mac.update(f"{kind}\x00{id}".encode())
        written = binascii.b2a_base64(mac.digest()[:_INDEX_BYTES], newline=False)
        return written.translate(_URL_SAFE, b"=").decode()

    def _bound(self, name: str) -> bytes:
        return f"{name}\x00{self.plan or ''}\x00{self.month}".encode()
