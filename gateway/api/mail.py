"""The relay door: a mail server of ours hands in one raw message; 202 says that it is safe.

`POST /direct/messages?mail_from=…&rcpt_to=…`, for relays that rather speak HTTP than SMTP. The
addresses stand in the query, as the door is fixed so: query strings are never logged.
"""

import errno
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from gateway.api.access import Desk, desk
from gateway.api.means import Means
from gateway.api.problems import Problem
from gateway.exchange.spooling import TRANSACTIONS, Envelope, MailMeans, Spool, Taken
from gateway.model.caller import Role
from gateway.model.mail_domains import is_address

router = APIRouter(tags=["mail"])

_RELAYS: Final[frozenset[Role]] = frozenset({"system"})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_MOST_RECIPIENTS: Final = 100
"""As by SMTP (RFC 5321: 4.5.3.1.8): each is answered, which is part of what a message may cost."""
_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_BODY: Final = {"requestBody": {"required": True, "content": {"message/rfc822": _BYTES}}}

MailFrom = Annotated[
    str,
    Query(
        description="The envelope's sender; empty for a notice.", max_length=256, pattern="^[ -~]*$"
    ),
]
RcptTo = Annotated[
    list[str],
    Query(
        description="A recipient; as often as there are recipients, up to a hundred at once.",
        min_length=1,
        max_length=_MOST_RECIPIENTS,
    ),
]


@router.post("/direct/messages", status_code=202, openapi_extra=_BODY)
async def give_message(
    request: Request,
    means: Means,
    at: Annotated[Desk, desk(TRANSACTIONS["REST"], _RELAYS)],
    mail_from: MailFrom,
    rcpt_to: RcptTo,
) -> JSONResponse:
    """Hand in one whole RFC 5322 message as the body. The same message again is answered alike."""
    mail = means.mail
    if mail is None:
        raise Problem(404, "This gateway takes no mail: there is no [mail] in its settings.")
    _require_ours(mail, at, mail_from, rcpt_to)
    envelope = Envelope(
        door="REST",
        mail_from=mail_from,
        rcpt_to=tuple(rcpt_to),
        peer=at.peer,
        person=at.caller.name,
        role=at.caller.role,
    )
    taken = await _take(request, mail, envelope, means.mail_limit_bytes)
    form = {
        "id": taken.message.id,
        "state": taken.message.state,
        "duplicate": not taken.is_new,
    }
    location = f"/api/v1/direct/messages/{taken.message.id}"
    return JSONResponse(form, 202, headers={"Location": location})


def _require_ours(mail: MailMeans, at: Desk, mail_from: str, rcpt_to: list[str]) -> None:
    """One recipient that is not the caller's, and none of it is taken: the relay must know."""
    if mail_from and not is_address(mail_from):
        raise Problem(422, "mail_from is not an address.")
    for number, recipient in enumerate(rcpt_to):
        if not is_address(recipient):
            raise Problem(422, f"The recipient number {number + 1} is not an address.")
        if mail.domains.plan_of(recipient) != at.caller.plan:
            raise Problem(
                422, f"The recipient number {number + 1} is not of a domain of your plan."
            )


async def _take(request: Request, mail: MailMeans, envelope: Envelope, limit: int) -> Taken:
    too_large = Problem(413, f"A message may have up to {limit:,} bytes.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large
    size = 0
    try:
        async with Spool(mail, envelope) as spool:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise too_large
                await spool.write(chunk)
            if not size:
                raise Problem(422, "The body is empty; it must be one message.")
            (taken,) = await spool.commit()
            return taken
    except OSError as error:
        if error.errno in _FULL:
            raise Problem(503, "There is no room for the message; try again later.") from None
        raise
