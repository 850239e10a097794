"""Keys of every party to an interop run: one certificate authority, and one stranger to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

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
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PASSWORD = "only-for-loopback"
PrivateKey = RSAPrivateKey | ec.EllipticCurvePrivateKey
_CURVES = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}


@dataclass(frozen=True, slots=True)
class Identity:
    """One key and its certificate, as PKCS#12 for Java and as PEM for everybody else."""

    store: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody on the network: the TLS identity and the signing identity are two."""

    tls: Identity
    signing: Identity


@dataclass(frozen=True, slots=True)
class Certificates:
    """Everybody, and whom they trust; `stranger` is named like `initiator` but trusted by none.

    `on_curves` are other signing identities of the initiator.
    """

    trust_store: Path
    authority: Path
    responder: Party
    initiator: Party
    gateway: Party
    stranger: Party
    on_curves: Mapping[str, Identity]


@dataclass(frozen=True, slots=True)
class _Authority:
    key: RSAPrivateKey
    certificate: x509.Certificate


def make_certificates(folder: Path) -> Certificates:
    """Writes fresh keys into `folder`; each run has its own."""
    authority = _authority("Interop CA")
    (folder / "authority.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    entry = pkcs12.PKCS12Certificate(authority.certificate, b"authority")
    # Java trusts what carries its own bag attribute, which only this function writes.
    (folder / "trust.p12").write_bytes(
        pkcs12.serialize_java_truststore([entry], BestAvailableEncryption(PASSWORD.encode()))
    )
    return Certificates(
        trust_store=folder / "trust.p12",
        authority=folder / "authority.pem",
        responder=_party(folder, "responder", "responder", authority),
        initiator=_party(folder, "initiator", "initiator", authority),
        gateway=_party(folder, "gateway", "gateway", authority),
        stranger=_party(folder, "stranger", "initiator", _authority("Interop CA")),
        on_curves={
            name: _identity(
                folder / name, "initiator signing", authority, ec.generate_private_key(curve)
            )
            for name, curve in _CURVES.items()
        },
    )


def _party(folder: Path, file_name: str, common_name: str, authority: _Authority) -> Party:
    return Party(
        tls=_identity(folder / f"{file_name}-tls", f"{common_name} tls", authority),
        signing=_identity(folder / f"{file_name}-signing", f"{common_name} signing", authority),
    )


def _identity(
    stem: Path, common_name: str, authority: _Authority, key: PrivateKey | None = None
) -> Identity:
    key = key or _key()
    certificate = (
        _builder(_name(common_name), authority.certificate.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("localhost"),
                    # What binds a signing certificate that only chains to its party.
                    x509.DNSName(f"{common_name.split()[0]}.interop.test"),
                    x509.IPAddress(IPv4Address("127.0.0.1")),
                ]
            ),
            critical=False,
        )
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
        .sign(authority.key, hashes.SHA256())
    )
    identity = Identity(
        store=stem.with_suffix(".p12"),
        certificate=stem.with_suffix(".pem"),
        key=stem.with_suffix(".key"),
    )
    identity.store.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"own",
            key,
            certificate,
            [authority.certificate],
            BestAvailableEncryption(PASSWORD.encode()),
        )
    )
    identity.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    identity.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return identity


def _authority(common_name: str) -> _Authority:
    key = _key()
    name = _name(common_name)
    certificate = (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_ca_usage(), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _Authority(key, certificate)


def _ca_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: PrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Interop"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)
