"""SMTP smuggling: a message ends where RFC 5321 says, and what was put in before TLS is not heard.

CVE-2023-51764 and its kin: two servers that disagree about where a message ends make one message
into two, the second in somebody else's name.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.intakes.smtp_data import DataReader, Fault
from tests.gateway.house import refusals
from tests.gateway.intakes.mail_house import (
    INTAKE,
    MESSAGE,
    SENDER,
    At,
    MailHouse,
    content,
    listening,
    mail_house,
    options,
    received,
)

SMUGGLED = (
    b"MAIL FROM:<ceo@direct.clinic.example>\r\nRCPT TO:<intake@direct.acme.example>\r\n"
    b"DATA\r\nSubject: smuggled\r\n\r\nevil\r\n.\r\n"
)
FALSE_ENDS = (
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\n\n.\r\n",
    b"\r\n\r.\r\n", b"\r\n.\r\r\n",
)  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> Iterator[MailHouse]:
    with mail_house(tmp_path) as opened:
        yield opened


@pytest.fixture
def at(house: MailHouse) -> Iterator[At]:
    with listening(house) as place:
        yield place


@pytest.mark.parametrize("end", FALSE_ENDS)
def test_smuggling_by_a_false_end_delivers_nothing_and_ends_the_session(
    house: MailHouse, at: At, end: bytes
) -> None:
    with at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        for command in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{INTAKE}>", "DATA"):
            smtp.say(command)
        smtp.write(b"Subject: innocent\r\n\r\nfirst" + end + SMUGGLED)
        assert smtp.hear().startswith("550 5.5.2")
        assert smtp.hear() == ""
    assert received(house) == ()
    assert refusals(house)[("SMTP-IN", "127.0.0.1", "a lone CR or LF within the message")] == 1


def test_a_dot_alone_ends_only_between_whole_line_ends(house: MailHouse, at: At) -> None:
    """The dot-stuffed `..` on a line of its own is one dot of the message."""
    with at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        for command in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{INTAKE}>", "DATA"):
            smtp.say(command)
        smtp.write(b"a\r\n..\r\nb\r\n.\r\n")
        assert smtp.hear().startswith("250")
    assert content(house, received(house)[0]) == b"a\r\n.\r\nb\r\n"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
def test_however_the_bytes_are_cut_they_say_the_same(size: int) -> None:
    wire = b"..two\r\n.x\r\n\r\n..\r\nlast\r\n.\r\nQUIT\r\n"
    reader, lines = DataReader(10_000), b""
    for start in range(0, len(wire), size):
        lines += reader.feed(wire[start : start + size])
        if reader.ended:
            rest = reader.rest + wire[start + size :]
            break
    assert (lines, rest, reader.fault) == (b".two\r\nx\r\n\r\n.\r\nlast\r\n", b"QUIT\r\n", None)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 1000])
@pytest.mark.parametrize("bad", [b"a\nb", b"a\rb", b"x" * 999, b"y" * 5000])
def test_after_a_fault_the_end_is_still_found(size: int, bad: bytes) -> None:
    wire = b"one\r\n" + bad + b"\r\ntwo\r\n.\r\nNOOP\r\n"
    reader, lines = DataReader(10_000), b""
    for start in range(0, len(wire), size):
        lines += reader.feed(wire[start : start + size])
        if reader.ended:
            rest = reader.rest + wire[start + size :]
            break
    assert reader.ended and rest == b"NOOP\r\n"
    assert reader.fault is (Fault.BARE_LINE_END if b"a" in bad else Fault.LONG_LINE)
    assert b"two" not in lines


def test_a_line_of_1000_octets_is_taken_and_one_of_1001_is_not() -> None:
    for length, fault in ((998, None), (999, Fault.LONG_LINE)):
        reader = DataReader(10_000)
        reader.feed(b"x" * length + b"\r\n.\r\n")
        assert reader.fault is fault


def test_a_doubled_dot_does_not_count_towards_the_line() -> None:
    reader = DataReader(10_000)
    assert reader.feed(b"." + b"." * 998 + b"\r\n.\r\n") == b"." * 998 + b"\r\n"
    assert reader.fault is None


def test_an_empty_message_is_one(house: MailHouse, at: At) -> None:
    assert at.send(b"").startswith("250")
    assert content(house, received(house)[0]) == b""


def test_a_line_longer_than_smtp_allows_is_refused(house: MailHouse, at: At) -> None:
    assert at.send(MESSAGE + b"x" * 1200 + b"\r\n").startswith("500")
    assert received(house) == ()


# ---- STARTTLS --------------------------------------------------------------------------------


def test_starttls_injection_is_refused_and_the_session_ended(house: MailHouse) -> None:
    """CVE-2024-34083: commands in the clear must not be heard as if they had come under TLS."""
    with listening(house, options()) as at, at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        smtp.write(b"STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@direct.clinic.example>\r\n")
        assert smtp.hear().startswith("501")
        assert smtp.hear() == ""
    assert received(house) == ()


def test_what_was_said_before_tls_is_forgotten(house: MailHouse) -> None:
    """RFC 3207: 4.2."""
    with listening(house, options()) as at, at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        assert smtp.start_tls().startswith("220")
        assert smtp.say(f"MAIL FROM:<{SENDER}>").startswith("503")
        smtp.say("EHLO sender.example")
        assert smtp.send().startswith("250")


@pytest.mark.parametrize("command", [f"MAIL FROM:<{SENDER}>", "AUTH PLAIN AGEAYg==", "DATA"])
def test_nothing_goes_before_starttls_on_a_real_address(house: MailHouse, command: str) -> None:
    with listening(house, options()) as at, at.dialogue() as smtp:
        assert "STARTTLS" in smtp.say("EHLO sender.example")
        assert smtp.say(command).startswith("530")
    assert received(house) == ()


def test_a_second_starttls_is_not_taken(house: MailHouse) -> None:
    with listening(house, options()) as at, at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        smtp.start_tls()
        assert "STARTTLS" not in smtp.say("EHLO sender.example")


# ---- addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipient",
    [
        "<intake\0@direct.acme.example>",
        "<intake@direct.acme.example\0.evil.example>",
        "<intаke@direct.acme.example>",  # a Cyrillic letter
        "<intake@dirеct.acme.example>",
        '<"intake@evil"@direct.acme.example>',
        "<intake(comment)@direct.acme.example>",
        "intake@direct.acme.example",
        "<intake@direct.acme.example",
        "<intake@direct.acme.example> BAD=1",
        "<intake@[127.0.0.1]>",
        "<intake%evil.example@direct.acme.example ,x@y.example>",
        "<>",
        "<" + "x" * 65 + "@direct.acme.example>",
    ],
)
def test_nul_idn_quoted_and_routed_addresses_are_refused(
    house: MailHouse, at: At, recipient: str
) -> None:
    with at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        smtp.say(f"MAIL FROM:<{SENDER}>")
        assert smtp.say(f"RCPT TO:{recipient}")[:1] == "5"
    assert received(house) == ()


@pytest.mark.parametrize(
    "sender", ["<nurse\0@x.example>", "<nursé@x.example>", "<a@b@x.example>", "<nobody>"]
)
def test_a_sender_that_is_no_address_is_refused(house: MailHouse, at: At, sender: str) -> None:
    with at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        assert smtp.say(f"MAIL FROM:{sender}")[:1] == "5"


def test_header_injection_through_an_address_is_no_command(house: MailHouse, at: At) -> None:
    """A bare LF ends a command line for many servers: what follows must not become a recipient."""
    with at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
        smtp.write(b"MAIL FROM:<a@x.example\nRCPT TO:<intake@direct.acme.example>\r\n")
        assert [smtp.hear()[:3] for _ in range(2)] == ["553", "503"]
        assert smtp.say("DATA").startswith("503")


def test_a_source_route_is_passed_over(house: MailHouse, at: At) -> None:
    assert at.send(to=("@relay.example:intake@direct.acme.example",)).startswith("250")
    assert received(house)[0].rcpt_to == (INTAKE,)
