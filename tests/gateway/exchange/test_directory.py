"""FHIR directories are read by what they say, and an organization is reached where it can be."""

from pathlib import Path

import orjson
import pytest

from gateway.exchange.directory import Listed, NoDirectory, parse_page, read_directory
from gateway.model.partner import Endpoints
from ihe.identifiers import HomeCommunityId

SAMPLE = Path(__file__).parents[2] / "samples" / "directory" / "network.json"
NORTH = Endpoints(
    iti55="https://north.example/pd",
    iti38="https://north.example/query",
    iti39="https://north.example/retrieve",
)


def listed() -> dict[str, Listed]:
    resources, following = parse_page(SAMPLE.read_bytes())
    assert following is None
    directory = read_directory(resources)
    assert directory.unusable == ("organization nameless has no OID",)
    return {one.name: one for one in directory.communities}


def test_a_community_has_its_official_oid_and_an_address_for_each_transaction() -> None:
    north = listed()["Northfield Health"]
    assert str(north.home_community_id) == "2.999.70.1"
    assert north.endpoints == NORTH, "what is off, in the clear, or only asks is no address"
    assert (north.active, north.within) == (True, None)


def test_an_address_for_xca_that_says_no_more_is_for_query_and_retrieve() -> None:
    lake = listed()["Lakeshore"]
    assert lake.endpoints == Endpoints(
        iti38="https://lake.example/xca",
        iti39="https://lake.example/xca",
        iti41="https://lake.example/xdr",
    )
    assert lake.within is None, "it is part of another, and answers itself"


def test_who_has_no_address_is_reached_by_the_nearest_above_that_has_one() -> None:
    for name in ("Northfield Clinic", "Northfield Clinic, Ward 3"):
        one = listed()[name]
        assert one.endpoints == NORTH
        assert one.within == HomeCommunityId.parse("2.999.70.1")


def test_an_organization_that_is_part_of_itself_is_just_not_reached() -> None:
    one = listed()["Part of itself"]
    assert (one.endpoints, one.within) == (Endpoints(), None)


def test_who_is_not_active_is_said_to_be_so() -> None:
    assert not listed()["Closed Hospital"].active


def test_the_next_page_is_named() -> None:
    page = {
        "resourceType": "Bundle",
        "link": [{"relation": "self", "url": "a"}, {"relation": "next", "url": "b"}],
        "entry": [{"resource": {"resourceType": "Organization", "id": "x"}}, {}, "nonsense"],
    }
    resources, following = parse_page(orjson.dumps(page))
    assert (len(resources), following) == (1, "b")


@pytest.mark.parametrize(
    "content", [b"", b"<Bundle/>", b"[]", b'{"resourceType": "Organization"}', b"{", b"\xff"]
)
def test_what_is_no_bundle_is_a_sentence(content: bytes) -> None:
    with pytest.raises(NoDirectory, match="it is no"):
        parse_page(content)


@pytest.mark.parametrize("value", [None, 7, "text", [], {}, [None], [[]], [{"reference": 7}]])
@pytest.mark.parametrize(
    "key", ["identifier", "partOf", "endpoint", "name", "active", "contained", "id"]
)
def test_a_part_of_another_shape_costs_no_other_organization(key: str, value: object) -> None:
    page = orjson.loads(SAMPLE.read_bytes())
    page["entry"][0]["resource"][key] = value
    resources, _ = parse_page(orjson.dumps(page))
    assert "Lakeshore" in {one.name for one in read_directory(resources).communities}
