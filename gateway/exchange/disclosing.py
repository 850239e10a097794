"""What of a member's demographics a partner is told, first and when it asks for more (ITI-55).

The first request says what a community matches by: names, birth date, gender, addresses,
telephone numbers and the plan's own number. Less would save nothing: most communities would ask
for more or find nobody, and a second request tells the same. More is not needed for it (45 CFR
164.502(b)): SSN, licence numbers, the mother's maiden name and the birth place are what people are
impersonated with, so they leave the house only where a partner asks for them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from ccda.hl7v3 import II, US_SSN
from ihe.discovery import Demographics, MoreDemographicsRequested, RequestedAttribute

_LICENCES: Final = "2.16.840.1.113883.4.3."
"""Driver licences: one OID a state under this one (HL7 OID registry)."""
_WORDS: Final[dict[RequestedAttribute, str]] = {
    "LivingSubjectAdministrativeGenderRequested": "the gender",
    "PatientAddressRequested": "the address",
    "PatientTelecomRequested": "the telephone number",
    "LivingSubjectBirthPlaceNameRequested": "the name of the birth place",
    "LivingSubjectBirthPlaceAddressRequested": "the address of the birth place",
    "MothersMaidenNameRequested": "the mother's maiden name",
    "SSNRequested": "the SSN",
}


@dataclass(frozen=True, slots=True)
class Fuller:
    """What a second request says, or None if it would say no more than the first, and in words
    what was asked for and is not in it."""

    demographics: Demographics | None
    not_given: str | None


def first_set(known: Demographics) -> Demographics:
    """What every partner is told that is asked about the member."""
    return replace(
        known,
        ids=tuple(each for each in known.ids if _can_be_asked(each) and not _is_personal(each)),
        mothers_maiden_name=None,
        birth_place=None,
        birth_place_name=None,
    )


def besides(told: Demographics) -> str | None:
    """In words, what a request tells that no first one does; None if nothing."""
    first = first_set(told)
    more = [each for each in _WORDS if _given(told, each) != _given(first, each)]
    return _listed(more) or None


def _can_be_asked(identifier: II) -> bool:
    """A question takes no other id (ITI TF-2: 3.55.4.1.2.1); documents have ids without a root."""
    return bool(identifier.root and identifier.extension)


def _is_personal(identifier: II) -> bool:
    root = identifier.root or ""
    return root == US_SSN or root.startswith(_LICENCES)


def fuller_set(
    known: Demographics, requested: MoreDemographicsRequested, *, ssn_allowed: bool
) -> Fuller:
    """The first set with what the partner asks for, as far as we know it and may tell."""
    first = first_set(known)
    told = first
    unknown: list[RequestedAttribute] = []
    had: list[RequestedAttribute] = []
    kept = False
    for attribute in dict.fromkeys(requested.attributes):
        if attribute == "SSNRequested" and not ssn_allowed and _given(known, attribute):
            kept = True
            continue
        values = _given(known, attribute)
        if not values:
            unknown.append(attribute)
        elif values == _given(told, attribute):
            had.append(attribute)
        else:
            told = _with(told, attribute, known)
    sentences = (
        f"we do not know {_listed(unknown)}" if unknown else None,
        "it may not have the SSN" if kept else None,
        f"it had {_listed(had)} in the first request" if had else None,
        "we do not know what else it asks for" if requested.others else None,
    )
    said = "; ".join(sentence for sentence in sentences if sentence) or None
    return Fuller(None if told == first else told, said)


def _listed(attributes: Iterable[RequestedAttribute]) -> str:
    return " and ".join(_WORDS[each] for each in attributes)


def _given(known: Demographics, attribute: RequestedAttribute) -> tuple[object, ...]:
    """The values that answer the request."""
    match attribute:
        case "LivingSubjectAdministrativeGenderRequested":
            return _there(known.gender)
        case "PatientAddressRequested":
            return known.addresses
        case "PatientTelecomRequested":
            return known.telecoms
        case "LivingSubjectBirthPlaceNameRequested":
            return _there(known.birth_place_name)
        case "LivingSubjectBirthPlaceAddressRequested":
            return _there(known.birth_place)
        case "MothersMaidenNameRequested":
            return _there(known.mothers_maiden_name)
        case "SSNRequested":
            return _ssns(known)


def _ssns(known: Demographics) -> tuple[II, ...]:
    return tuple(each for each in known.ids if each.root == US_SSN and each.extension)


def _there(value: object | None) -> tuple[object, ...]:
    return () if value is None else (value,)


def _with(told: Demographics, attribute: RequestedAttribute, known: Demographics) -> Demographics:
    match attribute:
        case "LivingSubjectBirthPlaceNameRequested":
            return replace(told, birth_place_name=known.birth_place_name)
        case "LivingSubjectBirthPlaceAddressRequested":
            return replace(told, birth_place=known.birth_place)
        case "MothersMaidenNameRequested":
            return replace(told, mothers_maiden_name=known.mothers_maiden_name)
        case "SSNRequested":
            return replace(told, ids=(*told.ids, *_ssns(known)))
        case _:
            return told  # the first request had it
