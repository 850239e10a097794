"""What the tests of Direct's cryptography share: parties with keys, one entity, one message."""

from functools import cache

from cryptography import x509

from direct.cms_encrypt import encrypt
from direct.smime import (
    DEFAULT,
    AlgorithmPolicy,
    DecryptionKey,
    SealAlgorithms,
    SigningIdentity,
    seal,
)
from direct.smime_entity import encode_base64
from tests.certificates import NOW, Issued, leaf

ENTITY = b'Content-Type: text/plain; charset="us-ascii"\r\n\r\nA visit summary follows.\r\n'
HEADERS = (("From", "drsmith@clinic.test"), ("To", "intake@plan.test"), ("Subject", "Summary"))


def identity(party: Issued) -> SigningIdentity:
    return SigningIdentity(party.key, party.certificate)


def key(party: Issued) -> DecryptionKey:
    return DecryptionKey(party.key, party.certificate)


def sender(kind: str = "rsa") -> Issued:
    return leaf("drsmith@clinic.test", kind=kind)


def recipient(kind: str = "rsa") -> Issued:
    return leaf("intake@plan.test", kind=kind)


def sealed(
    entity: bytes = ENTITY,
    *,
    by: Issued | None = None,
    to: tuple[x509.Certificate, ...] | None = None,
    algorithms: SealAlgorithms = DEFAULT,
) -> bytes:
    return seal(
        entity,
        headers=HEADERS,
        signer=identity(by or sender()),
        recipients=to or (recipient().certificate,),
        algorithms=algorithms,
        signing_time=NOW,
    )


def signed_entity(entity: bytes, signature: bytes, *, boundary: str = "b") -> bytes:
    """A multipart/signed by hand, whatever `signature` signs."""
    head = f'Content-Type: multipart/signed; boundary="{boundary}"\r\n\r\n--{boundary}\r\n'
    between = (
        f"\r\n--{boundary}\r\nContent-Type: application/pkcs7-signature\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    last = f"--{boundary}--\r\n"
    return b"".join(
        (head.encode(), entity, between.encode(), encode_base64(signature), last.encode())
    )


def opaque_entity(cms: bytes) -> bytes:
    """A signed-data with its content inside, or whatever else `cms` is."""
    head = b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head + encode_base64(cms)


def outer(cms: bytes) -> bytes:
    """A whole message with `cms` for its body."""
    return b"From: drsmith@clinic.test\r\n" + opaque_entity(cms)


def enveloped(
    content: bytes,
    *to: x509.Certificate,
    algorithms: SealAlgorithms = DEFAULT,
) -> bytes:
    """A whole message with `content` encrypted, signed or not."""
    lax = AlgorithmPolicy(least_rsa_bits=512)
    recipients = to or (recipient().certificate,)
    return outer(b"".join(encrypt([content], recipients, algorithms, lax)))


@cache
def plain_sealed() -> bytes:
    """One message of ours with the default algorithms; the same octets all over a run."""
    return sealed()
