"""Whether a certificate may sign for a Direct address, or be encrypted to (Direct AS 1.2: 4).

`judge` decides of what is at hand: bound to the address, in force, strong enough, made for the
use, chained to an anchor, not revoked. What it would have to fetch it answers with `Needs`; the
caller fetches and asks again (DECISIONS 24). A `Verdict` says all of it in words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, assert_never

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from direct.binding import Binding, Unbound, binding
from direct.certificates import extension
from direct.chain import Chain, NoChain, Refusal, Rule, faults_of, find_chain
from ihe.revocation import Answers, Good, Needs, Question, Revoked, Undecided, decide

Usage = Literal["sign", "encrypt"]


@dataclass(frozen=True, slots=True)
class Strictness:
    """How much must be known of revocation; the defaults refuse what cannot be looked up.

    `revocation`: `required` refuses what cannot be found out, `when_reachable` only remarks it,
    `off` asks nobody. `no_source`: what a certificate means that names neither list nor responder.
    """

    revocation: Literal["required", "when_reachable", "off"] = "required"
    no_source: Literal["refuse", "accept"] = "refuse"


STRICT: Final = Strictness()


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """A certificate that is trusted, by whose word, and how strictly what is below it is taken."""

    certificate: x509.Certificate
    source: str = "by hand"
    """The bundle that it stands in, by name."""
    strictness: Strictness | None = None
    """None is whatever the domain demands."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Who said that a certificate of the chain is not revoked, as of when, and until when."""

    certificate: x509.Certificate
    source: Question
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about one certificate and one address, and on what grounds."""

    usage: Usage
    at: datetime
    refusals: tuple[Refusal, ...]
    """Empty if it is trusted."""
    binding: Binding | None
    chain: tuple[x509.Certificate, ...]
    """The certificate itself first, the anchor last; empty if none is reached."""
    anchor: TrustAnchor | None
    revocation: tuple[Freshness, ...] = ()
    remarks: tuple[str, ...] = ()
    """What a setting let pass, in sentences."""

    @property
    def trusted(self) -> bool:
        return not self.refusals

    @property
    def is_temporary(self) -> bool:
        """Whether it is refused for nothing but that somebody could not be reached."""
        return bool(self.refusals) and all(refusal.is_temporary for refusal in self.refusals)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is refused, each a sentence of ours without content."""
        return tuple(refusal.text for refusal in self.refusals)

    @property
    def until(self) -> datetime | None:
        """When it must be judged anew: a list runs out, or a certificate. None if refused."""
        if not self.trusted:
            return None
        ends = [certificate.not_valid_after_utc for certificate in self.chain]
        return min(ends + [one.until for one in self.revocation])


Judgement = Verdict | Needs


def judge(
    certificate: x509.Certificate,
    *,
    address: str,
    others: Sequence[x509.Certificate],
    anchors: Sequence[TrustAnchor],
    usage: Usage,
    answers: Answers,
    now: datetime,
    strictness: Strictness = STRICT,
) -> Judgement:
    """The verdict on `certificate` for `address`, or what has to be fetched for it.

    `anchors` are those of our own domain in that direction. `others` came with the message, and
    prove nothing by themselves. Nothing is asked for a certificate that is refused anyway: its
    addresses are those of a stranger.
    """
    bound = binding(certificate, address)
    own = tuple(_own_faults(certificate, bound, usage, now))
    found = find_chain(
        certificate,
        others,
        tuple(anchor.certificate for anchor in anchors),
        answers,
        now=now,
        is_sound=not own,
    )
    match found:
        case Needs():
            return found
        case NoChain(reason=reason, is_temporary=is_temporary):
            # For who is refused anyway no issuer was fetched: that none was found says nothing.
            none = Refusal(Rule.ANCHOR, reason, is_temporary)
            return _verdict(usage, now, bound, own or (none,))
        case Chain(certificates=chain, faults=faults):
            anchor = next(one for one in anchors if one.certificate == chain[-1])
            if own or faults:
                return _verdict(usage, now, bound, (*own, *faults), chain, anchor)
            standing = _standing(chain, answers, anchor.strictness or strictness, now)
            if isinstance(standing, Needs):
                return standing
            return _verdict(usage, now, bound, tuple(standing.refusals), chain, anchor, standing)
        case never:
            assert_never(never)


def allows(certificate: x509.Certificate, usage: Usage) -> bool:
    """RFC 8550: 4.4.2; a certificate that states no usage may be used for both.

    Single-use certificates are common: one to sign, one to encrypt to.

    Raises:
        ValueError: its extensions cannot be read.
    """
    stated = extension(certificate, x509.KeyUsage)
    if stated is None:
        return True
    if usage == "sign":
        return stated.digital_signature or stated.content_commitment
    is_ec = isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    return stated.key_agreement if is_ec else stated.key_encipherment


def _verdict(
    usage: Usage,
    now: datetime,
    bound: Binding | Unbound,
    refusals: tuple[Refusal, ...],
    chain: tuple[x509.Certificate, ...] = (),
    anchor: TrustAnchor | None = None,
    standing: "_Standing | None" = None,
) -> Verdict:
    return Verdict(
        usage=usage,
        at=now,
        refusals=refusals,
        binding=None if isinstance(bound, Unbound) else bound,
        chain=chain,
        anchor=anchor,
        revocation=tuple(standing.revocation) if standing else (),
        remarks=tuple(standing.remarks) if standing else (),
    )


# ---- the certificate itself ------------------------------------------------------------------


def _own_faults(
    certificate: x509.Certificate, bound: Binding | Unbound, usage: Usage, now: datetime
) -> Iterator[Refusal]:
    if isinstance(bound, Unbound):
        yield Refusal(Rule.BINDING, f"the certificate is not bound to the address: {bound.reason}")
    yield from faults_of(certificate, "the certificate", now=now)
    try:
        yield from _usage_faults(certificate, usage)
    except ValueError:
        yield Refusal(Rule.USAGE, "what the certificate may be used for cannot be read")


def _usage_faults(certificate: x509.Certificate, usage: Usage) -> Iterator[Refusal]:
    if not allows(certificate, usage):
        yield Refusal(Rule.USAGE, f"the certificate may not be used to {usage}")
    purposes = extension(certificate, x509.ExtendedKeyUsage)
    if purposes is not None and not {
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    }.intersection(purposes):
        yield Refusal(Rule.USAGE, "the certificate is not made for mail")
    basic = extension(certificate, x509.BasicConstraints)
    if basic is not None and basic.ca:
        yield Refusal(Rule.USAGE, "the certificate is that of an authority, not of an address")


# ---- revocation ------------------------------------------------------------------------------


@dataclass
class _Standing:
    """What is known of the whole chain's revocation."""

    refusals: list[Refusal] = field(default_factory=list)
    revocation: list[Freshness] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def _standing(
    chain: tuple[x509.Certificate, ...], answers: Answers, strictness: Strictness, now: datetime
) -> _Standing | Needs:
    """Of every certificate but the anchor: whoever trusts that takes it out by hand."""
    standing = _Standing()
    if strictness.revocation == "off":
        standing.remarks.append("revocation was not looked up: it is switched off")
        return standing
    for place, certificate in enumerate(chain[:-1]):
        who = "an intermediate certificate" if place else "the certificate"
        match decide(certificate, chain, answers, now=now):
            case Needs() as needs:
                return needs
            case Revoked():
                standing.refusals.append(Refusal(Rule.REVOKED, f"{who} was revoked"))
                return standing
            case Undecided(reason=reason, is_temporary=is_temporary):
                text = f"whether {who} was revoked is unknown: {reason}"
                doubt = Refusal(Rule.REVOCATION_UNKNOWN, text, is_temporary)
                _doubt(standing, doubt, passes=strictness.revocation == "when_reachable")
            case Good(until=until, since=since, source=source):
                if until is None or since is None or source is None:
                    text = f"{who} names no list in which its revocation could be seen"
                    doubt = Refusal(Rule.REVOCATION_UNKNOWN, text)
                    _doubt(standing, doubt, passes=strictness.no_source == "accept")
                else:
                    standing.revocation.append(Freshness(certificate, source, since, until))
            case never:
                assert_never(never)
    return standing


def _doubt(standing: _Standing, doubt: Refusal, *, passes: bool) -> None:
    if passes:
        standing.remarks.append(doubt.text)
    else:
        standing.refusals.append(doubt)
