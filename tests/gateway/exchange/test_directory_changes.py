"""Taking a directory over again changes what it has changed, and nothing an operator has set."""

from dataclasses import replace

import pytest

from gateway.exchange.directory import Listed
from gateway.exchange.directory_changes import Changes, compare
from gateway.model.identity import PlanId
from gateway.model.partner import Endpoints, Partner
from ihe.identifiers import HomeCommunityId
from tests.gateway.house import a_partner

NORTH = Listed(
    HomeCommunityId.parse("2.999.70.1"), "North", Endpoints(iti55="https://north.example/pd")
)
ALL = Endpoints(
    iti55="https://north.example/pd",
    iti38="https://north.example/query",
    iti39="https://north.example/retrieve",
)
OURS = HomeCommunityId.parse("2.999.70.99")
CLINIC = replace(
    NORTH,
    home_community_id=HomeCommunityId.parse("2.999.70.1.1"),
    name="Clinic",
    within=NORTH.home_community_id,
)


def taken(*listed: Listed, known: tuple[Partner, ...] = (), complete: bool = False) -> Changes:
    return compare(listed, known, network="net", plan=None, own=OURS, complete=complete)


def test_a_new_community_is_bound_by_the_name_of_its_host() -> None:
    north, clinic = taken(NORTH, CLINIC).added
    assert (north.id, north.network, north.plan) == ("2.999.70.1", "net", None)
    assert north.profile.certificate_name == "north.example"
    assert (north.profile.within, clinic.profile.within) == (None, "urn:oid:2.999.70.1")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://Gw.Example/x", "gw.example"),
        ("https://gw.example:8443", "gw.example"),
        ("https://a:b@gw.example/x:1", "gw.example"),
        ("https://[2001:db8::1]:443/", "2001:db8::1"),
        ("https://", None),
    ],
)
def test_the_host_is_taken_out_of_any_address(address: str, name: str | None) -> None:
    (added,) = taken(replace(NORTH, endpoints=Endpoints(iti38=address))).added
    assert added.profile.certificate_name == name


def test_what_is_known_of_a_community_is_in_its_profile_from_the_first() -> None:
    home = HomeCommunityId.parse("2.16.840.1.113883.3.6147.9")
    listed = replace(NORTH, home_community_id=home)
    (redox,) = taken(listed).added
    assert (redox.profile.documents_per_retrieve, redox.profile.other_home_accepted) == (1, True)
    assert redox.profile.certificate_name == "north.example"
    # What an operator says otherwise stays, however often the directory is taken over.
    own = replace(redox, profile=replace(redox.profile, documents_per_retrieve=3))
    assert taken(listed, known=(own,)).unchanged == 1


def test_the_same_again_changes_nothing() -> None:
    known = taken(NORTH, CLINIC).added
    assert taken(NORTH, CLINIC, known=known, complete=True) == Changes(unchanged=2)


def test_only_what_differs_changes_and_what_an_operator_set_stays() -> None:
    (north,) = taken(NORTH).added
    profile = replace(north.profile, timeout_seconds=7.0, certificate_name="gw.north.example")
    endpoints = replace(north.endpoints, direct_domain="direct.north.example")
    set_by_hand = replace(
        north, profile=profile, endpoints=endpoints, tls_certificates=("a pinned one",)
    )
    moved = replace(NORTH, endpoints=Endpoints(iti55="https://new.example/pd"))
    (changed,) = taken(moved, known=(set_by_hand,)).changed
    assert changed.endpoints == Endpoints(
        iti55="https://new.example/pd", direct_domain="direct.north.example"
    )
    assert changed.profile == profile
    assert changed.tls_certificates == ("a pinned one",)


def test_who_is_no_longer_active_is_asked_nothing_and_may_come_back() -> None:
    known = taken(NORTH).added
    (retired,) = taken(replace(NORTH, active=False), known=known).retired
    assert retired.profile.retired
    assert taken(replace(NORTH, active=False)) == Changes(), "a stranger who is gone is no news"
    (back,) = taken(NORTH, known=(retired,)).changed
    assert back == known[0]


def test_who_is_not_listed_is_retired_only_if_all_are_listed() -> None:
    known = taken(NORTH, CLINIC).added
    assert taken(NORTH, known=known) == Changes(unchanged=1)
    changes = taken(NORTH, known=known, complete=True)
    assert [one.name for one in changes.retired] == ["Clinic"]
    gone = tuple(one for one in known if one.name == "North") + changes.retired
    assert taken(NORTH, known=gone, complete=True) == Changes(unchanged=2)


def test_partners_of_other_networks_and_plans_are_left_alone() -> None:
    (north,) = taken(NORTH).added
    others = (
        replace(north, network="another"),
        replace(north, plan=PlanId("acme")),
        a_partner(),
    )
    changes = taken(NORTH, known=others, complete=True)
    assert (len(changes.added), changes.retired, changes.unchanged) == (1, (), 0)


def test_our_own_community_is_no_partner_of_ours() -> None:
    changes = taken(replace(NORTH, home_community_id=OURS), CLINIC, complete=True)
    assert [one.name for one in changes.added] == ["Clinic"]


def test_where_an_operator_says_that_it_takes_more_stays() -> None:
    (north,) = taken(NORTH).added
    more = replace(
        north.endpoints,
        iti41="https://north.example/xdr",
        iti80="https://north.example/xcdr",
        iti56="https://north.example/where",
        direct_domain="direct.north.example",
    )
    by_hand = replace(north, endpoints=more)
    assert taken(NORTH, known=(by_hand,)) == Changes(unchanged=1)
    (gone,) = taken(known=(by_hand,), complete=True).retired
    (inactive,) = taken(replace(NORTH, active=False), known=(by_hand,)).retired
    assert gone == inactive and gone.profile.retired
    assert taken(NORTH, known=(gone,)).changed == (by_hand,), "and it may come back"


def test_a_delta_without_the_endpoints_takes_no_address_away() -> None:
    """Only the organization has changed, its name: its addresses are as they were."""
    known = taken(replace(NORTH, endpoints=ALL)).added
    named = replace(NORTH, name="North and South", endpoints=Endpoints(), is_whole=False)
    (changed,) = taken(named, known=known).changed
    assert (changed.name, changed.endpoints) == ("North and South", ALL)
    part = replace(NORTH, endpoints=Endpoints(iti55="https://new.example/pd"), is_whole=False)
    (changed,) = taken(part, known=known).changed
    assert changed.endpoints == replace(ALL, iti55="https://new.example/pd")


def test_a_delta_without_the_one_above_leaves_it_there() -> None:
    known = taken(NORTH, CLINIC).added
    alone = replace(CLINIC, endpoints=Endpoints(), within=None, is_whole=False)
    assert taken(alone, known=known) == Changes(unchanged=1)


def test_a_delta_that_lists_only_the_one_above_is_not_taken_for_the_way_to_it() -> None:
    known = taken(NORTH, replace(CLINIC, within=None, endpoints=ALL)).added
    above = replace(CLINIC, is_whole=False)
    assert taken(above, known=known) == Changes(unchanged=1)
    assert taken(above, known=known, complete=True).changed[0].endpoints == NORTH.endpoints


def test_a_complete_list_takes_the_addresses_away_that_it_does_not_have() -> None:
    known = taken(NORTH).added
    (mute,) = taken(
        replace(NORTH, endpoints=Endpoints(), is_whole=False), known=known, complete=True
    ).changed
    assert mute.endpoints == Endpoints()


def test_who_is_reached_by_another_moves_and_falls_silent_with_it() -> None:
    known = taken(NORTH, CLINIC).added
    moved = replace(NORTH, endpoints=Endpoints(iti55="https://new.example/pd"))
    changed = {one.name: one.endpoints for one in taken(moved, known=known).changed}
    assert changed == {"North": moved.endpoints, "Clinic": moved.endpoints}
    changes = taken(replace(NORTH, active=False), known=known)
    assert [(one.name, one.endpoints) for one in changes.changed] == [("Clinic", Endpoints())]
