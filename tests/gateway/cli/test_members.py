"""`members` and `summary`: the roster in, members out, each look recorded."""

import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from ccda import parse_document
from tests.ccda.html_page import read_page
from tests.conformance import assert_valid_clinical_document
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.house import MEMBER

HEADER = ("plan,member_id,family,given,middle,suffix,birth_date,gender,address,city,state,zip,"
          "phone,email,ssn,coverage_start,coverage_end")  # fmt: skip
FULL = ("acme,A-1,Oak,Ann,M,Jr,1970-02-03,F,1 Elm,Town,WI,53000,555-0100,a@example.org,"
        "123-45-6789,2020-01-01,2030-12-31")  # fmt: skip


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return furnish(tmp_path)


def roster(terminal: Terminal, *lines: str, header: str = HEADER) -> Path:
    return terminal.write("roster.csv", "\n".join((header, *lines)) + "\n")


def test_a_full_and_a_short_line_are_taken_and_recorded(terminal: Terminal) -> None:
    short = "other,A-1,Oak,Bob,,,1971-01-01"
    with terminal.recording() as records:
        ended = terminal.run("members", "import", roster(terminal, FULL, short))
    assert ended.exit_code == 0
    assert ended.out == "2 members taken, 0 lines refused\n"
    assert [(one["transaction"], one["plan"], one["reason"]) for one in records] == [
        ("CLI-MEMBERS-IMPORT", "acme", "1 members"),
        ("CLI-MEMBERS-IMPORT", "other", "1 members"),
    ]
    shown = json.loads(terminal.run("members", "show", "A-1", "--plan", "acme").out)
    assert shown["birth_date"] == "1970-02-03"
    assert shown["gender"] == "F"
    assert "Oak" in shown["name"]


def test_a_header_with_spaces_a_mark_and_more_columns_is_read(terminal: Terminal) -> None:
    header = "\ufeff" + "plan, member_id, family, given, birth_date, colour"
    ended = terminal.run(
        "members",
        "import",
        roster(terminal, "acme, A-2, Oak, Ann, 1970-02-03, blue", header=header),
    )
    assert ended.exit_code == 0
    assert terminal.run("members", "show", "A-2", "--plan", "acme").exit_code == 0


BAD = {
    "no plan": ("nowhere,Z-1,Zanzibarson,Zoe,,,1970-01-01", "plan"),
    "no number": ("acme,,Zanzibarson,Zoe,,,1970-01-01", "member_id is empty"),
    "no name": ("acme,Z-1, ,Zoe,,,1970-01-01", "family is empty"),
    "no birth date": ("acme,Z-1,Zanzibarson,Zoe,,,", "birth_date is empty"),
    "another date": ("acme,Z-1,Zanzibarson,Zoe,,,01/02/1970", "birth_date"),
    "no such day": ("acme,Z-1,Zanzibarson,Zoe,,,1970-02-30", "birth_date"),
    "not born yet": ("acme,Z-1,Zanzibarson,Zoe,,,2999-01-01", "birth_date is in the future"),
    "no such gender": ("acme,Z-1,Zanzibarson,Zoe,,,1970-01-01,Zany", "gender"),
    "a short ssn": ("acme,Z-1,Zanzibarson,Zoe,,,1970-01-01,F,,,,,,,12-34", "ssn"),
    "coverage ends first": (
        "acme,Z-1,Zanzibarson,Zoe,,,1970-01-01,F,,,,,,,,2021-01-01,2020-01-01", "coverage_end",
    ),
    "too many fields": (FULL.replace("Oak", "Zanzibarson") + ",Zanzibarson", "more fields"),
    "a control character": ("acme,Z-1,Zanzibar\x1b[31mson,Zoe,,,1970-01-01", "control character"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_line_is_named_by_its_number_and_reason_without_its_content(
    terminal: Terminal, case: str
) -> None:
    line, reason = BAD[case]
    ended = terminal.run("members", "import", roster(terminal, FULL, "", line, FULL))
    assert ended.exit_code == 3
    assert ended.out == "1 members taken, 1 lines refused\n"
    assert "line 4: " in ended.err
    assert reason in ended.err
    assert "Zanzibar" not in ended.err + ended.out
    assert terminal.run("members", "import", roster(terminal, line)).exit_code == 1


def test_a_number_that_two_lines_give_to_two_people_is_the_firsts(terminal: Terminal) -> None:
    twice = ("acme,T-1,Teak,Tom,,,1970-01-01", "acme,T-1,Zanzibarson,Zoe,,,1971-01-01")
    ended = terminal.run("members", "import", roster(terminal, *twice))
    assert (ended.exit_code, ended.out) == (3, "1 members taken, 1 lines refused\n")
    assert "line 3: its member_id is that of line 2, which says otherwise" in ended.err
    shown = json.loads(terminal.run("members", "show", "T-1", "--plan", "acme").out)
    assert "Teak" in shown["name"]


def test_a_line_that_is_no_utf_8_spoils_only_itself(terminal: Terminal) -> None:
    latin = "acme,Z-1,Zo\xeb,Zoe,,,1970-01-01".encode("latin-1")
    file = terminal.write("roster.csv", b"\n".join((HEADER.encode(), latin, FULL.encode(), b"")))
    ended = terminal.run("members", "import", file, "--json")
    assert ended.exit_code == 3
    assert ended.lines == [{"taken": 1, "refused": 1, "lines": [2]}]
    assert "line 2: family is not UTF-8" in ended.err


def test_a_file_that_turns_out_to_be_no_csv_keeps_what_came_before(terminal: Terminal) -> None:
    endless = 'acme,Z-1,"' + "x" * 140_000
    ended = terminal.run("members", "import", roster(terminal, FULL, endless))
    assert ended.exit_code == 3
    assert "1 members taken" in ended.out
    assert "no CSV" in ended.err


@pytest.mark.parametrize("header", ["", "plan,family", HEADER.replace("birth_date", "born")])
def test_a_roster_without_its_columns_is_usage(terminal: Terminal, header: str) -> None:
    ended = terminal.run("members", "import", roster(terminal, FULL, header=header))
    assert ended.exit_code == 2
    assert "column" in ended.err


NO_ROSTER = {
    "nothing": ("", "it is empty"),
    "semicolons": ("plan;member_id;family;given;birth_date\n", "semicolons; save it with commas"),
    "tabs": ("plan\tmember_id\tfamily\tgiven\tbirth_date\n", "tabs; save it with commas"),
    "a workbook": (b"PK\x03\x04\x14\x00\x06\x00", "no CSV in UTF-8; save it as one"),
    "Unicode text": ("plan,member_id\n".encode("utf-16"), "no CSV in UTF-8; save it as one"),
    "no header": ("acme,A-1,Zanzibarson,Zoe,1970-01-01\n", "its first line is to name the columns"),
}


@pytest.mark.parametrize("case", NO_ROSTER)
def test_what_is_saved_by_mistake_is_told_with_what_to_do(terminal: Terminal, case: str) -> None:
    content, said = NO_ROSTER[case]
    file = terminal.write("roster.csv", content)
    asking = ("--purpose", "PAYMENT", "--requester", "Jane Roe", "--plan", "acme")
    for ended in (
        terminal.run("members", "import", file),
        terminal.run("retrieve", "--roster", file, *asking),
    ):
        assert ended.exit_code == 2
        assert ended.err.startswith(f"gateway: {file} has no column ")
        assert said in ended.err
        assert "Zanzibar" not in ended.err


def test_rows_that_a_spreadsheet_left_empty_are_no_lines(terminal: Terminal) -> None:
    blank = (",,,,,,,", "  ", ", ,", ",,,,,,,,,,,,,,,,,,,")
    ended = terminal.run("members", "import", roster(terminal, FULL, "", *blank))
    assert (ended.exit_code, ended.out, ended.err) == (0, "1 members taken, 0 lines refused\n", "")


def test_a_roster_that_is_not_there_is_usage(terminal: Terminal) -> None:
    assert terminal.run("members", "import", terminal.folder / "none.csv").exit_code == 2
    assert terminal.run("members", "import", terminal.folder).exit_code == 2


def test_importing_again_changes_members_but_never_their_consent(terminal: Terminal) -> None:
    terminal.run("members", "import", roster(terminal, FULL))
    (before,) = terminal.rows("SELECT * FROM member WHERE member_id = 'A-1'")
    _opt_out(terminal)
    terminal.run("members", "import", roster(terminal, FULL.replace("Oak", "Elm")))
    (after,) = terminal.rows("SELECT * FROM member WHERE member_id = 'A-1'")
    assert after["id"] == before["id"]
    assert "Elm" in after["demographics"]
    assert after["opted_out"] == 1


def _opt_out(terminal: Terminal) -> None:
    with closing(sqlite3.connect(terminal.database)) as connection:
        connection.execute("UPDATE member SET opted_out = 1 WHERE member_id = 'A-1'")
        connection.commit()


def test_who_has_opted_out_is_seen_and_so_is_the_coverage(terminal: Terminal) -> None:
    terminal.run("members", "import", roster(terminal, FULL))
    of_acme = ("--plan", "acme")
    assert "opted out" not in terminal.run("members", "list", *of_acme).out
    _opt_out(terminal)
    shown = json.loads(terminal.run("members", "show", "A-1", *of_acme).out)
    assert (shown["opted_out"], shown["coverage_start"]) == (True, "2020-01-01")
    listed = terminal.run("members", "list", "--json", *of_acme).lines
    assert [one["opted_out"] for one in listed if one["member_id"] == "A-1"] == [True]
    assert "opted out" in terminal.run("members", "list", *of_acme).out


# ---- looking ---------------------------------------------------------------------------------


def test_members_are_listed_for_people_and_programs_and_the_look_is_recorded(
    terminal: Terminal,
) -> None:
    with terminal.recording() as records:
        table = terminal.run("members", "list", "--plan", "acme")
        forms = terminal.run("members", "list", "--plan", "acme", "--json")
    assert MEMBER.member_id in table.out
    assert [form["id"] for form in forms.lines] == [MEMBER.id]
    assert [(one["transaction"], one["plan"]) for one in records] == [("CLI-MEMBERS", "acme")] * 2
    empty = terminal.run("members", "list", "--plan", "other")
    assert "gateway members import" in empty.out, "an empty list says what to do"


def test_a_look_at_a_member_is_recorded_and_so_is_a_search_for_nobody(terminal: Terminal) -> None:
    with terminal.recording() as records:
        assert terminal.run("members", "show", MEMBER.member_id, "--plan", "acme").exit_code == 0
        ended = terminal.run("members", "show", "Zanzibarson", "--plan", "acme")
    assert ended.exit_code == 1
    assert ended.err.count("\n") == 1
    found, missed = records
    assert (found["transaction"], found["member"]) == ("CLI-MEMBER", MEMBER.id)
    assert (missed["outcome"], missed["member"]) == ("refused", None)
    assert "Zanzibarson" not in str(missed)


@pytest.mark.parametrize("command", [("members", "list"), ("members", "show", "x"),
                                     ("summary", "x"), ("held", "list")])  # fmt: skip
def test_with_several_plans_one_must_be_named(terminal: Terminal, command: tuple[str, ...]) -> None:
    ended = terminal.run(*command)
    assert ended.exit_code == 2
    assert "acme, other" in ended.err
    unknown = terminal.run(*command, "--plan", "nowhere")
    assert unknown.exit_code == 2
    assert "no plan nowhere" in unknown.err


def test_a_summary_can_be_had_as_text_and_json_and_is_recorded(terminal: Terminal) -> None:
    with terminal.recording() as records:
        text = terminal.run("summary", MEMBER.member_id, "--plan", "acme")
        form = terminal.run("summary", MEMBER.member_id, "--plan", "acme", "--format", "json")
    assert (text.exit_code, form.exit_code) == (0, 0)
    assert "Sampleton" in text.out
    summary = json.loads(form.out)
    assert set(summary) >= {"member", "as_of", "completeness", "sections"}
    assert summary["sections"]["allergies"]
    assert [(one["transaction"], one["member"], one["outcome"]) for one in records] == [
        ("CLI-SUMMARY", MEMBER.id, "success")
    ] * 2


def test_a_summary_can_be_had_as_a_ccd_that_says_the_same(
    terminal: Terminal, tmp_path: Path
) -> None:
    written = terminal.run("summary", MEMBER.member_id, "--plan", "acme", "--format", "ccda")
    assert written.exit_code == 0
    assert_valid_clinical_document(written.out.encode())
    document = parse_document(written.out.encode())
    assert document.authors[0].device
    assert MEMBER.member_id in {identifier.extension for identifier in document.patient.ids}
    allergies = [entry for s in document.sections for entry in s.entries if entry.kind == "allergy"]
    assert "penicillin" in str(allergies).lower()


def test_a_summary_can_be_had_as_a_page_and_as_a_pdf_to_print(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "summary.pdf"
    command = ("summary", MEMBER.member_id, "--plan", "acme", "--format")
    with terminal.recording() as records:
        page = terminal.run(*command, "html")
        printed = terminal.run(*command, "pdf", "--output", file)
    assert (page.exit_code, printed.exit_code) == (0, 0)
    assert "Sampleton" in read_page(page.out).words
    assert printed.out == ""
    assert file.read_bytes().startswith(b"%PDF-1.7")
    assert [one["transaction"] for one in records] == ["CLI-SUMMARY"] * 2


def test_a_file_that_a_summary_is_written_into_is_for_the_user_alone(
    terminal: Terminal, tmp_path: Path
) -> None:
    new, shared = tmp_path / "new.txt", tmp_path / "shared.txt"
    shared.write_text("what stood there before, and longer than anything" * 1000)
    shared.chmod(0o640)
    for file in (new, shared):
        terminal.run("summary", MEMBER.member_id, "--plan", "acme", "--output", file)
        assert "Sampleton" in file.read_text()
        assert "stood there before" not in file.read_text()
    assert [stat.S_IMODE(file.stat().st_mode) for file in (new, shared)] == [0o600, 0o640]


def test_a_summary_that_cannot_be_written_is_a_sentence(terminal: Terminal, tmp_path: Path) -> None:
    command = ("summary", MEMBER.member_id, "--plan", "acme", "--output", tmp_path)
    ended = terminal.run(*command)
    assert ended.exit_code == 1
    assert "cannot be written" in ended.err


def test_a_summary_can_be_had_as_a_fhir_bundle_and_is_recorded(terminal: Terminal) -> None:
    with terminal.recording() as records:
        written = terminal.run("summary", MEMBER.member_id, "--plan", "acme", "--format", "fhir")
    assert written.exit_code == 0
    bundle = json.loads(written.out)
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    resources = [entry["resource"] for entry in bundle["entry"]]
    (patient,) = [one for one in resources if one["resourceType"] == "Patient"]
    assert MEMBER.member_id in {one["value"] for one in patient["identifier"]}
    allergies = [one for one in resources if one["resourceType"] == "AllergyIntolerance"]
    assert "penicillin" in str(allergies).lower()
    (outcome,) = [one for one in resources if one["resourceType"] == "OperationOutcome"]
    assert "was not asked" in outcome["issue"][0]["details"]["text"]
    assert [(one["transaction"], one["member"], one["outcome"]) for one in records] == [
        ("CLI-SUMMARY", MEMBER.id, "success")
    ]


def test_a_summary_in_another_format_or_of_nobody_is_refused(terminal: Terminal) -> None:
    assert terminal.run("summary", MEMBER.member_id, "--format", "xml").exit_code == 2
    assert terminal.run("summary", "nobody", "--plan", "acme").exit_code == 1
