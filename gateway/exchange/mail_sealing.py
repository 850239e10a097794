"""Opening and sealing messages, as worker processes do it (DECISIONS 25).

Certificates and keys go over the pipe as DER: the library's own objects cannot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from direct.smime import (
    Algorithms,
    DecryptionKey,
    SealAlgorithms,
    SigningIdentity,
    open_sealed,
    seal,
)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class KeyPairDer:
    """A private key as PKCS#8, its certificate, and what stands between it and an anchor."""

    key: bytes
    certificate: bytes
    chain: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class SignerDer:
    """Who has signed, as `direct.smime.Signer` says."""

    certificate: bytes
    digest: str
    signature_algorithm: str
    signing_time: datetime | None


@dataclass(frozen=True)
class OpenedMail:
    """How a sealed message was opened, as it comes out of a worker; `direct.smime.Opened` says what
    each is."""

    signers: tuple[SignerDer, ...]
    certificates_der: tuple[bytes, ...]
    algorithms: Algorithms
    form: str
    is_detached: bool
    passed_over: tuple[str, ...]

    @cached_property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """Those that came with the message."""
        return tuple(map(x509.load_der_x509_certificate, self.certificates_der))


@dataclass(frozen=True, slots=True)
class SignedContent:
    """What was signed, to the octet, and the signature's CMS structure."""

    content: bytes
    signature: bytes


def key_pair_der(
    key: PrivateKey, certificate: x509.Certificate, chain: Sequence[x509.Certificate] = ()
) -> KeyPairDer:
    """A pair, ready for a worker."""
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return KeyPairDer(der, _der(certificate), tuple(map(_der, chain)))


def open_mail(message: bytes, keys: tuple[KeyPairDer, ...]) -> tuple[OpenedMail, SignedContent]:
    """The message, opened with whichever of our keys it was sealed to.

    Raises:
        DirectError: as `direct.smime.open_sealed`.
    """
    opened = open_sealed(message, [DecryptionKey(_key(one), _certificate(one)) for one in keys])
    how = OpenedMail(
        signers=tuple(
            SignerDer(_der(one.certificate), one.digest, one.signature_algorithm, one.signing_time)
            for one in opened.signers
        ),
        certificates_der=tuple(map(_der, opened.certificates)),
        algorithms=opened.algorithms,
        form=str(opened.form),
        is_detached=opened.is_detached,
        passed_over=opened.passed_over,
    )
    return how, SignedContent(opened.content, opened.signature)


def seal_mail(
    entity: bytes,
    headers: tuple[tuple[str, str], ...],
    signer: KeyPairDer,
    recipients: tuple[bytes, ...],
    algorithms: SealAlgorithms,
    signing_time: datetime,
) -> bytes:
    """The whole sealed message, to all of these certificates.

    Raises:
        DirectError: as `direct.smime.seal`.
    """
    chain = tuple(map(x509.load_der_x509_certificate, signer.chain))
    return seal(
        entity,
        headers=headers,
        signer=SigningIdentity(_key(signer), _certificate(signer), chain),
        recipients=[x509.load_der_x509_certificate(one) for one in recipients],
        algorithms=algorithms,
        signing_time=signing_time,
    )


def _key(pair: KeyPairDer) -> PrivateKey:
    # It was checked when it was imported; to do so for each message takes ten times what RSA does.
    key = load_der_private_key(pair.key, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError("a Direct key is RSA or EC")  # none other is taken up
    return key


def _certificate(pair: KeyPairDer) -> x509.Certificate:
    return x509.load_der_x509_certificate(pair.certificate)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
