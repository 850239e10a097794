"""Units: spellings are folded, conversions are exact enough to print, the unknown stays."""

import pytest

from gateway.exchange.units import agree, common_unit, convert, read_quantity, ucum, written


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "loinc", "shown"),
    [
        ("182", "[lb_av]", "kg", (), "82.6"),
        ("3500", "g", "kg", (), "3.5"),
        ("64", "[in_i]", "cm", (), "162.6"),
        ("98.6", "[degF]", "Cel", (), "37"),
        ("37.5", "Cel", "[degF]", (), "99.5"),
        ("128", "g/L", "g/dL", (), "12.8"),
        ("14200", "/uL", "10*3/uL", (), "14.2"),
        ("7.0", "mmol/L", "mg/dL", ("2345-7",), "126"),
        ("5.2", "mmol/L", "mg/dL", ("2093-3",), "201"),
        ("1.7", "mmol/L", "mg/dL", ("2571-8",), "151"),
        ("88", "umol/L", "mg/dL", ("2160-0",), "0.995"),
        ("17", "umol/L", "mg/dL", ("1975-2",), "0.994"),
        ("2.40", "mmol/L", "mg/dL", ("17861-6",), "9.62"),
        ("53", "mmol/mol", "%", ("4548-4",), "7"),
        ("48", "mmol/mol", "%", ("4548-4",), "6.54"),
        ("4.6", "meq/L", "mmol/L", ("2823-3",), "4.6"),
    ],
)
def test_a_known_way_leads_to_the_printed_number(
    value: str, unit: str, wanted: str, loinc: tuple[str, ...], shown: str
) -> None:
    quantity = read_quantity(value, unit)
    assert quantity is not None
    converted = convert(quantity, wanted, loinc)
    assert converted is not None
    assert written(converted) == shown
    back = convert(converted, unit, loinc)
    assert back is not None
    assert agree(back, quantity)


@pytest.mark.parametrize(
    ("unit", "wanted", "loinc"),
    [
        ("mmol/L", "mg/dL", ()),
        ("mmol/L", "mg/dL", ("718-7",)),
        ("meq/L", "mmol/L", ("17861-6",)),
        ("%", "mmol/mol", ("718-7",)),
        ("kg", "cm", ()),
        ("furlong", "cm", ()),
        (None, "kg", ()),
    ],
)
def test_without_a_safe_way_nothing_is_converted(
    unit: str | None, wanted: str, loinc: tuple[str, ...]
) -> None:
    quantity = read_quantity("5", unit)
    assert quantity is not None
    assert convert(quantity, wanted, loinc) is None


@pytest.mark.parametrize(
    ("spelt", "code"),
    [("lbs", "[lb_av]"), ("in", "[in_i]"), ("K/uL", "10*3/uL"), ("x10E3/uL", "10*3/uL"),
     ("THOUS/MCL", "10*3/uL"), ("meq/l", "meq/L"), ("mm Hg", "mm[Hg]"), ("kilos", "kg"),
     ("MG", "mg"), ("KG", "kg"), ("ML", "mL"), ("G/L", "G/L"), ("mM", "mM"),
     ("negative", "negative"), ("", None), (None, None)],
)  # fmt: skip
def test_spellings_of_real_documents_are_known(spelt: str | None, code: str | None) -> None:
    assert ucum(spelt) == code


@pytest.mark.parametrize(
    "value",
    ["", "positive", "<5", "NaN", "Infinity", None, 5, "1e30", "1e999999", "1e-999999", "5" * 5000],
)
def test_what_is_no_number_is_no_quantity(value: object) -> None:
    assert read_quantity(value, "mg/dL") is None


@pytest.mark.parametrize("value", ["12,9", "0,5", "1,25", "1,2500", ",5"])
def test_a_comma_that_parts_no_thousands_makes_no_other_number(value: str) -> None:
    """12,9 is no 129: a laboratory that writes commas for points is shown as it writes."""
    assert read_quantity(value, "g/dL") is None


def test_a_comma_between_thousands_is_none() -> None:
    quantity = read_quantity("1,250.5", "mg/dL")
    assert quantity is not None and str(quantity.number) == "1250.5"


def test_the_unit_most_used_is_shown_and_body_weight_in_kilograms() -> None:
    def read(*units: str) -> list[object]:
        return [read_quantity("1", unit) for unit in units]

    assert common_unit(read("g/L", "g/dL", "g/L")) == "g/L"  # type: ignore[arg-type]
    assert common_unit(read("[lb_av]", "[lb_av]", "kg")) == "kg"  # type: ignore[arg-type]
    assert common_unit(read("[lb_av]", "[lb_av]")) == "[lb_av]"  # type: ignore[arg-type]
    assert common_unit([]) is None
