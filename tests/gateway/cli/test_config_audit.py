"""What `config check` says of `[audit]`, and `audit status` and `retry` of its repositories."""

from functools import partial
from pathlib import Path

import pytest

from gateway.app.house import open_house
from gateway.model.audit_feed import DeadLetter
from gateway.settings import load_settings
from gateway.store import audit_feed
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.house import MEMBER, key_files

UDP = '\n[[audit.repositories]]\nname = "plain"\naddress = "udp://127.0.0.1:9"\n'


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return furnish(tmp_path)


def checked(terminal: Terminal, more: str) -> list[str]:
    terminal.config.write_text(terminal.config.read_text() + more)
    ended = terminal.run("config", "check")
    assert ended.exit_code == 0, ended.err
    return ended.out.splitlines()


def test_who_is_told_and_where_checkpoints_go_is_said_in_words(terminal: Terminal) -> None:
    anchor, _ = key_files("Our gateway")
    lines = checked(
        terminal,
        f"""
[[audit.repositories]]
name = "arr"
address = "tls://arr.example:6514"
anchors = ["{anchor}"]
whole_log = true

[[audit.publish]]
folder = "{terminal.folder}"

[[audit.publish]]
repository = "arr"

[[audit.publish]]
mail = "auditor@watch.example"
sender = "gateway@plan.example"
smarthost = {{server = "mail.plan.example:587"}}
""",
    )
    assert "audit           arr at tls://arr.example:6514, over mutual TLS: the whole log" in lines
    assert [line for line in lines if line.startswith("checkpoints")] == [
        f"checkpoints     go to {terminal.folder}",
        "checkpoints     go to the audit repository arr",
        "checkpoints     go to auditor@watch.example by mail, through mail.plan.example:587,"
        " once in 24 hours",
    ]
    assert not any("fewer than two" in line or "UDP" in line for line in lines)


def test_what_is_lax_about_the_log_is_a_warning(terminal: Terminal) -> None:
    warnings = [line for line in checked(terminal, UDP) if line.startswith("warning: ")]
    assert any("plain is told over UDP" in line for line in warnings)
    assert any("fewer than two places" in line for line in warnings)


@pytest.mark.parametrize(
    "more",
    [
        UDP.replace("udp", "tls") + 'anchors = ["none.pem"]\n',
        '\n[[audit.publish]]\nmail = "a@b.example"\nsender = "c@d.example"\n'
        'smarthost = {server = "m.example:25", password_file = "none.pem"}\n',
    ],
    ids=["anchors", "password"],
)
def test_a_file_that_is_missing_is_named(terminal: Terminal, more: str) -> None:
    terminal.config.write_text(terminal.config.read_text() + more)
    ended = terminal.run("config", "check")
    assert ended.exit_code == 1
    assert "none.pem cannot be read" in ended.err


# ---- the feed --------------------------------------------------------------------------------


def bury(terminal: Terminal) -> None:
    """The repository was told of the first record, and one could not be told."""
    with open_house(load_settings(terminal.config)) as house:
        house.database.write(partial(audit_feed.begin, repository="plain", whole_log=True))
        letter = DeadLetter(2, "it is longer than can be carried")
        house.database.write(lambda tx: audit_feed.bury(tx, "plain", letter))
        house.database.write(lambda tx: audit_feed.advance(tx, "plain", sequence=2))


def test_a_repository_that_was_never_fed_says_so(terminal: Terminal) -> None:
    assert "no audit repository is configured" in terminal.run("audit", "status").out
    terminal.config.write_text(terminal.config.read_text() + UDP)
    assert "plain has never been fed" in terminal.run("audit", "status").out
    assert terminal.run("audit", "status", "--json").lines == []


def test_the_lag_and_the_dead_letters_are_shown_and_sent_again_when_asked(
    terminal: Terminal,
) -> None:
    terminal.config.write_text(terminal.config.read_text() + UDP)
    for _ in range(5):
        terminal.run("members", "show", MEMBER.member_id, "--plan", "acme")
    bury(terminal)
    (form,) = terminal.run("audit", "status", "--json").lines
    assert (form["repository"], form["records_behind"], form["dead_letters"]) == ("plain", 3, 1)
    assert form["seconds_behind"] > 0
    assert form["first_dead_letters"] == [
        {"sequence": 2, "reason": "it is longer than can be carried"}
    ]
    shown = terminal.run("audit", "status").out
    assert "record 2 did not go: it is longer than can be carried" in shown
    with terminal.recording() as records:
        ended = terminal.run("audit", "retry", "plain")
    assert ended.out == "1 records will be sent again\n"
    assert [(one["transaction"], one["reason"]) for one in records] == [
        ("CLI-AUDIT-RETRY", "1 dead letters of plain")
    ]
