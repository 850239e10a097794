"""What the verbs of Direct work with: how certificates are found and judged, and mail leaves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol

from cryptography import x509

from direct.cms_algorithms import DEFAULT, SealAlgorithms
from direct.discovery import Found, NotFound
from direct.trust import Verdict
from gateway.clients.restraint import Restraint
from gateway.clients.smtp_client import Server, SmtpClient
from gateway.exchange.archive import Archive
from gateway.exchange.mail_packing import Packing
from gateway.exchange.notices import Clocks
from gateway.exchange.workers import Budget, Content, WorkerPool
from gateway.model.community import Community
from gateway.model.identity import PlanId
from gateway.model.mail_domains import MailDomains
from gateway.model.member import Plan
from gateway.model.received_mail import ReceivedMail
from gateway.settings_mail_out import Forward
from gateway.store.job_queue import JobQueue

Mode = Literal["agent", "hisp"]
"""Whether we seal and open messages ourselves, or our HISP does (DECISIONS 31)."""
TOO_MUCH: Final = (
    "opening it took more time or memory than is allowed",
    "taking it apart took more time or memory than is allowed",
)
"""Why a message lies in quarantine that costs more than one may; an operator may let it run."""
_AGAIN_SECONDS: Final = 60.0
_IN_WORKERS: Final = 0.5
"""Of a message's time: the rest is for what no clock may end, its effect in one transaction, where
things are counted instead (`mail_contents`, `effort`)."""
_ANSWER_BYTES: Final = 4_000_000
"""What one run in a worker may say of a message: it is held here, as documents' bytes are not."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Where one message is opened, and what all its runs there may have together."""

    pool: WorkerPool
    budget: Budget

    async def run(
        self,
        function: Callable[..., Any],
        *args: object,
        content: Content,
        take: Callable[[Any], None] | None = None,
    ) -> Any:
        """As `WorkerPool.run_within`."""
        return await self.pool.run_within(self.budget, function, *args, content=content, take=take)


class Judge(Protocol):
    """The verdict on a certificate for somebody's `address`, by the anchors of `ours`, a domain or
    address of ours: incoming ones to sign, outgoing ones to encrypt. It blocks."""

    def __call__(
        self,
        certificate: x509.Certificate,
        *,
        address: str,
        others: Sequence[x509.Certificate],
        ours: str,
        usage: Literal["sign", "encrypt"],
        now: datetime,
    ) -> Verdict: ...


class Find(Protocol):
    """The certificates to which a message from `sender`, one of ours, is sealed. It blocks."""

    def __call__(self, address: str, *, sender: str, fresh: bool = False) -> Found | NotFound: ...


class Route(Protocol):
    """The servers that take mail for a domain, the best first. It blocks.

    Raises LookupFailed if that cannot be found out now.
    """

    def __call__(self, domain: str) -> Sequence[Server]: ...


@dataclass(frozen=True, slots=True)
class DirectMeans:
    """Each is shared by every message."""

    archive: Archive
    queue: JobQueue
    community: Community
    plans: tuple[Plan, ...]
    domains: MailDomains
    judge: Judge
    find: Find
    route: Route
    smtp: SmtpClient
    restraint: Restraint = field(default_factory=Restraint)
    """How much mail goes to one domain at once."""
    mode: Mode = "agent"
    clocks: Clocks = field(default_factory=Clocks)
    sends_dispatched: bool = False
    """In mode `hisp`: whether the dispatched notice is ours to send."""
    algorithms: Callable[[str], SealAlgorithms] = lambda _domain: DEFAULT
    """What a domain's messages are sealed by."""
    packing: Callable[[str], Packing] = lambda _domain: Packing()
    """How a domain's documents are packed."""
    forwards: tuple[Forward, ...] = ()
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    message_cpu_seconds: float = 2.0
    """What one message may have of the processor, to be opened, taken apart, and read."""
    openers: WorkerPool | None = None
    """Workers that open messages and take them apart, with less memory than readers of documents
    have: strangers write what they are given. The archive's if there are none."""

    @property
    def opening(self) -> WorkerPool:
        """Where messages are opened."""
        return self.openers or self.archive.workers

    def opening_of(self, mail: ReceivedMail) -> Opening:
        """Where a message that comes in is opened, and what it may have there.

        One that has taken too much, and that an operator lets run again, has what a document of a
        partner has.
        """
        if mail.attempts > 1 and mail.reason in TOO_MUCH:
            return Opening(self.archive.workers, Budget(_AGAIN_SECONDS))
        budget = Budget(self.message_cpu_seconds * _IN_WORKERS, _ANSWER_BYTES)
        return Opening(self.opening, budget)

    def plan(self, plan: PlanId | None) -> Plan | None:
        return next((known for known in self.plans if known.id == plan), None)
