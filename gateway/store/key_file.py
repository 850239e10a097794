"""The file of the key-encryption key: what seals all other keys, and lies outside the data folder.

One key a line, `id base64`; the last line seals what is new, the others still open what is old.
Whoever has the data folder alone has nothing; whoever loses the file has nothing either.
"""

import base64
import binascii
import errno
import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.store.durable import sync_folder
from gateway.store.errors import KeyFileMissing, KeyFileUnusable

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


def create_key_file(path: Path) -> None:
    """Makes a new key-encryption key, readable by its owner alone.

    Raises:
        FileExistsError: there is one, and data may depend on it.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(_line(secrets.token_bytes(KEY_BYTES)))
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def add_key(path: Path) -> None:
    """Adds a key that seals from now on; `KeyRing.rewrap` then makes the older ones needless.

    Written where it is: put in its place, it would be another's file, or beside a mount.

    Raises:
        KeyFileMissing, KeyFileUnusable: it is not a key file.
        OSError: it cannot be written; it is as it was.
    """
    _read(path)
    with path.open("r+b", buffering=0) as file:
        size = file.seek(-1, os.SEEK_END) + 1
        # A vault may leave it without its last newline.
        begun = b"" if file.read(1) == b"\n" else b"\n"
        added = begun + _line(secrets.token_bytes(KEY_BYTES)).encode("ascii")
        try:
            if file.write(added) != len(added):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)  # half a key would make all of it unreadable
            raise


class KeyFile:
    """The key-encryption keys of a file, read again once it was changed."""

    def __init__(self, path: Path) -> None:
        """Raises KeyFileMissing or KeyFileUnusable."""
        self._path = path
        self._state = _state(path)
        self._keys = _read(path)

    @property
    def newest(self) -> str:
        """The name of the key that seals what is new: also of one that was added since, for what a
        process that runs seals under the older one is not rewrapped by whoever added it."""
        state = _state(self._path)
        if state != self._state:
            with suppress(KeyFileMissing, KeyFileUnusable):  # it is just being put there
                self._keys = _read(self._path)
                self._state = state
        return list(self._keys)[-1]

    def wrap(self, key: str, secret: bytes, name: bytes) -> bytes:
        """The secret sealed under the key of that name, `newest` for one, and bound to `name`."""
        return wrap(self._keys[key], secret, name)

    def unwrap(self, key: str, wrapped: bytes, name: bytes) -> bytes:
        """What was sealed under the key of that name.

        Raises:
            KeyFileUnusable: the file does not hold it, or what was sealed was changed.
        """
        if key not in self._keys:
            # A key may have been added since: every process that runs learns of it here, too.
            self._keys = _read(self._path)
        kek = self._keys.get(key)
        if kek is None:
            raise KeyFileUnusable(
                f"{self._path} does not hold key {key}, under which the keys of this"
                " data were sealed: it belongs to other data"
            )
        try:
            return unwrap(kek, wrapped, name)
        except InvalidTag:
            raise KeyFileUnusable("a sealed key was changed in the database") from None


def _state(path: Path) -> tuple[int, ...] | None:
    """By what it is seen that the file is not as it was; None while it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(path: Path) -> dict[str, bytes]:
    try:
        lines = path.read_text(encoding="ascii").split("\n")
    except FileNotFoundError:
        raise KeyFileMissing(f"there is no key file at {path}; restore it, or start anew") from None
    except (OSError, UnicodeDecodeError):
        raise KeyFileUnusable(f"the key file {path} cannot be read") from None
    keys = {}
    for line in filter(None, lines):
        identity, _, text = line.partition(" ")
        try:
            key = base64.b64decode(text, validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES or identity != _identity(key):
            raise KeyFileUnusable(f"{path} is not a key file, or was changed")
        keys[identity] = key
    if not keys:
        raise KeyFileUnusable(f"the key file {path} is empty")
    return keys


def _line(key: bytes) -> str:
    return f"{_identity(key)} {base64.b64encode(key).decode()}\n"


def _identity(key: bytes) -> str:
    """A name for a key that tells nothing of it, and that a wrong key cannot bear."""
    return hashlib.sha256(b"key-encryption key id\x00" + key).hexdigest()[:16]


def wrap(kek: bytes, secret: bytes, name: bytes) -> bytes:
    """The secret sealed under the key, bound to `name`."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(kek).encrypt(nonce, secret, name)


def unwrap(kek: bytes, wrapped: bytes, name: bytes) -> bytes:
    """What `wrap` sealed; raises InvalidTag if it was changed, or is another's."""
    return AESGCM(kek).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], name)
