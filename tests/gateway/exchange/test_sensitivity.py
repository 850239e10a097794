"""Whether a document says that 42 CFR part 2 covers it."""

import pytest

from ccda import parse_document
from gateway.exchange.sensitivity import is_part_2
from tests.gateway.house import demo_document


def saying(text: str) -> bool:
    content = demo_document("lakeshore_ccd.xml")
    paragraph = f"<text><paragraph>{text}</paragraph>".encode()
    content = content.replace(b"<text>", paragraph, 1)
    return is_part_2(parse_document(content), content)


@pytest.mark.parametrize(
    "text",
    [
        "42 CFR part 2 prohibits unauthorized use or disclosure of these records.",
        "protected by Federal confidentiality rules (42 C.F.R. Part 2)",
        "see 42 CFR § 2.32",
        "42 CFR 2",
    ],
)
def test_a_document_that_carries_the_notice_is_under_the_rule(text: str) -> None:
    assert saying(text)


@pytest.mark.parametrize("text", ["45 CFR 164.506", "42 CFR part 482", "142 CFR part 2", "CFR"])
def test_another_regulation_is_not_it(text: str) -> None:
    assert not saying(text)


@pytest.mark.parametrize("statement", ["substanceAdministration", "observation", "encounter"])
@pytest.mark.parametrize(
    "label, is_one",
    [
        (b'<value xsi:type="CE" code="ETH" codeSystem="2.16.840.1.113883.5.4"/>', True),
        (b"<value codeSystem = '2.16.840.1.113883.5.4'\n code = 'sud' xsi:type='CE'/>", True),
        (b'<value xsi:type="CE" code="ETH" codeSystem="2.999.1"/>', False),
        (b'<value xsi:type="CE" code="HIV" codeSystem="2.16.840.1.113883.5.4"/>', False),
    ],
)
def test_a_label_inside_a_statement_is_seen(statement: str, label: bytes, is_one: bool) -> None:
    """C-CDA DS4P labels a statement by a privacy annotation among its relations."""
    annotation = (
        b'<entryRelationship typeCode="COMP"><organizer classCode="CLUSTER" moodCode="EVN">'
        b'<statusCode code="active"/><component><observation classCode="OBS" moodCode="EVN">'
        b'<code code="SECCATOBS" codeSystem="2.16.840.1.113883.1.11.20457"/>%b'
        b"</observation></component></organizer></entryRelationship>" % label
    )
    end = f"</{statement}>".encode()
    content = demo_document("lakeshore_ccd.xml").replace(end, annotation + end, 1)
    assert annotation in content
    assert is_part_2(parse_document(content), content) is is_one
