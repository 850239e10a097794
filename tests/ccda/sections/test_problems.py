from collections.abc import Callable

import pytest

from ccda.hl7v3 import CD, TS
from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]

PROBLEMS = "11450-4"
ASTHMA = '<value xsi:type="CD" code="195967001" displayName="Asthma"/>'


def observation(content: str, attributes: str = "") -> str:
    return (
        f'<observation classCode="OBS" moodCode="EVN" {attributes}>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="64572001"/>'
        f"{content}</observation>"
    )


def concern(content: str, attributes: str = "", status: str = "active") -> str:
    return (
        f'<act classCode="ACT" moodCode="EVN" {attributes}><statusCode code="{status}"/>'
        f'<entryRelationship typeCode="SUBJ">{content}</entryRelationship></act>'
    )


def status(value: str) -> str:
    return (
        '<entryRelationship typeCode="REFR"><observation><code code="33999-4"/>'
        f"{value}</observation></entryRelationship>"
    )


def test_a_problem_is_its_value_with_words_and_translations(entries_of: EntriesOf) -> None:
    problem = entries_of("problem")[0]
    assert problem.code is not None
    assert (problem.code.code, problem.text) == ("59621000", "Essential hypertension")
    assert [t.code for t in problem.code.translations] == ["I10"]
    assert problem.start == TS("2010")
    assert [author.time for author in problem.authors] == [TS("20110203")]
    assert [str(identifier) for identifier in problem.ids] == ["1.3.6.1.4.1.99999.4^p1"]


def test_the_status_observation_wins_over_the_concern(entries_of: EntriesOf) -> None:
    problem = entries_of("problem")[0]
    assert problem.status == "inactive"
    concern = problem.details["concern"]
    assert (concern["status"], concern["start"]) == ("active", "2011-02-03")
    assert problem.details["clinical_status"]["code"] == "73425007"


def test_without_a_status_observation_the_concern_says_it(read_entries: ReadEntries) -> None:
    completed = observation('<statusCode code="completed"/>' + ASTHMA)
    (problem,) = read_entries(PROBLEMS, concern(completed))
    assert problem.status == "active"


def test_without_a_concern_the_statement_says_it(read_entries: ReadEntries) -> None:
    (problem,) = read_entries(PROBLEMS, observation('<statusCode code="completed"/>' + ASTHMA))
    assert problem.status == "completed"


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ('<value xsi:type="CD" code="413322009"/>', "resolved"),
        ('<value xsi:type="CD" code="1" displayName="Dormant"/>', "dormant"),
        ('<value xsi:type="CE" code="55561003" displayName="Aktiv"/>', "active"),
        ('<value xsi:type="ST">Active</value>', "active"),
    ],
)
def test_a_status_is_one_word(read_entries: ReadEntries, value: str, word: str) -> None:
    (problem,) = read_entries(PROBLEMS, concern(observation(ASTHMA + status(value))))
    assert problem.status == word


def test_each_observation_in_a_concern_is_one_problem(read_entries: ReadEntries) -> None:
    two = concern(
        observation(ASTHMA)
        + '</entryRelationship><entryRelationship typeCode="SUBJ">'
        + observation(ASTHMA.replace("195967001", "38341003"))
    )
    codes = [entry.code and entry.code.code for entry in read_entries(PROBLEMS, two)]
    assert codes == ["195967001", "38341003"]


@pytest.mark.parametrize(
    "qualifier",
    [
        '<templateId root="2.16.840.1.113883.10.20.22.4.5"/><code code="x"/>',
        '<templateId root="2.16.840.1.113883.10.20.1.50"/><code code="x"/>',
        '<code code="33999-4"/>',
        '<code code="SEV"/>',
    ],
)
def test_what_qualifies_a_problem_is_none(read_entries: ReadEntries, qualifier: str) -> None:
    bare = f"<observation>{qualifier}{ASTHMA}</observation>"
    assert read_entries(PROBLEMS, concern(bare)) == ()
    assert len(read_entries(PROBLEMS, concern(observation(ASTHMA + status(ASTHMA))))) == 1


def test_a_template_is_not_needed(read_entries: ReadEntries) -> None:
    (problem,) = read_entries(
        PROBLEMS, f'<observation><code code="64572001"/>{ASTHMA}</observation>'
    )
    assert problem.code is not None and problem.code.display == "Asthma"


@pytest.mark.parametrize("where", ["observation", "concern"])
def test_a_negated_problem_is_negated_and_still_names_it(
    read_entries: ReadEntries, where: str
) -> None:
    negation = 'negationInd="true"'
    written = (
        concern(observation(ASTHMA, negation))
        if where == "observation"
        else concern(observation(ASTHMA), negation)
    )
    (problem,) = read_entries(PROBLEMS, written)
    assert (problem.negated, problem.no_information) == (True, False)


def test_no_known_problems_is_a_marker(read_entries: ReadEntries) -> None:
    value = '<value xsi:type="CD" code="55607006" displayName="Problem"/>'
    (problem,) = read_entries(PROBLEMS, concern(observation(value, 'negationInd="true"')))
    assert (problem.negated, problem.no_information) == (True, True)


@pytest.mark.parametrize(
    ("value", "text", "marker"),
    [
        ('<value xsi:type="CD" nullFlavor="UNK"/>', "", True),
        ('<value xsi:type="CD" nullFlavor="UNK"/>', "Chest pain", False),
        ('<value xsi:type="CD" nullFlavor="UNK"/>', "No known problems", True),
        ('<value xsi:type="CD" nullFlavor="NI"/>', "No data", True),
        ('<value xsi:type="CD" nullFlavor="NI"/>', "Problem entry excluded/not available", True),
        ('<value xsi:type="CD" nullFlavor="NI"/>', "Transport not available", False),
        ('<value xsi:type="CD" code="160245001"/>', "", True),
        ('<value xsi:type="CD" code="1" displayName="Not known"/>', "", True),
        ('<value xsi:type="CD" code="1" displayName="No impairment"/>', "", False),
        ('<value xsi:type="CD" code="1" displayName="Nonspecific colitis"/>', "", False),
        ('<value xsi:type="CD" code="1" displayName="Not known hypertension clinic"/>', "", False),
        ('<value xsi:type="CD" code="1" displayName="Noise-induced hearing loss"/>', "", False),
    ],
)
def test_words_tell_a_marker_from_a_problem(
    read_entries: ReadEntries, value: str, text: str, marker: bool
) -> None:
    pointing = f'<text><reference value="#t"/></text>{value}' if text else value
    (problem,) = read_entries(
        PROBLEMS, observation(pointing), text=f'<content ID="t">{text}</content>'
    )
    assert problem.no_information is marker


@pytest.mark.parametrize(("name", "marker"), [("Disease or disorder", True), ("Gout", False)])
def test_a_denial_in_words_is_a_fact_when_it_names_something(
    read_entries: ReadEntries, name: str, marker: bool
) -> None:
    value = f'<value xsi:type="CD" displayName="{name}"/>'
    (problem,) = read_entries(PROBLEMS, observation(value, 'negationInd="true"'))
    assert (problem.negated, problem.no_information) == (True, marker)


def test_a_statement_that_is_null_says_nothing(read_entries: ReadEntries) -> None:
    (problem,) = read_entries(PROBLEMS, observation("<value/>", 'nullFlavor="NI"'))
    assert problem.no_information


def test_a_translation_alone_is_a_problem(read_entries: ReadEntries) -> None:
    translation = '<translation code="J45" displayName="Asthma"/>'
    value = f'<value xsi:type="CD" nullFlavor="OTH">{translation}</value>'
    (problem,) = read_entries(PROBLEMS, observation(value))
    assert problem.code == CD(None, null_flavor="OTH", translations=(CD("J45", display="Asthma"),))
    assert not problem.no_information


def test_a_problem_in_words_only_has_words_and_no_code(read_entries: ReadEntries) -> None:
    (problem,) = read_entries(PROBLEMS, observation('<value xsi:type="ST">Sore knee</value>'))
    assert problem.code is not None
    assert (problem.code.code, problem.text) == (None, "Sore knee")


def test_an_unknown_end_is_kept_as_unknown(read_entries: ReadEntries) -> None:
    time = '<effectiveTime><low value="2019"/><high nullFlavor="UNK"/></effectiveTime>'
    (problem,) = read_entries(PROBLEMS, observation(time + ASTHMA))
    assert (problem.start, problem.end) == (TS("2019"), TS(None, "UNK"))


def test_of_several_intervals_the_first_that_says_it_counts(read_entries: ReadEntries) -> None:
    times = (
        '<effectiveTime><low nullFlavor="UNK"/></effectiveTime>'
        '<effectiveTime><low value="2019"/></effectiveTime>'
        '<effectiveTime><low value="2020"/></effectiveTime>'
    )
    (problem,) = read_entries(PROBLEMS, observation(times + ASTHMA))
    assert problem.start == TS("2019")


def test_age_and_severity_stand_in_the_details(read_entries: ReadEntries) -> None:
    age = (
        '<entryRelationship typeCode="SUBJ"><observation>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.31"/><code code="445518008"/>'
        '<value xsi:type="PQ" value="57" unit="a"/></observation></entryRelationship>'
        '<entryRelationship typeCode="SUBJ"><observation><code code="SEV"/>'
        '<value xsi:type="CD" code="24484000"/></observation></entryRelationship>'
    )
    (problem,) = read_entries(PROBLEMS, observation(ASTHMA + age))
    assert problem.details["age"] == {"value": "57", "unit": "a"}
    assert problem.details["severity"]["code"] == "24484000"


@pytest.mark.parametrize("section", ["11348-0", "11535-2", "46241-6", "10219-4", "51847-2"])
def test_other_sections_hold_problems_too(read_entries: ReadEntries, section: str) -> None:
    assert [entry.kind for entry in read_entries(section, observation(ASTHMA))] == ["problem"]


def test_a_diagnosis_section_reads_only_problem_observations(read_entries: ReadEntries) -> None:
    assert read_entries("11535-2", f"<observation>{ASTHMA}</observation>") == ()


def test_an_age_may_be_a_range(read_entries: ReadEntries) -> None:
    age = (
        '<entryRelationship typeCode="SUBJ"><observation>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.31"/><code code="445518008"/>'
        '<value xsi:type="IVL_PQ"><low value="50" unit="a"/></value></observation>'
        "</entryRelationship>"
    )
    (problem,) = read_entries(PROBLEMS, observation(ASTHMA + age))
    assert problem.details["age"] == {"low": "50", "unit": "a"}


ICD10 = '<code code="I10" codeSystem="2.16.840.1.113883.6.90" displayName="Hypertension"/>'


@pytest.mark.parametrize("template", ["", '<templateId root="2.16.840.1.113883.10.20.22.4.4"/>'])
@pytest.mark.parametrize("value", ["", '<value xsi:type="CD" nullFlavor="UNK"/>'])
def test_a_condition_may_stand_in_the_code(
    read_entries: ReadEntries, template: str, value: str
) -> None:
    """ICD names conditions; the code of a Problem Observation is else the sort of problem."""
    content = f"<observation>{template}{ICD10}{value}</observation>"
    (problem,) = read_entries(PROBLEMS, concern(content))
    assert problem.code is not None and problem.code.code == "I10"
    assert (problem.no_information, "type" in problem.details) == (False, False)


@pytest.mark.parametrize(
    ("code", "value", "expected"),
    [
        ("38341003", "", "38341003"),
        ("55607006", "", None),
        ("38341003", '<value xsi:type="CD" nullFlavor="UNK"/>', None),
    ],
)
def test_of_snomed_a_code_without_a_value_is_the_condition_unless_it_is_a_sort(
    read_entries: ReadEntries, code: str, value: str, expected: str | None
) -> None:
    """A value that is unknown answers a question, which is then no condition."""
    coded = f'<code code="{code}" codeSystem="2.16.840.1.113883.6.96"/>'
    template = '<templateId root="2.16.840.1.113883.10.20.22.4.4"/>'
    content = f"<observation>{template}{coded}{value}</observation>"
    (problem,) = read_entries(PROBLEMS, concern(content))
    assert (None if problem.code is None else problem.code.code) == expected
    assert problem.no_information is (expected is None)


SNOMED_ASTHMA = '<value xsi:type="CD" code="195967001" codeSystem="2.16.840.1.113883.6.96"/>'


def diagnosis(code: str, value: str = SNOMED_ASTHMA, asked: str = "282291009") -> str:
    return (
        f'<act><code code="{code}"/><entryRelationship typeCode="SUBJ"><observation>'
        f'<code code="{asked}"/>{value}</observation></entryRelationship></act>'
    )


def visit(inside: str) -> str:
    held = f'<entryRelationship typeCode="SUBJ">{inside}</entryRelationship>'
    return f'<encounter><code code="99213" displayName="Visit"/>{held}</encounter>'


@pytest.mark.parametrize(
    ("section", "statement"),
    [("46240-8", visit(diagnosis("29308-4"))), ("11535-2", diagnosis("11535-2"))],
)
def test_a_diagnosis_without_a_template_is_known_by_the_act_that_holds_it(
    read_entries: ReadEntries, section: str, statement: str
) -> None:
    found = read_entries(section, statement)[-1]
    assert (found.kind, found.code and found.code.code) == ("problem", "195967001")


@pytest.mark.parametrize(
    "statement",
    [
        diagnosis("1"),
        diagnosis("29308-4", '<value xsi:type="PQ" value="3"/>'),
        diagnosis("29308-4", asked="33999-4"),
    ],
)
def test_any_other_observation_in_a_visit_is_no_diagnosis(
    read_entries: ReadEntries, statement: str
) -> None:
    assert [entry.kind for entry in read_entries("46240-8", visit(statement))] == ["encounter"]


def test_an_age_is_known_by_its_code(read_entries: ReadEntries) -> None:
    age = (
        '<entryRelationship typeCode="SUBJ"><observation><code code="445518008"/>'
        '<value xsi:type="PQ" value="57" unit="a"/></observation></entryRelationship>'
    )
    (problem,) = read_entries(PROBLEMS, concern(observation(ASTHMA + age)))
    assert problem.details["age"] == {"value": "57", "unit": "a"}


def test_what_another_template_asserts_is_no_diagnosis(read_entries: ReadEntries) -> None:
    """A Smoking Status (4.78) in an assessment has the code of any assertion."""
    smoking = (
        '<observation><templateId root="2.16.840.1.113883.10.20.22.4.78"/>'
        f'<code code="ASSERTION"/>{SNOMED_ASTHMA}</observation>'
    )
    found = read_entries("51848-0", smoking)
    assert [entry.kind for entry in found] == ["social_history"]
