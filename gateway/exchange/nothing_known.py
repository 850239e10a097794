"""Statements that there is nothing of a kind, and what they would contradict.

An entry that only says that nothing was recorded is silence. One that says "no known food
allergies" is a finding; it stands beside the lines, and against an allergy only within its class.
"""

import re
from typing import Final

from ccda.denials import CLASS_CODES, denied_in_words
from gateway.exchange.statements import Statement

_SAYS_NONE: Final = re.compile(
    r"(patient )?(has )?no ([\w/-]+ ){0,3}?(known|current|active|history)\b|none known|nkd?a\b|"
    r"nkfa\b|nkma\b|(patient )?(denies|reports no)\b|nil known|"
    r"(patient )?(is )?not (currently )?(taking|on|prescribed) (any )?(\w+ )?(medic|meds|drugs)",
    re.IGNORECASE,
)
_WORDS: Final = {"drug": "drug", "food": "food", "environment": "environmental"}
_SNOMED: Final = "2.16.840.1.113883.6.96"
_RXNORM: Final = "2.16.840.1.113883.6.88"

_DRUG_SYSTEMS: Final = frozenset({_RXNORM, "2.16.840.1.113883.6.69", "2.16.840.1.113883.3.26.1.5"})


def is_denial(one: Statement) -> bool:
    """Whether it says that there is none, rather than that nothing is known of it."""
    if one.entry.negated:
        return True
    return any(says_none(text) for text in _texts(one))


def says_none(text: str) -> bool:
    """Whether words say that there is none: NKDA, no known allergies."""
    return _SAYS_NONE.match(text) is not None


def denial_text(one: Statement) -> str:
    """Its own words; where they only name what is denied, with the denial before them."""
    text = next((text.rstrip(".") for text in _texts(one)), "")
    if not text:
        # Where a code alone says it: that no drug is reacted to says nothing of foods.
        named = _WORDS.get(_class(one) or "")
        return f"no known {named} allergies" if named else "none known"
    if says_none(text) or not one.entry.negated:
        return text
    return f"no known {text[0].lower()}{text[1:]}"


def denies(denial: Statement, allergy: Statement) -> bool:
    """Whether a denial covers an allergy that another source held by then."""
    if allergy.entry.negated or denial.voice == allergy.voice:
        return False
    # None was known in 2022 and one in 2023: what is found later contradicts nobody.
    both = min(len(denial.recorded), len(allergy.recorded))
    if denial.recorded[:both] < allergy.recorded[:both]:
        return False
    denied = _denied(denial)
    return denied is not None and (not denied or _class(allergy) in denied)


def _denied(one: Statement) -> frozenset[str] | None:
    """The classes that it denies, none where it denies all; None where that is not clear."""
    named = _class(one)
    if named is not None:
        return frozenset({named})
    is_coded = one.codes or one.details.get("type")
    return frozenset() if is_coded else denied_in_words(denial_text(one))


def _texts(one: Statement) -> list[str]:
    code = one.entry.code
    named = (code.display, code.original_text) if code else ()
    return [text for text in (one.entry.text, *named) if text]


def _class(one: Statement) -> str | None:
    """drug, food or environment; None where no code says it."""
    given = one.details.get("type")
    typed = str(given.get("code")) if isinstance(given, dict) else ""
    codes = {typed} | {code for system, code in one.codes if system == _SNOMED}
    for name, members in CLASS_CODES.items():
        if codes & members:
            return name
    return "drug" if any(system in _DRUG_SYSTEMS for system, _ in one.codes) else None
