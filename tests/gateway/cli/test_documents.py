"""`parse`, `ingest`, `held`, `quarantine`: documents from files."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.ingest import GROUP
from tests.gateway.cli.terminal import Terminal, furnish, run
from tests.gateway.house import MEMBER, demo_document

GOOD = demo_document("northfield_ccd.xml")


def changed(number: int, family: bytes = b"Sampleton") -> bytes:
    return GOOD.replace(b"</ClinicalDocument>", b"<!-- %d --></ClinicalDocument>" % number).replace(
        b"Sampleton", family
    )


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return furnish(tmp_path)


# ---- parse -----------------------------------------------------------------------------------


def test_parse_prints_one_object_a_document(tmp_path: Path) -> None:
    file = tmp_path / "good.xml"
    file.write_bytes(GOOD)
    ended = run("parse", file, file)
    assert ended.exit_code == 0
    assert ended.err == ""
    for form in ended.lines:
        assert list(form)[:3] == ["file", "sha256", "document"]
        assert form["file"] == str(file)
        assert len(form["sha256"]) == 64
        assert form["sections"]
        assert isinstance(form["issues"], list)


@pytest.mark.parametrize("content", [None, b"", b"no XML", b"<html/>", b"%PDF-1.7"])
def test_parse_says_why_a_file_is_no_document_and_goes_on(
    tmp_path: Path, content: bytes | None
) -> None:
    bad, good = tmp_path / "bad.xml", tmp_path / "good.xml"
    good.write_bytes(GOOD)
    if content is not None:
        bad.write_bytes(content)
    ended = run("parse", bad, good)
    assert ended.exit_code == 3
    first, second = ended.lines
    assert first["error"]
    assert "error" not in second
    assert str(bad) in ended.err
    assert run("parse", bad).exit_code == 1


def test_parse_of_a_folder_is_a_sentence(tmp_path: Path) -> None:
    ended = run("parse", tmp_path)
    assert ended.exit_code == 1
    assert ended.err.count("\n") == 1
    assert f"name the files in it, as {tmp_path}/*.xml" in ended.err


def test_parse_reads_the_standard_input() -> None:
    command = [sys.executable, "-m", "gateway", "parse", "-"]
    ended = subprocess.run(command, input=GOOD, capture_output=True, check=True)
    form = json.loads(ended.stdout)
    assert (form["file"], form["sha256"]) == ("-", hashlib.sha256(GOOD).hexdigest())
    assert form["sections"]


# ---- ingest ----------------------------------------------------------------------------------


def test_ingest_files_holds_and_quarantines_a_folder_and_closes_with_a_table(
    terminal: Terminal,
) -> None:
    folder = terminal.folder / "in"
    (folder / "deeper").mkdir(parents=True)
    (folder / "a.xml").write_bytes(changed(1))
    (folder / "deeper" / "b.xml").write_bytes(changed(2, b"Zanzibarson"))
    (folder / "c.bin").write_bytes(b"\x00\x01")
    (folder / "d.xml").write_bytes(changed(1))
    with terminal.recording() as records:
        ended = terminal.run("ingest", folder, "--plan", "acme")
    assert ended.exit_code == 0
    for word in ("indexed", "held", "quarantined", "duplicates"):
        assert word in ended.out
    assert "it names no member" in ended.out or "resembles" in ended.out
    assert [record["transaction"] for record in records] == ["FILE"] * 4
    assert {record["plan"] for record in records} == {"acme"}
    assert sum(record["member"] == MEMBER.id for record in records) == 2
    assert all(json.loads(record["documents"]) for record in records)


def test_ingest_for_programs_prints_counts(terminal: Terminal) -> None:
    file = terminal.write("x.xml", changed(3))
    again = terminal.write("y.xml", GOOD)
    ended = terminal.run("ingest", file, again, "--plan", "acme", "--json")
    assert ended.exit_code == 0
    (form,) = ended.lines
    assert form["files"] == 2
    assert (form["filed"], form["held"], form["quarantined"], form["duplicate"]) == (1, 0, 0, 1)
    assert form["unreadable"] == 0


def test_ingest_of_more_files_than_a_group_counts_each(terminal: Terminal) -> None:
    folder = terminal.folder / "many"
    folder.mkdir()
    for number in range(2 * GROUP + 1):
        (folder / f"{number}.xml").write_bytes(b"no document %d" % number)
    ended = terminal.run("ingest", folder, "--plan", "acme", "--json")
    (counts,) = ended.lines
    assert counts["files"] == counts["quarantined"] == 2 * GROUP + 1


def test_ingest_makes_members_and_the_plan_when_asked(tmp_path: Path) -> None:
    terminal = _without_a_house(tmp_path)
    file = terminal.write("a.xml", changed(1))
    other = terminal.write("b.xml", changed(2))
    ended = terminal.run("ingest", file, other, "--create-members", "--plan", "new", "--json")
    assert ended.exit_code == 0
    assert ended.lines[0]["filed"] == 2
    listed = terminal.run("members", "list", "--json")
    assert len(listed.lines) == 1, "both documents name one person"
    number = listed.lines[0]["member_id"]
    shown = terminal.run("summary", number, "--plan", "new", "--format", "json")
    assert shown.exit_code == 0, "a plan that ingest made is known to the other commands"
    assert json.loads(shown.out)["sections"]["problems"]


def test_ingest_without_members_holds_what_it_gets(tmp_path: Path) -> None:
    terminal = _without_a_house(tmp_path)
    file = terminal.write("a.xml", changed(1))
    ended = terminal.run("ingest", file, "--plan", "new", "--json")
    assert ended.lines[0]["held"] == 1
    assert terminal.run("members", "list", "--json").lines == []


def _without_a_house(folder: Path) -> Terminal:
    text = f'[gateway]\ndata_dir = "{folder}/data"\nkey_file = "{folder}/keys/key"\n'
    (folder / "gateway.toml").write_text(text, encoding="utf-8")
    return Terminal(folder)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nowhere", "--plan", "acme"], "does not exist"),
        (["empty", "--plan", "acme"], "no file"),
        (["x.xml"], "--plan"),
        (["x.xml", "--plan", "No Plan"], "there is no plan"),
        (["x.xml", "--plan", "acmee"], "there is no plan acmee"),
        (["x.xml", "--plan", "No Plan", "--create-members"], "plans"),
    ],
)
def test_ingest_of_nothing_or_for_nobody_is_usage(
    terminal: Terminal, arguments: list[str], word: str
) -> None:
    (terminal.folder / "empty").mkdir()
    terminal.write("x.xml", GOOD)
    ended = terminal.run("ingest", terminal.folder / arguments[0], *arguments[1:])
    assert ended.exit_code == 2
    assert word in ended.err
    assert ended.err.count("\n") == 1
    assert "acmee" not in terminal.run("held", "list").err  # nothing was founded


def test_ingest_names_a_file_that_cannot_be_read_and_exits_3(terminal: Terminal) -> None:
    file = terminal.write("a.xml", changed(4))
    pointing = terminal.folder / "loop.xml"
    pointing.symlink_to(terminal.folder / "loop.xml")
    folder = terminal.folder / "in"
    folder.mkdir()
    file.rename(folder / "a.xml")
    ended = terminal.run("ingest", folder, "--plan", "acme")
    assert ended.exit_code == 0
    ended = terminal.run("ingest", pointing, "--plan", "acme")
    assert ended.exit_code == 2
    assert "does not exist" in ended.err


# ---- held and quarantine ---------------------------------------------------------------------


def test_held_and_quarantine_list_each_document_with_its_reason(terminal: Terminal) -> None:
    folder = terminal.folder / "in"
    folder.mkdir()
    (folder / "held.xml").write_bytes(changed(5, b"Zanzibarson"))
    (folder / "bad.xml").write_bytes(b"no document")
    assert terminal.run("held", "list", "--plan", "acme").out.strip() == "None."
    terminal.run("ingest", folder, "--plan", "acme")
    for command in ("held", "quarantine"):
        with terminal.recording() as records:
            ended = terminal.run(command, "list", "--plan", "acme", "--json")
        (form,) = ended.lines
        assert form["reason"]
        (record,) = records
        assert record["transaction"] in ("CLI-HELD", "CLI-QUARANTINED")
        assert json.loads(record["documents"]) == [form["id"]]
        assert form["id"] in terminal.run(command, "list", "--plan", "acme").out
        assert terminal.run(command, "list", "--plan", "other", "--json").lines == []


def test_looking_for_held_documents_makes_no_plan(terminal: Terminal) -> None:
    ended = terminal.run("held", "list", "--plan", "acmee")
    assert ended.exit_code == 2
    assert "no plan acmee" in ended.err
    assert {row["id"] for row in terminal.rows("SELECT id FROM plan")} == {"acme", "other"}


def test_a_title_cannot_command_the_terminal(terminal: Terminal) -> None:
    title = "<title>[red]\u009b31m</title>".encode()
    start, end = GOOD.index(b"<title>"), GOOD.index(b"</title>") + 8
    file = terminal.write("t.xml", (GOOD[:start] + title + GOOD[end:]).replace(b"Sampleton", b"Z"))
    terminal.run("ingest", file, "--plan", "acme")
    shown = terminal.run("held", "list", "--plan", "acme").out
    assert "[red]" in shown
    assert "\u009b" not in shown
