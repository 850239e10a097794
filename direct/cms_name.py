"""How what we write names a certificate, and an algorithm (RFC 5652: 6.2.1, 10.1)."""

from functools import cache

from asn1crypto.core import Integer, ObjectIdentifier
from asn1crypto.x509 import Certificate
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from direct import ber
from direct.ber import tlv


@cache
def encode_oid(dotted: str) -> bytes:
    """An object identifier in DER."""
    encoded: bytes = ObjectIdentifier(dotted).dump()
    return encoded


def name_key(certificate: x509.Certificate, *, by_identifier: bool) -> bytes:
    """IssuerAndSerialNumber, or the [0] subject key identifier.

    The issuer is copied from the certificate octet by octet: readers compare it so.
    """
    if by_identifier:
        return tlv(0x80, identify(certificate))
    issuer = Certificate.load(certificate.public_bytes(Encoding.DER)).issuer.dump()
    return tlv(ber.SEQUENCE, issuer, Integer(certificate.serial_number).dump())


def identify(certificate: x509.Certificate) -> bytes:
    """Its subject key identifier as stated, else as RFC 5280: 4.2.1.2 would have it."""
    try:
        stated = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest
    return stated.value.digest
