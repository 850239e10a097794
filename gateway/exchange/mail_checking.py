"""Could we send to an address, could we take mail from it, and if not, which rule fails."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from direct.discovery import Found, InvalidAddress, NotFound, Step
from direct.trust import Verdict
from gateway.clients.dns_client import LookupFailed
from gateway.exchange.asking_others import ask_others
from gateway.exchange.direct_discovery import why_not_found
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.mail_verdict import what_to_tell
from gateway.model.identity import PlanId
from gateway.store import direct_keys

_BY_HISP: Final = "our HISP finds certificates and judges them; it is the one to ask"


class NotOurs(Exception):
    """The address to ask for is none of ours; the text says whose it must be."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Both directions for one address, in words. `steps` are all places that were looked at."""

    address: str
    can_send: bool
    why_not_send: str | None
    servers: tuple[str, ...]
    can_receive: bool
    why_not_receive: str | None
    tell_them: str | None
    steps: tuple[Step, ...]
    sealed_by: str | None = None
    """The algorithms that a message to it would be sealed by, as its domain's route states them."""
    remark: str | None = None


async def check_address(
    means: DirectMeans, address: str, *, sender: str | None = None, plan: PlanId | None = None
) -> Checked:
    """Asks everybody anew: what is remembered may be what is wrong.

    `sender` is who would write and be written to; the postmaster of the plan's first domain if
    left out.

    Raises:
        NotOurs: the sender is no address of the plan's domains, or of none of ours.
    """
    ours = _ours(means, sender, plan)
    way = _by_hisp if means.mode == "hisp" else _by_us
    return await ask_others("check", way, means, address, ours)


def _ours(means: DirectMeans, sender: str | None, plan: PlanId | None) -> str:
    domains = (name for name, whose in means.domains.plans.items() if plan in (None, whose))
    if sender is None:
        first = next(domains, None)
        if first is None:
            raise NotOurs("the plan has no domain of Direct mail")
        return f"postmaster@{first}"
    if sender.rpartition("@")[2].lower() not in domains:
        whose = "of our domains" if plan is None else "of this plan's domains"
        raise NotOurs(f"the sender is no address {whose}")
    return sender


def _by_hisp(means: DirectMeans, address: str, _ours: str) -> Checked:
    """All that is ours to know is where its mail is handed over."""
    servers, no_way = _servers(means, address)
    return Checked(
        address=address,
        can_send=no_way is None,
        why_not_send=no_way,
        servers=servers,
        can_receive=True,
        why_not_receive=None,
        tell_them=None,
        steps=(),
        remark=_BY_HISP,
    )


def _by_us(means: DirectMeans, address: str, ours: str) -> Checked:
    try:
        found = means.find(address, sender=ours, fresh=True)
    except InvalidAddress as error:
        reason = f"its address is {error}"
        return Checked(address, False, reason, (), False, reason, None, ())
    servers, no_way = _servers(means, address)
    not_found = None if isinstance(found, Found) else why_not_found(found)
    published = [step.certificate for step in found.steps if step.certificate is not None]
    verdicts = _as_signers(means, published, address, ours)
    trusted = any(one.trusted for one in verdicts)
    signs, opens = _own_keys(means, ours)
    against_sending = [*filter(None, (signs, not_found, no_way))]
    not_trusted = None if trusted else _why_not_trusted(verdicts)
    against_receiving = [*filter(None, (opens, not_trusted))]
    advice = " ".join(_advice(address, found, verdicts, no_way))
    return Checked(
        address=address,
        can_send=not against_sending,
        why_not_send="; ".join(against_sending) or None,
        servers=servers,
        can_receive=not against_receiving,
        why_not_receive="; ".join(against_receiving) or None,
        tell_them=advice or None,
        steps=found.steps,
        sealed_by=str(means.algorithms(address.rpartition("@")[2])),
    )


def _own_keys(means: DirectMeans, ours: str) -> tuple[str | None, str | None]:
    """Why we could not sign as that address of ours, and why nobody could seal to it."""
    plan = means.domains.plan_of(ours)
    keys = (
        ()
        if plan is None
        else means.archive.database.read(
            lambda tx: direct_keys.of_address(tx, plan=plan, address=ours)
        )
    )
    signs = direct_keys.signing(keys, now=means.clock()) is not None
    see = "see `gateway direct keys`"
    return (
        None if signs else f"{ours} has no key in use that could sign ({see})",
        None if keys else f"{ours} has no key that opens what is sealed to it ({see})",
    )


def _servers(means: DirectMeans, address: str) -> tuple[tuple[str, ...], str | None]:
    try:
        servers = means.route(address.rpartition("@")[2])
    except LookupFailed as failure:
        return (), f"its domain's mail server is unknown: it {failure}"
    named = tuple(dict.fromkeys(f"{one.host}:{one.port} ({one.security})" for one in servers))
    if means.mode == "hisp" and any(one.security == "opportunistic" for one in servers):
        return named, "what is not sealed goes to a HISP under verified TLS alone; name a smarthost"
    return named, None if named else "its domain takes no mail"


def _as_signers(
    means: DirectMeans, published: Sequence[x509.Certificate], address: str, ours: str
) -> tuple[Verdict, ...]:
    """What we would think of a message signed with what they publish, which most sign with."""
    now = means.clock()
    return tuple(
        means.judge(
            one,
            address=address,
            others=[other for other in published if other is not one],
            ours=ours,
            usage="sign",
            now=now,
        )
        for one in published
    )


def _why_not_trusted(verdicts: Sequence[Verdict]) -> str:
    texts = dict.fromkeys(refusal.text for one in verdicts for refusal in one.refusals)
    return "; ".join(texts) or "it publishes no certificate that could be looked at"


# ---- what to tell the other HISP ---------------------------------------------------------------


def _advice(
    address: str, found: Found | NotFound, verdicts: Sequence[Verdict], no_way: str | None
) -> Iterator[str]:
    """A sentence for each thing that is theirs to mend."""
    local, _, domain = address.rpartition("@")
    refusals = [
        {"rule": str(refusal.rule), "text": refusal.text}
        for one in verdicts
        for refusal in one.refusals
    ]
    if refusals and not any(one.trusted for one in verdicts):
        yield what_to_tell(refusals)
    elif isinstance(found, NotFound) and verdicts:  # to sign with it is good for, not to seal to
        yield f"We cannot encrypt to the certificate that you publish: {why_not_found(found)}."
    if not verdicts:
        for step in found.steps:
            if step.outcome == "failed":
                yield f"We had no answer from your {step.where} ({step.said}); can others reach it?"
        yield (
            f"We find no certificate of {address}: publish it in a DNS CERT record of"
            f" {local}.{domain} or of {domain}, or in an LDAP server that SRV records of"
            f" _ldap._tcp.{domain} name."
        )
    if no_way is not None:
        yield f"We cannot bring you mail: {no_way}; see to the MX records of {domain}."
