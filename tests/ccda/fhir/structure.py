"""What FHIR R4 demands of every resource here, as far as it can be told without its definitions.

Required elements, one choice of each value[x], no empty element, ids and the types of what is
referred to. Two validators from other hands judge the rest.
"""

import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

REQUIRED: dict[str, tuple[str, ...]] = {
    "AllergyIntolerance": ("clinicalStatus", "patient"),
    "CareTeam": (),
    "Condition": ("subject",),
    "Coverage": ("status", "beneficiary", "payor"),
    "Device": (),
    "DiagnosticReport": ("status", "code"),
    "DocumentReference": ("status", "content"),
    "Encounter": ("status", "class"),
    "FamilyMemberHistory": ("status", "patient", "relationship"),
    "Goal": ("lifecycleStatus", "description", "subject"),
    "Immunization": ("status", "vaccineCode", "patient", "occurrence[x]"),
    "Location": (),
    "Medication": (),
    "MedicationAdministration": ("status", "medication[x]", "subject", "effective[x]"),
    "MedicationRequest": ("status", "intent", "medication[x]", "subject"),
    "Observation": ("status", "code"),
    "OperationOutcome": ("issue",),
    "Organization": (),
    "Patient": (),
    "Practitioner": (),
    "PractitionerRole": (),
    "Procedure": ("status", "subject"),
    "Provenance": ("target", "recorded", "agent"),
    "ServiceRequest": ("status", "intent", "subject"),
    "Specimen": (),
}
CHOICES = ("value", "effective", "onset", "abatement", "occurrence", "performed", "medication",
           "deceased", "multipleBirth", "asNeeded", "detail")  # fmt: skip
TARGETS: dict[str, frozenset[str]] = {
    "subject": frozenset(("Patient",)),
    "patient": frozenset(("Patient",)),
    "beneficiary": frozenset(("Patient",)),
    "encounter": frozenset(("Encounter",)),
    "recorder": frozenset(("Practitioner", "PractitionerRole")),
    "requester": frozenset(("Practitioner", "PractitionerRole")),
    "performer": frozenset(("Practitioner", "PractitionerRole", "Organization")),
    "individual": frozenset(("Practitioner", "PractitionerRole")),
    "condition": frozenset(("Condition",)),
    "hasMember": frozenset(("Observation",)),
    "result": frozenset(("Observation",)),
    "specimen": frozenset(("Specimen",)),
    "location": frozenset(("Location",)),
    "payor": frozenset(("Organization",)),
    "manufacturer": frozenset(("Organization",)),
    "medicationReference": frozenset(("Medication",)),
}
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_CODE = re.compile(r"\S+( \S+)*")
_DATE_TIME = re.compile(
    r"\d{4}(-(0[1-9]|1[0-2])(-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?"
)
_TIMED = re.compile(r".*(DateTime|Date)$|^(start|end|date|recorded|authoredOn|timestamp)$")


def faults(bundle: Json) -> list[str]:
    """Everything wrong with a bundle; nothing when it is as it should be."""
    types = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in bundle["entry"]}
    found = [] if len(types) == len(bundle["entry"]) else ["a fullUrl stands twice"]
    for entry in bundle["entry"]:
        resource = entry["resource"]
        kind = resource["resourceType"]
        if entry["fullUrl"] != f"urn:uuid:{resource['id']}" or not _ID.fullmatch(resource["id"]):
            found.append(f"{kind}: id")
        found += [
            f"{kind}: {name} is missing" for name in REQUIRED[kind] if not _has(resource, name)
        ]
        for path, name, value in _walk(resource, kind):
            found += _fault(path, name, value, types)
    return found


def _fault(path: str, name: str, value: Any, types: dict[str, str]) -> Iterator[str]:
    if value is None or value == "" or value == [] or value == {}:
        yield f"{path}: empty"
    if isinstance(value, dict):
        for stem in CHOICES:
            names = [n for n in value if re.fullmatch(rf"_?{stem}[A-Z]\w*", n)]
            if len(names) > 1 and not path.endswith("extension"):
                yield f"{path}: {names}"
        url = value.get("reference")
        if url is not None:
            if url not in types:
                yield f"{path}: refers to nothing"
            elif name in TARGETS and types[url] not in TARGETS[name]:
                yield f"{path}: refers to {types[url]}"
    if name == "code" and isinstance(value, str) and not _CODE.fullmatch(value):
        yield f"{path}: no code"
    if isinstance(value, str) and _TIMED.fullmatch(name) and not _DATE_TIME.fullmatch(value):
        yield f"{path}: no time"


def _walk(value: Any, path: str, name: str = "") -> Iterator[tuple[str, str, Any]]:
    yield path, name, value
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _walk(part, f"{path}.{key}", key)
    elif isinstance(value, list):
        for part in value:
            yield from _walk(part, path, name)


def _has(resource: Json, name: str) -> bool:
    if not name.endswith("[x]"):
        return name in resource or f"_{name}" in resource
    stem = name[:-3]
    return any(re.fullmatch(rf"_?{stem}[A-Z]\w*", key) for key in resource)
