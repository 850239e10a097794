"""The key of one month of a plan's exchange log: what it seals, and what it is searched by."""

import binascii
import hmac
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.cmac import CMAC

from gateway.model.identity import PlanId

_NONCE_BYTES: Final = 12
_INDEX_BYTES: Final = 16
"""Of a keyed hash: no two of a month's members or documents will ever share so much."""
MonthName = tuple[str, str]
"""Whose month: the plan's id, or nothing for the house, and the month as `2026-11`."""
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_BLOCK: Final = 16
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class DocumentHashes:
    """Keyed hashes of documents, of all that a record names in one step.

    Each is the AES-CMAC (NIST SP 800-38B) of the 16 octets of its id, which is a UUID: of a single
    whole block that is one encryption, and those of many are one call. An HMAC each was an eighth
    of what a record costs. Of any other id it is the CMAC of 17 zero octets and its text: of more
    than a block, so that it is no UUID's.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AES(key)
        self._encryptor = Cipher(self._cipher, ECB()).encryptor()  # noqa: S305 - of one block each
        self._turn = threading.Lock()
        doubled = int.from_bytes(self._encryptor.update(bytes(_BLOCK)), "big") << 1
        self._subkey = doubled ^ (1 << 128 | 0x87) if doubled >> 128 else doubled

    def of(self, ids: Sequence[str]) -> list[bytes]:
        """What stands for each, in their order: 16 octets."""
        if not all(map(_UUID.fullmatch, ids)):
            return [self._one(id) for id in ids]
        subkey = self._subkey
        blocks = b"".join(
            [(int(id.replace("-", ""), 16) ^ subkey).to_bytes(_BLOCK, "big") for id in ids]
        )
        with self._turn:
            found = self._encryptor.update(blocks)
        return [found[at : at + _BLOCK] for at in range(0, len(found), _BLOCK)]

    def _one(self, id: str) -> bytes:
        if _UUID.fullmatch(id):
            return self.of([id])[0]
        mac = CMAC(self._cipher)
        mac.update(bytes(_BLOCK + 1) + id.encode())
        return mac.finalize()


@dataclass(frozen=True, slots=True, repr=False)
class MonthKey:
    """With what one month of a plan's log is sealed, and with what it is searched."""

    plan: PlanId | None
    month: str
    cipher: AESGCM
    index_key: bytes
    of_documents: DocumentHashes | None = None
    """None in a month that began before they had a key of their own: an HMAC stands for each."""
    _mac: hmac.HMAC = field(init=False, compare=False)
    """To be copied: to set up the key takes the longest."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_mac", hmac.new(self.index_key, digestmod="sha256"))

    def seal(self, content: bytes, name: str) -> bytes:
        """The content sealed, bound to the plan, the month and `name`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self.cipher.encrypt(nonce, content, self._bound(name))

    def open(self, sealed: bytes, name: str) -> bytes:
        """What `seal` sealed; raises InvalidTag if it was changed, or is another's."""
        return self.cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._bound(name))

    def member(self, id: str) -> str:
        """A keyed hash by which records of this month that name the member are found."""
        return self._hash("member", id)

    def documents(self, ids: Sequence[str]) -> list[str]:
        """Keyed hashes by which records of this month that name the documents are found."""
        if self.of_documents is None:
            return [self._hash("document", id) for id in ids]
        return [_written(one) for one in self.of_documents.of(ids)]

    def _hash(self, kind: str, id: str) -> str:
        mac = self._mac.copy()
        mac.update(f"{kind}\x00{id}".encode())
        return _written(mac.digest()[:_INDEX_BYTES])

    def _bound(self, name: str) -> bytes:
        return f"{name}\x00{self.plan or ''}\x00{self.month}".encode()


def _written(hash: bytes) -> str:
    return binascii.b2a_base64(hash, newline=False).translate(_URL_SAFE, b"=").decode()
