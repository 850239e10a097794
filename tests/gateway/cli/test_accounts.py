"""What an auditor asks of the log: the accounting against a golden file, outflow, exports.

tests/samples/audit: `facts.jsonl` are exchanges, and the two other files what a person reading
45 CFR 164.528 makes of them, for 26 November 2026.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pypdf import PdfReader

from gateway.app.house import House
from gateway.cli.accounts import exported
from gateway.exchange.accounting import window
from gateway.exchange.disclosures import account, accounting_csv, accounting_json
from gateway.exchange.disclosures_pdf import write_accounting_pdf
from gateway.exchange.spreadsheet import write_csv
from gateway.model.disclosure import Accounting, Recipient
from gateway.model.exchange import Exchange, RecordedExchange
from gateway.model.partner import PartnerProfile
from gateway.store import exchange_log
from gateway.store.values import load
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.house import MEMBER, a_partner, open_house

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "audit"
ASKED = date(2026, 11, 26)
FACTS = [load(Exchange, line) for line in (SAMPLES / "facts.jsonl").read_text().splitlines()]
GOLDEN = json.loads((SAMPLES / "disclosures.json").read_text("utf-8"))
NUMBER, PLAN = MEMBER.member_id, ("--plan", "acme")


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A house whose log holds the facts, each at the place that the golden files name."""
    made = furnish(tmp_path_factory.mktemp("accounts"))
    with _reopened(made.folder) as house:

        def write(tx: object) -> None:
            for fact in FACTS:
                exchange_log.append(tx, fact)  # type: ignore[arg-type]

        house.database.write(write)
    assert [row["sequence"] for row in made.records()] == list(range(1, len(FACTS) + 1))
    return made


def _reopened(folder: Path):  # type: ignore[no-untyped-def]
    profile = PartnerProfile(postal_address="1 Main Street, Northfield")
    return open_house(folder, furnished=False, known=[replace(a_partner(), profile=profile)])


@pytest.fixture(scope="module")
def house(terminal: Terminal) -> Iterator[House]:
    with _reopened(terminal.folder) as opened:
        yield opened


def _account(house: House, **window: date) -> Accounting:
    keys = house.archive.blobs.keys
    return house.database.read(lambda tx: account(tx, keys, member=MEMBER, asked=ASKED, **window))


# ---- the accounting --------------------------------------------------------------------------


def test_the_accounting_is_the_one_made_by_hand(house: House) -> None:
    form = accounting_json(_account(house), everything=True)
    for name in ("rules", "asked", "from", "to", "excluded"):
        assert form[name] == GOLDEN[name]
    assert [one["record"] for one in form["disclosures"]] == GOLDEN["listed"]
    excluded = [one["record"] for one in form["excluded_exchanges"]]
    assert excluded == GOLDEN["excluded_exchanges"]
    assert "excluded_exchanges" not in accounting_json(_account(house), everything=False)


def test_the_table_is_the_one_made_by_hand_line_by_line(house: House) -> None:
    golden = (SAMPLES / "disclosures.csv").read_text("utf-8").splitlines()
    assert accounting_csv(_account(house), everything=True).split("\r\n")[:-1] == golden
    kept = [line for line in csv.reader(golden) if line[8] != "no"]
    short = io.StringIO(accounting_csv(_account(house), everything=False))
    assert list(csv.reader(short)) == kept


def test_days_bound_an_accounting_and_six_years_bound_them(house: House) -> None:
    day = date(2024, 2, 1)
    assert [one.sequence for one in _account(house, since=day, until=day).listed] == [3]
    assert window(ASKED, date(1999, 1, 1), date(2999, 1, 1)) == (date(2020, 11, 26), ASKED)
    assert window(date(2028, 2, 29), None, None)[0] == date(2022, 2, 28)


@pytest.mark.parametrize(
    ("days", "why"),
    [
        (("--from", "2026-05-02", "--to", "2026-05-01"), "the first day is after the last"),
        (("--from", "9000-01-01"), "the first day has not come yet"),
        (("--from", "1999-01-01", "--to", "2000-01-01"), "an accounting reaches back 6 years"),
    ],
)
def test_of_no_days_there_is_no_accounting_rather_than_an_empty_one(
    terminal: Terminal, days: tuple[str, ...], why: str
) -> None:
    """It would say that nothing was disclosed."""
    with terminal.recording() as records:
        ended = terminal.run("audit", "disclosures", NUMBER, *PLAN, *days)
    assert (ended.exit_code, ended.out) == (2, "")
    assert why in ended.err
    assert [(one["transaction"], one["outcome"]) for one in records] == [
        ("CLI-DISCLOSURES", "refused")
    ]


LOOKS = (
    ("audit", "export"), ("audit", "outflow"), ("exchanges", "list"), ("exchanges", "refusals"),
    ("exchanges", "unusual"),
)  # fmt: skip


@pytest.mark.parametrize("look", [*LOOKS, ("audit", "dispose")], ids=" ".join)
def test_of_a_plan_that_there_is_not_nothing_is_shown_rather_than_no_records(
    terminal: Terminal, look: tuple[str, ...]
) -> None:
    """Nor does what was typed stand in the log as a plan's name."""
    with terminal.recording() as records:
        ended = terminal.run(*look, "--plan", "acne")
    assert (ended.exit_code, ended.out) == (2, "")
    assert "there is no plan acne" in ended.err
    assert records == []


@pytest.mark.parametrize("look", [one for one in LOOKS if one[1] != "list"], ids=" ".join)
def test_days_the_wrong_way_round_are_refused(terminal: Terminal, look: tuple[str, ...]) -> None:
    ended = terminal.run(*look, "--from", "2026-05-02", "--to", "2026-05-01")
    assert (ended.exit_code, ended.out) == (2, "")
    assert "--from is after --to" in ended.err


def test_the_same_is_handed_out_at_the_terminal_and_each_look_is_recorded(
    terminal: Terminal,
) -> None:
    file = terminal.folder / "told.pdf"
    with terminal.recording() as records:
        form = json.loads(terminal.run("audit", "disclosures", NUMBER, *PLAN).out)
        table = terminal.run("audit", "disclosures", NUMBER, *PLAN, "--format", "csv").out
        printed = terminal.run(
            "audit", "disclosures", NUMBER, *PLAN, "--format", "pdf", "--all", "--output", file
        )
    assert [one["record"] for one in form["disclosures"]][-5:] == [23, 25, 26, 28, 29]
    assert "'=HYPERLINK" in table
    assert printed.exit_code == 0, printed.err
    words = " ".join(" ".join(page.extract_text() for page in PdfReader(file).pages).split())
    for told in ("Accounting of disclosures", "Northfield Health, 1 Main Street", "JUDICIAL",
                 "to the individual", "rules 3"):  # fmt: skip
        assert told in words
    assert [(one["transaction"], one["plan"], one["member"]) for one in records] == [
        ("CLI-DISCLOSURES", "acme", MEMBER.id)
    ] * 3


def test_a_name_without_a_blank_stays_in_its_column(house: House) -> None:
    told = _account(house)
    name = "W" * 120
    (first, *_) = told.listed
    long = replace(told, listed=(replace(first, recipient=Recipient(name)),))
    pdf = write_accounting_pdf(long, everything=False, author="Acme", now=datetime.now(UTC))
    printed = PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    lines = [n for line in printed.splitlines() if (n := line.count("W")) > 5]
    assert sum(lines) == 120
    assert max(lines) <= 24


def test_a_later_finding_brings_a_disclosure_in(tmp_path: Path) -> None:
    made = furnish(tmp_path)
    with _reopened(tmp_path) as house:
        house.database.write(lambda tx: exchange_log.append(tx, FACTS[4]))
        house.database.write(lambda tx: exchange_log.append(tx, FACTS[18]))
        assert _account(house).listed == ()
    with made.recording() as records:
        assert made.run("audit", "finding", "1", "--kind", "impermissible").exit_code == 0
        nameless = made.run("audit", "finding", "2", "--kind", "misdirected")
        assert nameless.exit_code == 2
        assert "--member" in nameless.err
        named = made.run("audit", "finding", "2", "--kind", "misdirected", "--member", NUMBER)
        assert named.exit_code == 0
        assert made.run("audit", "finding", "400", "--kind", "misdirected").exit_code == 1
    assert [(one["transaction"], one["reason"], one["message_id"], one["member"])
            for one in records] == [
        ("DISCLOSURE-FINDING", "impermissible", "record 1", MEMBER.id),
        ("DISCLOSURE-FINDING", "misdirected", "record 2", MEMBER.id),
        ("DISCLOSURE-FINDING", "there is no record 400", None, None),
    ]  # fmt: skip
    with _reopened(tmp_path) as house:
        assert [one.sequence for one in _account(house).listed] == [1, 2]


def test_a_search_for_nobody_is_a_sentence_and_on_record(terminal: Terminal) -> None:
    with terminal.recording() as records:
        ended = terminal.run("audit", "disclosures", "nobody", *PLAN)
    assert ended.exit_code == 1
    assert [(one["transaction"], one["outcome"]) for one in records] == [
        ("CLI-DISCLOSURES", "refused")
    ]


# ---- what else is asked ----------------------------------------------------------------------


def test_what_left_the_house_is_counted_by_month_partner_and_purpose(terminal: Terminal) -> None:
    with terminal.recording() as records:
        ended = terminal.run("audit", "outflow", "--from", "2024-02-01", "--to", "2024-03-04")
    lines = ended.out.splitlines()
    home = "2.999.7301.1"
    assert lines[1:] == [
        f"2024-02,{home},JUDICIAL,ITI-55,1,0",
        f"2024-02,{home},TREATMENT,ITI-39,1,2",
        f"2024-03,{home},OPERATIONS,ITI-38,1,0",
        f"2024-03,{home},PAYMENT,ITI-55,1,0",
    ]
    assert [one["transaction"] for one in records] == ["CLI-OUTFLOW"]


@pytest.mark.parametrize("form", ["csv", "jsonl", "fhir"])
def test_the_log_is_exported_record_by_record(terminal: Terminal, form: str) -> None:
    with terminal.recording() as records:
        ended = terminal.run("audit", "export", "--format", form, "--to", "2024-12-31")
    expected = [n for n, fact in enumerate(FACTS, 1) if fact.time.year < 2025]
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(ended.out)))
        assert [int(row["sequence"]) for row in rows] == expected
        assert rows[14]["peer"].startswith("'=")
    elif form == "jsonl":
        assert [line["sequence"] for line in ended.lines] == expected
    else:
        _check_events(ended.lines, expected)
    assert [(one["transaction"], one["reason"]) for one in records] == [
        ("CLI-LOG-EXPORT", f"{len(expected)} records as {form}")
    ]


@pytest.mark.parametrize("form", ["csv", "jsonl", "fhir"])
def test_an_export_writes_each_record_before_it_reads_the_next(house: House, form: str) -> None:
    """With what `export_of` holds, a page, an export of any log needs no more memory."""
    taken = []

    def records() -> Iterator[RecordedExchange]:
        for number, fact in enumerate(FACTS, 1):
            taken.append(number)
            yield RecordedExchange(number, fact, "ab" * 32, "cd" * 32)

    pieces = exported(house.community, records(), form)
    if form == "csv":
        assert next(pieces).startswith(b"sequence,")
    for number, piece in enumerate(pieces, 1):
        assert taken[-1] == number
        assert piece
    assert len(taken) == len(FACTS)


def _check_events(events: list[dict], expected: list[int]) -> None:  # type: ignore[type-arg]
    assert [event["id"] for event in events] == [f"exchange-{number}" for number in expected]
    given = events[1]  # ITI-39, answered: an export, whose source is we who give
    assert given["type"]["code"] == "110106"
    assert given["subtype"][0]["code"] == "ITI-39"
    assert given["agent"][0]["type"]["coding"][0]["code"] == "110153"
    assert given["agent"][0]["who"]["identifier"]["value"] == "2.999.7302.1"
    assert given["agent"][1]["who"]["identifier"]["value"] == "2.999.7301.1"
    assert [one["what"]["identifier"]["value"] for one in given["entity"]] == [MEMBER.id, "d-1"]
    asked = events[5]  # ITI-55, asked: a query, whose source is we who ask
    assert (asked["type"]["code"], asked["action"], asked["outcome"]) == ("110112", "E", "8")
    assert asked["agent"][0]["who"]["identifier"]["value"] == "2.999.7302.1"


def test_the_log_is_searched_sorted_and_paged_at_the_terminal(terminal: Terminal) -> None:
    def listed(*options: object) -> list[int]:
        lines = terminal.run("exchanges", "list", "--json", *options).lines
        return [line["sequence"] for line in lines]

    until = ("--until", "2024-12-31", "--ascending")
    assert listed(*until, "--purpose", "TREATMENT") == [5, 19, 20]
    assert listed(*until, "--document", "d-2") == [5, 8, 9]
    assert listed(*until, *PLAN, "--member", NUMBER, "--purpose", "LAW") == [12, 14]
    assert listed("--outcome", "unknown") == [6]
    assert listed(*until, "--sort", "purpose", "--limit", "2") == [17, 3]
    assert listed(*until, "--sort", "purpose", "--limit", "2", "--after", "3") == [12, 14]
    assert terminal.run("exchanges", "list", "--sort", "nothing").exit_code == 2
    assert terminal.run("exchanges", "list", "--after", "4000").exit_code == 1


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", " =", "＝"])
def test_a_cell_that_a_spreadsheet_would_calculate_is_text(begin: str) -> None:
    (_, row) = csv.reader(io.StringIO(write_csv(["a", "b"], [[f"{begin}1+1", -1]]), newline=""))
    assert row == [f"'{begin}1+1", "-1"]


@pytest.mark.parametrize("divided_by", [";", "\t"])
@pytest.mark.parametrize(
    "words",
    [
        'Summary;=HYPERLINK("http://evil.test";"x")', "Summary; =1+1", "a\t+1", "a\n@SUM(1)",
        'a;"=1', "=1;=2", "a\r\n-1",
    ],
)  # fmt: skip
def test_no_cell_is_calculated_where_cells_are_divided_otherwise(
    words: str, divided_by: str
) -> None:
    """A spreadsheet with a comma in its numbers divides by semicolons, or is told to by tabs."""
    text = write_csv(["a", "b", "c"], [["1", words, "2"], ["3", "4", words]])
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=divided_by):
        for cell in row:
            for line in cell.splitlines():
                assert not line.lstrip(' "').startswith(("=", "+", "-", "@")), (row, text)


def test_what_is_no_formula_stays_as_it_was() -> None:
    words = ["Blood pressure; heart rate", "first line\r\n\r\nsecond line", "1-2", "a=b", "O'Hara"]
    (_, row) = csv.reader(io.StringIO(write_csv(words, [words]), newline=""))
    assert row == words
