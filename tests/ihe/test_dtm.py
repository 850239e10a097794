"""Times in UTC, whichever way they were written."""

import pytest

from ihe.dtm import first_moment, utc_time


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2025", "2025"),
        ("202503", "202503"),
        ("20250318", "20250318"),
        (" 20250318160500 ", "20250318160500"),
        ("20250318160500.123", "20250318160500"),
        ("20250318160500-0500", "20250318210500"),
        ("20250318160500+01", "20250318150500"),
        ("202503181605+0100", "202503181505"),
        ("2025031819-0500", "2025031900"),
        ("2025031819+0530", "2025031813"),
        ("20250318-0500", "20250318"),
        ("2025-03", "202503"),
        ("2025-03-18", "20250318"),
        ("2025-03-18T16:05", "202503181605"),
        ("2025-03-18T16:05:00Z", "20250318160500"),
        ("2025-03-18T16:05:00.5-05:00", "20250318210500"),
        ("20241231233000-0100", "20250101003000"),
    ],
)
def test_a_time_is_read_in_its_precision(written: str, utc: str) -> None:
    assert utc_time(written) == utc


@pytest.mark.parametrize(
    "written",
    ["", "now", "25", "20251", "20251301", "2025-13-01", "00010101000000+1400",
     "٢٠٢٥", "2025031816050", "99991231235959-0100", "20250318 160500"],
)  # fmt: skip
def test_what_is_no_time_is_none(written: str) -> None:
    assert utc_time(written) is None


def test_the_first_moment_of_a_time_is_to_the_second() -> None:
    assert first_moment("2025") == "20250101000000"
    assert first_moment("202503181605") == "20250318160500"
