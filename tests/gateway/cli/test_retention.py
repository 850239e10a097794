"""`gateway audit hold|retention|dispose|certificates`: the end of a month, and what holds it."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.cli.terminal import out
from gateway.model.checkpoint import LogKey, read_note
from gateway.model.exchange import Exchange
from gateway.model.identity import PartnerId, PlanId
from gateway.model.retention import HOLD_PLACED, Hold
from gateway.store import legal_holds
from gateway.store.database import open_database
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.house import MEMBER

ACME = PlanId("acme")
OLD = Exchange(
    datetime(2014, 3, 5, tzinfo=UTC), "out", "ITI-55", "success", plan=ACME,
    partner=PartnerId("p1"), member=MEMBER.id, person="Ann",
)  # fmt: skip
RECENT = replace(OLD, time=datetime(2024, 3, 5, tzinfo=UTC))


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """Two records of 2014, of two months, and one of 2024."""
    made = furnish(tmp_path)
    april = replace(OLD, time=datetime(2014, 4, 5, tzinfo=UTC), partner=PartnerId("p2"))
    made.append(OLD, april, RECENT)
    return made


def test_a_dry_run_shows_what_is_due_and_changes_nothing(terminal: Terminal) -> None:
    before = terminal.rows("SELECT * FROM log_month ORDER BY scope, month")
    ended = terminal.run("audit", "dispose", "--json")
    assert ended.exit_code == 0, ended.err
    told = [(one["month"], one["plan"], one["first"], one["refusal"]) for one in ended.lines]
    assert told == [("2014-03", "acme", 1, None), ("2014-04", "acme", 2, None)]
    assert [one["disposed"] for one in ended.lines] == [False, False]
    assert "--execute does it" in terminal.run("audit", "dispose").out
    assert terminal.rows("SELECT * FROM log_month ORDER BY scope, month") == before
    assert terminal.records()[-1]["transaction"] == "CLI-AUDIT-DISPOSE-SHOW"


def test_what_is_disposed_of_is_certified_and_the_log_stays_whole(terminal: Terminal) -> None:
    signed = terminal.write("checkpoint", terminal.run("audit", "checkpoint").out)
    proof = terminal.run("audit", "prove", 1, "--checkpoint", signed).out
    closing_hash = terminal.records()[0]["hash"]
    with terminal.recording() as made:
        ended = terminal.run("audit", "dispose", "--month", "2014-03", "--execute", "--json")
    (form,) = ended.lines
    assert (form["disposed"], form["first"], form["last"]) == (True, 1, 1)
    (record,) = made
    assert (record["transaction"], record["outcome"], record["plan"]) == (
        "LOG-DISPOSAL", "success", "acme",
    )  # fmt: skip
    assert "2014-03: 1 records, certificate " in record["reason"]

    assert terminal.run("audit", "verify", "--checkpoint", signed).exit_code == 0
    assert terminal.run("audit", "prove", 1, "--checkpoint", signed).out == proof
    (told,) = terminal.run("audit", "certificates", "--json").lines
    assert told["signed"] is True
    key = LogKey.parse(terminal.run("audit", "key").out)
    words = read_note(told["certificate"], key)
    for line in (
        "of acme, 2014-03", "records 1, from 1 to 1", f"closing hash {closing_hash}",
        "destroyed 0 envelopes as they crossed the wire", "due 2024-04-01, after 10 years",
        f"by {record['person']}",
    ):  # fmt: skip
        assert f"\n{line}\n" in words


def test_a_disposal_says_whether_the_file_still_has_what_was_shredded(terminal: Terminal) -> None:
    (key,) = terminal.rows("SELECT wrapped FROM log_month WHERE month = '2014-03'")
    with closing(sqlite3.connect(terminal.database, isolation_level=None)) as reader:
        reader.execute("SELECT COUNT(*) FROM exchange").fetchone()  # it has the file open
        ended = terminal.run("audit", "dispose", "--month", "2014-03", "--execute")
        assert (ended.exit_code, ended.err) == (0, "")
        files = [one for one in terminal.database.parent.glob("gateway.sqlite*") if one.is_file()]
        assert not any(key["wrapped"] in one.read_bytes() for one in files)
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM exchange").fetchone()
        ended = terminal.run("audit", "dispose", "--month", "2014-04", "--execute")
    assert ended.exit_code == 0
    assert "still has the keys that were shredded" in ended.err


def test_a_search_tells_that_a_month_is_disposed_of(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out, "width", 200)
    terminal.run("audit", "dispose", "--month", "2014-03", "--execute")
    shown = terminal.run("exchanges", "list", "--ascending", "--limit", 2, "--json").lines
    assert [(one["disposed"], one["member"]) for one in shown] == [(True, None), (False, MEMBER.id)]
    searched = terminal.run("exchanges", "list", "--member", MEMBER.id, "--json")
    assert [one["sequence"] for one in searched.lines][-2:] == [3, 2]
    assert "2014-03 nobody can be found any more" in searched.err
    later = terminal.run("exchanges", "list", "--member", MEMBER.id, "--since", "2014-04-01")
    assert later.err == ""
    assert "whose it was is disposed of" in terminal.run("exchanges", "list", "--ascending").out


def test_a_month_before_its_time_is_refused_and_the_refusal_recorded(terminal: Terminal) -> None:
    with terminal.recording() as made:
        ended = terminal.run("audit", "dispose", "--month", "2024-03", "--execute", "--json")
    assert ended.exit_code == 1
    assert ended.lines[0]["refusal"] == "it is not due before 2034-04-01"
    assert ended.lines[0]["disposed"] is False
    (record,) = made
    assert (record["transaction"], record["outcome"]) == ("LOG-DISPOSAL", "refused")
    assert terminal.rows("SELECT * FROM disposal") == []
    both = terminal.run(
        "audit", "dispose", "--month", "2024-03", "--month", "2014-03", "--execute", "--json"
    )
    assert both.exit_code == 3
    assert [one["disposed"] for one in both.lines] == [True, False]
    again = terminal.run("audit", "dispose", "--month", "2014-03", "--execute", "--json")
    assert (again.exit_code, again.lines[0]["refusal"]) == (1, "it was disposed of before")


def test_a_month_under_a_hold_stays_until_it_is_lifted(terminal: Terminal) -> None:
    with terminal.recording() as made:
        added = terminal.run("audit", "hold", "add", "--reason", "Doe v. Acme", "--plan", "acme",
                             "--member", MEMBER.member_id, "--to", "2014-04-01")  # fmt: skip
    id = added.out.strip()
    assert (made[0]["transaction"], made[0]["member"]) == ("CLI-AUDIT-HOLD", MEMBER.id)
    (listed,) = terminal.run("audit", "hold", "list", "--json").lines
    assert (listed["id"], listed["reason"], listed["plan"]) == (id, "Doe v. Acme", "acme")
    assert "Doe v. Acme" in terminal.run("audit", "hold", "list").out

    ended = terminal.run("audit", "dispose", "--execute", "--json")
    assert ended.exit_code == 0
    assert [(one["month"], one["refusal"]) for one in ended.lines] == [
        ("2014-03", f"it is under legal hold {id}"), ("2014-04", None),
    ]  # fmt: skip
    assert terminal.run("audit", "hold", "lift", id, "--reason", "settled").exit_code == 0
    assert terminal.run("audit", "hold", "lift", id, "--reason", "again").exit_code == 1
    assert terminal.records()[-1]["outcome"] == "refused"
    assert terminal.run("audit", "hold", "list").out.strip() == "nothing is held"
    assert len(terminal.run("audit", "hold", "list", "--all", "--json").lines) == 1
    (form,) = terminal.run("audit", "dispose", "--execute", "--json").lines
    assert (form["month"], form["disposed"]) == ("2014-03", True)
    assert terminal.run("audit", "dispose").out.strip() == "no month of the log is due"


def test_a_hold_is_on_a_partner_of_the_directory_or_of_the_log_and_no_other(
    terminal: Terminal,
) -> None:
    """A name for an id, or an id that is mistyped, would hold nothing."""
    for unknown in ("Northfield Health", "p3"):
        with terminal.recording() as made:
            ended = terminal.run("audit", "hold", "add", "--reason", "x", "--partner", unknown)
        assert ended.exit_code == 1
        assert "no partner of this id" in ended.err
        assert [(one["transaction"], one["outcome"], one["partner"]) for one in made] == [
            ("CLI-AUDIT-HOLD", "refused", None)
        ]
    assert terminal.run("audit", "hold", "list").out.strip() == "nothing is held"
    listed = terminal.rows("SELECT id FROM partner")[0]["id"]
    assert terminal.run("audit", "hold", "add", "--reason", "x", "--partner", listed).out
    held = terminal.run("audit", "hold", "add", "--reason", "x", "--partner", "p2").out.strip()
    told = {
        one["month"]: one["refusal"] for one in terminal.run("audit", "dispose", "--json").lines
    }
    assert told == {"2014-03": None, "2014-04": f"it is under legal hold {held}"}


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM legal_hold", "legal hold {}"),
        ("UPDATE legal_hold SET lifted = placed", "legal hold {}, which nobody lifted on record"),
        ("UPDATE legal_hold SET plan = 'other'", "legal hold {}, which is on something else"),
        (
            "UPDATE legal_hold SET until = '1990-01-01T00:00:00.000000Z'",
            "legal hold {}, which is on something else",
        ),
        ("UPDATE legal_hold SET member = 'x'", "legal hold {}, which is on something else"),
        ("UPDATE legal_hold SET reason = 'x'", "legal hold {}, which is on something else"),
    ],
)
def test_a_hold_that_is_not_as_the_log_says_is_missed(
    terminal: Terminal, statement: str, what: str
) -> None:
    added = terminal.run("audit", "hold", "add", "--reason", "a suit", "--plan", "acme")
    lifted = terminal.run("audit", "hold", "add", "--reason", "another", "--plan", "acme")
    terminal.run("audit", "hold", "lift", lifted.out.strip(), "--reason", "settled")
    assert terminal.run("audit", "verify").exit_code == 0
    id = added.out.strip()
    with closing(sqlite3.connect(terminal.database)) as connection:
        for name in ("updates", "deletes"):
            connection.execute(f"DROP TRIGGER legal_hold_keeps_{name}")
        connection.execute(f"{statement} WHERE id = ?", (id,))
        connection.commit()
    ended = terminal.run("audit", "verify", "--json")
    assert ended.exit_code == 1
    assert ended.lines[0]["reason"].endswith(f"no disposal took it: {what.format(id)}")


@pytest.mark.parametrize(
    ("change", "is_missed"),
    [("reason = reason", False), ("member = 'somebody else'", True), ("member = NULL", True)],
)
def test_a_hold_of_which_an_older_record_says_only_its_id_is_on_the_member_that_it_names(
    terminal: Terminal, change: str, is_missed: bool
) -> None:
    hold = Hold("h1", "a suit", "Jane", RECENT.time, plan=ACME, member=MEMBER.id)
    told = Exchange(RECENT.time, "in", HOLD_PLACED, "success", plan=ACME, member=MEMBER.id,
                    reason="hold h1")  # fmt: skip
    url, key_file = f"sqlite:///{terminal.database}", terminal.folder / "keys/key-encryption-key"
    with closing(open_database(url, key_file=key_file)) as database:
        database.write(lambda tx: legal_holds.put(tx, hold))
    terminal.append(told)
    with closing(sqlite3.connect(terminal.database)) as connection:
        (guard,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'legal_hold_keeps_updates'"
        ).fetchone()
        connection.execute("DROP TRIGGER legal_hold_keeps_updates")
        connection.execute(f"UPDATE legal_hold SET {change}")  # noqa: S608
        connection.execute(guard)
        connection.commit()
    assert terminal.run("audit", "verify").exit_code == int(is_missed)


def test_each_plan_and_line_of_business_is_kept_for_its_own_years(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out, "width", 200)
    text = terminal.config.read_text().replace(
        'name = "Other"', 'name = "Other"\nline_of_business = "commercial"'
    )
    text += """
[audit]
retention_years = 12
[[audit.retention]]
plan = "acme"
years = 20
[[audit.retention]]
line_of_business = "commercial"
years = 6
"""
    terminal.config.write_text(text)
    lines = {one["plan"]: one for one in terminal.run("audit", "retention", "--json").lines}
    assert {plan: line["years"] for plan, line in lines.items()} == {
        "acme": 20, "other": 6, None: 20,
    }  # fmt: skip
    assert lines["acme"]["first_month"] == "2014-03"
    assert (lines["acme"]["months"], lines["acme"]["due"]) == (3, 0)
    assert terminal.run("audit", "dispose", "--json").out == ""
    terminal.config.write_text(text.replace("years = 20", "years = 10"))
    assert len(terminal.run("audit", "dispose", "--json").lines) == 2
    assert "commercial" in terminal.run("audit", "retention").out


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ("retention_years = 5", "greater than or equal to 6"),
        ('[[audit.retention]]\nplan = "acne"\nyears = 6', "no plan is, or is of, acne"),
        ("[[audit.retention]]\nyears = 6", "either a plan or a line_of_business"),
    ],
)
def test_a_wrong_retention_is_a_sentence(terminal: Terminal, stated: str, why: str) -> None:
    with terminal.config.open("a") as file:
        file.write(f"\n[audit]\n{stated}\n")
    ended = terminal.run("audit", "retention")
    assert ended.exit_code == 2
    assert why in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["dispose", "--month", "March"],
        ["hold", "add", "--reason", " "],
        ["hold", "add", "--reason", "x", "--from", "2020-01-02", "--to", "2020-01-02"],
        ["hold", "add"],
    ],
)
def test_what_cannot_be_meant_is_refused(terminal: Terminal, arguments: list[str]) -> None:
    assert terminal.run("audit", *arguments).exit_code == 2
    assert terminal.run("audit", "hold", "list", "--json").out == ""


def test_a_certificate_that_somebody_changed_is_found(terminal: Terminal) -> None:
    assert terminal.run("audit", "certificates").out.strip() == "nothing was disposed of"
    terminal.run("audit", "dispose", "--month", "2014-03", "--execute")
    with closing(sqlite3.connect(terminal.database)) as connection:
        connection.execute("DROP TRIGGER disposal_keeps_updates")
        connection.execute("UPDATE disposal SET certificate = replace(certificate, '1', '2')")
        connection.commit()
    ended = terminal.run("audit", "certificates")
    assert ended.exit_code == 1
    assert "NO KEY OF THIS LOG HAS SIGNED IT" in ended.out


def test_a_certificate_that_another_key_signed_is_none_unless_that_key_is_handed_in(
    terminal: Terminal,
) -> None:
    terminal.run("audit", "dispose", "--month", "2014-03", "--execute")
    earlier = terminal.write("earlier", terminal.run("audit", "key").out)
    (terminal.folder / "keys" / "checkpoint-key").unlink()
    ended = terminal.run("audit", "verify", "--json")
    assert ended.exit_code == 1
    assert ended.lines[0]["reason"] == (
        "record 4 is whole, but what it names is not what was kept: the certificate of disposal of"
        " 2014-03 of acme, which no key of this log has signed; 1 more"
    )
    ours = terminal.write("ours", terminal.run("audit", "key").out)
    assert terminal.run("audit", "verify", "--key", earlier, "--key", ours).exit_code == 0
    (told,) = terminal.run("audit", "certificates", "--json", "--key", earlier).lines
    assert told["signed"] is True
    ended = terminal.run("audit", "certificates", "--json")
    assert (ended.exit_code, ended.lines[0]["signed"]) == (1, False)
