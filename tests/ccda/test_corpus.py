"""The whole library over every document at hand: the public corpus beside a checkout, else ours."""

import json
from collections.abc import Iterator
from pathlib import Path

from ccda import CcdaError, ClinicalDocument, parse_document
from ccda.json_form import document_json, entry_from_json, entry_json
from ccda.safe_xml import parse_xml

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"
# The classCodes of clinical statements, which other elements with an id do not have.
_CLASSES = {"ACT", "OBS", "SBADM", "SPLY", "PROC", "ENC", "CLUSTER", "BATTERY", "PCPR"}
SAMPLES = ROOT / "tests" / "samples" / "ccda"


def files() -> list[Path]:
    folder = CORPUS if CORPUS.is_dir() else SAMPLES
    return [file for file in sorted(folder.rglob("*")) if file.is_file()]


def documents() -> Iterator[tuple[Path, bytes, ClinicalDocument]]:
    """What parses; only a CcdaError may stand in the way of that."""
    for file in files():
        data = file.read_bytes()
        try:
            yield file, data, parse_document(data)
        except CcdaError:
            continue


def test_documents_parse_and_no_entry_breaks() -> None:
    read = 0
    for file, _, document in documents():
        read += 1
        broken = [issue for issue in document.issues if "could not be read" in issue.text]
        assert broken == [], file
    assert read >= min(len(files()) // 4, 150)


def test_every_path_selects_exactly_its_element_in_the_stored_bytes() -> None:
    checked = 0
    for file, data, document in documents():
        root = parse_xml(data, recover=document.recovered)
        for section in document.sections:
            (found,) = root.xpath(section.path)
            assert found.sourceline == section.line, file
            for entry in section.entries:
                (found,) = root.xpath(entry.path)
                assert found.sourceline == entry.line, (file, entry.path)
                assert found.get("moodCode") == entry.mood
                checked += 1
            for raw in section.raw_entries:
                (found,) = root.xpath(raw.path)
                assert found.sourceline == raw.line, (file, raw.path)
                assert found.tag.rpartition("}")[2] == raw.statement
    assert checked >= 20


def test_every_statement_of_an_entry_is_told_or_kept_raw() -> None:
    """Each id a sender gave a statement is found again: nothing that has one was dropped."""
    kept = 0
    for file, data, document in documents():
        root = parse_xml(data, recover=document.recovered)
        for section in document.sections:
            said = json.dumps([entry_json(entry) for entry in section.entries])
            said += json.dumps([raw.xml for raw in section.raw_entries])
            for identifier in root.xpath(
                f"{section.path}/*[local-name()='entry']//*[local-name()='id']"
            ):
                extension = identifier.get("extension")
                if extension and identifier.getparent().get("classCode") in _CLASSES:
                    kept += 1
                    assert json.dumps(extension)[1:-1] in said, (file, identifier.sourceline)
    assert kept >= 20


def test_every_entry_round_trips_through_json() -> None:
    for file, _, document in documents():
        form = json.loads(json.dumps(document_json(document)))
        for section, section_form in zip(document.sections, form["sections"], strict=True):
            read = tuple(entry_from_json(entry) for entry in section_form["entries"])
            assert read == section.entries, file


def test_a_parent_comes_before_its_part() -> None:
    parts = 0
    for file, _, document in documents():
        for section in document.sections:
            for position, entry in enumerate(section.entries):
                if entry.parent is not None:
                    parts += 1
                    assert entry.parent < position, file
                    assert entry.path.startswith(section.entries[entry.parent].path + "/"), file
    assert parts >= 3


def test_no_entry_appears_twice() -> None:
    for file, _, document in documents():
        paths = [entry.path for section in document.sections for entry in section.entries]
        assert len(paths) == len(set(paths)), file


_SAYS_MORE = {"panel", "relative", "payer", "member_ids", "location", "device"}


def test_a_fact_has_a_code_or_words_and_a_marker_says_so() -> None:
    """Panels aside, which may group named parts without a name of their own.

    What has no name may still say something: an answer, who pays, when and where someone was seen.
    """
    for file, _, document in documents():
        for section in document.sections:
            for entry in section.entries:
                code = entry.code
                named = code is not None and (code.code or code.display or code.translations)
                says_more = _SAYS_MORE & set(entry.details) or entry.value or entry.start
                if not named and not entry.text and not says_more and not entry.time:
                    assert entry.no_information, (file, entry_json(entry))
