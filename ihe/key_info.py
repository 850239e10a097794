"""ds:KeyInfo: the certificates and keys that a message names (XML Signature 1.1: 4.5).

What stands here is a hint. Whether a key may be believed is decided in `trust`.
"""

from base64 import b64encode
from binascii import a2b_base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from ccda.safe_xml import Element
from ccda.values import quickly_made
from ihe.errors import SecurityRefused
from ihe.namespaces import children, name, spaces

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
Family = Literal["RSA", "ECDSA"]

_CURVES: Final[dict[str, ec.EllipticCurve]] = {
    "urn:oid:1.2.840.10045.3.1.7": ec.SECP256R1(),
    "urn:oid:1.3.132.0.34": ec.SECP384R1(),
    "urn:oid:1.3.132.0.35": ec.SECP521R1(),
}
_KEPT: Final = 1024
"""Certificates and keys that were met before: to read one costs more than to verify with it."""
_USUAL: Final = 8192
"""Characters of a certificate that is kept; messages must not be able to fill the memory."""
_X509_DATA: Final = name("ds:X509Data")
_KEY_VALUES: Final = frozenset({name("ds:KeyValue"), name("dsig11:DEREncodedKeyValue")})
_CURVE_URIS: Final = {curve.name: uri for uri, curve in _CURVES.items()}


@quickly_made
@dataclass(frozen=True, slots=True)
class KeyInfo:
    """The certificates in X509Data, in their order, and the key in KeyValue."""

    certificates: tuple[x509.Certificate, ...] = ()
    key: PublicKey | None = None


def read_key_info(element: Element | None) -> KeyInfo:
    """What a ds:KeyInfo names; other ways to name a key are left aside.

    Raises:
        SecurityRefused: a certificate or key cannot be read, or there is more than one KeyValue.
    """
    if element is None:
        return KeyInfo()
    values, certificates = list[Element](), list[x509.Certificate]()
    for child in element:
        if child.tag == _X509_DATA:
            certificates += (
                read_certificate(one.text) for one in children(child, "ds:X509Certificate")
            )
        elif child.tag in _KEY_VALUES:
            values.append(child)
    if len(values) > 1:
        raise SecurityRefused("a KeyInfo has more than one KeyValue")
    return KeyInfo(tuple(certificates), _read_key_value(values[0]) if values else None)


def read_certificate(text: str | None) -> x509.Certificate:
    """A certificate in base64 DER.

    Raises:
        SecurityRefused: it is none.
    """
    spelled = text or ""
    return _known_certificate(spelled) if len(spelled) <= _USUAL else _load_certificate(spelled)


def _load_certificate(text: str) -> x509.Certificate:
    der = read_base64(text)
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        raise SecurityRefused("a certificate in the message cannot be read") from None


_known_certificate = lru_cache(_KEPT)(_load_certificate)


def read_base64(text: str | None) -> bytes:
    """Base64 with line breaks; nothing else is skipped, so one value has one spelling.

    Raises:
        SecurityRefused: it is empty or no base64.
    """
    packed = "".join((text or "").split())
    try:
        decoded = a2b_base64(packed, strict_mode=True)
    except ValueError:
        raise SecurityRefused("a value in the security header is no base64") from None
    if not decoded:
        raise SecurityRefused("a value in the security header is empty")
    return decoded


def public_key(certificate: x509.Certificate) -> PublicKey:
    """The certificate's key, if it is of a kind and size we take.

    Raises:
        SecurityRefused: neither RSA of 2048 bits or more, nor a NIST curve.
    """
    try:
        key = _key_of(certificate)
    except ValueError:
        raise SecurityRefused("a certificate's key cannot be read") from None
    if family_of(type(key)) is None:
        raise SecurityRefused("a certificate's key is neither RSA nor ECDSA")
    return check_strength(cast(PublicKey, key))


@lru_cache(_KEPT)
def _key_of(certificate: x509.Certificate) -> CertificatePublicKeyTypes:
    return certificate.public_key()


@lru_cache(_KEPT)
def family_of(kind: type) -> Family | None:
    """Of which family the keys of a class are, public or private; None of any other.

    To ask whether a key is one of an abstract class takes as long as to canonicalise an element.
    """
    if issubclass(kind, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return "RSA"
    is_ec = issubclass(kind, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey)
    return "ECDSA" if is_ec else None


def check_strength(key: PublicKey) -> PublicKey:
    """`key`, if NIST SP 800-131A still allows it.

    Raises:
        SecurityRefused: it does not.
    """
    if family_of(type(key)) == "RSA":
        of_rsa = cast(rsa.RSAPublicKey, key)
        # Above 8192 bits a single verification takes long enough to be a weapon.
        if not 2048 <= of_rsa.key_size <= 8192:
            raise SecurityRefused("an RSA key has fewer than 2048 bits, or too many")
        # NIST FIPS 186-4: B.3.1. With one as long as the modulus it takes a hundred times as long.
        if of_rsa.public_numbers().e.bit_length() > 256:
            raise SecurityRefused("an RSA key has a public exponent of more than 256 bits")
    elif cast(ec.EllipticCurvePublicKey, key).curve.name not in _CURVE_URIS:
        raise SecurityRefused("an ECDSA key is on none of the curves P-256, P-384, P-521")
    return key


def same_key(one: PublicKey, other: PublicKey) -> bool:
    """Whether both are the same key."""
    return one == other


def _read_key_value(value: Element) -> PublicKey:
    rsa_value = value.find(name("ds:RSAKeyValue"))
    ec_value = value.find(name("dsig11:ECKeyValue"))
    try:
        if rsa_value is not None:
            modulus = _number(rsa_value.findtext(name("ds:Modulus")))
            exponent = _number(rsa_value.findtext(name("ds:Exponent")))
            return rsa.RSAPublicNumbers(exponent, modulus).public_key()
        if ec_value is not None:
            curve = ec_value.find(name("dsig11:NamedCurve"))
            point = read_base64(ec_value.findtext(name("dsig11:PublicKey")))
            uri = "" if curve is None else curve.get("URI", "")
            if uri in _CURVES and len(point) <= _USUAL:
                return _key_at(uri, point)
    except ValueError:
        pass
    raise SecurityRefused("a KeyValue holds no key we can read")


@lru_cache(_KEPT)
def _key_at(curve_uri: str, point: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[curve_uri], point)


def _number(text: str | None) -> int:
    return int.from_bytes(read_base64(text), "big")


# ---- writing ---------------------------------------------------------------------------------


def write_key_info(certificate: x509.Certificate, *, with_key_value: bool = False) -> Element:
    """A ds:KeyInfo with `certificate`.

    `with_key_value` adds the bare key, which CONNECT's responders look for in a
    SubjectConfirmationData (NHIN Authorization Framework 3.0: 3.3.2).
    """
    key_info = etree.Element(name("ds:KeyInfo"), nsmap=spaces("ds"))
    if with_key_value:
        _add_key_value(key_info, public_key(certificate))
    data = etree.SubElement(key_info, name("ds:X509Data"))
    written = etree.SubElement(data, name("ds:X509Certificate"))
    written.text = write_certificate(certificate)
    return key_info


@lru_cache(_KEPT)
def write_certificate(certificate: x509.Certificate) -> str:
    """`certificate` in base64 DER."""
    return b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")


def _add_key_value(key_info: Element, key: PublicKey) -> None:
    value = etree.SubElement(key_info, name("ds:KeyValue"))
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        pair = etree.SubElement(value, name("ds:RSAKeyValue"))
        etree.SubElement(pair, name("ds:Modulus")).text = _write_number(numbers.n)
        etree.SubElement(pair, name("ds:Exponent")).text = _write_number(numbers.e)
        return
    pair = etree.SubElement(value, name("dsig11:ECKeyValue"), nsmap=spaces("dsig11"))
    etree.SubElement(pair, name("dsig11:NamedCurve"), URI=_CURVE_URIS[key.curve.name])
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    etree.SubElement(pair, name("dsig11:PublicKey")).text = b64encode(point).decode("ascii")


def _write_number(number: int) -> str:
    return b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode("ascii")
