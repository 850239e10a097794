"""Checkpoints in an auditor's mailbox: the newest, now and then, and again after a failure."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from direct.message import read_message
from gateway.app.house import House, log_seal
from gateway.clients.audit_client import NotSent
from gateway.clients.checkpoint_mail import CheckpointMail
from gateway.clients.smtp_client import Server
from gateway.exchange.checkpoints import Seldom, make_checkpoint
from gateway.model.checkpoint import read_checkpoint
from gateway.model.exchange import Exchange
from gateway.settings_audit import PublishedTo
from gateway.settings_mail_out import Smarthost
from gateway.store import exchange_log
from tests.gateway.clients.smtp_servers import posting
from tests.gateway.house import authority, open_house

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TO, FROM = "auditor@watch.example", "gateway@plan.example"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path, furnished=False, known=()) as opened:
        yield opened


def grow(house: House) -> str:
    """One record more, and the checkpoint over all."""
    one = Exchange(time=NOW, direction="in", transaction="REST", outcome="success")
    house.database.write(lambda tx: exchange_log.append(tx, one))
    seal = log_seal(house.settings)
    made = house.database.write(lambda tx: make_checkpoint(tx, seal, now=NOW))
    assert made is not None
    return made.note


async def test_the_note_arrives_whole_under_verified_tls(house: House) -> None:
    note = grow(house)
    anchors = (authority().certificate_pem,)
    async with posting(tls="mx.test") as post:
        server = Server("localhost", post.port, "starttls", anchors)
        await asyncio.to_thread(CheckpointMail(TO, FROM, server).bring, 1, note)
    (taken,) = post.taken
    assert (taken.mail_from, taken.recipients, taken.is_tls) == (FROM, [TO], True)
    read = read_message(taken.content)
    assert read.message_id == "checkpoint-1@plan.example"
    attached = read.root.children[-1]
    found = attached.content().decode().replace("\r\n", "\n")
    assert read_checkpoint(found, log_seal(house.settings).public).size == 1


async def test_a_server_without_tls_gets_nothing(house: House) -> None:
    note = grow(house)
    async with posting() as post:
        mail = CheckpointMail(TO, FROM, Server("localhost", post.port, "starttls"))
        with pytest.raises(NotSent, match="the auditor's mail"):
            await asyncio.to_thread(mail.bring, 1, note)
    assert post.taken == []


class Mailbox:
    def __init__(self) -> None:
        self.had: list[int] = []
        self.is_away = False

    def bring(self, size: int, _note: str) -> None:
        if self.is_away:
            raise NotSent("away")
        self.had.append(size)

    def place(self) -> Seldom:
        return Seldom("mail to auditor", self.bring, DAY)


def test_the_newest_goes_once_a_day_also_over_a_restart(house: House) -> None:
    box = Mailbox()
    place = box.place()
    assert place.publish(house.database, now=NOW), "there is nothing yet"
    grow(house)
    assert place.publish(house.database, now=NOW)
    grow(house)
    assert place.publish(house.database, now=NOW + DAY / 2)
    assert box.had == [1]
    again = box.place()
    again.publish(house.database, now=NOW + DAY / 2)
    assert box.had == [1]
    again.publish(house.database, now=NOW + DAY)
    again.publish(house.database, now=NOW + 2 * DAY)
    assert box.had == [1, 3], "the key's record came with the second; the same never goes twice"


def test_what_could_not_be_mailed_is_tried_again_after_a_while(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    box, minute = Mailbox(), timedelta(minutes=1)
    place, box.is_away = box.place(), True
    grow(house)
    assert not place.publish(house.database, now=NOW)
    assert "cannot be published: away" in caplog.text
    box.is_away = False
    assert place.publish(house.database, now=NOW + minute)
    assert box.had == []
    assert place.publish(house.database, now=NOW + 5 * minute)
    assert box.had == [1]


def test_a_mailbox_is_stated_whole() -> None:
    smarthost = Smarthost(server="mail.example:587")
    assert PublishedTo(mail=TO, sender=FROM, smarthost=smarthost).every_hours == 24
    for wrong in (
        {"mail": TO},
        {"mail": TO, "sender": FROM},
        {"folder": "x", "sender": FROM},
        {"mail": TO, "sender": FROM, "smarthost": smarthost, "repository": "arr"},
        {"mail": "nobody", "sender": FROM, "smarthost": smarthost},
        {},
    ):
        with pytest.raises(ValueError, match="validation error"):
            PublishedTo(**wrong)  # type: ignore[arg-type]
