"""Too much of one thing: refused at a limit, or read in time that is a matter of its length.

Seconds are the processor's own, and the margins wide: what these dangers cost without a guard is
minutes.
"""

import time

import pytest

from ccda import CcdaError, ClinicalDocument, parse_document
from ccda.errors import XmlOverLimit
from ccda.html import render_html
from ccda.narrative import MOST_REFERRED_CHARACTERS

START = b"<ClinicalDocument xmlns='urn:hl7-org:v3' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>"
BODY = START + b"<component><structuredBody>%s</structuredBody></component></ClinicalDocument>"
SECTION = b"<component><section><code code='11450-4'/><text>%s</text>%s</section></component>"
PROBLEM = (
    b"<entry><observation classCode='OBS' moodCode='EVN'><templateId "
    b"root='2.16.840.1.113883.10.20.22.4.4'/><value xsi:type='CD' nullFlavor='OTH'>%s</value>"
    b"</observation></entry>"
)
MOST_SECONDS = 2.0


def read(data: bytes) -> ClinicalDocument | None:
    """The document, or None where it is refused; both it and its page come soon."""
    started = time.process_time()
    try:
        document = parse_document(data)
    except CcdaError:
        document = None
    parsed = time.process_time()
    assert parsed - started < MOST_SECONDS
    if document is not None:
        render_html(data)
        assert time.process_time() - parsed < 2 * MOST_SECONDS
    return document


def section(text: bytes = b"", entries: bytes = b"") -> bytes:
    return BODY % (SECTION % (text, entries))


# ---- limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [b"", b"<"])
def test_a_huge_number_of_attributes_is_refused(damage: bytes) -> None:
    many = b" ".join(b"a%d=''" % n for n in range(50_000))
    with pytest.raises(XmlOverLimit, match="attributes"):
        parse_document(START + b"<title " + many + b"/>" + damage + b"</ClinicalDocument>")


@pytest.mark.parametrize("damage", [b"", b"<"])
def test_a_namespace_bomb_is_refused(damage: bytes) -> None:
    """Each of twenty thousand texts would be written out with 250 namespaces."""
    many = b" ".join(b"xmlns:n%d='urn:%d'" % (n, n) for n in range(250))
    texts = SECTION % (b"a<br/>b", b"") * 20_000
    with pytest.raises(XmlOverLimit, match="namespaces"):
        parse_document(
            (BODY % texts).replace(b"<structuredBody", b"<structuredBody " + many) + damage
        )


def test_a_namespace_bomb_spread_over_the_depth_is_refused() -> None:
    nested = b"".join(
        b"<component xmlns:n%d='urn:%d' xmlns:m%d='urn:m'><section>" % (n, n, n) for n in range(100)
    )
    inner = SECTION % (b"a<br/>b", b"") * 2000
    with pytest.raises(XmlOverLimit, match="namespaces"):
        parse_document(BODY % (nested + inner + b"</section></component>" * 100))


@pytest.mark.parametrize("damage", [b"", b"<"])
@pytest.mark.parametrize("element", [b"component", b"section", b"entryRelationship", b"td"])
def test_deep_nesting_is_refused(element: bytes, damage: bytes) -> None:
    nested = b"<%s>" % element * 5000 + damage + b"</%s>" % element * 5000
    with pytest.raises(XmlOverLimit, match="depth"):
        parse_document(BODY % nested)


def test_a_huge_text_node_is_refused() -> None:
    with pytest.raises(XmlOverLimit, match="text node"):
        parse_document(section(b"x" * (60 * 1024 * 1024 + 1)))


def test_a_huge_name_is_refused_or_read_soon() -> None:
    read(section(b"<%s/>" % (b"n" * 100_000)))
    read(section(b"<%s/>" % (b"n" * 11_000_000)))


def test_a_huge_attribute_is_refused_or_read_soon() -> None:
    read(section(b"<content ID='%s'/>" % (b"n" * 11_000_000)))


# ---- no limit, but no more than their length ---------------------------------------------------


@pytest.mark.parametrize("note", [b"<!-- -->", b"<?x y?>", b"<![CDATA[x]]>", b"&#65;", b"<br/>"])
def test_hundreds_of_thousands_of_small_things_are_read_soon(note: bytes) -> None:
    assert read(section(note * 200_000))
    if note.startswith((b"<!--", b"<?")):
        assert read(note * 200_000 + section())


@pytest.mark.parametrize(
    "opening", [b"<![CDATA[", b"<!--", b"<?x ", b"<a ", b"<", b"&x", b"a='", b"]]>"]
)
def test_openings_without_an_end_are_given_up_soon(opening: bytes) -> None:
    """The forgiving pass looks through the bytes: never from each opening to the end."""
    read(START + opening * 100_000)
    read(opening * 100_000)


@pytest.mark.parametrize("content", [b"%s", b"%s<br/>"])
@pytest.mark.parametrize(
    "pointer",
    [
        b"<originalText><reference value='#a'/></originalText>",
        b"<originalText>#a</originalText>",
        b"<reference value='#a'/>",
    ],
)
def test_a_large_text_that_everything_points_to_is_copied_only_so_often(
    content: bytes, pointer: bytes
) -> None:
    """Quadratic reference expansion: a megabyte of words, named by two thousand entries."""
    large = content % (b"words " * 80_000)
    document = read(section(b"<content ID='a'>" + large + b"</content>", PROBLEM % pointer * 2000))
    assert document is not None
    copied = sum(len(entry.text or "") for entry in document.sections[0].entries)
    assert 0 < copied <= MOST_REFERRED_CHARACTERS + len(large)
    assert "more text is referred to than is followed" in {i.text for i in document.issues}


def test_references_that_lead_in_a_circle_end() -> None:
    circle = (
        b"<content ID='a'><reference value='#b'/></content><content ID='b'>"
        b"<reference value='#a'/>words</content>"
    )
    document = read(
        section(circle, PROBLEM % b"<originalText><reference value='#b'/></originalText>")
    )
    assert document is not None and document.sections[0].entries[0].text == "words"


def test_a_reference_to_what_holds_itself_ends() -> None:
    data = section(b"", PROBLEM % b"<originalText ID='a'>own<reference value='#a'/></originalText>")
    document = read(data)
    assert document is not None and document.sections[0].entries[0].text == "own"


def test_many_references_to_nothing_are_one_issue() -> None:
    data = section(
        b"<br ID='x'/>" * 20_000,
        PROBLEM % b"<originalText><reference value='#gone'/></originalText>" * 5000,
    )
    document = read(data)
    assert document is not None
    assert [i.text for i in document.issues].count("a reference points to no text") == 1


def test_an_id_that_stands_on_everything_means_the_first() -> None:
    data = section(
        b"<content ID='a'>first</content>" + b"<content ID='a'>x</content>" * 20_000,
        PROBLEM % b"<originalText><reference value='#a'/></originalText>",
    )
    document = read(data)
    assert document is not None and document.sections[0].entries[0].text == "first"


def test_a_concern_of_thousands_is_read_soon() -> None:
    part = PROBLEM.replace(b"entry>", b"entryRelationship>") % b""
    data = section(b"", b"<entry><act>" + part * 5000 + b"</act></entry>")
    document = read(data)
    assert document is not None and len(document.sections[0].entries) == 5000


@pytest.mark.parametrize("part", [b"<qualifier/>", b"<translation code='1'/>"])
def test_a_code_of_tens_of_thousands_of_parts_is_read_soon(part: bytes) -> None:
    document = read(section(b"", PROBLEM % (part * 50_000)))
    assert document is not None and document.sections[0].entries[0].code is not None


def test_a_name_of_tens_of_thousands_of_parts_is_read_soon() -> None:
    name = b"<name>" + b"<given qualifier='CL'>A</given>" * 50_000 + b"</name>"
    patient = b"<recordTarget><patientRole><patient>%s</patient></patientRole></recordTarget>"
    document = read(START + patient % name + b"</ClinicalDocument>")
    assert document is not None and len(document.patient.names[0].given) == 50_000


def test_a_table_of_cells_that_claim_millions_is_shown_soon() -> None:
    row = b"<tr><td colspan='99999999' rowspan='99999999'>x</td></tr>"
    assert read(section(b"<table><tbody>" + row * 5000 + b"</tbody></table>"))
