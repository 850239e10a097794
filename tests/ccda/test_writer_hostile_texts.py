"""Texts that would break XML, or pass for something else, in a document that we write."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ccda import parse_document
from ccda.hl7v3 import AD, CD, II, PN, TEL, TS
from ccda.model import Entry, Interval, Patient
from ccda.summary import (
    LineSource,
    NothingKnown,
    Summary,
    SummaryDocument,
    SummaryLine,
    SummarySection,
)
from tests.ccda.facts import certain_facts
from tests.ccda.written import DEMO, summarized, write
from tests.conformance import assert_valid_clinical_document

SOURCE = LineSource("d1", "Example Clinic", 0, "/*", "2024-05-01")
MARKUP = '</td></table><script>alert("1")</script>&amp;<!--]]>'
HOSTILE = {
    "markup": MARKUP,
    "control characters": "a\x00b\x08c\x1fd",
    "no characters at all": "a\ufffe\uffffb",
    "half a character": "a\ud800b",
    "line ends": "a\r\n\tb\u2028c",
    "another direction": "a\u202eb",
    "a reference": "#problems-1",
    "nothing": "",
    "white space": " \t ",
}


def line(**given: Any) -> SummaryLine:
    about = {"kind": "problem", "display": "Asthma", "sources": (SOURCE,), "status": "active"}
    return SummaryLine(**{**about, **given})


def summary_of(*lines: SummaryLine) -> Summary:
    document = SummaryDocument("d1", "A", "Example Clinic", "CCD", "2024-05-01")
    kinds = {one.kind: tuple(o for o in lines if o.kind == one.kind) for one in lines}
    sections = tuple(SummarySection(kind, held) for kind, held in kinds.items())
    return Summary("2025-10-01", (document,), sections)


def changed(value: Any, change: Callable[[str], str]) -> Any:
    """The same value, all its texts changed but those that say what kind it is."""
    match value:
        case str():
            return change(value)
        case tuple() | list():
            return type(value)(changed(part, change) for part in value)
        case Mapping():
            return {key: changed(part, change) for key, part in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in fields(value) if field.name not in ("kind", "id")]
            parts = {name: changed(getattr(value, name), change) for name in names}
            return replace(value, **{k: v for k, v in parts.items() if k != "document"})
        case _:
            return value


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_name_is_shown_and_breaks_nothing(text: str) -> None:
    code = CD("195967001", "2.16.840.1.113883.6.96", text)
    xml = write(summary_of(line(display=text, code=code)), Patient())
    assert_valid_clinical_document(xml)
    (entry,) = [e for section in parse_document(xml).sections for e in section.entries]
    assert entry.code is not None and entry.code.code == "195967001"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("place", ["instead", "after"])
def test_every_text_of_a_whole_record_may_be_hostile(text: str, place: str) -> None:
    files = [(file.stem, file.read_bytes()) for file in sorted(Path(DEMO).glob("*_ccd.xml"))]
    summary, patient = summarized(files)
    hostile = changed(summary, lambda told: text if place == "instead" else told + text)
    xml = write(hostile, changed(patient, lambda told: text if place == "instead" else told + text))
    assert_valid_clinical_document(xml)
    assert parse_document(xml).issues == ()


def test_what_xml_cannot_hold_is_shown_as_a_replacement() -> None:
    xml = write(summary_of(line(display="a\x00b")), Patient())
    assert "a\ufffdb" in etree.tostring(etree.fromstring(xml), encoding="unicode")


def test_markup_stays_text() -> None:
    xml = write(summary_of(line(display=MARKUP)), Patient())
    root = etree.fromstring(xml)
    assert root.find(".//{*}script") is None
    assert MARKUP in "".join(root.itertext())


def test_a_very_long_text_is_cut_and_says_by_how_much() -> None:
    xml = write(summary_of(line(display="x" * 3_000_000)), Patient())
    assert_valid_clinical_document(xml)
    assert len(xml) < 5_000_000
    assert b"2000000 more characters are not shown" in xml
    assert parse_document(xml).issues == ()


def test_codes_units_and_times_the_schema_refuses_stay_in_the_narrative() -> None:
    told = line(
        kind="result",
        display="Leucocytes",
        code=CD("a code", "not an oid!", "Leucocytes"),
        start="last spring",
        value="7",
        unit="per high power field",
        status="sent out",
    )
    xml = write(summary_of(told), Patient())
    assert_valid_clinical_document(xml)
    (section,) = [s for s in parse_document(xml).sections if s.title == "Results"]
    for words in ("Leucocytes", "last spring", "7 per high power field", "sent out"):
        assert words in (section.text or "")
    (entry,) = [entry for entry in section.entries if entry.parent is not None]
    assert (entry.value, entry.start, entry.status) == ("7", None, None)


@pytest.mark.parametrize("value", ["5" * 5000, "1e999", "٣"])
@pytest.mark.parametrize(("unit", "said"), [(None, ""), ("mg", " mg")])
def test_a_number_that_no_reader_takes_is_text(value: str, unit: str | None, said: str) -> None:
    xml = write(summary_of(line(kind="mental_status", value=value, unit=unit)), Patient())
    assert_valid_clinical_document(xml)
    (entry,) = [e for section in parse_document(xml).sections for e in section.entries]
    assert (entry.value, entry.unit) == (f"{value}{said}", None)
    assert b'xsi:type="ST"' in xml


@pytest.mark.parametrize("count", ["٣", "9" * 5000, "-1", "many"])
def test_a_count_that_no_reader_takes_stays_in_the_narrative(count: str) -> None:
    details = {"repeat_number": count, "supply": [{"mood": "RQO", "repeat_number": count}]}
    xml = write(summary_of(line(kind="medication", details=details)), Patient())
    assert_valid_clinical_document(xml)
    assert b"repeatNumber" not in xml and count.encode() in xml


@pytest.mark.parametrize(
    "code",
    [
        CD("195967001 x", "2.16.840.1.113883.6.96", "Asthma"),
        CD("195967001", "2.16.840.1.113883>6.96", "Asthma"),
        CD("195967001 x", None, "Asthma", translations=(CD("J45", "2.16.840.1.113883.6.90"),)),
        CD("195967001 x", "2.16.840.1.113883.6.96"),
    ],
)
def test_a_code_and_a_coded_value_keep_what_the_schema_admits_of_them(code: CD) -> None:
    asked = CD("75275-8", "2.16.840.1.113883.6.1", "Cognition")
    summary = summary_of(
        line(code=code, display=code.display or code.code),
        line(kind="mental_status", code=asked, status=None, value=code),
    )
    xml = write(summary, Patient())
    assert_valid_clinical_document(xml)
    assert certain_facts(summarized([("derived", xml)])[0]) == certain_facts(summary)


def test_a_range_that_is_no_range_of_numbers_is_text() -> None:
    told = line(kind="result", value=Interval("few", "many"), status="completed")
    xml = write(summary_of(told), Patient())
    assert_valid_clinical_document(xml)
    assert b"few\xe2\x80\x93many" in xml


def test_a_patient_nobody_can_name_has_null_flavors() -> None:
    patient = Patient(
        names=(PN(text="Jane \x01 Doe", use="??"),),
        addresses=(AD(lines=("1", "2", "3", "4", "5"), use="nowhere"),),
        telecoms=(TEL("tel: 555 0100", use="??"), TEL(None)),
        ids=(II("no oid", "1"),),
        birth_time=TS("long ago"),
        gender="unknown to us",
        language="en US",
    )
    xml = write(summary_of(line()), patient)
    assert_valid_clinical_document(xml)
    assert parse_document(xml).patient.names[0].family == "Jane \ufffd Doe"


def test_a_denial_of_hostile_words_is_still_one() -> None:
    coded = Entry("allergy", "/*", code=CD("716186003"), no_information=True)
    section = SummarySection("allergy", (), (NothingKnown(MARKUP, (SOURCE,), (coded,)),))
    xml = write(replace(summary_of(), sections=(section,)), Patient())
    assert_valid_clinical_document(xml)
    (found,) = [entry for s in parse_document(xml).sections for entry in s.entries]
    assert found.negated
