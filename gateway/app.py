"""Puts the parts of the service together, and runs them."""

import asyncio
import contextlib
import gc
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509

from gateway.api.applications import (
    create_operations_application,
    create_partner_application,
    create_plan_application,
)
from gateway.api.listener import Listener, running, until_asked_to_stop
from gateway.api.means import PlanMeans
from gateway.api.partner_means import PartnerMeans, TrustedProxy
from gateway.clients.fetch import Fetcher
from gateway.clients.revocation import RevocationChecks
from gateway.clients.soap_client import SoapClient
from gateway.clients.tls import (
    outgoing_context,
    partner_listener_context,
    plan_listener_context,
    rolling,
)
from gateway.exchange.archive import Archive
from gateway.exchange.checkpoints import LogSeal, is_due, make_checkpoint, publish
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.direct_opening import open_direct
from gateway.exchange.direct_trust import DirectTrust
from gateway.exchange.jobs import JobMeans, perform
from gateway.exchange.mail_forwarding import schedule_name
from gateway.exchange.spooling import MailMeans
from gateway.exchange.workers import WorkerPool
from gateway.intakes.process import mail_process
from gateway.intakes.publish import publishing
from gateway.intakes.running import intakes_running
from gateway.model.community import Community
from gateway.model.discovery_limits import DiscoveryLimits
from gateway.model.identity import PartnerId, PlanId
from gateway.model.mail_domains import MailDomains
from gateway.model.member import Plan
from gateway.model.partner import Partner
from gateway.model.policy import Rule
from gateway.model.purpose import PurposeSystem
from gateway.model.sent_mail import MAIL_FORWARD
from gateway.model.trust import certificate as certificate_of
from gateway.settings import InvalidSettings, KeyPair, Settings
from gateway.settings import Proxy as ProxySettings
from gateway.settings import Rule as RuleSettings
from gateway.store import (
    awaited_answers,
    discovery_tally,
    exchange_log,
    partners,
    plans,
    policy_rules,
    replay,
)
from gateway.store.blobs import BlobStore
from gateway.store.database import Database, Transaction, open_database
from gateway.store.errors import StoreError
from gateway.store.job_queue import JobQueue, open_queue
from gateway.store.keys import KeyRing, create_key_file
from gateway.store.log_key import log_key
from gateway.store.migrations import upgrade
from gateway.store.own_keys import OwnKeys
from gateway.store.scope import ALL_PLANS
from gateway.store.sweeper import sweep

log = logging.getLogger("gateway")
_RECOVERY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 5.0
"""How often the log is looked at: whether it has grown so much that it is to be sealed."""
_SWEEP_SECONDS: Final = 3600.0
_GRACE: Final = timedelta(days=1)
"""No ingest takes as long: a blob without a row after a day has lost whoever wrote it."""
_RESTART_SECONDS: Final = 1.0
_GARBAGE: Final = 20_000
"""New objects before the youngest are looked through: some twenty answers' worth."""
_WORKER_MODULES: Final = ("gateway.exchange.reading", "ccda.html")


@dataclass(slots=True)
class House:
    """An open gateway: everything a command, a listener or a job needs."""

    settings: Settings
    community: Community
    plans: tuple[Plan, ...]
    database: Database
    archive: Archive
    queue: JobQueue
    revocation: RevocationChecks
    fetcher: Fetcher
    _anchors: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def plan(self, plan_id: str) -> Plan | None:
        return next((plan for plan in self.plans if plan.id == plan_id), None)

    def anchors_for(self, partner: Partner) -> Sequence[str]:
        """PEM texts of the anchors of the partner's network."""
        network = self.settings.network(partner.network)
        if network is None:
            return ()
        if network.name not in self._anchors:
            self._anchors[network.name] = tuple(_read_text(path) for path in network.anchors)
        return self._anchors[network.name]

    def require_unrevoked(
        self,
        partner: Partner,
        certificate: x509.Certificate,
        chain: Sequence[x509.Certificate] = (),
    ) -> None:
        """Raises SecurityRefused if the partner's certificate was revoked, or may have been."""
        network = self.settings.network(partner.network)
        self.revocation.require(
            chain or (certificate,),
            anchors=[certificate_of(pem) for pem in self.anchors_for(partner)],
            pinned=not chain,
            strictness=network.revocation if network else "required",
        )

    @property
    def direct_trust(self) -> DirectTrust:
        """Whom Direct mail may come from and go to; it shares its lists with partners' checks."""
        return DirectTrust(self.database, self.revocation)

    def purposes_for(self, partner: Partner) -> PurposeSystem:
        """In which code system the partner's network states purposes."""
        network = self.settings.network(partner.network)
        return network.purposes if network else "nhin"

    def audiences_for(self, partner: Partner) -> frozenset[str]:
        """By which names the partner's network may address us in an assertion."""
        network = self.settings.network(partner.network)
        return frozenset(network.audiences if network else ())


@contextmanager
def open_house(
    settings: Settings, *, failpoint: Callable[[str], None] | None = None
) -> Iterator[House]:
    """Opens the data folder and the database, made or upgraded when needed.

    `failpoint` is called at each durable step by name; tests die there.

    Raises:
        InvalidSettings: a file that the settings name is not usable.
        StoreError: the database or the key file is not.
    """
    # The key first: a data folder without its key file means that the key was lost.
    if not settings.data_dir.exists() and not settings.key_file.exists():
        settings.key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_key_file(settings.key_file)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    upgrade(settings.database)
    limits = settings.limits
    database = open_database(settings.database, failpoint=failpoint)
    known = tuple(
        Plan(
            PlanId(plan.id),
            plan.name,
            plan.member_id_root,
            plan.treatment_agreement,
            plan.requester_role,
            plan.authority,
        )
        for plan in settings.plans
    )
    fetcher = Fetcher(frozenset(settings.revocation.private_addresses))
    try:
        with WorkerPool(
            limits.worker_processes,
            limits.worker_memory_bytes,
            limits.worker_deadline_seconds,
            modules=_WORKER_MODULES,
        ) as workers:
            database.write(partial(_apply, settings, known))
            keys = KeyRing(settings.key_file, database)
            blobs = BlobStore(settings.data_dir / "blobs", keys, failpoint)
            yield House(
                settings=settings,
                community=Community(settings.community, settings.organization),
                plans=known,
                database=database,
                archive=Archive(database, blobs, workers),
                queue=open_queue(database),
                revocation=RevocationChecks(fetcher),
                fetcher=fetcher,
            )
    finally:
        database.close()


def _apply(settings: Settings, known: Sequence[Plan], transaction: Transaction) -> None:
    """Makes the database say what the settings say of plans and rules."""
    for plan in known:
        plans.put(transaction, plan)
    if settings.policy is None:
        return
    stated = {(rule.plan, rule.name) for rule in settings.policy.rules}
    for plan in known:
        for old in policy_rules.list_all(transaction, plan=plan.id):
            if (old.plan, old.name) not in stated:
                policy_rules.remove(transaction, plan=plan.id, name=old.name)
    for rule in settings.policy.rules:
        if rule.plan not in {plan.id for plan in known}:
            raise InvalidSettings(f"[policy] rule {rule.name} names an unknown plan")
        policy_rules.put(transaction, policy_rule(rule))


def policy_rule(stated: RuleSettings) -> Rule:
    """A rule of the settings."""
    return Rule(
        name=stated.name,
        plan=PlanId(stated.plan),
        partner=PartnerId(stated.partner) if stated.partner else None,
        purpose=stated.purpose,
        class_code=stated.class_code,
        confidentiality=stated.confidentiality,
        third_party=stated.third_party,
        on_demand=stated.on_demand,
    )


# ---- keys and TLS ----------------------------------------------------------------------------


def log_seal(settings: Settings) -> LogSeal:
    """With what the exchange log is sealed.

    Raises:
        KeyFileUnusable: its key cannot be read.
    """
    folders = tuple(place.folder for place in settings.audit.publish)
    origin = f"gateway/{settings.home_community_id}"
    return LogSeal(origin, log_key(settings.checkpoint_key), folders)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise InvalidSettings(f"{path} cannot be read: {error.strerror}") from None


def open_client(house: House) -> SoapClient:
    """Our side of outgoing exchanges.

    Raises:
        InvalidSettings: [tls] or [signing] is missing or not usable.
    """
    settings = house.settings
    if settings.tls is None or settings.signing is None:
        raise InvalidSettings("asking partners needs [tls] and [signing] in gateway.toml")
    tls = OwnKeys("tls", settings.tls, house.database)
    contexts: dict[tuple[Partner, KeyPair], ssl.SSLContext] = {}

    def context_for(partner: Partner) -> ssl.SSLContext:
        files = tls.current()
        if (partner, files) not in contexts:
            contexts[partner, files] = outgoing_context(
                certificate=files.certificate,
                key=files.key,
                anchors=house.anchors_for(partner),
                pinned=partner.tls_certificates,
            )
        return contexts[partner, files]

    return SoapClient(
        own_key=_signing_keys(house, settings.signing).signing_key,
        context_for=context_for,
        anchors_for=house.anchors_for,
        purposes_for=house.purposes_for,
        require_unrevoked=house.require_unrevoked,
        skew=timedelta(seconds=settings.limits.clock_skew_seconds),
        message_limit_bytes=settings.limits.message_bytes,
    )


def _signing_keys(house: House, files: KeyPair) -> OwnKeys:
    """The pairs by which partners know us; the one now in use is looked at once."""
    keys = OwnKeys("signing", files, house.database)
    keys.signing_key()
    return keys


# ---- running ---------------------------------------------------------------------------------


async def serve(house: House) -> None:
    """Listens and works until asked to stop.

    Raises:
        InvalidSettings: a listener is not safe as configured.
        OSError: an address is taken.
    """
    found = listeners(house)
    for listener in found:
        _require_free(listener)
    shown = publishing(house.settings.publish, now=datetime.now(UTC))
    _mail_tls(house)  # what it refuses, it refuses before anything runs
    async with shown, working(house), running(found), mail_process(house.settings):
        for listener in found:
            log.info("listening on %s", listener.address)
        settle()
        await until_asked_to_stop()


def settle() -> None:
    """Lets the garbage collector leave aside what will stay as long as the process.

    Otherwise it looks through all modules again and again: a tenth of the time of a short answer.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE)


def _require_free(listener: Listener) -> None:
    """Fails before any work is begun; a second gateway on the same data must not take up jobs."""
    if listener.socket_file is not None:
        return  # binding it says so
    host, port = listener.host_and_port
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise OSError(error.errno, f"{listener.address}: {error.strerror}") from None


async def work(house: House) -> None:
    """Does queued work until asked to stop; answers nobody."""
    async with working(house):
        await until_asked_to_stop()


def listeners(house: House) -> list[Listener]:
    """What this house listens on, as its settings say.

    Raises:
        InvalidSettings: an address is not safe as configured.
    """
    settings = house.settings
    plan_means = PlanMeans(house.archive, house.community, house.plans, house.queue)
    if settings.mail is not None:
        size = settings.mail.limits.message_bytes
        plan_means = replace(
            plan_means,
            mail=mail_means(house),
            mail_limit_bytes=size,
            direct=direct_means(house),
        )

    def check() -> str | None:
        try:
            house.database.read(plans.list_all)
        except StoreError as error:
            return str(error)
        return None

    shared = settings.listen.operations == settings.listen.plans
    plan_tls = _plan_tls(house)
    plan_application = create_plan_application(plan_means, check=check if shared else None)
    found = [Listener(plan_application, settings.listen.plans, plan_tls)]
    if not shared:
        _require_loopback(settings.listen.operations, "operations")
        found.append(Listener(create_operations_application(check), settings.listen.operations))
    if settings.tls is not None and settings.signing is not None:
        found.append(_partner_listener(house, settings.tls, settings.signing))
    else:
        log.warning("no [tls] and [signing]: partners cannot reach this gateway")
    return found


def _plan_tls(house: House) -> ssl.SSLContext | None:
    """Plans may use plain HTTP on loopback alone (DECISIONS 7)."""
    settings = house.settings
    if _is_loopback(settings.listen.plans):
        return None
    if settings.tls is None:
        raise InvalidSettings("[listen] plans is a real address and needs [tls]")
    keys = OwnKeys("tls", settings.tls, house.database)

    @cache
    def context(files: KeyPair) -> ssl.SSLContext:
        return plan_listener_context(certificate=files.certificate, key=files.key)

    return rolling(lambda: context(keys.current()))


def _partner_listener(house: House, tls: KeyPair, signing: KeyPair) -> Listener:
    settings = house.settings
    means = PartnerMeans(
        archive=house.archive,
        community=house.community,
        plans=house.plans,
        own_key=_signing_keys(house, signing).signing_key,
        anchors_for=house.anchors_for,
        audiences_for=house.audiences_for,
        require_unrevoked=house.require_unrevoked,
        skew=timedelta(seconds=settings.limits.clock_skew_seconds),
        discovery_limits=DiscoveryLimits(
            settings.limits.discoveries_per_minute, settings.limits.near_misses_per_day
        ),
        query_results=settings.limits.query_results,
        queue=house.queue,
        message_limit_bytes=settings.limits.message_bytes,
        time_to_live=timedelta(days=settings.limits.correlation_days) or None,
        proxy=_proxy(settings.proxy),
    )
    address = settings.listen.partners
    return Listener(create_partner_application(means), address, _partner_tls(house, tls))


def _proxy(stated: ProxySettings | None) -> TrustedProxy | None:
    if stated is None:
        return None
    shown = frozenset(partners.fingerprint(_read_text(path)) for path in stated.certificates)
    # A proxy that shows a certificate is known by that alone.
    return TrustedProxy(stated.header, shown, frozenset(() if shown else stated.addresses))


def _partner_tls(house: House, tls: KeyPair) -> ssl.SSLContext | None:
    """Mutual TLS; None where a proxy of ours has ended it, and speaks to us within the machine."""
    settings, address = house.settings, house.settings.listen.partners
    proxies = settings.proxy.certificates if settings.proxy else ()
    if settings.proxy is not None and not proxies:
        if not address.startswith("unix:") and not _is_loopback(address):
            raise InvalidSettings(
                "[listen] partners is a real address: [proxy] certificates must say which the "
                "proxy shows"
            )
        return None
    if address.startswith("unix:"):
        raise InvalidSettings("[listen] partners is a socket file, which is for a [proxy] alone")
    keys = OwnKeys("tls", tls, house.database)
    anchors = [_read_text(path) for network in settings.networks for path in network.anchors]
    pinned = tuple(_read_text(path) for path in proxies)

    @cache
    def context(files: KeyPair) -> ssl.SSLContext:
        known = house.database.read(lambda tx: partners.list_all(tx, plan=ALL_PLANS))
        theirs = [pem for partner in known for pem in partner.tls_certificates]
        if not anchors and not theirs and not pinned:
            raise InvalidSettings("no network anchor and no partner: nobody could connect")
        return partner_listener_context(
            certificate=files.certificate, key=files.key, anchors=anchors, pinned=[*theirs, *pinned]
        )

    return rolling(lambda: context(keys.current()))


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _require_loopback(address: str, name: str) -> None:
    if not _is_loopback(address):
        raise InvalidSettings(f"[listen] {name} must be a loopback address")


# ---- mail ------------------------------------------------------------------------------------


def mail_means(house: House) -> MailMeans | None:
    """What mail doors work with; None for a house that has no mail."""
    mail = house.settings.mail
    if mail is None:
        return None
    plans_of = {domain.name: PlanId(domain.plan) for domain in mail.domains if domain.plan}
    return MailMeans(house.archive, house.queue, MailDomains(plans_of))


def direct_means(house: House) -> DirectMeans | None:
    """What the verbs of Direct work with; None for a house that has no mail.

    Raises:
        InvalidSettings: a file that [mail.out] names cannot be read.
    """
    return open_direct(
        house.settings,
        archive=house.archive,
        queue=house.queue,
        community=house.community,
        plans=house.plans,
        trust=house.direct_trust,
        fetcher=house.fetcher,
    )


def _schedule_forwards(house: House, transaction: Transaction) -> None:
    """From now on the rules of the settings are looked at."""
    mail = house.settings.mail
    for rule in () if mail is None else mail.out.forward:
        if house.plan(rule.plan) is None:
            raise InvalidSettings(f"[mail.out] forward {rule.name} names an unknown plan")
        house.queue.schedule(
            transaction,
            name=schedule_name(rule.name),
            kind=MAIL_FORWARD,
            plan=PlanId(rule.plan),
            payload={"rule": rule.name},
            every_seconds=rule.every_seconds,
            first=datetime.now(UTC),
        )


async def take_mail(house: House, *, stop: Callable[[], Awaitable[None]]) -> None:
    """Listens for mail, reads mailboxes and folders, until `stop` returns.

    Raises:
        InvalidSettings: there is no [mail], or a door is not safe as configured.
        OSError: an address is taken.
    """
    mail, means = house.settings.mail, mail_means(house)
    if mail is None or means is None:
        raise InvalidSettings("there is no [mail] in gateway.toml")
    async with intakes_running(means, mail, _mail_tls(house)) as address:
        if address is not None:
            log.info("listening for mail on %s", address)
        await stop()


def _mail_tls(house: House) -> ssl.SSLContext | None:
    """STARTTLS wherever we have a key; without one SMTP may be spoken on loopback alone."""
    settings = house.settings
    if settings.mail is None or settings.mail.listen is None:
        return None
    if settings.tls is None:
        if not _is_loopback(settings.mail.listen):
            raise InvalidSettings("[mail] listen is a real address and needs [tls]")
        return None
    keys = OwnKeys("tls", settings.tls, house.database)

    @cache
    def context(files: KeyPair) -> ssl.SSLContext:
        return plan_listener_context(certificate=files.certificate, key=files.key)

    return rolling(lambda: context(keys.current()))


# ---- jobs ------------------------------------------------------------------------------------


@asynccontextmanager
async def working(house: House) -> AsyncIterator[None]:
    """Jobs and recovery in this process, while the block runs."""
    house.database.write(lambda tx: exchange_log.recover(tx, now=datetime.now(UTC)))
    tasks = [
        asyncio.create_task(_kept_up("recovery", partial(_recover_now_and_then, house))),
        asyncio.create_task(_kept_up("the log's seal", partial(_seal_now_and_then, house))),
        asyncio.create_task(_kept_up("the sweeper", partial(_sweep_now_and_then, house))),
    ]
    client: SoapClient | None = None
    if house.settings.tls is not None and house.settings.signing is not None:
        client = open_client(house)
    direct = direct_means(house)
    house.database.write(partial(_schedule_forwards, house))
    if client is not None or direct is not None:
        means = JobMeans(
            house.archive,
            client,
            house.community,
            house.plans,
            house.queue,
            house.settings.replies_at,
            house.fetcher,
            direct,
        )

        async def work_off() -> None:
            await house.queue.work(lambda job: perform(job, means))

        tasks.append(asyncio.create_task(_kept_up("the job worker", work_off)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if client is not None:
            await client.close()


async def _kept_up(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Runs it until cancelled: a database that is away for a while must not end it for good."""
    while True:
        try:
            await run()
        except Exception as error:  # the door of a background task
            log.error("%s stopped (%s); it starts again", name, type(error).__name__)
        await asyncio.sleep(_RESTART_SECONDS)


async def _recover_now_and_then(house: House) -> None:
    while True:
        await asyncio.sleep(_RECOVERY_SECONDS)
        now = datetime.now(UTC)
        await house.database.write_async(partial(exchange_log.recover, now=now))
        await house.database.write_async(partial(replay.forget_expired, now=now))
        await house.database.write_async(partial(discovery_tally.forget_expired, now=now))
        await house.database.write_async(partial(awaited_answers.forget_old, now=now))


async def _seal_now_and_then(house: House) -> None:
    """A checkpoint once enough records or time have gone by, brought to each place outside."""
    seal, audit = log_seal(house.settings), house.settings.audit
    while True:
        now = datetime.now(UTC)
        due = partial(
            is_due, every_records=audit.every_records, every_seconds=audit.every_seconds, now=now
        )
        if await house.database.read_async(due):
            await house.database.write_async(partial(make_checkpoint, seal=seal, now=now))
        await asyncio.to_thread(publish, house.database, seal.folders)
        await asyncio.sleep(min(_LOOK_SECONDS, audit.every_seconds))


async def _sweep_now_and_then(house: House) -> None:
    """What crashes and broken answers left among the blobs goes, once it is surely nobody's."""
    while True:
        await asyncio.to_thread(
            sweep, house.archive.blobs.root, house.database, now=datetime.now(UTC), grace=_GRACE
        )
        await asyncio.sleep(_SWEEP_SECONDS)
