"""A spooled message is opened, and its signers are judged: it is trusted, or refused with a reason.

Its bytes go from the disk to a worker in pieces; what was signed stays outside our memory, until
it is taken apart.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

from direct.errors import DirectError, NotEncrypted, NotForUs
from gateway.exchange.direct_means import TOO_MUCH, DirectMeans, Opening
from gateway.exchange.mail_hearing import failures_on_the_way
from gateway.exchange.mail_judging import Judged, judge_signers
from gateway.exchange.mail_letter import Letter, open_letter, read_letter
from gateway.exchange.mail_looking import key_pairs
from gateway.exchange.mail_reports import Report
from gateway.exchange.mail_sealing import OpenedMail
from gateway.exchange.worker_messages import Aside
from gateway.exchange.workers import WorkerFailed
from gateway.model.received_mail import ReceivedMail
from gateway.store import direct_keys


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the message goes to quarantine, and how far it was opened."""

    reason: str
    opened: OpenedMail | None = None
    letter: Letter | None = None
    judged: tuple[Judged, ...] = ()


@dataclass(frozen=True, slots=True)
class Trusted:
    """A message whose signer is trusted for `recipients`; `opened` and `content`, what was signed,
    are None from a HISP."""

    letter: Letter
    opened: OpenedMail | None
    judged: tuple[Judged, ...]
    recipients: tuple[str, ...]
    content: Aside | None = None


async def judge_mail(
    means: DirectMeans, mail: ReceivedMail, opening: Opening, kept: ExitStack
) -> Trusted | Refused:
    """`kept` will close the content that it finds."""
    try:
        if means.mode == "hisp":
            return await _from_hisp(means, mail, opening)
        opened, letter, content = await _open(means, mail, opening)
    except DirectError as error:
        not_encrypted = isinstance(error, NotEncrypted)
        bounce = await _bounce(means, mail, opening) if not_encrypted else None
        return bounce or Refused(error.reason)
    except WorkerFailed as failure:
        if failure.reason == "closed":  # we are stopping: it says nothing about the message
            raise
        return Refused(TOO_MUCH[0] if failure.reason != "error" else "opening it failed")
    kept.enter_context(content)
    now = means.clock()
    judged = await judge_signers(
        means, opened, address=letter.from_, recipients=mail.rcpt_to, now=now
    )
    trusted = tuple(one.recipient for one in judged if one.trusted)
    if not trusted:
        reasons = dict.fromkeys(reason for one in judged for reason in one.verdict.reasons)
        return Refused("; ".join(reasons), opened, letter, judged)
    return Trusted(letter, opened, judged, trusted, content)


async def _open(
    means: DirectMeans, mail: ReceivedMail, opening: Opening
) -> tuple[OpenedMail, Letter, Aside]:
    """
    Raises:
        DirectError: it does not open, or none of our keys is for it.
    """
    keys = await means.archive.database.read_async(
        lambda tx: direct_keys.of_addresses(tx, plan=mail.plan, addresses=mail.rcpt_to)
    )
    if not keys:
        raise NotForUs("we have no key for any of its recipients")
    pairs = key_pairs(means, keys)
    (opened, letter), content = await opening.run(
        open_letter, pairs, mail.rcpt_to, mail.mail_from, content=raw_pieces(means, mail)
    )
    return opened, letter, content


def raw_pieces(means: DirectMeans, mail: ReceivedMail) -> Iterator[bytes]:
    """Its bytes as they came, in pieces: they go to a worker, and are never held here."""
    return means.archive.chunks(mail.plan, mail.blob)


async def _read(means: DirectMeans, mail: ReceivedMail, opening: Opening) -> Letter:
    """
    Raises:
        DirectError: it cannot be read as it came.
    """
    letter: Letter = await opening.run(
        read_letter, mail.rcpt_to, mail.mail_from, content=raw_pieces(means, mail)
    )
    return letter


async def _bounce(means: DirectMeans, mail: ReceivedMail, opening: Opening) -> Trusted | None:
    """A mail server's own report that it could not deliver, which no server signs.

    It may only make known that a message of ours failed on its way, while nobody has signed
    anything about it yet: whoever names our unguessable Message-ID stood on that way.
    """
    if mail.mail_from != "":
        return None
    try:
        letter = await _read(means, mail, opening)
    except DirectError:
        return None
    told = await means.archive.database.read_async(lambda tx: failures_on_the_way(tx, letter, mail))
    if not told:
        return None
    return Trusted(replace(letter, report=Report(told)), None, (), ())


async def _from_hisp(means: DirectMeans, mail: ReceivedMail, opening: Opening) -> Trusted:
    """Our HISP has opened and judged it; that it was our HISP, the door has made sure of."""
    return Trusted(await _read(means, mail, opening), None, (), mail.rcpt_to)
