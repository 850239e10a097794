"""What we send by mail: kept with its recipients, their states and the notices, on both engines."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.model.document import Blob
from gateway.model.identity import MailId
from gateway.model.sent_mail import HeardNotice, Notice, Recipient, SentMail
from gateway.store import mail_sent
from gateway.store.database import Database
from gateway.store.errors import UnknownId
from gateway.store.scope import ALL_PLANS
from gateway.store.transaction import Transaction
from tests.gateway.store.builders import ACME, NOW, OTHER, an_exchange

MINUTE = timedelta(minutes=1)
BLOB = Blob("a" * 64, 12, "1" * 40, "2" * 64)
ANNE, BOB = Recipient("Anne@direct.clinic.test"), Recipient("bob@other.test")


def a_message(id: str = "s1", **changes: object) -> SentMail:
    made = SentMail(
        id=MailId(id),
        plan=ACME,
        kind="message",
        message_id=f"{id}@direct.plan.test",
        sender="intake@direct.plan.test",
        blob=BLOB,
        created=NOW,
        record=an_exchange(transaction="DIRECT-SEND"),
        recipients=(ANNE, BOB),
        wants_dispatched=True,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def kept(house: Database, *messages: SentMail) -> None:
    for message in messages:
        house.write(lambda tx, one=message: mail_sent.insert_message(tx, one))  # type: ignore[misc]


def found(house: Database, id: str = "s1") -> SentMail | None:
    return house.read(lambda tx: mail_sent.get(tx, plan=ACME, message=MailId(id)))


def test_a_message_is_read_back_and_found_by_its_message_id(house: Database) -> None:
    kept(house, a_message(), a_message("n1", kind="notice", answers=MailId("r1")))
    assert found(house) == a_message()
    by_id = house.read(
        lambda tx: mail_sent.by_message_id(tx, plan=ACME, message_id="s1@direct.plan.test")
    )
    assert by_id == a_message()
    answers = house.read(lambda tx: mail_sent.answering(tx, plan=ACME, answers=MailId("r1")))
    assert [one.id for one in answers] == ["n1"]


def test_another_plans_message_looks_like_none(house: Database) -> None:
    kept(house, a_message())
    message = MailId("s1")
    assert house.read(lambda tx: mail_sent.get(tx, plan=OTHER, message=message)) is None
    assert house.read(lambda tx: mail_sent.get(tx, plan=ALL_PLANS, message=message)) == a_message()
    with pytest.raises(UnknownId):
        house.write(
            lambda tx: mail_sent.put_recipient(tx, plan=OTHER, message=message, recipient=ANNE)
        )


def test_who_changes_a_message_sees_what_the_one_before_moved(house: Database) -> None:
    kept(house, a_message())
    message, is_read = MailId("s1"), threading.Event()

    def moving(tx: Transaction) -> None:
        mail_sent.get(tx, plan=ACME, message=message, to_change=True)
        is_read.set()
        time.sleep(0.3)  # in which the other reads, if it may
        moved = replace(ANNE, state="dispatched", since=NOW)
        mail_sent.put_recipient(tx, plan=ACME, message=message, recipient=moved)

    with ThreadPoolExecutor() as threads:
        first = threads.submit(house.write, moving)
        assert is_read.wait(20)
        then = house.write(
            lambda tx: mail_sent.by_message_id(
                tx, plan=ACME, message_id="s1@direct.plan.test", to_change=True
            )
        )
        first.result(20)
    assert then is not None
    assert then.recipients[0].state == "dispatched"


def test_a_recipients_state_changes_alone(house: Database) -> None:
    kept(house, a_message())
    sealed = Blob("b" * 64, 99, "3" * 40, "4" * 64)
    moved = replace(ANNE, state="handed_over", since=NOW, deadline=NOW + MINUTE, sealed=sealed)
    house.write(
        lambda tx: mail_sent.put_recipient(tx, plan=ACME, message=MailId("s1"), recipient=moved)
    )
    assert found(house) == a_message(recipients=(moved, BOB))


def test_the_newest_message_comes_first_and_notices_are_no_messages(house: Database) -> None:
    failed = replace(ANNE, state="failed", reason="nobody")
    kept(house, a_message("s1", recipients=(failed,)), a_message("s2"))
    kept(house, a_message("n1", kind="notice"))

    def page(**how: object) -> list[str]:
        return [
            one.id
            for one in house.read(lambda tx: mail_sent.list_page(tx, plan=ACME, **how))  # type: ignore[arg-type]
        ]

    assert page() == ["s2", "s1"]
    assert page(limit=1) == ["s2"]
    assert page(after=MailId("s2")) == ["s1"]
    assert page(state="failed") == ["s1"]
    with pytest.raises(UnknownId):
        page(after=MailId("nobody"))


def test_the_same_notice_of_the_same_message_is_kept_once(house: Database) -> None:
    kept(house, a_message())
    notice = Notice("processed", "MDN", NOW, received=MailId("r7"))
    heard = HeardNotice("Anne@direct.clinic.test", notice, "moved")

    def put(one: HeardNotice) -> bool:
        return house.write(
            lambda tx: mail_sent.put_notice(tx, plan=ACME, message=MailId("s1"), heard=one)
        )

    assert put(heard)
    assert not put(replace(heard, effect="duplicate"))
    again = replace(heard, notice=replace(notice, received=MailId("r8")), effect="duplicate")
    assert put(again)
    kept_notices = house.read(lambda tx: mail_sent.notices_of(tx, plan=ACME, message=MailId("s1")))
    assert kept_notices == (heard, again)
