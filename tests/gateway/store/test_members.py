"""Members are their plan's, and are found by what documents and partners know of them."""

import pytest

from gateway.model.identity import MemberId
from gateway.model.member import Plan
from gateway.store import members, plans
from gateway.store.database import Database
from gateway.store.errors import UnknownId
from tests.gateway.store.builders import ACME, OTHER, a_member

M1 = MemberId("m1")


def test_a_member_comes_back_as_the_roster_stated_it(house: Database) -> None:
    assert house.read(lambda t: members.get(t, plan=ACME, member=M1)) == a_member()
    assert (
        house.read(lambda t: members.get_by_member_id(t, plan=ACME, member_id="A-m1")) == a_member()
    )


def test_a_member_imported_again_keeps_our_id(house: Database) -> None:
    changed = a_member("other-id", member_id="A-m1", opted_out=True)
    stored = house.write(lambda t: members.put(t, changed))
    assert (stored.id, stored.opted_out) == (M1, False)


def test_no_roster_takes_back_that_a_member_opted_out(house: Database) -> None:
    house.write(lambda t: members.set_opted_out(t, plan=ACME, member=M1, opted_out=True))
    assert house.write(lambda t: members.put(t, a_member())).opted_out
    house.write(lambda t: members.set_opted_out(t, plan=ACME, member=M1, opted_out=False))
    assert house.read(lambda t: members.get(t, plan=ACME, member=M1)) == a_member()


def test_only_its_own_plan_can_opt_a_member_out(house: Database) -> None:
    with pytest.raises(UnknownId):
        house.write(lambda t: members.set_opted_out(t, plan=OTHER, member=M1, opted_out=True))


def test_another_plan_does_not_see_a_member(house: Database) -> None:
    assert house.read(lambda t: members.get(t, plan=OTHER, member=M1)) is None
    assert house.read(lambda t: members.list_page(t, plan=OTHER)) == ()


def test_members_are_listed_page_by_page(house: Database) -> None:
    for number in range(2, 6):
        house.write(lambda t, n=number: members.put(t, a_member(f"m{n}")))
    first = house.read(lambda t: members.list_page(t, plan=ACME, limit=2))
    rest = house.read(lambda t: members.list_page(t, plan=ACME, after=first[-1].member_id))
    assert [m.id for m in (*first, *rest)] == ["m1", "m2", "m3", "m4", "m5"]
    assert house.read(lambda t: [m.id for m in members.iter_all(t, plan=ACME)])[-1] == "m5"


def test_a_plan_is_what_the_settings_said_last(house: Database) -> None:
    changed = Plan(ACME, "Acme II", member_id_root="2.999.5", treatment_agreement="contract 7")
    house.write(lambda t: plans.put(t, changed))
    assert house.read(lambda t: plans.get(t, plan=ACME)) == changed
    assert [plan.id for plan in house.read(plans.list_all)] == ["acme", "other"]
