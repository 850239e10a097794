"""The roles in which people ask, as assertions code them (NHIN: SNOMED CT)."""

from typing import Final

from ihe.saml import CodedAttribute

SNOMED: Final = "2.16.840.1.113883.6.96"

_CODES: Final = {
    "administrative healthcare staff": "224608005",
    "administrator": "106331006",
    "case manager": "768832004",
    "doctor": "112247003",
    "medical doctor": "112247003",
    "nurse": "106292003",
    "pharmacist": "46255001",
    "physician": "112247003",
}


def coded_role(stated: str) -> CodedAttribute:
    """The role as it is signed: a SNOMED code where it is one, or a name that we know has one.

    Any other role goes out in its own words, without a code system: a code that nobody stated
    would be a signed untruth.
    """
    code = stated if stated.isdigit() else _CODES.get(stated.casefold().strip())
    if code is None:
        return CodedAttribute(stated, None, None, stated)
    return CodedAttribute(code, SNOMED, "SNOMED_CT", stated)
