"""A received message that nobody judges any more: its sender heard 250, so it must not be lost.

It lies in quarantine, from where an operator lets it run again.
"""

from datetime import datetime
from typing import Final

from gateway.exchange.direct_mail import TRANSACTION
from gateway.model.exchange import Exchange
from gateway.model.identity import ConversationId, MailId, PlanId
from gateway.store import exchange_log, mail_received
from gateway.store.database import Transaction

_UNJUDGED: Final = "it could not be judged"


def give_up_received(
    transaction: Transaction, plan: PlanId, message_id: MailId, *, now: datetime
) -> None:
    """Puts the message into quarantine, unless it was settled or is gone."""
    mail = mail_received.get(transaction, plan=plan, message=message_id)
    if mail is None or mail.state not in ("spooled", "judged"):
        return
    mail_received.settle(
        transaction,
        plan=plan,
        message=message_id,
        state="quarantined",
        reason=_UNJUDGED,
        now=now,
    )
    # Not counted as a stranger's refusal is: it failed by us, and its sender believes that we
    # have it.
    record = Exchange(
        time=now,
        direction="in",
        transaction=TRANSACTION,
        outcome="failed",
        plan=plan,
        peer=mail.peer,
        reason=_UNJUDGED,
        conversation=ConversationId(mail.id),
        request_hash=mail.blob.sha256,
    )
    exchange_log.append(transaction, record)
