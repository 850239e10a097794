"""What a directory changes among our partners; what an operator has set stays as it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.exchange.directory import Listed
from gateway.model.identity import PartnerId, PlanId
from gateway.model.partner import Endpoints, Partner, PartnerProfile
from gateway.model.partner_quirks import quirks_of


@dataclass(frozen=True, slots=True)
class Changes:
    """What the directory has changed since it was last taken over."""

    added: tuple[Partner, ...] = ()
    changed: tuple[Partner, ...] = ()
    retired: tuple[Partner, ...] = ()
    """No longer listed, or not active: nobody asks them, and their records stay."""
    unchanged: int = 0


def compare(
    communities: Sequence[Listed],
    known: Iterable[Partner],
    *,
    network: str,
    plan: PlanId | None,
    complete: bool,
) -> Changes:
    """What is to be put into the store; with `complete`, whoever is not listed is retired.

    Partners of other networks, and those of a partner file that the network does not list, are
    left alone.
    """
    before = {
        partner.home_community_id: partner
        for partner in known
        if partner.plan == plan and partner.network == network
    }
    added: list[Partner] = []
    changed: list[Partner] = []
    retired: list[Partner] = []
    unchanged = 0
    for one in communities:
        old = before.get(one.home_community_id)
        if old is None and not one.active:
            continue
        new = _partner(one, old, network, plan)
        if old is None:
            added.append(new)
        elif new == old:
            unchanged += 1
        else:
            (changed if one.active else retired).append(new)
    if complete:
        listed = {one.home_community_id for one in communities}
        gone = [old for home, old in before.items() if home not in listed]
        silent = [replace(old, endpoints=_silenced(old.endpoints)) for old in gone]
        retired += [new for new, old in zip(silent, gone, strict=True) if new != old]
        unchanged += sum(new == old for new, old in zip(silent, gone, strict=True))
    return Changes(tuple(added), tuple(changed), tuple(retired), unchanged)


def _partner(one: Listed, old: Partner | None, network: str, plan: PlanId | None) -> Partner:
    home = one.home_community_id
    endpoints = one.endpoints if one.active else Endpoints()
    if old is None:
        id = PartnerId(str(home) if plan is None else f"{plan}:{home}")
        old = Partner(id, one.name, home, endpoints, network, plan, profile=_profile(one))
    kept = replace(
        endpoints,
        iti41=endpoints.iti41 or (old.endpoints.iti41 if one.active else None),
        direct_domain=old.endpoints.direct_domain,
        replies=old.endpoints.replies,
    )
    within = one.within.urn if one.within else None
    profile = replace(old.profile, within=within)
    return replace(old, name=one.name, endpoints=kept, profile=profile)


def _profile(one: Listed) -> PartnerProfile:
    """A certificate that only chains to the network's anchors is bound by its host's name. How
    the community is known to differ from the book stands in it from the first, as in a file's."""
    address = one.endpoints.iti55 or one.endpoints.iti38 or one.endpoints.iti39
    known: dict[str, Any] = {}
    for quirk in quirks_of(one.name, one.home_community_id, one.endpoints):
        known.update(quirk.profile)
    return PartnerProfile(certificate_name=_host(address) if address else None, **known)


def _host(address: str) -> str | None:
    authority = address.partition("://")[2].partition("/")[0].rpartition("@")[2]
    host, colon, port = authority.rpartition(":")
    name = host if colon and port.isdigit() else authority
    return name.strip("[]").lower() or None


def _silenced(endpoints: Endpoints) -> Endpoints:
    return replace(endpoints, iti55=None, iti38=None, iti39=None, iti41=None)
