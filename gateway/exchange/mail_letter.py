"""What a received message says of itself, read in a worker process once it is open.

All of it comes from what was signed; the outer header is only compared with it.
"""

import hashlib
from dataclasses import dataclass

from direct.header import Header
from direct.mdn import decide
from direct.message import DirectMessage, Policing, police, read_message, read_outer, unwrap
from gateway.exchange.mail_reports import Report, read_report
from gateway.exchange.mail_sealing import KeyPairDer, OpenedMail, open_mail
from gateway.exchange.worker_messages import Leaving


@dataclass(frozen=True, slots=True)
class Letter:
    """One message. `blind` are the recipients that its header does not name; `differences` and
    `defects` are sentences of ours. `sha256` is of what was signed, of the body where nothing was.
    `report` is what it says as an MDN or DSN, None if it is none.
    """

    from_: str
    message_id: str | None
    sha256: str
    is_wrapped: bool
    listed: tuple[str, ...]
    blind: tuple[str, ...]
    differences: tuple[str, ...]
    defects: tuple[str, ...]
    header: Header
    notice_to: str | None
    """Where a notice may go, once the message is trusted; None if nowhere, which has a reason."""
    no_notice: str | None
    wants_dispatched: bool
    report: Report | None


def open_letter(
    message: bytes,
    keys: tuple[KeyPairDer, ...],
    recipients: tuple[str, ...],
    mail_from: str | None,
) -> Leaving[tuple[OpenedMail, Letter]]:
    """A sealed message, opened and read; what was signed is left for the run that takes it apart.

    `mail_from` is the envelope's sender, None if unknown.

    Raises:
        DirectError: it does not open, cannot be read, or its headers disagree.
    """
    opened, signed = open_mail(message, keys)
    outer = read_outer(message)
    inner = unwrap(signed.content, outer)
    policed = police(inner, outer, recipients)
    letter = _letter(inner, inner.root.start, policed, mail_from)
    return Leaving((opened, letter), signed.content)


def read_letter(message: bytes, recipients: tuple[str, ...], mail_from: str | None) -> Letter:
    """A message that our HISP has opened and judged.

    Raises:
        DirectError: it cannot be read.
    """
    inner = read_message(message)
    named = {box.key for box in inner.recipients}
    listed = tuple(one for one in recipients if one.lower() in named)
    blind = tuple(one for one in recipients if one.lower() not in named)
    # Each server on its way has written into the header.
    return _letter(inner, inner.root.body, Policing(listed, blind), mail_from)


def _letter(message: DirectMessage, start: int, policed: Policing, mail_from: str | None) -> Letter:
    """`start` is where in the message begins what is the same each time that it comes."""
    # What a notice would be, if the signer turns out to be trusted.
    decision = decide(message, is_trusted=True, mail_from=mail_from)
    root = message.root
    return Letter(
        from_=message.from_.address,
        message_id=message.message_id,
        sha256=hashlib.sha256(memoryview(root.source)[start : root.end]).hexdigest(),
        is_wrapped=message.is_wrapped,
        listed=policed.listed,
        blind=policed.blind,
        differences=policed.differences,
        defects=message.defects,
        header=message.header,
        notice_to=None if decision.to is None else decision.to.address,
        no_notice=None if decision.to is not None else decision.reason,
        wants_dispatched=decision.wants_dispatched,
        report=read_report(message),
    )
