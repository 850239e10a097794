"""Whether a document says that 42 CFR part 2 covers it."""

import pytest

from ccda import parse_document
from gateway.exchange.sensitivity import is_part_2
from tests.gateway.house import demo_document


def saying(text: str) -> bool:
    content = demo_document("lakeshore_ccd.xml")
    paragraph = f"<text><paragraph>{text}</paragraph>".encode()
    return is_part_2(parse_document(content.replace(b"<text>", paragraph, 1)))


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
