"""How a condition stands: completed says of an observation that it was made, and no more."""

from collections.abc import Callable
from typing import Any

import pytest

from ccda.condition_status import condition_status
from ccda.fhir import document_bundle
from ccda.model import Entry
from tests.ccda.fhir.conftest import by_type, clinical_document, section

ReadEntries = Callable[..., tuple[Entry, ...]]

PROBLEMS, ALLERGIES, ENCOUNTERS, DISCHARGE = "11450-4", "48765-2", "46240-8", "11535-2"
VALUE = '<value xsi:type="CD" code="195967001" codeSystem="2.16.840.1.113883.6.96"/>'


def observation(status: str = "completed", inside: str = "", template: str = "4") -> str:
    return (
        '<observation classCode="OBS" moodCode="EVN">'
        f'<templateId root="2.16.840.1.113883.10.20.22.4.{template}"/>'
        f'<code code="ASSERTION"/><statusCode code="{status}"/>{VALUE}{inside}</observation>'
    )


def act(code: str, status: str | None, inside: str | None = None) -> str:
    told = "" if status is None else f'<statusCode code="{status}"/>'
    return (
        f'<act classCode="ACT" moodCode="EVN"><code code="{code}"/>{told}'
        f'<entryRelationship typeCode="SUBJ">{inside or observation()}</entryRelationship></act>'
    )


def visit(diagnosis: str) -> str:
    return (
        '<encounter moodCode="EVN"><code code="99213" codeSystem="2.16.840.1.113883.6.12"/>'
        f'<entryRelationship typeCode="SUBJ">{diagnosis}</entryRelationship></encounter>'
    )


def convert(code: str, statement: str) -> dict[str, list[dict[str, Any]]]:
    whole = clinical_document(section(code, statement))
    return by_type(document_bundle(whole, document_id="one"))


@pytest.mark.parametrize(
    ("where", "statement", "expected"),
    [
        (PROBLEMS, act("CONC", "active"), "active"),
        (PROBLEMS, act("CONC", "completed"), "completed"),
        (PROBLEMS, act("CONC", "Active "), "active"),
        (PROBLEMS, observation(), None),
        (PROBLEMS, observation("active"), "active"),
        (ENCOUNTERS, visit(act("29308-4", "completed")), None),
        (ENCOUNTERS, visit(act("29308-4", "active")), "active"),
        (DISCHARGE, act("11535-2", None), None),
        (DISCHARGE, act("11535-2", "completed"), None),
    ],
)
def test_only_a_concern_or_a_status_observation_says_that_it_ended(
    read_entries: ReadEntries, where: str, statement: str, expected: str | None
) -> None:
    assert condition_status(read_entries(where, statement)[-1]) == expected


@pytest.mark.parametrize(
    ("where", "statement"),
    [
        (PROBLEMS, observation()),
        (ENCOUNTERS, visit(act("29308-4", "completed"))),
        (DISCHARGE, act("11535-2", None)),
    ],
)
def test_a_diagnosis_that_was_made_is_not_made_inactive(where: str, statement: str) -> None:
    (condition,) = convert(where, statement)["Condition"]
    assert "clinicalStatus" not in condition


def test_the_statuscode_of_a_diagnosis_is_kept(read_entries: ReadEntries) -> None:
    problem = read_entries(ENCOUNTERS, visit(act("29308-4", "completed")))[-1]
    assert problem.details["concern"] == {"status_code": "completed"}


@pytest.mark.parametrize(
    "statement", [act("CONC", "active", observation("nullified")), act("CONC", "nullified")]
)
def test_what_was_nullified_was_entered_in_error(statement: str) -> None:
    """FHIR R4: con-5, it is in no clinical state then."""
    (condition,) = convert(PROBLEMS, statement)["Condition"]
    assert condition["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in condition


def test_an_allergy_that_was_nullified_was_entered_in_error() -> None:
    """FHIR R4: ait-2."""
    given = act("CONC", "active", observation("nullified", template="7"))
    (allergy,) = convert(ALLERGIES, given)["AllergyIntolerance"]
    assert allergy["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in allergy


def test_a_health_concern_that_is_an_observation_is_not_inactive_for_being_made() -> None:
    (condition,) = convert("75310-3", observation(template="5"))["Condition"]
    assert "clinicalStatus" not in condition
