"""Of which allergies somebody says that none is known: any, those to drugs, to foods."""

import re
from collections.abc import Collection
from typing import Final, Literal

AllergyClass = Literal["drug", "food", "environment"]

# What denies the class, or names the class that is denied; the last are those of any substance.
CLASS_CODES: Final[dict[AllergyClass, frozenset[str]]] = {
    "drug": frozenset("416098002 419511003 59037007 409137002".split()),
    "food": frozenset("414285001 418471000 235719002 429625007".split()),
    "environment": frozenset("426232007 232347008 428607008".split()),
}
_OF_ANY: Final = frozenset("419199007 418038007 420134006 716186003 160244002".split())

_WORD: Final = re.compile(r"[^\W\d_]+")
_LONGEST: Final = 200
"""Characters; what is longer is a report, and no such sentence."""
_CLASSES: Final[dict[AllergyClass, frozenset[str]]] = {
    "drug": frozenset(
        "drug drugs medication medications medicine medicines medicinal medicament medicaments "
        "nkda nkma".split()
    ),
    "food": frozenset("food foods nkfa".split()),
    "environment": frozenset("environment environmental".split()),
}
# What says neither that there are some nor to what.
_GENERAL: Final = frozenset(
    "no not none nil nka known current currently active any all or and to of the on in at a an is "
    "are has had have patient pt denies denied reports reported history allergy allergies allergic "
    "allergen allergens intolerance intolerances sensitivity sensitivities hypersensitivity "
    "propensity adverse reaction reactions substance substances disorder finding situation event "
    "file record recorded documented noted listed present stated found other type per by as of "
    "this time today with reviewed verified confirmed chart list family mother father parent "
    "self".split()
)


def denied_by_code(codes: Collection[str]) -> frozenset[AllergyClass] | None:
    """The class, none for those of any substance; None where no code says it."""
    found = (name for name, members in CLASS_CODES.items() if not members.isdisjoint(codes))
    named = frozenset(list(found)[:1])
    return named if named or not _OF_ANY.isdisjoint(codes) else None


def denied_in_words(text: str) -> frozenset[AllergyClass] | None:
    """The classes it names, of which there is none if it speaks of all; None where it may be about
    some thing alone: no known dairy allergies."""
    if len(text) > _LONGEST:
        return None
    words = set(_WORD.findall(text.casefold()))
    named = {name for name, members in _CLASSES.items() if members & words}
    if words - _GENERAL - frozenset().union(*_CLASSES.values()):
        return None
    return frozenset(named)
