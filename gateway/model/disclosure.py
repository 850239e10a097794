"""A member's accounting of disclosures (45 CFR 164.528), as values."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from gateway.model.identity import DocumentId, PlanId
from gateway.model.member import Member

FINDING: Final = "DISCLOSURE-FINDING"
"""The transaction of a record that says what was found out later about an earlier one."""

FindingKind = Literal["misdirected", "impermissible", "authorised"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out later about the record `about`; `sequence` is the finding's own."""

    kind: FindingKind
    about: int
    sequence: int
    time: datetime


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Why a disclosure need not be accounted for, in words and by the paragraph that says so."""

    words: str
    paragraph: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who received it, and the address if known (45 CFR 164.528(b)(2)(ii))."""

    name: str
    address: str | None = None
    community: str | None = None


@dataclass(frozen=True, slots=True)
class NamedDocument:
    """A document that was disclosed; `title` is None for one that is no longer here."""

    id: DocumentId
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One exchange by which something of the member left the house.

    `is_certain` is False where the bytes may have left and nothing says that they arrived.
    """

    sequence: int
    time: datetime
    transaction: str
    recipient: Recipient
    what: str
    documents: tuple[NamedDocument, ...]
    purpose: str | None
    basis: str
    is_certain: bool
    finding: Finding | None = None
    exclusion: Exclusion | None = None


@dataclass(frozen=True, slots=True)
class Accounting:
    """What left in the window, first to last. `until` is the window's last day.

    `rules` names the version of the rules that told `listed` from `excluded` (DECISIONS 18).
    """

    member: Member
    plan: PlanId
    rules: str
    asked: date
    since: date
    until: date
    listed: tuple[Disclosure, ...]
    excluded: tuple[Disclosure, ...]
