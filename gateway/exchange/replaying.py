"""Quarantine with replay: what could not be judged or read is kept, and may be run again."""

from collections.abc import Callable
from datetime import datetime

from gateway.exchange.archive import Archive
from gateway.exchange.ingest import Ingested, Received, ingest, receive
from gateway.exchange.spooling import queue_message
from gateway.model.community import Community
from gateway.model.document import Document
from gateway.model.identity import MailId, PlanId
from gateway.model.member import Plan
from gateway.model.received_mail import ReceivedMail
from gateway.store import mail_received
from gateway.store.database import Transaction
from gateway.store.job_queue import JobQueue


class NotQuarantined(Exception):
    """Only what is in quarantine is run again: all else has had its effect."""


def replay_message(
    transaction: Transaction, queue: JobQueue, *, plan: PlanId, message: MailId
) -> ReceivedMail:
    """Lets a quarantined message be judged again, with the trust of now.

    Raises:
        UnknownId: no such message in this plan.
        NotQuarantined
    """
    known = mail_received.get(transaction, plan=plan, message=message)
    if known is not None and known.state != "quarantined":
        raise NotQuarantined(f"the message is {known.state}, not in quarantine")
    again = mail_received.spool_again(transaction, plan=plan, message=message)
    queue_message(transaction, queue, again)
    return again


async def read_again(archive: Archive, document: Document, plan: Plan) -> Received:
    """What a quarantined document's bytes say now; outside any transaction.

    Raises:
        NotQuarantined
    """
    if document.state != "quarantined":
        raise NotQuarantined(f"the document is {document.state}, not in quarantine")
    return await receive(archive, document.blob, plan=plan, source=document.source)


def refile(
    received: Received, *, plan: Plan, community: Community, now: datetime
) -> Callable[[Transaction], Ingested]:
    """The unit of work that decides the document anew."""

    def unit(transaction: Transaction) -> Ingested:
        (done,) = ingest(transaction, [received], plan=plan, community=community, now=now)
        return done

    return unit
