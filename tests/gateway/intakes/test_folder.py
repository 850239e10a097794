"""A folder of .eml files: each is safe before it is moved, and nothing else is touched."""

import asyncio
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.intakes.folder import Watch
from gateway.settings_mail import MailFolder, MailLimits
from gateway.store.errors import StoreUnavailable
from tests.gateway.house import records, refusals
from tests.gateway.intakes.mail_house import (
    INTAKE,
    MESSAGE,
    MailHouse,
    content,
    mail_house,
    received,
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[MailHouse]:
    with mail_house(tmp_path / "house") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


def take(house: MailHouse, folder: Path, **limits: Any) -> int:
    """In one look, a minute after all was written."""
    return asyncio.run(watched(house, folder, lambda: time.time() + 60, **limits).take())


def watched(
    house: MailHouse, folder: Path, clock: Callable[[], float] = time.time, **limits: Any
) -> Watch:
    stated = MailFolder(path=folder, address=INTAKE)
    return Watch(house.means, stated, MailLimits(**limits), clock=clock)


def test_a_file_is_kept_byte_for_byte_and_moved(house: MailHouse, folder: Path) -> None:
    (folder / "a.eml").write_bytes(MESSAGE)
    (folder / "b.EML").write_bytes(MESSAGE.replace(b"\r\n", b"\n"))
    assert take(house, folder) == 2
    kept = received(house)
    assert [content(house, one) for one in kept] == [MESSAGE, MESSAGE.replace(b"\r\n", b"\n")]
    assert (kept[0].door, kept[0].mail_from, kept[0].rcpt_to) == ("FOLDER", None, (INTAKE,))
    assert sorted(file.name for file in (folder / "done").iterdir()) == ["a.eml", "b.EML"]
    assert [one.transaction for one in records(house)] == ["FOLDER-IN"] * 2  # type: ignore[arg-type]


def test_what_is_not_named_so_is_not_touched(house: MailHouse, folder: Path) -> None:
    (folder / "a.eml.part").write_bytes(MESSAGE)
    (folder / "notes.txt").write_bytes(MESSAGE)
    assert take(house, folder) == 0
    assert len(list(folder.iterdir())) == 2


def test_a_file_of_a_name_that_was_done_before_replaces_nothing(
    house: MailHouse, folder: Path
) -> None:
    for number in range(3):
        (folder / "a.eml").write_bytes(MESSAGE + b"%d\r\n" % number)
        take(house, folder)
    names = sorted(file.name for file in (folder / "done").iterdir())
    assert names == ["a.1.eml", "a.2.eml", "a.eml"]
    assert len(received(house)) == 3


def test_a_file_stays_when_it_could_not_be_kept(house: MailHouse, folder: Path) -> None:
    (folder / "a.eml").write_bytes(MESSAGE)
    write = house.database.write_async

    async def away(unit: Any) -> Any:
        raise StoreUnavailable("away")

    house.database.write_async = away  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        take(house, folder)
    assert [file.name for file in folder.iterdir()] == ["a.eml"]
    house.database.write_async = write  # type: ignore[method-assign]
    take(house, folder)
    assert len(received(house)) == 1


def test_oversize_and_empty_files_links_and_pipes_are_set_aside(
    house: MailHouse, folder: Path
) -> None:
    secret = folder.parent / "secret"
    secret.write_bytes(MESSAGE)
    (folder / "a.eml").write_bytes(b"x" * 70_000)
    (folder / "b.eml").write_bytes(b"")
    (folder / "c.eml").symlink_to(secret)
    os.mkfifo(folder / "d.eml")
    (folder / "e.eml").mkdir()
    take(house, folder, message_bytes=65536)
    assert received(house) == ()
    aside = sorted(file.name for file in (folder / "refused").iterdir())
    assert aside == ["a.eml", "b.eml", "c.eml", "d.eml", "e.eml"]
    assert secret.exists() and not (folder / "done").exists()
    assert sum(refusals(house).values()) == 5  # type: ignore[arg-type]


def test_a_file_that_was_kept_and_not_yet_moved_is_known(house: MailHouse, folder: Path) -> None:
    (folder / "a.eml").write_bytes(MESSAGE)
    take(house, folder)
    (folder / "done" / "a.eml").rename(folder / "a.eml")
    take(house, folder)
    assert len(received(house)) == 1


# ---- what is still written -------------------------------------------------------------------

HALF = len(MESSAGE) // 2


def test_a_file_that_is_still_written_is_taken_once_it_is_whole(
    house: MailHouse, folder: Path
) -> None:
    now = time.time()
    watching = watched(house, folder, lambda: now)
    with (folder / "a.eml").open("wb", buffering=0) as file:
        file.write(MESSAGE[:HALF])
        assert asyncio.run(watching.take()) == 0
        file.write(MESSAGE[HALF:])
    now += 5
    assert asyncio.run(watching.take()) == 0
    now += 5
    assert asyncio.run(watching.take()) == 1
    assert [content(house, one) for one in received(house)] == [MESSAGE]
    assert (folder / "done" / "a.eml").read_bytes() == MESSAGE


def test_a_file_that_is_written_to_while_it_is_read_is_left_for_the_next_time(
    house: MailHouse, folder: Path
) -> None:
    file = folder / "a.eml"
    file.write_bytes(MESSAGE[:HALF])

    def late() -> float:
        """Who asks for the time has looked at the folder, and reads next."""
        file.write_bytes(MESSAGE)
        return time.time() + 60

    assert asyncio.run(watched(house, folder, late).take()) == 0
    assert received(house) == () and file.exists()
    take(house, folder)
    assert [content(house, one) for one in received(house)] == [MESSAGE]


def test_what_is_written_to_a_file_that_was_kept_is_taken_too(tmp_path: Path, folder: Path) -> None:
    file = folder / "a.eml"
    file.write_bytes(MESSAGE[:HALF])

    def write_on(step: str) -> None:
        if step == "blob synced" and file.stat().st_size == HALF:
            file.write_bytes(MESSAGE)

    with mail_house(tmp_path / "house", write_on) as house:
        assert take(house, folder) == 0
        assert take(house, folder) == 1
        assert content(house, received(house)[-1]) == MESSAGE


def test_a_file_that_cannot_be_read_keeps_no_other_from_being_taken_and_is_told_once(
    house: MailHouse, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unreadable = folder / "a Rosalind Sampleton.eml"
    os.mknod(unreadable, stat.S_IFSOCK)  # root, too, cannot read it
    watching = watched(house, folder, lambda: time.time() + 60)
    with caplog.at_level(logging.ERROR, "gateway.folder"):
        for number in range(2):
            (folder / "b.eml").write_bytes(MESSAGE + b"%d\r\n" % number)
            assert asyncio.run(watching.take()) == 1
    assert len(received(house)) == 2 and unreadable.exists()
    inode = unreadable.lstat().st_ino
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"a file could not be taken: OSError, inode {inode}"]
