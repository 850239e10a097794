"""The Edge Testing Tool's SMTP cases for a receiver: 9, 10, 11, 13, 14, 16, 20 and 22."""

import base64
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.settings_mail import MailLimits
from tests.gateway.house import OTHER_PLAN, PLAN, records, refusals
from tests.gateway.intakes.mail_house import (
    INTAKE,
    MESSAGE,
    OTHER_INTAKE,
    PLAIN,
    SENDER,
    Dialogue,
    MailHouse,
    content,
    listening,
    mail_house,
    options,
    received,
    token,
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[MailHouse]:
    with mail_house(tmp_path) as opened:
        yield opened


def plain(name: str, secret: str, acting_for: str = "") -> str:
    return base64.b64encode(f"{acting_for}\0{name}\0{secret}".encode()).decode()


def named(smtp: Dialogue, response: str) -> str:
    """The answer to AUTH PLAIN under TLS."""
    smtp.say("EHLO sender.example")
    smtp.start_tls()
    assert "AUTH PLAIN" in smtp.say("EHLO sender.example")
    return smtp.say(f"AUTH PLAIN {response}")


def test_ett_smtp_9_16_20_starttls_and_plain_sasl_then_a_message(house: MailHouse) -> None:
    secret = token(house, "clinic-hisp")
    with listening(house, options(authentication="required")) as at, at.dialogue() as smtp:
        assert named(smtp, plain("clinic-hisp", secret)).startswith("235")
        assert smtp.send().startswith("250")
    assert content(house, received(house)[0]) == MESSAGE
    (record,) = records(house)
    assert (record.person, record.role) == ("clinic-hisp", "system")


def test_ett_smtp_14_a_message_under_starttls_alone(house: MailHouse) -> None:
    with listening(house, options()) as at, at.dialogue() as smtp:
        assert "AUTH" not in smtp.say("EHLO sender.example")
        assert smtp.start_tls().startswith("220")
        assert "AUTH" not in smtp.say("EHLO sender.example")
        assert smtp.send().startswith("250")


@pytest.mark.parametrize("bad", [b"bad\nline feeds\n", b"bad\rreturns\r\n", b"x" * 2000 + b"\r\n"])
def test_ett_smtp_10_invalid_data_is_rejected(house: MailHouse, bad: bytes) -> None:
    with listening(house) as at, at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        for command in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{INTAKE}>", "DATA"):
            smtp.say(command)
        smtp.write(b"Subject: x\r\n\r\n" + bad + b"\r\n.\r\n")
        assert smtp.hear()[:1] == "5"
    assert received(house) == ()


@pytest.mark.parametrize(
    ("commands", "codes"),
    [
        (["FOO"], ["500"]),
        (["MAIL FROM:<a@x.example>"], ["503"]),
        (["EHLO"], ["501"]),
        (["HELO"], ["501"]),
        (["EHLO x", "RCPT TO:<intake@direct.acme.example>"], ["250", "503"]),
        (["EHLO x", "DATA"], ["250", "503"]),
        (["EHLO x", "MAIL"], ["250", "501"]),
        (["EHLO x", "MAIL FROM:"], ["250", "501"]),
        (["EHLO x", "MAIL TO:<a@x.example>"], ["250", "501"]),
        (["EHLO x", "MAIL FROM:<a@x.example> FOO=BAR"], ["250", "555"]),
        (["EHLO x", "MAIL FROM:<a@x.example>", "MAIL FROM:<b@x.example>"], ["250", "250", "503"]),
        (["EHLO x", "MAIL FROM:<a@x.example>", "RCPT"], ["250", "250", "501"]),
        (["EHLO x", "MAIL FROM:<a@x.example>", "RCPT TO:x y"], ["250", "250", "5"]),
        (["EHLO x", "DATA now"], ["250", "503"]),
        (["QUIT now"], ["501"]),
        (["EHLO x", "RSET now"], ["250", "501"]),
        (["EHLO x", "EXPN list"], ["250", "502"]),
        (["EHLO x", "TURN"], ["250", "500"]),
        (["EHLO " + "x" * 600], ["500"]),
        (["EHLO x", "MAIL FROM:<" + "a" * 900 + "@x.example>"], ["250", "500"]),
        ([""], ["500"]),
        (["été"], ["500"]),
    ],
)
def test_ett_smtp_11_bad_commands_are_rejected(
    house: MailHouse, commands: list[str], codes: list[str]
) -> None:
    with listening(house) as at, at.dialogue() as smtp:
        for command, code in zip(commands, codes, strict=True):
            assert smtp.say(command).startswith(code), command
    assert received(house) == ()


def test_ett_smtp_11_too_many_bad_commands_end_the_session(house: MailHouse) -> None:
    limits = MailLimits(errors=4)
    with listening(house, replace(PLAIN, limits=limits)) as at, at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        answers = [smtp.say("DATA")[:3] for _ in range(5)]
        assert answers == ["503"] * 4 + ["421"]
        assert smtp.hear() == ""


@pytest.mark.parametrize(
    "said",
    [
        [],
        ["EHLO x"],
        ["EHLO x", f"MAIL FROM:<{SENDER}>"],
        ["EHLO x", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{INTAKE}>"],
    ],
)
def test_ett_smtp_13_a_silent_command_times_out(house: MailHouse, said: list[str]) -> None:
    limits = MailLimits(command_seconds=0.3)
    with listening(house, replace(PLAIN, limits=limits)) as at, at.dialogue() as smtp:
        for command in said:
            smtp.say(command)
        assert smtp.hear().startswith("421 4.4.2")
        assert smtp.hear() == ""


def test_ett_smtp_13_a_message_that_drips_times_out_as_a_whole(house: MailHouse) -> None:
    limits = MailLimits(data_seconds=0.5)
    with listening(house, replace(PLAIN, limits=limits)) as at, at.dialogue() as smtp:
        smtp.say("EHLO x")
        for command in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{INTAKE}>", "DATA"):
            smtp.say(command)
        smtp.connection.settimeout(0.05)
        with pytest.raises(OSError):
            for _ in range(400):  # each line would set an idle clock back
                smtp.write(b"drip\r\n")
                time.sleep(0.05)
    assert received(house) == ()


def test_ett_smtp_13_commands_that_do_nothing_do_not_keep_a_session_for_ever(
    house: MailHouse,
) -> None:
    with listening(house) as at, at.dialogue() as smtp:
        smtp.say("EHLO x")
        answers = [smtp.say("NOOP")[:3] for _ in range(101)]
        assert answers == ["250"] * 100 + ["421"]


@pytest.mark.parametrize("what", ["secret", "name", "role", "revoked", "acting", "form", "base64"])
def test_ett_smtp_22_invalid_credentials_are_rejected(house: MailHouse, what: str) -> None:
    role = "staff" if what == "role" else "system"
    secret = token(house, "clinic-hisp", role)  # type: ignore[arg-type]
    response = {
        "secret": plain("clinic-hisp", secret[:-1]),
        "name": plain("somebody", secret),
        "role": plain("clinic-hisp", secret),
        "revoked": plain("clinic-hisp", "x" * 43),
        "acting": plain("clinic-hisp", secret, acting_for="root"),
        "form": base64.b64encode(b"clinic-hisp").decode(),
        "base64": "!!!",
    }[what]
    with listening(house, options(authentication="required")) as at, at.dialogue() as smtp:
        assert named(smtp, response)[:3] in ("535", "501")
        assert smtp.say(f"MAIL FROM:<{SENDER}>").startswith("530")
    assert received(house) == ()
    assert any(key[0] == "SMTP-IN" for key in refusals(house))


def test_ett_smtp_22_credentials_are_asked_for_under_tls_alone(house: MailHouse) -> None:
    given = options(authentication="required", tls_required=False)
    with listening(house, given) as at, at.dialogue() as smtp:
        assert "AUTH" not in smtp.say("EHLO sender.example")
        assert smtp.say("AUTH PLAIN AGEAYg==").startswith("538")
        assert smtp.say(f"MAIL FROM:<{SENDER}>").startswith("530")


def test_a_response_to_a_challenge_is_as_good_as_an_initial_one(house: MailHouse) -> None:
    secret = token(house, "clinic-hisp")
    with listening(house, options(authentication="required")) as at, at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        smtp.start_tls()
        smtp.say("EHLO sender.example")
        assert smtp.say("AUTH PLAIN").startswith("334")
        assert smtp.say(plain("clinic-hisp", secret)).startswith("235")


def test_a_system_of_one_plan_brings_no_mail_for_another(house: MailHouse) -> None:
    secret = token(house, "clinic-hisp")
    with listening(house, options(authentication="required")) as at, at.dialogue() as smtp:
        named(smtp, plain("clinic-hisp", secret))
        assert smtp.send(to=(OTHER_INTAKE,)).startswith("503")
        smtp.say("RSET")
        assert smtp.send(to=(INTAKE,)).startswith("250")
    assert (len(received(house, PLAN)), len(received(house, OTHER_PLAN))) == (1, 0)
