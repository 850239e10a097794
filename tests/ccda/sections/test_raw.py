from collections.abc import Callable

from ccda import ClinicalDocument
from ccda.hl7v3 import CD
from ccda.json_form import document_json

ReadSection = Callable[[str], ClinicalDocument]

INSTRUCTION = (
    '<entry><act classCode="ACT" moodCode="INT">'
    '<templateId root="2.16.840.1.113883.10.20.22.4.20"/>'
    '<code code="311401005" displayName="Patient education"/><text>Drink water</text>'
    '<entryRelationship typeCode="RSON"><observation><value xsi:type="ST">Fever</value>'
    "</observation></entryRelationship></act></entry>"
)


def test_a_statement_of_no_kind_is_kept_raw_and_read_as_far_as_it_can_be(
    read_section: ReadSection,
) -> None:
    document = read_section(f'<section><code code="69730-0"/>{INSTRUCTION}</section>')
    section = document.sections[0]
    (raw,) = section.raw_entries
    assert section.entries == ()
    assert raw.code == CD("311401005", None, "Patient education")
    assert (raw.statement, raw.text, raw.details["mood"]) == ("act", "Drink water", "INT")
    assert raw.details["related"][0]["value"] == {"value": "Fever"}
    assert raw.xml.startswith("<act ") and raw.xml.endswith("</act>")
    assert [(issue.severity, issue.line is not None) for issue in document.issues] == [
        ("information", True)
    ]


def test_raw_entries_are_printed_where_there_are_any(read_section: ReadSection) -> None:
    document = read_section(f'<section><code code="69730-0"/>{INSTRUCTION}</section>')
    (form,) = document_json(document)["sections"]
    assert form["raw_entries"][0]["path"] == document.sections[0].raw_entries[0].path
    (bare,) = document_json(read_section("<section><title>None</title></section>"))["sections"]
    assert "raw_entries" not in bare and "authors" not in bare


def test_an_entry_without_a_statement_is_kept_as_it_was_written(read_section: ReadSection) -> None:
    document = read_section('<section><entry><substance code="x"/></entry><entry/></section>')
    (raw,) = document.sections[0].raw_entries
    assert (raw.statement, 'code="x"' in raw.xml) == ("entry", True)


def test_a_problem_in_the_section_of_medications_is_a_problem(read_section: ReadSection) -> None:
    problem = (
        '<entry><observation><templateId root="2.16.840.1.113883.10.20.22.4.4"/>'
        '<value xsi:type="CD" code="1"/></observation></entry>'
    )
    section = read_section(f'<section><code code="10160-0"/>{problem}</section>').sections[0]
    assert [entry.kind for entry in section.entries] == ["problem"]
    assert section.raw_entries == ()


def test_a_section_has_authors_and_ids_of_its_own(read_section: ReadSection) -> None:
    author = "<author><assignedAuthor><assignedPerson><name>Ada</name></assignedPerson>"
    author += "</assignedAuthor></author>"
    section = read_section(f'<section><id root="1.2"/>{author}</section>').sections[0]
    assert [author.name for author in section.authors] == ["Ada"]
    assert section.details == {"ids": ["1.2"]}
