"""Merging is bounded by what it compares: nothing that is written can make it take without end."""

from collections.abc import Callable

import pytest

from ccda.hl7v3 import CD
from gateway.exchange.effort import TooMuchToMerge, at_most, spend
from tests.gateway.exchange.records import (
    ASTHMA,
    DIABETES,
    LOINC,
    SNOMED,
    A,
    B,
    Pairs,
    entry,
    holding,
    merged,
)

MANY = 300
"""Statements: compared each with each they take 45,000 steps."""


def day(number: int) -> str:
    return f"{1900 + number // 28 // 12}{1 + number // 28 % 12:02}{1 + number % 28:02}"


def courses() -> Pairs:
    ended = [entry("problem", ASTHMA, start=day(n), end=day(n)) for n in range(MANY)]
    return holding(A, *ended)


def readings() -> Pairs:
    """Of one day and one test, every value another."""
    test = CD("2345-7", LOINC, "Glucose")
    values = [
        entry("result", test, time="20250102", value=str(n), unit="mg/dL") for n in range(MANY)
    ]
    return holding(A, *values)


def denials() -> Pairs:
    said = {"type": {"code": "416098002", "system": SNOMED}}
    held = [entry("allergy", CD(str(n), SNOMED, f"x{n}"), details=said) for n in range(MANY)]
    denied = [
        entry("allergy", None, no_information=True, text="No known allergies", details=said)
        for _ in range(MANY)
    ]
    return [*holding(A, *held), *holding(B, *denied)]


def both_ways() -> Pairs:
    """The same things told as so and as not so, each on a day of its own."""
    told = [
        entry("procedure", DIABETES, time=f"{2025}01{1 + n % 28:02}{n:04}", negated=n % 2 == 0)
        for n in range(MANY)
    ]
    return holding(A, *told)


def translations() -> Pairs:
    more = tuple(CD(str(n), SNOMED, f"x{n}") for n in range(MANY))
    return holding(A, entry("problem", CD("J45", "2.16.840.1.113883.6.90", translations=more)))


@pytest.mark.parametrize("written", [courses, readings, denials, both_ways, translations])
def test_what_would_be_compared_each_with_each_is_too_much(written: Callable[[], Pairs]) -> None:
    with at_most(10_000), pytest.raises(TooMuchToMerge):
        merged(written())
    assert merged(written()).sections  # without a bound it is merged


def test_what_has_nothing_in_common_costs_next_to_nothing() -> None:
    apart = [entry("problem", CD(str(n), SNOMED, f"x{n}"), start=day(n)) for n in range(MANY)]
    with at_most(0):
        summary = merged(holding(A, *apart))
    assert len(summary.section("problem").lines) == MANY


def test_copies_cost_a_step_or_two_each() -> None:
    told = [entry("problem", CD(str(n), SNOMED, f"x{n}"), start=day(n)) for n in range(MANY)]
    with at_most(4 * MANY):
        summary = merged(holding(A, *told), holding(B, *told))
    assert len(summary.section("problem").lines) == MANY


def test_steps_are_spent_once_and_what_is_left_is_told() -> None:
    spend(10**9)  # nobody has set a bound
    with at_most(10) as left:
        spend(4)
        assert left() == 6
        with pytest.raises(TooMuchToMerge):
            spend(7)
        spend(6)
        assert left() == 0
    spend(10**9)
