"""One community that two plans have registered, each with demands of its own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.model.identity import MemberId, PartnerId
from gateway.model.member import Member
from gateway.model.partner import PartnerProfile
from gateway.store import members
from ihe.soap import ITI_55_REQUEST
from tests.gateway.asking import ask, discovery
from tests.gateway.house import (
    MEMBER,
    OTHER_PLAN,
    PLAN,
    a_partner,
    a_rule,
    certificate_of,
    open_house,
    records,
    serving,
    signing_key,
)

THEIRS = Member(
    MemberId("00000000-0000-4000-8000-00000000000b"),
    OTHER_PLAN,
    "O-1",
    replace(MEMBER.demographics, ids=()),
)


@pytest.mark.parametrize(
    "demands", [{"audience_required": True}, {"same_certificate": True}], ids=str
)
def test_what_one_plan_demands_of_it_no_other_plan_can_waive(
    tmp_path: Path, demands: dict[str, Any]
) -> None:
    signing = {"signing_certificates": (certificate_of("Northfield signing").certificate_pem,)}
    lax = replace(a_partner(plan=PLAN, **signing), id=PartnerId("lax"))
    strict = replace(
        a_partner(plan=OTHER_PLAN, profile=PartnerProfile(**demands), **signing),
        id=PartnerId("strict"),
    )
    rules = [a_rule(), replace(a_rule(), plan=OTHER_PLAN)]
    with open_house(tmp_path, rules=rules, known=(lax, strict)) as house, serving(house) as door:
        house.database.write(lambda tx: members.put(tx, THEIRS))
        sealed = ask(
            discovery(), ITI_55_REQUEST, partner=lax, key=signing_key("Northfield signing")
        )
        assert door.post("/ihe/xcpd", sealed.envelope).status == 200
        found = [one.plan for one in records(house) if one.message_id == sealed.message_id]
        assert found == [PLAN]


def test_a_message_that_meets_both_plans_demands_is_answered_for_both(tmp_path: Path) -> None:
    lax = replace(a_partner(plan=PLAN), id=PartnerId("lax"))
    strict = replace(
        a_partner(plan=OTHER_PLAN, profile=PartnerProfile(same_certificate=True)),
        id=PartnerId("strict"),
    )
    rules = [a_rule(), replace(a_rule(), plan=OTHER_PLAN)]
    with open_house(tmp_path, rules=rules, known=(lax, strict)) as house, serving(house) as door:
        house.database.write(lambda tx: members.put(tx, THEIRS))
        sealed = ask(discovery(), ITI_55_REQUEST, partner=lax)
        assert door.post("/ihe/xcpd", sealed.envelope).status == 200
        found = [one for one in records(house) if one.message_id == sealed.message_id]
        # Each log names the partner that its own plan knows: nobody finds another's in it.
        assert {one.plan: one.partner for one in found} == {PLAN: "lax", OTHER_PLAN: "strict"}
