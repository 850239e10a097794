"""Documents' bytes at rest: compressed, sealed, addressed by a keyed hash (DECISIONS 22).

A file is a header and frames. Each frame is up to 1 MiB of plain bytes, zstd, then AES-256-GCM
under the blob's own data key, with plan, blob, frame number and last-flag in the associated data:
a cut, reordered, repeated or foreign frame does not open. The header seals the data key under the
plan's key, bound to the address: a file moved to another name does not open either.

    header  "GWBLOB1\\0" · generation u32 · blob id 16 · nonce 12 · sealed (data key 32 · size u64)
    frame   length u32 · sealed bytes

Bytes come first, their row later: a file without a row is a leftover for the sweeper.
"""

import hashlib
import hmac
import os
import re
import secrets
import struct
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.model.document import Blob
from gateway.model.identity import PlanId
from gateway.store.durable import make_folder, sync_folder
from gateway.store.errors import DamagedBlob, UnknownBlob
from gateway.store.keys import KeyRing, PlanKey

FRAME: Final = 1024 * 1024
"""Plain bytes a frame: what one reader or writer holds in memory."""
_LEVEL: Final = 3
_BESIDE: Final = 256 * 1024
"""From so many bytes on, digests are computed in other threads than sealing: below, the way there
costs more than it saves."""
_DIGESTS: Final = 3
_SYNCED: Final = 16 * 1024 * 1024
"""Sealed bytes after which the disk begins with them: at the end it would take a third of the time
that a large document takes to come, and what others sync meanwhile would wait for it."""
_SYNCS: Final = 4
_MAGIC: Final = b"GWBLOB1\0"
_HEADER: Final = struct.Struct(">8sI16s12s56s")
_LENGTH: Final = struct.Struct(">I")
_SECRET: Final = struct.Struct(">32sQ")
_LONGEST_FRAME: Final = FRAME + FRAME // 128 + 1024
"""Sealed: zstd's worst case and the tag; a longer length is damage, not to be read into memory."""
_TAG_BYTES: Final = 16
_CUT: Final = "stored bytes are cut or changed"
_PLAN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_ADDRESS: Final = re.compile(r"[0-9a-f]{64}")

Failpoint = Callable[[str], None]


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


@dataclass(frozen=True, slots=True)
class _Seal:
    """How one blob's frames are sealed: its data key, and what they are bound to."""

    cipher: AESGCM
    plan: PlanId | None
    blob_id: bytes

    def place(self, number: int, is_last: bool) -> tuple[bytes, bytes]:
        """Nonce and associated data. The key is this blob's alone, so counting is enough."""
        bound = f"{self.plan}\x00{number}\x00{int(is_last)}".encode() + self.blob_id
        return number.to_bytes(12, "big"), bound


class BlobStore:
    """The blobs of every plan, each in a folder of its own under `root`."""

    def __init__(self, root: Path, keys: KeyRing, failpoint: Failpoint | None = None) -> None:
        self._root = root
        self._keys = keys
        self._failpoint = failpoint or (lambda _step: None)

    @property
    def keys(self) -> KeyRing:
        """The keys, for what is sealed beside the blobs."""
        return self._keys

    @property
    def root(self) -> Path:
        """The folder that holds a folder a plan."""
        return self._root

    def writer(self, plan: PlanId) -> "BlobWriter":
        """Takes bytes as they come; nothing is stored until `finish`."""
        folder = self.folder(plan)
        make_folder(folder)
        return BlobWriter(folder, self._keys.plan_key(plan), self._failpoint)

    def put(self, *, plan: PlanId, content: bytes) -> Blob:
        """Stores the bytes; durable on return."""
        with self.writer(plan) as writer:
            writer.write(content)
            return writer.finish()

    def read(self, *, plan: PlanId, address: str) -> Iterator[bytes]:
        """The bytes in pieces of a frame, each verified before it is given.

        Raises:
            UnknownBlob: the plan has none of that address; on the call itself.
            DamagedBlob: as soon as damage is met; pieces given before it were genuine.
        """
        path = self._existing(plan, address)
        # Opened by the first piece: an iterator that nobody reads must hold no file.
        return self._frames(path, plan, address)

    def size(self, *, plan: PlanId, address: str) -> int:
        """How many plain bytes there are, as sealed in the header.

        Raises:
            UnknownBlob, DamagedBlob
        """
        with self._existing(plan, address).open("rb") as file:
            return self._open_header(file, plan, address)[1]

    def folder(self, plan: PlanId) -> Path:
        if not _PLAN.fullmatch(plan):
            raise ValueError("a plan's id must be usable as a folder name")
        return self._root / plan

    def path(self, plan: PlanId, address: str) -> Path:
        """Where the blob of that address lies or would lie."""
        if not _ADDRESS.fullmatch(address):
            raise ValueError("not a blob address")
        return self.folder(plan) / address[:2] / address[2:]

    def _existing(self, plan: PlanId, address: str) -> Path:
        if _ADDRESS.fullmatch(address) and _PLAN.fullmatch(plan):
            path = self.path(plan, address)
            if path.is_file():
                return path
        raise UnknownBlob("there are no bytes of this address in this plan")

    def _frames(self, path: Path, plan: PlanId, address: str) -> Iterator[bytes]:
        with path.open("rb") as file:
            seal, size = self._open_header(file, plan, address)
            frames = _Frames(file, seal)
            given = 0
            for frame in frames:
                given += len(frame)
                if frames.is_last and given != size:
                    raise DamagedBlob("stored bytes are not as many as were written")
                if frame:
                    yield frame

    def _open_header(self, file: BufferedReader, plan: PlanId, address: str) -> tuple[_Seal, int]:
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(_MAGIC):
            raise DamagedBlob("a stored file has no header of ours")
        _, generation, blob_id, nonce, sealed = _HEADER.unpack(header)
        key = self._keys.plan_key(plan, generation)
        try:
            secret = AESGCM(key.data_key).decrypt(nonce, sealed, _bound(key, blob_id, address))
        except InvalidTag:
            raise DamagedBlob("a stored header was changed, or moved to another address") from None
        data_key, size = _SECRET.unpack(secret)
        return _Seal(AESGCM(data_key), plan, blob_id), size


class BlobWriter:
    """Bytes on their way into the store. As a context manager it leaves nothing half-written."""

    def __init__(self, folder: Path, key: PlanKey, failpoint: Failpoint) -> None:
        self._folder = folder
        self._key = key
        self._failpoint = failpoint
        self._data_key = secrets.token_bytes(32)
        self._seal = _Seal(AESGCM(self._data_key), key.plan, secrets.token_bytes(16))
        self._packer = zstandard.ZstdCompressor(level=_LEVEL)
        self._waiting: list[memoryview] = []
        self._waiting_size = 0
        self._sealed = bytearray()
        self._number = 0
        self._size = 0
        self._unsynced = 0
        self._digesting: list[Future[None]] = []
        self._syncing: list[Future[None]] = []
        self._address = hmac.new(key.address_key, digestmod=hashlib.sha256)
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._temporary = folder / f"{secrets.token_hex(16)}.new"
        self._file: BinaryIO | None = self._temporary.open("xb")
        self._file.write(bytes(_HEADER.size))

    def write(self, *pieces: bytes) -> None:
        """Takes the next bytes, in as many pieces as they have come in."""
        size = sum(map(len, pieces))
        self._size += size
        self._settle(self._digesting)
        digests = (self._address, self._sha1, self._sha256)
        if size < _BESIDE:
            for digest in digests:
                _digest(digest, pieces)
        else:
            # Beside the sealing, and beside the next bytes' coming: none needs the others.
            self._digesting += (_digesters().submit(_digest, one, pieces) for one in digests)
        for piece in pieces:
            self._take(memoryview(piece))

    def _take(self, piece: memoryview) -> None:
        """Seals every full frame but the last: only `finish` knows which that is."""
        while self._waiting_size + len(piece) > FRAME:
            missing = FRAME - self._waiting_size
            self._waiting.append(piece[:missing])
            self._write_frame(is_last=False)
            piece = piece[missing:]
        self._waiting.append(piece)
        self._waiting_size += len(piece)

    def finish(self) -> Blob:
        """The stored blob; its bytes and its name are on disk before this returns."""
        file = self._open_file()
        self._write_frame(is_last=True)
        self._settle(self._digesting)
        self._settle(self._syncing)
        blob = Blob(
            address=self._address.hexdigest(),
            size_bytes=self._size,
            sha1=self._sha1.hexdigest(),
            sha256=self._sha256.hexdigest(),
        )
        file.seek(0)
        file.write(self._header(blob))
        file.flush()
        os.fsync(file.fileno())
        file.close()
        self._failpoint("blob synced")
        self._name(blob.address)
        self._file = None  # only now: without a name there is something to forget
        self._failpoint("blob named")
        return blob

    def abort(self) -> None:
        """Forgets what was written; after `finish` it does nothing."""
        if self._file is not None:
            # Its number must stay its own until nobody syncs by it; how that fares is no matter.
            with suppress(OSError):
                self._settle(self._syncing)
            file, self._file = self._file, None
            # On a full disk this tries once more to write what it could not.
            with suppress(OSError):
                file.close()
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> "BlobWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()

    def _write_frame(self, *, is_last: bool) -> None:
        nonce, bound = self._seal.place(self._number, is_last)
        packed = self._packer.compress(b"".join(self._waiting))
        self._waiting, self._waiting_size = [], 0
        length = len(packed) + _TAG_BYTES
        if len(self._sealed) < _LENGTH.size + length:  # as in reading: fresh memory takes longer
            self._sealed = bytearray(_LENGTH.size + length)
        sealed = memoryview(self._sealed)[: _LENGTH.size + length]
        _LENGTH.pack_into(sealed, 0, length)
        self._seal.cipher.encrypt_into(nonce, packed, bound, sealed[_LENGTH.size :])
        file = self._open_file()
        file.write(sealed)
        self._number += 1
        self._unsynced += len(sealed)
        if self._unsynced >= _SYNCED:
            self._settle(self._syncing)
            file.flush()
            self._syncing.append(_syncers().submit(os.fsync, file.fileno()))
            self._unsynced = 0

    def _settle(self, beside: list[Future[None]]) -> None:
        """Returns once that is done.

        Raises:
            OSError: the disk has not what it was to begin with, and says so only once.
        """
        while beside:
            beside.pop().result()

    def _header(self, blob: Blob) -> bytes:
        nonce = secrets.token_bytes(12)
        secret = _SECRET.pack(self._data_key, blob.size_bytes)
        bound = _bound(self._key, self._seal.blob_id, blob.address)
        sealed = AESGCM(self._key.data_key).encrypt(nonce, secret, bound)
        return _HEADER.pack(_MAGIC, self._key.generation, self._seal.blob_id, nonce, sealed)

    def _name(self, address: str) -> None:
        """Gives the file its name; the same bytes stored before are replaced by the same bytes.

        Replaced, not kept: a fresh file is out of the sweeper's reach until its row is there, and
        one that was damaged is whole again.
        """
        final = self._folder / address[:2] / address[2:]
        make_folder(final.parent)
        self._temporary.replace(final)
        sync_folder(final.parent)

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("this blob is finished or was aborted")
        return self._file


def _digest(digest: _Digest, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        digest.update(piece)


@cache
def _digesters() -> ThreadPoolExecutor:
    """Made once a process, when the first large piece is written."""
    return ThreadPoolExecutor(_DIGESTS, "digest")


@cache
def _syncers() -> ThreadPoolExecutor:
    """Threads of their own: they wait for the disk, and digests should not wait for them."""
    return ThreadPoolExecutor(_SYNCS, "sync")


# A fork leaves the threads behind.
os.register_at_fork(after_in_child=_digesters.cache_clear)
os.register_at_fork(after_in_child=_syncers.cache_clear)


class _Frames:
    """The frames of a file, opened one after the other.

    Each is read and opened where the one before it was: fresh memory for each takes longer than
    opening it, as threads take turns at one file.
    """

    def __init__(self, file: BufferedReader, seal: _Seal) -> None:
        self.is_last = False
        self._file = file
        self._seal = seal
        self._unpacker = zstandard.ZstdDecompressor()
        self._sealed = memoryview(b"")
        self._packed = memoryview(b"")

    def __iter__(self) -> Iterator[bytes]:
        """
        Raises:
            DamagedBlob: a frame is not the one that was written there.
        """
        length, number = self._length(), 0
        while not self.is_last:
            sealed = self._read(length)
            length = self._length()
            self.is_last = not length
            yield self._open(sealed, number)
            number += 1

    def _length(self) -> int:
        """How many sealed bytes the next frame has; 0 at the end."""
        head = self._file.read(_LENGTH.size)
        if not head:
            return 0
        length: int = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
        if not _TAG_BYTES < length <= _LONGEST_FRAME:
            raise DamagedBlob(_CUT)
        return length

    def _read(self, length: int) -> memoryview:
        if length > len(self._sealed):
            self._sealed, self._packed = (memoryview(bytearray(length)) for _ in range(2))
        sealed = self._sealed[:length]
        if not length or self._file.readinto(sealed) != length:
            raise DamagedBlob(_CUT)
        return sealed

    def _open(self, sealed: memoryview, number: int) -> bytes:
        nonce, bound = self._seal.place(number, self.is_last)
        packed = self._packed[: max(0, len(sealed) - _TAG_BYTES)]
        try:
            self._seal.cipher.decrypt_into(nonce, sealed, bound, packed)
            return self._unpacker.decompress(packed, max_output_size=FRAME)
        except (InvalidTag, zstandard.ZstdError):
            raise DamagedBlob("stored bytes are cut, reordered or changed") from None


def _bound(key: PlanKey, blob_id: bytes, address: str) -> bytes:
    return _MAGIC + f"{key.plan}\x00{key.generation}\x00{address}\x00".encode() + blob_id
