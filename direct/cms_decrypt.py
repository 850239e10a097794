"""Enveloped content opened with our keys, and nobody outside learns why one did not (RFC 3218).

A content key that does not come out right is replaced by a random one and the work goes on: each
failure takes the same path, decrypts the same octets and ends in the same `DecryptionFailed`.
What is checked before a key is touched (algorithms, lengths) depends on the message alone.
"""

import io
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from asn1crypto.algos import RSAESOAEPParams
from cryptography import x509
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import constant_time, hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from direct import ber
from direct.ber import Element, find_element
from direct.cms_algorithms import (
    CIPHERS,
    DIGESTS,
    HASHES,
    KEY_AGREEMENTS,
    KEY_WRAPS,
    MGF1,
    RSA_OAEP,
    RSA_PKCS1V15,
    AlgorithmPolicy,
)
from direct.cms_structure import (
    AlgorithmIdentifier,
    Enveloped,
    KeyAgreement,
    KeyTransport,
    Recipient,
)
from direct.errors import AlgorithmRefused, DecryptionFailed, MalformedMessage, NotForUs

_BLOCK: Final = 16
_GCM_NONCE: Final = 12
_PIECE: Final = 1024 * 1024
_GCM_TAGS: Final = range(12, 17)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class DecryptionKey:
    """A key of ours with the certificate that senders encrypt to; retired ones still decrypt."""

    private_key: PrivateKey
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Decrypted:
    """The content, and by what it came: `key_transport` e.g. "rsa-oaep-sha256".

    The content is `octets` up to `end`; what follows is padding, left there to spare a copy.
    """

    octets: bytes
    end: int
    cipher: str
    key_transport: str
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class _Way:
    """How one recipient's content key is to be had; made from the message alone."""

    name: str
    rsa_padding: padding.AsymmetricPadding | None = None
    agreement: hashes.HashAlgorithm | None = None
    wrap_bytes: int = 0
    shared_info: bytes = b""


def decrypt(
    enveloped: Enveloped, keys: Sequence[DecryptionKey], policy: AlgorithmPolicy
) -> Decrypted:
    """The content of `enveloped`, by whichever of `keys` it names and that opens it.

    Raises:
        AlgorithmRefused: its cipher, or each way in which our keys are reached, is not taken.
        NotForUs: it names none of `keys`.
        DecryptionFailed: it does not open.
        MalformedMessage: its parameters cannot be.
    """
    name = policy.check_cipher(CIPHERS.get(enveloped.cipher.oid))
    if name.endswith("-gcm") != enveloped.is_authenticated:
        raise MalformedMessage("the cipher does not belong to this kind of envelope")
    size = int(name[3:6]) // 8
    nonce = _nonce(enveloped, is_gcm=enveloped.is_authenticated)
    ways = _ways(enveloped, keys, policy)
    for recipient, key, way in ways:
        content_key = _content_key(recipient, key.private_key, way, size)
        octets = _open(enveloped, content_key, nonce)
        end = _end(octets, is_padded=not enveloped.is_authenticated)
        if octets is not None and end is not None:
            return Decrypted(octets, end, name, way.name, key.certificate)
    raise DecryptionFailed


def _ways(
    enveloped: Enveloped, keys: Sequence[DecryptionKey], policy: AlgorithmPolicy
) -> list[tuple[Recipient, DecryptionKey, _Way]]:
    """For each key of ours that is named, the first recipient that names it: no more attempts
    than keys, however often a hostile message repeats one."""
    found = []
    refused: AlgorithmRefused | None = None
    for key in keys:
        recipient = next(
            (one for one in enveloped.recipients if one.recipient.names(key.certificate)), None
        )
        if recipient is None:
            continue
        try:
            policy.check_key(key.private_key.public_key())
            found.append((recipient, key, _way(recipient, key.private_key, policy)))
        except AlgorithmRefused as error:
            refused = error
    if found:
        return found
    raise refused or NotForUs("the message is encrypted to other keys than ours")


# ---- how the content key comes -------------------------------------------------------------------


def _way(recipient: Recipient, key: PrivateKey, policy: AlgorithmPolicy) -> _Way:
    if isinstance(recipient, KeyTransport) != isinstance(key, rsa.RSAPrivateKey):
        raise MalformedMessage("a recipient's key is of another kind than its certificate's")
    if isinstance(recipient, KeyAgreement):
        way = _agreement(recipient)
        policy.check_key_transport("ecdh")
    else:
        way = _transport(recipient.algorithm)
        policy.check_key_transport(way.name if way.name == "rsa-pkcs1v15" else "rsa-oaep")
    return way


def _transport(algorithm: AlgorithmIdentifier) -> _Way:
    if algorithm.oid == RSA_PKCS1V15:
        return _Way("rsa-pkcs1v15", padding.PKCS1v15())
    if algorithm.oid != RSA_OAEP:
        raise AlgorithmRefused("the key transport is not one that we know")
    encoded = b"\x30\x00" if algorithm.parameters is None else algorithm.parameters.der()
    try:
        parameters = RSAESOAEPParams.load(encoded, strict=True)
        digest = parameters["hash_algorithm"]["algorithm"].dotted
        mask = parameters["mask_gen_algorithm"]
        mask_oid, mask_digest = mask["algorithm"].dotted, mask["parameters"]["algorithm"].dotted
        label = parameters["p_source_algorithm"]["parameters"].native
    except (ValueError, TypeError, KeyError, AttributeError):
        raise MalformedMessage("the parameters of OAEP cannot be read") from None
    names = (DIGESTS.get(digest), DIGESTS.get(mask_digest))
    if mask_oid != MGF1 or None in names or "md5" in names:
        raise AlgorithmRefused("OAEP with these digests is refused")
    oaep, mgf = HASHES[str(names[0])](), HASHES[str(names[1])]()
    return _Way(f"rsa-oaep-{names[0]}", padding.OAEP(padding.MGF1(mgf), oaep, label or None))


def _agreement(recipient: KeyAgreement) -> _Way:
    digest = KEY_AGREEMENTS.get(recipient.algorithm.oid)
    wrap = recipient.algorithm.parameters
    if digest is None or wrap is None:
        raise AlgorithmRefused("the key agreement is not one that we know")
    size = KEY_WRAPS.get(ber.oid_text(find_element(wrap, 0)))
    if size is None:
        raise AlgorithmRefused("the key wrap is not AES")
    return _Way(
        f"ecdh-{digest}",
        agreement=HASHES[digest](),
        wrap_bytes=size,
        shared_info=shared_info(wrap.der(), recipient.ukm, size),
    )


def shared_info(wrap: bytes, ukm: bytes | None, size: int) -> bytes:
    """ECC-CMS-SharedInfo for a wrapping key of `size` octets (RFC 5753: 7.2)."""
    entity = b"" if ukm is None else ber.tlv(0xA0, ber.tlv(ber.OCTET_STRING, ukm))
    bits = ber.tlv(0xA2, ber.tlv(ber.OCTET_STRING, (8 * size).to_bytes(4)))
    return ber.tlv(ber.SEQUENCE, wrap, entity, bits)


def _content_key(recipient: Recipient, key: PrivateKey, way: _Way, size: int) -> bytes:
    """The content key, or a random one in its place (RFC 3218: 2.3.2)."""
    substitute = secrets.token_bytes(size)
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            assert way.rsa_padding is not None  # noqa: S101 (told to mypy; _way has made it so)
            found = key.decrypt(recipient.encrypted_key, way.rsa_padding)
        else:
            found = _unwrap(recipient, key, way)
    except (ValueError, InvalidUnwrap, UnsupportedAlgorithm):
        return substitute
    return found if len(found) == size else substitute


def _unwrap(recipient: Recipient, key: ec.EllipticCurvePrivateKey, way: _Way) -> bytes:
    assert isinstance(recipient, KeyAgreement)  # noqa: S101 (as above)
    assert way.agreement is not None  # noqa: S101
    # A point that is not on our curve is refused here, before our key meets it.
    sender = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, recipient.originator_point)
    secret = key.exchange(ec.ECDH(), sender)
    wrapping = X963KDF(way.agreement, way.wrap_bytes, way.shared_info).derive(secret)
    return aes_key_unwrap(wrapping, recipient.encrypted_key)


# ---- the content ---------------------------------------------------------------------------------


def _nonce(enveloped: Enveloped, *, is_gcm: bool) -> bytes:
    """The initialisation vector; lengths are checked here, before any key is touched."""
    parameters = enveloped.cipher.parameters
    if is_gcm:
        nonce, tag = _gcm_parameters(parameters)
        if len(nonce) != _GCM_NONCE or tag not in _GCM_TAGS or len(enveloped.mac) != tag:
            raise MalformedMessage("the parameters of GCM cannot be")
        return nonce
    if parameters is None or parameters.tag & ~0x20 != ber.OCTET_STRING:
        raise MalformedMessage("the content cipher lacks its initialisation vector")
    nonce = bytes(parameters.octets)
    if len(nonce) != _BLOCK or not enveloped.ciphertext or len(enveloped.ciphertext) % _BLOCK:
        raise MalformedMessage("the encrypted content is not of whole blocks")
    return nonce


def _gcm_parameters(parameters: Element | None) -> tuple[bytes, int]:
    """Nonce and length of the tag, twelve if not stated (RFC 5084: 3.2)."""
    if parameters is None or parameters.tag != ber.SEQUENCE:
        raise MalformedMessage("the content cipher lacks its nonce")
    nonce = bytes(find_element(parameters, 0).octets)
    if len(parameters.parts()) < 2:
        return nonce, 12
    return nonce, int.from_bytes(find_element(parameters, 1).body)


def _open(enveloped: Enveloped, key: bytes, nonce: bytes) -> bytes | None:
    if not enveloped.is_authenticated:
        decryptor = Cipher(AES(key), modes.CBC(nonce)).decryptor()
        return _in_pieces(decryptor, enveloped.ciphertext)
    mode = modes.GCM(nonce, enveloped.mac, min_tag_length=_GCM_TAGS[0])
    opener = Cipher(AES(key), mode).decryptor()
    opener.authenticate_additional_data(enveloped.attributes)
    try:
        return _in_pieces(opener, enveloped.ciphertext)
    except InvalidTag:
        return None


def _in_pieces(opener: CipherContext, ciphertext: bytes | memoryview) -> bytes:
    """All of it, held once: opened at one time it is there twice for a while."""
    whole, octets = io.BytesIO(), memoryview(ciphertext)
    for start in range(0, len(octets), _PIECE):
        whole.write(opener.update(octets[start : start + _PIECE]))
    whole.write(opener.finalize())
    return whole.getvalue()


def _end(octets: bytes | None, *, is_padded: bool) -> int | None:
    """Where the content ends, before the padding of RFC 5652: 6.3, or None if that is none.

    The last block is compared as a whole.
    """
    if octets is None or not is_padded:
        return None if octets is None else len(octets)
    count = octets[-1]
    length = min(max(count, 1), _BLOCK)
    is_whole = constant_time.bytes_eq(octets[-length:], bytes((count,)) * length)
    return len(octets) - count if is_whole and 1 <= count <= _BLOCK else None
