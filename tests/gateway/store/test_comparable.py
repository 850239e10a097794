"""A member is compared as it was read when it came: the same person, in a tenth of the time."""

import hashlib
import json
from dataclasses import replace
from itertools import islice

import pytest

from ccda.hl7v3 import AD, II, PN, TEL, TS, US_SSN
from gateway.exchange.demographics import demographics, person_of
from gateway.model.member import Plan
from gateway.model.person import read_person
from gateway.store import members
from gateway.store.comparable import FORM, load_person, write_person
from gateway.store.database import Database
from gateway.store.values import dump
from ihe.xcpd import Demographics
from tests.gateway.people.population import people
from tests.gateway.store.builders import ACME, a_member

ODD = Demographics(
    names=(PN("Łuczak-Óstrowska", ("Baby", "Zoë"), suffix=("III",)), PN(text="UNKNOWN, X")),
    birth_time=TS("1900-01-01"),
    gender="UN",
    addresses=(
        AD(("Homeless",), "62701", "ZZ", "00000"),
        AD(("1 Rue Morgue",), "Paris", None, "75001", "FR"),
    ),
    telecoms=(TEL("tel:0000000000"), TEL("mailto:A@b.test"), TEL("none@b.test")),
    ids=(
        II(US_SSN, "000-00-0000"),
        II(US_SSN, "xxx-xx-1234"),
        II("2.999.A", " Ab-1 "),
        II("2.999", None),
    ),
    mothers_maiden_name=PN("van der Berg"),
)


def everyone() -> list[Demographics]:
    return [ODD, Demographics(), *(one.stated for one in islice(people(2000), 2000))]


def test_it_is_the_person_whom_the_roster_states() -> None:
    for stated in everyone():
        person = read_person(stated)
        assert load_person(write_person(person), "") == person


def test_people_are_read_as_when_they_were_written() -> None:
    """If this fails, the members that are kept were read differently: raise FORM, and write them
    anew in a migration, as the step that made the column does."""
    read = "\n".join(write_person(read_person(stated)) for stated in everyone())
    assert (FORM, hashlib.sha256(read.encode()).hexdigest()) == (
        2,
        "f4bfbd3e005e9e7d9bacff8384a04a58df8a73194a21e34b73afe1a15cbdb9ca",
    )


@pytest.mark.parametrize("kept", [None, "", json.dumps([FORM + 1, "of tomorrow"])])
def test_another_form_or_none_is_not_read(kept: str | None) -> None:
    assert load_person(kept, dump(ODD)) == read_person(ODD)


@pytest.mark.parametrize("root", [None, "2.999.a", "2.999.A", "2.999.5", US_SSN])
@pytest.mark.parametrize("number", ["M1", "ab-1", "000", "219-09-1234"])
def test_the_plans_own_number_counts_as_if_the_roster_had_stated_it(
    house: Database, root: str | None, number: str
) -> None:
    plan = Plan(ACME, "Acme", member_id_root=root)
    member = replace(a_member("odd", demographics=ODD), member_id=number)
    house.write(lambda t: members.put(t, member))
    asked = read_person(ODD)
    (known,) = house.read(lambda t: members.candidates(t, plan=ACME, person=asked)).members
    assert person_of(known, plan) == read_person(demographics(member, plan))
    assert known.member() == member
