"""US Core 6.1: what each profile requires and supports, and which profiles a resource meets.

`meta.profile` is claimed only where `lacks` finds nothing missing. That an element which must be
supported is absent is no fault: what the source does not say cannot stand there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ccda.fhir.times import ABSENT, Json

BASE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/"
_UCUM: Final = "http://unitsofmeasure.org"

Test = Callable[[Json], bool]


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile: what it is of, what must be there, what must be supported.

    `required` are paths: each of several repetitions must have what follows the dot. `rules` are
    its invariants, each by the name US Core gives it.
    """

    type: str
    of: Test
    required: tuple[str, ...]
    supported: tuple[str, ...]
    rules: tuple[tuple[str, Test], ...] = ()


def lacks(resource: Json, name: str) -> tuple[str, ...]:
    """The required elements and the invariants of a profile that a resource does not meet."""
    profile = PROFILES[name]
    missing = [path for path in profile.required if not _has(resource, path.split("."))]
    return (*missing, *(rule for rule, holds in profile.rules if not holds(resource)))


def unsaid(resource: Json, name: str) -> tuple[str, ...]:
    """The elements a profile supports of which the resource says nothing."""
    supported = PROFILES[name].supported
    return tuple(path for path in supported if not _has(resource, path.split(".")))


def profiles_of(resource: Json) -> tuple[str, ...]:
    """The profiles a resource of its type and code is meant to meet."""
    named = _BY_TYPE.get(resource["resourceType"], ())
    return tuple(name for name in named if PROFILES[name].of(resource))


def claim(resource: Json) -> Json:
    """The resource, with the profiles it meets."""
    met = [BASE + name for name in profiles_of(resource) if not lacks(resource, name)]
    if not met:
        return resource
    kind, identity = resource["resourceType"], resource["id"]
    return {"resourceType": kind, "id": identity, "meta": {"profile": met}, **resource}


# ---- looking into a resource -----------------------------------------------------------------


def _has(form: Any, path: Sequence[str]) -> bool:
    """Whether the element is there, or says why it is not; in a list, in each of its items."""
    if not path:
        return True
    if isinstance(form, list):
        return all(_has(item, path) for item in form)
    if not isinstance(form, dict):
        return False
    name, rest = path[0], path[1:]
    if name.endswith("?"):
        found = form.get(name[:-1])
        return found is None or _has(found, rest)
    if name.endswith("[x]"):
        stem = name[:-3]
        names = [key for key in form if _is_choice(key.removeprefix("_"), stem)]
    else:
        names = [key for key in (name, f"_{name}") if key in form]
    return any(_has(form[key], rest) or _is_absent(form[key]) for key in names)


def _is_choice(key: str, stem: str) -> bool:
    return key.startswith(stem) and key[len(stem) : len(stem) + 1].isupper()


def _is_absent(form: Any) -> bool:
    extensions = form.get("extension", ()) if isinstance(form, dict) else ()
    return any(one.get("url") == ABSENT for one in extensions)


def _codes(form: Any) -> set[str]:
    """All codes in a CodeableConcept or a list of them."""
    concepts = form if isinstance(form, list) else [form] if form else []
    return {one["code"] for said in concepts for one in said.get("coding", ())}


def _in_category(*codes: str) -> Test:
    return lambda resource: not _codes(resource.get("category")).isdisjoint(codes)


def _is_coded(*codes: str) -> Test:
    return lambda resource: not _codes(resource.get("code")).isdisjoint(codes)


def _always(resource: Json) -> bool:
    return True


# ---- invariants ------------------------------------------------------------------------------


def _has_value(resource: Json) -> bool:
    names = ("component", "hasMember", "dataAbsentReason")
    return _has(resource, ["value[x]"]) or any(name in resource for name in names)


def _to_the_day(resource: Json) -> bool:
    moment = resource.get("effectiveDateTime")
    return moment is None or len(moment) >= 10


def _in_ucum(resource: Json) -> bool:
    return resource.get("valueQuantity", {}).get("system") in (None, _UCUM)


def _is_named(resource: Json) -> bool:
    return all(
        "family" in name or "given" in name or _is_absent(name) for name in resource.get("name", ())
    )


def _is_performed(resource: Json) -> bool:
    running = resource.get("status") in ("completed", "in-progress")
    return not running or _has(resource, ["performed[x]"])


_FINAL: Final = frozenset(("partial", "preliminary", "final", "amended", "corrected", "appended"))


def _when_final(path: str) -> Test:
    return lambda resource: resource.get("status") not in _FINAL or _has(resource, [path])


def _is_requested(resource: Json) -> bool:
    return resource.get("intent") != "order" or "requester" in resource


def _is_quantity(resource: Json) -> bool:
    """A quantity in UCUM with value, unit and code; or that there is none, and why."""
    found = resource.get("valueQuantity")
    if found is None:
        return not any(key.startswith("value") for key in resource)
    return {"value", "unit", "code"} <= set(found) and found.get("system") in (_UCUM,)


def _is_blood_pressure(resource: Json) -> bool:
    parts = resource.get("component", ())
    codes = {code for part in parts for code in _codes(part.get("code"))}
    return {"8480-6", "8462-4"} <= codes and all(_is_quantity(part) for part in parts)


def _is_behalf_known(resource: Json) -> bool:
    """provenance-1: what type an agent is, its reference does not tell; so all need one."""
    return all(
        "onBehalfOf" in agent or _codes(agent.get("type")) == {"transmitter"}
        for agent in resource.get("agent", ())
    )


def _is_pulse_oximetry(resource: Json) -> bool:
    return {"59408-5", "2708-6"} <= _codes(resource.get("code")) and _is_quantity(resource)


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
        _always,
        ("identifier.system", "identifier.value", "name", "telecom?.system", "telecom?.value",
         "gender"),
        ("name.family", "name.given", "telecom", "birthDate", "address.line", "address.city",
         "address.state", "address.postalCode", "communication.language", "extension"),
        (("us-core-6", _is_named),),
    ),
    "us-core-allergyintolerance": Profile(
        "AllergyIntolerance",
        _always,
        ("code", "patient", "reaction?.manifestation"),
        ("clinicalStatus", "verificationStatus", "reaction.manifestation"),
    ),
    "us-core-careteam": Profile(
        "CareTeam",
        _always,
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
        _always,
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
        _always,
        ("status", "type", "category", "subject", "content.attachment"),
        ("identifier", "date", "author", "content.attachment.contentType",
         "content.attachment.data", "content.format", "context.encounter", "context.period"),
        (("us-core-6", lambda resource: all(
            "data" in one["attachment"] or "url" in one["attachment"]
            for one in resource["content"])),),
    ),
    "us-core-encounter": Profile(
        "Encounter",
        _always,
        ("identifier?.system", "identifier?.value", "status", "class", "type", "subject"),
        ("participant.type", "participant.period", "participant.individual", "period",
         "reasonCode", "hospitalization.dischargeDisposition", "location.location",
         "serviceProvider"),
    ),
    "us-core-goal": Profile(
        "Goal",
        _always,
        ("lifecycleStatus", "description", "subject"),
        ("start[x]", "target.due[x]"),
    ),
    "us-core-immunization": Profile(
        "Immunization",
        _always,
        ("status", "vaccineCode", "patient", "occurrence[x]"),
        ("statusReason", "primarySource"),
    ),
    "us-core-implantable-device": Profile(
        "Device",
        lambda resource: "udiCarrier" in resource,
        ("udiCarrier.deviceIdentifier", "type", "patient"),
        ("udiCarrier.carrierHRF", "distinctIdentifier", "manufactureDate", "expirationDate",
         "lotNumber", "serialNumber"),
    ),
    "us-core-location": Profile(
        "Location",
        _always,
        ("name",),
        ("status", "telecom", "address.line", "address.city", "address.state",
         "address.postalCode", "managingOrganization"),
    ),
    "us-core-medication": Profile("Medication", _always, ("code",), ()),
    "us-core-medicationrequest": Profile(
        "MedicationRequest",
        _always,
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
        _always,
        ("active", "name"),
        ("identifier.system", "identifier.value", "telecom", "address"),
    ),
    "us-core-practitioner": Profile(
        "Practitioner",
        _always,
        ("identifier.system", "identifier.value", "name.family"),
        ("telecom", "address"),
    ),
    "us-core-practitionerrole": Profile(
        "PractitionerRole",
        _always,
        ("telecom.system", "telecom.value"),
        ("practitioner", "organization", "code", "specialty", "location", "endpoint"),
    ),
    "us-core-procedure": Profile(
        "Procedure",
        _always,
        ("status", "code", "subject"),
        ("performed[x]",),
        (("us-core-7", _is_performed),),
    ),
    "us-core-provenance": Profile(
        "Provenance",
        _always,
        ("target.reference", "recorded", "agent.type", "agent.who"),
        ("agent.onBehalfOf",),
        (("provenance-1", _is_behalf_known),),
    ),
    "us-core-servicerequest": Profile(
        "ServiceRequest",
        _always,
        ("status", "intent", "code", "subject"),
        ("category", "occurrence[x]", "authoredOn", "requester"),
    ),
    "us-core-specimen": Profile("Specimen", _always, ("type",), ("subject",)),
}  # fmt: skip

_BY_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    kind: tuple(name for name, profile in PROFILES.items() if profile.type == kind)
    for kind in {profile.type for profile in PROFILES.values()}
}
