"""`gateway partners ledger`: the last months with each partner, as a table, JSON or CSV."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.model.exchange import Exchange
from gateway.store import exchange_log
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.house import PLAN, a_partner, open_house


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = furnish(tmp_path)
    told = Exchange(
        time=datetime.now(UTC),
        direction="out",
        transaction="ITI-55",
        outcome="refused",
        plan=PLAN,
        partner=a_partner().id,
        purpose="PAYMENT",
        reason="=not for payers",
    )
    with open_house(tmp_path, furnished=False) as house:
        house.database.write(lambda tx: exchange_log.append(tx, told))
    return made


def test_it_is_shown_in_each_form_and_the_look_is_recorded(terminal: Terminal) -> None:
    for form in ("text", "json", "csv"):
        with terminal.recording() as records:
            ended = terminal.run("partners", "ledger", "--format", form, "--plan", "acme")
        assert ended.exit_code == 0, ended.err
        (record,) = records
        assert (record["transaction"], record["reason"]) == ("CLI-LEDGER", "1 lines")
        if form == "json":
            (line,) = ended.lines
            assert line["we_asked"]["refused"] == 1
            assert line["we_asked"]["reasons"] == [{"reason": "=not for payers", "times": 1}]
        elif form == "csv":
            (row,) = csv.DictReader(io.StringIO(ended.out))
            assert (row["requests_refused"], row["why"]) == ("1", "'=not for payers (1)")
        else:
            assert "1: 0 answered, 1 refused" in ended.out
            assert "1 × =not for payers" in ended.out


def test_of_no_day_at_all_there_is_no_ledger(terminal: Terminal) -> None:
    ended = terminal.run(
        "partners", "ledger", "--from", "2026-02-02", "--to", "2026-02-01", "--plan", "acme"
    )
    assert (ended.exit_code, ended.out) == (2, "")
    assert "the first day is after the last" in ended.err


def test_a_time_without_exchanges_is_said_to_be_one(terminal: Terminal) -> None:
    ended = terminal.run(
        "partners", "ledger", "--from", "2001-01-01", "--to", "2001-02-01", "--plan", "acme"
    )
    assert ended.out.strip() == "Nothing was exchanged in that time."
