"""Bytes come back exactly, or not at all."""

import errno
import hashlib
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.model.document import Blob
from gateway.model.member import Plan
from gateway.store import documents, plans
from gateway.store.blobs import _HEADER, FRAME, BlobStore
from gateway.store.database import Database
from gateway.store.errors import DamagedBlob, UnknownBlob
from gateway.store.keys import KeyRing
from gateway.store.sweeper import Swept, sweep
from tests.full_disk import no_file_longer_than
from tests.gateway.store.builders import ACME, OTHER


@pytest.fixture
def archive(sqlite_url: str, opened: Callable[[str], Database]) -> Database:
    database = opened(sqlite_url)
    database.write(lambda t: [plans.put(t, Plan(plan, plan)) for plan in (ACME, OTHER)])
    return database


@pytest.fixture
def blobs(archive: Database, tmp_path: Path, key_file: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs", KeyRing(key_file, archive))


def _read(blobs: BlobStore, blob: Blob) -> bytes:
    return b"".join(blobs.read(plan=ACME, address=blob.address))


LONG = os.urandom(FRAME) + bytes(FRAME) + os.urandom(FRAME) + b"tail"


@pytest.mark.parametrize(
    "content",
    [b"", b"x", bytes(FRAME - 1), os.urandom(FRAME), os.urandom(FRAME + 1), bytes(2 * FRAME), LONG],
    ids=["empty", "one byte", "almost a frame", "a frame", "a frame and one", "two frames", "long"],
)
def test_bytes_come_back_exactly(blobs: BlobStore, content: bytes) -> None:
    blob = blobs.put(plan=ACME, content=content)
    assert _read(blobs, blob) == content
    assert blob.size_bytes == len(content) == blobs.size(plan=ACME, address=blob.address)
    assert blob.sha1 == hashlib.sha1(content, usedforsecurity=False).hexdigest()
    assert blob.sha256 == hashlib.sha256(content).hexdigest()


def test_bytes_may_come_in_pieces_of_any_size(blobs: BlobStore) -> None:
    with blobs.writer(ACME) as writer:
        for start in range(0, len(LONG), 700_001):
            piece = LONG[start : start + 700_001]
            writer.write(piece[:77], b"", piece[77:])
        blob = writer.finish()
    assert blob == blobs.put(plan=ACME, content=LONG)
    assert max(map(len, blobs.read(plan=ACME, address=blob.address))) <= FRAME


def test_the_disk_begins_with_a_large_document_while_it_comes(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _file: synced.append(threading.current_thread().name))
    noise = os.urandom(1024 * 1024)
    with blobs.writer(ACME) as writer:
        for _ in range(40):
            writer.write(noise)
        assert _read(blobs, writer.finish()) == noise * 40
    assert sum(name.startswith("sync") for name in synced) == 2


def test_a_disk_that_fails_meanwhile_fails_the_document(
    blobs: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([OSError(errno.EIO, "the disk")])

    def fsync(_file: int) -> None:
        for error in answers:
            raise error

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="the disk"), blobs.writer(ACME) as writer:
        for _ in range(20):
            writer.write(os.urandom(1024 * 1024))
        writer.finish()
    assert _files(tmp_path) == 0


def test_the_same_bytes_of_a_plan_are_stored_once(blobs: BlobStore, tmp_path: Path) -> None:
    first = blobs.put(plan=ACME, content=b"the same")
    assert blobs.put(plan=ACME, content=b"the same") == first
    assert _files(tmp_path) == 1


def test_plans_share_neither_bytes_nor_addresses(blobs: BlobStore) -> None:
    ours = blobs.put(plan=ACME, content=b"the same")
    theirs = blobs.put(plan=OTHER, content=b"the same")
    assert ours.address != theirs.address
    with pytest.raises(UnknownBlob):
        blobs.read(plan=OTHER, address=ours.address)


@pytest.mark.parametrize("address", ["", "../../kek", "A" * 64, "0" * 64])
def test_what_is_no_address_of_ours_is_unknown(blobs: BlobStore, address: str) -> None:
    with pytest.raises(UnknownBlob):
        blobs.read(plan=ACME, address=address)


def test_an_aborted_writer_leaves_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError), blobs.writer(ACME) as writer:
        writer.write(LONG)
        raise ConnectionError
    assert _files(tmp_path) == 0
    with pytest.raises(ValueError, match="finished or was aborted"):
        writer.finish()


def test_nothing_of_the_content_is_on_disk_in_clear(blobs: BlobStore) -> None:
    blob = blobs.put(plan=ACME, content=b"Ada O'Neil " * 10)
    raw = blobs.path(ACME, blob.address).read_bytes()
    assert b"Ada" not in raw
    assert blob.sha256 not in str(blobs.path(ACME, blob.address))


# ---- damage ----------------------------------------------------------------------------------


def _files(tmp_path: Path) -> int:
    return sum(1 for file in (tmp_path / "blobs").rglob("*") if file.is_file())


def _frames(raw: bytes) -> tuple[bytes, list[bytes]]:
    header, rest, frames = raw[: _HEADER.size], raw[_HEADER.size :], []
    while rest:
        length = 4 + int.from_bytes(rest[:4], "big")
        frames.append(rest[:length])
        rest = rest[length:]
    return header, frames


@pytest.fixture
def stored(blobs: BlobStore) -> tuple[Blob, Path]:
    blob = blobs.put(plan=ACME, content=LONG)
    return blob, blobs.path(ACME, blob.address)


@pytest.mark.parametrize(
    "order", [[0, 1, 2], [1, 0, 2, 3], [0, 1, 3], [0, 1, 2, 3, 3], [0, 0, 1, 2, 3], [3], []]
)
def test_cut_repeated_or_reordered_frames_are_damage(
    blobs: BlobStore, stored: tuple[Blob, Path], order: list[int]
) -> None:
    blob, path = stored
    header, frames = _frames(path.read_bytes())
    assert len(frames) == 4
    path.write_bytes(header + b"".join(frames[number] for number in order))
    with pytest.raises(DamagedBlob):
        _read(blobs, blob)


def test_a_file_cut_anywhere_is_damage(blobs: BlobStore, stored: tuple[Blob, Path]) -> None:
    blob, path = stored
    raw = path.read_bytes()
    for length in (0, 5, _HEADER.size - 1, _HEADER.size, _HEADER.size + 2, len(raw) - 1):
        path.write_bytes(raw[:length])
        with pytest.raises(DamagedBlob):
            _read(blobs, blob)


def test_any_changed_byte_is_damage(blobs: BlobStore) -> None:
    blob = blobs.put(plan=ACME, content=b"short")
    path = blobs.path(ACME, blob.address)
    raw = path.read_bytes()
    generation = range(8, 12)  # names another key, which is its own error
    for position in set(range(len(raw))) - set(generation):
        path.write_bytes(raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :])
        with pytest.raises(DamagedBlob):
            _read(blobs, blob)


def test_a_frame_of_another_blob_is_damage(blobs: BlobStore, stored: tuple[Blob, Path]) -> None:
    blob, path = stored
    other = blobs.put(plan=ACME, content=LONG[::-1])
    header, frames = _frames(path.read_bytes())
    _, foreign = _frames(blobs.path(ACME, other.address).read_bytes())
    path.write_bytes(header + frames[0] + foreign[1] + frames[2] + frames[3])
    with pytest.raises(DamagedBlob):
        _read(blobs, blob)


def test_a_file_moved_to_another_address_is_damage(blobs: BlobStore) -> None:
    first = blobs.put(plan=ACME, content=b"first")
    second = blobs.put(plan=ACME, content=b"second")
    blobs.path(ACME, first.address).replace(blobs.path(ACME, second.address))
    with pytest.raises(DamagedBlob, match="moved to another address"):
        _read(blobs, second)


def test_bytes_received_again_mend_a_damaged_file(blobs: BlobStore) -> None:
    blob = blobs.put(plan=ACME, content=b"whole")
    blobs.path(ACME, blob.address).write_bytes(b"")
    blobs.put(plan=ACME, content=b"whole")
    assert _read(blobs, blob) == b"whole"


# ---- leftovers -------------------------------------------------------------------------------

HOUR = timedelta(hours=1)


def test_only_old_leftovers_are_swept(archive: Database, blobs: BlobStore, tmp_path: Path) -> None:
    kept = blobs.put(plan=ACME, content=b"kept")
    archive.write(lambda t: documents.keep_blob(t, plan=ACME, blob=kept))
    left = blobs.put(plan=ACME, content=b"left")
    (blobs.folder(ACME) / "crashed.new").write_bytes(b"half")
    now = datetime.now(UTC)
    root = tmp_path / "blobs"
    assert sweep(root, archive, now=now, grace=HOUR) == Swept(0, 0)
    assert sweep(root, archive, now=now + 2 * HOUR, grace=HOUR) == Swept(1, 1)
    assert _read(blobs, kept) == b"kept"
    with pytest.raises(UnknownBlob):
        _read(blobs, left)


def test_a_file_set_aside_by_a_sweeper_that_died_comes_back_if_wanted(
    archive: Database, blobs: BlobStore, tmp_path: Path
) -> None:
    blob = blobs.put(plan=ACME, content=b"wanted")
    aside = blobs.folder(ACME) / f"{blob.address}.swept"
    blobs.path(ACME, blob.address).replace(aside)
    archive.write(lambda t: documents.keep_blob(t, plan=ACME, blob=blob))
    later = datetime.now(UTC) + 2 * HOUR
    assert sweep(tmp_path / "blobs", archive, now=later, grace=HOUR) == Swept(0, 0)
    assert _read(blobs, blob) == b"wanted"


def test_nothing_is_swept_where_there_are_no_blobs(archive: Database, tmp_path: Path) -> None:
    assert sweep(tmp_path / "none", archive, now=datetime.now(UTC), grace=HOUR) == Swept(0, 0)


@pytest.mark.parametrize(
    "content", [LONG, LONG[:FRAME] + os.urandom(4000)], ids=["frames", "the last one"]
)
def test_what_does_not_fit_leaves_nothing_behind(blobs: BlobStore, content: bytes) -> None:
    with no_file_longer_than(FRAME + 1000), pytest.raises(OSError, match="File too large"):
        blobs.put(plan=ACME, content=content)
    assert [file for file in blobs.root.rglob("*") if file.is_file()] == []
