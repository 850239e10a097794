"""What a verb answers at a SOAP door, and what is to be recorded and brought with it."""

from collections.abc import Callable
from dataclasses import dataclass

from ccda.safe_xml import Element
from gateway.exchange.asker import Effect
from gateway.model.later import OwedPart
from gateway.model.partner import Partner
from gateway.store.database import Transaction
from ihe.mtom_writing import Part
from ihe.soap import MessageKind, WrittenPayload

Noted = Callable[[Transaction, tuple[Effect, ...]], tuple[Effect, ...]]
"""Says more in the transaction of the record, and of the effects."""


def as_they_are(_transaction: Transaction, effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
    """Nothing more is to be said."""
    return effects


@dataclass(frozen=True, slots=True)
class Result:
    """A deferred answer: what is brought, where the partner has registered that it may be, and what
    will be recorded of it then."""

    body: WrittenPayload
    partner: Partner
    address: str
    effects: tuple[Effect, ...]
    noted: Noted = as_they_are


@dataclass(frozen=True, slots=True)
class Replied:
    """What a verb answers: the body, its attachments, and what to record (at least one effect).

    `noted` runs in the transaction of the record and may say more in it; `is_noted_briefly` unless
    that takes longer than the record itself. `owed` names the attachments again, for an answer that
    is brought later. `transaction` is what the record says was done, if not the transaction of the
    request.
    """

    kind: MessageKind
    body: Element | WrittenPayload
    effects: tuple[Effect, ...]
    parts: tuple[Part, ...] = ()
    noted: Noted = as_they_are
    is_noted_briefly: bool = True
    owed: tuple[OwedPart, ...] = ()
    transaction: str | None = None
    result: Result | None = None
