"""`retrieve --roster`: many at once, each told as it ends, stopped and gone on with."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ccda.hl7v3 import PN, TS
from gateway.cli import roster_run
from gateway.model.identity import MemberId
from gateway.model.member import Member
from gateway.model.partner import Partner
from gateway.store import members, partners
from gateway.store.database import Database, open_database
from ihe.identifiers import HomeCommunityId
from ihe.xcpd import NoMatch
from tests.gateway.cli.terminal import Ended, Terminal, furnish
from tests.gateway.clients.scripted_partner import Answer, Heard, Reply, discovered, scripted
from tests.gateway.house import MEMBER

STATED = ("--purpose", "PAYMENT", "--requester", "Jane Roe", "--plan", "acme")
AGAIN = (*STATED, "--skip-asked-within", "1")
ELSEWHERE = HomeCommunityId.parse("2.999.7305.1")


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return furnish(tmp_path)


@contextmanager
def furnished(terminal: Terminal) -> Iterator[Database]:
    key_file = terminal.folder / "keys" / "key-encryption-key"
    with closing(open_database(f"sqlite:///{terminal.database}", key_file=key_file)) as database:
        yield database


def a_member(number: int) -> Member:
    known = replace(
        MEMBER.demographics,
        names=(PN(family=f"Family{chr(ord('a') + number)}", given=("Ann",)),),
        birth_time=TS(f"19{60 + number}0312"),
        ids=(),
        telecoms=(),
    )
    own = MemberId(f"00000000-0000-4000-9000-{number:012}")
    return replace(MEMBER, id=own, member_id=f"M-{number}", demographics=known)


def enroll(terminal: Terminal, count: int, *known: Partner) -> Path:
    """A plan with so many members and these partners; the roster that names the members."""
    with furnished(terminal) as database:
        for partner in known:
            database.write(lambda tx, one=partner: partners.put(tx, one))  # type: ignore[misc]
        for number in range(count):
            database.write(lambda tx, n=number: members.put(tx, a_member(n)))  # type: ignore[misc]
    lines = "".join(f"acme,M-{number}\n" for number in range(count))
    return terminal.write("roster.csv", f"plan,member_id\n{lines}")


def nobody(heard: Heard) -> Reply:
    return Reply(discovered(heard, NoMatch()))


def counting(until: int, reached: threading.Event) -> Answer:
    """Nobody is known; says so when so many have been asked for."""
    asked: list[Heard] = []

    def answer(heard: Heard) -> Reply:
        asked.append(heard)
        if len(asked) >= until:
            reached.set()
        return nobody(heard)

    return answer


def numbers(ended: Ended) -> list[str]:
    return sorted(one["member_id"] for one in ended.lines)


def test_many_are_asked_for_at_once_and_each_is_told(terminal: Terminal) -> None:
    reached = threading.Event()

    def waiting(heard: Heard) -> Reply:
        # Whoever asks for one member after the other never comes to the third.
        assert reached.wait(30)
        return nobody(heard)

    with (
        scripted(ITI_55=counting(3, reached)) as quick,
        scripted(name="Slowfield Health", home=ELSEWHERE, ITI_55=waiting) as slow,
    ):
        roster = enroll(terminal, 5, quick.partner, slow.partner)
        ended = terminal.run("retrieve", "--roster", roster, *STATED, "--json")
    assert (ended.exit_code, ended.err) == (0, "")
    assert numbers(ended) == [f"M-{number}" for number in range(5)]
    for one in ended.lines:
        assert one["state"] == "done"
        assert [each["outcome"] for each in one["partners"]] == ["no_match"] * 2
    ordered = [one for one in terminal.records() if one["transaction"] == "CLI-RETRIEVAL"]
    assert len({one["conversation"] for one in ordered}) == 5


def test_at_the_end_each_partner_has_a_line_and_what_was_left_out_is_counted(
    terminal: Terminal,
) -> None:
    with scripted(ITI_55=nobody) as script:
        enroll(terminal, 2, script.partner)
        roster = terminal.write(
            "roster.csv", "member_id,plan\r\nM-0,acme\r\nM-1,\r\nM-1,acme\r\nM-0,other\r\n,\r\n"
        )
        ended = terminal.run("retrieve", "--roster", roster, *STATED)
        assert ended.exit_code == 3
        assert "4 members: 2 done, 0 in part, 0 failed, 1 not asked for, 1 left out" in ended.out
        assert ended.out.count("Northfield Health") == 1
        assert "line 5: nothing was asked: the line is of another plan" in ended.err
        # The same again: both are done.
        again = terminal.run("retrieve", "--roster", roster, *AGAIN, "--json")
    assert again.exit_code == 3
    assert [(one["member_id"], one["state"]) for one in again.lines] == [("M-0", "refused")]
    assert len(terminal.rows("SELECT * FROM retrieval")) == 2


def test_stopped_it_says_how_to_go_on_and_goes_on(terminal: Terminal) -> None:
    stopped, asked = threading.Event(), 0

    def answer(heard: Heard) -> Reply:
        nonlocal asked
        asked += 1
        if asked == 3 and not stopped.is_set():
            stopped.set()
            os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C
        return nobody(heard)

    with scripted(ITI_55=answer) as script:
        partner = replace(script.partner, profile=replace(script.partner.profile, attempts=1))
        roster = enroll(terminal, 6, partner)
        ended = terminal.run("retrieve", "--roster", roster, *STATED, "--json")
        assert stopped.is_set()
        assert ended.exit_code == 3
        assert "stopped; " in ended.err and "--skip-asked-within 24" in ended.err
        again = terminal.run("retrieve", "--roster", roster, *AGAIN, "--json")
    assert again.exit_code == 0, again.err
    # Those that had ended are left out; those that were under way are gone on with.
    assert not set(numbers(ended)) & set(numbers(again))
    rows = terminal.rows("SELECT member, state FROM retrieval")
    assert len(rows) == 6 and {row["state"] for row in rows} == {"done"}


def test_it_stops_by_itself_when_nobody_answers(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster_run, "_HOPELESS", 3)
    monkeypatch.setattr(roster_run, "_AHEAD", 1)
    monkeypatch.setattr(roster_run, "_TOGETHER", 1)
    with scripted(ITI_55=lambda heard: Reply(b"", status=404)) as script:
        roster = enroll(terminal, 12, script.partner)
        ended = terminal.run("retrieve", "--roster", roster, *STATED)
    assert ended.exit_code == 3
    assert "retrievals failed: nobody answers" in ended.err
    assert len(terminal.rows("SELECT * FROM retrieval")) < 12


def test_what_was_asked_for_another_person_or_of_less_time_is_asked_again(
    terminal: Terminal,
) -> None:
    with scripted(ITI_55=nobody) as script:
        roster = enroll(terminal, 1, script.partner)
        for more in (
            ("--since", "2024-01-01"),
            (),
            ("--requester", "John Doe"),
            ("--purpose", "OPERATIONS"),
        ):
            ended = terminal.run("retrieve", "--roster", roster, *AGAIN, *more, "--json")
            assert numbers(ended) == ["M-0"], more
        # All time has been asked for, so a part of it need not be.
        since = ("--since", "2024-06-01")
        assert terminal.run("retrieve", "--roster", roster, *AGAIN, *since, "--json").lines == []
    assert len(terminal.rows("SELECT * FROM retrieval")) == 4
