"""What the tests of ccda share: the sample documents, and a document around a few entries."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ccda import ClinicalDocument, parse_document
from ccda.model import Entry

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "ccda"

_DOCUMENT = """<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<id root="1.2.3"/><code code="34133-9"/><effectiveTime value="2024"/><recordTarget/>
<component><structuredBody><component>{section}</component></structuredBody></component>
</ClinicalDocument>"""
_SECTION = """<section><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><title>Test</title>
<text>{text}</text>{entries}</section>"""

ReadEntries = Callable[..., tuple[Entry, ...]]
ReadSection = Callable[[str], ClinicalDocument]


@pytest.fixture
def sample() -> Callable[[str], bytes]:
    return lambda name: (SAMPLES / name).read_bytes()


@pytest.fixture
def whole_record() -> ClinicalDocument:
    return parse_document((SAMPLES / "whole_record.xml").read_bytes())


@pytest.fixture
def read_section() -> ReadSection:
    """Parse a document with the given <section> in it."""
    return lambda section: parse_document(_DOCUMENT.format(section=section).encode())


@pytest.fixture
def read_entries(read_section: ReadSection) -> ReadEntries:
    """The entries of a section with that LOINC code; each statement gets an <entry> around it."""

    def read(code: str, *statements: str, text: str = "") -> tuple[Entry, ...]:
        entries = "".join(f"<entry>{statement}</entry>" for statement in statements)
        document = read_section(_SECTION.format(code=code, text=text, entries=entries))
        return document.sections[0].entries

    return read


@pytest.fixture
def entries_of(whole_record: ClinicalDocument) -> Callable[[str], list[Entry]]:
    """The entries of one kind in the whole record."""
    return lambda kind: [
        entry
        for section in whole_record.sections
        for entry in section.entries
        if entry.kind == kind
    ]
