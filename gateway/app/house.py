"""The open house: everything a command, a listener or a job needs, and the keys it works with."""

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from gateway.app.applying import apply_settings
from gateway.clients.connections import Connections
from gateway.clients.fetch import Fetcher
from gateway.clients.revocation import RevocationChecks
from gateway.clients.soap_client import SoapClient
from gateway.clients.tls import (
    outgoing_context,
)
from gateway.exchange.archive import Archive
from gateway.exchange.checkpoints import LogSeal
from gateway.exchange.direct_trust import DirectTrust
from gateway.exchange.turns import away
from gateway.exchange.workers import WorkerPool
from gateway.model.community import Community
from gateway.model.identity import PlanId
from gateway.model.member import Plan
from gateway.model.partner import Partner
from gateway.model.purpose import PurposeSystem
from gateway.model.trust import certificate as certificate_of
from gateway.settings import InvalidSettings, KeyPair, Limits, Settings
from gateway.settings_addresses import PrivateAddresses
from gateway.store.blobs import BlobStore
from gateway.store.database import Database, open_database
from gateway.store.job_queue import JobQueue, open_queue
from gateway.store.key_file import create_key_file
from gateway.store.keys import KeyRing
from gateway.store.log_key import log_key
from gateway.store.migrations import upgrade
from gateway.store.own_keys import OwnKeys

_WORKER_MODULES: Final = ("gateway.exchange.reading", "ccda.html")
_OPENER_MODULES: Final = (
    "gateway.exchange.mail_letter",
    "gateway.exchange.mail_carried",
    "gateway.exchange.mail_describing",
)
_MESSAGE_BYTES: Final = 200_000_000
"""Of the private memory of the one worker that works for a message; the largest that we accept
need less. What was signed lies beside it once (50 MB at most) while its signer is judged, and here
a message takes less than the 50 MB left of 300: its bytes pass through in pieces."""
_MESSAGE_SECONDS: Final = 20.0


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
    openers: WorkerPool
    """For messages of Direct mail; no process runs before one comes."""
    _anchors: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def plan(self, plan_id: str) -> Plan | None:
        return next((plan for plan in self.plans if plan.id == plan_id), None)

    def anchors_for(self, partner: Partner) -> Sequence[str]:
        """PEM texts of the anchors of the partner's network."""
        network = self.settings.network(partner.network)
        if network is None:
            return ()
        if network.name not in self._anchors:
            self._anchors[network.name] = tuple(read_text(path) for path in network.anchors)
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
    settings: Settings,
    *,
    stated: Settings | None = None,
    handed_down: bool = False,
    failpoint: Callable[[str], None] | None = None,
) -> Iterator[House]:
    """Opens the data folder and the database, made or upgraded when needed.

    `stated` are the settings as they are written, where a command has added to them for itself; of
    those that are `handed_down` by a process of the same house no change is recorded here.
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
    database = open_database(settings.database, key_file=settings.key_file, failpoint=failpoint)
    written = None if handed_down else stated or settings
    known = tuple(_plans(settings))
    fetcher = Fetcher(PrivateAddresses.of(settings.revocation.private_addresses))
    try:
        with _pools(settings.limits) as (workers, openers):
            database.write(lambda tx: apply_settings(tx, settings, known, stated=written))
            keys = KeyRing(settings.key_file, database)
            blobs = BlobStore(settings.data_dir / "blobs", keys, failpoint)
            yield House(
                settings=settings,
                community=Community(settings.community, settings.organization),
                plans=known,
                database=database,
                archive=Archive(database, blobs, workers),
                queue=open_queue(database),
                revocation=RevocationChecks(fetcher, away=away),
                fetcher=fetcher,
                openers=openers,
            )
    finally:
        database.close()


def _plans(settings: Settings) -> Iterator[Plan]:
    for one in settings.plans:
        yield Plan(
            PlanId(one.id),
            one.name,
            one.member_id_root,
            one.treatment_agreement,
            one.requester_role,
            one.authority,
        )


@contextmanager
def _pools(limits: Limits) -> Iterator[tuple[WorkerPool, WorkerPool]]:
    """Workers that read documents, and such as open messages."""
    with (
        WorkerPool(
            limits.worker_processes,
            limits.worker_memory_bytes,
            limits.worker_deadline_seconds,
            modules=_WORKER_MODULES,
        ) as workers,
        WorkerPool(
            limits.worker_processes,
            _MESSAGE_BYTES,
            _MESSAGE_SECONDS,
            cpu_seconds=limits.mail_cpu_seconds,
            modules=_OPENER_MODULES,
        ) as openers,
    ):
        yield workers, openers


def log_seal(settings: Settings) -> LogSeal:
    """With what the exchange log is sealed.

    Raises:
        KeyFileUnusable: its key cannot be read.
    """
    places = settings.audit.publish
    folders = tuple(place.folder for place in places if place.folder is not None)
    origin = f"gateway/{settings.home_community_id}"
    return LogSeal(origin, log_key(settings.checkpoint_key), folders)


def read_text(path: Path) -> str:
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
    tls.current()  # else each partner would be told of as failed
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
        own_key=signing_keys(house, settings.signing).signing_key,
        connections=Connections(context_for, house.require_unrevoked),
        anchors_for=house.anchors_for,
        purposes_for=house.purposes_for,
        require_unrevoked=house.require_unrevoked,
        skew=timedelta(seconds=settings.limits.clock_skew_seconds),
        message_limit_bytes=settings.limits.message_bytes,
    )


def signing_keys(house: House, files: KeyPair) -> OwnKeys:
    """The pairs by which partners know us; the one now in use is looked at once."""
    keys = OwnKeys("signing", files, house.database)
    keys.signing_key()
    return keys
