"""Statements that there is nothing of a kind, and what they would contradict.

An entry that only says that nothing was recorded is silence. One that says "no known food
allergies" is a finding; it stands beside the lines, and against an allergy only within its class.
"""

import re
from typing import Final

from gateway.exchange.statements import Statement

_SAYS_NONE: Final = re.compile(
    r"(patient )?(has )?no ([\w/-]+ ){0,3}?(known|current|active|history)\b|none known|nkd?a\b|"
    r"nkfa\b|nkma\b|(patient )?(denies|reports no)\b|nil known|"
    r"(patient )?(is )?not (currently )?(taking|on|prescribed) (any )?(\w+ )?(medic|meds|drugs)",
    re.IGNORECASE,
)
_SNOMED: Final = "2.16.840.1.113883.6.96"
_RXNORM: Final = "2.16.840.1.113883.6.88"

# The class of allergy that is denied; these deny drugs only, foods only. All others deny any.
_DRUG: Final = frozenset({"416098002", "419511003", "59037007", "409137002"})
_FOOD: Final = frozenset({"414285001", "418471000", "235719002", "429625007"})
_OTHER: Final = frozenset({"426232007", "232347008", "428607008"})
_DRUG_SYSTEMS: Final = frozenset({_RXNORM, "2.16.840.1.113883.6.69", "2.16.840.1.113883.3.26.1.5"})


def is_denial(one: Statement) -> bool:
    """Whether it says that there is none, rather than that nothing is known of it."""
    if one.entry.negated:
        return True
    return any(_SAYS_NONE.match(text) for text in _texts(one))


def denial_text(one: Statement) -> str:
    """Its own words; where they only name what is denied, with the denial before them."""
    text = next((text.rstrip(".") for text in _texts(one)), "")
    if not text:
        return "none known"
    if _SAYS_NONE.match(text) or not one.entry.negated:
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
    denied = _class(denial)
    return denied is None or denied == _class(allergy)


def _texts(one: Statement) -> list[str]:
    code = one.entry.code
    named = (code.display, code.original_text) if code else ()
    return [text for text in (one.entry.text, *named) if text]


def _class(one: Statement) -> str | None:
    """drug, food or other; None where it is any."""
    given = one.details.get("type")
    typed = str(given.get("code")) if isinstance(given, dict) else ""
    codes = {typed} | {code for system, code in one.codes if system == _SNOMED}
    for name, members in (("drug", _DRUG), ("food", _FOOD), ("other", _OTHER)):
        if codes & members:
            return name
    return "drug" if any(system in _DRUG_SYSTEMS for system, _ in one.codes) else None
