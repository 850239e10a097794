"""Measured values brought to one unit, where that changes nothing but the number.

Three tables: spellings that real documents use for UCUM units, families of units of one quantity,
and, for a few tests by LOINC, the factor between mass and amount of substance. A unit that stands
in no table is only ever compared with itself.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

from ccda.values import quickly_made

# 1,250 is a thousand and more; the comma of 12,9 parts no thousands, and is no number to us.
_GROUPED: Final = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")

# What documents write, lower case and without spaces, for the UCUM code.
_SPELLINGS: Final = {
    "lb": "[lb_av]", "lbs": "[lb_av]", "pound": "[lb_av]", "pounds": "[lb_av]", "lb_av": "[lb_av]",
    "[lb_us]": "[lb_av]", "oz": "[oz_av]", "kilos": "kg", "kgs": "kg", "kilogram": "kg",
    "in": "[in_i]", "inch": "[in_i]", "inches": "[in_i]", "in_i": "[in_i]", "[in_us]": "[in_i]",
    "ft": "[ft_i]", "feet": "[ft_i]", "cms": "cm",
    "f": "[degF]", "degf": "[degF]", "°f": "[degF]", "[degf]": "[degF]",
    "c": "Cel", "cel": "Cel", "degc": "Cel", "°c": "Cel",
    "mmhg": "mm[Hg]", "mm[hg]": "mm[Hg]", "mmhg.": "mm[Hg]",
    "bpm": "/min", "beats/min": "/min", "/min": "/min", "{beats}/min": "/min",
    "breaths/min": "/min", "{breaths}/min": "/min",
    **{unit.lower(): unit for unit in "kg mg mL dL L cm".split()},
    "mg/dl": "mg/dL", "g/dl": "g/dL", "gm/dl": "g/dL", "g/l": "g/L", "ug/dl": "ug/dL",
    "ng/ml": "ng/mL", "pg/ml": "pg/mL", "mcg/ml": "ug/mL", "mcg/dl": "ug/dL", "mg/l": "mg/L",
    "mmol/l": "mmol/L", "umol/l": "umol/L", "meq/l": "meq/L",
    "u/l": "U/L", "iu/l": "U/L", "[iu]/l": "U/L",
    "k/ul": "10*3/uL", "x10e3/ul": "10*3/uL", "10^3/ul": "10*3/uL", "thous/mcl": "10*3/uL",
    "x10^3/ul": "10*3/uL", "10*3/ul": "10*3/uL", "th/ul": "10*3/uL", "k/mcl": "10*3/uL",
    "10*9/l": "10*9/L", "10^9/l": "10*9/L", "x10^9/l": "10*9/L",
    "m/ul": "10*6/uL", "x10e6/ul": "10*6/uL", "10^6/ul": "10*6/uL", "10*6/ul": "10*6/uL",
    "10*12/l": "10*12/L", "cells/mcl": "/uL", "{cells}/ul": "/uL",
    "kg/m²": "kg/m2", "kg/m^2": "kg/m2", "kg/m2": "kg/m2", "percent": "%",
}  # fmt: skip

Factor = tuple[Decimal, Decimal]
"""What to multiply by, then what to add, to reach the family's first unit."""


def _scale(factor: str, offset: str = "0") -> Factor:
    return Decimal(factor), Decimal(offset)


# Each family: UCUM unit to the way into its first. The first is shown for body measures.
_FAMILIES: Final[tuple[dict[str, Factor], ...]] = (
    {"kg": _scale("1"), "g": _scale("0.001"), "[lb_av]": _scale("0.45359237"),
     "[oz_av]": _scale("0.028349523125")},
    {"cm": _scale("1"), "m": _scale("100"), "mm": _scale("0.1"), "[in_i]": _scale("2.54"),
     "[ft_i]": _scale("30.48")},
    {"Cel": _scale("1"), "[degF]": (Decimal(5) / 9, Decimal(-160) / 9)},
    {"mm[Hg]": _scale("1"), "kPa": _scale("7.50061683")},
    {"g/dL": _scale("1"), "g/L": _scale("0.1"), "mg/dL": _scale("0.001"), "mg/L": _scale("0.0001"),
     "mg/mL": _scale("0.1"), "ug/mL": _scale("0.0001"), "ug/dL": _scale("0.000001"),
     "ug/L": _scale("0.0000001"), "ng/mL": _scale("0.0000001"), "ng/dL": _scale("0.000000001"),
     "ng/L": _scale("0.0000000001"), "pg/mL": _scale("0.0000000001")},
    {"mmol/L": _scale("1"), "umol/L": _scale("0.001"), "nmol/L": _scale("0.000001")},
    {"10*3/uL": _scale("1"), "10*9/L": _scale("1"), "/uL": _scale("0.001")},
    {"10*6/uL": _scale("1"), "10*12/L": _scale("1")},
)  # fmt: skip
_SHOWN_IN_FIRST: Final = frozenset({"kg", "cm", "Cel"})

_PLACES: Final = dict.fromkeys(("kg", "cm", "Cel", "[lb_av]", "[in_i]", "[degF]"), 1)

_MASS: Final = _FAMILIES[4]
_AMOUNT: Final = _FAMILIES[5]

# mmol/L to g/dL, from molar masses; only tests whose unit is all that differs.
_MOLAR: Final = {
    **dict.fromkeys(("2345-7", "2339-0", "1558-6", "41653-7", "2340-8"), _scale("0.0180156")),
    **dict.fromkeys(("2093-3", "2085-9", "2089-1", "13457-7", "18262-6"), _scale("0.0386654")),
    "2571-8": _scale("0.0885449"),
    "2160-0": _scale("0.0113118"),
    "3094-0": _scale("0.00280134"),
    "1975-2": _scale("0.0584662"),
    "17861-6": _scale("0.0040078"),
    "3084-1": _scale("0.0168110"),
}
# IFCC mmol/mol to NGSP %: the master equation.
_HBA1C: Final = frozenset({"4548-4", "17856-6", "4549-2"})
_HBA1C_UNITS: Final = {"%": _scale("1"), "mmol/mol": _scale("0.09148", "2.152")}
# One equivalent is one mole for these ions only.
_MONOVALENT: Final = frozenset({"2951-2", "2823-3", "2075-0", "2028-9", "1963-8", "2947-0"})

# Of what drugs are measured in, and of time: the places by which a unit is larger than the least of
# its kind (UCUM: 27, 29). In small letters; for ug some write mcg, and some the Greek letter.
_PLACES_OF_PREFIX: Final = {
    "k": 15, "": 12, "d": 11, "c": 10, "m": 9, "u": 6, "mc": 6, "\u03bc": 6, "n": 3, "p": 0,
}  # fmt: skip
_IN_LEAST: Final[dict[str, tuple[Decimal, str]]] = {
    **{
        prefix + unit: (Decimal(1).scaleb(places), f"p{unit}")
        for unit in ("g", "l", "mol", "eq")
        for prefix, places in _PLACES_OF_PREFIX.items()
    },
    "[iu]": (Decimal(1), "[iu]"), "k[iu]": (Decimal(1000), "[iu]"),
    "min": (Decimal(1), "min"), "h": (Decimal(60), "min"), "d": (Decimal(1440), "min"),
    "wk": (Decimal(10080), "min"),
}  # fmt: skip

# Farther from one than any measurement; decimal arithmetic, which keeps 28 digits, could not
# convert it.
_MOST_PLACES: Final = 15


@quickly_made
@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in a unit. `half_step` is half the last digit written: how far it is uncertain."""

    number: Decimal
    unit: str | None
    half_step: Decimal


def read_quantity(value: object, unit: str | None) -> Quantity | None:
    """The measured value, or None when it is text, a code or a bound."""
    if not isinstance(value, str):
        return None
    written = value.strip()
    if _GROUPED.fullmatch(written):
        written = written.replace(",", "")
    try:
        number = Decimal(written)
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > _MOST_PLACES:
        return None
    exponent = number.as_tuple().exponent
    half_step = _half_step(exponent if isinstance(exponent, int) and exponent < 0 else 0)
    return Quantity(number, ucum(unit), half_step)


@lru_cache(maxsize=64)  # numbers differ, and are written with as many places
def _half_step(exponent: int) -> Decimal:
    return Decimal(1).scaleb(exponent) / 2


def ucum(unit: str | None) -> str | None:
    """The UCUM code for what was written; an unknown unit stays as it is."""
    if unit is None or not unit.strip():
        return None
    text = unit.strip()
    if text == "G/L":  # giga, of cells, as well as grams
        return text
    return _SPELLINGS.get(text.lower().replace(" ", ""), text)


def convert(quantity: Quantity, unit: str | None, loinc: Collection[str] = ()) -> Quantity | None:
    """The same quantity in `unit`, or None where no safe way leads there."""
    if quantity.unit == unit:
        return quantity
    for family in _families(loinc):
        if quantity.unit in family and unit in family:
            factor, offset = family[quantity.unit]
            back, back_offset = family[unit]
            number = (quantity.number * factor + offset - back_offset) / back
            return Quantity(number, unit, quantity.half_step * factor / back)
    return None


def common_unit(quantities: list[Quantity], loinc: Collection[str] = ()) -> str | None:
    """The unit to show all of them in: the one most used; kilograms, centimetres, Celsius."""
    units = [quantity.unit for quantity in quantities if quantity.unit is not None]
    if not units:
        return None
    counted = sorted(set(units), key=lambda unit: (-units.count(unit), _rank(unit, loinc), unit))
    most = counted[0]
    if len(counted) > 1:
        first = next((next(iter(f)) for f in _families(loinc) if most in f), most)
        if first in _SHOWN_IN_FIRST and first in counted:
            return first
    return most


def in_least_unit(number: Decimal, unit: str) -> tuple[Decimal, str] | None:
    """The same in the least unit of its kind, exactly; None for a unit that no other is like."""
    known = _IN_LEAST.get(unit.casefold())
    return None if known is None else (number * known[0], known[1])


def agree(one: Quantity, other: Quantity) -> bool:
    """Whether two quantities in one unit are the same as far as they were written."""
    return abs(one.number - other.number) <= one.half_step + other.half_step


def written(quantity: Quantity) -> str:
    """A converted number without the digits that only the conversion made: three count."""
    places = _PLACES.get(quantity.unit or "", max(0, 2 - quantity.number.adjusted()))
    text = format(quantity.number.quantize(Decimal(1).scaleb(-places)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _families(loinc: Collection[str]) -> list[dict[str, Factor]]:
    """The tables that hold for these tests; what is known of the test itself comes first."""
    found: list[dict[str, Factor]] = []
    for code in sorted(loinc):
        if code in _MOLAR:
            factor = _MOLAR[code][0]
            amounts = {unit: (scale * factor, Decimal(0)) for unit, (scale, _) in _AMOUNT.items()}
            found.append({**_MASS, **amounts})
        if code in _HBA1C:
            found.append(_HBA1C_UNITS)
        if code in _MONOVALENT:
            found.append({"mmol/L": _scale("1"), "meq/L": _scale("1")})
    return [*found, *_FAMILIES]


def _rank(unit: str, loinc: Collection[str]) -> int:
    """Where a unit stands in its family, to settle a tie."""
    return next((list(f).index(unit) for f in _families(loinc) if unit in f), 99)
