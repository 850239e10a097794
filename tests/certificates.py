"""Certificates for tests: authorities and leaves, made once a process.

Every maker is cached by its arguments, so the same call gives the same key: two tests may share a
partner, and none waits for RSA twice.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ihe.trust import SigningKey

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""The clock of tests that need none of their own; every certificate here is in force then."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def signing_key(self) -> SigningKey:
        return SigningKey(self.key, self.certificate)

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@cache
def private_key(owner: str, kind: str = "rsa") -> PrivateKey:
    """`kind` is "rsa" (2048 bits), "rsa1024", "p256" or "p384"; one key per owner and kind."""
    if kind.startswith("rsa"):
        size = int(kind.removeprefix("rsa") or "2048")
        return rsa.generate_private_key(public_exponent=65537, key_size=size)
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])


@cache
def authority(name: str = "Test Authority") -> Issued:
    """A self-signed CA that meets the Web PKI's demands on one."""
    key = private_key(name, "p256")
    subject = _name(name)
    builder = _builder(subject, subject, key, NOW - timedelta(days=365), NOW + timedelta(days=3650))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
    builder = builder.add_extension(_usage(ca=True), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    return Issued(builder.sign(key, hashes.SHA256()), key)


@cache
def leaf(
    name: str,
    *,
    issuer: str = "Test Authority",
    kind: str = "rsa",
    host: str | None = None,
    address: str | None = None,
    not_before: datetime = NOW - timedelta(days=30),
    not_after: datetime = NOW + timedelta(days=365),
    may_sign: bool = True,
) -> Issued:
    """A certificate for signing and TLS; `host` and `address` become its subjectAltName."""
    by = authority(issuer)
    key = private_key(name, kind)
    builder = _builder(_name(name), by.certificate.subject, key, not_before, not_after)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(ca=False, may_sign=may_sign), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), False),
    ]
    names: list[x509.GeneralName] = [] if host is None else [x509.DNSName(host)]
    if address is not None:
        names.append(x509.RFC822Name(address))
    if names:
        extensions.append((x509.SubjectAlternativeName(names), False))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Issued(builder.sign(by.key, hashes.SHA256()), key)


def _name(text: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Gateway tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, text),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _usage(*, ca: bool, may_sign: bool = True) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca and may_sign,
        content_commitment=False,
        key_encipherment=not ca,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
