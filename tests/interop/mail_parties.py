"""Who sends and receives mail in an interop run: keys as Java, openssl and we take them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from direct.smime import DecryptionKey, SigningIdentity

PASSWORD: Final = b"interop"
PrivateKey = RSAPrivateKey | ec.EllipticCurvePrivateKey
_CURVES: Final = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}


@dataclass(frozen=True, slots=True)
class MailParty:
    """One address-bound certificate with its key, and the files that hold them."""

    private_key: PrivateKey
    certificate: x509.Certificate
    store: Path
    certificate_file: Path
    key_file: Path
    anchor_file: Path

    @property
    def decryption_key(self) -> DecryptionKey:
        return DecryptionKey(self.private_key, self.certificate)

    @property
    def identity(self) -> SigningIdentity:
        return SigningIdentity(self.private_key, self.certificate)


def make_party(
    folder: Path, address: str, kind: str = "rsa2048", *, authority: str = "Mail Authority"
) -> MailParty:
    """A party under an authority of RSA, in force now; one of a kind a run."""
    return _made(folder, address, kind, authority)


@cache
def _made(folder: Path, address: str, kind: str, authority: str) -> MailParty:
    issuer_key, issuer = _authority(authority)
    key = _key(kind)
    builder = _builder(address, issuer.subject, key)
    for extension, is_critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(is_authority=False), True),
        (x509.SubjectAlternativeName([x509.RFC822Name(address)]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical=is_critical)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    stem = f"{address.partition('@')[0]}-{kind}-{authority.replace(' ', '-')}"
    party = MailParty(
        private_key=key,
        certificate=certificate,
        store=folder / f"{stem}.p12",
        certificate_file=folder / f"{stem}.pem",
        key_file=folder / f"{stem}.key",
        anchor_file=folder / f"{authority.replace(' ', '-')}.pem",
    )
    party.store.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"party", key, certificate, None, BestAvailableEncryption(PASSWORD)
        )
    )
    party.certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    party.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    party.anchor_file.write_bytes(issuer.public_bytes(Encoding.PEM))
    return party


@cache
def _authority(name: str) -> tuple[RSAPrivateKey, x509.Certificate]:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(name, subject, key)
    for extension, is_critical in (
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (_usage(is_authority=True), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical=is_critical)
    return key, builder.sign(key, hashes.SHA256())


def _key(kind: str) -> PrivateKey:
    if kind.startswith("rsa"):
        return generate_private_key(public_exponent=65537, key_size=int(kind.removeprefix("rsa")))
    return ec.generate_private_key(_CURVES[kind])


def _builder(name: str, issuer: x509.Name, key: PrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
    )


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=not is_authority,
        data_encipherment=False,
        key_agreement=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
