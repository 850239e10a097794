"""`direct inbox`, `quarantine list|show|replay`: messages at the terminal."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.app.house import open_house
from gateway.exchange.spooling import Envelope, MailMeans, Spool
from gateway.model.identity import MailId
from gateway.model.mail_domains import MailDomains
from gateway.model.received_mail import MailState
from gateway.settings import load_settings
from gateway.store import mail_received
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.house import PLAN


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return furnish(tmp_path)


SEALED = b"Message-ID: <m1@clinic.example>\r\n\r\nbytes\r\n"


def give(terminal: Terminal, *, quarantined: str | None = None, content: bytes = SEALED) -> str:
    """A message that came to the house; its id."""
    with open_house(load_settings(terminal.config)) as house:
        means = MailMeans(house.archive, house.queue, MailDomains({"direct.acme.example": PLAN}))
        envelope = Envelope("SMTP", "nurse[red]@clinic.example", ("intake@direct.acme.example",))

        async def take() -> str:
            async with Spool(means, envelope) as spool:
                await spool.write(content)
                (taken,) = await spool.commit()
                return taken.message.id

        message = asyncio.run(take())
    if quarantined is not None:
        settle(terminal, message, "quarantined", quarantined)
    return message


def settle(terminal: Terminal, message: str, state: MailState, reason: str | None) -> None:
    with open_house(load_settings(terminal.config)) as house:
        house.database.write(
            lambda tx: mail_received.settle(
                tx,
                plan=PLAN,
                message=MailId(message),
                state=state,
                reason=reason,
                now=datetime.now(UTC),
            )
        )


def test_the_inbox_shows_what_came_and_what_became_of_it(terminal: Terminal) -> None:
    assert terminal.run("direct", "inbox", "--plan", "acme").out.strip() == "None."
    message = give(terminal)
    with terminal.recording() as records:
        (form,) = terminal.run("direct", "inbox", "--plan", "acme", "--json").lines
    assert (form["id"], form["state"], form["to"]) == (
        message, "spooled", ["intake@direct.acme.example"]
    )  # fmt: skip
    assert [record["transaction"] for record in records] == ["CLI-INBOX"]
    shown = terminal.run("direct", "inbox", "--plan", "acme").out
    assert message in shown and "spool" in shown
    quiet = terminal.run("direct", "inbox", "--plan", "acme", "--state", "filed", "--json")
    assert quiet.lines == []
    assert terminal.run("direct", "inbox", "--plan", "other", "--json").lines == []


def test_a_state_that_is_none_is_a_usage_error(terminal: Terminal) -> None:
    ended = terminal.run("direct", "inbox", "--plan", "acme", "--state", "lost")
    assert ended.exit_code == 2 and "spooled" in ended.err


def test_a_quarantined_message_is_listed_shown_and_replayed(terminal: Terminal) -> None:
    message = give(terminal, quarantined="its signer is not trusted")
    (form,) = terminal.run("quarantine", "list", "--plan", "acme", "--json").lines
    assert (form["id"], form["what"]) == (message, "message")
    assert message in terminal.run("quarantine", "list", "--plan", "acme").out
    shown = terminal.run("quarantine", "show", message, "--plan", "acme").out
    assert "its signer is not trusted" in shown
    with terminal.recording() as records:
        ended = terminal.run("quarantine", "replay", message, "--plan", "acme")
    assert ended.exit_code == 0, ended.err
    (record,) = records
    assert (record["transaction"], record["conversation"]) == ("CLI-REPLAY", message)
    assert len(terminal.rows("SELECT * FROM job WHERE kind = 'mail_receive'")) == 2
    assert terminal.run("quarantine", "list", "--plan", "acme", "--json").lines == []


def test_what_is_not_in_quarantine_is_not_replayed_and_that_is_recorded(
    terminal: Terminal,
) -> None:
    message = give(terminal)
    for item, word in ((message, "spooled"), ("nobody", "no message")):
        with terminal.recording() as records:
            ended = terminal.run("quarantine", "replay", item, "--plan", "acme")
        assert ended.exit_code == 1 and word in ended.err
        (record,) = records
        assert (record["transaction"], record["outcome"]) == ("CLI-REPLAY", "refused")
    assert terminal.run("quarantine", "show", message, "--plan", "acme").exit_code == 1


def test_a_quarantined_document_is_shown_and_read_again(terminal: Terminal) -> None:
    terminal.run("ingest", terminal.write("bad.xml", "no document"), "--plan", "acme")
    (form,) = terminal.run("quarantine", "list", "--plan", "acme", "--json").lines
    assert form["what"] == "document"
    (shown,) = terminal.run("quarantine", "show", form["id"], "--plan", "acme", "--json").lines
    assert shown["attempts"] == 1
    with terminal.recording() as records:
        ended = terminal.run("quarantine", "replay", form["id"], "--plan", "acme")
    assert ended.exit_code == 1 and "quarantined" in ended.out
    assert [record["transaction"] for record in records] == ["CLI-REPLAY"]
    (shown,) = terminal.run("quarantine", "show", form["id"], "--plan", "acme", "--json").lines
    assert shown["attempts"] == 2


PARTS = (
    b"From: a@x.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nSee the pictures.\r\n"
    b"--b\r\nContent-Type: application/pdf\r\n"
    b'Content-Disposition: attachment; filename="../../.ssh/My letter;rm -rf.pdf"\r\n\r\n'
    b"%PDF-1.7\n\x00binary\r\n"
    b"--b\r\nContent-Type: text/x-vcard\r\n"
    b'Content-Disposition: attachment; filename="..\\.hidden"\r\n\r\n'
    b"BEGIN:VCARD\r\n--b--\r\n"
)


def test_what_a_message_carries_is_saved_as_files_of_harmless_names(
    terminal: Terminal, tmp_path: Path
) -> None:
    speaks_for_hisp(terminal)
    message, folder = give(terminal, content=PARTS), tmp_path / "saved"
    show = ("direct", "inbox", "show", message, "--plan", "acme", "--save", str(folder))
    assert (terminal.run(*show).exit_code, folder.exists()) == (1, False)
    settle(terminal, message, "filed", None)
    with terminal.recording() as made:
        shown = terminal.run(*show)
    assert shown.exit_code == 0, shown.err
    saved = {one.name: one.read_bytes() for one in folder.iterdir()}
    assert saved == {
        "001-part_1.txt": b"See the pictures.",
        "002-My_letter_rm_-rf.pdf": b"%PDF-1.7\n\x00binary",
        "003-part.hidden": b"BEGIN:VCARD",
    }
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(name in shown.out for name in saved)
    (record,) = made
    assert (record["transaction"], record["reason"]) == (
        "CLI-INBOX-SHOW", "what it carries is saved as files"
    )  # fmt: skip
    again = terminal.run(*show)
    assert again.exit_code == 2 and "File exists" in again.err


def speaks_for_hisp(terminal: Terminal) -> None:
    mail = '[mail]\nmode = "hisp"\ndomains = [{name = "direct.acme.example", plan = "acme"}]\n'
    terminal.config.write_text(terminal.config.read_text() + mail)


def test_a_trusted_message_is_shown_and_what_was_not_trusted_is_not(terminal: Terminal) -> None:
    speaks_for_hisp(terminal)
    message = give(terminal, content=b"Subject: Hi\r\nFrom: a@x.test\r\n\r\nA word\x1b[2J.\r\n")
    show = ("direct", "inbox", "show", message, "--plan", "acme")
    refused = terminal.run(*show)
    assert (refused.exit_code, "it is spooled" in refused.err) == (1, True)
    settle(terminal, message, "filed", None)
    with terminal.recording() as made:
        shown = terminal.run(*show)
    assert shown.exit_code == 0, shown.err
    assert "Subject       Hi" in shown.out and "A word" in shown.out
    assert "\x1b" not in shown.out
    assert [one["transaction"] for one in made] == ["CLI-INBOX-SHOW"]
    (form,) = terminal.run(*show, "--json").lines
    assert (form["id"], form["content"]["subject"]) == (message, "Hi")
    assert terminal.run("direct", "inbox", "show", "nothing", "--plan", "acme").exit_code == 1
