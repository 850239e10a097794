"""A folder of .eml files: each is safe before it is moved, and nothing else is touched."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.intakes.folder import take_folder
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
    stated = MailFolder(path=folder, address=INTAKE)
    return asyncio.run(take_folder(house.means, stated, MailLimits(**limits)))


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
