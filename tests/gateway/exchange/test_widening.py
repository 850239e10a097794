"""ITI-55 asked again with what other communities know of the member, and with whose it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ccda.hl7v3 import AD, II, PN, TEL
from gateway.app.house import House
from gateway.exchange.widening import widen
from gateway.model.exchange import Exchange
from gateway.model.partner import PartnerProfile
from gateway.model.retrieval import PartnerProgress
from gateway.store import links, partners
from ihe.discovery import (
    Demographics,
    Discovery,
    Matched,
    MoreDemographicsRequested,
    NoMatch,
)
from ihe.identifiers import HomeCommunityId, Oid, PatientId
from ihe.xcpd import read_discovery_request
from tests.gateway.clients.asking_house import MEMBER, PLAN, asking_house, calls, retrieve
from tests.gateway.clients.scripted_partner import (
    NAME,
    Heard,
    Reply,
    Script,
    a_match,
    discovered,
    scripted,
)

OTHER = "Southfield Health"
OTHER_HOME = HomeCommunityId.parse("2.999.7309.1")
KNOWN = MEMBER.demographics
FORMER = AD(lines=("9 Former Street",), city="Oldtown", state="WI", postal_code="53001")
FORMER_NAME = PN("Formername", KNOWN.names[0].given)
NUMBER = TEL("tel:+1-608-555-0177")
SAID = "it was asked again with 1 address more, known from Northfield Health"


@dataclass(slots=True)
class Pair:
    """Northfield, which knows the member, and Southfield, which is asked after it."""

    house: House
    other: Script
    told: list[Demographics]

    def ask(self) -> PartnerProgress:
        return retrieve(self.house)[OTHER]

    def calls(self) -> list[Exchange]:
        found = calls(self.house, self.other.partner.id)
        return [one for one in found if one.transaction == "ITI-55"]


@contextmanager
def pair(folder: Path, known: Demographics, *answers: Discovery, **profile: Any) -> Iterator[Pair]:
    """Northfield says `known` of the member; Southfield gives the answers in turn."""
    told: list[Demographics] = []
    turns = list(answers)

    def find(heard: Heard) -> Reply:
        told.append(read_discovery_request(heard.body).demographics)
        return Reply(discovered(heard, turns.pop(0) if len(turns) > 1 else turns[0]))

    def know(heard: Heard) -> Reply:
        return Reply(discovered(heard, Matched((a_match(known),))))

    # The script lists documents under one patient id, whichever its discovery has named.
    lenient = {"timeout_seconds": 20, "other_patient_id_accepted": True}
    given = PartnerProfile(**{**lenient, **profile})
    with (
        scripted(ITI_55=know) as northfield,
        scripted(name=OTHER, home=OTHER_HOME, profile=given, ITI_55=find) as other,
        asking_house(folder, [northfield.partner]) as house,
    ):
        assert retrieve(house)[NAME].outcome == "matched"
        house.database.write(lambda tx: partners.put(tx, other.partner))
        yield Pair(house, other, told)


def with_more(**more: Any) -> Demographics:
    """What the roster says and more, under an id that the community alone uses."""
    return replace(KNOWN, ids=(II("2.999.7301.1.77", "private"),), **more)


MOVED = with_more(addresses=(*KNOWN.addresses, FORMER))
THERE = Matched(
    (a_match(patient_id=PatientId("SF-1", Oid("2.999.7309.2")), home_community_id=OTHER_HOME),)
)


def test_who_finds_nobody_is_asked_again_with_a_former_address(tmp_path: Path) -> None:
    with pair(tmp_path, MOVED, NoMatch(), THERE) as two:
        row = two.ask()
        assert row.outcome == "matched"
        assert SAID in (row.detail or "")
        first, second = two.told
        assert first.addresses == KNOWN.addresses
        assert second == replace(first, addresses=(*first.addresses, FORMER))
        assert [(one.outcome, one.reason) for one in two.calls()] == [
            ("success", "judged: nobody"),
            ("success", f"{SAID}; judged: match (96)"),
        ]


def test_a_former_name_and_number_are_told_as_well_and_no_id(tmp_path: Path) -> None:
    more = with_more(names=(*KNOWN.names, FORMER_NAME), telecoms=(*KNOWN.telecoms, NUMBER))
    with pair(tmp_path, more, NoMatch()) as two:
        row = two.ask()
        assert row.outcome == "no_match"
        assert row.detail == (
            "it was asked again with 1 name and 1 telephone number more,"
            " known from Northfield Health"
        )
        first, second = two.told
        assert {(one.family, one.given) for one in second.names} == {
            (one.family, one.given) for one in (*first.names, FORMER_NAME)
        }
        assert second.telecoms == (*first.telecoms, NUMBER)
        assert second.ids == first.ids


def test_who_asks_for_more_hears_it_once_the_roster_has_no_more(tmp_path: Path) -> None:
    more = MoreDemographicsRequested(("PatientAddressRequested",))
    with pair(tmp_path, MOVED, more, THERE) as two:
        assert two.ask().outcome == "matched"
        assert [FORMER in one.addresses for one in two.told] == [False, True]


def test_who_finds_somebody_is_told_no_more(tmp_path: Path) -> None:
    with pair(tmp_path, MOVED, THERE) as two:
        assert two.ask().outcome == "matched"
        assert len(two.told) == 1


@pytest.mark.parametrize(
    "known",
    [
        with_more(),
        with_more(
            names=(replace(KNOWN.names[0], prefix=("Ms.",)),),
            addresses=tuple(replace(one, city=(one.city or "").upper()) for one in KNOWN.addresses),
        ),
    ],
    ids=["the same", "the same in other words"],
)
def test_what_says_no_more_is_not_asked_with(known: Demographics, tmp_path: Path) -> None:
    with pair(tmp_path, known, NoMatch()) as two:
        row = two.ask()
        assert (row.outcome, row.detail, len(two.told)) == ("no_match", None, 1)


def test_a_partner_that_may_not_be_told_is_not(tmp_path: Path) -> None:
    with pair(tmp_path, MOVED, NoMatch(), told_what_others_know=False) as two:
        assert two.ask().outcome == "no_match"
        assert len(two.told) == 1


def test_what_is_known_of_somebody_else_is_not_told(tmp_path: Path) -> None:
    """A person looked at the link and found that it is not the member."""
    with pair(tmp_path, MOVED, NoMatch()) as two:
        (link,) = two.house.database.read(
            lambda tx: links.of_member(tx, plan=PLAN, member=MEMBER.id)
        )
        two.house.database.write(lambda tx: links.decide(tx, link, state="rejected"))
        two.ask()
        assert len(two.told) == 1


def at_the_former_address(**changes: Any) -> Matched:
    """Somebody of the same name, birth date and gender who lives where the member did."""
    there = replace(KNOWN, ids=(), addresses=(FORMER,), telecoms=(), **changes)
    place = PatientId("SF-1", Oid("2.999.7309.2"))
    return Matched((a_match(there, patient_id=place, home_community_id=OTHER_HOME),))


@pytest.mark.parametrize(
    "known, found, outcome",
    [
        (MOVED, at_the_former_address(), "matched"),
        (with_more(telecoms=(*KNOWN.telecoms, NUMBER)), at_the_former_address(), "held"),
        (MOVED, at_the_former_address(names=(PN("Other", ("Person",)),)), "no_match"),
    ],
    ids=["the address is known", "the address is not", "the name is another's"],
)
def test_the_second_look_knows_what_was_asked_with(
    known: Demographics, found: Discovery, outcome: str, tmp_path: Path
) -> None:
    with pair(tmp_path, known, NoMatch(), found) as two:
        assert two.ask().outcome == outcome
        assert len(two.told) == 2


def test_a_few_of_a_kind_are_told_and_not_all() -> None:
    many = tuple(replace(FORMER, lines=(f"{number} Former Street",)) for number in range(9))
    wider = widen(KNOWN, [("one", replace(KNOWN, addresses=many))])
    assert wider is not None
    assert wider.addresses == many[:3]
    assert wider.said == "it was asked again with 3 addresses more, known from one"
