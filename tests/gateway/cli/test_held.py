"""`gateway held` and `members opt-out`: a person decides at the terminal, and the log says who."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.model.link import Link
from gateway.store import links
from ihe.identifiers import Oid, PatientId
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.house import MEMBER, PLAN, a_partner, demo_document, open_house

OTHER_PERSON = demo_document("northfield_ccd.xml").replace(b"Sampleton", b"Zanzibarson")
WHY = ("--plan", "acme", "--reason", "she said so", "--json")
NUMBER = MEMBER.member_id


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    yield furnish(tmp_path)


@pytest.fixture
def document(terminal: Terminal) -> str:
    file = terminal.write("held.xml", OTHER_PERSON)
    terminal.run("ingest", file, "--plan", "acme")
    (form,) = terminal.run("held", "list", "--plan", "acme", "--json").lines
    return str(form["id"])


@pytest.fixture
def match(tmp_path: Path) -> tuple[Terminal, str]:
    terminal = furnish(tmp_path)
    link = Link(
        PLAN,
        MEMBER.id,
        a_partner().id,
        a_partner().home_community_id,
        PatientId("77", Oid("2.999.8.1.5")),
        "held",
        datetime.now(UTC),
        detail="another birth date",
    )
    with open_house(tmp_path, furnished=False) as house:
        house.database.write(lambda tx: links.put(tx, link))
    return terminal, link.id


def act(terminal: Terminal, *arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the command says, and the one record it makes."""
    with terminal.recording() as records:
        ended = terminal.run("held", *arguments, *WHY)
    assert ended.exit_code == 0, ended.err
    (form,), (record,) = ended.lines, records
    assert record["reason"] == "she said so"
    return form, record


def test_a_document_is_filed_taken_back_and_rejected(terminal: Terminal, document: str) -> None:
    form, record = act(terminal, "file", document, NUMBER)
    assert (form["state"], form["member"]) == ("filed", MEMBER.id)
    assert record["transaction"] == "CLI-HELD-FILE"
    assert (record["member"], json.loads(record["documents"])) == (MEMBER.id, [document])
    assert "None." in terminal.run("held", "list", "--plan", "acme").out
    form, record = act(terminal, "undo", document)
    assert (form["state"], form["candidate"]) == ("held", MEMBER.id)
    assert (record["transaction"], record["member"]) == ("CLI-HELD-UNDO", MEMBER.id)
    shown = terminal.run("held", "list", "--plan", "acme").out
    assert document in shown
    form, record = act(terminal, "reject", document)
    assert (form["state"], form["reason"]) == ("withdrawn", "she said so")
    assert (record["transaction"], record["member"]) == ("CLI-HELD-REJECT", None)


def test_a_filed_document_is_taken_out_of_its_members_record(terminal: Terminal) -> None:
    (filed, *_) = terminal.rows("SELECT id FROM document WHERE state = 'filed' ORDER BY number")
    form, record = act(terminal, "unfile", filed["id"])
    assert (form["state"], form["member"]) == ("withdrawn", None)
    assert (record["transaction"], record["member"]) == ("CLI-DOCUMENT-UNFILE", MEMBER.id)


def test_a_match_is_shown_confirmed_taken_back_and_rejected(match: tuple[Terminal, str]) -> None:
    terminal, id = match
    shown = terminal.run("held", "list", "--plan", "acme").out
    assert id in shown
    assert "another" in shown
    for command, state in (("confirm", "confirmed"), ("undo", "held"), ("reject", "rejected")):
        form, record = act(terminal, command, id)
        assert (form["id"], form["state"]) == (id, state)
        assert record["transaction"] == f"CLI-HELD-{command.upper()}"
        assert (record["member"], record["partner"]) == (MEMBER.id, a_partner().id)


def test_all_matches_of_a_member_are_shown_and_one_in_no_doubt_is_rejected(
    match: tuple[Terminal, str],
) -> None:
    terminal, id = match
    with open_house(terminal.folder, furnished=False) as house:
        (link,) = house.database.read(lambda tx: links.held(tx, plan=PLAN))
        changed = replace(link, state="confirmed", known=MEMBER.demographics)
        house.database.write(lambda tx: links.put(tx, changed))
    assert "None." in terminal.run("held", "list", "--plan", "acme").out
    with terminal.recording() as records:
        shown = terminal.run("held", "list", "--member", NUMBER, "--plan", "acme")
    assert id in shown.out and "confirmed" in shown.out
    assert shown.out.count("Sampleton") == 2, "ours and theirs"
    assert "77^^^" in shown.out
    assert [(one["transaction"], one["member"]) for one in records] == [("CLI-HELD", MEMBER.id)]
    form, _ = act(terminal, "reject", id)
    assert (form["state"], form["decided"]) == ("rejected", True)
    lines = terminal.run("held", "list", "--member", NUMBER, "--plan", "acme", "--json").lines
    assert [(one["id"], one["state"]) for one in lines] == [(id, "rejected")]
    assert lines[0]["known"]["birth_date"] and "ids" not in lines[0]["known"]
    assert terminal.run("held", "list", "--member", "none", "--plan", "acme").exit_code == 1


def test_what_waits_is_listed_page_by_page(match: tuple[Terminal, str]) -> None:
    terminal, id = match
    terminal.run("ingest", terminal.write("held.xml", OTHER_PERSON), "--plan", "acme")
    document = terminal.run("held", "list", "--plan", "acme", "--json").lines[0]["id"]
    shown: list[str] = []
    after: tuple[str, ...] = ()
    for _ in range(3):
        page = terminal.run("held", "list", "--plan", "acme", "--json", "--limit", "1", *after)
        shown += [one["id"] for one in page.lines]
        if "there may be more" not in page.err:
            break
        after = ("--after", shown[-1])
    assert shown == [document, id]
    assert terminal.run("held", "list", "--plan", "acme", "--after", id).out.strip() == "None."
    with terminal.recording() as records:
        ended = terminal.run("held", "list", "--plan", "acme", "--after", "nobody")
    assert (ended.exit_code, [one["outcome"] for one in records]) == (1, ["refused"])


@pytest.mark.parametrize("command", ["confirm", "reject", "undo", "unfile"])
def test_what_is_not_there_is_a_sentence_and_a_refused_record(
    terminal: Terminal, command: str
) -> None:
    with terminal.recording() as records:
        ended = terminal.run("held", command, "nothing", *WHY)
    assert ended.exit_code == 1
    assert "nothing was changed" in ended.err
    (record,) = records
    assert (record["outcome"], record["documents"]) == ("refused", "[]")


def test_what_does_not_wait_is_not_filed(terminal: Terminal, document: str) -> None:
    act(terminal, "reject", document)
    with terminal.recording() as records:
        ended = terminal.run("held", "file", document, NUMBER, *WHY)
    assert ended.exit_code == 1
    assert "is withdrawn" in ended.err
    assert [record["outcome"] for record in records] == ["refused"]


def test_who_has_opted_out_may_take_it_back(terminal: Terminal) -> None:
    for extra, word, kept in ((), "opted out", 1), (("--undo",), "opted in", 0):
        with terminal.recording() as records:
            ended = terminal.run(
                "members", "opt-out", NUMBER, "--reason", "by letter", "--plan", "acme", *extra
            )
        assert ended.exit_code == 0
        assert word in ended.out
        (record,) = records
        assert record["transaction"] == "CLI-MEMBER-CONSENT"
        assert (record["member"], record["reason"]) == (MEMBER.id, f"{word}: by letter")
        (row,) = terminal.rows("SELECT opted_out FROM member WHERE id = ?", MEMBER.id)
        assert row["opted_out"] == kept
