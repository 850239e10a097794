"""One id under several things of one document shows nothing; a correction under one id does."""

import pytest

from ccda.hl7v3 import CD
from ccda.model import Entry
from tests.gateway.exchange.records import (
    A1C,
    DIABETES,
    DIABETES_ICD,
    FLU,
    LISINOPRIL,
    SNOMED,
    A,
    B,
    C,
    cited,
    document,
    entry,
    holding,
    lines,
    only,
)

LATER = document("a later", "20230601", partner="a")


def a1c(value: str, time: str, id_: str | None = "sample") -> Entry:
    return entry("result", A1C, value=value, unit="%", time=time, status="completed", id_=id_)


def test_results_of_three_dates_under_one_id_are_three_points() -> None:
    line = only(
        "result",
        holding(A, a1c("7.2", "20220430"), a1c("6.5", "20220725"), a1c("6.5", "20220924")),
    )
    assert [(point.value, point.time) for point in line.trend] == [
        ("7.2", "2022-04-30"),
        ("6.5", "2022-07-25"),
        ("6.5", "2022-09-24"),
    ]


def test_two_values_of_one_day_under_one_id_are_two_points() -> None:
    line = only("result", holding(A, a1c("7.2", "20220430"), a1c("6.5", "20220430")))
    assert {point.value for point in line.trend} == {"7.2", "6.5"}


def test_a_correction_under_the_same_id_moves_a_result_and_changes_it() -> None:
    line = only("result", holding(A, a1c("72", "20220430")), holding(LATER, a1c("7.2", "20220501")))
    assert [point.value for point in line.trend] == ["7.2"]


def test_an_id_that_one_document_reuses_shows_nothing_in_others() -> None:
    line = only(
        "result",
        holding(A, a1c("7.2", "20220430"), a1c("6.5", "20220725")),
        holding(B, a1c("6.1", "20230101")),
        holding(C, a1c("6.0", "20240101")),
    )
    assert len(line.trend) == 4


def test_one_result_twice_in_a_document_keeps_its_id() -> None:
    line = only(
        "result",
        holding(A, a1c("7.2", "20220430"), a1c("7.2", "202204300915")),
        holding(LATER, a1c("7.3", "20220430")),
    )
    assert [point.value for point in line.trend] == ["7.3"]


@pytest.mark.parametrize("kind", ["immunization", "procedure", "encounter"])
def test_events_of_two_days_under_one_id_are_two_lines(kind: str) -> None:
    days = ("20211001", "20221001")
    given = [entry(kind, FLU, time=day, id_="sample") for day in days]  # type: ignore[arg-type]  # a kind
    found = lines(kind, holding(A, *given))  # type: ignore[arg-type]  # a kind
    assert [line.start for line in found] == ["2022-10-01", "2021-10-01"]


def test_an_event_that_a_later_document_moved_is_one() -> None:
    line = only(
        "immunization",
        holding(A, entry("immunization", FLU, time="20211001", id_="7")),
        holding(LATER, entry("immunization", FLU, time="20211008", id_="7")),
    )
    assert cited(line) == ["a", "a later"]


def test_findings_and_doses_under_one_id_stay_apart() -> None:
    asked = CD("75275-8", "2.16.840.1.113883.6.1")
    values = (CD("11163003", SNOMED), CD("61372001", SNOMED))
    said = [entry("mental_status", asked, time="2013", value=v, id_="sample") for v in values]
    assert len(lines("mental_status", holding(A, *said))) == 2
    doses = [{"dose": {"value": value, "unit": "mg"}} for value in ("10", "20")]
    taken = [entry("medication", LISINOPRIL, details=d, id_="sample") for d in doses]
    assert len(lines("medication", holding(A, *taken))) == 2


def test_a_problem_told_with_two_onsets_keeps_its_id() -> None:
    """In the list and under a visit it is one problem, and so is what others code otherwise."""
    line = only(
        "problem",
        holding(
            A,
            entry("problem", DIABETES, start="2014", id_="7"),
            entry("problem", DIABETES, start="2022", id_="7"),
        ),
        holding(LATER, entry("problem", DIABETES_ICD, id_="7")),
    )
    assert cited(line) == ["a", "a", "a later"]
