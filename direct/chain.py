"""The way from a certificate to an anchor (RFC 5280: 6.1; Direct AS 1.2: 4.2), and its faults.

Ways are looked for here, to say in words what is wrong with one; the way that is found without
fault is then validated by cryptography's own verifier, and both must agree. Intermediates come
from the message and from where certificates say that their issuer lies; fetching is the
caller's (DECISIONS 24).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, SignatureAlgorithmOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from direct.certificates import certificates_in, extension
from ihe.revocation import Answers, Needs, Question

_MOST_CERTIFICATES: Final = 6
"""In one way, anchor and leaf included; accredited networks have three or four."""
_MOST_SIGNATURES: Final = 128
"""Tried in one search: a message may bring hundreds of certificates of one name."""
_MOST_FETCHED: Final = 6
_SHA2: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_SIGNATURES: Final = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
        SignatureAlgorithmOID.RSASSA_PSS,
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
    }
)
_CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})


class Rule(StrEnum):
    """Which rule a refusal rests on."""

    BINDING = "binding"
    VALIDITY = "validity"
    KEY = "key"
    ALGORITHM = "algorithm"
    USAGE = "usage"
    ANCHOR = "anchor"
    CHAIN = "chain"
    REVOKED = "revoked"
    REVOCATION_UNKNOWN = "revocation_unknown"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a certificate is not believed, in a sentence of ours.

    `is_temporary` if it is because somebody could not be reached: another time it may be believed.
    """

    rule: Rule
    text: str
    is_temporary: bool = False


@dataclass(frozen=True, slots=True)
class Chain:
    """A way to an anchor, the leaf first and the anchor last; it may have faults."""

    certificates: tuple[x509.Certificate, ...]
    faults: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class NoChain:
    """No anchor is reached; `reason` says where it ends, `is_temporary` that an issuer's
    certificate could not be fetched."""

    reason: str
    is_temporary: bool = False


def find_chain(
    leaf: x509.Certificate,
    others: Iterable[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    answers: Answers,
    *,
    now: datetime,
    is_sound: bool = True,
) -> Chain | NoChain | Needs:
    """The first way without fault; else what to fetch to find one; else a faulty one, or none.

    A leaf that is refused for its own faults (not `is_sound`) gets whatever way is at hand, so
    that the verdict can show it; nothing is fetched for it.
    """
    search = _Search(tuple(others), tuple(anchors), answers)
    faulty: list[Chain] = []
    for certificates in search.ways(leaf):
        faults = tuple(_faults_of_way(certificates, now, is_sound))
        if not faults:
            return Chain(certificates, ())
        faulty.append(Chain(certificates, faults))
    if is_sound and search.open and len(search.asked) < _MOST_FETCHED:
        return Needs(search.open[0])
    if faulty:
        return min(faulty, key=lambda chain: len(chain.faults))
    return search.none


@dataclass
class _Search:
    """One search, with what it has cost so far."""

    others: tuple[x509.Certificate, ...]
    anchors: tuple[x509.Certificate, ...]
    answers: Answers
    signatures: int = 0
    asked: set[Question] = field(default_factory=set)
    open: list[Question] = field(default_factory=list)
    unanswered: bool = False
    unreached: bool = False

    def ways(self, leaf: x509.Certificate) -> Iterator[tuple[x509.Certificate, ...]]:
        yield from self._onward((leaf,))

    @property
    def none(self) -> NoChain:
        """Why it has found no way."""
        if not self.anchors:
            return NoChain("there is no anchor to trust in this direction")
        if self.signatures >= _MOST_SIGNATURES:
            return NoChain("the message brings too many certificates to look through")
        if self.unanswered:
            return NoChain(
                "the certificate of its issuer cannot be had where it says, or is not there",
                is_temporary=self.unreached,
            )
        return NoChain("it does not chain to any anchor that we trust")

    def _onward(self, way: tuple[x509.Certificate, ...]) -> Iterator[tuple[x509.Certificate, ...]]:
        for anchor in self.anchors:
            if anchor != way[-1] and self._issued(anchor, way[-1]):
                yield (*way, anchor)
        if len(way) >= _MOST_CERTIFICATES - 1:
            return
        found = False
        for candidate in self._above(way[-1]):
            if candidate in way or candidate in self.anchors:
                continue
            if self._issued(candidate, way[-1]):
                found = True
                yield from self._onward((*way, candidate))
        if not found:
            self._remember(way[-1])

    def _above(self, certificate: x509.Certificate) -> Iterator[x509.Certificate]:
        yield from self.others
        for question in _issuer_questions(certificate):
            if question in self.answers:
                self.asked.add(question)
                answer = self.answers[question]
                yield from certificates_in(answer if isinstance(answer, bytes) else b"")

    def _remember(self, certificate: x509.Certificate) -> None:
        """Where the search would go on, if somebody fetched it."""
        if certificate.issuer == certificate.subject:
            return
        for question in _issuer_questions(certificate):
            if question in self.answers:
                self.unanswered = True
                self.unreached = self.unreached or not isinstance(self.answers[question], bytes)
            elif question not in self.open:
                self.open.append(question)

    def _issued(self, issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
        if self.signatures >= _MOST_SIGNATURES or not _is_named(issuer, certificate):
            return False
        if _has_weak_signature(certificate):
            return True  # followed only to say so: `_faults_of_way` refuses every such way
        self.signatures += 1
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
        return True


def _is_named(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether the certificate names it as its issuer; one whose names cannot be read issues
    nothing, and takes no other way away."""
    try:
        return issuer.subject == certificate.issuer
    except ValueError:
        return False


def _issuer_questions(certificate: x509.Certificate) -> list[Question]:
    try:
        found = extension(certificate, x509.AuthorityInformationAccess)
    except ValueError:
        return []
    return [
        Question("issuer", access.access_location.value)
        for access in found or ()
        if access.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        and isinstance(access.access_location, x509.UniformResourceIdentifier)
        and access.access_location.value.lower().startswith(("http://", "https://"))
    ]


# ---- faults ----------------------------------------------------------------------------------


def faults_of(
    certificate: x509.Certificate, who: str, *, now: datetime, is_anchor: bool = False
) -> Iterator[Refusal]:
    """What speaks against a certificate whatever it is used for; `who` begins each sentence."""
    if now < certificate.not_valid_before_utc:
        yield Refusal(Rule.VALIDITY, f"{who} is not yet in force")
    if now > certificate.not_valid_after_utc:
        yield Refusal(Rule.VALIDITY, f"{who} has expired")
    weakness = _weakness(certificate)
    if weakness is not None:
        yield Refusal(Rule.KEY, f"{who} {weakness}")
    # An anchor is trusted for what it is, not for its signature on itself.
    if not is_anchor and _has_weak_signature(certificate):
        yield Refusal(Rule.ALGORITHM, f"{who} is signed with an algorithm that we do not take")


def _faults_of_way(
    way: tuple[x509.Certificate, ...], now: datetime, is_sound: bool
) -> Iterator[Refusal]:
    faults = list(_faults_above(way, now))
    yield from faults
    if is_sound and not faults and not _is_valid(way, now):
        yield Refusal(Rule.CHAIN, "its chain breaks a rule of RFC 5280: 6.1")


def _faults_above(way: tuple[x509.Certificate, ...], now: datetime) -> Iterator[Refusal]:
    for below, certificate in enumerate(way[1:]):
        is_anchor = certificate is way[-1]
        who = "the anchor" if is_anchor else "an intermediate certificate"
        yield from faults_of(certificate, who, now=now, is_anchor=is_anchor)
        yield from _faults_as_issuer(certificate, who, below)


def _faults_as_issuer(certificate: x509.Certificate, who: str, below: int) -> Iterator[Refusal]:
    """`below` counts the certificates between it and the leaf (RFC 5280: 4.2.1.9)."""
    try:
        basic = extension(certificate, x509.BasicConstraints)
        usage = extension(certificate, x509.KeyUsage)
    except ValueError:
        yield Refusal(Rule.CHAIN, f"the extensions of {who} cannot be read")
        return
    if basic is None or not basic.ca:
        yield Refusal(Rule.CHAIN, f"{who} is not that of an authority")
    elif basic.path_length is not None and below > basic.path_length:
        yield Refusal(Rule.CHAIN, f"{who} does not allow so long a chain below it")
    if usage is not None and not usage.key_cert_sign:
        yield Refusal(Rule.CHAIN, f"the key of {who} may not sign certificates")


def _is_valid(way: tuple[x509.Certificate, ...], now: datetime) -> bool:
    """What cryptography says of it, name constraints and critical extensions included."""
    # Old anchors mark basicConstraints as not critical, and have no key identifiers.
    authority = ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, Criticality.AGNOSTIC, None
    )
    verifier = (
        PolicyBuilder()
        .store(Store([way[-1]]))
        .time(now)
        .max_chain_depth(_MOST_CERTIFICATES)
        .extension_policies(ee_policy=ExtensionPolicy.permit_all(), ca_policy=authority)
        .build_client_verifier()
    )
    try:
        return tuple(verifier.verify(way[0], list(way[1:-1])).chain) == way
    except (VerificationError, ValueError):
        return False


def _weakness(certificate: x509.Certificate) -> str | None:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "has a key that cannot be read"
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < 2048:
            return "has an RSA key of fewer than 2048 bits"
        # Above that a single verification takes long enough to be a weapon.
        return "has an RSA key of more than 8192 bits" if key.key_size > 8192 else None
    if isinstance(key, ec.EllipticCurvePublicKey):
        return None if key.curve.name in _CURVES else "has an EC key on a curve we do not take"
    return "has a key that is neither RSA nor EC"


def _has_weak_signature(certificate: x509.Certificate) -> bool:
    if certificate.signature_algorithm_oid not in _SIGNATURES:
        return True
    try:
        if not isinstance(certificate.signature_hash_algorithm, _SHA2):
            return True
        parameters = certificate.signature_algorithm_parameters
    except (ValueError, UnsupportedAlgorithm):
        return True
    if isinstance(parameters, padding.PSS):
        return not isinstance(parameters.mgf, padding.MGF1) or not isinstance(
            parameters.mgf._algorithm, _SHA2
        )
    return False
