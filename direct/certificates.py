"""X.509 certificates in whatever they are sent in (RFC 5280: 4.2.2.1; RFC 5652: 5.1)."""

from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import pkcs7

_MOST: Final = 64
"""So many are read of one answer: an issuer is one, and its bag holds a handful."""
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def certificates_in(data: bytes) -> tuple[x509.Certificate, ...]:
    """One certificate, or a bag of them, in DER or PEM; none if it is nothing of these."""
    readers = (
        lambda content: [x509.load_der_x509_certificate(content)],
        pkcs7.load_der_pkcs7_certificates,
        x509.load_pem_x509_certificates,
        pkcs7.load_pem_pkcs7_certificates,
    )
    for read in readers if data else ():
        try:
            return tuple(read(data)[:_MOST])
        except (ValueError, UnsupportedAlgorithm):
            continue
    return ()


def extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    """The extension of that kind, None if there is none.

    Raises:
        ValueError: the certificate's extensions cannot be read.
    """
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as problem:
        raise ValueError("the extensions of a certificate cannot be read") from problem
