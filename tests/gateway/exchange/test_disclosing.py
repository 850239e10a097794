"""What of a member leaves the house at first, and what only where it is asked for."""

from dataclasses import replace

import pytest

from ccda.hl7v3 import AD, II, PN, US_SSN
from gateway.demo.parties import MEMBER as ROSALIND
from gateway.exchange.disclosing import first_set, fuller_set
from ihe.discovery import Demographics, MoreDemographicsRequested, RequestedAttribute

SSN = II(US_SSN, "999-12-3456")
LICENCE = II("2.16.840.1.113883.4.3.36", "S-1")
NUMBER = II("2.999.5", "DM-1")
PLACE = AD(city="Springfield")
KNOWN = replace(
    ROSALIND,
    ids=(SSN, LICENCE, NUMBER),
    mothers_maiden_name=PN("Vega"),
    birth_place=PLACE,
    birth_place_name="Springfield",
)


def test_the_first_request_says_what_people_are_found_by_and_not_what_they_are_proven_by() -> None:
    told = first_set(KNOWN)
    assert (told.names, told.birth_time, told.gender) == (
        KNOWN.names, KNOWN.birth_time, KNOWN.gender,
    )  # fmt: skip
    assert (told.addresses, told.telecoms) == (KNOWN.addresses, KNOWN.telecoms)
    assert told.addresses and told.telecoms
    assert told.ids == (NUMBER,)
    assert (told.mothers_maiden_name, told.birth_place, told.birth_place_name) == (None,) * 3


def test_an_id_that_nobody_can_be_asked_for_by_is_left_out() -> None:
    nameless = (II("2.999.6"), II(None, "7"), II(None, null_flavor="NI"), II(US_SSN))
    known = replace(KNOWN, ids=(*nameless, NUMBER, SSN))
    assert first_set(known).ids == (NUMBER,)
    fuller = fuller_set(known, asked("SSNRequested"), ssn_allowed=True)
    assert fuller.demographics is not None
    assert fuller.demographics.ids == (NUMBER, SSN)


def asked(*attributes: RequestedAttribute) -> MoreDemographicsRequested:
    return MoreDemographicsRequested(attributes)


@pytest.mark.parametrize(
    "attribute, gained",
    [
        ("SSNRequested", {"ids": (NUMBER, SSN)}),
        ("MothersMaidenNameRequested", {"mothers_maiden_name": PN("Vega")}),
        ("LivingSubjectBirthPlaceAddressRequested", {"birth_place": PLACE}),
        ("LivingSubjectBirthPlaceNameRequested", {"birth_place_name": "Springfield"}),
    ],
)
def test_the_second_says_what_was_asked_for_and_nothing_else(
    attribute: RequestedAttribute, gained: dict[str, object]
) -> None:
    fuller = fuller_set(KNOWN, asked(attribute), ssn_allowed=True)
    assert fuller.demographics == replace(first_set(KNOWN), **gained)  # type: ignore[arg-type]
    assert fuller.not_given is None


def test_what_is_not_known_is_said_in_words() -> None:
    unknown = Demographics(names=KNOWN.names, birth_time=KNOWN.birth_time)
    fuller = fuller_set(unknown, asked("PatientAddressRequested", "SSNRequested"), ssn_allowed=True)
    assert fuller.demographics is None
    assert fuller.not_given == "we do not know the address and the SSN"


def test_a_partner_that_may_not_have_the_ssn_does_not_get_it() -> None:
    fuller = fuller_set(
        KNOWN, asked("SSNRequested", "MothersMaidenNameRequested"), ssn_allowed=False
    )
    assert fuller.demographics is not None
    assert SSN not in fuller.demographics.ids
    assert fuller.not_given == "it may not have the SSN"


def test_who_had_it_all_is_not_asked_again() -> None:
    fuller = fuller_set(
        KNOWN, asked("PatientAddressRequested", "PatientTelecomRequested"), ssn_allowed=True
    )
    assert fuller.demographics is None
    assert fuller.not_given == ("it had the address and the telephone number in the first request")
