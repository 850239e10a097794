"""Whom Direct mail is exchanged with: anchors trusted by hand, and bundles of them (DECISIONS 24).

An anchor counts for one of our domains or for all, and for mail that comes in, that goes out, or
both: whom we hear need not be whom we tell.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from cryptography import x509

from direct.trust import Strictness

REFRESH_BUNDLE: Final = "direct_bundle_refresh"
"""The kind of job that fetches a bundle anew; its payload names the bundle."""
Direction = Literal["incoming", "outgoing"]
Hold = Literal["leaving", "any"]
VersionState = Literal["current", "held", "past", "rejected"]


@dataclass(frozen=True, slots=True)
class Reach:
    """For which of our domains, in small letters, and in which directions; None is all domains."""

    domain: str | None = None
    incoming: bool = True
    outgoing: bool = True

    def __post_init__(self) -> None:
        if not (self.incoming or self.outgoing):
            raise ValueError("an anchor that counts in no direction is none")
        if self.domain is not None and self.domain != self.domain.lower():
            raise ValueError("a domain is written in small letters")


@dataclass(frozen=True, slots=True)
class DirectAnchor:
    """An anchor that somebody trusts by hand. `strictness` None demands all there is."""

    certificate: x509.Certificate
    reach: Reach = Reach()
    strictness: Strictness | None = None


@dataclass(frozen=True, slots=True)
class DirectBundle:
    """A bundle that is fetched again and again.

    `signer` is whom it must be signed by, None if by anyone or nobody. `hold` says which changes
    wait for a person: those by which anchors leave (or the signer changes), or any.
    """

    name: str
    url: str
    reach: Reach = Reach()
    signer: x509.Certificate | None = None
    strictness: Strictness | None = None
    hold: Hold = "leaving"
    every_seconds: int = 24 * 3600
    checked: datetime | None = None
    """When it was last had, and could be read."""
    failure: str | None = None
    """Why it could not be, the last time; None if it could."""


@dataclass(frozen=True, slots=True)
class BundleVersion:
    """What a bundle was when it was fetched."""

    bundle: str
    number: int
    fetched: datetime
    content: bytes
    sha256: str
    signer: x509.Certificate | None
    anchors: tuple[x509.Certificate, ...]
    state: VersionState
    reason: str | None = None
    """Why it is held, or what became of it."""
    decided: datetime | None = None
