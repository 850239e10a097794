"""Decimals that keep the digits they were written with (FHIR R4: 2.24.0.1, decimal).

JSON as most libraries write it turns 7.20 into 7.2. So a number is an int or a float only where
that prints the very digits of the document; any other is a Decimal, which `fhir_json` writes out.
What no reader would take for a number is none, and stays text.
"""

import re
from decimal import Decimal
from typing import Any, Final

import orjson

from ccda.hl7v3 import NUMBER

Number = int | float | Decimal

_PLAIN: Final = re.compile(r"0|-?[1-9][0-9]{0,14}")
_SHORT: Final = re.compile(r"-?(0|[1-9][0-9]{0,8})\.[0-9]{0,5}[1-9]")


def number(text: str | None) -> Number | None:
    """The number that `text` writes, or None where it is none."""
    if text is None:
        return None
    text = text.strip()
    if _PLAIN.fullmatch(text):
        return int(text)
    if _SHORT.fullmatch(text):
        return float(text)
    return Decimal(text) if NUMBER.fullmatch(text) else None


def whole(text: str | None) -> int | None:
    """The integer that `text` writes; 2.0 is 2, 2.5 is none."""
    found = number(text)
    if found is None:
        return None
    exact = Decimal(found)
    return int(exact) if exact == exact.to_integral_value() and abs(exact) < 2**31 else None


def fhir_json(form: Any) -> bytes:
    """A bundle or a resource as JSON, every number with the digits it was written with."""
    return orjson.dumps(form, default=_digits)


def _digits(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError
