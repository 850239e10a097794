"""An open house for tests: a plan, members, documents, partners, and its doors on real sockets.

    with open_house(tmp_path) as house, serving(house) as door:
        sealed = ask(discovery(MEMBER), ITI_55_REQUEST)  # from tests.gateway.asking
        reply = door.post("/ihe/xcpd", sealed.envelope)

Our community is Lakeshore Medical Group, so that of the demo's documents Lakeshore's are our own
and Northfield's are those of a third party. Whatever is slow (keys, migration, reading documents)
is done once a process: every house is a copy of one that was furnished before.
"""

import asyncio
import http.client
import shutil
import socket
import ssl
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlalchemy import delete, text

from ccda.hl7v3 import II
from ccda.safe_xml import Element, parse_xml
from gateway.api.listener import running
from gateway.app import house as house_module
from gateway.app.house import House
from gateway.app.house import open_house as open_gateway
from gateway.app.listening import listeners
from gateway.demo.certificates import Issued, create_authority, issue
from gateway.demo.parties import MEMBER as ROSALIND
from gateway.exchange.atna_acts import SETTINGS
from gateway.exchange.ingest import Ingested, ingest, receive
from gateway.model.document import Document, Source
from gateway.model.exchange import Exchange
from gateway.model.identity import MemberId, PartnerId, PlanId
from gateway.model.member import Member
from gateway.model.partner import Endpoints, Partner
from gateway.model.policy import Rule
from gateway.settings import KeyPair, Listen, Network, Plan, Settings
from gateway.store import exchange_log, members, partners, policy_rules, tables
from gateway.store.documents import list_page
from gateway.store.scope import ALL_PLANS
from gateway.store.transaction import Transaction
from ihe.identifiers import HomeCommunityId
from ihe.trust import SigningKey
from tests.gateway.own_loop import run_on
from tests.lasting_workers import LastingWorkers

house_module.WorkerPool = LastingWorkers  # type: ignore[attr-defined, misc]

PLAN = PlanId("acme")
AUTHORITY = "urn:oid:2.999.1.7"
OTHER_PLAN = PlanId("other")
NUMBER_ROOT = "2.999.7302.1.2"
HOME = HomeCommunityId.parse("2.999.7302.1")
ORGANIZATION = "Lakeshore Medical Group"
AUDIENCE = "https://lakeshore.example/ihe"
NETWORK = "test"
MEMBER = Member(
    MemberId("00000000-0000-4000-8000-000000000001"),
    PLAN,
    "LS-0093345",
    replace(ROSALIND, ids=(II(NUMBER_ROOT, "LS-0093345"),)),
    coverage_start=date(2019, 1, 1),
)
OWN_DOCUMENTS = (
    "lakeshore_progress_note_replaced.xml",
    "lakeshore_progress_note.xml",
    "lakeshore_unstructured.xml",
    "lakeshore_ccd.xml",
)
THIRD_PARTY_DOCUMENTS = ("northfield_discharge_summary.xml", "northfield_ccd.xml")
US = "Our gateway"


# ---- certificates ----------------------------------------------------------------------------


def authority(name: str = "Test network") -> Issued:
    return _authority(name)


def certificate_of(name: str, by: str = "Test network") -> Issued:
    """A certificate for TLS and signing, of the authority `by`; the same for the same name."""
    return _certificate_of(name, by)


def key_files(name: str, by: str = "Test network") -> tuple[Path, Path]:
    """Certificate and key of `certificate_of`, as files."""
    return _key_files(name, by)


# `cache` tells a default from the same value given: hence these, which have none.


@cache
def _authority(name: str) -> Issued:
    return create_authority(name, now=datetime.now(UTC))


@cache
def _certificate_of(name: str, by: str) -> Issued:
    return issue(_authority(by), name, now=datetime.now(UTC))


@cache
def _key_files(name: str, by: str) -> tuple[Path, Path]:
    return _certificate_of(name, by).save(_folder(), f"{name}-{by}".replace(" ", "-"))


def signing_key(name: str, by: str = "Test network") -> SigningKey:
    issued = certificate_of(name, by)
    return SigningKey(issued.key, issued.certificate)


@cache
def _folder() -> Path:
    """Lives as long as this process."""
    _folders.append(tempfile.TemporaryDirectory(prefix="house-"))
    return Path(_folders[-1].name)


_folders: list[tempfile.TemporaryDirectory[str]] = []


# ---- who is who ------------------------------------------------------------------------------


def a_partner(
    name: str = "Northfield Health", home: str = "2.999.7301.1", **changes: Any
) -> Partner:
    """A community that shows, and signs with, `certificate_of(name)`."""
    pem = certificate_of(name).certificate_pem
    partner = Partner(
        id=PartnerId(home),
        name=name,
        home_community_id=HomeCommunityId.parse(home),
        endpoints=Endpoints(),
        network=NETWORK,
        tls_certificates=(pem,),
        signing_certificates=(pem,),
    )
    return replace(partner, **changes)


def a_rule(partner: Partner | None = None, purpose: str | None = "PAYMENT", **changes: Any) -> Rule:
    """A rule that offers what we wrote; to everyone unless a partner is named."""
    rule = Rule("a rule", PLAN, None if partner is None else partner.id, purpose)
    return replace(rule, **changes)


def settings(folder: Path, **changes: Any) -> Settings:
    """A house in `folder`, listening on any free port of loopback."""
    certificate, key = key_files(US)
    anchor = _folder() / "anchor.pem"
    anchor.write_text(authority().certificate_pem, encoding="ascii")
    given: dict[str, Any] = {
        "home_community_id": str(HOME),
        "organization": ORGANIZATION,
        "data_dir": folder / "data",
        "key_file": folder / "keys" / "key-encryption-key",
        "listen": Listen(partners="127.0.0.1:0", plans="127.0.0.1:0", operations="127.0.0.1:0"),
        "tls": KeyPair(certificate=certificate, key=key),
        "signing": KeyPair(certificate=certificate, key=key),
        "plans": (
            Plan(id=PLAN, name="Acme", member_id_root=NUMBER_ROOT, authority=AUTHORITY),
            Plan(id=OTHER_PLAN, name="Other", authority=AUTHORITY),
        ),
        "networks": (Network(name=NETWORK, anchors=(anchor,), audiences=(AUDIENCE,)),),
    }
    return Settings(**{**given, **changes})


# ---- the house -------------------------------------------------------------------------------


@contextmanager
def open_house(
    folder: Path,
    *,
    rules: Sequence[Rule] = (),
    known: Sequence[Partner] | None = None,
    furnished: bool = True,
    failpoint: Callable[[str], None] | None = None,
    **changes: Any,
) -> Iterator[House]:
    """A house with MEMBER and the demo's documents (none of it if not `furnished`).

    `known` are its partners, one by default. Without `rules` it gives nothing to anyone.
    `changes` are settings that differ.
    """
    if furnished:
        shutil.copytree(_furnished(), folder, dirs_exist_ok=True)
    with open_gateway(settings(folder, **changes), failpoint=failpoint) as house:

        def unit(transaction: Transaction) -> None:
            for partner in (a_partner(),) if known is None else known:
                partners.put(transaction, partner)
            for rule in rules:
                policy_rules.put(transaction, rule)

        house.database.write(unit)
        yield house


@cache
def _furnished() -> Path:
    folder = _folder() / "furnished"
    with open_gateway(settings(folder)) as house:
        house.database.write(lambda tx: members.put(tx, MEMBER))
        for name in (*OWN_DOCUMENTS, *THIRD_PARTY_DOCUMENTS):
            assert file(house, demo_document(name)).outcome == "filed", name
        forget_settings(house)
    return folder


def forget_settings(house: House) -> None:
    """A copy of the house is then as one that was never opened: its settings are no change."""
    house.database.write(lambda tx: tx.connection.execute(delete(tables.setting_seen)))


def demo_document(name: str) -> bytes:
    return files("gateway.demo.documents").joinpath(name).read_bytes()


def file(house: House, content: bytes, *, source: Source | None = None) -> Ingested:
    """What became of a document that came in by `source`, by default as a file."""
    plan = next(plan for plan in house.plans if plan.id == PLAN)
    blob = house.archive.store(plan.id, content)
    source = source or Source(door="FILE")
    received = asyncio.run(receive(house.archive, blob, plan=plan, source=source))
    now = datetime.now(UTC)
    (done,) = house.database.write(
        lambda tx: ingest(tx, [received], plan=plan, community=house.community, now=now)
    )
    return done


def documents(house: House) -> tuple[Document, ...]:
    return house.database.read(lambda tx: list_page(tx, plan=PLAN))


def records(house: House) -> list[Exchange]:
    """All exchange records, oldest first, but those of changed settings: tests open a house again
    with others."""
    return [one for one in whole_log(house) if one.transaction != SETTINGS]


def whole_log(house: House) -> list[Exchange]:
    """All exchange records, oldest first."""
    found = house.database.read(
        lambda tx: exchange_log.search(tx, plan=ALL_PLANS, descending=False, limit=10_000)
    )
    return [one.exchange for one in found]


def refusals(house: House) -> Counter[tuple[str, str, str]]:
    """How often strangers were refused, by transaction, peer and reason, whatever the minute."""
    found: Counter[tuple[str, str, str]] = Counter()
    for row in rows_of(house, "refusal"):
        found[(row["transaction"], row["peer"], row["reason"])] += row["count"]
    for one in records(house):
        if one.partner is None and one.outcome == "refused":
            found[(one.transaction, one.peer or "", one.reason or "")] += one.count
    return found


def rows_of(house: House, table: str) -> list[dict[str, Any]]:
    found = house.database.read(
        lambda tx: tx.connection.execute(text(f"SELECT * FROM {table}")).mappings().all()  # noqa: S608
    )
    return [dict(row) for row in found]


def contents(house: House) -> dict[str, int]:
    """How many rows each table has."""
    named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"

    def count(transaction: Transaction) -> dict[str, int]:
        tables = transaction.connection.execute(text(named)).scalars().all()
        return {
            name: transaction.connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()  # noqa: S608
            for name in tables
        }

    return house.database.read(count)


# ---- the door --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def envelope(self) -> Element:
        return parse_xml(self.body)


SOAP = "application/soap+xml; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Door:
    """The partner listener of a running house, seen from outside."""

    host: str
    port: int

    def post(
        self,
        path: str,
        body: bytes,
        *,
        by: str | None = "Northfield Health",
        issuer: str = "Test network",
        content_type: str | None = SOAP,
    ) -> Reply:
        """The answer to `body`, sent with the certificate of `by`; None shows none."""
        headers = {} if content_type is None else {"Content-Type": content_type}
        return self.request("POST", path, body, headers, by=by, issuer=issuer)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        by: str | None = "Northfield Health",
        issuer: str = "Test network",
    ) -> Reply:
        connection = http.client.HTTPSConnection(
            self.host, self.port, timeout=30, context=client_context(by, issuer)
        )
        with closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, named, answer.read())

    @contextmanager
    def connected(
        self, by: str | None = "Northfield Health", issuer: str = "Test network"
    ) -> Iterator[ssl.SSLSocket]:
        """A TLS connection for arbitrary bytes."""
        context = client_context(by, issuer)
        with (
            socket.create_connection((self.host, self.port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            yield secure


def client_context(by: str | None, issuer: str = "Test network") -> ssl.SSLContext:
    """Trusts our gateway, and shows the certificate of `by`."""
    context = ssl.create_default_context(cadata=authority().certificate_pem)
    if by is not None:
        context.load_cert_chain(*key_files(by, issuer))
    return context


@contextmanager
def serving(house: House) -> Iterator[Door]:
    """The partner listener up on a real socket, in a thread with its own event loop."""
    started: list[str] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        async with running(listeners(house)[-1:]) as addresses:
            started.extend(addresses)
            ready.set()
            await stop.wait()

    failed: list[BaseException] = []

    def main() -> None:
        try:
            run_on(loop, run())
        except BaseException as error:  # told to the test's own thread below
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=main, name="listener")
    thread.start()
    ready.wait(30)
    try:
        if started:
            host, _, port = started[0].rpartition(":")
            yield Door(started[0], 0) if host == "unix" else Door(host, int(port))
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        if failed:
            raise failed[0]
