"""The printed summary: a PDF/A that holds every word of the page, whatever the words are."""

import io
import os
import subprocess
import sys
import sysconfig
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from ccda.html.sheet import Sheet, SheetLine, SheetPoint, SheetSection
from gateway.exchange.summary_pdf import write_pdf
from gateway.exchange.typeset import is_installed
from gateway.exchange.workers import WorkerPool

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2025, 10, 1, 9, 30, tzinfo=UTC)
POINT = SheetPoint("2024-01-02 08:15", "12.4 g/dL", "124 g/L", "low", "Sources disagree", "B")
LINE = SheetLine("Hemoglobin", ("Sources disagree", "Negated: not so"),
                 (("Status", "active"), ("Since", "2008")), ("One says so, one does not.",),
                 (POINT, replace(POINT, time="2024-02")), "718-7 (LOINC)", "A, B")  # fmt: skip
SHEET = Sheet(
    name="Ada Sampleton",
    member=(("Born", "1958-03-14"), ("Gender", "Female")),
    as_of="2025-10-01 09:30",
    completeness="Not complete: 1 of 2 partners gave no full answer.",
    answers=(("North", "Found the member", "3", "2025-10-01", ""),
             ("South", "Gave no answer in time", "0", "", "after 60 s")),
    sections=(SheetSection("results", "Results", (LINE,), (("No known allergies", "A"),)),),
    documents=(("A", "2024-01-02", "North", "Discharge Summary"), ("B", "2024", "South", "Note")),
)  # fmt: skip
EMPTY = Sheet("Ada Sampleton", (), "2025", "No partner was asked.", (), (), ())


def pdf(sheet: Sheet) -> PdfReader:
    return PdfReader(io.BytesIO(write_pdf(sheet, author="Acme Health Plan", now=NOW)))


def words_of(reader: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


def texts(form: Any) -> list[str]:
    if isinstance(form, str):
        return [form]
    values = form.values() if isinstance(form, dict) else form
    return [text for value in values for text in texts(value)]


def test_every_word_of_the_sheet_is_printed() -> None:
    printed = words_of(pdf(SHEET))
    form = asdict(SHEET)
    form["sections"][0].pop("key")  # a name for programs
    for words in texts(form):
        assert words in printed, words


def test_a_summary_of_nothing_says_so() -> None:
    printed = words_of(pdf(EMPTY))
    for words in ("No document says anything", "No partner was asked.", "There is no document."):
        assert words in printed


def test_it_says_of_itself_what_it_is_for_a_reader_and_for_an_archive() -> None:
    reader = pdf(SHEET)
    catalog = reader.root_object
    assert reader.metadata is not None
    assert reader.metadata.title == "Summary of Ada Sampleton"
    assert reader.metadata.author == "Acme Health Plan"
    assert reader.metadata.creation_date == NOW
    metadata = catalog["/Metadata"].get_data().decode()
    for marker in ("<pdfaid:part>2<", "<pdfaid:conformance>B<", "<pdfuaid:part>1<"):
        assert marker in metadata
    assert catalog["/Lang"] == "en"
    assert catalog["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in catalog
    assert catalog["/OutputIntents"]


def test_it_holds_nothing_that_acts_or_fetches() -> None:
    content = write_pdf(SHEET, author="A", now=NOW)
    for danger in (b"/JavaScript", b"/JS", b"/Launch", b"/URI", b"/EmbeddedFile", b"/OpenAction"):
        assert danger not in content


def test_the_same_summary_at_the_same_time_is_the_same_bytes() -> None:
    first, second = (write_pdf(SHEET, author="A", now=NOW) for _ in range(2))
    assert first == second
    assert write_pdf(SHEET, author="A", now=NOW.replace(year=2024)) != first


@pytest.mark.parametrize(
    "words",
    ["#import \"x\"", "#read(\"/etc/passwd\")", "$ x^2 $", "= Heading", "*bold* _it_", "<label>",
     "@ref", "// comment", "\\ #eval(\"1\")", "https://x.example/", "\"}]; #panic()", "'--\\n"],
)  # fmt: skip
def test_words_are_never_markup(words: str) -> None:
    reader = pdf(replace(SHEET, name=words, completeness=words))
    assert "".join(words.split()) in "".join(words_of(reader).split())
    assert reader.metadata is not None
    assert reader.metadata.title == f"Summary of {words}"


@pytest.mark.parametrize("words", ["Αθηνά Иван Łódź", "אבא", "½ µg ≥ 3 → 4 ₂ ²"])
def test_what_the_print_has_letters_for_is_printed_in_them(words: str) -> None:
    assert "U+" not in words_of(pdf(replace(SHEET, name=words)))


def test_what_no_font_can_show_is_given_by_its_number_and_the_print_says_so() -> None:
    printed = words_of(pdf(replace(SHEET, name="Ada \U000e0041\U0001ffff x")))
    assert "Ada <U+E0041><U+1FFFF> x" in printed
    assert "are given by their Unicode number" in printed
    assert "Hemoglobin" in printed


def test_characters_that_hide_or_reorder_are_replaced() -> None:
    printed = words_of(pdf(replace(SHEET, name="0.5\u202emg\x00")))
    assert "0.5\ufffdmg\ufffd" in printed


def test_a_long_record_takes_many_pages_and_each_says_which_it_is() -> None:
    many = replace(SHEET.sections[0], lines=(replace(LINE, points=(POINT,) * 40),) * 60)
    reader = pdf(replace(SHEET, sections=(many,)))
    assert len(reader.pages) > 20
    last = reader.pages[-1].extract_text()
    assert f"Page {len(reader.pages)} of {len(reader.pages)}" in last
    assert "Summary of Ada Sampleton" in last


def test_a_worker_process_prints_it() -> None:
    with WorkerPool(1, 2 * 1024**3, 60.0) as workers:
        printed = workers.run(write_pdf, SHEET, author="A", now=NOW)
    assert printed == write_pdf(SHEET, author="A", now=NOW)


def test_where_typst_is_not_installed_that_is_a_sentence(tmp_path: Path) -> None:
    """In an interpreter that sees everything that is installed but typst."""
    assert is_installed()
    packages = tmp_path / "packages"
    packages.mkdir()
    for folder in {sysconfig.get_path(name) for name in ("purelib", "platlib")}:
        for entry in Path(folder).iterdir():
            if not entry.name.startswith(("typst", "__editable__")) and entry.suffix != ".pth":
                (packages / entry.name).symlink_to(entry)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(packages)))}
    command = "from gateway.cli import main; main(['summary', 'M-1', '--format', 'pdf'])"
    ended = subprocess.run(
        [sys.executable, "-S", "-c", command],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert ended.returncode == 1
    assert "optional part `pdf`, which is not installed" in " ".join(ended.stderr.split())
