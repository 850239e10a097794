"""What the tests of Direct's cryptography share: parties with keys, one entity, one message."""

from functools import cache

from cryptography import x509

from direct.smime import DEFAULT, DecryptionKey, SealAlgorithms, SigningIdentity, seal
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


@cache
def plain_sealed() -> bytes:
    """One message of ours with the default algorithms; the same octets all over a run."""
    return sealed()
