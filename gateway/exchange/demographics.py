"""Whose demographics are read, and whether a request has enough of them to be answered."""

from collections.abc import Iterable
from dataclasses import replace

from ccda.hl7v3 import II, US_SSN
from ccda.model import Patient
from gateway.model.member import Member, Plan
from gateway.model.person import Person, read_person, with_id
from gateway.store.members import Candidate
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


def minimum_set_missing(asked: Person) -> tuple[RequestedAttribute, ...]:
    """What a discovery request must add before we look anyone up; it depends on nothing else.

    Name and birth date have no code to ask for them with (ITI TF-2: 3.55.4.2.2.6): see
    `is_below_minimum`. Gender, and one of address, telephone or SSN are what we ask beyond them.
    A gender that is neither M nor F is stated all the same: who has it can state no other.
    """
    missing: list[RequestedAttribute] = []
    if asked.gender is None and all(field.attribute != "gender" for field in asked.ignored):
        missing.append("LivingSubjectAdministrativeGenderRequested")
    placed = any(a.street and (a.zip5 or a.city) for a in asked.addresses)
    if not (placed or asked.phones or asked.has_whole_ssn):
        missing += ["PatientAddressRequested", "PatientTelecomRequested"]
    return tuple(missing)


def is_below_minimum(asked: Person) -> bool:
    """Whether the request is too thin to be answered from our records at all (DECISIONS 11).

    The SSN stands in for a birth date: one that cannot be true must not fail a match by itself.
    """
    named = any(name.family and name.given for name in asked.names)
    dated = asked.birth is not None and asked.birth.day is not None
    told_apart = named and (dated or asked.has_whole_ssn)
    return not told_apart or bool(minimum_set_missing(asked))


def demographics(member: Member, plan: Plan) -> Demographics:
    """What the roster says of a member, with the plan's own number as an identifier."""
    root = plan.member_id_root
    own = II(root, member.member_id) if root else None
    if own is None or own in member.demographics.ids:
        return member.demographics
    return replace(member.demographics, ids=(*member.demographics.ids, own))


def person_of(candidate: Candidate, plan: Plan) -> Person:
    """As `demographics`, in the form that is compared."""
    root = plan.member_id_root
    if not root:
        return candidate.person
    if root == US_SSN:
        return read_person(demographics(candidate.member(), plan))
    return with_id(candidate.person, root, candidate.number)
