"""When a statement is true: intervals by their bounds or their width, and several times at once."""

from collections.abc import Callable

import pytest

from ccda.hl7v3 import TS
from ccda.model import Entry
from ccda.sections.widths import moved

ReadEntries = Callable[..., tuple[Entry, ...]]
MEDICATIONS, PROBLEMS = "10160-0", "11450-4"


def given(times: str) -> str:
    return f'<substanceAdministration moodCode="EVN">{times}</substanceAdministration>'


def time(inside: str, attributes: str = "") -> str:
    return f"<effectiveTime {attributes}>{inside}</effectiveTime>"


@pytest.mark.parametrize(
    ("written", "amount", "unit", "expected"),
    [
        ("20200101", "7", "d", "20200108"),
        ("20200101", "2", "wk", "20200115"),
        ("20200131", "1", "mo", "20200229"),
        ("20200229", "1", "a", "20210228"),
        ("20201115", "3", "mo", "20210215"),
        ("202001", "1", "mo", "202002"),
        ("2020", "2", "a", "2022"),
        ("2020", "24", "mo", "2022"),
        ("20200101", "48", "h", "20200103"),
        ("202001012300-0500", "90", "min", "202001020030-0500"),
        ("202001012300", "1.5", "h", "202001020030"),
        ("20200101230015.25Z", "1", "h", "20200102000015.25Z"),
        ("2020010123", "2", "h", "2020010201"),
    ],
)
def test_a_width_leads_to_the_other_bound(
    written: str, amount: str, unit: str, expected: str
) -> None:
    assert moved(written, amount, unit) == expected


@pytest.mark.parametrize(
    ("written", "amount", "unit"),
    [
        ("2020", "7", "d"),
        ("202001", "2", "wk"),
        ("2020", "1", "mo"),
        ("20200101", "36", "h"),
        ("20200101", "1.5", "d"),
        ("20200101", "7", "furlong"),
        ("20200101", "7", None),
        ("20200101", None, "d"),
        ("20200101", "many", "d"),
        ("20201301", "1", "d"),
        ("20200101", "1e99", "d"),
        ("20200101", "99999999", "mo"),
        ("soon", "1", "d"),
    ],
)
def test_a_width_that_leads_nowhere_sure_gives_no_bound(
    written: str, amount: str | None, unit: str | None
) -> None:
    """Seven days after some day of a year may be in the next."""
    assert moved(written, amount, unit) is None


def test_an_interval_of_a_beginning_and_a_width_has_an_end(read_entries: ReadEntries) -> None:
    times = time('<low value="20200101"/><width value="7" unit="d"/>', 'xsi:type="IVL_TS"')
    (entry,) = read_entries(MEDICATIONS, given(times))
    assert (entry.start, entry.end) == (TS("20200101"), TS("20200108"))
    assert entry.details["width"] == {"value": "7", "unit": "d"}


def test_an_interval_of_a_width_and_an_end_has_a_beginning(read_entries: ReadEntries) -> None:
    times = time('<width value="1" unit="wk"/><high value="20200108"/>')
    (entry,) = read_entries(MEDICATIONS, given(times))
    assert (entry.start, entry.end) == (TS("20200101"), TS("20200108"))


@pytest.mark.parametrize(
    "inside",
    [
        '<low value="2020"/><width value="7" unit="d"/>',
        '<low value="2020"/><high nullFlavor="UNK"/><width value="7" unit="d"/>',
        '<low nullFlavor="UNK"/><width value="7" unit="d"/>',
        '<width value="7" unit="d"/>',
    ],
)
def test_a_width_that_leads_to_no_bound_is_kept(read_entries: ReadEntries, inside: str) -> None:
    (entry,) = read_entries(MEDICATIONS, given(time(inside)))
    assert entry.end is None or entry.end.value is None
    assert entry.details["width"] == {"value": "7", "unit": "d"}


def test_both_bounds_are_those_of_one_element_and_the_others_are_kept(
    read_entries: ReadEntries,
) -> None:
    """A course that goes on is not ended by the end of another one."""
    first = time('<low value="20200101"/>')
    second = time('<low value="20230201"/><high value="20230210"/>')
    (entry,) = read_entries(MEDICATIONS, given(first + second))
    assert (entry.start, entry.end) == (TS("20200101"), None)
    assert entry.details["other_times"] == [{"start": "2023-02-01", "end": "2023-02-10"}]


def test_what_says_nothing_gives_way_whole(read_entries: ReadEntries) -> None:
    unknown = time('<low nullFlavor="UNK"/><high nullFlavor="NA"/>')
    (entry,) = read_entries(MEDICATIONS, given(unknown + time('<low value="2019"/>')))
    assert (entry.start, entry.end) == (TS("2019"), None)
    assert "other_times" not in entry.details


def test_the_same_time_twice_is_one(read_entries: ReadEntries) -> None:
    once = time('<low value="2019"/>')
    (entry,) = read_entries(MEDICATIONS, given(once + once + 2 * time("", 'value="2020"')))
    assert (entry.start, entry.time) == (TS("2019"), TS("2020"))
    assert "other_times" not in entry.details


def test_a_second_moment_is_kept(read_entries: ReadEntries) -> None:
    times = time("", 'value="20200101"') + time("", 'value="20200102"')
    (entry,) = read_entries(MEDICATIONS, given(times))
    assert entry.time == TS("20200101")
    assert entry.details["other_times"] == [{"time": "2020-01-02"}]


def test_the_width_of_a_phase_is_kept(read_entries: ReadEntries) -> None:
    times = time(
        '<phase><low value="202001010800"/><width value="10" unit="min"/></phase>'
        '<period value="8" unit="h"/>',
        'xsi:type="PIVL_TS"',
    )
    (entry,) = read_entries(MEDICATIONS, given(times))
    (often,) = entry.details["frequency"]
    assert often["phase"]["width"] == {"value": "10", "unit": "min"}


def test_the_width_of_a_value_is_kept(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        "30954-2",
        '<observation><code code="1"/><value xsi:type="IVL_PQ"><low value="1" unit="mg"/>'
        '<width value="5" unit="mg"/></value></observation>',
    )
    assert entry.details["value_width"] == {"value": "5", "unit": "mg"}
