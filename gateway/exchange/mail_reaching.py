"""To whom of its recipients a message can be sealed: looked for anew at each attempt."""

from collections.abc import Iterable
from dataclasses import dataclass

from direct.discovery import Candidate, Found, InvalidAddress
from gateway.exchange.direct_discovery import why_not_found
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.looking import look
from gateway.exchange.notices import refuse
from gateway.model.sent_mail import Recipient, SentMail


@dataclass(frozen=True, slots=True)
class Reached:
    """A recipient with the certificates that it is sealed to."""

    recipient: Recipient
    candidates: tuple[Candidate, ...] = ()


async def find_all(
    means: DirectMeans, message: SentMail, waiting: Iterable[Recipient]
) -> tuple[list[Reached], list[Recipient], str | None]:
    """Who can be sealed to, who never will be, and why somebody must wait, if so."""
    reached: list[Reached] = []
    unreachable: list[Recipient] = []
    doubt: str | None = None
    now = means.clock()
    for recipient in waiting:
        if means.mode == "hisp":
            reached.append(Reached(recipient))  # the HISP finds and judges
            continue
        try:
            found = await look(means.find, recipient.address, sender=message.sender)
        except InvalidAddress as error:
            unreachable.append(refuse(recipient, f"its address is {error}", now=now))
            continue
        if isinstance(found, Found):
            reached.append(Reached(recipient, found.candidates))
        elif found.certain:
            unreachable.append(refuse(recipient, why_not_found(found), now=now))
        else:
            doubt = why_not_found(found)
    return reached, unreachable, doubt
