"""HL7 times, written from moments."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ccda.hl7v3 import TS
from gateway.exchange.moments import written


@pytest.mark.parametrize(
    ("moment", "time"),
    [
        (datetime(2026, 11, 27, 3, 4, 5, 999_999, UTC), "20261127030405+0000"),
        (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))), "20251231230000+0000"),
        (datetime(926, 1, 2, tzinfo=UTC), "09260102000000+0000"),
    ],
)
def test_a_moment_is_written_to_the_second_in_utc(moment: datetime, time: str) -> None:
    assert written(moment) == TS(time)
