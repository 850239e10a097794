"""SMTP in: what is taken is safe before it is answered, for our domains alone, and never opened."""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.settings_mail import MailLimits
from tests.gateway.house import OTHER_PLAN, PLAN, records, refusals, rows_of
from tests.gateway.intakes.mail_house import (
    DOMAIN,
    INTAKE,
    MESSAGE,
    OTHER_INTAKE,
    PLAIN,
    SENDER,
    At,
    MailHouse,
    content,
    listening,
    mail_house,
    received,
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[MailHouse]:
    with mail_house(tmp_path) as opened:
        yield opened


@pytest.fixture
def at(house: MailHouse) -> Iterator[At]:
    with listening(house) as place:
        yield place


def limited(**limits: int | float) -> object:
    return replace(PLAIN, limits=MailLimits(**limits))  # type: ignore[arg-type]


# ---- what is taken ---------------------------------------------------------------------------


def test_a_message_is_kept_byte_for_byte_and_queued(house: MailHouse, at: At) -> None:
    assert at.send().startswith("250")
    (message,) = received(house)
    assert content(house, message) == MESSAGE
    assert (message.mail_from, message.rcpt_to) == (SENDER, (INTAKE,))
    assert (message.message_id, message.state) == ("<m1@direct.clinic.example>", "spooled")
    assert (message.door, message.peer) == ("SMTP", "127.0.0.1")
    (job,) = rows_of(house, "job")
    assert job["kind"] == "mail_receive" and message.id in job["payload"]


def test_an_arrival_is_recorded_with_what_it_is_known_by(house: MailHouse, at: At) -> None:
    at.send()
    (message,) = received(house)
    (record,) = records(house)
    assert (record.transaction, record.direction, record.outcome) == ("SMTP-IN", "in", "success")
    assert (record.plan, record.peer) == (PLAN, "127.0.0.1")
    assert (record.conversation, record.message_id) == (message.id, message.message_id)


def test_a_large_message_is_kept_byte_for_byte(house: MailHouse, at: At) -> None:
    line = bytes(range(33, 127)) + b"\r\n"
    large = MESSAGE + line * 60_000 + b".\r\n" + b"the end\r\n"
    assert at.send(large).startswith("250")
    assert content(house, received(house)[0]) == large


def test_two_messages_on_one_connection_are_two(house: MailHouse, at: At) -> None:
    with at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        assert smtp.send().startswith("250")
        assert smtp.send(MESSAGE + b"more\r\n").startswith("250")
        assert smtp.say("QUIT").startswith("221")
    assert len(received(house)) == 2


def test_commands_sent_with_a_message_are_heard_after_it(house: MailHouse, at: At) -> None:
    with at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        smtp.write(
            b"MAIL FROM:<%b>\r\nRCPT TO:<%b>\r\nDATA\r\n" % (SENDER.encode(), INTAKE.encode())
        )
        assert [smtp.hear()[:3] for _ in range(3)] == ["250", "250", "354"]
        smtp.write(MESSAGE.replace(b"\r\n.", b"\r\n..") + b".\r\nNOOP\r\nQUIT\r\n")
        assert [smtp.hear()[:3] for _ in range(3)] == ["250", "250", "221"]
    assert [content(house, one) for one in received(house)] == [MESSAGE]


def test_a_message_for_two_plans_is_kept_for_each_with_its_recipients(
    house: MailHouse, at: At
) -> None:
    assert at.send(to=(INTAKE, OTHER_INTAKE, f"care@{DOMAIN}")).startswith("250")
    (ours,), (theirs,) = received(house), received(house, OTHER_PLAN)
    assert ours.rcpt_to == (INTAKE, f"care@{DOMAIN}")
    assert theirs.rcpt_to == (OTHER_INTAKE,)
    assert content(house, theirs) == content(house, ours) == MESSAGE
    assert ours.blob.address != theirs.blob.address
    assert [record.plan for record in records(house)] == [PLAN, OTHER_PLAN]


def test_a_notice_with_no_sender_is_taken(house: MailHouse, at: At) -> None:
    assert at.send(sender="").startswith("250")
    assert received(house)[0].mail_from == ""


@pytest.mark.parametrize("name", ["postmaster", "Postmaster", f"postmaster@{DOMAIN}"])
def test_mail_for_the_postmaster_is_taken(house: MailHouse, at: At, name: str) -> None:
    assert at.send(to=(name,)).startswith("250")
    assert received(house)[0].rcpt_to[0].lower() == f"postmaster@{DOMAIN}"


def test_a_domain_is_ours_in_any_case(house: MailHouse, at: At) -> None:
    assert at.send(to=("Intake@DIRECT.Acme.Example",)).startswith("250")
    assert received(house)[0].rcpt_to == ("Intake@DIRECT.Acme.Example",)


def test_a_recipient_named_in_two_spellings_is_one(house: MailHouse, at: At) -> None:
    assert at.send(to=(INTAKE, f"Intake@{DOMAIN}", f"INTAKE@{DOMAIN.upper()}")).startswith("250")
    (message,) = received(house)
    assert message.rcpt_to == (INTAKE,)


# ---- what comes twice ------------------------------------------------------------------------


def test_the_same_message_again_is_answered_as_before_and_kept_once(
    house: MailHouse, at: At
) -> None:
    assert at.send() == at.send()
    assert len(received(house)) == len(rows_of(house, "job")) == 1
    first, second = records(house)
    assert first.conversation == second.conversation
    assert second.reason == "it had come before"


def test_duplicate_delivery_100_times_over_8_connections_is_one_message(
    house: MailHouse, at: At
) -> None:
    def send(count: int) -> list[str]:
        with at.dialogue() as smtp:
            smtp.say("EHLO sender.example")
            return [smtp.send() for _ in range(count)]

    with ThreadPoolExecutor(8) as threads:
        answers = [one for part in threads.map(send, [13] * 4 + [12] * 4) for one in part]
    assert len(answers) == 100 and all(one.startswith("250") for one in answers)
    assert len(received(house)) == len(rows_of(house, "job")) == 1
    assert len(records(house)) == 100


# ---- what is not taken -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipient",
    [
        "someone@elsewhere.example",
        f"x@sub.{DOMAIN}",
        f"x@{DOMAIN}.evil.example",
        f"x@evil{DOMAIN}",
        "x@acme.example",
    ],
)
def test_a_recipient_elsewhere_is_refused_and_counted(
    house: MailHouse, at: At, recipient: str
) -> None:
    with at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        smtp.say(f"MAIL FROM:<{SENDER}>")
        assert smtp.say(f"RCPT TO:<{recipient}>").startswith("550")
        assert smtp.say("DATA").startswith("503")
    assert received(house) == ()
    reason = "the recipient is not of a domain of ours"
    assert refusals(house)[("SMTP-IN", "127.0.0.1", reason)] == 1


def test_the_recipients_that_are_ours_get_it_beside_one_that_is_not(
    house: MailHouse, at: At
) -> None:
    assert at.send(to=("x@elsewhere.example", INTAKE)).startswith("250")
    assert received(house)[0].rcpt_to == (INTAKE,)


def test_more_recipients_than_are_taken_at_once_are_put_off(house: MailHouse) -> None:
    with listening(house, limited(recipients=2)) as at, at.dialogue() as smtp:  # type: ignore[arg-type]
        smtp.say("EHLO sender.example")
        smtp.say(f"MAIL FROM:<{SENDER}>")
        answers = [smtp.say(f"RCPT TO:<r{number}@{DOMAIN}>")[:3] for number in range(3)]
        assert answers == ["250", "250", "452"]


def test_an_oversize_message_is_refused_by_its_stated_size(house: MailHouse) -> None:
    with listening(house, limited(message_bytes=65536)) as at, at.dialogue() as smtp:  # type: ignore[arg-type]
        assert "SIZE 65536" in smtp.say("EHLO sender.example")
        assert smtp.say(f"MAIL FROM:<{SENDER}> SIZE=70000").startswith("552")
    assert refusals(house)[("SMTP-IN", "127.0.0.1", "the message is too large")] == 1


def test_an_oversize_message_is_refused_when_it_has_come(house: MailHouse) -> None:
    with listening(house, limited(message_bytes=65536)) as at, at.dialogue() as smtp:  # type: ignore[arg-type]
        smtp.say("EHLO sender.example")
        assert smtp.send(b"x" * 70 + b"\r\n" + b"y" * 70 + b"\r\n").startswith("250")
        assert smtp.send((b"x" * 70 + b"\r\n") * 1000).startswith("552")
        assert smtp.send(b"small\r\n").startswith("250")
    assert [one.blob.size_bytes for one in received(house)] == [144, 7]


def test_an_endless_message_is_cut_off(house: MailHouse) -> None:
    with listening(house, limited(message_bytes=65536)) as at, at.dialogue() as smtp:  # type: ignore[arg-type]
        smtp.say("EHLO sender.example")
        for command in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{INTAKE}>", "DATA"):
            smtp.say(command)
        with pytest.raises(OSError):
            while True:
                smtp.write((b"x" * 70 + b"\r\n") * 1000)
    assert received(house) == ()


def test_a_message_cut_off_in_the_middle_leaves_nothing(house: MailHouse, at: At) -> None:
    with at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        for command in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{INTAKE}>", "DATA"):
            smtp.say(command)
        smtp.write(MESSAGE * 10_000)
    assert at.send(MESSAGE + b"another\r\n").startswith("250")
    assert len(received(house)) == 1
    blobs = house.archive.blobs.folder(PLAN)
    wait_until(lambda: not list(blobs.glob("*.new")))
    assert len([file for file in blobs.rglob("*") if file.is_file()]) == 1


def test_messages_beyond_the_rate_of_a_peer_are_put_off(house: MailHouse) -> None:
    with listening(house, limited(messages_per_minute=3)) as at, at.dialogue() as smtp:  # type: ignore[arg-type]
        smtp.say("EHLO sender.example")
        for number in range(3):
            assert smtp.send(b"message %d\r\n" % number).startswith("250")
        assert smtp.say(f"MAIL FROM:<{SENDER}>").startswith("450")
    assert refusals(house)[("SMTP-IN", "127.0.0.1", "too many messages in a minute")] == 1


def test_connections_beyond_those_of_a_peer_are_turned_away(house: MailHouse) -> None:
    with (
        listening(house, limited(connections_per_peer=2)) as at,  # type: ignore[arg-type]
        at.dialogue() as first,
        at.dialogue() as second,
        at.dialogue() as third,
    ):
        assert [first.greeting[:3], second.greeting[:3]] == ["220", "220"]
        assert third.greeting.startswith("421")
        first.say("QUIT")
        wait_until(lambda: at.send().startswith("250"))
    wait_until(lambda: ("SMTP-IN", "127.0.0.1", "too many connections") in refusals(house))


def test_an_empty_envelope_reaches_nobody_even_if_it_is_insisted_on(
    house: MailHouse, at: At
) -> None:
    with at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        assert smtp.say("DATA").startswith("503")
        smtp.say(f"MAIL FROM:<{SENDER}>")
        assert smtp.say("DATA").startswith("503")


# ---- nothing of it in the logs ---------------------------------------------------------------


def test_no_address_and_no_content_is_logged(
    house: MailHouse, at: At, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        at.send()
        at.send(to=("jane.doe@elsewhere.example",))
        with at.dialogue() as smtp:
            smtp.say("JANE DOE born 1975")
            smtp.say("VRFY jane.doe@direct.acme.example")
    assert not [
        word for word in ("nurse", "jane", "intake@", "sealed") if word in caplog.text.lower()
    ]


def test_no_record_of_a_refusal_holds_an_address(house: MailHouse, at: At) -> None:
    at.send(to=("jane.doe@elsewhere.example",))
    told = " ".join(" ".join(key) for key in refusals(house))
    assert "jane" not in told and "nurse" not in told


def wait_until(happens: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not happens():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)
