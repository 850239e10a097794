"""Problems as Conditions: how sure they are, whether they go on, and when (con-3, con-4, con-5)."""

from typing import Any

import pytest

from tests.ccda.fhir.conftest import Convert

PROBLEMS = "11450-4"
DIABETES = (
    '<value xsi:type="CD" code="44054006" codeSystem="2.16.840.1.113883.6.96" '
    'displayName="Diabetes"/>'
)


def problem(
    content: str = "", *, times: str = "", concern: str = "active", attributes: str = ""
) -> str:
    return (
        f'<act classCode="ACT" moodCode="EVN"><statusCode code="{concern}"/>'
        f'<entryRelationship typeCode="SUBJ"><observation moodCode="EVN" {attributes}>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="55607006"/>'
        f'<statusCode code="completed"/><effectiveTime>{times}</effectiveTime>{DIABETES}{content}'
        "</observation></entryRelationship></act>"
    )


def status(code: str) -> str:
    return (
        '<entryRelationship typeCode="REFR"><observation><code code="33999-4"/>'
        f'<value xsi:type="CD" code="{code}" codeSystem="2.16.840.1.113883.6.96"/>'
        "</observation></entryRelationship>"
    )


def code_of(concept: Any) -> str | None:
    return None if concept is None else concept["coding"][0]["code"]


@pytest.mark.parametrize(
    ("concern", "inside", "times", "expected"),
    [
        ("active", "", '<low value="2010"/>', "active"),
        ("completed", "", '<low value="2010"/>', "inactive"),
        ("suspended", "", '<low value="2010"/>', "inactive"),
        ("active", status("413322009"), '<low value="2010"/>', "resolved"),
        ("completed", status("55561003"), '<low value="2010"/>', "active"),
        ("active", "", '<low value="2010"/><high value="2012"/>', "inactive"),
        ("active", status("413322009"), '<high value="2012"/>', "resolved"),
        ("active", "", '<low value="2010"/><high nullFlavor="UNK"/>', "inactive"),
        ("active", "", '<low value="2010"/><high nullFlavor="NI"/>', "active"),
    ],
)
def test_the_status_observation_wins_over_the_concern_and_an_end_over_both(
    convert: Convert, concern: str, inside: str, times: str, expected: str
) -> None:
    (condition,) = convert(PROBLEMS, problem(inside, times=times, concern=concern))["Condition"]
    assert code_of(condition["clinicalStatus"]) == expected


def test_an_end_that_is_unknown_is_an_abatement_without_a_time(convert: Convert) -> None:
    times = '<low value="2010"/><high nullFlavor="UNK"/>'
    (condition,) = convert(PROBLEMS, problem(times=times))["Condition"]
    assert condition["_abatementDateTime"]["extension"][0]["valueCode"] == "unknown"
    assert "abatementDateTime" not in condition


def test_a_problem_that_is_not_so_is_refuted_and_has_no_clinical_status(convert: Convert) -> None:
    given = problem(times='<low value="2010"/>', attributes='negationInd="true"')
    (condition,) = convert(PROBLEMS, given)["Condition"]
    assert code_of(condition["verificationStatus"]) == "refuted"
    assert "clinicalStatus" not in condition


def test_nobody_said_that_it_is_confirmed(convert: Convert) -> None:
    (condition,) = convert(PROBLEMS, problem())["Condition"]
    assert "verificationStatus" not in condition


def test_the_status_code_of_the_observation_itself_says_nothing_of_the_problem(
    convert: Convert,
) -> None:
    alone = (
        '<observation moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/>'
        f'<code code="55607006"/><statusCode code="completed"/>{DIABETES}</observation>'
    )
    (condition,) = convert("11348-0", alone)["Condition"]
    assert "clinicalStatus" not in condition


def test_the_recorder_is_the_latest_author_and_the_date_that_of_the_earliest(
    convert: Convert,
) -> None:
    authors = "".join(
        f'<author><time value="{time}"/><assignedAuthor><id root="2.999.9" extension="{name}"/>'
        f"<assignedPerson><name>{name}</name></assignedPerson></assignedAuthor></author>"
        for time, name in (("20200105", "Late"), ("20190101", "Early"))
    )
    found = convert(PROBLEMS, problem(authors))
    (condition,) = found["Condition"]
    assert condition["recordedDate"] == "2019-01-01"
    names = {f"urn:uuid:{one['id']}": one["name"][0]["text"] for one in found["Practitioner"]}
    assert names[condition["recorder"]["reference"]] == "Late"


def test_each_observation_of_a_concern_is_one_condition(convert: Convert) -> None:
    twice = problem().replace("</act>", problem().split('<statusCode code="active"/>')[1])
    assert len(convert(PROBLEMS, twice)["Condition"]) == 2


def test_that_there_are_no_problems_is_no_condition(convert: Convert) -> None:
    none = problem(attributes='negationInd="true"').replace("44054006", "55607006")
    assert "Condition" not in convert(PROBLEMS, none)


@pytest.mark.parametrize(
    ("section", "category"),
    [("11450-4", "problem-list-item"), ("11535-2", "encounter-diagnosis")],
)
def test_the_section_says_which_category(convert: Convert, section: str, category: str) -> None:
    (condition,) = convert(section, problem())["Condition"]
    assert [code_of(one) for one in condition["category"]] == [category]
