"""A document is a member's where nobody else could be meant, asked for or not."""

import re
from dataclasses import replace

import pytest

from ccda.hl7v3 import II, PN
from gateway.app.house import House
from gateway.model.identity import MemberId
from gateway.model.member import Member
from gateway.store import members
from tests.gateway.clients.asking_house import MEMBER, NUMBER_ROOT, PLAN
from tests.gateway.exchange.ingesting import PARTNER, cda, take

ELENA = replace(
    MEMBER,
    demographics=replace(MEMBER.demographics, names=(PN("Sampleton", ("Maria", "Elena")),)),
)
TERESA = Member(
    MemberId("00000000-0000-4000-8000-0000000000bb"),
    PLAN,
    "DM-2",
    replace(
        MEMBER.demographics,
        names=(PN("Sampleton", ("Maria", "Teresa")),),
        ids=(II(NUMBER_ROOT, "DM-2"),),
    ),
)


@pytest.fixture
def house(either_house: House) -> House:
    return either_house


def enrolled(house: House, *those: Member) -> House:
    for one in those:
        house.database.write(lambda tx, member=one: members.put(tx, member))  # type: ignore[misc]
    return house


def about_both(first: bytes, second: bytes) -> bytes:
    """The first document, about the patient of the second, too."""
    found = re.search(rb"<recordTarget>.*</recordTarget>", second)
    assert found is not None
    return first.replace(b"</recordTarget>", b"</recordTarget>" + found.group(), 1)


@pytest.mark.parametrize("asked_for", [ELENA, TERESA])
def test_what_was_asked_for_one_twin_and_may_be_the_others_is_held(
    asked_for: Member, house: House
) -> None:
    enrolled(house, ELENA, TERESA)
    done = take(house, cda(given="Maria"), source=PARTNER, candidate=asked_for.id)
    assert (done.outcome, done.document.candidate) == ("held", asked_for.id)
    assert done.document.reason == (
        "another member could be the person it names, as well as the member it was asked for"
    )


def test_what_says_which_twin_is_meant_is_filed_with_that_one(house: House) -> None:
    enrolled(house, ELENA, TERESA)
    ids = f'<id root="{NUMBER_ROOT}" extension="DM-2"/>'
    done = take(house, cda(given="Maria", ids=ids), source=PARTNER, candidate=TERESA.id)
    assert (done.outcome, done.document.member) == ("filed", TERESA.id)


def test_one_whom_the_plan_has_enrolled_twice_gets_what_was_asked_for(house: House) -> None:
    again = replace(MEMBER, id=MemberId("00000000-0000-4000-8000-0000000000cc"), member_id="DM-3")
    enrolled(house, again)
    done = take(house, cda(), source=PARTNER, candidate=MEMBER.id)
    assert (done.outcome, done.document.member) == ("filed", MEMBER.id)


@pytest.mark.parametrize("candidate", [MEMBER.id, None])
def test_a_document_about_another_person_too_is_held(
    candidate: MemberId | None, house: House
) -> None:
    content = about_both(cda(), cda(given="Marguerite"))
    done = take(house, content, source=PARTNER, candidate=candidate)
    assert (done.outcome, done.document.candidate) == ("held", MEMBER.id)
    assert done.document.reason == "it is about several people"


def test_a_document_that_states_its_patient_twice_is_filed(house: House) -> None:
    done = take(house, about_both(cda(), cda(ids='<id root="2.999.2" extension="Y"/>')))
    assert (done.outcome, done.document.member) == ("filed", MEMBER.id)


def test_nobody_is_made_of_a_document_about_several(house: House) -> None:
    new = {"family": "Newcomer", "birth": "19810102"}
    both = about_both(cda(given="Nova", **new), cda(given="Otto", **new))  # type: ignore[arg-type]
    done = take(house, both, create_members=True)
    assert (done.outcome, done.document.reason) == ("held", "it is about several people")
    known = house.database.read(lambda tx: members.list_page(tx, plan=PLAN))
    assert [one.id for one in known] == [MEMBER.id]
