"""Certificates for Direct addresses and domains, of an authority of the test's own."""

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
Pair = tuple[rsa.RSAPrivateKey, x509.Certificate]


def authority(name: str = "Direct test anchor") -> Pair:
    return _authority(name)


def certified(owner: str, by: str = "Direct test anchor", *, bits: int = 2048) -> Pair:
    """A key and its certificate, bound to `owner`: an address, or else a domain."""
    return _certified(owner, by, bits)


# `cache` tells a default from the same value given: hence these, which have none.


@cache
def _authority(name: str) -> Pair:
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(subject, subject, key)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
    return key, builder.sign(key, SHA256())


@cache
def _certified(owner: str, by: str, bits: int) -> Pair:
    issuer_key, issuer = _authority(by)
    key = rsa.generate_private_key(65537, bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, owner)])
    bound = x509.RFC822Name(owner) if "@" in owner else x509.DNSName(owner)
    builder = _builder(name, issuer.subject, key)
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.SubjectAlternativeName([bound]), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
        (_usage(), True),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return key, builder.sign(issuer_key, SHA256())


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 400 * DAY)
    )
