"""`submit`: what must be stated, what may not leave, and what a partner answers."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.model.partner import Endpoints
from gateway.store import partners, policy_rules
from gateway.store.values import dump
from tests.gateway import house as lakeshore
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.clients import asking_house as acme
from tests.gateway.house import MEMBER, a_partner, a_rule
from tests.gateway.submitting import a_take_rule

TO = ("--to", "Northfield Health", "--plan", "acme")
STATED = ("--purpose", "PAYMENT", "--requester", "Jane Roe")


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return furnish(tmp_path)


def reaches(terminal: Terminal, address: str | None) -> None:
    """The partner takes submissions there, and a rule gives it our own documents."""
    with closing(sqlite3.connect(terminal.database)) as connection:
        endpoints = dump(Endpoints(iti41=address))
        connection.execute("UPDATE partner SET endpoints = ?", (endpoints,))
        rule = a_rule(a_partner())
        connection.execute(
            "INSERT INTO policy_rule (plan, name, rule) VALUES (?, ?, ?)",
            (rule.plan, rule.name, dump(rule)),
        )
        connection.commit()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([*TO], "--purpose"),
        ([*TO, "--purpose", "PAYMENT"], "--requester"),
        ([*TO, "--purpose", "CURIOSITY", "--requester", "J"], "known are"),
        (["--to", "Nobody", "--plan", "acme", *STATED], "no partner is called Nobody"),
        (["--to", "Northfield Health", *STATED], "acme, other"),
    ],
)
def test_what_is_not_stated_is_usage_and_nothing_leaves(
    terminal: Terminal, arguments: list[str], word: str
) -> None:
    with terminal.recording() as records:
        ended = terminal.run("submit", MEMBER.member_id, *arguments)
    assert ended.exit_code == 2 and word in ended.err
    # Whom a plan asks for is on record, also when there is no such partner.
    assert [record["outcome"] for record in records] == ["refused"] * ("Nobody" in arguments)


def test_what_no_rule_gives_is_refused_on_record(terminal: Terminal) -> None:
    reaches(terminal, "https://localhost:1/ihe/xdr")
    with terminal.recording() as records:
        ended = terminal.run("submit", MEMBER.member_id, *TO, *STATED, "--summary")
    assert ended.exit_code == 1 and "no rule gives this partner" in ended.err
    (record,) = records
    assert (record["transaction"], record["outcome"]) == ("CLI-SUBMISSION", "refused")
    assert (record["member"], record["purpose"]) == (MEMBER.id, "PAYMENT")


def test_a_partner_that_cannot_be_reached_is_said_and_each_attempt_recorded(
    terminal: Terminal,
) -> None:
    reaches(terminal, "https://localhost:1/ihe/xdr")
    before = len(terminal.records())
    ended = terminal.run("submit", MEMBER.member_id, *TO, *STATED)
    assert ended.exit_code == 1 and "no connection could be made" in ended.err
    made = terminal.records()[before:]
    assert [(one["transaction"], one["outcome"]) for one in made] == [
        ("CLI-SUBMISSION", "success"),
        *[("ITI-41", "failed")] * 3,
    ]
    assert len({one["conversation"] for one in made}) == 1


def test_documents_are_taken_and_the_command_says_which(terminal: Terminal, tmp_path: Path) -> None:
    us = lakeshore.a_partner(lakeshore.US, str(lakeshore.HOME))
    with (
        acme.asking_house(tmp_path / "theirs", [us]) as theirs,
        lakeshore.serving(theirs) as door,
    ):
        theirs.database.write(lambda tx: policy_rules.put(tx, a_take_rule(plan=acme.PLAN)))
        theirs.database.write(lambda tx: partners.put(tx, us))
        reaches(terminal, f"https://localhost:{door.port}/ihe/xdr")
        settle(terminal)
        ended = terminal.run("submit", MEMBER.member_id, *TO, *STATED, "--json")
    assert ended.exit_code == 0, ended.err
    (form,) = ended.lines
    assert form["outcome"] == "success" and len(form["documents"]) > 1


def settle(terminal: Terminal) -> None:
    """The partner shows the certificate of the one that answers."""
    pem = lakeshore.certificate_of(acme.NAME).certificate_pem
    with closing(sqlite3.connect(terminal.database)) as connection:
        connection.execute("UPDATE partner_certificate SET pem = ?", (pem,))
        connection.commit()
