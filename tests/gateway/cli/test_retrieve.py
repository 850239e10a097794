"""`retrieve`: what must be stated, who is not asked for, and that each is recorded."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.house import MEMBER

STATED = ("--purpose", "PAYMENT", "--requester", "Jane Roe", "--plan", "acme")


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return furnish(tmp_path)


def change(terminal: Terminal, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(terminal.database)) as connection:
        connection.execute(statement, values)
        connection.commit()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["LS-0093345"], "--purpose"),
        (["LS-0093345", "--purpose", "PAYMENT"], "--requester"),
        (["LS-0093345", "--requester", "Jane"], "--purpose"),
        (["LS-0093345", "--purpose", " ", "--requester", "Jane"], "--purpose"),
        (["LS-0093345", "--purpose", "PAYMENT", "--requester", " "], "--requester"),
        (["--purpose", "PAYMENT", "--requester", "Jane"], "--roster"),
        (["x", "--roster", "r.csv", "--purpose", "PAYMENT", "--requester", "J"], "--roster"),
        (["LS-0093345", "--purpose", "CURIOSITY", "--requester", "Jane"], "known are"),
        (["--roster", "none.csv", "--purpose", "PAYMENT", "--requester", "J"], "cannot be read"),
        (["LS-0093345", "--purpose", "PAYMENT", "--requester", "J", "--plan", "x"], "no plan x"),
        (["LS-0093345", "--purpose", "PAYMENT", "--requester", "Jane"], "acme, other"),
    ],
)
def test_what_is_not_stated_is_usage_and_nothing_is_asked(
    terminal: Terminal, arguments: list[str], word: str
) -> None:
    with terminal.recording() as records:
        ended = terminal.run("retrieve", *arguments)
    assert ended.exit_code == 2
    assert word in ended.err
    assert ended.err.count("\n") == 1
    assert records == []
    assert terminal.rows("SELECT * FROM retrieval") == []


@pytest.mark.parametrize("content", ["", "member_id\n", "number\n7\n", b"member_id\n\xff\n"])
def test_a_roster_that_names_nobody_is_usage(terminal: Terminal, content: str | bytes) -> None:
    file = terminal.write("r.csv", content)
    assert terminal.run("retrieve", "--roster", file, *STATED).exit_code == 2


def test_without_certificates_nobody_can_be_asked(terminal: Terminal) -> None:
    text = terminal.config.read_text()
    plain = text[: text.index("[tls]")] + text[text.index("[[plans]]") :]
    terminal.config.write_text(plain)
    ended = terminal.run("retrieve", MEMBER.member_id, *STATED)
    assert ended.exit_code == 2
    assert "[tls]" in ended.err


REFUSED = {
    "treatment": ("", ("--purpose", "TREATMENT"), "treatment"),
    "no coverage": ("UPDATE member SET coverage_end = '2020-01-01'", (), "coverage"),
    "opted out": ("UPDATE member SET opted_out = 1", (), "opted out"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_whom_policy_protects_is_not_asked_for_and_the_refusal_is_recorded(
    terminal: Terminal, case: str
) -> None:
    statement, stated, word = REFUSED[case]
    if statement:
        change(terminal, statement)
    with terminal.recording() as records:
        ended = terminal.run("retrieve", MEMBER.member_id, *STATED, *stated)
    assert ended.exit_code == 1
    assert "nothing was asked" in ended.err
    (record,) = records
    assert (record["transaction"], record["outcome"]) == ("CLI-RETRIEVAL", "refused")
    assert (record["plan"], record["member"]) == ("acme", MEMBER.id)
    assert record["purpose"] == (stated or STATED)[1]
    assert word in record["reason"]
    assert terminal.rows("SELECT * FROM retrieval") == []


def test_a_member_who_is_nobody_is_recorded_without_the_number(terminal: Terminal) -> None:
    with terminal.recording() as records:
        ended = terminal.run("retrieve", "Zanzibarson", *STATED)
    assert ended.exit_code == 1
    (record,) = records
    assert (record["outcome"], record["member"]) == ("refused", None)
    assert "Zanzibarson" not in str(record)


def test_a_partner_that_takes_no_discovery_is_shown_as_not_asked(terminal: Terminal) -> None:
    with terminal.recording() as records:
        ended = terminal.run(
            "retrieve", MEMBER.member_id, *STATED, "--authority", "claim 7", "--since",
            "2024-01-31", "--json",
        )  # fmt: skip
    assert ended.exit_code == 1, "nobody answered"
    (form,) = ended.lines
    assert form["state"] == "failed"
    assert [(one["partner"], one["outcome"]) for one in form["partners"]] == [
        ("Northfield Health", "not_asked")
    ]
    (record,) = records
    assert (record["transaction"], record["outcome"]) == ("CLI-RETRIEVAL", "success")
    assert (record["member"], record["purpose"], record["authority"]) == (
        MEMBER.id, "PAYMENT", "claim 7",
    )  # fmt: skip
    (stored,) = terminal.rows("SELECT * FROM retrieval")
    assert record["conversation"] == stored["conversation"]
    assert (stored["person"], stored["since"]) == ("Jane Roe", "2024-01-31")


def test_a_roster_goes_on_after_whoever_is_refused_and_ends_in_part(terminal: Terminal) -> None:
    change(terminal, "DELETE FROM partner_certificate")
    change(terminal, "DELETE FROM partner")  # with nobody to ask, a retrieval is done at once
    file = terminal.write("r.csv", f"plan, member_id\nacme,nobody\nacme, {MEMBER.member_id}\n")
    with terminal.recording() as records:
        ended = terminal.run("retrieve", "--roster", file, *STATED)
    assert ended.exit_code == 3
    assert "line 2: nothing was asked" in ended.err
    assert "done" in ended.out
    assert [record["outcome"] for record in records] == ["refused", "success"]
    only = terminal.write("one.csv", f"member_id\n{MEMBER.member_id}\n")
    assert terminal.run("retrieve", "--roster", only, *STATED).exit_code == 0


def test_what_is_printed_for_programs_is_json_alone(terminal: Terminal) -> None:
    ended = terminal.run("retrieve", MEMBER.member_id, *STATED, "--json")
    assert [json.loads(line)["id"] for line in ended.out.splitlines()] == [
        row["id"] for row in terminal.rows("SELECT id FROM retrieval")
    ]
