"""What the partner doors work with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gateway.exchange.archive import Archive
from gateway.exchange.turns import Turns
from gateway.model.community import Community
from gateway.model.discovery_limits import DiscoveryLimits
from gateway.model.member import Plan
from gateway.model.partner import Partner
from gateway.model.trust import RequireUnrevoked
from gateway.store.job_queue import JobQueue
from ihe.trust import SigningKey


@dataclass(frozen=True, slots=True)
class TrustedProxy:
    """Whose `header` is believed: who shows one of the certificates (SHA-256 of the DER, hex), or
    comes over plain HTTP from one of the loopback addresses, or over a socket file."""

    header: str
    certificates: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PartnerMeans:
    """`anchors_for` gives PEM texts of a partner's network, `audiences_for` our names in it.

    `query_results` is how many whole entries an answer to ITI-38 holds.
    """

    archive: Archive
    community: Community
    plans: tuple[Plan, ...]
    own_key: Callable[[], SigningKey]
    anchors_for: Callable[[Partner], Sequence[str]]
    audiences_for: Callable[[Partner], frozenset[str]]
    require_unrevoked: RequireUnrevoked
    turns: Turns
    skew: timedelta
    discovery_limits: DiscoveryLimits
    query_results: int
    queue: JobQueue
    message_limit_bytes: int
    time_to_live: timedelta | None = None
    """How long partners may use a patient id of ours without asking again."""
    proxy: TrustedProxy | None = None

    @property
    def signing_key(self) -> SigningKey:
        """The key by which we are known now; another may follow it while we run."""
        return self.own_key()
