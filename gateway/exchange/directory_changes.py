"""What a directory changes among our partners; what an operator has set stays as it is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.exchange.directory import Listed
from gateway.model.identity import PartnerId, PlanId
from gateway.model.partner import Endpoints, Partner, PartnerProfile
from gateway.model.partner_quirks import quirks_of
from ihe.identifiers import HomeCommunityId


@dataclass(frozen=True, slots=True)
class Changes:
    """What the directory has changed since it was last taken over."""

    added: tuple[Partner, ...] = ()
    changed: tuple[Partner, ...] = ()
    retired: tuple[Partner, ...] = ()
    """No longer listed, or not active: nothing is exchanged with them; their records stay."""
    unchanged: int = 0


def compare(
    communities: Sequence[Listed],
    known: Iterable[Partner],
    *,
    network: str,
    plan: PlanId | None,
    own: HomeCommunityId,
    complete: bool,
) -> Changes:
    """What is to be put into the store; with `complete`, whoever is not listed is retired, and
    who has no address there has none. Else what is not listed is as it was: it may be a delta.

    Partners of other networks, and those of a partner file that the network does not list, are
    left alone. `own` is our community: a network lists us, too, and we do not ask ourselves.
    """
    communities = [one for one in communities if one.home_community_id != own]
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
        new = _partner(one, old, network, plan, complete=complete)
        if old is None:
            added.append(new)
        elif new == old:
            unchanged += 1
        else:
            (changed if one.active else retired).append(new)
    listed = {one.home_community_id for one in communities}
    gone = [old for home, old in before.items() if home not in listed]
    if complete:
        silent = [_retired(old) for old in gone]
        retired += [new for new, old in zip(silent, gone, strict=True) if new != old]
        unchanged += sum(new == old for new, old in zip(silent, gone, strict=True))
    else:
        changed += _moved_with((*changed, *retired), gone)
    return Changes(tuple(added), tuple(changed), tuple(retired), unchanged)


def _partner(
    one: Listed, old: Partner | None, network: str, plan: PlanId | None, *, complete: bool
) -> Partner:
    home = one.home_community_id
    if old is None:
        id = PartnerId(str(home) if plan is None else f"{plan}:{home}")
        old = Partner(id, one.name, home, Endpoints(), network, plan, profile=_profile(one))
    endpoints, within = _reached(one, old, complete=complete)
    if not one.active:
        return _retired(replace(old, name=one.name))
    # What directories do not list is the operator's.
    kept = replace(
        old.endpoints,
        iti55=endpoints.iti55,
        iti38=endpoints.iti38,
        iti39=endpoints.iti39,
        iti41=endpoints.iti41 or old.endpoints.iti41,
    )
    profile = replace(old.profile, within=within, retired=False)
    return replace(old, name=one.name, endpoints=kept, profile=profile)


def _reached(one: Listed, old: Partner, *, complete: bool) -> tuple[Endpoints, str | None]:
    """Where it takes each transaction, and within which community."""
    listed = one.endpoints, one.within.urn if one.within else None
    before = old.endpoints, old.profile.within
    if complete or one.is_whole:
        return listed
    if not _is_reachable(one.endpoints):
        return before
    if one.within is not None:
        # By the one above it, unless it has addresses of its own, which are not listed here.
        has_own = old.profile.within is None and _is_reachable(old.endpoints)
        return before if has_own else listed
    if old.profile.within is not None:
        return listed
    merged = replace(
        one.endpoints,
        iti55=one.endpoints.iti55 or old.endpoints.iti55,
        iti38=one.endpoints.iti38 or old.endpoints.iti38,
        iti39=one.endpoints.iti39 or old.endpoints.iti39,
    )
    return merged, None


def _moved_with(holders: Iterable[Partner], others: Iterable[Partner]) -> Iterator[Partner]:
    """Who is not listed, and reached by one that has changed: its addresses are that one's."""
    by_home = {one.home_community_id.urn: one for one in holders}
    for other in others:
        holder = by_home.get(other.profile.within or "")
        if holder is not None:
            new = Endpoints() if holder.profile.retired else holder.endpoints
            moved = replace(other.endpoints, iti55=new.iti55, iti38=new.iti38, iti39=new.iti39)
            if moved != other.endpoints:
                yield replace(other, endpoints=moved)


def _is_reachable(endpoints: Endpoints) -> bool:
    return any((endpoints.iti55, endpoints.iti38, endpoints.iti39))


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


def _retired(partner: Partner) -> Partner:
    return replace(partner, profile=replace(partner.profile, retired=True))
