"""Whose demographics are read, and whether a request has enough of them to be answered."""

from collections.abc import Iterable

from ccda.hl7v3 import II
from ccda.model import Patient
from gateway.model.person import read_person
from ihe.xcpd import Demographics, RequestedAttribute


def demographics_of(patient: Patient, policy_ids: Iterable[II] = ()) -> Demographics:
    """What a document says of its patient; `policy_ids` are those of its Payers section.

    A pushed document often has the plan's member number there and nowhere else (DECISIONS 15).
    """
    return Demographics(
        names=patient.names,
        birth_time=patient.birth_time,
        gender=patient.gender,
        addresses=patient.addresses,
        telecoms=patient.telecoms,
        ids=(*patient.ids, *(found for found in policy_ids if found not in patient.ids)),
    )


def minimum_set_missing(demographics: Demographics) -> tuple[RequestedAttribute, ...]:
    """What a discovery request must add before we look anyone up; it depends on nothing else.

    Name and birth date have no code to ask for them with (ITI TF-2: 3.55.4.2.2.6): see
    `is_below_minimum`. Gender, and one of address, telephone or SSN are what we ask beyond them.
    """
    person = read_person(demographics)
    missing: list[RequestedAttribute] = []
    if person.gender is None:
        missing.append("LivingSubjectAdministrativeGenderRequested")
    placed = any(a.street and (a.zip5 or a.city) for a in person.addresses)
    whole_ssn = person.ssn is not None and len(person.ssn) == 9
    if not (placed or person.phones or whole_ssn):
        missing += ["PatientAddressRequested", "PatientTelecomRequested"]
    return tuple(missing)


def is_below_minimum(demographics: Demographics) -> bool:
    """Whether the request is too thin to be answered from our records at all (DECISIONS 11)."""
    person = read_person(demographics)
    named = any(name.family and name.given for name in person.names)
    dated = person.birth is not None and person.birth.day is not None
    return not (named and dated) or bool(minimum_set_missing(demographics))
