"""EnvelopedData, AuthEnvelopedData and SignedData as values (RFC 5652: 5, 6; RFC 5083: 2.1).

Only what the rest of a message is judged by is read; large content stays where it lies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from asn1crypto.x509 import Name
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from direct import ber
from direct.ber import Element, find_element
from direct.certificates import read_certificate
from direct.cms_name import identify
from direct.errors import (
    AlgorithmRefused,
    MalformedMessage,
    MessageTooLarge,
    NotEncrypted,
    NotSigned,
)

DATA: Final = "1.2.840.113549.1.7.1"
SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
ENVELOPED_DATA: Final = "1.2.840.113549.1.7.3"
AUTH_ENVELOPED_DATA: Final = "1.2.840.113549.1.9.16.1.23"
COMPRESSED_DATA: Final = "1.2.840.113549.1.9.16.1.9"
RECIPIENTS: Final = 500
SIGNERS: Final = 4
"""Each is judged: where nobody answers, fetching its issuers alone takes half a minute."""
CERTIFICATES: Final = 64


@dataclass(frozen=True, slots=True)
class KeyName:
    """How a message names a key: by issuer and serial number, or by subject key identifier."""

    issuer: bytes | None
    serial: int | None
    identifier: bytes | None

    def names(self, certificate: x509.Certificate) -> bool:
        """Whether this certificate is meant."""
        if self.identifier is not None:
            return self.identifier == _identifier(certificate)
        if self.issuer is None or certificate.serial_number != self.serial:
            return False
        ours = certificate.issuer.public_bytes()
        return ours == self.issuer or _is_same_name(ours, self.issuer)


@dataclass(frozen=True, slots=True)
class AlgorithmIdentifier:
    """An algorithm's object identifier, its parameters, and itself as encoded in DER."""

    oid: str
    parameters: Element | None
    der: bytes


@dataclass(frozen=True, slots=True)
class KeyTransport:
    """KeyTransRecipientInfo (RFC 5652: 6.2.1)."""

    recipient: KeyName
    algorithm: AlgorithmIdentifier
    encrypted_key: bytes


@dataclass(frozen=True, slots=True)
class KeyAgreement:
    """One recipient of a KeyAgreeRecipientInfo (RFC 5652: 6.2.2; RFC 5753: 3.1.1).

    `originator_point` is the sender's ephemeral public key as an uncompressed point.
    """

    recipient: KeyName
    originator_point: bytes
    ukm: bytes | None
    algorithm: AlgorithmIdentifier
    encrypted_key: bytes


Recipient = KeyTransport | KeyAgreement


@dataclass(frozen=True, slots=True)
class Enveloped:
    """EnvelopedData, or AuthEnvelopedData: then `mac` is the tag and `attributes` are bound to it.

    `recipients` leaves out what is no key of a certificate: passwords and shared keys.
    """

    recipients: tuple[Recipient, ...]
    recipient_count: int
    cipher: AlgorithmIdentifier
    ciphertext: memoryview
    is_authenticated: bool
    mac: bytes = b""
    attributes: bytes = b""


@dataclass(frozen=True, slots=True)
class SignerInfo:
    """SignerInfo (RFC 5652: 5.3); `attributes` is the [0] element of the signed attributes."""

    signer: KeyName
    digest: AlgorithmIdentifier
    attributes: Element | None
    algorithm: AlgorithmIdentifier
    signature: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """SignedData; `content` is None if the signature is detached."""

    content_type: str
    content: memoryview | None
    certificates: tuple[x509.Certificate, ...]
    signers: tuple[SignerInfo, ...]


# ---- enveloped -----------------------------------------------------------------------------------


def read_enveloped(data: bytes) -> Enveloped:
    """The EnvelopedData or AuthEnvelopedData in a ContentInfo.

    Raises:
        MalformedMessage: it cannot be read.
        NotEncrypted: it is something else.
    """
    content_type, body = _read_content_info(data)
    if content_type not in (ENVELOPED_DATA, AUTH_ENVELOPED_DATA):
        raise NotEncrypted("the CMS structure is no enveloped-data")
    is_authenticated = content_type == AUTH_ENVELOPED_DATA
    parts = list(_expect(body, ber.SEQUENCE).parts())[1:]
    if parts and parts[0].tag == 0xA0:  # originatorInfo: certificates that we have no use for
        parts.pop(0)
    if len(parts) < 2:
        raise MalformedMessage("the CMS structure lacks an element")
    infos = _expect(parts[0], ber.SET).parts()
    if len(infos) > RECIPIENTS:
        raise MessageTooLarge("the message has too many recipients")
    content = _expect(parts[1], ber.SEQUENCE)
    encrypted = find_element(content, 2)
    if encrypted.tag not in (0x80, 0xA0):
        raise MalformedMessage("the CMS structure lacks its encrypted content")
    mac, attributes = _authentication(parts[2:]) if is_authenticated else (b"", b"")
    return Enveloped(
        recipients=tuple(one for info in infos for one in _read_recipients(info)),
        recipient_count=len(infos),
        cipher=_read_algorithm(find_element(content, 1)),
        ciphertext=encrypted.octets,
        is_authenticated=is_authenticated,
        mac=mac,
        attributes=attributes,
    )


def _authentication(parts: Sequence[Element]) -> tuple[bytes, bytes]:
    """The tag, and the attributes as RFC 5083: 2.2 has them go into it."""
    attributes = b""
    if parts and parts[0].tag == 0xA1:
        attributes = parts[0].der(as_tag=ber.SET)
        parts = parts[1:]
    if not parts or parts[0].tag & ~0x20 != ber.OCTET_STRING:
        raise MalformedMessage("the CMS structure lacks its authentication tag")
    return bytes(parts[0].octets), attributes


def _read_recipients(info: Element) -> list[Recipient]:
    if info.tag == ber.SEQUENCE:
        return [
            KeyTransport(
                _read_key_name(find_element(info, 1)),
                _read_algorithm(find_element(info, 2)),
                bytes(find_element(info, 3).octets),
            )
        ]
    return _read_agreement(info) if info.tag == 0xA1 else []


def _read_agreement(info: Element) -> list[Recipient]:
    parts = list(info.parts())[1:]
    originator = find_element(parts[0], 0) if parts and parts[0].tag == 0xA0 else None
    if originator is None or originator.tag != 0xA1:
        return []  # a static key of the sender's: nobody sends it, and we would have to trust it
    point = _expect(find_element(originator, 1), ber.BIT_STRING)
    parts.pop(0)
    ukm = None
    if parts and parts[0].tag == 0xA1:
        ukm = bytes(find_element(parts.pop(0), 0).octets)
    if len(parts) < 2:
        raise MalformedMessage("the CMS structure lacks an element")
    algorithm = _read_algorithm(parts[0])
    keys = parts[1].parts()
    if len(keys) > RECIPIENTS:
        raise MessageTooLarge("the message has too many recipients")
    return [
        KeyAgreement(
            _read_key_name(find_element(key, 0)),
            bytes(point.body[1:]),
            ukm,
            algorithm,
            bytes(find_element(key, 1).octets),
        )
        for key in keys
    ]


# ---- signed --------------------------------------------------------------------------------------


def read_signed(data: bytes | memoryview) -> Signed:
    """The SignedData in a ContentInfo.

    Raises:
        MalformedMessage: it cannot be read.
        NotSigned: it is something else.
        AlgorithmRefused: it is compressed content.
    """
    content_type, body = _read_content_info(data)
    if content_type == COMPRESSED_DATA:
        raise AlgorithmRefused("compressed content is refused")
    if content_type != SIGNED_DATA:
        raise NotSigned("what was decrypted is CMS, and no signed-data")
    parts = list(_expect(body, ber.SEQUENCE).parts())[2:]
    if len(parts) < 2:
        raise MalformedMessage("the CMS structure lacks an element")
    content = _expect(parts.pop(0), ber.SEQUENCE).parts()
    certificates = parts.pop(0).parts() if parts[0].tag == 0xA0 else ()
    if parts and parts[0].tag == 0xA1:  # crls: revocation is the judge's business
        parts.pop(0)
    if not parts:
        raise MalformedMessage("the CMS structure lacks an element")
    infos = _expect(parts[0], ber.SET).parts()
    if len(infos) > SIGNERS or len(certificates) > CERTIFICATES:
        raise MessageTooLarge("the signature has too many signers or certificates")
    if not content:
        raise MalformedMessage("the CMS structure lacks an element")
    return Signed(
        content_type=ber.oid_text(content[0]),
        content=find_element(content[1], 0).octets if len(content) > 1 else None,
        certificates=tuple(_read_certificates(certificates)),
        signers=tuple(_read_signer(info) for info in infos),
    )


def _read_certificates(elements: Sequence[Element]) -> list[x509.Certificate]:
    """Those that can be read; a chain may carry one that nobody can, and not need it."""
    found = []
    for element in elements:
        if element.tag == ber.SEQUENCE:
            # Its own signature covers its octets: encoded anew only if they cannot be DER.
            encoded = bytes(element.raw) if element.is_plain else element.der()
            try:
                found.append(read_certificate(encoded))
            except ValueError:
                continue
    return found


def _read_signer(info: Element) -> SignerInfo:
    parts = list(_expect(info, ber.SEQUENCE).parts())
    if len(parts) < 5:
        raise MalformedMessage("the CMS structure lacks an element")
    attributes = parts.pop(3) if parts[3].tag == 0xA0 else None
    if len(parts) < 5:
        raise MalformedMessage("the CMS structure lacks an element")
    return SignerInfo(
        signer=_read_key_name(parts[1]),
        digest=_read_algorithm(parts[2]),
        attributes=attributes,
        algorithm=_read_algorithm(parts[3]),
        signature=bytes(parts[4].octets),
    )


# ---- both ----------------------------------------------------------------------------------------


def _read_content_info(data: bytes | memoryview) -> tuple[str, Element]:
    info = _expect(ber.read(data), ber.SEQUENCE)
    wrapped = find_element(info, 1)
    if wrapped.tag != 0xA0:
        raise MalformedMessage("the CMS structure lacks its content")
    return ber.oid_text(find_element(info, 0)), find_element(wrapped, 0)


def _read_algorithm(element: Element) -> AlgorithmIdentifier:
    parts = _expect(element, ber.SEQUENCE).parts()
    if not parts:
        raise MalformedMessage("the CMS structure lacks an object identifier")
    parameters = parts[1] if len(parts) > 1 else None
    return AlgorithmIdentifier(ber.oid_text(parts[0]), parameters, element.der())


def _read_key_name(element: Element) -> KeyName:
    if element.tag == ber.SEQUENCE:
        serial = _expect(find_element(element, 1), ber.INTEGER)
        number = int.from_bytes(serial.body, signed=True)
        return KeyName(find_element(element, 0).der(), number, None)
    if element.tag == 0x80:
        return KeyName(None, None, bytes(element.body))
    if element.tag == 0xA0:  # in pieces, or a RecipientKeyIdentifier, which begins with one
        return KeyName(None, None, bytes(find_element(element, 0).octets))
    raise MalformedMessage("a recipient or signer is named in no known way")


def _expect(element: Element, tag: int) -> Element:
    if element.tag != tag:
        raise MalformedMessage("the CMS structure holds something else than it should")
    return element


def _identifier(certificate: x509.Certificate) -> bytes | None:
    try:
        return identify(certificate)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension):
        return None  # a certificate of the sender's with extensions or a key that nobody can read


def _is_same_name(ours: bytes, theirs: bytes) -> bool:
    """RFC 5280: 7.1: a writer may have chosen another kind of string for the same words."""
    try:
        return bool(Name.load(ours, strict=True) == Name.load(theirs, strict=True))
    except (ValueError, TypeError, KeyError):
        return False
