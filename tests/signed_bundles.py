"""Trust bundles made for tests: a bag of anchors, and one under a signature."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from direct import ber
from direct.cms_algorithms import AlgorithmPolicy, SealAlgorithms
from direct.cms_name import encode_oid
from direct.cms_sign import SigningIdentity, sign
from direct.cms_structure import DATA, SIGNED_DATA
from tests.certificates import Issued

_ALGORITHMS = SealAlgorithms()


def bag(certificates: Sequence[x509.Certificate], metadata: bytes | None = None) -> bytes:
    """A `.p7b` in DER, with metadata as its content if there is any."""
    content = [encode_oid(DATA)]
    if metadata is not None:
        content.append(ber.tlv(0xA0, ber.tlv(ber.OCTET_STRING, metadata)))
    signed = ber.tlv(
        ber.SEQUENCE,
        b"\x02\x01\x01",
        ber.tlv(ber.SET),
        ber.tlv(ber.SEQUENCE, *content),
        ber.tlv(0xA0, *(one.public_bytes(Encoding.DER) for one in certificates)),
        ber.tlv(ber.SET),
    )
    return ber.tlv(ber.SEQUENCE, encode_oid(SIGNED_DATA), ber.tlv(0xA0, signed))


def signed_bundle(
    content: bytes,
    signer: Issued,
    *,
    beside: Sequence[x509.Certificate] = (),
    with_certificate: bool = True,
) -> bytes:
    """A `.p7m`: `content` in a signed-data; `beside` are certificates that it brings along."""
    identity = SigningIdentity(signer.key, signer.certificate, tuple(beside))
    detached = sign(content, identity, _ALGORITHMS, AlgorithmPolicy())
    parts = list(ber.find_element(ber.read(detached), 1, 0).parts())
    raw = [bytes(part.raw) for part in parts]
    raw[2] = ber.tlv(
        ber.SEQUENCE, encode_oid(DATA), ber.tlv(0xA0, ber.tlv(ber.OCTET_STRING, content))
    )
    if not with_certificate:
        del raw[3]
    signed = ber.tlv(ber.SEQUENCE, *raw)
    return ber.tlv(ber.SEQUENCE, encode_oid(SIGNED_DATA), ber.tlv(0xA0, signed))
