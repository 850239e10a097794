"""Signatures over the octets that were sent, never over what was written anew (RFC 5652: 5.4-5.6).

A detached signature is tried over the content as received, and once more with its lone line feeds
made CRLF, for mail stored by systems that know no CR; which form matched is told. One valid signer
is enough, one that contradicts its signature refuses all. Whom a signer speaks for is
`direct.trust`'s question, not this one's.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from asn1crypto.algos import RSASSAPSSParams
from asn1crypto.core import GeneralizedTime, UTCTime
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import constant_time, hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from direct import ber
from direct.ber import Element
from direct.cms_algorithms import (
    DIGESTS,
    EC_PUBLIC_KEY,
    ECDSA_SIGNATURES,
    HASHES,
    MGF1,
    RSA_PKCS1V15,
    RSA_PSS,
    RSA_SIGNATURES,
    AlgorithmPolicy,
)
from direct.cms_structure import AlgorithmIdentifier, Signed, SignerInfo
from direct.errors import (
    AlgorithmRefused,
    DirectError,
    MalformedMessage,
    NotSigned,
    SignatureInvalid,
)

CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
SIGNING_TIME: Final = "1.2.840.113549.1.9.5"
_MESSAGE_DIGEST_OID: Final = bytes.fromhex("06092a864886f70d010904")
_LONE_LINE_FEED: Final = re.compile(rb"(?<!\r)\n")
Form = Literal["as received", "with CRLF"]


@dataclass(frozen=True, slots=True)
class Signer:
    """Who has signed, by what: `digest` "sha256", `signature_algorithm` e.g. "rsa-pss"."""

    certificate: x509.Certificate
    digest: str
    signature_algorithm: str
    signing_time: datetime | None


@dataclass(frozen=True, slots=True)
class Verified:
    """The octets that the signers have signed, and the reasons for which others do not count."""

    content: memoryview
    form: Form
    signers: tuple[Signer, ...]
    passed_over: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Scheme:
    name: str
    rsa_padding: padding.AsymmetricPadding | None


class _Contents:
    """The forms of the content with their digests, each made once and only if asked for."""

    def __init__(self, content: memoryview, *, is_detached: bool) -> None:
        self._as_received = content
        self._forms: dict[Form, memoryview | None] = {"as received": content}
        self._is_detached = is_detached
        self._digests: dict[tuple[Form, str], bytes] = {}

    def form(self, form: Form) -> memoryview | None:
        """The content in this form; None if it would be the same as received."""
        if form not in self._forms:
            self._forms[form] = self._with_crlf() if self._is_detached else None
        return self._forms[form]

    def _with_crlf(self) -> memoryview | None:
        made, count = _LONE_LINE_FEED.subn(b"\r\n", self._as_received)
        return memoryview(made) if count else None

    def digests(self, name: str) -> Iterable[tuple[Form, bytes]]:
        for form in ("as received", "with CRLF"):
            content = self.form(form)
            if content is not None:
                yield form, self._digest(form, name, content)

    def _digest(self, form: Form, name: str, content: memoryview) -> bytes:
        if (form, name) not in self._digests:
            digest = hashes.Hash(HASHES[name]())
            digest.update(content)
            self._digests[form, name] = digest.finalize()
        return self._digests[form, name]


def verify(
    signed: Signed,
    content: memoryview,
    policy: AlgorithmPolicy,
    *,
    is_detached: bool,
    known: Sequence[x509.Certificate] = (),
) -> Verified:
    """The signers of `content`; certificates come with the signature or are `known`.

    Raises:
        SignatureInvalid: a signature does not match, or no signer's certificate is at hand.
        AlgorithmRefused: no signer uses algorithms and keys that we take.
        NotSigned: there is no signer.
    """
    if not signed.signers:
        raise NotSigned("the signed-data has no signer")
    contents = _Contents(content, is_detached=is_detached)
    certificates = (*signed.certificates, *known)
    found: list[tuple[Signer, Form]] = []
    refused: list[DirectError] = []
    for info in signed.signers:
        try:
            found.append(_check(info, signed, certificates, contents, policy))
        except (AlgorithmRefused, _NoCertificate) as error:
            refused.append(error)
    if not found:
        raise refused[0]
    forms = {form for _, form in found}
    if len(forms) > 1:
        raise SignatureInvalid("the signers have signed different forms of the content")
    form = forms.pop()
    matched = contents.form(form)
    assert matched is not None  # noqa: S101 (it has a digest, so it is there)
    signers = tuple(signer for signer, _ in found)
    return Verified(matched, form, signers, tuple(error.reason for error in refused))


class _NoCertificate(SignatureInvalid):
    """One signer among others may be without; it proves nothing and contradicts nothing."""


def _check(
    info: SignerInfo,
    signed: Signed,
    certificates: Sequence[x509.Certificate],
    contents: _Contents,
    policy: AlgorithmPolicy,
) -> tuple[Signer, Form]:
    digest = policy.check_digest(DIGESTS.get(info.digest.oid))
    certificate = next((one for one in certificates if info.signer.names(one)), None)
    if certificate is None:
        raise _NoCertificate("the certificate of the signer did not come with the message")
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise AlgorithmRefused("the key of the signer's certificate cannot be read") from None
    policy.check_key(key)
    scheme = _scheme(info.algorithm, key, digest)
    if info.attributes is None:
        form = _check_bare(info, contents, key, scheme, digest)
        signing_time = None
    else:
        attributes = _read_attributes(info.attributes)
        _check_attributes(info, info.attributes, key, scheme, digest)
        form = _check_digest(attributes, signed, contents, digest)
        signing_time = _signing_time(attributes.get(SIGNING_TIME, []))
    return Signer(certificate, digest, scheme.name, signing_time), form


# ---- signatures ----------------------------------------------------------------------------------


def _scheme(algorithm: AlgorithmIdentifier, key: PublicKeyTypes, digest: str) -> _Scheme:
    """How the signature is checked: never by another digest than the one that policy has seen."""
    oid = algorithm.oid
    if isinstance(key, ec.EllipticCurvePublicKey):
        if oid != EC_PUBLIC_KEY and ECDSA_SIGNATURES.get(oid) != digest:
            raise AlgorithmRefused("the signature algorithm does not belong to key and digest")
        return _Scheme(f"ecdsa-{key.curve.name}", None)
    if oid == RSA_PSS:
        return _Scheme("rsa-pss", _pss(algorithm, digest))
    if oid != RSA_PKCS1V15 and RSA_SIGNATURES.get(oid) != digest:
        raise AlgorithmRefused("the signature algorithm does not belong to key and digest")
    return _Scheme("rsa-pkcs1v15", padding.PKCS1v15())


def _pss(algorithm: AlgorithmIdentifier, digest: str) -> padding.PSS:
    """RFC 4056: 2.2: the digest of the parameters is the message's."""
    encoded = b"\x30\x00" if algorithm.parameters is None else algorithm.parameters.der()
    try:
        parameters = RSASSAPSSParams.load(encoded, strict=True)
        stated = parameters["hash_algorithm"]["algorithm"].dotted
        mask = parameters["mask_gen_algorithm"]
        names = (mask["algorithm"].dotted, mask["parameters"]["algorithm"].dotted)
        salt = int(parameters["salt_length"].native)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise MalformedMessage("the parameters of PSS cannot be read") from None
    if DIGESTS.get(stated) != digest or names[0] != MGF1 or DIGESTS.get(names[1]) != digest:
        raise AlgorithmRefused("the digests of PSS are not the message's")
    if not 0 <= salt <= 512:
        raise MalformedMessage("the parameters of PSS cannot be")
    return padding.PSS(padding.MGF1(HASHES[digest]()), salt)


def _is_signed(
    key: PublicKeyTypes, signature: bytes, scheme: _Scheme, digest: str, hashed: bytes
) -> bool:
    """Whether `signature` is the key's over what hashes to `hashed`."""
    algorithm = Prehashed(HASHES[digest]())
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, hashed, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey) and scheme.rsa_padding is not None:
            key.verify(signature, hashed, scheme.rsa_padding, algorithm)
        else:
            return False
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def _check_bare(
    info: SignerInfo, contents: _Contents, key: PublicKeyTypes, scheme: _Scheme, digest: str
) -> Form:
    """A signature over the content itself (RFC 5652: 5.4).

    The octets of somebody's signed attributes are not taken for content: whoever has one
    signature could else pass them off as a message (RFC 5652's missing separation of the two).
    """
    content = contents.form("as received")
    if (
        content is not None
        and content[:1].tobytes() == b"\x31"
        and _MESSAGE_DIGEST_OID in content.tobytes()
    ):
        raise SignatureInvalid("the content is made of signed attributes")
    for form, hashed in contents.digests(digest):
        if _is_signed(key, info.signature, scheme, digest, hashed):
            return form
    raise SignatureInvalid("the content is not what was signed")


def _check_attributes(
    info: SignerInfo, attributes: Element, key: PublicKeyTypes, scheme: _Scheme, digest: str
) -> None:
    """The signature is over the attributes in DER; some writers sign them as they send them."""
    for octets in (attributes.der(as_tag=ber.SET), b"\x31" + bytes(attributes.raw[1:])):
        hashed = hashes.Hash(HASHES[digest]())
        hashed.update(octets)
        if _is_signed(key, info.signature, scheme, digest, hashed.finalize()):
            return
    raise SignatureInvalid("the signature is not by the key that it names")


# ---- signed attributes ---------------------------------------------------------------------------


def _read_attributes(element: Element) -> dict[str, list[Element]]:
    attributes: dict[str, list[Element]] = {}
    for attribute in element.parts():
        oid = ber.oid_text(ber.find_element(attribute, 0))
        if oid in attributes:
            # RFC 5652: 11: two message digests would let each reader believe another one.
            raise SignatureInvalid("a signed attribute is there twice")
        attributes[oid] = list(ber.find_element(attribute, 1).parts())
    return attributes


def _check_digest(
    attributes: dict[str, list[Element]], signed: Signed, contents: _Contents, digest: str
) -> Form:
    kind, stated = attributes.get(CONTENT_TYPE, []), attributes.get(MESSAGE_DIGEST, [])
    if len(kind) != 1 or ber.oid_text(kind[0]) != signed.content_type:
        raise SignatureInvalid("the signed content type is not that of the content")
    if len(stated) != 1:
        raise SignatureInvalid("the signature states no message digest")
    for form, hashed in contents.digests(digest):
        if constant_time.bytes_eq(hashed, bytes(stated[0].octets)):
            return form
    raise SignatureInvalid("the content is not what was signed")


def _signing_time(values: list[Element]) -> datetime | None:
    """RFC 5652: 11.3; the sender's word only, so that an unreadable one is None."""
    if len(values) != 1 or values[0].tag not in (0x17, 0x18):
        return None
    kind = UTCTime if values[0].tag == 0x17 else GeneralizedTime
    try:
        told = kind.load(values[0].der()).native
        return told.astimezone(UTC) if isinstance(told, datetime) else None
    except (ValueError, TypeError, OverflowError):
        return None
