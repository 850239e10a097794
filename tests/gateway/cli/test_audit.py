"""`exchanges` and `audit verify`: the log is shown, and whoever alters it is found out."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.model.exchange import Exchange
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.house import MEMBER


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """With seven records."""
    made = furnish(tmp_path)
    for _ in range(7):
        made.run("members", "show", MEMBER.member_id, "--plan", "acme")
    assert len(made.records()) == 7
    return made


def tamper(terminal: Terminal, *statements: str) -> None:
    """As someone with the file and without scruples: the triggers go first."""
    with closing(sqlite3.connect(terminal.database)) as connection:
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'exchange%'"
        ).fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_whole_log_is_counted_and_the_check_leaves_no_trace(terminal: Terminal) -> None:
    ended = terminal.run("audit", "verify")
    assert ended.exit_code == 0
    assert "7 records checked" in ended.out
    form = terminal.run("audit", "verify", "--json")
    assert form.lines == [{"records": 7, "first_bad": None, "reason": None, "disposed": 0}]
    assert len(terminal.records()) == 7


def test_an_empty_log_is_whole(tmp_path: Path) -> None:
    assert "0 records checked" in furnish(tmp_path).run("audit", "verify").out


def test_the_triggers_refuse_any_change(terminal: Terminal) -> None:
    with closing(sqlite3.connect(terminal.database)) as connection:
        for statement in (
            "UPDATE exchange SET person = 'x' WHERE sequence = 3",
            "DELETE FROM exchange WHERE sequence = 3",
            "UPDATE exchange_head SET sequence = 1",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(statement)


def test_changing_any_column_of_any_record_is_found_and_named(
    terminal: Terminal, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = terminal.database.read_bytes()
    columns = [
        row["name"] for row in terminal.rows("SELECT name FROM pragma_table_info('exchange')")
    ]
    assert len(columns) >= 20
    for changed in _changes(terminal, columns):
        terminal.database.write_bytes(whole)
        number = changed(terminal)
        ended = terminal.run("audit", "verify", "--json")
        (form,) = ended.lines
        assert ended.exit_code == 1
        assert form["first_bad"] == number, form
        assert form["records"] == number - 1
        assert form["reason"]


def _changes(terminal: Terminal, columns: list[str]) -> Iterator[Callable[[Terminal], int]]:
    """One change to each column, over the records in turn; a sequence moves out of its place."""
    for index, column in enumerate(columns):
        number = index % 7 + 1
        if column == "sequence":
            yield _setting(4, column, "400")
        elif column in ("duration_ms", "count"):
            yield _setting(number, column, "42")
        else:
            yield _setting(number, column, "'forged'")


def _setting(number: int, column: str, value: str) -> Callable[[Terminal], int]:
    def change(terminal: Terminal) -> int:
        statement = f'UPDATE exchange SET "{column}" = {value} WHERE sequence = {number}'  # noqa: S608
        tamper(terminal, statement)
        return number

    return change


def test_deleting_any_record_is_found_and_named(terminal: Terminal) -> None:
    whole = terminal.database.read_bytes()
    for number in range(1, 8):
        terminal.database.write_bytes(whole)
        tamper(terminal, f"DELETE FROM exchange WHERE sequence = {number}")  # noqa: S608
        ended = terminal.run("audit", "verify")
        assert ended.exit_code == 1
        assert f"record {number} is not sound" in ended.out
        assert "missing" in ended.out


def test_a_record_put_in_the_place_of_another_is_found(terminal: Terminal) -> None:
    tamper(
        terminal,
        "UPDATE exchange SET sequence = -1 WHERE sequence = 2",
        "UPDATE exchange SET sequence = 2 WHERE sequence = 3",
        "UPDATE exchange SET sequence = 3 WHERE sequence = -1",
    )
    ended = terminal.run("audit", "verify", "--json")
    assert ended.exit_code == 1
    assert ended.lines[0]["first_bad"] == 2


def test_an_envelope_or_a_key_that_nobody_disposed_of_is_missed(terminal: Terminal) -> None:
    """The chain is sound, and says what there was."""
    (key,) = terminal.rows("SELECT month FROM log_month WHERE scope = 'acme'")
    told = Exchange(datetime.now(UTC), "in", "ITI-55", "success", request_hash="ab" * 32)
    terminal.append(told)
    ended = terminal.run("audit", "verify", "--json")
    assert (ended.exit_code, ended.lines[0]["first_bad"]) == (1, 8)
    assert ended.lines[0]["reason"] == (
        "record 8 is whole, but what it names is gone, and no disposal took it: its request"
    )
    tamper(terminal, "DROP TRIGGER log_month_stays", "DELETE FROM log_month WHERE scope = 'acme'")
    ended = terminal.run("audit", "verify")
    assert ended.exit_code == 1
    assert f": the key of {key['month']} of acme; 1 more" in ended.out.replace("\n", " ")


def test_bytes_that_were_changed_are_found_where_all_is_opened(terminal: Terminal) -> None:
    assert terminal.run("audit", "verify", "--contents").exit_code == 0
    (document,) = terminal.rows("SELECT id, blob_address FROM document ORDER BY number LIMIT 1")
    address = document["blob_address"]
    file = terminal.folder / "data" / "blobs" / "acme" / address[:2] / address[2:]
    file.write_bytes(file.read_bytes()[:-1])
    assert terminal.run("audit", "verify").exit_code == 0
    ended = terminal.run("audit", "verify", "--contents", "--json")
    assert ended.exit_code == 1
    assert ended.lines[0]["reason"] == (
        f"the log is whole, but what it names is not what was kept: document {document['id']}"
    )


def test_a_log_that_nothing_keeps_any_more_is_told(terminal: Terminal) -> None:
    tamper(terminal)
    ended = terminal.run("audit", "verify")
    assert ended.exit_code == 1
    assert "nothing keeps it so any more: no exchange_document_keeps" in (
        ended.out.replace("\n", " ")
    )


# ---- looking ---------------------------------------------------------------------------------


def test_exchanges_are_listed_and_shown_and_the_look_is_recorded(terminal: Terminal) -> None:
    with terminal.recording() as records:
        listed = terminal.run("exchanges", "list", "--limit", "3", "--json")
        shown = terminal.run("exchanges", "show", "2")
    assert [form["sequence"] for form in listed.lines] == [7, 6, 5]
    assert '"sequence": 2' in shown.out
    assert f'"member": "{MEMBER.id}"' in shown.out
    first, second = records
    assert (first["transaction"], first["plan"]) == ("CLI-EXCHANGES", None)
    assert (second["transaction"], second["plan"]) == ("CLI-EXCHANGE", "acme")
    assert second["member"] == MEMBER.id
    assert "CLI-MEMBER" in terminal.run("exchanges", "list").out.replace("\n", "")


def test_a_record_that_is_not_there_is_a_sentence(terminal: Terminal) -> None:
    ended = terminal.run("exchanges", "show", "4000")
    assert ended.exit_code == 1
    assert "no record 4000" in ended.err
