"""What a measurement's line tells: never what was entered in error, nor a value for its name."""

from typing import Any

import pytest

from ccda.hl7v3 import CD
from ccda.model import Entry, Interval
from ccda.summary import SummaryLine
from tests.gateway.exchange.records import (
    A1C,
    GLUCOSE,
    LOINC,
    SNOMED,
    A,
    B,
    document,
    entry,
    holding,
    only,
)

LATER = document("a later", "20230601", partner="a")


def a1c(value: str | None, time: str, status: str = "completed", **told: Any) -> Entry:
    return entry("result", A1C, value=value, unit="%", time=time, status=status, **told)


def values(line: SummaryLine) -> list[str | None]:
    return [point.value for point in line.trend]


# ---- entered in error ------------------------------------------------------------------------


@pytest.mark.parametrize(("wrong", "right"), [("20240115", "20240101"), ("20240101", "20240115")])
def test_what_was_entered_in_error_is_no_point_and_no_value(wrong: str, right: str) -> None:
    line = only("result", holding(A, a1c("7.2", right), a1c("17.2", wrong, "nullified")))
    assert values(line) == ["7.2"]
    assert (line.value, line.status, line.start) == ("7.2", "completed", f"2024-01-{right[-2:]}")
    assert len(line.sources) == 2


@pytest.mark.parametrize("value", ["17.2", None])
def test_a_later_document_takes_a_result_back_under_its_id(value: str | None) -> None:
    line = only(
        "result",
        holding(A, a1c("17.2", "20240115", id_="1"), a1c("7.2", "20240101", id_="2")),
        holding(LATER, a1c(value, "20240115", "nullified", id_="1")),
    )
    assert (values(line), line.value, line.status) == (["7.2"], "7.2", "completed")


def test_an_organization_takes_back_its_own_word_and_no_other() -> None:
    told = holding(A, a1c("17.2", "20240115"))
    back = holding(LATER, a1c("17.2", "20240115", "nullified"))
    another = holding(B, a1c("17.2", "20240115"))
    assert only("result", told, back).trend == ()
    line = only("result", told, back, another)
    assert [[source.document for source in point.sources] for point in line.trend] == [["b"]]


def test_where_all_was_entered_in_error_the_line_says_so() -> None:
    line = only("result", holding(A, a1c("17.2", "20240115", "nullified")))
    assert (line.status, line.trend) == ("nullified", ())


def test_what_was_taken_back_is_not_told_for_one_without_a_value() -> None:
    line = only(
        "result",
        holding(A, a1c("17.2", "20240115", "nullified"), a1c(None, "20240101", "active")),
    )
    assert (line.value, line.status) == (None, "active")


def test_a_panel_entered_in_error_takes_its_results_along() -> None:
    panel = entry("result", None, status="nullified", details={"panel": True}, path="/*/*[1]")
    inside = a1c("17.2", "20240115", path="/*/*[1]/*[2]", parent=0)
    line = only("result", holding(A, panel, inside))
    assert (line.status, line.trend) == ("nullified", ())


# ---- one source for all that a line says -----------------------------------------------------


def test_status_and_value_of_a_line_are_of_one_statement() -> None:
    line = only(
        "result",
        holding(
            A,
            a1c("7.2", "20240101", details={"interpretation": [{"code": "H"}]}),
            a1c(None, "20240115", "aborted", details={"value_null_flavor": "NI"}),
        ),
    )
    assert (line.value, line.status, line.start) == ("7.2", "completed", "2024-01-01")
    assert "value_null_flavor" not in line.details
    assert [source.entry for source in line.sources] == [0, 1]


def test_the_end_of_one_answer_is_not_the_next_ones() -> None:
    question = {"question": {"code": "72166-2", "system": LOINC, "display": "Smoking"}}
    smoker, former = CD("77176002", SNOMED, "Smoker"), CD("8517006", SNOMED, "Former smoker")
    line = only(
        "social_history",
        holding(
            A,
            entry(
                "social_history",
                smoker,
                start="2005",
                end="2022",
                status="completed",
                details=question,
            ),
            entry("social_history", former, time="20230101", status="completed", details=question),
        ),
    )
    assert (line.display, line.start, line.end) == ("Former smoker", "2023-01-01", None)


def test_a_line_tells_a_value_that_is_still_told() -> None:
    replaced = document("v1", partner="x", set_id="s", version=1)
    newer = document("v2", partner="x", set_id="s", version=2)
    line = only(
        "result",
        holding(replaced, a1c("17.2", "20240115"), a1c("7.2", "20240101")),
        holding(newer, a1c("7.2", "20240101")),
    )
    assert (line.value, line.start, line.withdrawn) == ("7.2", "2024-01-01", False)


# ---- names and bounds ------------------------------------------------------------------------

UNNAMED = CD(GLUCOSE.code, LOINC)


def glucose(code: CD, value: str, time: str, text: str | None = None) -> Entry:
    return entry("result", code, value=value, unit="mg/dL", time=time, text=text)


def test_a_value_is_no_name_of_a_test_that_another_source_names() -> None:
    line = only(
        "result",
        holding(A, glucose(GLUCOSE, "98", "20240101")),
        holding(B, glucose(UNNAMED, "104", "20240201", text="104 mg/dL")),
    )
    assert (line.display, line.value) == ("Glucose", "104")


@pytest.mark.parametrize("text", [None, "104", "104 mg/dL"])
def test_a_test_that_nobody_names_is_called_by_its_code(text: str | None) -> None:
    assert only("result", holding(A, glucose(UNNAMED, "104", "2024", text))).display == "2345-7"


def test_a_coded_answer_is_no_name_either() -> None:
    answer = CD("10828004", SNOMED, "Positive")
    told = entry("result", UNNAMED, value=answer, time="2024", text="Positive")
    assert only("result", holding(A, told)).display == "2345-7"


@pytest.mark.parametrize(
    ("value", "exclusive", "shown"),
    [
        (Interval("60", None), ["low"], "> 60"),
        (Interval("60", None), None, "≥ 60"),
        (Interval(None, "0.01"), ["high"], "< 0.01"),
        (Interval(None, "0.01"), ["low"], "≤ 0.01"),
        (Interval("1", "2"), None, "1–2"),
    ],
)
def test_a_bound_that_is_not_meant_itself_is_told_as_such(
    value: Interval, exclusive: list[str] | None, shown: str
) -> None:
    details = {"exclusive": exclusive} if exclusive else {}
    told = entry("result", A1C, value=value, time="2024", details=details)
    assert only("result", holding(A, told)).value == shown


def test_above_and_at_least_are_two_values() -> None:
    bound = Interval("60", None)
    line = only(
        "result",
        holding(A, entry("result", A1C, value=bound, time="2024")),
        holding(B, entry("result", A1C, value=bound, time="2024", details={"exclusive": ["low"]})),
    )
    assert line.conflict is not None


def test_a_bound_in_another_unit_is_another_value() -> None:
    bounds = [
        entry("result", GLUCOSE, value=Interval("5", None), unit=unit, time="20240101")
        for unit in ("mg/dL", "g/dL")
    ]
    line = only("result", holding(A, bounds[0]), holding(B, bounds[1]))
    assert [(point.value, point.unit) for point in line.trend] == [
        ("≥ 5", "mg/dL"), ("≥ 5", "g/dL"),
    ]  # fmt: skip
    assert "A says ≥ 5 mg/dL" in (line.conflict or "")
