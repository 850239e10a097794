"""The log on the terminal: whose records, in whatever room there is, and into whatever file."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli import exchanges
from gateway.cli.terminal import out
from gateway.model.identity import MemberId, PlanId
from gateway.store import members
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.house import MEMBER, open_house


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    found = furnish(tmp_path)
    found.run("members", "show", MEMBER.member_id, "--plan", "acme")
    return found


def test_a_member_is_found_by_the_number_whichever_plans_it_is(terminal: Terminal) -> None:
    by_id = terminal.run("exchanges", "list", "--member", MEMBER.id, "--json").lines
    by_number = terminal.run("exchanges", "list", "--member", MEMBER.member_id, "--json").lines
    assert {one["member"] for one in by_number} == {MEMBER.id}
    assert len(by_number) >= len(by_id) >= 1


def test_who_is_nobody_is_said_to_be(terminal: Terminal) -> None:
    ended = terminal.run("exchanges", "list", "--member", "NOPE")
    assert (ended.exit_code, ended.out) == (1, "")
    assert "no member has that number" in ended.err
    assert "NOPE" not in ended.err
    asked = terminal.run("exchanges", "list", "--transaction", "CLI-EXCHANGES", "--json").lines
    assert asked[0]["reason"].startswith("0 records"), "who asked is on record all the same"


def test_a_partner_is_found_by_its_name_and_by_its_id(terminal: Terminal) -> None:
    file = terminal.write("p.toml", 'name = "North Clinic"\nhome_community_id = "2.999.77"\n')
    terminal.run("partners", "add", file)
    for called in ("North Clinic", "2.999.77"):
        (found,) = terminal.run("exchanges", "list", "--partner", called, "--json").lines
        assert (found["transaction"], found["partner"]) == ("CLI-PARTNER-ADD", "2.999.77")


def test_a_name_of_two_partners_needs_an_id(terminal: Terminal) -> None:
    for home in ("2.999.77", "2.999.78"):
        file = terminal.write("p.toml", f'name = "North"\nhome_community_id = "{home}"\n')
        terminal.run("partners", "add", file)
    ended = terminal.run("exchanges", "list", "--partner", "North")
    assert ended.exit_code == 2
    assert "name one of 2.999.77, 2.999.78" in ended.err


def test_that_no_record_fits_is_said_beside_the_output(terminal: Terminal) -> None:
    ended = terminal.run("exchanges", "list", "--partner", "North Clinik", "--json")
    assert (ended.exit_code, ended.out, ended.err) == (0, "", "no record fits\n")


def test_a_number_of_two_plans_needs_the_plan(terminal: Terminal) -> None:
    theirs = replace(
        MEMBER,
        id=MemberId("00000000-0000-4000-8000-0000000000ff"),
        plan=PlanId("other"),
        demographics=replace(MEMBER.demographics, ids=()),
    )
    with open_house(terminal.folder, furnished=False, known=()) as house:
        house.database.write(lambda tx: members.put(tx, theirs))
    ended = terminal.run("exchanges", "list", "--member", MEMBER.member_id)
    assert ended.exit_code == 2
    assert "say --plan acme, other" in ended.err
    found = terminal.run("exchanges", "list", "--member", theirs.member_id, "--plan", "other")
    assert found.exit_code == 0


@pytest.mark.parametrize("width", [80, 160])
def test_nothing_is_cut_where_there_is_little_room(
    terminal: Terminal, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchanges.out, "_width", width)
    assert out.width == width
    terminal.run("exchanges", "list")
    (newest,) = terminal.run("exchanges", "list", "--limit", "1", "--json").lines
    shown = terminal.run("exchanges", "list", "--limit", "2").out
    assert "…" not in shown
    assert newest["time"][:19].replace("T", " ") in shown
    assert newest["transaction"] in shown
    assert newest["reason"] in shown


def test_output_that_is_not_taken_is_a_sentence(terminal: Terminal) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    listed = ["exchanges", "list", "--config", str(terminal.config)]
    for command in (listed, ["--help"]):
        with full.open("w") as taken:
            ended = subprocess.run(
                [sys.executable, "-m", "gateway", *command],
                stdout=taken,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert ended.returncode == 1
        assert ended.stderr == ("gateway: the output cannot be written: No space left on device\n")
