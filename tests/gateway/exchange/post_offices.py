"""Security agents for tests: houses of ours that send each other sealed mail over real SMTP.

Certificates, signatures, trust and SMTP are real; what stands in is where certificates are found
(a directory of the test) and how a domain's server is (the other's port).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509

from direct.discovery import Candidate, Found, NotFound, Step
from direct.message import OutgoingPart
from direct.trust import Strictness, TrustAnchor, Verdict, judge
from gateway.app.house import House
from gateway.clients.smtp_client import Server, SmtpClient
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.jobs import JobMeans, perform
from gateway.exchange.mail_composing import Draft, write_draft
from gateway.exchange.mail_delivering import enqueue_message
from gateway.exchange.notices import Clocks
from gateway.model.exchange import Exchange
from gateway.model.identity import MailId
from gateway.model.job import Job
from gateway.model.mail_domains import MailDomains
from gateway.model.received_mail import MAIL_RECEIVE, ReceivedMail
from gateway.model.sent_mail import SentMail
from gateway.store import direct_keys, mail_received, mail_sent, members
from gateway.store.job_port import PutOff
from gateway.store.job_queue import QueueOptions, open_queue
from tests.gateway.exchange.direct_certificates import Pair, authority, certified
from tests.gateway.house import MEMBER, PLAN, demo_document, open_house

UNCHECKED = Strictness(revocation="off")


@dataclass
class Town:
    """The offices that can reach each other, and what is published of whom."""

    offices: dict[str, "Office"] = field(default_factory=dict)
    published: dict[str, x509.Certificate] = field(default_factory=dict)
    """By address or domain."""
    silent: set[str] = field(default_factory=set)
    """Domains whose directory does not answer."""
    doubts: dict[str, str] = field(default_factory=dict)
    """Why it cannot be known now whether an address' certificate is trusted."""


@dataclass
class Office:
    """One security agent. `now` is its clock; `trusts` are its anchors, for both directions."""

    domain: str
    house: House
    town: Town
    trusts: dict[str, list[x509.Certificate]]
    now: datetime
    port: int = 0
    is_closed: bool = False
    answers: dict[str, str] = field(default_factory=dict)
    """What its server says to a recipient, where that is no 250."""
    failures: list[Exception] = field(default_factory=list)
    """What its jobs ended with."""
    means: DirectMeans = field(init=False)

    # ---- what it works with ------------------------------------------------------------------

    def judge(
        self,
        certificate: x509.Certificate,
        *,
        address: str,
        others: Sequence[x509.Certificate],
        ours: str,
        usage: Any,
        now: datetime,
    ) -> Verdict:
        domain = ours.rpartition("@")[2].lower()
        anchors = [TrustAnchor(one) for one in self.trusts.get(domain, self.trusts[""])]
        verdict = judge(
            certificate, address=address, others=others, anchors=anchors, usage=usage,
            answers={}, now=now, strictness=UNCHECKED,
        )  # fmt: skip
        assert isinstance(verdict, Verdict)
        return verdict

    def find(self, address: str, *, sender: str, fresh: bool = False) -> Found | NotFound:
        domain = address.rpartition("@")[2]
        if domain in self.town.silent:
            step = Step("dns-address", domain, "failed", "it takes too long")
            return NotFound((step,), certain=False)
        certificate = self.town.published.get(address) or self.town.published.get(domain)
        if certificate is None:
            return NotFound((), certain=True)
        if address in self.town.doubts:
            said = self.town.doubts[address]
            return NotFound(
                (Step("dns-address", domain, "failed", said, certificate),), certain=False
            )
        verdict = self.judge(
            certificate, address=address, others=(), ours=sender, usage="encrypt", now=self.now
        )
        said = "; ".join(verdict.reasons)
        outcome = "valid" if verdict.trusted else "invalid"
        steps = (Step("dns-address", domain, outcome, said, certificate),)  # type: ignore[arg-type]
        if not verdict.trusted:
            return NotFound(steps, certain=True)
        return Found((Candidate(certificate, "dns-address", domain, verdict),), steps)

    def route(self, domain: str) -> Sequence[Server]:
        office = self.town.offices.get(domain)
        return () if office is None else (Server("127.0.0.1", office.port),)

    # ---- what comes in -----------------------------------------------------------------------

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        answer = "451 closed" if self.is_closed else self.answers.get(address, "250 ok")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        await self.spool(content, tuple(envelope.rcpt_tos), envelope.mail_from or "")
        return "250 taken"

    async def spool(
        self, content: bytes, recipients: tuple[str, ...], mail_from: str = ""
    ) -> MailId:
        """Keeps a message as a door would, with the job that judges it."""
        blob = await self.house.archive.store_async(PLAN, content)
        mail = ReceivedMail(
            MailId(str(uuid4())), PLAN, "SMTP", mail_from, recipients, blob, self.now, "127.0.0.1"
        )

        def unit(transaction: Any) -> MailId:
            kept = mail_received.insert(transaction, mail)
            if kept.id == mail.id:
                self.queue_again(transaction, mail.id)
            return kept.id

        return await self.house.database.write_async(unit)

    def queue_again(self, transaction: Any, message: MailId) -> None:
        self.means.queue.enqueue(
            transaction, kind=MAIL_RECEIVE, plan=PLAN, payload={"message": message}
        )

    # ---- what goes out -----------------------------------------------------------------------

    async def send(self, *to: str, sender: str = "", **draft: Any) -> MailId:
        """Puts a message with the demo's summary into the outbox."""
        part = OutgoingPart(demo_document("northfield_ccd.xml"), "text/xml", "summary.xml")
        record = Exchange(
            self.now, "out", "DIRECT-SEND", "unknown", plan=PLAN, purpose="PAYMENT", person="Nurse"
        )
        given: dict[str, Any] = {
            "sender": sender or f"desk@{self.domain}",
            "to": to,
            "parts": (part,),
            "record": record,
            "text": "A summary.",
        }
        written = Draft(**{**given, **draft})
        message = await write_draft(self.house.archive, PLAN, written, now=self.now)
        self.house.database.write(lambda tx: enqueue_message(tx, self.means.queue, message))
        return message.id

    # ---- its day -----------------------------------------------------------------------------

    async def work(self) -> None:
        """Does every job that is due by its clock, and those that are put off."""
        means = JobMeans(
            self.house.archive, None, self.house.community, self.house.plans,
            self.means.queue, direct=self.means,
        )  # fmt: skip

        put_off: list[float] = []

        async def one(job: Job) -> None:
            try:
                await perform(job, means)
            except PutOff as later:
                put_off.append(later.seconds)
                raise
            except Exception as error:
                self.failures.append(error)
                print(repr(error), getattr(error, "detail", None))
                raise

        # On PostgreSQL a worker that is idle ends while its last jobs still put in others.
        while True:
            await self.means.queue.work(one, until_idle=True)
            self.now += timedelta(seconds=max(put_off, default=0.0))
            put_off.clear()
            counts = self.house.database.read(self.means.queue.counts)
            if not any(it.state == "waiting" and it.due <= self.now for it in counts):
                return

    def sent(self, message: MailId) -> SentMail:
        found = self.house.database.read(lambda tx: mail_sent.get(tx, plan=PLAN, message=message))
        assert found is not None
        return found

    def state(self, message: MailId) -> str:
        """The state of its only recipient."""
        (recipient,) = self.sent(message).recipients
        return recipient.state

    def received(self) -> list[ReceivedMail]:
        return list(self.house.database.read(lambda tx: mail_received.list_page(tx, plan=PLAN)))

    def notices(self, message: MailId) -> list[tuple[str, str]]:
        found = self.house.database.read(
            lambda tx: mail_sent.notices_of(tx, plan=PLAN, message=message)
        )
        return [(one.notice.kind, one.effect) for one in found]

    def answers_to(self, message: MailId) -> list[SentMail]:
        return list(
            self.house.database.read(lambda tx: mail_sent.answering(tx, plan=PLAN, answers=message))
        )


@asynccontextmanager
async def office(
    folder: Path,
    domain: str,
    town: Town,
    *,
    anchors: Sequence[Pair] | None = None,
    owner: str | None = None,
    published: bool = True,
    database_url: str | None = None,
    failpoint: Callable[[str], None] | None = None,
    kind: type[Office] = Office,
    **means: Any,
) -> AsyncIterator[Office]:
    """An open office with a key for its whole domain, or for `owner` alone."""
    trusted = [authority()] if anchors is None else anchors
    with open_house(
        folder, furnished=False, database_url=database_url, failpoint=failpoint
    ) as house:
        trusts = {"": [certificate for _, certificate in trusted]}
        opened = kind(domain, house, town, trusts, datetime.now(UTC))
        opened.means = DirectMeans(
            archive=house.archive,
            queue=open_queue(house.database, QueueOptions(clock=lambda: opened.now, attempts=3)),
            community=house.community,
            plans=house.plans,
            domains=MailDomains({domain: PLAN}),
            judge=opened.judge,
            find=opened.find,
            route=opened.route,
            smtp=SmtpClient(domain, seconds=30),
            clocks=Clocks(timedelta(hours=1), timedelta(hours=24)),
            clock=lambda: opened.now,
            **means,
        )
        key, certificate = certified(owner or domain)
        sealed = direct_keys.seal_key(
            house.archive.blobs.keys, plan=PLAN, owner=owner or domain, key=key,
            certificates=[certificate], now=opened.now, since=opened.now - timedelta(days=1),
        )  # fmt: skip
        house.database.write(lambda tx: direct_keys.put(tx, sealed))
        house.database.write(lambda tx: members.put(tx, MEMBER))
        if published:
            town.published[owner or domain] = certificate
        town.offices[domain] = opened
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(
            lambda: SMTP(opened, hostname=domain, loop=loop), "127.0.0.1", 0
        )
        opened.port = listening.sockets[0].getsockname()[1]
        try:
            yield opened
        finally:
            listening.close()
