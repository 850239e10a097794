"""What one attempt to hand a message over has come to, for each recipient and in one. Pure."""

from collections.abc import Sequence
from datetime import datetime

from gateway.clients.smtp_client import HandedOver, NotHandedOver
from gateway.exchange.notices import Clocks, hand_over, refuse
from gateway.model.exchange import Outcome
from gateway.model.sent_mail import Recipient


def move(
    recipient: Recipient,
    ended: HandedOver | NotHandedOver,
    *,
    clocks: Clocks,
    wants_processed: bool,
    now: datetime,
) -> Recipient:
    """How it stands with the recipient after the attempt; still queued if it is tried again."""
    against = next((one for one in ended.refused if one.address == recipient.address), None)
    if against is not None:
        if against.is_permanent:
            return refuse(recipient, f"its server refuses it: {against.reason}", now=now)
        return recipient
    if isinstance(ended, HandedOver):
        return hand_over(recipient, now=now, clocks=clocks, wants_processed=wants_processed)
    return refuse(recipient, ended.reason, now=now) if ended.is_permanent else recipient


def in_one(
    ended: HandedOver | NotHandedOver, moved: Sequence[Recipient]
) -> tuple[Outcome, str | None]:
    """The outcome that the attempt's record states, and why."""
    if isinstance(ended, NotHandedOver):
        return ("unknown" if ended.is_uncertain else "failed"), ended.reason
    if not ended.refused:
        return "success", None
    waits = sum(one.state == "queued" for one in moved)
    failed = sum(one.state == "failed" for one in moved)
    return "partial", f"{failed} of {len(moved)} recipients were refused, {waits} for now"
