"""Received messages: once for whom they are for, judged, quarantined, run again."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.model.document import Blob
from gateway.model.identity import MailId
from gateway.model.received_mail import ReceivedMail
from gateway.store import documents, mail_received
from gateway.store.database import Database
from gateway.store.errors import DamagedVerdict, UnknownId
from gateway.store.keys import KeyRing
from tests.gateway.store.builders import ACME, NOW, OTHER

MESSAGE = ReceivedMail(
    id=MailId("r1"),
    plan=ACME,
    door="SMTP",
    mail_from="nurse@direct.clinic.example",
    rcpt_to=("Intake@direct.acme.example", "care@direct.acme.example"),
    blob=Blob("a" * 64, 12, "1" * 40, "2" * 64),
    arrived=NOW,
    peer="192.0.2.7",
    message_id="<m1@direct.clinic.example>",
)


def test_a_message_comes_back_as_it_was_kept(house: Database) -> None:
    assert house.write(lambda t: mail_received.insert(t, MESSAGE)) == MESSAGE
    assert house.read(lambda t: mail_received.get(t, plan=ACME, message=MailId("r1"))) == MESSAGE


def test_the_bytes_of_a_message_are_wanted_from_then_on(house: Database) -> None:
    house.write(lambda t: mail_received.insert(t, MESSAGE))
    known = house.read(
        lambda t: documents.known_addresses(t, plan=ACME, addresses=[MESSAGE.blob.address])
    )
    assert known == {MESSAGE.blob.address}


def test_the_same_bytes_for_the_same_recipients_are_one_message(house: Database) -> None:
    house.write(lambda t: mail_received.insert(t, MESSAGE))
    again = replace(
        MESSAGE,
        id=MailId("r2"),
        rcpt_to=("care@direct.acme.example", "intake@DIRECT.acme.example"),
    )
    assert house.write(lambda t: mail_received.insert(t, again)) == MESSAGE
    assert house.read(lambda t: mail_received.list_page(t, plan=ACME)) == (MESSAGE,)


def test_the_same_bytes_for_another_recipient_are_another_message(house: Database) -> None:
    house.write(lambda t: mail_received.insert(t, MESSAGE))
    other = replace(MESSAGE, id=MailId("r2"), rcpt_to=("care@direct.acme.example",))
    assert house.write(lambda t: mail_received.insert(t, other)) == other


def test_another_plan_sees_none_of_it(house: Database) -> None:
    house.write(lambda t: mail_received.insert(t, MESSAGE))
    assert house.read(lambda t: mail_received.get(t, plan=OTHER, message=MESSAGE.id)) is None
    assert house.read(lambda t: mail_received.list_page(t, plan=OTHER)) == ()
    with pytest.raises(UnknownId):
        house.write(
            lambda t: mail_received.settle(
                t, plan=OTHER, message=MESSAGE.id, state="filed", reason=None, now=NOW
            )
        )


def test_a_quarantined_message_may_be_queued_again(house: Database) -> None:
    house.write(lambda t: mail_received.insert(t, MESSAGE))
    later = NOW + timedelta(hours=1)
    settled = house.write(
        lambda t: mail_received.settle(
            t, plan=ACME, message=MESSAGE.id, state="quarantined", reason="untrusted", now=later
        )
    )
    assert settled == replace(MESSAGE, state="quarantined", reason="untrusted", settled=later)
    again = house.write(lambda t: mail_received.spool_again(t, plan=ACME, message=MESSAGE.id))
    assert (again.state, again.attempts, again.reason) == ("spooled", 2, "untrusted")


def test_pages_follow_one_another_within_a_state(house: Database) -> None:
    for number in range(5):
        one = replace(MESSAGE, id=MailId(f"r{number}"), rcpt_to=(f"{number}@acme.example",))
        house.write(lambda t, one=one: mail_received.insert(t, one))
    house.write(
        lambda t: mail_received.settle(
            t, plan=ACME, message=MailId("r1"), state="held", reason=None, now=NOW
        )
    )

    def page(after: str | None) -> list[str]:
        last = None if after is None else MailId(after)
        found = house.read(
            lambda t: mail_received.list_page(t, plan=ACME, state="spooled", after=last, limit=2)
        )
        return [one.id for one in found]

    assert [page(None), page("r2"), page("r4")] == [["r0", "r2"], ["r3", "r4"], []]


def test_what_may_come_in_once_belongs_to_who_brought_it_first(house: Database) -> None:
    def claim(message: str, key: str = "signer\0id\0recipient", plan: str = ACME) -> str:
        return house.write(
            lambda t: mail_received.claim(t, plan=plan, key=key, message=MailId(message))  # type: ignore[arg-type]
        )

    assert [claim("r1"), claim("r2"), claim("r1")] == ["r1", "r1", "r1"]
    assert claim("r2", plan=OTHER) == "r2"
    assert claim("r3", key="x" * 5000) == "r3"


def test_a_verdict_is_sealed_for_its_message_alone(house: Database, key_file: Path) -> None:
    keys = KeyRing(key_file, house)
    house.write(lambda t: mail_received.insert(t, MESSAGE))
    assert house.read(lambda t: mail_received.verdict_of(t, plan=ACME, message=MESSAGE.id)) is None
    sealed = mail_received.seal_verdict(keys, b'{"trusted": true}', plan=ACME, message=MESSAGE.id)
    house.write(
        lambda t: mail_received.settle(
            t,
            plan=ACME,
            message=MESSAGE.id,
            state="judged",
            reason=None,
            now=NOW,
            verdict=sealed,
        )
    )
    kept = house.read(lambda t: mail_received.verdict_of(t, plan=ACME, message=MESSAGE.id))
    assert kept is not None and b"trusted" not in kept.sealed
    opened = mail_received.open_verdict(keys, kept, plan=ACME, message=MESSAGE.id)
    assert opened == b'{"trusted": true}'
    with pytest.raises(DamagedVerdict):
        mail_received.open_verdict(keys, kept, plan=ACME, message=MailId("r2"))
