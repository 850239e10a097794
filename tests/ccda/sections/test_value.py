"""A value is what its element says: its own number in its own unit, and nothing beyond."""

from collections.abc import Callable

import pytest

from ccda.hl7v3 import CD
from ccda.model import Entry, Interval

ReadEntries = Callable[..., tuple[Entry, ...]]
RESULTS, PROBLEMS, MEDICATIONS = "30954-2", "11450-4", "10160-0"


def measured(value: str) -> str:
    return f'<observation><code code="2345-7" displayName="Glucose"/>{value}</observation>'


@pytest.mark.parametrize(
    ("value", "number", "unit"),
    [
        ('<value xsi:type="PQ" value="" unit="mg"/>', None, None),
        ('<value xsi:type="PQ" value=" " nullFlavor="UNK"/>', None, None),
        (
            '<value xsi:type="PQ" nullFlavor="OTH"><translation value="5" code="mg/dL"/></value>',
            "5",
            "mg/dL",
        ),
        (
            '<value xsi:type="PQ" nullFlavor="OTH"><translation value="5" unit="g"/></value>',
            "5",
            "g",
        ),
        (
            '<value xsi:type="PQ" nullFlavor="OTH"><translation value="5" nullFlavor="OTH">'
            "<originalText>cells per field</originalText></translation></value>",
            "5",
            "cells per field",
        ),
        ('<value xsi:type="PQ" value="5" unit=" \u2028"/>', "5", None),
        ('<value xsi:type="ST" unit=" ">clear</value>', "clear", None),
        ('<value xsi:type="ST" unit="">clear</value>', "clear", None),
        (
            '<value xsi:type="PQ"><translation value="5" unit="" code="mg/dL"/></value>',
            "5",
            "mg/dL",
        ),
    ],
)
def test_a_quantity_has_its_own_unit_wherever_that_is_written(
    read_entries: ReadEntries, value: str, number: str | None, unit: str | None
) -> None:
    (found,) = read_entries(RESULTS, measured(value))
    assert (found.value, found.unit) == (number, unit)


def test_the_same_in_another_unit_is_kept_beside_it(read_entries: ReadEntries) -> None:
    value = (
        '<value xsi:type="PQ" value="7.2" unit="mg/dL">'
        '<translation value="0.4" code="mmol/L"/></value>'
    )
    (found,) = read_entries(RESULTS, measured(value))
    assert (found.value, found.unit) == ("7.2", "mg/dL")
    assert found.details["value_translations"] == [{"value": "0.4", "unit": "mmol/L"}]


def test_bounds_in_two_units_keep_each_its_own(read_entries: ReadEntries) -> None:
    value = (
        '<value xsi:type="IVL_PQ"><low value="500" unit="mg"/><high value="1" unit="g"/></value>'
    )
    (found,) = read_entries(RESULTS, measured(value))
    assert (found.value, found.unit) == (Interval("500 mg", "1 g"), None)


def test_words_in_the_place_of_a_code_are_what_it_says(read_entries: ReadEntries) -> None:
    (found,) = read_entries(RESULTS, measured('<value xsi:type="CD"> Not  seen </value>'))
    assert found.value == CD(None, original_text="Not seen")
    (problem,) = read_entries(
        PROBLEMS, '<observation><code code="1"/><value xsi:type="CE">Gout</value></observation>'
    )
    assert (problem.text, problem.no_information) == ("Gout", False)


@pytest.mark.parametrize(
    ("dose", "expected"),
    [
        ('<doseQuantity value="" unit="mg"/>', None),
        ('<doseQuantity nullFlavor="UNK"/>', None),
        ("<doseQuantity>2 tablets</doseQuantity>", {"value": "2 tablets"}),
        (
            '<doseQuantity><center value="5" unit="mg"/></doseQuantity>',
            {"value": "5", "unit": "mg"},
        ),
        (
            '<doseQuantity nullFlavor="OTH"><translation value="5" unit="mg"/></doseQuantity>',
            {"value": "5", "unit": "mg"},
        ),
        (
            '<doseQuantity value="1"><translation value="500" code="mg"/></doseQuantity>',
            {"value": "1", "translations": [{"value": "500", "unit": "mg"}]},
        ),
    ],
)
def test_a_dose_is_read_in_each_of_its_spellings(
    read_entries: ReadEntries, dose: str, expected: object
) -> None:
    (found,) = read_entries(
        MEDICATIONS, f"<substanceAdministration>{dose}</substanceAdministration>"
    )
    assert found.details.get("dose") == expected
