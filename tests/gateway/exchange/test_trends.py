"""One test over time: one line, one point a measurement, one unit."""

import pytest

from ccda.hl7v3 import CD
from ccda.model import Entry, Kind
from ccda.summary import SummaryLine
from tests.gateway.exchange.records import (
    A1C,
    DIABETES,
    GLUCOSE,
    LOINC,
    SNOMED,
    WEIGHT,
    A,
    B,
    C,
    entry,
    holding,
    lines,
    only,
)

# ---- trends ----------------------------------------------------------------------------------


def measured(code: CD, value: str, unit: str | None, time: str, id_: str | None = None) -> Entry:
    kind: Kind = "vital_sign" if code is WEIGHT else "result"
    return entry(kind, code, value=value, unit=unit, time=time, status="completed", id_=id_)


def points(line: SummaryLine) -> list[tuple[str | None, str | None]]:
    return [(point.value, point.unit) for point in line.trend]


def test_one_test_over_time_is_one_line_in_order() -> None:
    line = only(
        "result",
        holding(B, measured(A1C, "7.1", "%", "20231201"), measured(A1C, "7.9", "%", "20220301")),
        holding(A, measured(A1C, "7.4", "%", "20221101")),
    )
    assert points(line) == [("7.9", "%"), ("7.4", "%"), ("7.1", "%")]
    assert (line.value, line.unit, line.start) == ("7.1", "%", "2023-12-01")


def test_one_result_told_twice_is_one_point() -> None:
    line = only(
        "result",
        holding(A, measured(A1C, "7.6", "%", "202303180915-0500")),
        holding(B, measured(A1C, "7.60", "%", "20230318")),
        holding(C, measured(A1C, "7.6", "%", "202303181415+0000")),
    )
    assert len(line.trend) == 1
    assert {source.document for source in line.trend[0].sources} == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("code", "one", "other", "shown"),
    [
        (A1C, ("7.0", "%"), ("53", "mmol/mol"), "%"),
        (GLUCOSE, ("126", "mg/dL"), ("7.0", "mmol/L"), "mg/dL"),
        (WEIGHT, ("82.6", "kg"), ("182", "[lb_av]"), "kg"),
        (WEIGHT, ("82.6", "kg"), ("182", "lbs"), "kg"),
        (CD("718-7", LOINC), ("12.8", "g/dL"), ("128", "g/L"), "g/dL"),
        (CD("8310-5", LOINC), ("37.0", "Cel"), ("98.6", "[degF]"), "Cel"),
        (CD("8302-2", LOINC), ("163", "cm"), ("64", "[in_i]"), "cm"),
    ],
)
def test_one_result_in_two_units_is_one_point(
    code: CD, one: tuple[str, str], other: tuple[str, str], shown: str
) -> None:
    pairs = [holding(d, measured(code, *m, "20230318")) for d, m in ((A, one), (B, other))]
    line = only("vital_sign" if code is WEIGHT else "result", *pairs)
    assert points(line) == [(one[0], shown)]


def test_a_unit_without_a_safe_way_is_left_as_it_is() -> None:
    line = only(
        "result",
        holding(A, measured(CD("1-1", LOINC), "5", "mmol/L", "20230101")),
        holding(B, measured(CD("1-1", LOINC), "90", "mg/dL", "20240101")),
    )
    assert points(line) == [("5", "mmol/L"), ("90", "mg/dL")]


def test_a_converted_value_keeps_what_was_written() -> None:
    line = only(
        "vital_sign",
        holding(A, measured(WEIGHT, "84.6", "kg", "20230101")),
        holding(B, measured(WEIGHT, "182", "[lb_av]", "20240101")),
    )
    newest = line.trend[-1]
    assert (newest.value, newest.unit) == ("82.6", "kg")
    assert (newest.written_value, newest.written_unit) == ("182", "[lb_av]")


def test_a_final_result_replaces_the_preliminary_one_of_the_same_id() -> None:
    culture = CD("600-7", LOINC, "Blood culture")
    line = only(
        "result",
        holding(A, measured(culture, "No growth (preliminary)", None, "20230206", "R1")),
        holding(B, measured(culture, "No growth (final)", None, "20230206", "R1")),
    )
    assert points(line) == [("No growth (final)", None)]
    assert line.conflict is None


def test_different_values_at_one_moment_are_a_conflict() -> None:
    line = only(
        "result",
        holding(A, measured(A1C, "7.6", "%", "20230318")),
        holding(B, measured(A1C, "9.6", "%", "20230318")),
    )
    assert line.conflict == "at the same time A says 7.6 %, B says 9.6 %"
    assert len(line.trend) == 2


def test_a_panel_that_only_groups_is_no_line_of_its_own() -> None:
    panel = entry("result", A1C, status="completed", details={"panel": True}, path="/*/*[2]")
    member = entry("result", A1C, value="7", unit="%", time="2023", path="/*/*[2]/*[5]", parent=0)
    assert len(only("result", holding(A, panel, member)).sources) == 1
    assert len(lines("result", holding(A, panel))) == 1


def test_a_change_of_smoking_status_is_history_and_no_conflict() -> None:
    def asked(code: str, name: str, time: str) -> Entry:
        question = {"code": "72166-2", "system": LOINC, "display": "Smoking status"}
        return entry(
            "social_history", CD(code, SNOMED, name), time=time, details={"question": question}
        )

    line = only(
        "social_history",
        holding(B, asked("8517006", "Ex-smoker", "2024")),
        holding(A, asked("449868002", "Smokes daily", "2023")),
    )
    assert (line.display, line.conflict) == ("Ex-smoker", None)
    assert [point.value for point in line.trend] == ["Smokes daily", "Ex-smoker"]


def test_a_relatives_disease_names_the_relative() -> None:
    mother = entry(
        "family_history",
        CD("MTH", None, "mother"),
        details={"relative": True},
        path="/*/*[3]",
    )
    disease = entry("family_history", DIABETES, path="/*/*[3]/*[6]", parent=0)
    line = only("family_history", holding(A, mother, disease))
    assert line.details["relative"]["display"] == "mother"
