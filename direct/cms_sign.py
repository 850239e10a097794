"""SignedData with a detached signature (RFC 5652: 5; RFC 8551: 2.5)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from asn1crypto.algos import DigestAlgorithm, RSASSAPSSParams
from asn1crypto.core import UTCTime
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from direct import ber
from direct.ber import tlv
from direct.cms_algorithms import (
    DIGESTS,
    ECDSA_SIGNATURES,
    HASHES,
    RSA_PSS,
    RSA_SIGNATURES,
    AlgorithmPolicy,
    SealAlgorithms,
)
from direct.cms_name import encode_oid, name_key
from direct.cms_structure import DATA, SIGNED_DATA
from direct.cms_verify import CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME

_DIGEST_OIDS: Final = {name: oid for oid, name in DIGESTS.items()}
_RSA_OIDS: Final = {name: oid for oid, name in RSA_SIGNATURES.items()}
_ECDSA_OIDS: Final = {name: oid for oid, name in ECDSA_SIGNATURES.items()}
_NULL: Final = b"\x05\x00"


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """Our key, its certificate, and the intermediates that a reader needs (no anchor)."""

    private_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()


def sign(
    content: bytes,
    signer: SigningIdentity,
    algorithms: SealAlgorithms,
    policy: AlgorithmPolicy,
    *,
    signing_time: datetime | None = None,
) -> bytes:
    """A ContentInfo in DER with the signature over `content`, which is not in it.

    Raises:
        AlgorithmRefused: our key is of a kind or length that others would refuse.
    """
    policy.check_key(signer.private_key.public_key())
    digest = hashes.Hash(HASHES[algorithms.digest]())
    digest.update(content)
    attributes = _attributes(digest.finalize(), signing_time)
    # RFC 5754: 2: the parameters of SHA-2 are absent.
    digest_algorithm = tlv(ber.SEQUENCE, encode_oid(_DIGEST_OIDS[algorithms.digest]))
    algorithm, signature = _sign_octets(tlv(ber.SET, attributes), signer, algorithms)
    info = tlv(
        ber.SEQUENCE,
        b"\x02\x01\x01",
        name_key(signer.certificate, by_identifier=False),
        digest_algorithm,
        tlv(0xA0, attributes),
        algorithm,
        tlv(ber.OCTET_STRING, signature),
    )
    certificates = {one.public_bytes(Encoding.DER) for one in (signer.certificate, *signer.chain)}
    signed = tlv(
        ber.SEQUENCE,
        b"\x02\x01\x01",
        tlv(ber.SET, digest_algorithm),
        tlv(ber.SEQUENCE, encode_oid(DATA)),
        tlv(0xA0, *sorted(certificates)),
        tlv(ber.SET, info),
    )
    return tlv(ber.SEQUENCE, encode_oid(SIGNED_DATA), tlv(0xA0, signed))


def _attributes(digest: bytes, signing_time: datetime | None) -> bytes:
    """The signed attributes as the content of their set."""
    found = [
        _attribute(CONTENT_TYPE, encode_oid(DATA)),
        _attribute(MESSAGE_DIGEST, tlv(ber.OCTET_STRING, digest)),
    ]
    if signing_time is not None:
        # RFC 5652: 11.3: UTCTime serves through 2049.
        told = UTCTime(signing_time.astimezone(UTC).replace(microsecond=0))
        found.append(_attribute(SIGNING_TIME, told.dump()))
    return b"".join(sorted(found))


def _attribute(oid: str, value: bytes) -> bytes:
    return tlv(ber.SEQUENCE, encode_oid(oid), tlv(ber.SET, value))


def _sign_octets(
    octets: bytes, signer: SigningIdentity, algorithms: SealAlgorithms
) -> tuple[bytes, bytes]:
    """The signature algorithm's identifier, and the signature."""
    name, key = algorithms.digest, signer.private_key
    digest = HASHES[name]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return tlv(ber.SEQUENCE, encode_oid(_ECDSA_OIDS[name])), key.sign(octets, ec.ECDSA(digest))
    if algorithms.rsa_signature == "pkcs1v15":
        identifier = tlv(ber.SEQUENCE, encode_oid(_RSA_OIDS[name]), _NULL)
        return identifier, key.sign(octets, padding.PKCS1v15(), digest)
    signature = key.sign(octets, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    return _pss(name, digest.digest_size), signature


def _pss(digest: str, salt: int) -> bytes:
    """RFC 4056: 2.2, with a salt as long as the digest."""
    hashing = DigestAlgorithm({"algorithm": digest})
    parameters = RSASSAPSSParams(
        {
            "hash_algorithm": hashing,
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": hashing},
            "salt_length": salt,
        }
    )
    return tlv(ber.SEQUENCE, encode_oid(RSA_PSS), parameters.dump())
