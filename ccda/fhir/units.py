"""Which units are UCUM, so that a quantity may carry a code beside the words of its unit.

The grammar of UCUM (unit terms, exponents, annotations) over the atoms that clinical documents
use. Atoms that are also what people write for something else are left out: K is kelvin, but K/uL
means thousands; C, F, ft and t are no degrees, feet or teaspoons.
"""

import re
from typing import Final

from ccda.fhir.remembered import remembered

_METRIC: Final = (
    r"m\[Hg\]|m\[H2O\]|\[iU\]|\[IU\]|\[CFU\]|mol|osm|kat|bar|cal|eq|Pa|Hz|Bq|Gy|Sv|"
    r"m|g|s|L|l|U|J|W|V"
)
_PREFIX: Final = r"(?:da|[khdcmunpfazy])?"
# Mg and ML are what people write for mg and mL, and no dose is measured in megagrams.
_LARGE: Final = r"[YZEPTGM](?:\[iU\]|\[IU\]|\[CFU\]|Pa|Hz|Bq|U|J|W)"
_OTHER: Final = (
    r"10\*|10\^|%|\[(?:lb_av|oz_av|in_i|ft_i|yd_i|mi_i|degF|pH|ppm|ppb|ppth|pptr|drp|tsp_us|tbs_us|"
    r"foz_us|cup_us|pt_us|qt_us|gal_us|HPF|LPF|arb'U|Cal|ELU|EIA'U|GPL'U|MPL'U|APL'U|p'diop|diop|"
    r"USP'U|Ch|pnt|AU|BAU|FFU|PFU|TU|todd'U|ka'U|bdsk'U|knk'U|mclg'U|dye'U|smgy'U|anti'Xa'U)\]|"
    r"Cel|min|h|d|wk|mo|a|deg"
)
_ATOM: Final = rf"(?:{_OTHER}|{_LARGE}|{_PREFIX}(?:{_METRIC}))"
_TERM: Final = rf"(?:{_ATOM}(?:[+-]?\d+)?(?:\{{[!-z|~]*\}})?|\d+(?:\{{[!-z|~]*\}})?|\{{[!-z|~]*\}})"
_UNIT: Final = re.compile(rf"/?{_TERM}(?:[./]{_TERM})*")

# What people write, folded to lower case without spaces, and can only mean one UCUM unit by.
_SPELLINGS: Final = {
    **{unit.lower(): unit for unit in "kg mg mL dL cm mg/dL g/dL g/L mmol/L pg/mL".split()},
    "lb": "[lb_av]", "lbs": "[lb_av]", "pound": "[lb_av]", "pounds": "[lb_av]",
    "oz": "[oz_av]", "kgs": "kg", "kilos": "kg", "in": "[in_i]", "inch": "[in_i]",
    "inches": "[in_i]", "in_i": "[in_i]", "feet": "[ft_i]", "cms": "cm",
    "f": "[degF]", "degf": "[degF]", "°f": "[degF]", "[degf]": "[degF]",
    "degc": "Cel", "°c": "Cel", "c": "Cel", "cel": "Cel", "mmhg": "mm[Hg]", "mm[hg]": "mm[Hg]",
    "bpm": "/min", "beats/min": "/min", "breaths/min": "/min", "percent": "%",
    "kg/m²": "kg/m2", "kg/m^2": "kg/m2", "kg/(m^2)": "kg/m2",
    "mcg": "ug", "mcg/ml": "ug/mL", "mcg/dl": "ug/dL", "gm": "g", "gm/dl": "g/dL",
    "meq/l": "meq/L", "iu": "[iU]", "iu/l": "[iU]/L", "iu/ml": "[iU]/mL", "miu/ml": "m[iU]/mL",
    "uiu/ml": "u[iU]/mL", "k/ul": "10*3/uL", "k/mcl": "10*3/uL", "thous/mcl": "10*3/uL",
    "x10e3/ul": "10*3/uL", "x10^3/ul": "10*3/uL", "m/ul": "10*6/uL", "x10e6/ul": "10*6/uL",
    "x10^6/ul": "10*6/uL", "cells/mcl": "/uL", "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
    "day": "d", "days": "d", "week": "wk", "weeks": "wk", "month": "mo", "months": "mo",
    "year": "a", "years": "a", "yr": "a", "yrs": "a", "minute": "min", "minutes": "min",
}  # fmt: skip
# Giga per litre, of cells, as well as grams.
_SEVERAL: Final = frozenset(("G/L",))


@remembered
def ucum(unit: str) -> str | None:
    """The UCUM code of a unit as written; None where there is none that is sure."""
    text = unit.strip()
    if text in _SEVERAL:
        return None
    known = _SPELLINGS.get(text.lower().replace(" ", ""))
    if known is not None:
        return known
    return text if len(text) <= 60 and _UNIT.fullmatch(text) else None
