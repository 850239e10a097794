"""Whose signatures we believe: a partner's pinned certificates, or its network's anchors.

A certificate that a message brings along proves nothing by itself (DECISIONS 2). It is believed
when it is pinned, or when it chains to an anchor of the partner's network and names the partner;
a bare key only when it is the key of a pinned certificate.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from ccda.values import quickly_made
from ihe.errors import SecurityRefused
from ihe.key_info import KeyInfo, public_key, same_key

_CHAIN_DEPTH: Final = 4


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Our private key, and the certificate by which partners know it."""

    private_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def __post_init__(self) -> None:
        if not same_key(self.private_key.public_key(), public_key(self.certificate)):
            raise ValueError("the certificate is not that of the private key")


@dataclass(frozen=True, slots=True)
class Trust:
    """What one partner's signatures must verify against.

    The caller finds the partner by its TLS certificate and hands in that partner's trust. It may
    pin a certificate that was found to chain, to save the next message the search; revocation is
    the caller's to check, again each time.
    """

    pinned: tuple[x509.Certificate, ...] = ()
    anchors: tuple[x509.Certificate, ...] = ()
    name: str | None = None
    """The name by which a certificate that only chains is bound to this partner."""
    bearer_accepted: bool = False

    def __post_init__(self) -> None:
        if self.anchors and not self.name:
            raise ValueError("anchors without a name would trust everyone in the network")


@quickly_made
@dataclass(frozen=True, slots=True)
class Believed:
    """A certificate to verify with, and how it came to an anchor; a pinned one has no chain."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()


def believed_certificates(hints: KeyInfo, trust: Trust, *, now: datetime) -> tuple[Believed, ...]:
    """The certificates that may have made a signature with this KeyInfo.

    Raises:
        SecurityRefused: the message names a certificate or key that is not this partner's.
    """
    if hints.certificates:
        found = [_believe(hints.certificates, trust, now=now)]
    else:
        found = [Believed(certificate) for certificate in trust.pinned]
    if hints.key is not None:
        key = hints.key
        found = [one for one in found if same_key(public_key(one.certificate), key)]
    if not found:
        raise SecurityRefused("the signing key is none that is registered for this partner")
    valid = tuple(one for one in found if is_in_force(one.certificate, now=now))
    if not valid:
        raise SecurityRefused("the partner's signing certificate is not in force")
    return valid


def is_in_force(certificate: x509.Certificate, *, now: datetime) -> bool:
    """Whether `now` lies within the certificate's validity."""
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _believe(
    certificates: tuple[x509.Certificate, ...], trust: Trust, *, now: datetime
) -> Believed:
    leaf, *others = certificates
    if leaf in trust.pinned:
        return Believed(leaf)
    if not trust.anchors:
        raise SecurityRefused("the signing certificate is not one pinned for this partner")
    chain = _chain(leaf, others, trust.anchors, now=now)
    if trust.name not in names_in(leaf):
        raise SecurityRefused("the signing certificate does not name this partner")
    return Believed(leaf, chain)


def _chain(
    leaf: x509.Certificate,
    others: list[x509.Certificate],
    anchors: tuple[x509.Certificate, ...],
    *,
    now: datetime,
) -> tuple[x509.Certificate, ...]:
    """The way from `leaf` to an anchor (RFC 5280: 6), both included."""
    for_signing = ExtensionPolicy.permit_all().may_be_present(
        x509.KeyUsage, Criticality.AGNOSTIC, _demand_signing
    )
    verifier = (
        PolicyBuilder()
        .store(Store(list(anchors)))
        .time(now)
        .max_chain_depth(_CHAIN_DEPTH)
        .extension_policies(ee_policy=for_signing, ca_policy=ExtensionPolicy.webpki_defaults_ca())
        .build_client_verifier()
    )
    try:
        return tuple(verifier.verify(leaf, others).chain)
    except VerificationError:
        raise SecurityRefused(
            "the signing certificate does not chain to the network's anchors"
        ) from None


def _demand_signing(
    policy: Policy, certificate: x509.Certificate, usage: x509.KeyUsage | None
) -> None:
    if usage is not None and not usage.digital_signature:
        raise ValueError("the key may not sign")


def names_in(certificate: x509.Certificate) -> frozenset[str]:
    """Host names and URIs a certificate speaks for; its common name only if it has neither."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
        names += extension.value.get_values_for_type(x509.UniformResourceIdentifier)
    except (x509.ExtensionNotFound, ValueError):
        names = []
    if not names:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = [str(attribute.value) for attribute in common[:1]]
    return frozenset(names)
