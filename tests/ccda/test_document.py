import gc
import re
from collections.abc import Callable, Iterator

import pytest

from ccda import CcdaError, ClinicalDocument, parse_document
from ccda.document import READERS
from ccda.errors import DoctypeRefused, MalformedXml, NotAClinicalDocument
from ccda.hl7v3 import CD
from ccda.model import KINDS, Entry
from ccda.narrative import Narrative
from ccda.sections.statement import Statement
from ccda.templates import SECTION_BY_LOINC, SECTION_BY_TEMPLATE

Sample = Callable[[str], bytes]
ReadSection = Callable[[str], ClinicalDocument]

PROBLEM = """<entry><observation classCode="OBS" moodCode="EVN">
<templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="64572001"/>
<value xsi:type="CD" code="195967001" displayName="Asthma"/></observation></entry>"""


def kinds(document: ClinicalDocument) -> list[str]:
    return [entry.kind for section in document.sections for entry in section.entries]


def issues(document: ClinicalDocument) -> list[str]:
    return [issue.text for issue in document.issues]


def test_every_kind_of_statement_is_read(whole_record: ClinicalDocument) -> None:
    assert set(kinds(whole_record)) == set(KINDS)
    assert whole_record.issues == ()


def test_every_kind_of_section_has_a_reader() -> None:
    assert set(SECTION_BY_LOINC.values()) | set(SECTION_BY_TEMPLATE.values()) == set(READERS)


@pytest.mark.parametrize(
    "name", ["no_namespace.xml", "misspelt_namespace.xml", "prefixed_namespace.xml"]
)
def test_a_document_in_the_wrong_namespace_is_read(sample: Sample, name: str) -> None:
    document = parse_document(sample(name))
    entry = document.sections[0].entries[0]
    assert entry.code is not None and entry.code.code == "195967001"
    told = "the document is not in the HL7 V3 namespace" in issues(document)
    assert told == (name != "prefixed_namespace.xml")


@pytest.mark.parametrize("none", [b'xmlns=""', b"xmlns=''", b"xmlns\n = ''"])
def test_elements_outside_the_namespace_are_brought_in(sample: Sample, none: bytes) -> None:
    data = sample("whole_record.xml").replace(b"<entry>", b"<entry %b>" % none, 1)
    document = parse_document(data)
    assert document.sections[0].entries[0].kind == "problem"
    assert "some elements are not in the HL7 V3 namespace" in issues(document)


def test_an_undeclared_prefix_is_recovered_from(sample: Sample) -> None:
    document = parse_document(sample("undeclared_xsi_prefix.xml"))
    assert document.recovered
    assert document.issues[0].severity == "error"
    entry = document.sections[0].entries[0]
    assert entry.code is not None and entry.code.display == "Asthma"


def test_undeclared_prefixes_keep_their_meaning() -> None:
    data = """<ClinicalDocument xmlns="urn:hl7-org:v3"><recordTarget><patientRole><patient>
    <sdtc:raceCode code="2028-9"/></patient></patientRole></recordTarget><component><section>
    <code code="30954-2"/><entry><observation><code code="1"/>
    <value xsi:type="TS" value="20240101"/></observation></entry></section></component>
    </ClinicalDocument>"""
    document = parse_document(data.encode())
    assert document.patient.race is not None and document.patient.race.code == "2028-9"
    assert document.sections[0].entries[0].value == "2024-01-01"


def test_an_undeclared_prefix_on_every_element_is_taken_for_v3(sample: Sample) -> None:
    whole = sample("prefixed_namespace.xml").decode()
    damaged = re.sub(r' xmlns:(?!xsi)\w+="urn:hl7-org:v3"', "", whole)
    document = parse_document(damaged.encode())
    assert damaged != whole and document.recovered
    entry = document.sections[0].entries[0]
    assert entry.code is not None and entry.code.code == "195967001"


@pytest.mark.parametrize("namespace", ["", ' xmlns="urn:hl7-org:v3"'])
@pytest.mark.parametrize("tag", ["x:", ":x", "a:b:c", "epic:text"])
def test_a_tag_that_is_no_name_of_v3_costs_nothing_else(namespace: str, tag: str) -> None:
    data = f"<ClinicalDocument{namespace}><{tag}/><component><section><{tag}>not ours</{tag}>"
    data += "<title>Kept</title></section></component></ClinicalDocument>"
    section = parse_document(data.encode()).sections[0]
    assert (section.title, section.text) == ("Kept", None)


@pytest.mark.parametrize("root", ["html:Cl", "a:b:ClinicalDocument", "x:"])
def test_a_root_that_is_no_name_is_no_clinical_document(root: str) -> None:
    with pytest.raises(NotAClinicalDocument):
        parse_document(f"<{root}><component/></{root}>".encode())


def test_an_undeclared_entity_is_read_as_its_sender_meant_it(sample: Sample) -> None:
    data = sample("whole_record.xml").replace(b"Blood count", b"Blood&nbsp;count")
    document = parse_document(data)
    assert document.recovered
    assert kinds(document).count("result") == 3
    assert " ".join((document.sections[4].text or "").split()) == "Blood count"


def test_a_document_cut_short_keeps_what_came_before(sample: Sample) -> None:
    data = sample("whole_record.xml")
    document = parse_document(data[: data.index(b"Vital signs")])
    assert document.recovered
    assert kinds(document)[:3] == ["problem", "allergy", "medication"]


def test_white_space_before_the_declaration_shifts_no_line(sample: Sample) -> None:
    document = parse_document(sample("space_before_declaration.xml"))
    assert not document.recovered
    assert document.sections[0].text == "Asthma café"
    assert document.sections[0].entries[0].line == 5


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_any_unicode_encoding_gives_the_same_document(sample: Sample, encoding: str) -> None:
    data = sample("whole_record.xml")
    assert parse_document(data.decode().encode(encoding)) == parse_document(data)


def test_a_doctype_is_refused(sample: Sample) -> None:
    with pytest.raises(DoctypeRefused):
        parse_document(sample("external_entity.xml"))


@pytest.mark.parametrize(
    "data",
    [
        b"<section xmlns='urn:hl7-org:v3'/>",
        b"<html><ClinicalDocument xmlns='urn:hl7-org:v3'/></html>",
        b"<a:b xmlns:a='urn:hl7-org:v3'><c></a:b>",
    ],
)
def test_another_root_is_no_clinical_document(data: bytes) -> None:
    with pytest.raises(NotAClinicalDocument):
        parse_document(data)


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4", b"\x00\x01\x02\x03", b"plain words"])
def test_what_is_no_xml_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedXml):
        parse_document(data)


def test_no_cut_of_a_document_raises_anything_else(sample: Sample) -> None:
    data = sample("whole_record.xml")
    for end in range(0, len(data), 97):
        try:
            parse_document(data[:end])
        except CcdaError:
            continue


# ---- sections --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "naming",
    [
        '<code code="11450-4"/>',
        '<code code=" 11450-4 "/>',
        '<templateId root="2.16.840.1.113883.10.20.22.2.5.1" extension="2099-01-01"/>',
        '<code code="local"/><templateId root="2.16.840.1.113883.3.88.11.83.103"/>',
        '<code code="11450-4"/><templateId root="2.16.840.1.113883.10.20.22.2.6.1"/>',
        '<code code="local"/>',
        "",
    ],
)
def test_a_section_is_known_by_code_then_template_then_entries(
    read_section: ReadSection, naming: str
) -> None:
    assert kinds(read_section(f"<section>{naming}{PROBLEM}</section>")) == ["problem"]


def test_a_known_section_without_a_kind_is_kept_as_narrative(read_section: ReadSection) -> None:
    document = read_section(
        '<section><code code="8648-8"/><title>Course</title><text>Went well</text></section>'
    )
    section = document.sections[0]
    assert (section.title, section.text, section.entries) == ("Course", "Went well", ())


def test_an_unknown_section_is_kept_as_narrative(read_section: ReadSection) -> None:
    unknown = "<entry><act><code code='x'/></act></entry>"
    document = read_section(f"<section><code code='x'/><text>Something</text>{unknown}</section>")
    assert document.sections[0].text == "Something"
    assert document.sections[0].raw_entries[0].code == CD("x")
    assert [issue.severity for issue in document.issues] == ["information"]


def test_nested_sections_come_in_document_order(read_section: ReadSection) -> None:
    content = f'<code code="11450-4"/>{PROBLEM}'
    inner = f"<component><section><title>Inner</title>{content}</section></component>"
    document = read_section(f"<section><title>Outer</title>{content}{inner}</section>")
    assert [(s.title, len(s.entries)) for s in document.sections] == [("Outer", 1), ("Inner", 1)]


def test_an_empty_component_costs_nothing(read_section: ReadSection) -> None:
    assert read_section("").sections == ()


@pytest.mark.parametrize("empty", ["<entry/>", "<entry><text/></entry>"])
def test_an_entry_without_a_statement_is_an_issue(read_section: ReadSection, empty: str) -> None:
    document = read_section(f'<section><code code="11450-4"/>{empty}{PROBLEM}</section>')
    assert kinds(document) == ["problem"]
    assert [(i.severity, i.section) for i in document.issues] == [("warning", "11450-4")]


def test_a_broken_entry_is_an_issue_and_the_rest_is_read(
    read_section: ReadSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(top: Statement, narrative: Narrative) -> Iterator[Entry]:
        yield from READERS["problems"](top, narrative)
        raise ZeroDivisionError

    monkeypatch.setitem(READERS, "allergies", break_down)
    document = read_section(
        f'<section><title>A</title><code code="48765-2"/>{PROBLEM}<component><section>'
        f'<code code="11450-4"/>{PROBLEM}</section></component></section>'
    )
    assert [len(section.entries) for section in document.sections] == [1, 1]
    assert document.issues[0].text == "an entry could not be read (ZeroDivisionError)"
    assert document.issues[0].section == "A"


def test_a_dangling_reference_is_noted_once_a_section(read_section: ReadSection) -> None:
    dangling = PROBLEM.replace("<value", '<text><reference value="#gone"/></text><value')
    document = read_section(f'<section><code code="11450-4"/>{dangling * 2}</section>')
    assert issues(document) == ["a reference points to no text"]


def test_issues_quote_nothing_of_the_document(sample: Sample) -> None:
    document = parse_document(sample("undeclared_xsi_prefix.xml"))
    assert "Asthma" not in str(document.issues)


def test_a_deeply_nested_entry_is_read_or_an_issue(read_section: ReadSection) -> None:
    depth = 110
    start = '<entryRelationship typeCode="SUBJ"><act>' * depth
    end = "</act></entryRelationship>" * depth
    entry = f"<entry><act>{start}{end}</act></entry>"
    document = read_section(f'<section><code code="11450-4"/>{entry}{PROBLEM}</section>')
    assert kinds(document) == ["problem"]


def test_the_same_bytes_give_the_same_document(sample: Sample) -> None:
    data = sample("whole_record.xml")
    assert parse_document(data) == parse_document(data)


def test_no_document_stays_in_memory_waiting_for_the_collector(sample: Sample) -> None:
    data = sample("whole_record.xml")
    parse_document(data)
    gc.collect()
    gc.disable()
    try:
        document = parse_document(data)
        assert gc.collect() == 0
        assert document.issues == ()
    finally:
        gc.enable()


def test_a_section_is_known_by_a_translation_of_its_code(read_section: ReadSection) -> None:
    code = '<code nullFlavor="UNK"><translation code="11450-4"/></code>'
    problem = PROBLEM.replace("2.16.840.1.113883.10.20.22.4.4", "2.999")
    assert kinds(read_section(f"<section>{code}<text/>{problem}</section>")) == ["problem"]


@pytest.mark.parametrize("written", ["urn:oid:{}", " {} "])
def test_a_template_is_known_however_its_oid_is_written(
    read_section: ReadSection, written: str
) -> None:
    root = "2.16.840.1.113883.10.20.22.4.4"
    problem = PROBLEM.replace(root, written.format(root)).replace("<value", "<text>x</text><value")
    assert kinds(read_section(f"<section><text/>{problem}</section>")) == ["problem"]
    whole = '<templateId root="urn:oid:2.16.840.1.113883.10.20.22.2.5.1"/>'
    bare = problem.replace(root, "2.999")
    assert kinds(read_section(f"<section>{whole}<text/>{bare}</section>")) == ["problem"]


RESULT = """<entry><organizer><templateId root="2.16.840.1.113883.10.20.22.4.1"/>
<code code="24323-8"/><component><observation><code code="2345-7"/>
<value xsi:type="PQ" value="90" unit="mg/dL"/></observation></component></organizer></entry>"""


def test_a_result_is_read_in_a_section_of_words(read_section: ReadSection) -> None:
    studies = '<section><code code="11493-4"/><text/>{}</section>'
    assert kinds(read_section(studies.format(RESULT))) == ["result", "result"]
    assert kinds(read_section(studies.format(PROBLEM))) == []
