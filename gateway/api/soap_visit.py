"""One request at a SOAP door, and what is known of its sender so far."""

from dataclasses import dataclass, field

from gateway.api.partner_means import PartnerMeans
from gateway.api.soap_submissions import Declined
from gateway.exchange.asker import Asker
from gateway.exchange.keeping import Kept
from gateway.exchange.respond_submission import Addressed, Taken
from gateway.model.partner import Partner
from ihe.errors import IheError, SecurityRefused
from ihe.soap import ANONYMOUS, NOBODY
from ihe.wire import OpenedRequest


@dataclass(slots=True)
class Visit:
    """One request at a door, and what is known of its sender so far.

    `certificate` is what TLS verified, ours or our proxy's, in DER. `partner` and `opened` are set
    together, once the sender is verified; `is_verified` once the message may be looked at here.
    `speaking_as` is that community as each plan has registered it that may take the message so.
    """

    means: PartnerMeans
    transactions: frozenset[str]
    certificate: bytes | None
    peer: str
    started: float
    candidates: tuple[Partner, ...] = ()
    envelope: bytes = b""
    partner: Partner | None = None
    opened: OpenedRequest | None = None
    is_verified: bool = False
    speaking_as: tuple[Partner, ...] = ()
    asker: Asker | None = None
    submission: Addressed | Declined | Taken | None = None
    kept: Kept = field(default_factory=Kept)

    @property
    def is_later(self) -> bool:
        """Whether the answer is to go out on a connection of its own."""
        return self.opened is not None and self.opened.reply_to != ANONYMOUS

    def fault_to(self, error: IheError) -> str:
        """Where the fault goes: back, unless its sender has registered the other place it names, or
        wants none.

        What is not believed is refused where it came: elsewhere that could be taken for the answer
        to the message that it repeats.
        """
        if self.opened is None or self.partner is None or isinstance(error, SecurityRefused):
            return ANONYMOUS
        stated = self.opened.fault_to
        takes = stated == NOBODY or self.partner.endpoints.takes_replies_at(stated)
        return stated if takes else ANONYMOUS

    @property
    def transaction_name(self) -> str:
        return self.opened.transaction if self.opened else "/".join(sorted(self.transactions))
