"""A hand-written bundle of FHIR R4 in which nothing is wrong, and the same with one defect each."""

from collections.abc import Mapping
from typing import Any, Final

Resource = dict[str, Any]


def _is(system: str, code: str, display: str | None = None) -> Resource:
    coding = {"system": system, "code": code}
    return {"coding": [coding if display is None else {**coding, "display": display}]}


def _bundle(*resources: Resource) -> Resource:
    entries = [
        {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource} for resource in resources
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


_HL7: Final = "http://terminology.hl7.org/CodeSystem"
_CLINICAL: Final = f"{_HL7}/condition-clinical"
_SUBJECT: Final = {"reference": "urn:uuid:5f0e0c1e-7a35-4d5f-9a4e-2f8f3f1d0a01"}

_PATIENT: Final[Resource] = {
    "resourceType": "Patient",
    "id": "5f0e0c1e-7a35-4d5f-9a4e-2f8f3f1d0a01",
    "name": [{"family": "Sampleton", "given": ["Rosalind"]}],
    "gender": "female",
    "birthDate": "1958-03-14",
}
_CONDITION: Final[Resource] = {
    "resourceType": "Condition",
    "id": "5f0e0c1e-7a35-4d5f-9a4e-2f8f3f1d0a02",
    "clinicalStatus": _is(_CLINICAL, "active"),
    "verificationStatus": _is(f"{_HL7}/condition-ver-status", "confirmed"),
    "category": [_is(f"{_HL7}/condition-category", "problem-list-item")],
    "code": _is("http://snomed.info/sct", "38341003", "Hypertensive disorder"),
    "subject": _SUBJECT,
    "onsetDateTime": "2010",
}
_OBSERVATION: Final[Resource] = {
    "resourceType": "Observation",
    "id": "5f0e0c1e-7a35-4d5f-9a4e-2f8f3f1d0a03",
    "status": "final",
    "category": [_is(f"{_HL7}/observation-category", "laboratory")],
    "code": _is("http://loinc.org", "718-7", "Hemoglobin [Mass/volume] in Blood"),
    "subject": _SUBJECT,
    "effectiveDateTime": "2020-01-02T03:04:05-06:00",
    "valueQuantity": {
        "value": 13.5,
        "unit": "g/dL",
        "system": "http://unitsofmeasure.org",
        "code": "g/dL",
    },
}
_UNSTATED: Final = {key: value for key, value in _OBSERVATION.items() if key != "status"}
_NOBODY: Final = {"reference": "urn:uuid:5f0e0c1e-7a35-4d5f-9a4e-2f8f3f1d0aff"}
_POUNDS: Final = {"value": 1, "system": "http://unitsofmeasure.org", "code": "lbs"}

VALID: Final = _bundle(_PATIENT, _CONDITION, _OBSERVATION)

# What both must see.
DEFECTS: Final[Mapping[str, Resource]] = {
    "an abated condition that is active": _bundle(
        _PATIENT, {**_CONDITION, "abatementDateTime": "2011"}
    ),
    "an observation without a status": _bundle(_PATIENT, _UNSTATED),
    "a date that no calendar has": _bundle(_PATIENT, {**_CONDITION, "onsetDateTime": "2010-13-45"}),
    "an element that there is not": _bundle(_PATIENT, {**_OBSERVATION, "colour": "blue"}),
    "a clinical status in SNOMED CT": _bundle(
        _PATIENT, {**_CONDITION, "clinicalStatus": _is("http://snomed.info/sct", "55561003")}
    ),
    "a clinical status that HL7 does not know": _bundle(
        _PATIENT, {**_CONDITION, "clinicalStatus": _is(_CLINICAL, "completed")}
    ),
    "a gender as HL7 V3 codes it": _bundle({**_PATIENT, "gender": "F"}),
    "two entries of one address": _bundle(_PATIENT, _PATIENT),
}

# What HAPI FHIR's alone looks at.
DEFECTS_BEYOND_ONE_RESOURCE: Final[Mapping[str, Resource]] = {
    "a subject that the bundle does not hold": _bundle(
        _PATIENT, {**_CONDITION, "subject": _NOBODY}
    ),
    "a subject that is nobody but an observation": _bundle(
        _OBSERVATION, {**_CONDITION, "subject": {"reference": f"urn:uuid:{_OBSERVATION['id']}"}}
    ),
    "a unit that UCUM does not have": _bundle(_PATIENT, {**_OBSERVATION, "valueQuantity": _POUNDS}),
}
