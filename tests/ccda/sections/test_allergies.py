from collections.abc import Callable

import pytest

from ccda.hl7v3 import TS
from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]

ALLERGIES = "48765-2"
TO_SUBSTANCE = '<value xsi:type="CD" code="419199007" displayName="Allergy to substance"/>'


def allergen(content: str, type_code: str = "CSM") -> str:
    return (
        f'<participant typeCode="{type_code}"><participantRole><playingEntity>{content}'
        "</playingEntity></participantRole></participant>"
    )


def allergy(content: str, attributes: str = "") -> str:
    return (
        f'<act><statusCode code="active"/><entryRelationship typeCode="SUBJ">'
        f'<observation moodCode="EVN" {attributes}>'
        f'<templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION"/>'
        f"{content}</observation></entryRelationship></act>"
    )


def test_the_code_is_the_allergen(entries_of: EntriesOf) -> None:
    (penicillin,) = entries_of("allergy")
    assert penicillin.code is not None and penicillin.code.code == "7980"
    assert penicillin.details["type"]["code"] == "416098002"
    assert penicillin.status == "active"
    assert penicillin.start == TS(None, "UNK")


def test_reaction_severity_and_criticality_stand_in_the_details(entries_of: EntriesOf) -> None:
    (penicillin,) = entries_of("allergy")
    (reaction,) = penicillin.details["reaction"]
    assert reaction["display"] == "Hives"
    assert reaction["severity"]["display"] == "Moderate"
    assert penicillin.details["criticality"]["code"] == "CRITH"
    assert "severity" not in penicillin.details


def test_an_allergen_may_have_only_a_name(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        ALLERGIES, allergy(TO_SUBSTANCE + allergen('<code nullFlavor="NI"/><name>Bees</name>'))
    )
    assert (entry.text, entry.no_information) == ("Bees", False)


def test_the_consumed_participant_is_the_allergen(read_entries: ReadEntries) -> None:
    other = allergen('<code code="1"/>', "LOC")
    (entry,) = read_entries(ALLERGIES, allergy(other + allergen('<code code="2"/>')))
    assert entry.code is not None and entry.code.code == "2"


@pytest.mark.parametrize(
    "content",
    [
        TO_SUBSTANCE + allergen('<code nullFlavor="NA"/>'),
        TO_SUBSTANCE + allergen('<code code="105590001" displayName="Substance"/>'),
        TO_SUBSTANCE,
    ],
)
def test_no_known_allergies_is_negated_and_a_marker(
    read_entries: ReadEntries, content: str
) -> None:
    (entry,) = read_entries(ALLERGIES, allergy(content, 'negationInd="true"'))
    assert (entry.negated, entry.no_information) == (True, True)


@pytest.mark.parametrize(
    "value",
    [
        '<value xsi:type="CD" code="716186003"/>',
        '<value xsi:type="CD" code="1" displayName="No known drug allergies"/>',
        '<value xsi:type="CD" nullFlavor="NASK"><originalText>NKDA</originalText></value>',
    ],
)
def test_no_known_allergies_without_negation_is_a_marker(
    read_entries: ReadEntries, value: str
) -> None:
    (entry,) = read_entries(ALLERGIES, allergy(value))
    assert (entry.negated, entry.no_information) == (False, True)


def test_not_allergic_to_something_is_a_negated_fact(read_entries: ReadEntries) -> None:
    peanut = allergen('<code code="256349002" displayName="Peanut"/>')
    (entry,) = read_entries(ALLERGIES, allergy(TO_SUBSTANCE + peanut, 'negationInd="true"'))
    assert (entry.negated, entry.no_information) == (True, False)


def test_a_reaction_is_not_an_allergy(read_entries: ReadEntries) -> None:
    reaction = (
        '<entryRelationship typeCode="MFST"><observation><code code="ASSERTION"/>'
        '<value xsi:type="ST">Rash</value></observation></entryRelationship>'
    )
    (entry,) = read_entries(ALLERGIES, allergy(allergen('<code code="2"/>') + reaction))
    assert entry.details["reaction"] == [{"code": None, "system": None, "display": "Rash"}]


def test_nothing_is_assumed_about_an_allergy(read_entries: ReadEntries) -> None:
    bees = allergen('<code code="2"/>')
    (entry,) = read_entries(ALLERGIES, f"<observation>{bees}</observation>")
    assert (entry.status, entry.start, entry.value, entry.details) == (None, None, None, {})


def test_a_reaction_with_two_severities_keeps_both(read_entries: ReadEntries) -> None:
    severity = """<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN">
    <templateId root="2.16.840.1.113883.10.20.22.4.8"/><code code="SEV"/>
    <value xsi:type="CD" code="{}" codeSystem="2.16.840.1.113883.6.96"/></observation>
    </entryRelationship>"""
    (allergy,) = read_entries(
        "48765-2",
        """<observation classCode="OBS" moodCode="EVN">
        <templateId root="2.16.840.1.113883.10.20.22.4.7"/>
        <entryRelationship typeCode="MFST"><observation classCode="OBS" moodCode="EVN">
        <value xsi:type="CD" code="247472004" displayName="Hives"/>"""
        + severity.format("6736007")
        + severity.format("24484000")
        + "</observation></entryRelationship></observation>",
    )
    (reaction,) = allergy.details["reaction"]
    assert reaction["severity"]["code"] == "6736007"
    assert reaction["severity_observation"][0]["value"]["code"] == "24484000"


def reaction(code: str) -> str:
    return (
        '<entryRelationship typeCode="MFST"><observation><code code="ASSERTION"/>'
        f'<value xsi:type="CD" code="{code}"/></observation></entryRelationship>'
    )


SEVERE = (
    '<entryRelationship typeCode="SUBJ"><observation><code code="SEV"/>'
    '<value xsi:type="CD" code="24484000"/></observation></entryRelationship>'
)


def test_of_several_participants_the_named_one_is_the_allergen(read_entries: ReadEntries) -> None:
    unknown, named = allergen('<code nullFlavor="UNK"/>'), allergen('<code code="2"/>')
    (entry,) = read_entries(ALLERGIES, allergy(TO_SUBSTANCE + unknown + named))
    assert entry.code is not None and entry.code.code == "2"
    assert "other_allergens" not in entry.details


def test_no_named_allergen_is_lost(read_entries: ReadEntries) -> None:
    both = allergen('<code code="2"/>') + allergen("<name>Bees</name>")
    (entry,) = read_entries(ALLERGIES, allergy(TO_SUBSTANCE + both))
    assert entry.code is not None and entry.code.code == "2"
    assert [form["display"] for form in entry.details["other_allergens"]] == ["Bees"]


def test_what_stands_beside_the_only_allergy_of_a_concern_tells_of_it(
    read_entries: ReadEntries,
) -> None:
    statement = allergy(allergen('<code code="2"/>'))
    statement = statement.replace("</act>", reaction("247472004") + SEVERE + "</act>")
    (entry,) = read_entries(ALLERGIES, statement)
    assert entry.details["reaction"][0]["code"] == "247472004"
    assert entry.details["severity"]["code"] == "24484000"


def test_what_stands_beside_several_allergies_tells_of_none_of_them(
    read_entries: ReadEntries,
) -> None:
    inside = allergy(allergen('<code code="2"/>')).partition("</act>")[0]
    other = inside[inside.index("<entryRelationship") :].replace('code="2"', 'code="3"')
    found = read_entries(ALLERGIES, f"{inside}{other}{reaction('247472004')}</act>")
    assert [entry.code and entry.code.code for entry in found] == ["2", "3"]
    assert not any("reaction" in entry.details for entry in found)
