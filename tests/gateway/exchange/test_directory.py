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


def organization(id: str, oid: str, **given: object) -> dict[str, object]:
    identifier = [{"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{oid}"}]
    return {"resourceType": "Organization", "id": id, "identifier": identifier, **given}


def endpoint(id: str, **given: object) -> dict[str, object]:
    address = f"https://{id}.example/pd"
    connection = {"code": "ihe-xcpd"}
    return {
        "resourceType": "Endpoint", "id": id, "status": "active", "address": address,
        "connectionType": connection, **given,
    }  # fmt: skip


def refers(*ids: str) -> list[dict[str, str]]:
    return [{"reference": f"Endpoint/{id}"} for id in ids]


@pytest.mark.parametrize(
    ("resources", "is_whole"),
    [
        ([organization("a", "2.999.1", endpoint=refers("x")), endpoint("x")], True),
        ([organization("a", "2.999.1"), endpoint("x", managingOrganization=refers("a")[0])], True),
        ([organization("a", "2.999.1", endpoint=refers("x")), endpoint("x", status="off")], True),
        ([organization("a", "2.999.1", endpoint=refers("x", "y")), endpoint("x")], False),
        ([organization("a", "2.999.1", endpoint=refers("x"))], False),
        ([organization("a", "2.999.1")], False),
    ],
)
def test_what_is_listed_without_its_endpoints_says_so(
    resources: list[dict[str, object]], is_whole: bool
) -> None:
    (one,) = read_directory(resources).communities
    assert one.is_whole is is_whole


def test_endpoints_without_their_organization_are_said_to_be_left_out() -> None:
    directory = read_directory(
        [organization("a", "2.999.1", endpoint=refers("x")), endpoint("x"), endpoint("y")]
    )
    (said,) = directory.unusable
    assert said.startswith("1 endpoints are of no organization that is listed with them")


def test_of_two_with_one_oid_the_one_that_can_be_asked_is_taken_and_that_is_said() -> None:
    mute = organization("a", "2.999.1", name="Mute")
    heard = organization("b", "2.999.1", name="Heard", endpoint=refers("x"))
    for order in ([mute, heard], [heard, mute]):
        directory = read_directory([*order, endpoint("x")])
        assert [one.name for one in directory.communities] == ["Heard"]
        assert directory.unusable == ("two organizations have the OID 2.999.1",)


def test_nobody_is_reached_by_one_above_that_is_not_active() -> None:
    hub = organization("hub", "2.999.1", active=False, endpoint=refers("x"))
    clinic = organization("clinic", "2.999.1.1", name="C", partOf={"reference": "Organization/hub"})
    found = {str(one.home_community_id): one for one in
             read_directory([hub, clinic, endpoint("x")]).communities}  # fmt: skip
    assert (found["2.999.1.1"].endpoints, found["2.999.1.1"].within) == (Endpoints(), None)
