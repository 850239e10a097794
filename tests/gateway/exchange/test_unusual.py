"""What is unusual about access to members, and that what is usual is not told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.exchange.unusual import Unusual, unusual_accesses
from gateway.model.exchange import Exchange, RecordedExchange
from gateway.settings_audit import Usual

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def access(time: datetime, member: str | None = "m", **changes: Any) -> Exchange:
    given = {"person": "Nora", "role": "staff", "outcome": "success", **changes}
    return Exchange(time, "in", "REST-SUMMARY", member=member, **given)  # type: ignore[arg-type]


def found(*exchanges: Exchange, since: datetime = MONDAY, **usual: Any) -> list[Unusual]:
    ordered = sorted(exchanges, key=lambda one: one.time)
    recorded = [RecordedExchange(place, one, "", "") for place, one in enumerate(ordered, 1)]
    return list(unusual_accesses(recorded, since=since, usual=Usual(**usual)))


def kinds(told: list[Unusual]) -> list[tuple[int, str]]:
    return [(one.sequence, one.kind) for one in told]


def test_the_first_time_a_person_sees_a_member_is_told_once() -> None:
    (told,) = found(access(MONDAY), access(MONDAY + DAY))
    assert (told.sequence, told.kind, told.who, told.member) == (1, "first_time", "Nora", "m")
    assert told.why == "the first time in 90 days that this person sees the member"


def test_a_partner_is_told_by_its_own_name_whoever_asks_for_it() -> None:
    seen = access(MONDAY, partner="p")
    (told,) = found(seen, access(MONDAY + DAY, partner="p", person="Nils"))
    assert (told.who, "this partner" in told.why) == ("p", True)


def test_whoever_saw_the_member_before_the_span_is_not_new_until_it_is_long_ago() -> None:
    assert found(access(MONDAY - 89 * DAY), access(MONDAY)) == []
    assert kinds(found(access(MONDAY - 91 * DAY), access(MONDAY))) == [(2, "first_time")]


def test_what_was_refused_what_names_nobody_and_what_we_ask_is_no_access() -> None:
    ours = Exchange(MONDAY, "out", "ITI-55", "success", partner="p", member="m")  # type: ignore[arg-type]
    result = replace(access(MONDAY, partner="p"), transaction="ITI-55-DEFERRED")  # as we asked
    assert found(access(MONDAY, outcome="refused"), access(MONDAY, None), ours, result) == []


def many(day: datetime, number: int) -> list[Exchange]:
    return [access(day + timedelta(seconds=each), f"m{each}") for each in range(number)]


def test_far_more_members_than_usual_are_told_once_a_day() -> None:
    usual_days = [one for days in range(1, 11) for one in many(MONDAY - days * DAY, 3)]
    told = found(*usual_days, *many(MONDAY, 12), members_per_day=5)
    (volume,) = [one for one in told if one.kind == "many_members"]
    assert volume.why == "more than 9 members in one day, against 3.0 on other days"
    assert volume.member is None
    assert volume.sequence == 30 + 10


def test_many_members_a_day_are_usual_for_whoever_sees_as_many_every_day() -> None:
    usual_days = [one for days in range(1, 11) for one in many(MONDAY - days * DAY, 12)]
    assert found(*usual_days, *many(MONDAY, 12), members_per_day=5) == []


def test_a_newcomer_is_held_to_the_number_alone() -> None:
    told = [one for one in found(*many(MONDAY, 7), members_per_day=5) if one.kind != "first_time"]
    assert [one.why for one in told] == [
        "more than 5 members in one day, against none on any day before"
    ]


def a_list(time: datetime, number: int, **changes: Any) -> Exchange:
    listed = access(time, None, reason=f"{number} members", **changes)
    return replace(listed, transaction="REST-MEMBERS")


def test_a_list_counts_as_all_whom_it_shows() -> None:
    (told,) = found(a_list(MONDAY, 3), a_list(MONDAY, 4), members_per_day=5)
    assert (told.sequence, told.kind, told.member) == (2, "many_members", None)
    assert told.why == "more than 6 members in one day, against none on any day before"
    mixed = found(*many(MONDAY, 3), a_list(MONDAY + DAY / 4, 3), members_per_day=5)
    assert kinds(mixed)[-1] == (4, "many_members")


def test_long_lists_are_usual_for_whoever_reads_them_every_day() -> None:
    usual_days = [a_list(MONDAY - days * DAY, 100) for days in range(1, 11)]
    assert found(*usual_days, a_list(MONDAY, 120)) == []


def test_a_list_of_nobody_and_words_of_another_record_are_no_list_of_members() -> None:
    words = replace(a_list(MONDAY, 100), transaction="REST-SEND")
    assert found(a_list(MONDAY, 0), words) == []


def test_a_list_at_night_is_a_look_at_night() -> None:
    (told,) = found(a_list(MONDAY + timedelta(hours=11), 2))
    assert told.kind == "odd_hours"


def test_a_person_at_night_is_told_and_a_machine_is_not() -> None:
    night = MONDAY.replace(hour=3)
    seen = access(MONDAY - DAY), access(MONDAY - DAY, role="system", person="feed")
    told = found(*seen, access(night), access(night, role="system", person="feed"),
                 since=night)  # fmt: skip
    (one,) = told
    assert (one.kind, one.who, one.why) == (
        "odd_hours", "Nora", "at 03:00, outside 6:00 to 22:00 UTC",
    )  # fmt: skip
    chicago = found(*seen, access(night), since=night, zone="America/Chicago")
    assert chicago == [], "there it is nine in the evening"


def test_a_zone_that_is_none_is_refused_by_the_settings() -> None:
    with pytest.raises(ValidationError, match="no time zone"):
        Usual(zone="Nowhere/At_All")
    with pytest.raises(ValidationError, match="no time zone"):
        Usual(zone="../etc/passwd")
