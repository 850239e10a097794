"""CorrelationTimeToLive as xs:duration: read liberally, and never for longer than it says."""

from datetime import timedelta

import pytest
from lxml import etree

from ihe.correlation import (
    TIME_TO_LIVE,
    read_duration,
    read_time_to_live,
    write_duration,
    write_time_to_live,
)

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    "text, duration",
    [
        ("P7D", 7 * DAY),
        ("P0Y0M7D", 7 * DAY),
        (" P1W ", 7 * DAY),
        ("PT90M", timedelta(minutes=90)),
        ("P1DT12H", timedelta(hours=36)),
        ("PT1.9S", timedelta(seconds=1)),
        ("P1M", 28 * DAY),
        ("P1Y", 365 * DAY),
        ("P9999Y", 9999 * 365 * DAY),
        ("P0D", None),
        ("PT0S", None),
        ("P", None),
        ("-P7D", None),
        ("7", None),
        ("P7", None),
        ("", None),
        (None, None),
        ("P7D; P8D", None),
    ],
)
def test_a_duration_is_what_it_says_at_least(text: str | None, duration: timedelta | None) -> None:
    assert read_duration(text) == duration


@pytest.mark.parametrize("seconds", [1, 59, 3600, 86_400, 7 * 86_400, 90_061])
def test_what_is_written_is_read_back(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert read_duration(write_duration(duration)) == duration


def test_a_header_without_one_grants_nothing() -> None:
    assert read_time_to_live(etree.Element("Header")) is None
    header = etree.fromstring(f"<Header>{write_time_to_live(2 * DAY)}</Header>")
    assert [child.tag for child in header] == [TIME_TO_LIVE]
    assert read_time_to_live(header) == 2 * DAY


def test_nothing_that_has_passed_already_is_granted() -> None:
    with pytest.raises(ValueError, match="at least a second"):
        write_time_to_live(timedelta(0))
