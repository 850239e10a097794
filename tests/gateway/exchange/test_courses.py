"""How a drug is taken and whether an event was done: apart in one document, in two a conflict."""

from typing import Any

import pytest

from ccda.hl7v3 import CD
from ccda.model import Entry, Kind
from ccda.summary import SummaryLine
from gateway.exchange.courses import dose_words, rhythm_words
from gateway.exchange.summary_text import summary_text
from tests.gateway.exchange.records import (
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
    merged,
    only,
)

NCI = "2.16.840.1.113883.3.26.1.1"
ORAL = {"code": "C38288", "system": NCI, "display": "ORAL"}
VEIN = {"code": "C38276", "system": NCI, "display": "INTRAVENOUS"}


def at(*events: str) -> list[dict[str, Any]]:
    return [{"event": event, "operator": "A"} for event in events]


def every(value: str, unit: str) -> list[dict[str, Any]]:
    return [{"period": {"value": value, "unit": unit}, "operator": "A"}]


def between(low: str, high: str) -> dict[str, Any]:
    return {"low": {"value": low, "unit": "mg"}, "high": {"value": high, "unit": "mg"}}


def taken(**details: Any) -> Entry:
    return entry("medication", LISINOPRIL, start="2020", details=details)


def by_two(one: Entry, other: Entry) -> SummaryLine:
    return only("medication", holding(A, one), holding(B, other))


DOSE = {"value": "1", "unit": "mg"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"frequency": at("ACM")}, {"frequency": at("HS")}),
        ({"frequency": every("24", "h")}, {"frequency": every("6", "h")}),
        ({"route": ORAL}, {"route": VEIN}),
        ({"dose": between("1", "2")}, {"dose": between("5", "10")}),
    ],
)
def test_one_document_that_tells_two_ways_tells_two_courses(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    ways = [taken(**{"dose": DOSE, **way}) for way in (one, other)]
    found = lines("medication", holding(A, *ways), holding(B, ways[1]))
    told = [(line.details, cited(line)) for line in found]
    assert len(told) == 2
    assert (ways[0].details, ["a"]) in told
    assert (ways[1].details, ["a", "b"]) in told


def test_two_ways_of_two_documents_are_one_course_and_a_conflict() -> None:
    said = {
        by_two(taken(frequency=every("24", "h")), taken(frequency=every("6", "h"))).conflict,
        by_two(taken(frequency=at("ACM")), taken(frequency=at("HS"))).conflict,
        by_two(taken(route=ORAL), taken(route=VEIN)).conflict,
        by_two(taken(dose=between("1", "2")), taken(dose=between("5", "10"))).conflict,
    }
    assert said == {
        "sources state different frequencies: B every 6 h (2024-01-01); A daily (2023-01-01)",
        "sources state different frequencies: B at bedtime (2024-01-01); "
        "A before breakfast (2023-01-01)",
        "sources state different routes: B INTRAVENOUS (2024-01-01); A ORAL (2023-01-01)",
        "sources state different doses: B 5–10 mg (2024-01-01); A 1–2 mg (2023-01-01)",
    }


def test_dose_and_route_that_both_differ_are_both_told() -> None:
    line = by_two(taken(dose=DOSE, route=ORAL), taken(dose=between("1", "2"), route=VEIN))
    assert line.conflict is not None
    assert "different doses" in line.conflict
    assert "different routes" in line.conflict


def test_one_way_in_two_spellings_is_no_conflict() -> None:
    same = (
        (taken(frequency=every("24", "h")), taken(frequency=every("1", "d"))),
        (taken(frequency=every("0.5", "d")), taken(frequency=every("12", "h"))),
        (taken(dose={"value": "1.0", "unit": "MG"}), taken(dose=DOSE)),
        (taken(route=ORAL), taken(route={**ORAL, "display": "Oral use"})),
        # By another code system, or by meals instead of the clock: nothing to compare.
        (taken(route=ORAL), taken(route={"code": "26643006", "system": SNOMED})),
        (taken(frequency=at("HS")), taken(frequency=every("24", "h"))),
    )
    assert [by_two(*pair).conflict for pair in same] == [None] * len(same)


def test_a_drug_that_is_no_longer_taken_is_no_party() -> None:
    over = entry("medication", LISINOPRIL, status="completed", details={"route": VEIN})
    line = only(
        "medication",
        holding(A, taken(route=ORAL)),
        holding(B, taken(route=ORAL)),
        holding(C, over),
    )
    assert "routes" not in (line.conflict or "")


def test_a_range_and_a_rhythm_are_printed() -> None:
    course = taken(dose=between("1", "2"), frequency=at("ACM", "HS"))
    text = summary_text(merged(holding(A, course)), member={})
    assert "1–2 mg before breakfast, at bedtime" in text


def test_what_is_no_number_is_told_as_it_is() -> None:
    long = "9" * 400_000
    assert dose_words({"dose": {"low": {"value": "1", "unit": "mg"}}}) == "≥ 1 mg"
    assert dose_words({"dose": {"high": {"value": "2", "unit": "mg"}}}) == "≤ 2 mg"
    assert rhythm_words({"frequency": every("as told", "")}) == "every as told"
    assert rhythm_words({"frequency": at("XYZ")}) == "XYZ"
    assert by_two(taken(dose={"value": long}), taken(dose={"value": "1e999999"})).conflict


# ---- done or not -----------------------------------------------------------------------------

KNEE = CD("609588000", SNOMED, "Total knee replacement")


@pytest.mark.parametrize("kind", ["procedure", "immunization", "encounter"])
def test_done_and_not_done_are_two_in_one_document_and_a_conflict_of_two(kind: Kind) -> None:
    done, not_done = (
        entry(kind, FLU if kind == "immunization" else KNEE, time="20240110", status=status)
        for status in ("completed", "aborted")
    )
    found = lines(kind, holding(A, done, not_done), holding(B, not_done))
    assert {line.status: cited(line) for line in found} == {
        "completed": ["a"],
        "stopped": ["a", "b"],
    }
    line = only(kind, holding(A, done), holding(B, not_done))
    assert line.conflict == (
        "sources disagree: B says stopped (2024-01-01); A says completed (2023-01-01)"
    )


def test_a_procedure_that_went_on_and_was_completed_is_no_conflict() -> None:
    line = only(
        "procedure",
        holding(A, entry("procedure", KNEE, time="20240110", status="active")),
        holding(B, entry("procedure", KNEE, time="20240110", status="completed")),
    )
    assert (line.status, line.conflict) == ("completed", None)


def test_a_visit_that_its_own_organization_cancelled_later_is_no_conflict() -> None:
    later = document("a later", "20230601", partner="a")
    line = only(
        "encounter",
        holding(A, entry("encounter", KNEE, time="20240110", status="completed")),
        holding(later, entry("encounter", KNEE, time="20240110", status="cancelled")),
    )
    assert (line.status, line.conflict) == ("cancelled", None)


def test_of_two_doses_of_a_day_the_lot_tells_which_another_means() -> None:
    first, second = (
        entry("immunization", FLU, time="20240110", details={"lot_number": lot})
        for lot in ("L1", "L2")
    )
    found = lines("immunization", holding(A, first, second), holding(B, second))
    assert {line.details["lot_number"]: cited(line) for line in found} == {
        "L1": ["a"],
        "L2": ["a", "b"],
    }


def test_two_concerns_of_one_document_that_say_nothing_are_not_known_to_be_one() -> None:
    told = CD("75310-3", "2.16.840.1.113883.6.1", "Health Concern")
    found = lines("concern", holding(A, *(entry("concern", told, id_=id_) for id_ in ("1", "2"))))
    assert len(found) == 2


def test_a_dose_that_is_always_taken_is_not_made_one_as_needed() -> None:
    as_needed = taken(dose=DOSE, precondition=[{"display": "pain"}])
    assert by_two(as_needed, taken(dose=DOSE)).details == {"dose": DOSE}


# ---- one dose in two units ---------------------------------------------------------------------


def measured(value: str, unit: str) -> dict[str, Any]:
    return {"dose": {"value": value, "unit": unit}}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("1", "mg"), ("1000", "ug")),
        (("1", "mg"), ("1000", "mcg")),
        (("0.1", "mg"), ("100", "\u00b5g")),
        (("1.50", "g"), ("1500", "mg")),
        (("0.3", "g"), ("300.0", "MG")),
        (("5", "mL"), ("0.005", "L")),
        (("1000", "[IU]"), ("1", "k[IU]")),
        (("20", "meq"), ("0.02", "eq")),
    ],
)
def test_one_dose_in_two_units_is_one_dose(one: tuple[str, str], other: tuple[str, str]) -> None:
    line = by_two(taken(**measured(*one)), taken(**measured(*other)))
    assert line.conflict is None
    assert line.details["dose"] == {"value": other[0], "unit": other[1]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("1", "mg"), ("1001", "ug")),
        (("1", "mg"), ("1", "g")),
        (("1", "mg"), ("1", "mL")),
        (("1", "U"), ("1", "[IU]")),
        (("1", "mg"), ("1", "meq")),
        (("0.30000000000000001", "g"), ("300", "mg")),
    ],
)
def test_two_doses_stay_two_whatever_their_units(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    line = by_two(taken(**measured(*one)), taken(**measured(*other)))
    assert "different doses" in (line.conflict or "")


def test_one_range_of_doses_in_two_units_is_one() -> None:
    small = {"low": {"value": "1000", "unit": "ug"}, "high": {"value": "2000", "unit": "ug"}}
    assert by_two(taken(dose=between("1", "2")), taken(dose=small)).conflict is None
    assert by_two(taken(dose=between("1", "3")), taken(dose=small)).conflict is not None


def test_one_document_that_tells_one_dose_in_two_units_tells_one_course() -> None:
    found = lines(
        "medication", holding(A, taken(**measured("1", "mg")), taken(**measured("1000", "ug")))
    )
    assert len(found) == 1


def test_one_rhythm_in_two_units_is_one() -> None:
    assert (
        by_two(taken(frequency=every("360", "min")), taken(frequency=every("6", "h"))).conflict
        is None
    )
    assert by_two(taken(frequency=every("1", "mo")), taken(frequency=every("30", "d"))).conflict


# ---- what one tells of what another denies -----------------------------------------------------


def test_a_visit_that_was_cancelled_did_not_end_as_another_source_says() -> None:
    died = {"discharge_disposition": {"code": "20", "display": "Expired"}}
    visit = CD("185349003", SNOMED, "Visit")
    took_place = entry("encounter", visit, time="20200101", status="completed", details=died)
    cancelled = entry("encounter", visit, time="20200101", status="cancelled")
    line = only("encounter", holding(A, took_place), holding(B, cancelled))
    assert (line.status, line.details) == ("cancelled", {})
    assert line.conflict is not None


def test_how_another_source_says_that_it_stands_is_no_detail_of_the_line() -> None:
    active = {"clinical_status": {"code": "55561003", "display": "Active"}}
    problem = CD("44054006", SNOMED, "Diabetes")
    line = only(
        "problem",
        holding(A, entry("problem", problem, details=active)),
        holding(B, entry("problem", problem, status="resolved", end="2020")),
    )
    assert (line.status, line.details) == ("resolved", {})
