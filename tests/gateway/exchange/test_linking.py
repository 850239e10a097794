"""Which matches of a partner are used, and which a person has to look at first."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ccda.hl7v3 import AD, II, PN, TS, US_SSN
from gateway.app.house import House
from gateway.model.identity import MemberId
from gateway.model.member import Member
from gateway.store import links, members
from ihe.discovery import Demographics, Match, Matched
from ihe.identifiers import Oid, PatientId
from tests.gateway.clients.asking_house import (
    MEMBER,
    NUMBER_ROOT,
    PLAN,
    asking_house,
    assert_sound,
    retrieve,
)
from tests.gateway.clients.scripted_partner import HOME, NAME, PATIENT, a_match, scripted
from tests.gateway.exchange.test_discovering import Asking, holding, links_of

KNOWN = a_match().demographics
ANOTHER_ID = PatientId("NF-2", Oid(f"{HOME}.2"))
MARGUERITE = replace(KNOWN, names=(PN("Sampleton", ("Marguerite",)),))
VAGUE = Demographics(names=KNOWN.names, birth_time=KNOWN.birth_time)


def ssn(number: str) -> tuple[II, ...]:
    return (II(US_SSN, number),)


def states(tmp_path: Path, *answers: tuple[Match, ...], member: Member = MEMBER) -> list[list[str]]:
    """The states of the member's links after each of the answers."""
    asking = Asking(*(Matched(matches) for matches in answers))
    found = []
    with (
        scripted(ITI_55=asking) as script,
        asking_house(tmp_path, [script.partner], member=member) as house,
    ):
        for _ in answers:
            retrieve(house)
            found.append([one.state for one in links_of(house)])
        assert_sound(house)
    return found


# ---- what was confirmed before ---------------------------------------------------------------

WITH_SSN = replace(
    MEMBER,
    demographics=replace(MEMBER.demographics, ids=(*MEMBER.demographics.ids, *ssn("219-44-1234"))),
)


@pytest.mark.parametrize(
    "now",
    [
        a_match(replace(KNOWN, gender="M")),
        a_match(replace(KNOWN, names=(PN("Sampleton", ("Rosalinde", "June")),))),
        a_match(replace(KNOWN, ids=ssn("523-45-6789"))),
        a_match(degree=20),
        a_match(VAGUE, degree=20),
    ],
    ids=["gender", "given name", "SSN", "degree", "vague and degree"],
)
def test_an_answer_that_contradicts_a_confirmed_link_has_it_held(
    now: Match, tmp_path: Path
) -> None:
    assert states(tmp_path, (a_match(),), (now,), member=WITH_SSN) == [["confirmed"], ["held"]]


@pytest.mark.parametrize(
    "now",
    [
        VAGUE,
        replace(VAGUE, gender="F", addresses=(AD(("7 New Lane",), "Elsewhere", "OR", "97001"),)),
        replace(KNOWN, addresses=(), telecoms=(), birth_time=TS("1958")),
    ],
)
def test_an_answer_that_tells_less_takes_nothing_back(now: Demographics, tmp_path: Path) -> None:
    assert states(tmp_path, (a_match(),), (a_match(now),)) == [["confirmed"], ["confirmed"]]


def test_after_a_rejected_match_a_vague_one_is_a_question_for_a_person(tmp_path: Path) -> None:
    answers = (a_match(MARGUERITE),), (a_match(VAGUE),)
    assert states(tmp_path, *answers) == [["rejected"], ["held"]]


# ---- several matches -------------------------------------------------------------------------


@pytest.mark.parametrize("order", [lambda two: two, reversed])
@pytest.mark.parametrize("other", [MARGUERITE, replace(KNOWN, gender="M")])
def test_one_patient_id_of_two_people_is_held(
    other: Demographics, order: Callable[[Any], Any], tmp_path: Path
) -> None:
    both = tuple(order((a_match(), a_match(other))))
    asking = Asking(Matched(both))
    with scripted(ITI_55=asking) as script, asking_house(tmp_path, [script.partner]) as house:
        assert retrieve(house)[NAME].outcome == "held"
        (link,) = links_of(house)
        assert (link.state, link.detail) == (
            "held",
            "the partner describes this patient id in two ways that contradict",
        )


def test_one_patient_id_told_twice_is_one_link(tmp_path: Path) -> None:
    thin = replace(KNOWN, telecoms=())
    assert states(tmp_path, (a_match(), a_match(thin), a_match())) == [["confirmed"]]
    nobody = (a_match(MARGUERITE), a_match(replace(MARGUERITE, gender="M")))
    assert states(tmp_path / "other", nobody) == [["rejected"]]


HERE = KNOWN.addresses[0]
THERE = AD(("7 Other Lane",), "Elsewhere", "OR", "97001", "US")
OF_TWO_HOMES = replace(
    MEMBER, demographics=replace(MEMBER.demographics, telecoms=(), addresses=(HERE, THERE))
)


@pytest.mark.parametrize(
    "one, other",
    [
        ({"ids": ssn("523-45-6789")}, {"ids": ssn("401-22-9876")}),
        (
            {"telecoms": (), "addresses": (HERE,)},
            {"telecoms": (), "addresses": (THERE,)},
        ),
    ],
    ids=["two SSNs", "two homes"],
)
def test_matches_that_contradict_each_other_are_all_held(
    one: dict[str, Any], other: dict[str, Any], tmp_path: Path
) -> None:
    both = (
        a_match(replace(KNOWN, **one)),
        a_match(replace(KNOWN, **other), patient_id=ANOTHER_ID),
    )
    assert states(tmp_path, both, member=OF_TWO_HOMES) == [["held", "held"]]


@pytest.mark.parametrize(
    "one, other",
    [
        ({}, {}),
        ({"telecoms": ()}, {"addresses": ()}),
        ({"ids": (II("2.999.4", "A"),)}, {"ids": (II("2.999.4", "B"),)}),
    ],
    ids=["the same", "complements", "two numbers of one issuer"],
)
def test_several_records_of_one_person_are_all_used(
    one: dict[str, Any], other: dict[str, Any], tmp_path: Path
) -> None:
    both = (
        a_match(replace(KNOWN, **one)),
        a_match(replace(KNOWN, **other), patient_id=ANOTHER_ID),
    )
    assert states(tmp_path, both) == [["confirmed", "confirmed"]]


def test_what_a_person_has_confirmed_stays_beside_what_contradicts_it(tmp_path: Path) -> None:
    two = a_match(replace(KNOWN, ids=ssn("401-22-9876")), patient_id=ANOTHER_ID)
    asking = Asking(Matched((a_match(replace(KNOWN, ids=ssn("523-45-6789"))), two)))
    with scripted(ITI_55=asking) as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        first = next(one for one in links_of(house) if one.patient_id == PATIENT)
        house.database.write(lambda tx: links.decide(tx, first, state="confirmed"))
        retrieve(house)
        assert {one.patient_id: one.state for one in links_of(house)} == {
            PATIENT: "confirmed",
            ANOTHER_ID: "held",
        }


# ---- another member's ------------------------------------------------------------------------


def member_called(*given: str, number: str) -> Member:
    return Member(
        MemberId(f"00000000-0000-4000-8000-0000000000{number}"),
        PLAN,
        f"DM-{number}",
        replace(
            MEMBER.demographics,
            names=(PN("Sampleton", given),),
            ids=(II(NUMBER_ROOT, f"DM-{number}"),),
        ),
    )


@pytest.mark.parametrize("middle, state", [("Teresa", "held"), ("Elena", "confirmed")])
def test_a_patient_who_is_another_member_is_held_unless_both_are_one(
    middle: str, state: str, tmp_path: Path
) -> None:
    """A partner that says only Maria may mean either twin; who is enrolled twice is one."""
    first = member_called("Maria", "Elena", number="b1")
    second = member_called("Maria", middle, number="b2")
    second = replace(second, demographics=replace(second.demographics, ids=()))
    asking = Asking(Matched((a_match(replace(KNOWN, names=(PN("Sampleton", ("Maria",)),))),)))
    with (
        scripted(ITI_55=asking) as script,
        asking_house(tmp_path, [script.partner], member=first) as house,
    ):
        house.database.write(lambda tx: members.put(tx, second))
        found = []
        for member in (first, second):
            retrieve(house, member=member.id)
            found += house.database.read(
                lambda tx, one=member: links.of_member(tx, plan=PLAN, member=one.id)  # type: ignore[misc]
            )
        assert [one.state for one in found] == ["confirmed", state]
        if state == "held":
            assert found[1].detail == (
                "by this patient id the partner means another member of the plan"
            )


# ---- within its time to live -----------------------------------------------------------------


def enrolled_as(house: House, **changes: Any) -> None:
    other = replace(MEMBER, demographics=replace(MEMBER.demographics, **changes))
    house.database.write(lambda tx: members.put(tx, other))


def test_a_link_is_not_used_again_once_the_roster_describes_another_person(tmp_path: Path) -> None:
    with (
        scripted(ITI_55=holding(timedelta(days=7))) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        assert retrieve(house)[NAME].outcome == "matched"
        enrolled_as(house, names=(PN("Other", ("Olga",)),), birth_time=TS("19900909"))
        assert retrieve(house)[NAME].outcome == "no_match"
        assert script.heard.count("ITI_55") == 2
        assert [one.state for one in links_of(house)] == ["rejected"]


def test_a_link_that_a_person_decided_is_used_again_whatever_the_roster_says(
    tmp_path: Path,
) -> None:
    with (
        scripted(ITI_55=holding(timedelta(days=7))) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        retrieve(house)
        (link,) = links_of(house)
        house.database.write(lambda tx: links.decide(tx, link, state="confirmed"))
        enrolled_as(house, names=(PN("Married", ("Rosalind",)),))
        retrieve(house)
        assert script.heard.count("ITI_55") == 1
