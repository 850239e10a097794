"""Messages of ours, and checks of addresses, as programs read them."""

from typing import Any

from gateway.exchange.mail_checking import Checked
from gateway.model.sent_mail import HeardNotice, SentMail


def sent_form(message: SentMail, notices: tuple[HeardNotice, ...] = ()) -> dict[str, Any]:
    """A message of ours as a program reads it."""
    return {
        "id": message.id,
        "direction": "out",
        "from": message.sender,
        "message_id": message.message_id,
        "created": message.created.isoformat(),
        "member": message.record.member,
        "documents": list(message.record.documents),
        "purpose": message.record.purpose,
        "wants_dispatched": message.wants_dispatched,
        "recipients": [
            {
                "address": one.address,
                "state": one.state,
                "since": one.since.isoformat() if one.since else None,
                "deadline": one.deadline.isoformat() if one.deadline else None,
                "reason": one.reason,
                "algorithms": one.algorithms,
                "certificate": one.certificate,
                "sha256": one.sealed.sha256 if one.sealed else None,
                "notices": [
                    {
                        "kind": heard.notice.kind,
                        "form": heard.notice.form,
                        "arrived": heard.notice.arrived.isoformat(),
                        "effect": heard.effect,
                        "text": heard.notice.text,
                    }
                    for heard in notices
                    if heard.address == one.address
                ],
            }
            for one in message.recipients
        ],
    }


def checked_form(checked: Checked) -> dict[str, Any]:
    """A check as a program reads it."""
    return {
        "address": checked.address,
        "send": {"possible": checked.can_send, "reason": checked.why_not_send},
        "servers": list(checked.servers),
        "sealed_by": checked.sealed_by,
        "receive": {"possible": checked.can_receive, "reason": checked.why_not_receive},
        "tell_them": checked.tell_them,
        "remark": checked.remark,
        "steps": [
            {"place": one.place, "where": one.where, "outcome": one.outcome, "said": one.said}
            for one in checked.steps
        ],
    }
