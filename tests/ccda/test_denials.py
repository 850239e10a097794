"""What a document says is not so never comes out as so, wherever the denial stands.

negationInd may be that of the statement, of the relationship that holds it, or of the act or
organizer it is a part of (CDA R2: 4.3.6.1, 4.3.8.4).
"""

from collections.abc import Callable
from typing import Any

import pytest

from ccda import parse_document
from ccda.fhir import document_bundle
from ccda.model import ClinicalDocument, Entry
from tests.ccda.fhir.conftest import by_type
from tests.ccda.written import written

ReadEntries = Callable[..., tuple[Entry, ...]]
Convert = Callable[..., dict[str, list[dict[str, Any]]]]

PROBLEMS, ALLERGIES, MEDICATIONS, IMMUNIZATIONS = "11450-4", "48765-2", "10160-0", "11369-6"
RESULTS, VITAL_SIGNS, PROCEDURES, ENCOUNTERS = "30954-2", "8716-3", "47519-4", "46240-8"
SOCIAL_HISTORY, FAMILY_HISTORY, GOALS, CONCERNS = "29762-2", "10157-6", "61146-7", "75310-3"
NOT = 'negationInd="true"'

_DOCUMENT = """<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="2.999.1"/>
<code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/><effectiveTime value="20240301"/>
<recordTarget/><component><structuredBody><component><section>
<code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><text/><entry>{statement}</entry>
</section></component></structuredBody></component></ClinicalDocument>"""


def document(code: str, statement: str) -> bytes:
    return _DOCUMENT.format(code=code, statement=statement).encode()


@pytest.fixture
def convert() -> Convert:
    def resources(code: str, statement: str) -> dict[str, list[dict[str, Any]]]:
        read: ClinicalDocument = parse_document(document(code, statement))
        return by_type(document_bundle(read, document_id="one"))

    return resources


def coded(code: str, name: str = "value") -> str:
    kind = ' xsi:type="CD"' if name == "value" else ""
    return f'<{name}{kind} code="{code}" codeSystem="2.16.840.1.113883.6.96"/>'


def observation(content: str, attributes: str = "", mood: str = "EVN") -> str:
    return f'<observation classCode="OBS" moodCode="{mood}" {attributes}>{content}</observation>'


def held(statement: str, relation: str = "SUBJ", attributes: str = "") -> str:
    return f'<entryRelationship typeCode="{relation}" {attributes}>{statement}</entryRelationship>'


def act(content: str, attributes: str = "") -> str:
    return f'<act classCode="ACT" moodCode="EVN" {attributes}>{content}</act>'


def organizer(content: str, attributes: str = "") -> str:
    return (
        f'<organizer classCode="CLUSTER" moodCode="EVN" {attributes}>'
        f"<component>{content}</component></organizer>"
    )


def administration(content: str = "", product: str = "1191") -> str:
    return (
        '<substanceAdministration classCode="SBADM" moodCode="EVN"><consumable>'
        f"<manufacturedProduct><manufacturedMaterial>{coded(product, 'code')}"
        "</manufacturedMaterial></manufacturedProduct></consumable>"
        f"{content}</substanceAdministration>"
    )


ASTHMA = coded("64572001", "code") + coded("195967001")
GLUCOSE = '<code code="2345-7" codeSystem="2.16.840.1.113883.6.1"/>'
PENICILLIN = (
    f"{coded('419199007')}<participant typeCode='CSM'><participantRole><playingEntity>"
    f"{coded('7980', 'code')}</playingEntity></participantRole></participant>"
)
HIVES = '<templateId root="2.16.840.1.113883.10.20.22.4.9"/>' + coded("247472004")
PNEUMONIA = observation(coded("404684003", "code") + coded("233604007"), NOT)


@pytest.mark.parametrize(
    ("section", "statement"),
    [
        (PROBLEMS, act(held(observation(ASTHMA), "SUBJ", NOT))),
        (PROBLEMS, organizer(act(held(observation(ASTHMA))), NOT)),
        (ALLERGIES, act(held(observation(PENICILLIN), "SUBJ", NOT))),
        (MEDICATIONS, act(held(administration()), NOT)),
        (MEDICATIONS, act(held(administration(), "COMP", NOT))),
        (IMMUNIZATIONS, act(held(administration(), "COMP"), NOT)),
        (FAMILY_HISTORY, organizer(observation(ASTHMA), NOT)),
    ],
)
def test_what_is_part_of_something_denied_is_denied(
    read_entries: ReadEntries, section: str, statement: str
) -> None:
    assert read_entries(section, statement)[-1].negated


@pytest.mark.parametrize("relation", ["CAUS", "RSON", "REFR"])
def test_a_denied_cause_or_reason_may_well_be_so(read_entries: ReadEntries, relation: str) -> None:
    """Not the reason for the visit, but observed: only the relationship does not hold."""
    problem = observation('<templateId root="2.16.840.1.113883.10.20.22.4.4"/>' + ASTHMA)
    visit = f'<encounter moodCode="EVN">{GLUCOSE}{held(problem, relation, NOT)}</encounter>'
    found = read_entries(ENCOUNTERS, visit)[-1]
    assert (found.kind, found.negated) == ("problem", False)


def test_a_related_statement_says_that_its_relationship_is_denied(
    read_entries: ReadEntries,
) -> None:
    (found,) = read_entries(PROBLEMS, observation(ASTHMA + held(act(GLUCOSE), "CAUS", NOT)))
    assert found.details["related"][0]["unrelated"] is True


@pytest.mark.parametrize(
    "reaction",
    [held(observation(HIVES, NOT), "MFST"), held(observation(HIVES), "MFST", NOT)],
)
def test_a_denied_reaction_is_none(
    read_entries: ReadEntries, convert: Convert, reaction: str
) -> None:
    statement = act(held(observation(PENICILLIN + reaction)))
    (allergy,) = read_entries(ALLERGIES, statement)
    assert allergy.details["reaction"][0]["negated"] is True
    assert "reaction" not in convert(ALLERGIES, statement)["AllergyIntolerance"][0]
    given = administration(reaction)
    assert "reaction" not in convert(IMMUNIZATIONS, given)["Immunization"][0]


@pytest.mark.parametrize(
    ("section", "statement", "kind"),
    [
        (MEDICATIONS, administration(held(PNEUMONIA, "RSON")), "MedicationRequest"),
        (
            PROCEDURES,
            f'<procedure moodCode="EVN">{GLUCOSE}{held(PNEUMONIA, "RSON")}</procedure>',
            "Procedure",
        ),
        (
            ENCOUNTERS,
            f'<encounter moodCode="EVN">{GLUCOSE}{held(PNEUMONIA, "RSON")}</encounter>',
            "Encounter",
        ),
    ],
)
def test_a_denied_reason_is_no_reason(
    convert: Convert, section: str, statement: str, kind: str
) -> None:
    (found,) = convert(section, statement)[kind]
    assert "reasonCode" not in found


def test_a_health_concern_refutes_what_it_gathers_as_denied(convert: Convert) -> None:
    concern = act(
        '<code code="75310-3" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/>'
        + held(observation(ASTHMA), "REFR")
        + held(observation(ASTHMA, NOT), "REFR")
    )
    so, not_so = convert(CONCERNS, concern)["Condition"]
    assert so["clinicalStatus"]["coding"][0]["code"] == "active"
    assert not_so["verificationStatus"]["coding"][0]["code"] == "refuted"
    assert "clinicalStatus" not in not_so


def test_a_health_concern_gathers_no_status_and_no_severity(read_entries: ReadEntries) -> None:
    """The status of what is gathered is no condition called Active."""
    status = held(observation('<code code="33999-4"/>' + coded("55561003")), "REFR")
    severe = held(observation('<code code="SEV"/>' + coded("24484000")), "SUBJ")
    concern = act('<code code="75310-3"/>' + held(observation(ASTHMA + status + severe), "REFR"))
    (found,) = read_entries(CONCERNS, concern)
    assert [form["code"] for form in found.details["concerns"]] == ["195967001"]


def test_an_encounter_that_was_not_is_cancelled(convert: Convert) -> None:
    visit = f'<encounter {NOT} moodCode="EVN">{GLUCOSE}<effectiveTime value="2020"/></encounter>'
    (found,) = convert(ENCOUNTERS, visit)["Encounter"]
    assert found["status"] == "cancelled"


def test_what_is_said_to_be_no_goal_is_rejected_and_has_no_target(convert: Convert) -> None:
    content = GLUCOSE + '<statusCode code="active"/><value xsi:type="PQ" value="80" unit="kg"/>'
    (found,) = convert(GOALS, observation(content, NOT, "GOL"))["Goal"]
    assert (found["lifecycleStatus"], found.get("target")) == ("rejected", None)


@pytest.mark.parametrize("section", [RESULTS, VITAL_SIGNS])
def test_a_test_that_was_not_done_has_no_result(convert: Convert, section: str) -> None:
    """False would be read as: negative."""
    (found,) = convert(section, observation(GLUCOSE, NOT))["Observation"]
    assert found["status"] == "cancelled"
    assert found["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
    assert not [name for name in found if name.startswith("value")]


def test_a_denied_quantity_is_shown_nowhere(convert: Convert) -> None:
    temperature = (
        '<code code="8310-5" codeSystem="2.16.840.1.113883.6.1"/>'
        '<value xsi:type="PQ" value="41" unit="F"/>'
    )
    (found,) = convert(VITAL_SIGNS, observation(temperature, NOT))["Observation"]
    assert "41" not in str(found)


def test_a_panel_that_was_not_done_is_cancelled(convert: Convert) -> None:
    panel = organizer(observation(GLUCOSE), NOT)
    found = convert(RESULTS, panel)
    assert found["DiagnosticReport"][0]["status"] == "cancelled"
    assert found["Observation"][0]["status"] == "cancelled"


def test_a_denied_smoking_status_says_what_it_denies(convert: Convert) -> None:
    asked = '<code code="72166-2" codeSystem="2.16.840.1.113883.6.1"/>'
    smoker = '<value xsi:type="CD" code="77176002" displayName="Smoker"/>'
    (found,) = convert(SOCIAL_HISTORY, observation(asked + smoker, NOT))["Observation"]
    assert found["valueString"] == "Not: Smoker"


def test_denials_stay_denied_in_the_document_that_is_made_of_the_summary() -> None:
    allergy = act(held(observation(PENICILLIN + held(observation(HIVES, NOT), "MFST"))))
    drug = administration('<statusCode code="active"/>' + held(PNEUMONIA, "RSON"))
    again = written(
        "one", [("a", document(ALLERGIES, allergy)), ("b", document(MEDICATIONS, drug))]
    )
    read = {
        entry.kind: entry
        for section in again.read.sections
        for entry in section.entries
        if not entry.no_information
    }
    assert read["allergy"].details["reaction"][0]["negated"] is True
    assert read["medication"].details["indication"][0]["negated"] is True
