"""One question of a retrieval to a partner, and how it may end without an answer."""

from dataclasses import dataclass
from datetime import datetime

from gateway.clients.failures import PartnerFailed
from gateway.exchange.asking import Call
from gateway.exchange.deferral import deferred_until


class AnswerAwaited(Exception):
    """The partner has the question and may answer until `expires`."""

    def __init__(self, expires: datetime, *, is_deferred: bool = False) -> None:
        super().__init__("its answer is awaited")
        self.expires = expires
        self.is_deferred = is_deferred

    @property
    def said(self) -> str:
        """What a retrieval says of the partner meanwhile."""
        if self.is_deferred:
            return deferred_until(self.expires)
        return f"its answer is awaited until {self.expires:%Y-%m-%d %H:%M} UTC"


class PartnerRefused(PartnerFailed):
    """The partner refused us when it was asked before."""


class Divisible(PartnerFailed):
    """It gave nothing of what was asked for at once, and may give it in smaller portions."""


@dataclass(frozen=True, slots=True)
class Question:
    """A call, and what names it among all that is asked of the partner in this retrieval."""

    call: Call
    name: str
    is_read_again: bool = True
    """Whether what its answer says is needed again when the visit is run anew."""
    request_id: str | None = None
    """Of a deferred question, by which id its result will name it; None of all others."""

    @property
    def is_deferred(self) -> bool:
        return self.request_id is not None
