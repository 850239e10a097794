"""X.509 certificates in whatever they are sent in (RFC 5280: 4.2.2.1; RFC 5652: 5.1; RFC 7468).

A bag is a certificate, or a signed-data whose certificates are what it is sent for: `.p7b`,
`.p7c`. It comes in DER, in BER, and as text whatever its name says.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from cryptography import x509

from direct import ber
from direct.ber import Element, find_element
from direct.errors import DirectError, MalformedMessage, MessageTooLarge

MOST_CERTIFICATES: Final = 500
"""In one bag; the accredited bundle has some two hundred."""
_MOST_ISSUERS: Final = 64
"""So many are read of where an issuer is said to lie: it is one, and its bag holds a handful."""
_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_BLANKS: Final = b"\xef\xbb\xbf \t\r\n"
_BEGIN, _DASHES = b"-----BEGIN ", b"-----"
_CERTIFICATE_LABELS: Final = (b"CERTIFICATE", b"X509 CERTIFICATE")
_BAG_LABELS: Final = (b"PKCS7", b"CMS", b"PKCS #7 SIGNED DATA")
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class Bag:
    """What a bag holds, each certificate once; `unread` could not be read as any.

    `content` is what else it carries, and `is_signed` whether somebody signed that: no signature
    is over the certificates of a bag.
    """

    certificates: tuple[x509.Certificate, ...]
    unread: int
    content: bytes | None
    is_signed: bool


def read_bag(data: bytes) -> Bag:
    """The bag in `data`.

    Raises:
        MalformedMessage: it is none, or cannot be read.
        MessageTooLarge: it holds more than any honest one.
    """
    return _bag(list(_wrapped(decode_text(data))))


def certificates_in(data: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates in what lies at the address of an issuer; none if it is no bag."""
    try:
        return read_bag(data).certificates[:_MOST_ISSUERS]
    except DirectError:
        return ()


def read_certificate(der: bytes) -> x509.Certificate:
    """The certificate, its names read: whoever judges it asks for them, and must not stumble.

    Raises:
        ValueError: it is none that can be read.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = (certificate.issuer, certificate.subject)  # they are read when asked for
    except x509.InvalidVersion as problem:
        raise ValueError("the version of a certificate is unknown") from problem
    return certificate


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


# ---- text ------------------------------------------------------------------------------------


def decode_text(data: bytes) -> tuple[bytes, ...]:
    """The structures in `data`: itself, or those of which it is the text (PEM, or base64 alone).

    Raises:
        MalformedMessage: it looks like text and cannot be decoded.
    """
    start = data.lstrip(_BLANKS)
    if start[:1] == b"\x30":
        # A structure, though there be a PEM text inside it: that is what its signature covers.
        return (start,)
    if start.startswith(b"MII"):
        return (_decode(start),)
    return tuple(_pem_blocks(start)) or (start,)


def _pem_blocks(data: bytes) -> Iterator[bytes]:
    at = data.find(_BEGIN)
    while at >= 0:
        begin = at + len(_BEGIN)
        stop = data.find(_DASHES, begin, begin + 64)
        label = data[begin:stop] if stop >= 0 else b""
        end = data.find(b"-----END " + label + _DASHES, begin)
        if not label or end < 0:
            raise MalformedMessage("a PEM text is cut off")
        if label in (*_CERTIFICATE_LABELS, *_BAG_LABELS):
            yield _decode(data[stop + len(_DASHES) : end])
        at = data.find(_BEGIN, end)


def _decode(text: bytes) -> bytes:
    try:
        return b64decode(b"".join(text.split()), validate=True)
    except (Base64Error, ValueError):
        raise MalformedMessage("a PEM text is no base64") from None


# ---- structures ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Held:
    """What one structure holds: certificates as they are encoded."""

    encoded: tuple[bytes, ...]
    content: bytes | None = None
    is_signed: bool = False


def _wrapped(structures: Sequence[bytes]) -> Iterator[_Held]:
    for structure in structures:
        element = ber.read(structure)
        parts = element.parts()
        if element.tag == ber.SEQUENCE and parts and parts[0].tag == ber.OID:
            yield _read_signed_data(element)
        else:
            yield _Held((_encoded(element),))


def _read_signed_data(info: Element) -> _Held:
    if ber.oid_text(find_element(info, 0)) != _SIGNED_DATA:
        raise MalformedMessage("the structure is CMS, and no signed-data")
    parts = list(find_element(info, 1, 0).parts())
    if len(parts) < 4:
        raise MalformedMessage("the CMS structure lacks an element")
    content = parts[2].parts()
    held = next((part.parts() for part in parts[3:] if part.tag == 0xA0), ())
    return _Held(
        encoded=tuple(_encoded(one) for one in held if one.tag == ber.SEQUENCE),
        content=bytes(find_element(content[1], 0).octets) if len(content) > 1 else None,
        is_signed=bool(parts[-1].tag == ber.SET and parts[-1].parts()),
    )


def _encoded(element: Element) -> bytes:
    # A certificate's signature covers its octets: encoded anew only if they cannot be DER.
    return bytes(element.raw) if element.is_plain else element.der()


def _bag(held: Sequence[_Held]) -> Bag:
    encoded = dict.fromkeys(one for part in held for one in part.encoded)
    if len(encoded) > MOST_CERTIFICATES:
        raise MessageTooLarge("there are too many certificates")
    found, unread = [], 0
    for one in encoded:
        try:
            found.append(read_certificate(one))
        except ValueError:
            unread += 1
    return Bag(
        certificates=tuple(found),
        unread=unread,
        content=next((part.content for part in held if part.content), None),
        is_signed=any(part.is_signed for part in held),
    )
