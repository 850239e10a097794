"""`gateway exchanges show --wire` and `--replay`: redacted unless asked, and each look recorded."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ccda.hl7v3 import PN
from gateway.model.exchange import Exchange
from gateway.model.identity import ConversationId
from gateway.store import exchange_log, members
from ihe.redaction import MARK
from ihe.soap import ITI_38_REQUEST, ITI_55_REQUEST
from tests.gateway.asking import ask, discovery, find_documents
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.house import MEMBER, a_rule, open_house, serving


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = furnish(tmp_path)
    with open_house(tmp_path, rules=[a_rule()], furnished=False) as house, serving(house) as door:
        asked = ask(find_documents(), ITI_38_REQUEST)
        assert door.post("/ihe/xca", asked.envelope).status == 200
    return made


def sequence(terminal: Terminal) -> int:
    (found,) = (one for one in terminal.records() if one["transaction"] == "ITI-38")
    return int(found["sequence"])


def test_the_messages_are_shown_redacted_or_whole_and_each_look_is_recorded(
    terminal: Terminal,
) -> None:
    number, patient = sequence(terminal), MEMBER.id
    for extra, is_whole in ((), False), (("--unredacted",), True):
        with terminal.recording() as records:
            ended = terminal.run("exchanges", "show", number, "--wire", *extra)
        assert ended.exit_code == 0, ended.err
        assert "ITI-38 from " in ended.out
        assert "request, " in ended.out
        assert "AdhocQueryResponse" in ended.out
        assert ("Nora Nurse" in ended.out, patient in ended.out) == (is_whole, is_whole)
        assert (MARK in ended.out) is not is_whole
        (record,) = records
        told = f"record {number} with its wire bytes"
        assert record["reason"] == (f"{told}, unredacted" if is_whole else told)


def test_what_is_read_today_is_told_and_is_as_it_was(terminal: Terminal) -> None:
    number = sequence(terminal)
    ended = terminal.run("exchanges", "show", number, "--replay")
    assert "asks by FindDocuments" in ended.out
    assert "All is read as it was." in ended.out
    (form,) = terminal.run("exchanges", "show", number, "--replay", "--json").lines
    assert form["sequence"] == number
    assert [one["what"] for one in form["today"]] == ["request", "answer"]
    assert not any(one["differs"] for one in form["today"])


def test_whom_todays_roster_would_name_instead_is_told(tmp_path: Path) -> None:
    terminal = furnish(tmp_path)
    with open_house(tmp_path, rules=[a_rule()], furnished=False) as house, serving(house) as door:
        asked = ask(discovery(), ITI_55_REQUEST)
        assert door.post("/ihe/xcpd", asked.envelope).status == 200
    (found,) = (one for one in terminal.records() if one["transaction"] == "ITI-55")
    show = ("exchanges", "show", found["sequence"], "--replay")
    unchanged = terminal.run(*show).out
    assert "success: judged: match (96)" in unchanged
    assert "would be answered with: one match (score 96)" in unchanged
    assert "All is read as it was." in unchanged
    otherwise = replace(MEMBER.demographics, names=(PN("Otherwise", ("Ottoline",)),))
    with open_house(tmp_path, furnished=False) as house:
        changed = replace(MEMBER, demographics=otherwise)
        house.database.write(lambda tx: members.put(tx, changed))
    with terminal.recording() as looks:
        ended = terminal.run(*show)
    assert "! would be answered with: no match: " in ended.out
    assert "(then one match (score 96))" in ended.out
    assert "1 would be otherwise today" in ended.out
    assert "Ottoline" not in ended.out and "Sampleton" not in ended.out
    assert [one["reason"] for one in looks] == [f"record {found['sequence']} reread"]


def test_unredacted_alone_is_a_wrong_usage(terminal: Terminal) -> None:
    ended = terminal.run("exchanges", "show", 1, "--unredacted")
    assert ended.exit_code == 2
    assert "goes with --wire" in ended.err


def test_a_story_is_told_as_its_exchanges_began_not_as_they_ended(tmp_path: Path) -> None:
    terminal = furnish(tmp_path)
    ended = ((2, "ITI-38"), (0, "REST-RETRIEVAL"), (1, "ITI-55"))
    with open_house(tmp_path, furnished=False) as house:
        for minute, name in ended:
            time = datetime(2026, 3, 1, 12, minute, tzinfo=UTC)
            record = Exchange(time, "out", name, "success", conversation=ConversationId("c-1"))
            house.database.write(lambda tx, one=record: exchange_log.append(tx, one))  # type: ignore[misc]
    told = terminal.run("exchanges", "show", "--conversation", "c-1", "--json").lines
    assert [one["transaction"] for one in told] == ["REST-RETRIEVAL", "ITI-55", "ITI-38"]
