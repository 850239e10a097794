"""What a Direct edge and an XCDR source say in the header."""

import pytest
from lxml import etree

from ccda.safe_xml import Element
from ihe.identifiers import HomeCommunityId, Oid
from ihe.namespaces import name
from ihe.xdr_headers import AddressBlock, read_address_block, read_home_community_block


def header(content: str) -> Element:
    spaces = 'xmlns:d="urn:direct:addressing" xmlns:x="urn:ihe:iti:xdr:2014"'
    uri = name("soap:Header")[1:].partition("}")[0]
    return etree.fromstring(f'<s:Header xmlns:s="{uri}" {spaces}>{content}</s:Header>')


BLOCK = (
    "<d:addressBlock><d:from>mailto:a@b.example</d:from><d:to>c@d.example</d:to>{}</d:addressBlock>"
)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("", None),
        ("<d:metadata-level>minimal</d:metadata-level>", "minimal"),
        ("<d:metadata-level> XDS </d:metadata-level>", "XDS"),
        ("<d:metadata-level>full</d:metadata-level>", None),
    ],
)
@pytest.mark.parametrize("inside", [True, False])
def test_addresses_and_level_are_read_wherever_they_stand(
    level: str, expected: str | None, inside: bool
) -> None:
    content = BLOCK.format(level) if inside else BLOCK.format("") + level
    block = read_address_block(header(content))
    assert block == AddressBlock("a@b.example", ("c@d.example",), expected)


def test_no_block_is_no_edge() -> None:
    assert read_address_block(header("<d:metadata-level>minimal</d:metadata-level>")) is None


def test_an_address_of_any_length_is_not_kept() -> None:
    block = read_address_block(header(BLOCK.replace("c@d", "c" * 400 + "@d").format("")))
    assert block is not None and block.recipients == ()


def test_a_target_community_is_read_and_nonsense_is_none() -> None:
    found = "<x:homeCommunityBlock><x:homeCommunityId>{}</x:homeCommunityId></x:homeCommunityBlock>"
    assert read_home_community_block(header(found.format("urn:oid:2.999.20"))) == HomeCommunityId(
        Oid("2.999.20")
    )
    assert read_home_community_block(header(found.format("here"))) is None
    assert read_home_community_block(header("")) is None
