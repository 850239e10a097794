"""What a page says: head, contents, narrative, coded entries, body and issues."""

from collections.abc import Callable

import pytest

from ccda import CcdaError
from ccda.errors import NotAClinicalDocument
from ccda.hl7v3 import AD, II, TEL, TS
from ccda.html import markup, render_html
from ccda.html.narrative import language
from ccda.html.words import address_words, detail_words, id_words, period_words, telecom_words
from tests.ccda.html_page import Page, read_page
from tests.ccda.test_html_dangers import document

REFUSED = """<entry><substanceAdministration classCode="SBADM" moodCode="EVN" negationInd="true">
<templateId root="2.16.840.1.113883.10.20.22.4.52"/><id root="1.2" extension="7"/>
<statusCode code="completed"/><effectiveTime value="20240102"/><consumable><manufacturedProduct>
<manufacturedMaterial><code code="140" codeSystem="2.16.840.1.113883.12.292"
displayName="Influenza"/></manufacturedMaterial></manufacturedProduct></consumable>
</substanceAdministration></entry>"""
RESULT = """<entry><observation classCode="OBS" moodCode="EVN">
<templateId root="2.16.840.1.113883.10.20.22.4.2"/><code code="718-7"
codeSystem="2.16.840.1.113883.6.1" displayName="Hemoglobin"/><statusCode code="completed"/>
<effectiveTime value="202401021530-0500"/><value xsi:type="PQ" value="7.20" unit="g/dL"/>
</observation></entry>"""


@pytest.fixture
def page(sample: Callable[[str], bytes]) -> Page:
    return read_page(render_html(sample("whole_record.xml")))


def shown(text: str = "", **parts: str) -> Page:
    return read_page(render_html(document(text, **parts)))


def test_the_head_says_whose_document_it_is_and_who_wrote_it(page: Page) -> None:
    for words in ("Patient", "Name", "Born", "Document", "Type", "Author", "Custodian"):
        assert words in page.words


def test_the_contents_lead_to_every_section(page: Page) -> None:
    (nav,) = page.all("nav")
    assert nav["aria-labelledby"] == "contents"
    sections = [one["id"] for one in page.all("section") if one.get("id", "").startswith("sec")]
    links = [link["href"][1:] for link in page.all("a") if link["href"].startswith("#section-")]
    assert links == sections
    assert len(sections) >= 5


def test_nested_sections_have_headings_one_level_lower() -> None:
    inner = "<component><section><title>Inner</title><text>x</text></section></component>"
    page = shown("outer", entries=inner)
    assert [tag for tag, _ in page.elements if tag[0] == "h" and tag[1:].isdigit()][-2:] == [
        "h2",
        "h3",
    ]


def test_a_result_shows_value_unit_code_and_time() -> None:
    page = shown(code="30954-2", entries=RESULT)
    for words in ("1 coded entry", "Hemoglobin Result", "Value 7.20 g/dL", "718-7 (LOINC)",
                  "2024-01-02 15:30-05:00", "Status completed"):  # fmt: skip
        assert words in _spaced(page)


def test_a_refused_vaccine_says_that_it_was_not_given() -> None:
    page = shown(code="11369-6", entries=REFUSED)
    assert "Influenza Immunization Not done" in _spaced(page)
    assert "140 (CVX)" in page.words


def test_an_entry_of_no_known_kind_is_shown_as_far_as_it_can_be_read() -> None:
    entry = (
        '<entry><act classCode="ACT" moodCode="EVN"><code code="x" displayName="Odd thing"/>'
        '<text>said of it</text><effectiveTime value="20240102"/></act></entry>'
    )
    page = shown(code="46239-0", entries=entry * 2)
    assert "2 other coded entries" in page.words
    assert page.words.count("Odd thing, x, said of it") == 2
    silent = shown(code="46239-0", entries="<entry><act/></entry>")
    assert "It says nothing that could be read." in silent.words


def test_a_statement_inside_an_entry_is_told_in_its_line_without_its_machinery() -> None:
    inner = (
        '<entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN">'
        '<templateId root="2.16.840.1.113883.10.20.22.4.113"/><id root="1.2.3.4"/>'
        '<code code="75328-5" displayName="Prognosis"/><statusCode code="completed"/>'
        '<value xsi:type="CD" code="1" displayName="Good"/></observation></entryRelationship>'
    )
    page = shown(code="30954-2", entries=RESULT.replace("</observation>", f"{inner}</observation>"))
    assert "Prognosis Prognosis, 75328-5: Good, 1" in _spaced(page)
    assert "1.2.3.4" not in page.words


def test_a_section_without_information_says_so() -> None:
    xml = document().replace(b"<section>", b'<section nullFlavor="NI">')
    page = read_page(render_html(xml))
    assert "The section says: no information." in page.words
    assert "There is no text in this section." in page.words


def test_tables_keep_caption_head_spans_and_headers() -> None:
    page = shown(
        '<table><caption>C</caption><thead><tr><th ID="h1" colspan="2">H</th></tr></thead><tbody>'
        '<tr><th>row</th><td headers="h1 h2" rowspan="3" align="right">d</td></tr>'
        "<tr><th>a</th><th>b</th></tr></tbody></table>"
    )
    assert len(page.all("caption")) == len(page.all("thead")) == 1
    head, row, *both = page.all("th")
    assert head == {"id": "doc-h1", "colspan": "2", "scope": "col"}
    assert row == {"scope": "row"}
    assert [one["scope"] for one in both] == ["col", "col"]
    assert page.all("td") == [{"class": "right", "headers": "doc-h1 doc-h2", "rowspan": "3"}]


def test_lists_styles_revisions_and_raised_letters_keep_their_form() -> None:
    page = shown(
        '<list listType="ordered" styleCode="LittleRoman xvendor"><item>one</item></list>'
        '<content styleCode="Bold">b</content><content revised="delete">old</content>'
        '<content revised="insert">new</content>H<sub>2</sub>O<sup>3</sup><br/>'
        '<paragraph language="fr">p</paragraph>'
    )
    assert page.all("ol") == [{"class": "lower-roman"}]
    assert len(page.all("del")) == len(page.all("ins")) == len(page.all("br")) == 1
    assert [one for one in page.all("p") if one.get("lang") == "fr"]
    assert "oldnewH2O3" in page.squeezed


def test_the_caption_of_a_list_is_not_its_first_item() -> None:
    page = shown('<list listType="ordered"><caption>C</caption><item>one</item></list>')
    assert page.all("li")[1:] == [{"class": "caption", "value": "0"}, {}]


def test_a_footnote_has_a_number_that_leads_to_it() -> None:
    page = shown('a<footnoteRef IDREF="f"/> b <footnote ID="e">E</footnote>'
                 '<footnote ID="f">F</footnote><footnoteRef IDREF="none"/>')  # fmt: skip
    assert "a[2]b[1]E[2]F[note]" in page.squeezed
    assert {"href": "#doc-f"} in page.all("a")
    assert [one["id"] for one in page.all("span") if one.get("role") == "note"] == [
        "doc-e",
        "doc-f",
    ]


def test_one_sentence_says_about_whom_when_and_by_whom() -> None:
    author = (
        '<author><time value="2024"/><assignedAuthor><assignedAuthoringDevice><softwareName>Maker'
        "</softwareName></assignedAuthoringDevice></assignedAuthor></author><author><time "
        'value="2024"/><assignedAuthor><assignedPerson><name>Dr No</name></assignedPerson>'
        "<representedOrganization><name>North</name></representedOrganization></assignedAuthor>"
        "</author>"
    )
    xml = document("x").replace(b"</recordTarget>", b"</recordTarget>" + author.encode())
    page = read_page(render_html(xml.replace(b'"2024"', b'"202401021530-0500"', 1)))
    assert "About N · Written on 2024-01-02 15:30 by Dr No, North" in page.words


def test_many_coded_entries_are_folded_and_the_fold_counts_what_is_denied() -> None:
    few, many = (shown(code="11369-6", entries=REFUSED * n) for n in (12, 13))
    assert "open" in few.all("details")[0]
    assert "open" not in many.all("details")[0]
    assert "13 coded entries, 13 of them negated" in many.words


def test_a_section_around_others_needs_no_text_of_its_own() -> None:
    inner = "<component><section><title>Inner</title><text>x</text></section></component>"
    assert "There is no text in this section." not in shown(entries=inner).words
    assert "There is no text in this section." in shown().words


def test_a_bound_that_is_excluded_is_not_said_to_be_in_the_range() -> None:
    value = RESULT.replace(
        '<value xsi:type="PQ" value="7.20" unit="g/dL"/>',
        '<value xsi:type="IVL_PQ"><high value="7" unit="g/dL" inclusive="false"/></value>',
    )
    assert "Value below 7 g/dL" in _spaced(shown(code="30954-2", entries=value))


def test_a_bound_that_is_not_in_the_reference_range_is_not_said_to_be() -> None:
    ranged = RESULT.replace(
        "</observation>",
        '<referenceRange><observationRange><value xsi:type="IVL_PQ"><low value="4" unit="g/dL"/>'
        '<high value="6" unit="g/dL" inclusive="false"/></value></observationRange>'
        "</referenceRange></observation>",
    )
    words = _spaced(shown(code="30954-2", entries=ranged))
    assert "at least 4 and below 6 g/dL" in words


@pytest.mark.parametrize(
    ("written", "given"), [("eng", "en"), ("SPA-us", "es-us"), ("fil", "fil"), ("x", None)]
)
def test_a_language_is_named_as_screen_readers_know_it(written: str, given: str | None) -> None:
    assert language(written) == given


def test_the_language_of_the_document_is_told_apart_from_ours() -> None:
    xml = document("x").replace(b"<recordTarget>", b'<languageCode code="es-US"/><recordTarget>')
    page = read_page(render_html(xml))
    assert page.all("h1")[0]["lang"] == "es-US"
    wrong = read_page(render_html(xml.replace(b"es-US", b"not a language")))
    assert "lang" not in wrong.all("h1")[0]


def test_a_restricted_document_says_so_at_the_top() -> None:
    xml = document("x").replace(b"<recordTarget>", b'<confidentialityCode code="R"/><recordTarget>')
    assert "marked confidential beyond the normal" in read_page(render_html(xml)).words


def test_a_pdf_is_described_and_not_embedded(sample: Callable[[str], bytes]) -> None:
    page = read_page(render_html(sample("unstructured_pdf.xml")))
    assert "The content of this document is a PDF file (application/pdf" in page.words
    assert "download the document to open it" in page.words


def test_a_text_body_is_shown_as_it_is(sample: Callable[[str], bytes]) -> None:
    page = read_page(render_html(sample("unstructured_text.xml")))
    assert len(page.all("pre")) == 1


def test_a_body_elsewhere_is_not_fetched(sample: Callable[[str], bytes]) -> None:
    page = read_page(render_html(sample("unstructured_elsewhere.xml")))
    assert "stands elsewhere and is not fetched" in page.words


def test_issues_of_reading_stand_at_the_end(sample: Callable[[str], bytes]) -> None:
    page = read_page(render_html(sample("misspelt_namespace.xml")))
    assert "Warning: the document is not in the HL7 V3 namespace" in page.words


@pytest.mark.parametrize("name", ["prefixed_namespace.xml", "no_namespace.xml"])
def test_the_namespace_does_not_matter(sample: Callable[[str], bytes], name: str) -> None:
    page = read_page(render_html(sample(name)))
    assert any(one.get("id") == "section-1" for one in page.all("section"))


def test_what_is_no_clinical_document_is_refused() -> None:
    with pytest.raises(NotAClinicalDocument):
        render_html(b"<html><script>alert(1)</script></html>")
    with pytest.raises(CcdaError):
        render_html(b"%PDF-1.7")


def test_markup_that_is_not_listed_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="not listed"):
        markup.start("script")
    with pytest.raises(ValueError, match="not listed"):
        markup.start("a", onclick="x")


def test_values_in_words() -> None:
    assert period_words(TS("2010"), None) == "from 2010"
    assert period_words(TS("2010"), TS("20110203")) == "2010 to 2011-02-03"
    assert period_words(TS(None, "UNK"), TS("2011")) == "start: unknown, until 2011"
    assert period_words(None, None) is None
    assert telecom_words(TEL("tel:+1(555)1234")) == "+1(555)1234"
    assert telecom_words(TEL("https://x.example")) == "https://x.example"
    assert id_words(II("1.2", "7")) == "7 (1.2)"
    assert id_words(II(None)) is None
    assert address_words(AD(("1 Way",), "Town", "WI", "53999")) == "1 Way, Town, WI 53999"
    assert detail_words({"value": "5", "unit": "mg"}) == "5 mg"
    assert detail_words({"low": {"value": "1"}, "high": {"value": "2"}}) == "1 to 2"
    assert detail_words({"high": "2"}) == "at most 2"
    assert (
        detail_words([{"code": "x", "system": None, "display": "X", "by": True}]) == "X, x, by: yes"
    )
    assert detail_words([]) is None


def _spaced(page: Page) -> str:
    return " ".join(" ".join(page.pieces).split())
