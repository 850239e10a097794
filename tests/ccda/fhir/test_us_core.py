"""Our table of US Core: what a profile requires, and that nothing is claimed without it."""

from typing import Any

import pytest

from ccda.fhir.profiles import PROFILES
from ccda.fhir.us_core import BASE, claim, lacks, profiles_of, unsaid

UCUM = "http://unitsofmeasure.org"
ABSENT = {
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
            "valueCode": "unknown",
        }
    ]
}
ME = {"reference": "urn:uuid:1"}
LOINC = "http://loinc.org"


def coded(code: str, system: str = LOINC) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def measured(unit: str) -> dict[str, Any]:
    return {"value": 1, "unit": unit, "system": UCUM, "code": unit}


def observation(code: str, category: str, **more: Any) -> dict[str, Any]:
    return {
        "status": "final", "category": [coded(category)], "code": coded(code), "subject": ME,
        "effectiveDateTime": "2024-01-01", **more,
    }  # fmt: skip


def vital(code: str, unit: str) -> dict[str, Any]:
    return observation(code, "vital-signs", valueQuantity=measured(unit))


PRESSURE = [
    {"code": coded(code), "valueQuantity": measured("mm[Hg]")} for code in ("8480-6", "8462-4")
]
OXYGEN = {"coding": [{"system": LOINC, "code": code} for code in ("59408-5", "2708-6")]}
ID = [{"system": "urn:oid:2.999", "value": "1"}]
MEETS: dict[str, dict[str, Any]] = {
    "us-core-patient": {"identifier": ID, "name": [{"family": "Roe"}], "gender": "unknown"},
    "us-core-allergyintolerance": {"code": coded("1"), "patient": ME},
    "us-core-careteam": {"subject": ME, "participant": [{"role": [coded("1")], "member": ME}]},
    "us-core-condition-encounter-diagnosis": {
        "category": [coded("encounter-diagnosis")], "code": coded("1"), "subject": ME},
    "us-core-condition-problems-health-concerns": {
        "category": [coded("problem-list-item")], "code": coded("1"), "subject": ME},
    "us-core-coverage": {"status": "active", "beneficiary": ME, "relationship": coded("self"),
                         "payor": [ME], "subscriberId": "1"},
    "us-core-diagnosticreport-lab": {
        "status": "final", "category": [coded("LAB")], "code": coded("1"), "subject": ME,
        "effectiveDateTime": "2024", "issued": "2024-01-01T00:00:00Z"},
    "us-core-documentreference": {
        "status": "current", "type": coded("1"), "category": [coded("clinical-note")],
        "subject": ME, "content": [{"attachment": {"contentType": "text/plain", "data": "QQ=="}}]},
    "us-core-encounter": {"status": "finished", "class": ABSENT, "type": [coded("1")],
                          "subject": ME},
    "us-core-goal": {"lifecycleStatus": "active", "description": coded("1"), "subject": ME},
    "us-core-immunization": {"status": "completed", "vaccineCode": coded("1"), "patient": ME,
                             "_occurrenceDateTime": ABSENT},
    "us-core-implantable-device": {"udiCarrier": [{"deviceIdentifier": "1"}], "type": coded("1"),
                                   "patient": ME},
    "us-core-location": {"name": "Ward"},
    "us-core-medication": {"code": coded("1")},
    "us-core-medicationrequest": {"status": "active", "intent": "plan",
                                  "medicationCodeableConcept": coded("1"), "subject": ME},
    "us-core-observation-lab": observation("1", "laboratory", valueString="x"),
    "us-core-observation-clinical-result": observation("1", "imaging", valueString="x"),
    "us-core-observation-pregnancystatus": observation(
        "82810-3", "social-history", valueCodeableConcept=coded("1")),
    "us-core-observation-pregnancyintent": observation(
        "86645-9", "social-history", valueCodeableConcept=coded("1")),
    "us-core-observation-sexual-orientation": observation(
        "76690-7", "social-history", valueCodeableConcept=coded("1")),
    "us-core-smokingstatus": observation("72166-2", "social-history", valueString="x"),
    "us-core-simple-observation": observation("1", "functional-status"),
    "us-core-vital-signs": observation("1", "vital-signs", valueString="x"),
    "us-core-blood-pressure": observation("85354-9", "vital-signs", component=PRESSURE),
    "us-core-bmi": vital("39156-5", "kg/m2"),
    "us-core-body-height": vital("8302-2", "cm"),
    "us-core-body-temperature": vital("8310-5", "Cel"),
    "us-core-body-weight": vital("29463-7", "kg"),
    "us-core-head-circumference": vital("9843-4", "cm"),
    "us-core-heart-rate": vital("8867-4", "/min"),
    "us-core-respiratory-rate": vital("9279-1", "/min"),
    "us-core-pulse-oximetry": {**vital("2708-6", "%"), "code": OXYGEN},
    "us-core-organization": {"active": True, "name": "Clinic"},
    "us-core-practitioner": {"identifier": ID, "name": [{"family": "Roe"}]},
    "us-core-practitionerrole": {"practitioner": ME,
                                 "telecom": [{"system": "phone", "value": "1"}]},
    "us-core-procedure": {"status": "completed", "code": coded("1"), "subject": ME,
                          "performedDateTime": "2024"},
    "us-core-provenance": {"target": [ME], "recorded": "2024-01-01T00:00:00Z",
                           "agent": [{"type": coded("author"), "who": ME, "onBehalfOf": ME}]},
    "us-core-servicerequest": {"status": "active", "intent": "plan", "code": coded("1"),
                               "subject": ME},
    "us-core-specimen": {"type": coded("1")},
}  # fmt: skip


def whole(name: str) -> dict[str, Any]:
    return {"resourceType": PROFILES[name].type, "id": "1", **MEETS[name]}


@pytest.mark.parametrize("name", PROFILES)
def test_a_resource_with_all_that_is_required_meets_the_profile(name: str) -> None:
    resource = whole(name)
    assert lacks(resource, name) == ()
    assert BASE + name in claim(resource)["meta"]["profile"]


@pytest.mark.parametrize("name", PROFILES)
def test_a_resource_without_a_required_element_does_not(name: str) -> None:
    resource = whole(name)
    for path in PROFILES[name].required:
        first = path.split(".")[0]
        if first.endswith("?"):
            continue
        stem = first.removesuffix("[x]")
        less = {key: part for key, part in resource.items() if not key.lstrip("_").startswith(stem)}
        assert path in lacks(less, name)
        assert BASE + name not in claim(less).get("meta", {}).get("profile", ())


@pytest.mark.parametrize(
    ("name", "change", "rule"),
    [
        ("us-core-patient", {"name": [{"text": "Roe"}]}, "us-core-6"),
        ("us-core-coverage", {"payor": [ME, ME]}, "payor 1..1"),
        ("us-core-medicationrequest", {"intent": "order"}, "us-core-21"),
        ("us-core-observation-lab", {"effectiveDateTime": "2024"}, "us-core-1"),
        ("us-core-vital-signs", {"effectiveDateTime": "2024-01"}, "vs-1"),
        ("us-core-body-weight", {"valueQuantity": {"value": 1, "unit": "stone"}}, "value"),
        ("us-core-blood-pressure", {"component": PRESSURE[:1]}, "components"),
        ("us-core-pulse-oximetry", {"code": coded("2708-6")}, "pulse oximetry"),
        ("us-core-provenance", {"agent": [{"type": coded("author"), "who": ME}]}, "provenance-1"),
    ],
)
def test_an_invariant_that_does_not_hold_is_named(
    name: str, change: dict[str, Any], rule: str
) -> None:
    assert lacks({**whole(name), **change}, name) == (rule,)


def test_a_reason_for_absence_is_as_good_as_the_element_and_its_lack_is_no_fault() -> None:
    resource = whole("us-core-encounter")
    assert lacks(resource, "us-core-encounter") == ()
    assert "period" in unsaid(resource, "us-core-encounter")


def test_a_resource_of_no_profile_claims_none() -> None:
    resource = {"resourceType": "FamilyMemberHistory", "id": "1"}
    assert profiles_of(resource) == ()
    assert claim(resource) == resource
