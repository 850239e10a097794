"""Whose signatures we believe of a partner: its pinned certificates, its network's anchors."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from cryptography import x509

from gateway.model.partner import Partner
from ihe.trust import Trust


def trust_of(partner: Partner, anchors: Sequence[str] = ()) -> Trust:
    """What the partner's signatures must verify against (DECISIONS 2); `anchors` are PEM texts.

    Anchors count only for a partner whose profile names the certificate they may vouch for.
    """
    name = partner.profile.certificate_name
    return Trust(
        pinned=tuple(certificate(pem) for pem in partner.signing_certificates),
        anchors=tuple(certificate(pem) for pem in anchors) if name else (),
        name=name,
        bearer_accepted=partner.profile.bearer_accepted,
    )


class RequireUnrevoked(Protocol):
    """Raises SecurityRefused if a partner's certificate was revoked, or that is not known.

    `chain` is the way from the certificate to an anchor, both included; empty if it is pinned.
    It blocks, perhaps for seconds: call it in a thread.
    """

    def __call__(
        self,
        partner: Partner,
        certificate: x509.Certificate,
        chain: Sequence[x509.Certificate] = (),
    ) -> None: ...


@lru_cache(maxsize=4096)
def certificate(pem: str) -> x509.Certificate:
    """The first certificate of a PEM text.

    Raises:
        ValueError: there is none.
    """
    return x509.load_pem_x509_certificate(pem.encode("ascii"))
