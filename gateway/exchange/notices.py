"""The monitor: how a recipient's state goes on as notices come and times run out.

IG for Delivery Notification in Direct 1.0. It touches nothing: a state and what happened in, the
next state and what the notice did out. The rules:

1. A state only goes on, never back; the table below is the whole of it.
2. A failure that we have reported stands. Whatever comes later is kept and shown as late, so that
   a person can see that it arrived after all; no program may have relied on the opposite.
3. What is heard twice counts once.
4. A notice may overtake our own knowledge: one that comes while we still believe the message to be
   in our queue (we died between the last byte and COMMIT) proves that it arrived.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from gateway.model.sent_mail import (
    Effect,
    Notice,
    NoticeForm,
    NoticeKind,
    Recipient,
    RecipientState,
)

REPORTED: Final[frozenset[RecipientState]] = frozenset({"failed", "timed_out", "bounced"})
"""States in which we have told that the message did not arrive."""
_RANK: Final[Mapping[RecipientState, int]] = {
    "queued": 0,
    "handed_over": 1,
    "processed": 2,
    "dispatched": 3,
}
_REACHED: Final[Mapping[NoticeKind, RecipientState]] = {
    "processed": "processed",
    "dispatched": "dispatched",
}


@dataclass(frozen=True, slots=True)
class Clocks:
    """How long we wait for each notice before we report a failure."""

    processed: timedelta = timedelta(hours=1)
    dispatched: timedelta = timedelta(hours=24)


def hand_over(
    recipient: Recipient, *, now: datetime, clocks: Clocks, wants_processed: bool = True
) -> Recipient:
    """Their mail server, or our HISP, has it: from now on its notice is awaited.

    A notice of ours (`wants_processed` false) is never answered, and nothing is awaited.
    """
    if recipient.state != "queued":
        return recipient
    deadline = now + clocks.processed if wants_processed else None
    return replace(recipient, state="handed_over", since=now, deadline=deadline, reason=None)


def refuse(recipient: Recipient, reason: str, *, now: datetime) -> Recipient:
    """It will not go to this recipient: nobody to seal it for, untrusted, or refused for good."""
    if recipient.state != "queued":
        return recipient
    return replace(recipient, state="failed", since=now, deadline=None, reason=reason)


def hear(
    recipient: Recipient, notice: Notice, *, wants_dispatched: bool, clocks: Clocks
) -> tuple[Recipient, Effect]:
    """The recipient as it stands after the notice, and what the notice did."""
    if notice.kind == "delayed":
        return recipient, "noted"  # RFC 3464: 2.3.3: not final, their server still tries
    if notice.kind == "failed":
        return _hear_failure(recipient, notice)
    reached = _REACHED[notice.kind]
    if recipient.state in REPORTED:
        return recipient, "late"
    if _RANK[recipient.state] >= _RANK[reached]:
        return recipient, "duplicate"
    awaits_more = reached == "processed" and wants_dispatched
    deadline = notice.arrived + clocks.dispatched if awaits_more else None
    moved = replace(recipient, state=reached, since=notice.arrived, deadline=deadline, reason=None)
    return moved, "moved"


def _hear_failure(recipient: Recipient, notice: Notice) -> tuple[Recipient, Effect]:
    failed: RecipientState = "bounced" if notice.form == "DSN" else "failed"
    if recipient.state in REPORTED:
        # A timeout is our guess; that they too say it failed tells more, but changes nothing.
        return recipient, "late" if recipient.state == "timed_out" else "duplicate"
    if recipient.state == "dispatched":
        return recipient, "contradicts"
    reason = notice.text or in_our_words(notice.form)
    return (
        replace(recipient, state=failed, since=notice.arrived, deadline=None, reason=reason),
        "moved",
    )


def in_our_words(form: NoticeForm, status: str | None = None) -> str:
    """That a notice reports a failure, without what else it says."""
    numbered = "" if status is None else f" ({status})"
    return f"a {form} says that it was not delivered{numbered}"


def expire(recipient: Recipient, *, now: datetime) -> Recipient:
    """The recipient as timed out, if its time is over; else as it is."""
    if recipient.deadline is None or now < recipient.deadline:
        return recipient
    missing = "dispatched" if recipient.state == "processed" else "processed"
    return replace(
        recipient,
        state="timed_out",
        since=now,
        deadline=None,
        reason=f"no {missing} notification came in time",
    )
