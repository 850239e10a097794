"""Content enveloped for several recipients, each reached in its own way (RFC 5652: 6; RFC 5083).

CBC makes an EnvelopedData, GCM an AuthEnvelopedData. RSA keys are reached by OAEP or PKCS #1 v1.5,
elliptic curve keys by ECDH with an ephemeral key each (RFC 5753: 3.1).
"""

import secrets
from collections.abc import Sequence
from typing import Final

from asn1crypto import algos
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from direct import ber
from direct.ber import tlv
from direct.cms_algorithms import (
    CIPHERS,
    EC_PUBLIC_KEY,
    HASHES,
    KEY_AGREEMENTS,
    KEY_WRAPS,
    RSA_OAEP,
    RSA_PKCS1V15,
    AlgorithmPolicy,
    SealAlgorithms,
)
from direct.cms_decrypt import shared_info
from direct.cms_name import encode_oid, name_key
from direct.cms_structure import AUTH_ENVELOPED_DATA, DATA, ENVELOPED_DATA

_CIPHER_OIDS: Final = {name: oid for oid, name in CIPHERS.items()}
_WRAP_OIDS: Final = {size: oid for oid, size in KEY_WRAPS.items()}
# The standard scheme, not the cofactor's: the first of each digest in the table.
_AGREEMENT_OIDS: Final = {name: oid for oid, name in reversed(KEY_AGREEMENTS.items())}
_BLOCK: Final = 16
_NULL: Final = b"\x05\x00"


def encrypt(
    content: Sequence[bytes],
    recipients: Sequence[x509.Certificate],
    algorithms: SealAlgorithms,
    policy: AlgorithmPolicy,
) -> list[bytes]:
    """The pieces joined and enveloped, as a ContentInfo in DER in pieces.

    Raises:
        ValueError: there is no recipient.
        AlgorithmRefused: a recipient's key is of a kind or length that we do not use.
    """
    if not recipients:
        raise ValueError("a message needs a recipient")
    for certificate in recipients:
        policy.check_key(certificate.public_key())
    key = secrets.token_bytes(int(algorithms.cipher[3:6]) // 8)
    is_gcm = algorithms.cipher.endswith("-gcm")
    nonce = secrets.token_bytes(12 if is_gcm else _BLOCK)
    infos = [_recipient_info(one, key, algorithms) for one in recipients]
    infos.sort()
    ciphertext, mac = _gcm(content, key, nonce) if is_gcm else (_cbc(content, key, nonce), b"")
    parameters = tlv(ber.OCTET_STRING, nonce)
    if is_gcm:
        parameters = tlv(ber.SEQUENCE, parameters, tlv(ber.INTEGER, bytes((len(mac),))))
    cipher = tlv(ber.SEQUENCE, encode_oid(_CIPHER_OIDS[algorithms.cipher]), parameters)
    before = (_version(infos, is_gcm=is_gcm), tlv(ber.SET, *infos))
    info = (encode_oid(DATA), cipher)
    after = tlv(ber.OCTET_STRING, mac) if is_gcm else b""
    return _nest(is_gcm, before, info, ciphertext, after)


def _nest(
    is_gcm: bool,
    before: Sequence[bytes],
    info: Sequence[bytes],
    ciphertext: Sequence[bytes],
    after: bytes,
) -> list[bytes]:
    """The structures around the ciphertext, which is copied no more."""
    length = sum(map(len, ciphertext))
    inner = b"".join((*info, ber.head(0x80, length)))
    middle = b"".join((*before, ber.head(ber.SEQUENCE, len(inner) + length), inner))
    body = ber.head(ber.SEQUENCE, len(middle) + length + len(after)) + middle
    explicit = ber.head(0xA0, len(body) + length + len(after)) + body
    kind = encode_oid(AUTH_ENVELOPED_DATA if is_gcm else ENVELOPED_DATA)
    outer = ber.head(ber.SEQUENCE, len(kind) + len(explicit) + length + len(after))
    return [outer + kind + explicit, *ciphertext, after]


def _version(infos: Sequence[bytes], *, is_gcm: bool) -> bytes:
    """RFC 5652: 6.1: 2 unless every recipient is named by issuer and serial; RFC 5083: 2.1: 0."""
    if is_gcm:
        return b"\x02\x01\x00"
    is_old = all(info.startswith(_OLD) for info in map(_body, infos))
    return b"\x02\x01\x00" if is_old else b"\x02\x01\x02"


_OLD: Final = b"\x02\x01\x00"


def _body(info: bytes) -> bytes:
    return bytes(ber.read(info).body)


def _cbc(content: Sequence[bytes], key: bytes, nonce: bytes) -> list[bytes]:
    encryptor = Cipher(AES(key), modes.CBC(nonce)).encryptor()
    count = _BLOCK - sum(map(len, content)) % _BLOCK
    pieces = [encryptor.update(piece) for piece in (*content, bytes((count,)) * count)]
    return [*pieces, encryptor.finalize()]


def _gcm(content: Sequence[bytes], key: bytes, nonce: bytes) -> tuple[list[bytes], bytes]:
    encryptor = Cipher(AES(key), modes.GCM(nonce)).encryptor()
    pieces = [encryptor.update(piece) for piece in content]
    return [*pieces, encryptor.finalize()], encryptor.tag


# ---- recipients ----------------------------------------------------------------------------------


def _recipient_info(
    certificate: x509.Certificate, content_key: bytes, algorithms: SealAlgorithms
) -> bytes:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _agree(certificate, key, content_key, algorithms)
    assert isinstance(key, rsa.RSAPublicKey)  # noqa: S101 (the policy takes no other kind)
    is_ski = algorithms.recipient_id == "ski"
    name = name_key(certificate, by_identifier=is_ski)
    if algorithms.key_transport == "rsa-pkcs1v15":
        algorithm = tlv(ber.SEQUENCE, encode_oid(RSA_PKCS1V15), _NULL)
        encrypted = key.encrypt(content_key, padding.PKCS1v15())
    else:
        digest = HASHES[algorithms.oaep_digest]
        algorithm = _oaep(algorithms.oaep_digest)
        encrypted = key.encrypt(
            content_key, padding.OAEP(padding.MGF1(digest()), digest(), label=None)
        )
    version = b"\x02\x01\x02" if is_ski else _OLD
    return tlv(ber.SEQUENCE, version, name, algorithm, tlv(ber.OCTET_STRING, encrypted))


def _oaep(digest: str) -> bytes:
    """RFC 4055: 4.1: what equals the default, SHA-1, is left out."""
    hashing = algos.DigestAlgorithm({"algorithm": digest})
    parameters = algos.RSAESOAEPParams(
        {
            "hash_algorithm": hashing,
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": hashing},
        }
    )
    encoded = b"\x30\x00" if digest == "sha1" else parameters.dump()
    return tlv(ber.SEQUENCE, encode_oid(RSA_OAEP), encoded)


def _agree(
    certificate: x509.Certificate,
    key: ec.EllipticCurvePublicKey,
    content_key: bytes,
    algorithms: SealAlgorithms,
) -> bytes:
    """RFC 5753: 3.1.1; the wrapping key is as long as the content's (7.2)."""
    size = len(content_key)
    wrap = tlv(ber.SEQUENCE, encode_oid(_WRAP_OIDS[size]))
    ephemeral = ec.generate_private_key(key.curve)
    digest: hashes.HashAlgorithm = HASHES[algorithms.agreement_digest]()
    secret = ephemeral.exchange(ec.ECDH(), key)
    wrapping = X963KDF(digest, size, shared_info(wrap, None, size)).derive(secret)
    point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    originator = tlv(
        0xA1,
        tlv(ber.SEQUENCE, encode_oid(EC_PUBLIC_KEY)),
        tlv(ber.BIT_STRING, b"\x00", point),
    )
    if algorithms.recipient_id == "ski":
        identifier = ber.read(name_key(certificate, by_identifier=True)).body
        name = tlv(0xA0, tlv(ber.OCTET_STRING, identifier))
    else:
        name = name_key(certificate, by_identifier=False)
    wrapped = tlv(ber.OCTET_STRING, aes_key_wrap(wrapping, content_key))
    return tlv(
        0xA1,
        b"\x02\x01\x03",
        tlv(0xA0, originator),
        tlv(ber.SEQUENCE, encode_oid(_AGREEMENT_OIDS[algorithms.agreement_digest]), wrap),
        tlv(ber.SEQUENCE, tlv(ber.SEQUENCE, name, wrapped)),
    )
