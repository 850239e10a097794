"""US Core 6.1: what each profile requires, what it supports, and its invariants."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ccda.fhir.paths import codes_in, is_absent, look_for
from ccda.fhir.systems import UCUM
from ccda.fhir.times import Json

Test = Callable[[Json], bool]


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile: what it is of, what must be there, what must be supported.

    It is of the resources of its type that have any of the marks `of`. `required` are paths:
    each of several repetitions must have what follows the dot. `rules` are its invariants, each
    by the name US Core gives it.
    """

    type: str
    of: frozenset[str]
    required: tuple[str, ...]
    supported: tuple[str, ...]
    rules: tuple[tuple[str, Test], ...] = ()


_ALL: Final = frozenset(("",))


_CARRIER: Final = "udiCarrier"


def marks(resource: Json) -> list[str]:
    """All that the profiles of one type tell its resources apart by."""
    codes = [f"code {code}" for code in codes_in(resource.get("code"))]
    categories = [f"category {code}" for code in codes_in(resource.get("category"))]
    return ["", *codes, *categories, *((_CARRIER,) if _CARRIER in resource else ())]


def _in_category(*codes: str) -> frozenset[str]:
    return frozenset(f"category {code}" for code in codes)


def _is_coded(*codes: str) -> frozenset[str]:
    return frozenset(f"code {code}" for code in codes)


# ---- invariants ------------------------------------------------------------------------------


_is_valued: Final = look_for("value[x]")
_was_performed: Final = look_for("performed[x]")


def _has_value(resource: Json) -> bool:
    names = ("component", "hasMember", "dataAbsentReason")
    return any(name in resource for name in names) or _is_valued(resource)


def _to_the_day(resource: Json) -> bool:
    moment = resource.get("effectiveDateTime")
    return moment is None or len(moment) >= 10


def _in_ucum(resource: Json) -> bool:
    return resource.get("valueQuantity", {}).get("system") in (None, UCUM)


def _is_named(resource: Json) -> bool:
    return all(
        "family" in name or "given" in name or is_absent(name) for name in resource.get("name", ())
    )


def _is_performed(resource: Json) -> bool:
    running = resource.get("status") in ("completed", "in-progress")
    return not running or _was_performed(resource)


_FINAL: Final = frozenset(("partial", "preliminary", "final", "amended", "corrected", "appended"))


def _when_final(path: str) -> Test:
    is_there = look_for(path)
    return lambda resource: resource.get("status") not in _FINAL or is_there(resource)


def _is_requested(resource: Json) -> bool:
    return resource.get("intent") != "order" or "requester" in resource


def _is_quantity(resource: Json) -> bool:
    """A quantity in UCUM with value, unit and code; or that there is none, and why."""
    found = resource.get("valueQuantity")
    if found is None:
        return not any(key.startswith("value") for key in resource)
    return {"value", "unit", "code"} <= set(found) and bool(found.get("system") == UCUM)


def _is_blood_pressure(resource: Json) -> bool:
    parts = resource.get("component", ())
    named = {code for part in parts for code in codes_in(part.get("code"))}
    return {"8480-6", "8462-4"} <= named and all(_is_quantity(part) for part in parts)


def _is_behalf_known(resource: Json) -> bool:
    """provenance-1: what type an agent is, its reference does not tell; so all need one."""
    return all(
        "onBehalfOf" in agent or codes_in(agent.get("type")) == {"transmitter"}
        for agent in resource.get("agent", ())
    )


def _is_pulse_oximetry(resource: Json) -> bool:
    return {"59408-5", "2708-6"} <= codes_in(resource.get("code")) and _is_quantity(resource)


# ---- the table -------------------------------------------------------------------------------

_OBSERVATION: Final = ("status", "category", "code", "subject")
_VITAL: Final = (*_OBSERVATION, "effective[x]")
_TOLD: Final = ("effective[x]", "value[x]", "dataAbsentReason")
_QUANTITY: Final = (("value", _is_quantity), ("vs-1", _to_the_day))
_SHORT_OF_DAY: Final = (("us-core-1", _to_the_day), ("us-core-2", _has_value))


def _vital(*codes: str) -> Profile:
    return Profile("Observation", _is_coded(*codes), _VITAL, ("valueQuantity",), _QUANTITY)


PROFILES: Final[Mapping[str, Profile]] = {
    "us-core-patient": Profile(
        "Patient",
        _ALL,
        ("identifier.system", "identifier.value", "name", "telecom?.system", "telecom?.value",
         "gender"),
        ("name.family", "name.given", "telecom", "birthDate", "address.line", "address.city",
         "address.state", "address.postalCode", "communication.language", "extension"),
        (("us-core-6", _is_named),),
    ),
    "us-core-allergyintolerance": Profile(
        "AllergyIntolerance",
        _ALL,
        ("code", "patient", "reaction?.manifestation"),
        ("clinicalStatus", "verificationStatus", "reaction.manifestation"),
    ),
    "us-core-careteam": Profile(
        "CareTeam",
        _ALL,
        ("subject", "participant.role", "participant.member"),
        ("status",),
    ),
    "us-core-condition-encounter-diagnosis": Profile(
        "Condition",
        _in_category("encounter-diagnosis"),
        ("category", "code", "subject"),
        ("clinicalStatus", "verificationStatus", "encounter", "onset[x]", "abatement[x]",
         "recordedDate", "extension"),
    ),
    "us-core-condition-problems-health-concerns": Profile(
        "Condition",
        _in_category("problem-list-item", "health-concern"),
        ("category", "code", "subject"),
        ("clinicalStatus", "verificationStatus", "onset[x]", "abatement[x]", "recordedDate",
         "extension"),
    ),
    "us-core-coverage": Profile(
        "Coverage",
        _ALL,
        ("status", "beneficiary", "relationship", "payor", "subscriberId"),
        ("type", "period", "class.value", "class.name"),
        (("payor 1..1", lambda resource: len(resource.get("payor", ())) == 1),),
    ),
    "us-core-diagnosticreport-lab": Profile(
        "DiagnosticReport",
        _in_category("LAB"),
        ("status", "category", "code", "subject"),
        ("effective[x]", "issued", "performer", "result"),
        (("us-core-8", _when_final("effective[x]")), ("us-core-9", _when_final("issued"))),
    ),
    "us-core-documentreference": Profile(
        "DocumentReference",
        _ALL,
        ("status", "type", "category", "subject", "content.attachment"),
        ("identifier", "date", "author", "content.attachment.contentType",
         "content.attachment.data", "content.format", "context.encounter", "context.period"),
        (("us-core-6", lambda resource: all(
            "data" in one["attachment"] or "url" in one["attachment"]
            for one in resource.get("content", ()))),),
    ),
    "us-core-encounter": Profile(
        "Encounter",
        _ALL,
        ("identifier?.system", "identifier?.value", "status", "class", "type", "subject"),
        ("participant.type", "participant.period", "participant.individual", "period",
         "reasonCode", "hospitalization.dischargeDisposition", "location.location",
         "serviceProvider"),
    ),
    "us-core-goal": Profile(
        "Goal",
        _ALL,
        ("lifecycleStatus", "description", "subject"),
        ("start[x]", "target.due[x]"),
    ),
    "us-core-immunization": Profile(
        "Immunization",
        _ALL,
        ("status", "vaccineCode", "patient", "occurrence[x]"),
        ("statusReason", "primarySource"),
    ),
    "us-core-implantable-device": Profile(
        "Device",
        frozenset((_CARRIER,)),
        ("udiCarrier.deviceIdentifier", "type", "patient"),
        ("udiCarrier.carrierHRF", "distinctIdentifier", "manufactureDate", "expirationDate",
         "lotNumber", "serialNumber"),
    ),
    "us-core-location": Profile(
        "Location",
        _ALL,
        ("name",),
        ("status", "telecom", "address.line", "address.city", "address.state",
         "address.postalCode", "managingOrganization"),
    ),
    "us-core-medication": Profile("Medication", _ALL, ("code",), ()),
    "us-core-medicationrequest": Profile(
        "MedicationRequest",
        _ALL,
        ("status", "intent", "medication[x]", "subject"),
        ("category", "reported[x]", "encounter", "authoredOn", "requester",
         "dosageInstruction.text", "dosageInstruction.timing",
         "dosageInstruction.doseAndRate.dose[x]", "dispenseRequest.numberOfRepeatsAllowed",
         "dispenseRequest.quantity"),
        (("us-core-21", _is_requested),),
    ),
    "us-core-observation-lab": Profile(
        "Observation",
        _in_category("laboratory"),
        _OBSERVATION,
        (*_TOLD, "specimen"),
        (*_SHORT_OF_DAY, ("us-core-3", _in_ucum)),
    ),
    "us-core-observation-clinical-result": Profile(
        "Observation",
        _in_category("imaging"),
        _OBSERVATION,
        _TOLD,
        (*_SHORT_OF_DAY, ("us-core-3", _in_ucum)),
    ),
    "us-core-observation-pregnancystatus": Profile(
        "Observation",
        _is_coded("82810-3"),
        (*_OBSERVATION, "effectiveDateTime", "valueCodeableConcept"),
        (),
    ),
    "us-core-observation-pregnancyintent": Profile(
        "Observation",
        _is_coded("86645-9"),
        (*_OBSERVATION, "effectiveDateTime", "valueCodeableConcept"),
        (),
    ),
    "us-core-observation-sexual-orientation": Profile(
        "Observation",
        _is_coded("76690-7"),
        ("status", "code", "subject"),
        ("effective[x]", "valueCodeableConcept"),
        (("us-core-2", _has_value),),
    ),
    "us-core-smokingstatus": Profile(
        "Observation",
        _is_coded("72166-2", "11367-0"),
        (*_OBSERVATION, "effectiveDateTime", "value[x]"),
        (),
        (("us-core-3", _in_ucum),),
    ),
    "us-core-simple-observation": Profile(
        "Observation",
        _in_category("functional-status", "cognitive-status", "sdoh"),
        _OBSERVATION,
        ("effective[x]", "performer", "value[x]"),
    ),
    "us-core-vital-signs": Profile(
        "Observation",
        _in_category("vital-signs"),
        _VITAL,
        ("value[x]", "dataAbsentReason", "component.value[x]"),
        (("vs-1", _to_the_day), ("vs-2", _has_value)),
    ),
    "us-core-blood-pressure": Profile(
        "Observation",
        _is_coded("85354-9"),
        (*_VITAL, "component.code"),
        ("component.valueQuantity",),
        (("components", _is_blood_pressure), ("vs-1", _to_the_day)),
    ),
    "us-core-bmi": _vital("39156-5"),
    "us-core-body-height": _vital("8302-2"),
    "us-core-body-temperature": _vital("8310-5"),
    "us-core-body-weight": _vital("29463-7"),
    "us-core-head-circumference": _vital("9843-4"),
    "us-core-heart-rate": _vital("8867-4"),
    "us-core-respiratory-rate": _vital("9279-1"),
    "us-core-pulse-oximetry": Profile(
        "Observation",
        _is_coded("59408-5", "2708-6"),
        _VITAL,
        ("valueQuantity", "component"),
        (("pulse oximetry", _is_pulse_oximetry), ("vs-1", _to_the_day)),
    ),
    "us-core-organization": Profile(
        "Organization",
        _ALL,
        ("active", "name"),
        ("identifier.system", "identifier.value", "telecom", "address"),
    ),
    "us-core-practitioner": Profile(
        "Practitioner",
        _ALL,
        ("identifier.system", "identifier.value", "name.family"),
        ("telecom", "address"),
    ),
    "us-core-practitionerrole": Profile(
        "PractitionerRole",
        _ALL,
        ("telecom.system", "telecom.value"),
        ("practitioner", "organization", "code", "specialty", "location", "endpoint"),
    ),
    "us-core-procedure": Profile(
        "Procedure",
        _ALL,
        ("status", "code", "subject"),
        ("performed[x]",),
        (("us-core-7", _is_performed),),
    ),
    "us-core-provenance": Profile(
        "Provenance",
        _ALL,
        ("target.reference", "recorded", "agent.type", "agent.who"),
        ("agent.onBehalfOf",),
        (("provenance-1", _is_behalf_known),),
    ),
    "us-core-servicerequest": Profile(
        "ServiceRequest",
        _ALL,
        ("status", "intent", "code", "subject"),
        ("category", "occurrence[x]", "authoredOn", "requester"),
    ),
    "us-core-specimen": Profile("Specimen", _ALL, ("type",), ("subject",)),
}  # fmt: skip
