"""A HISP's mailbox, polled: each message once, flagged or deleted only once it is safe here."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.intakes.imap import Poll
from gateway.settings_mail import Mailbox, MailLimits
from gateway.store.errors import StoreUnavailable
from tests.gateway.house import US, authority, key_files, records, refusals, rows_of
from tests.gateway.intakes.imap_server import PASSWORD, USER, Folder, serving
from tests.gateway.intakes.mail_house import (
    INTAKE,
    MESSAGE,
    MailHouse,
    content,
    mail_house,
    received,
)


@dataclass(slots=True)
class Place:
    house: MailHouse
    folder: Folder
    server: str
    files: Path

    def stated(self, **changes: Any) -> Mailbox:
        anchor, password = self.files / "anchor.pem", self.files / "password"
        if not anchor.exists():
            anchor.write_text(authority().certificate_pem, encoding="ascii")
            password.write_text(PASSWORD + "\n", encoding="utf-8")
        given = {
            "server": self.server,
            "user": USER,
            "password_file": password,
            "address": INTAKE,
            "certificates": anchor,
        }
        return Mailbox(**{**given, **changes})

    def poll(self, limits: MailLimits | None = None, **changes: Any) -> int:
        """How many were new to a poll of a process that has just started."""
        return asyncio.run(self.poller(limits, **changes).once())

    def poller(self, limits: MailLimits | None = None, **changes: Any) -> Poll:
        return Poll(self.house.means, self.stated(**changes), limits or MailLimits())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    folder = Folder()
    with mail_house(tmp_path / "house") as house, serving(folder, *key_files(US)) as server:
        yield Place(house, folder, server, tmp_path)


def test_every_message_is_kept_byte_for_byte_and_flagged(place: Place) -> None:
    large = MESSAGE + b"x" * 70 + b"\r\n" * 1_500_000
    for one in (MESSAGE, large):
        place.folder.add(one)
    assert place.poll() == 2
    kept = received(place.house)
    assert [content(place.house, one) for one in kept] == [MESSAGE, large]
    assert [(one.door, one.mail_from, one.rcpt_to) for one in kept] == [
        ("IMAP", None, (INTAKE,))
    ] * 2
    assert place.folder.flags == {1: {"\\Seen"}, 2: {"\\Seen"}}
    assert len(rows_of(place.house, "job")) == 2  # type: ignore[arg-type]
    assert [one.transaction for one in records(place.house)] == ["IMAP-IN"] * 2  # type: ignore[arg-type]


def test_the_next_poll_begins_where_the_last_one_ended(place: Place) -> None:
    place.folder.add(MESSAGE)
    assert place.poll() == 1
    assert place.poll() == 0  # `2:*` names the last message too
    place.folder.add(MESSAGE + b"second\r\n")
    assert place.poll() == 1
    assert place.folder.fetched == [1, 2]


@pytest.mark.parametrize("name", ["FOLDER", "folder2", "Inbox", "Direct mail"])
def test_ett_imap_21_the_folder_that_was_stated_is_selected_as_it_is_written(
    place: Place, name: str
) -> None:
    place.folder.add(MESSAGE)
    assert place.poll(folder=name) == 1
    assert place.folder.selected == [f'"{name}"']


def test_another_uidvalidity_begins_anew_and_doubles_nothing(place: Place) -> None:
    place.folder.add(MESSAGE)
    place.poll()
    place.folder.uid_validity = 8
    place.poll()
    assert place.folder.fetched == [1, 1]
    assert len(received(place.house)) == 1


def test_deletion_takes_only_what_is_safe_here(place: Place) -> None:
    place.folder.add(MESSAGE)
    other = place.folder.add(b"somebody else has marked this\r\n")
    place.folder.flags[other] = {"\\Deleted"}
    place.folder.unreadable.add(other)
    place.poll(after="delete")
    assert list(place.folder.messages) == [other]


def test_without_uidplus_a_message_is_marked_and_nothing_expunged(place: Place) -> None:
    place.folder.capabilities = "IMAP4rev1 AUTH=PLAIN"
    place.folder.add(MESSAGE)
    place.poll(after="delete")
    assert place.folder.flags == {1: {"\\Deleted"}}
    assert list(place.folder.messages) == [1]


@pytest.mark.parametrize("step", ["UID-SEARCH", "UID-FETCH", "UID-STORE", "UID-EXPUNGE", "LOGOUT"])
def test_a_connection_cut_at_any_step_loses_and_doubles_nothing(place: Place, step: str) -> None:
    for number in range(3):
        place.folder.add(MESSAGE + b"%d\r\n" % number)
    place.folder.die_at = step
    place.poll(after="delete")
    place.poll(after="delete")
    assert len(received(place.house)) == 3
    assert place.folder.messages == {}


def test_nothing_is_flagged_that_could_not_be_kept(place: Place) -> None:
    place.folder.add(MESSAGE)
    write = place.house.database.write_async

    async def away(unit: Any) -> Any:
        raise StoreUnavailable("away")

    place.house.database.write_async = away  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        place.poll(after="delete")
    assert (place.folder.flags, list(place.folder.messages)) == ({1: set()}, [1])
    place.house.database.write_async = write  # type: ignore[method-assign]
    assert place.poll(after="delete") == 1
    assert (len(received(place.house)), place.folder.messages) == (1, {})


def test_a_message_that_cannot_be_had_does_not_hold_up_the_others(place: Place) -> None:
    place.folder.unreadable.add(place.folder.add(b"bad\r\n"))
    place.folder.add(MESSAGE)
    poller = place.poller()
    assert asyncio.run(poller.once()) == 1
    assert asyncio.run(poller.once()) == 0
    assert place.folder.fetched == [2], "what is done is not fetched again"
    place.folder.unreadable.clear()
    assert asyncio.run(poller.once()) == 1
    assert len(received(place.house)) == 2
    asyncio.run(poller.once())
    assert place.poll() == 0, "the cursor has caught up"
    assert place.folder.fetched == [2, 1]


def test_an_oversize_message_is_left_there_and_told(place: Place) -> None:
    place.folder.add(b"x" * 70_000)
    place.folder.add(MESSAGE)
    place.poll(MailLimits(message_bytes=65536), after="delete")
    assert list(place.folder.messages) == [1]
    assert place.folder.fetched == [2]
    told = refusals(place.house)  # type: ignore[arg-type]
    assert told[("IMAP-IN", place.server, "the message is too large")] == 1


def test_a_message_larger_than_its_server_says_is_not_kept(place: Place) -> None:
    place.folder.stated_sizes[place.folder.add(b"x" * 70_000)] = 10
    place.poll(MailLimits(message_bytes=65536))
    assert received(place.house) == ()


def test_a_server_that_announces_more_than_was_asked_for_is_not_listened_to(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """A literal is read as a whole: its length would be our memory."""
    place.folder.literal = 10**11
    place.folder.add(MESSAGE)
    place.poll()
    assert received(place.house) == ()
    assert "fetching failed: the server refuses" in caplog.text


@pytest.mark.parametrize("capabilities", ["IMAP4rev1 AUTH=PLAIN UIDPLUS", "IMAP4rev1 UIDPLUS"])
def test_a_wrong_password_is_told_and_never_shown(
    place: Place, capabilities: str, caplog: pytest.LogCaptureFixture
) -> None:
    place.folder.capabilities = capabilities
    place.folder.add(MESSAGE)
    (place.files / "wrong").write_text("opensesame", encoding="ascii")
    with caplog.at_level(logging.DEBUG):
        place.poll(password_file=place.files / "wrong")
    assert received(place.house) == ()
    assert "logging in failed" in caplog.text and "opensesame" not in caplog.text
    told = refusals(place.house)  # type: ignore[arg-type]
    assert told[("IMAP-IN", place.server, "the mailbox could not be read")] == 1
    assert place.poll() == 1


def test_a_server_that_is_another_is_not_told_the_password(place: Place) -> None:
    strange = place.files / "other.pem"
    strange.write_text(authority("Another network").certificate_pem, encoding="ascii")
    place.folder.add(MESSAGE)
    place.poll(certificates=strange)
    host, _, port = place.server.rpartition(":")
    assert host == "localhost"
    place.poll(server=f"127.0.0.2:{port}")  # the certificate names localhost
    assert received(place.house) == ()


def test_starttls_verifies_too_and_forgets_what_came_in_the_clear(tmp_path: Path) -> None:
    """What an attacker adds to the answer of STARTTLS must not count as the server's (2021)."""
    folder = Folder(injected=b"* OK [UIDVALIDITY 666] evil\r\n* SEARCH 666\r\n")
    folder.add(MESSAGE)
    with (
        mail_house(tmp_path / "house") as house,
        serving(folder, *key_files(US), tls="starttls") as server,
    ):
        place = Place(house, folder, server, tmp_path)
        place.poll(security="starttls")
        folder.injected = b""
        assert place.poll(security="starttls") <= 1
        assert [content(house, one) for one in received(house)] == [MESSAGE]
        assert {row["uid_validity"] for row in rows_of(house, "mailbox_cursor")} == {7}  # type: ignore[arg-type]
