"""To whom a message can be sealed now: who is found, who never will be, and who must wait."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from direct.discovery import Candidate, Found, InvalidAddress
from gateway.exchange.asking_others import ask_others
from gateway.exchange.direct_discovery import why_not_found
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.notices import refuse
from gateway.model.sent_mail import Recipient, SentMail


@dataclass(frozen=True, slots=True)
class Reached:
    """A recipient with the certificates that it is sealed to."""

    recipient: Recipient
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of looking for each: `unreachable` are refused, `doubts` says by address why
    somebody must wait."""

    reached: list[Reached] = field(default_factory=list)
    unreachable: list[Recipient] = field(default_factory=list)
    doubts: dict[str, str] = field(default_factory=dict)


async def look_for(means: DirectMeans, message: SentMail, waiting: Iterable[Recipient]) -> Looked:
    """Where our HISP seals, all are reached: it finds and judges."""
    looked = Looked()
    for recipient in waiting:
        if means.mode == "hisp":
            looked.reached.append(Reached(recipient))
        else:
            await _look(means, message, recipient, looked)
    return looked


async def _look(
    means: DirectMeans, message: SentMail, recipient: Recipient, looked: Looked
) -> None:
    now = means.clock()
    try:
        found = await ask_others("mail", means.find, recipient.address, sender=message.sender)
    except InvalidAddress as error:
        looked.unreachable.append(refuse(recipient, f"its address is {error}", now=now))
        return
    if isinstance(found, Found):
        looked.reached.append(Reached(recipient, found.candidates))
    elif found.certain:
        looked.unreachable.append(refuse(recipient, why_not_found(found), now=now))
    else:
        looked.doubts[recipient.address] = why_not_found(found)
