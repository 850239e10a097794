"""Could we send to an address, could we take mail from it, and if not, which rule fails."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from direct.discovery import Found, InvalidAddress, Step
from direct.trust import Verdict
from gateway.clients.dns_client import LookupFailed
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.mail_delivering import why_not_found
from gateway.exchange.mail_verdict import what_to_tell


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
    verdicts: tuple[Verdict, ...]
    sealed_by: str | None = None
    """The algorithms that a message to it would be sealed by, as its domain's route states them."""


async def check_address(means: DirectMeans, address: str, *, sender: str) -> Checked:
    """Asks everybody anew: what is remembered may be what is wrong."""
    return await asyncio.to_thread(_check, means, address, sender)


def _check(means: DirectMeans, address: str, sender: str) -> Checked:
    try:
        found = means.find(address, sender=sender, fresh=True)
    except InvalidAddress as error:
        reason = f"its address is {error}"
        return Checked(address, False, reason, (), False, reason, None, (), ())
    servers, no_way = _servers(means, address)
    why_not_send = no_way if isinstance(found, Found) else why_not_found(found)
    published = [step.certificate for step in found.steps if step.certificate is not None]
    verdicts = _as_signers(means, published, address, sender)
    trusted = any(one.trusted for one in verdicts)
    refusals = [
        {"rule": str(refusal.rule), "text": refusal.text}
        for one in verdicts
        if not one.trusted
        for refusal in one.refusals
    ]
    return Checked(
        address=address,
        can_send=why_not_send is None,
        why_not_send=why_not_send,
        servers=servers,
        can_receive=trusted,
        why_not_receive=None if trusted else _why_not_receive(refusals),
        tell_them=None if trusted or not refusals else what_to_tell(refusals),
        steps=found.steps,
        verdicts=verdicts,
        sealed_by=None
        if means.mode == "hisp"
        else str(means.algorithms(address.rpartition("@")[2])),
    )


def _servers(means: DirectMeans, address: str) -> tuple[tuple[str, ...], str | None]:
    try:
        servers = means.route(address.rpartition("@")[2])
    except LookupFailed as failure:
        return (), f"its domain's mail server is unknown: it {failure}"
    named = tuple(dict.fromkeys(f"{one.host}:{one.port} ({one.security})" for one in servers))
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


def _why_not_receive(refusals: Sequence[dict[str, str]]) -> str:
    if not refusals:
        return "it publishes no certificate that could be looked at"
    return "; ".join(dict.fromkeys(one["text"] for one in refusals))
