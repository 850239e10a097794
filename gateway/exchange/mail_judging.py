"""Whether a received message's signer is trusted, asked for each of its recipients.

Each domain of ours has its own anchors, so one message may be trusted for one recipient and not
for another. Any one of several signers is enough (Direct AS 1.3: 4.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from direct.trust import Verdict
from gateway.exchange.asking_others import ask_others
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.mail_sealing import OpenedMail, SignerDer


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on the signer that counts for a recipient: a trusted one if there is one."""

    recipient: str
    signer: SignerDer
    verdict: Verdict

    @property
    def trusted(self) -> bool:
        return self.verdict.trusted


async def judge_signers(
    means: DirectMeans,
    opened: OpenedMail,
    *,
    address: str,
    recipients: Sequence[str],
    now: datetime,
) -> tuple[Judged, ...]:
    """One verdict a recipient, on whoever signed for `address`."""
    return await ask_others("mail", _judge, means, opened, address, tuple(recipients), now)


def _judge(
    means: DirectMeans,
    opened: OpenedMail,
    address: str,
    recipients: tuple[str, ...],
    now: datetime,
) -> tuple[Judged, ...]:
    """The anchors are a domain's, so recipients of one domain share a verdict."""
    known: dict[str, Judged] = {}
    judged = []
    for recipient in recipients:
        domain = recipient.rpartition("@")[2].lower()
        if domain not in known:
            known[domain] = _best(means, opened, address, recipient, now)
        judged.append(Judged(recipient, known[domain].signer, known[domain].verdict))
    return tuple(judged)


def _best(
    means: DirectMeans, opened: OpenedMail, address: str, recipient: str, now: datetime
) -> Judged:
    found: list[Judged] = []
    for signer in opened.signers:
        certificate = x509.load_der_x509_certificate(signer.certificate)
        verdict = means.judge(
            certificate,
            address=address,
            others=opened.certificates,
            ours=recipient,
            usage="sign",
            now=now,
        )
        found.append(Judged(recipient, signer, verdict))
        if verdict.trusted:
            break
    return found[-1]
