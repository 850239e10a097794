"""When a line's fact was: at one moment, or from then on; by whom each is told."""

from dataclasses import replace

import pytest

from ccda.hl7v3 import CD, TS
from ccda.model import Kind
from gateway.exchange.summary_text import summary_text
from tests.gateway.exchange.records import (
    A1C,
    LISINOPRIL,
    SNOMED,
    A,
    B,
    entry,
    holding,
    merged,
    only,
)

APPENDECTOMY = CD("80146002", SNOMED, "Appendectomy")


@pytest.mark.parametrize("kind", ["procedure", "encounter", "functional_status", "plan", "note"])
def test_a_moment_is_no_beginning(kind: Kind) -> None:
    at = only(kind, holding(A, entry(kind, APPENDECTOMY, time="20220110", status="completed")))
    since = only(kind, holding(A, entry(kind, APPENDECTOMY, start="20220110", status="active")))
    assert (at.start, at.end, at.is_moment) == ("2022-01-10", None, True)
    assert (since.start, since.end, since.is_moment) == ("2022-01-10", None, False)


def test_who_speaks_for_the_line_says_whether_it_was_a_moment() -> None:
    done = entry("procedure", APPENDECTOMY, time="20220110", status="completed")
    begun = entry("procedure", APPENDECTOMY, start="20220110", status="active")
    assert only("procedure", holding(A, begun), holding(B, done)).is_moment
    assert not only("procedure", holding(A, done), holding(B, begun)).is_moment


def test_what_another_tells_the_end_of_is_no_moment() -> None:
    told = {"status": "completed", "id_": "1"}
    at = entry("procedure", APPENDECTOMY, time="20220110", **told)  # type: ignore[arg-type]
    lasted = entry("procedure", APPENDECTOMY, start="20220110", end="20220112", **told)  # type: ignore[arg-type]
    line = only("procedure", holding(A, lasted), holding(B, at))
    assert (line.start, line.end, line.is_moment) == ("2022-01-10", "2022-01-12", False)


def test_a_drug_given_once_is_not_printed_as_taken_since() -> None:
    once = merged(holding(A, entry("medication", LISINOPRIL, time="20220110")))
    since = merged(holding(A, entry("medication", LISINOPRIL, start="20220110")))
    assert "since 2022-01-10" not in summary_text(once, member={})
    assert "2022-01-10" in summary_text(once, member={})
    assert "since 2022-01-10" in summary_text(since, member={})


# ---- when, where the statement itself does not tell --------------------------------------------


def test_a_test_that_tells_no_time_was_made_when_its_panel_was() -> None:
    """Or else an older value is shown as the newest."""
    panel = entry("result", None, time="20240110", details={"panel": True}, path="/*/*[1]")
    inside = entry("result", A1C, value="9.1", unit="%", path="/*/*[1]/*[2]", parent=0)
    old = entry("result", A1C, value="6.1", unit="%", time="20200110")
    line = only("result", holding(A, old), holding(B, panel, inside))
    assert [(point.time, point.value) for point in line.trend] == [
        ("2020-01-10", "6.1"), ("2024-01-10", "9.1"),
    ]  # fmt: skip
    assert (line.start, line.value) == ("2024-01-10", "9.1")


def test_a_test_keeps_the_time_that_it_tells_itself() -> None:
    panel = entry("result", None, time="20240110", details={"panel": True}, path="/*/*[1]")
    inside = entry(
        "result", A1C, value="9.1", unit="%", time="20240108", path="/*/*[1]/*[2]", parent=0
    )
    assert only("result", holding(A, panel, inside)).start == "2024-01-08"


def test_a_moment_that_nobody_knows_hides_no_beginning() -> None:
    told = entry("medication", LISINOPRIL, start="20220110")
    line = only("medication", holding(A, replace(told, time=TS(None, "UNK"))))
    assert (line.start, line.is_moment) == ("2022-01-10", False)
