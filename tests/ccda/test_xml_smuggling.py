"""Markup that means one thing to one reader and another to the next: one meaning, or a flag.

A name must not be cut in two by a comment (CVE-2017-11427), and what a forgiving parse had to
decide for itself is never passed on as if the sender had said it.
"""

import pytest

from ccda import parse_document
from ccda.html import render_html

DOCUMENT = """<ClinicalDocument xmlns="urn:hl7-org:v3"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<title>{title}</title><component><structuredBody><component><section>
<code code="11450-4"/><text>{text}</text><entry>{problem}</entry>
</section></component></structuredBody></component></ClinicalDocument>"""
PROBLEM = """<observation classCode="OBS" moodCode="EVN"{attributes}>
<templateId root="2.16.840.1.113883.10.20.22.4.4"/>
<value xsi:type="CD" code="195967001" displayName="Asthma">{inside}</value></observation>"""


def document(
    title: str = "x", text: str = "", attributes: str = "", inside: str = "", after: str = ""
) -> bytes:
    problem = PROBLEM.format(attributes=attributes, inside=inside)
    return (DOCUMENT.format(title=title, text=text, problem=problem) + after).encode()


@pytest.mark.parametrize(
    "written",
    [
        "No<!-- known --> allergies",
        "No<?x known?> allergies",
        "<![CDATA[No]]> allergies",
        "N<![CDATA[o ]]>allergies",
        "N&#111; allergies",
        "No<!---->&#32;allergies",
    ],
)
def test_comments_cdata_and_instructions_cut_no_words(written: str) -> None:
    read = parse_document(document(title=written, text=written))
    assert (read.title, read.sections[0].text) == ("No allergies", "No allergies")
    assert not read.recovered


def test_markup_in_cdata_or_a_comment_is_no_markup() -> None:
    hidden = PROBLEM.format(attributes="", inside="")
    read = parse_document(document(text=f"<![CDATA[{hidden}]]><!-- {hidden} -->"))
    assert [len(section.entries) for section in read.sections] == [1]
    assert (read.sections[0].text or "").startswith("<observation")
    assert "&lt;observation" in render_html(document(text=f"<![CDATA[{hidden}]]>"))


def test_an_attribute_given_twice_is_told() -> None:
    """The parsers of the world differ in which of two they keep: here it is a negation."""
    read = parse_document(document(attributes=' negationInd="false" negationInd="true"'))
    assert read.recovered and read.issues[0].severity == "error"


@pytest.mark.parametrize(
    "broken",
    [
        {"inside": "</value><value>"},
        {"inside": "<translation></value>"},
        {"text": "a < b"},
        {"text": "<paragraph>a<list></paragraph></list>"},
        {"text": "<!-- a -- b -->"},
        {"text": "]]>"},
        {"after": "<ClinicalDocument/>"},
        {"after": "</ClinicalDocument>"},
        {"after": "words"},
        {"title": "&nosuch;"},
        {"attributes": " negationInd=true"},
        {"attributes": ' negationInd="a<b"'},
        {"attributes": ' x:negationInd="true"'},
    ],
)
def test_whatever_a_forgiving_parse_decided_is_flagged(broken: dict[str, str]) -> None:
    read = parse_document(document(**broken))
    is_well_formed = broken == {"inside": "</value><value>"}
    assert read.recovered is not is_well_formed
    if read.recovered:
        first = read.issues[0]
        assert (first.severity, first.text.startswith("not well-formed")) == ("error", True)
        assert "This document is damaged" in render_html(document(**broken))


def test_a_second_document_behind_the_first_is_not_read() -> None:
    other = document(title="another patient").decode()
    read = parse_document(document(title="this patient", after=other))
    assert read.recovered and read.title == "this patient"
    assert len(read.sections) == 1


def test_a_negation_in_another_namespace_negates_nothing() -> None:
    read = parse_document(document(attributes=' xmlns:x="urn:x" x:negationInd="true"'))
    assert not read.recovered and not read.sections[0].entries[0].negated


def test_of_two_elements_with_one_id_the_first_is_meant_as_in_every_browser() -> None:
    text = '<content ID="a">first</content><content ID="a">second</content>'
    inside = '<originalText><reference value="#a"/></originalText>'
    read = parse_document(document(text=text, inside=inside))
    assert read.sections[0].entries[0].text == "first"
