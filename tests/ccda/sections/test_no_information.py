"""A marker that nothing is known is never a fact, and a fact is never taken for such a marker."""

from collections.abc import Callable

import pytest

from ccda.hl7v3 import CD
from ccda.model import Entry
from ccda.sections.no_information import says_nothing_is_known

ReadEntries = Callable[..., tuple[Entry, ...]]
ALLERGIES, MEDICATIONS, IMMUNIZATIONS, RESULTS = "48765-2", "10160-0", "11369-6", "30954-2"
FAMILY_HISTORY, COVERAGE, ENCOUNTERS, DEVICES = "10157-6", "48768-6", "46240-8", "46264-8"

NOTHING_KNOWN = """\
N.K.D.A.
NKDA
Patient is not currently taking any medications
Not prescribed any drugs
Denies allergies
Patient denies any known drug allergies
Patient reports no allergies
No past medical history
No family history
Nothing on file
No recent results found
no vaccine administered
No implants
Allergies not on file
Not on file
No meds
Allergies unknown
Unknown allergies
Family history unknown
* No known allergies
No known drug allergies
No known latex allergies
No known allergies (NKA), reviewed 2012-08-06
Patient has no known allergies to medications or foods.
No active problems on file for this patient
No current medications
No known adverse drug reactions
No known conditions
No past surgical history on record
No information available for this section
Nil known""".split("\n")


@pytest.mark.parametrize(
    "sentence",
    NOTHING_KNOWN,
)
def test_a_sentence_that_there_is_none_says_nothing_more(sentence: str) -> None:
    assert says_nothing_is_known(None, sentence, negated=False, null_flavor=None)


NAMED = """\
Unknown drug
Medication unknown
Unknown cause of fever
No family history of diabetes
No blood in stool
Nonsmoker
Not pregnant
Nocturia
Denies chest pain
NA
NIL
Allergic to unknown antibiotic
Device failure
Medication overuse headache
No problems with swallowing
No active bleeding
No current suicidal ideation
No known falls in the last year
No known allergy to penicillin
No known drug allergies. Sulfa gives a rash
No active disease
No kidney problems
No adverse reaction
Food allergy""".split("\n")


@pytest.mark.parametrize(
    "name",
    NAMED,
)
def test_what_names_something_is_a_fact(name: str) -> None:
    """An allergy to an unknown drug is one; NA is sodium, NIL a tube of a tuberculosis test."""
    assert not says_nothing_is_known(None, name, negated=False, null_flavor=None)


@pytest.mark.parametrize("coded", [None, "419199007", "999"])
@pytest.mark.parametrize(
    ("name", "nothing"),
    [("No known problems", True), ("No problems with swallowing", False)],
)
def test_a_denial_of_a_class_says_nothing_with_any_code(
    coded: str | None, name: str, nothing: bool
) -> None:
    code = CD(coded, "2.16.840.1.113883.6.96", name)
    assert says_nothing_is_known(code, name, negated=False, null_flavor=None) is nothing


def test_a_denial_in_words_that_has_a_code_of_its_own_is_a_fact() -> None:
    said = "Patient not taking prescribed medications"
    snomed = "2.16.840.1.113883.6.96"
    for code, is_nothing in ((CD("715036001", snomed), False), (CD("419199007", snomed), True)):
        found = says_nothing_is_known(code, said, negated=False, null_flavor=None)
        assert found is is_nothing


def concern(observation: str, attributes: str = "") -> str:
    return (
        f'<act classCode="ACT" moodCode="EVN" {attributes}><code code="CONC"/>'
        f'<entryRelationship typeCode="SUBJ">{observation}</entryRelationship></act>'
    )


CLASS = '<value xsi:type="CD" code="419199007" codeSystem="2.16.840.1.113883.6.96"/>'


def allergy(content: str, attributes: str = "") -> str:
    return (
        f'<observation classCode="OBS" moodCode="EVN" {attributes}>'
        f'<templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION"/>{content}'
        "</observation>"
    )


@pytest.mark.parametrize(
    "statement",
    [
        concern(allergy(CLASS), 'nullFlavor="NI"'),
        concern(allergy(CLASS, 'nullFlavor="NI"')),
        concern(allergy(f"<text>No known allergies</text>{CLASS}")),
        concern(allergy(CLASS, 'negationInd="true"')),
    ],
)
def test_a_class_of_allergy_that_is_unknown_or_denied_is_no_allergy(
    read_entries: ReadEntries, statement: str
) -> None:
    (found,) = read_entries(ALLERGIES, statement)
    assert found.no_information


def test_a_class_of_allergy_that_its_text_names_is_one(read_entries: ReadEntries) -> None:
    (found,) = read_entries(ALLERGIES, concern(allergy(f"<text>Bee stings</text>{CLASS}")))
    assert (found.text, found.no_information) == ("Bee stings", False)


def test_the_vaccine_of_the_code_for_none_was_not_given(read_entries: ReadEntries) -> None:
    """CVX 998: no vaccine administered."""
    (found,) = read_entries(
        IMMUNIZATIONS,
        '<substanceAdministration moodCode="EVN"><consumable><manufacturedProduct>'
        '<manufacturedMaterial><code code="998" codeSystem="2.16.840.1.113883.12.292"/>'
        "</manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>",
    )
    assert found.no_information


@pytest.mark.parametrize(("attributes", "nothing"), [('nullFlavor="NI"', True), ("", False)])
def test_a_panel_without_information_and_members_is_none(
    read_entries: ReadEntries, attributes: str, nothing: bool
) -> None:
    found = read_entries(
        RESULTS,
        f'<organizer moodCode="EVN" {attributes}><code nullFlavor="NI"/><component>'
        f'<observation moodCode="EVN" {attributes}><code nullFlavor="NI"/></observation>'
        "</component></organizer>",
    )
    assert found[0].no_information is nothing


def test_a_relative_whose_condition_is_unknown_has_no_condition(read_entries: ReadEntries) -> None:
    """The code of a problem's sort is no condition: 64572001 is any disease."""
    (found,) = read_entries(
        FAMILY_HISTORY,
        '<observation moodCode="EVN"><code code="64572001" displayName="Condition"/>'
        '<value xsi:type="CD" nullFlavor="UNK"/></observation>',
    )
    assert found.no_information


POLICY = (
    '<act moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.61"/>'
    '<code nullFlavor="UNK"/><performer><assignedEntity><representedOrganization>'
    "<name>Acme Health</name></representedOrganization></assignedEntity></performer>"
    '<participant typeCode="COV"><participantRole><id root="2.999" extension="M1"/>'
    "</participantRole></participant></act>"
)
VISIT = '<encounter moodCode="EVN"><code nullFlavor="{}"/><effectiveTime value="2020"/></encounter>'
PACEMAKER = (
    '<procedure moodCode="EVN">{}<participant typeCode="DEV"><participantRole>'
    '<id root="2.16.840.1.113883.3.3719" extension="(01)1"/><playingDevice>'
    '<code nullFlavor="UNK"/></playingDevice></participantRole></participant></procedure>'
)
PLACED = '<code code="360030002" displayName="Application of pacemaker"/>'


@pytest.mark.parametrize(
    ("section", "statement", "nothing"),
    [
        (COVERAGE, POLICY, False),
        (ENCOUNTERS, VISIT.format("UNK"), False),
        (ENCOUNTERS, VISIT.format("NI"), True),
        (DEVICES, PACEMAKER.format(""), False),
        ("61146-7", '<observation moodCode="GOL"><value xsi:type="ST">Walk</value></observation>',
         False),
        ("29762-2", '<observation><value xsi:type="ST">Lives alone</value></observation>', False),
    ],
)  # fmt: skip
def test_what_has_no_name_may_say_something_all_the_same(
    read_entries: ReadEntries, section: str, statement: str, nothing: bool
) -> None:
    (found,) = read_entries(section, statement)
    assert found.no_information is nothing


def test_a_device_that_is_not_named_is_known_by_the_procedure_that_placed_it(
    read_entries: ReadEntries,
) -> None:
    (found,) = read_entries(DEVICES, PACEMAKER.format(PLACED))
    assert found.code is not None and found.code.code == "360030002"


ADVANCE_DIRECTIVES, FUNCTIONAL_STATUS = "42348-3", "47420-5"
CODED = '<value xsi:type="CD" code="{}" codeSystem="2.16.840.1.113883.6.96" displayName="{}"/>'


@pytest.mark.parametrize("code", ["", '<code nullFlavor="NI"/>', '<code nullFlavor="NA"/>'])
@pytest.mark.parametrize(
    ("section", "value", "nothing"),
    [
        (ADVANCE_DIRECTIVES, CODED.format("304253006", "Not for resuscitation"), False),
        (RESULTS, CODED.format("115329001", "MRSA isolated"), False),
        (FUNCTIONAL_STATUS, CODED.format("371153006", "Independent"), False),
        (RESULTS, '<value xsi:type="PQ" value="5" unit="mg/dL"/>', False),
        (RESULTS, '<value xsi:type="IVL_PQ"><high value="5" unit="mg/dL"/></value>', False),
        (FUNCTIONAL_STATUS, '<value xsi:type="ST">Walks with a cane</value>', False),
        (RESULTS, '<value xsi:type="ST">No information</value>', True),
        (RESULTS, CODED.format("261665006", "Unknown"), True),
        (RESULTS, '<value xsi:type="CD" nullFlavor="UNK"/>', True),
        (RESULTS, "", True),
    ],
)
def test_an_answer_is_a_fact_even_where_nothing_names_the_question(
    read_entries: ReadEntries, section: str, code: str, value: str, nothing: bool
) -> None:
    (found,) = read_entries(section, f'<observation moodCode="EVN">{code}{value}</observation>')
    assert found.no_information is nothing


def test_words_beside_a_missing_code_do_not_undo_the_answer(read_entries: ReadEntries) -> None:
    (found,) = read_entries(
        ADVANCE_DIRECTIVES,
        '<observation moodCode="EVN"><code nullFlavor="UNK"><originalText>Unknown</originalText>'
        f"</code>{CODED.format('304253006', 'Not for resuscitation')}</observation>",
    )
    assert not found.no_information
