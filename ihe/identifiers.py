"""The identifiers of ITI messages, checked when made (ITI TF-3: 4.2.3, RFC 3061, HL7 V2 CX)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_OID: Final = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
_URN: Final = re.compile(r"urn:(uuid|oid):", re.IGNORECASE)
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_USUAL: Final = 200
"""Characters of what is kept; whoever writes to us must not be able to fill the memory."""
_CX: Final = re.compile(r"([^^]+)\^[^^]*\^[^^]*\^[^&^]*&([^&^]+)&ISO(?:\^.*)?")
# HL7 V2 escapes for its own delimiters (HL7 V2.5: 2.7.1).
_ESCAPES: Final = {"|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\\": "\\E\\"}
_ESCAPING: Final = str.maketrans(_ESCAPES)
_ESCAPED: Final = re.compile(r"\\[FSTRE]\\")
_MEANINGS: Final = {escape: character for character, escape in _ESCAPES.items()}


@dataclass(frozen=True, slots=True)
class Oid:
    """An ISO object identifier, bare: `2.999.1`."""

    value: str

    def __post_init__(self) -> None:
        if not _OID.fullmatch(self.value) or len(self.value) > 128:
            raise ValueError("not an object identifier")

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class HomeCommunityId:
    """A community's OID. On the wire of XCA and SAML it is a URN, in ITI-55 it is bare."""

    oid: Oid

    @classmethod
    def parse(cls, text: str) -> "HomeCommunityId":
        """From either form, quotes and case of the prefix aside.

        Raises:
            ValueError: neither a bare OID nor `urn:oid:` and one.
        """
        return _known_community(text) if len(text) <= _USUAL else _community(text)

    @property
    def urn(self) -> str:
        return f"urn:oid:{self.oid}"

    def __str__(self) -> str:
        return self.oid.value


def _community(text: str) -> HomeCommunityId:
    bare = text.strip().strip("'")
    return HomeCommunityId(Oid(bare[8:] if bare[:8].lower() == "urn:oid:" else bare))


_known_community = lru_cache(1024)(_community)


@dataclass(frozen=True, slots=True)
class PatientId:
    """A patient's id within its assigning authority (CX)."""

    id: str
    authority: Oid

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("a patient id is not empty")

    @classmethod
    def parse(cls, text: str) -> "PatientId":
        """From `id^^^&root&ISO`, quoted or not.

        Raises:
            ValueError: not a CX with an ISO assigning authority.
        """
        bare = text.strip()
        if bare[:1] == bare[-1:] == "'":
            bare = bare[1:-1].replace("''", "'")
        match = _CX.fullmatch(bare)
        if match is None:
            raise ValueError("not a patient id of the form id^^^&oid&ISO")
        identifier = _ESCAPED.sub(lambda found: _MEANINGS[found.group()], match.group(1))
        return cls(identifier, Oid(match.group(2)))

    @property
    def cx(self) -> str:
        """`id^^^&root&ISO`, HL7's own delimiters inside the id escaped."""
        return f"{self.id.translate(_ESCAPING)}^^^&{self.authority}&ISO"


@dataclass(frozen=True, slots=True)
class UniqueId:
    """A document's unique id (ITI TF-3: 4.2.3.2.26): OID, `oid^extension` or URN, as written."""

    value: str

    def __post_init__(self) -> None:
        if not self.value or len(self.value) > 256:
            raise ValueError("a document unique id has 1 to 256 characters")

    @property
    def bare(self) -> str:
        """The same for ids that differ in how they are written alone: as a URN or not, and a UUID
        in any case (RFC 4122: 3, RFC 3061)."""
        bare = _URN.sub("", self.value)
        return bare.lower() if _UUID.fullmatch(bare) else bare

    def __str__(self) -> str:
        return self.value
