"""Whose mail an address is: our domains, and the plan of each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.model.identity import PlanId

# RFC 5321: 4.1.2, Dot-string alone; ASCII, for we do not offer SMTPUTF8.
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN: Final = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_LONGEST_LOCAL: Final = 64
_LONGEST: Final = 254
"""RFC 5321: 4.5.3.1.1 and 4.5.3.1.3, less the angle brackets of a path."""


@dataclass(frozen=True, slots=True)
class MailDomains:
    """Our domains in lower case, each with the plan whose mail it is."""

    plans: Mapping[str, PlanId]

    def plan_of(self, address: str) -> PlanId | None:
        """None for an address that is not ours; a subdomain of ours is not."""
        return self.plans.get(address.rpartition("@")[2].lower())

    @property
    def first(self) -> str:
        """The domain that a bare `postmaster` is of (RFC 5321: 4.5.1)."""
        return next(iter(self.plans))


def is_address(text: str) -> bool:
    """Whether it is one plain address: no comment, no quoting, no route, nothing but ASCII."""
    local, at, domain = text.rpartition("@")
    return (
        bool(at)
        and len(text) <= _LONGEST
        and len(local) <= _LONGEST_LOCAL
        and _LOCAL.fullmatch(local) is not None
        and _DOMAIN.fullmatch(domain) is not None
    )
