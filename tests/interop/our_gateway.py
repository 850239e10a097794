"""Our gateway as partners meet it: `gateway serve`, with its own folder, over mutual TLS."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
from lxml import etree

from ccda.hl7v3 import AD, PN, TEL, TS
from gateway.app.house import open_client, open_house
from gateway.auditing import reporter_of
from gateway.exchange.asking import Asking
from gateway.exchange.audit_feed import FeedMeans, record_messages
from gateway.exchange.ingest import Ingested, ingest, receive
from gateway.exchange.partner_check import check_partner
from gateway.exchange.partner_findings import Report
from gateway.model.document import Document, Source
from gateway.model.exchange import Exchange, ExchangeFilter
from gateway.model.identity import ConversationId, MemberId, PartnerId, PlanId, RetrievalId
from gateway.model.link import Link
from gateway.model.member import Member
from gateway.model.partner import Endpoints, Partner, PartnerProfile
from gateway.model.retrieval import Requester, Retrieval
from gateway.settings import load_settings
from gateway.store import documents, exchange_log, links, members, partners, tokens
from gateway.store.database import Transaction
from gateway.store.scope import ALL_PLANS
from ihe.identifiers import HomeCommunityId, PatientId
from ihe.xcpd import Demographics
from tests.interop import facts
from tests.interop.certificates import Party
from tests.interop.peer import Addresses, free_port

PLAN = PlanId("interop")
PERSON = "Nadia Ferro"
ROLE = "care manager"
PURPOSE = "PAYMENT"
_ROOT = Path(__file__).parents[2]
_START_SECONDS = 60
# Longer than a retrieval waits for a partner.
_REST_SECONDS = 90


class OurGateway:
    """A house in `folder` and the process that serves it; a context manager around both.

    It knows `partner`, whose certificates are pinned, and the patient of facts.py as a member.
    It gives everything to `partner`, and takes what that submits, for the purpose that facts.py
    names; it submits everything for PURPOSE.
    """

    def __init__(self, folder: Path, own: Party, partner: Partner) -> None:
        folder.mkdir()
        self._config = folder / "gateway.toml"
        self._log = folder / "log.txt"
        self._port = free_port()
        self._url = f"http://127.0.0.1:{free_port()}"
        text = _settings(folder, own, partner, self._port, self._url)
        self._config.write_text(text)
        self._partner = partner
        self.member = member_from(facts.PATIENT, "IP-1")

    @property
    def addresses(self) -> Addresses:
        base = f"https://127.0.0.1:{self._port}/ihe"
        return Addresses(f"{base}/xcpd", f"{base}/xca", f"{base}/xca")

    @property
    def submissions(self) -> str:
        """Where it takes ITI-41 and ITI-80."""
        return f"https://127.0.0.1:{self._port}/ihe/xdr"

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._house = stack.enter_context(open_house(load_settings(self._config)))
            token = self._seed()
            process = self._start()
            stack.callback(_stop, process)
            self._rest = stack.enter_context(
                httpx.Client(
                    base_url=self._url,
                    headers={"Authorization": f"Bearer {token}"},
                    trust_env=False,
                    timeout=_REST_SECONDS,
                )
            )
            self._wait_until_ready(process)
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    # ---- what it holds and says --------------------------------------------------------------

    def enroll(self, person: Member) -> None:
        self._house.database.write(lambda tx: members.put(tx, person))

    def know_elsewhere(self, other: Partner, patient: PatientId) -> None:
        """The member is known to another community, by a match that stands."""
        link = Link(
            PLAN,
            self.member.id,
            other.id,
            other.home_community_id,
            patient,
            "confirmed",
            datetime.now(UTC),
        )

        def unit(transaction: Transaction) -> None:
            partners.put(transaction, other)
            links.put(transaction, link)

        self._house.database.write(unit)

    def file(self, content: bytes) -> Document:
        """Files a document, as `gateway ingest` does."""
        plan, archive = self._house.plans[0], self._house.archive

        async def filed() -> tuple[Ingested, ...]:
            blob = await archive.store_async(plan.id, content)
            one = await receive(archive, blob, plan=plan, source=Source(door="FILE"))
            return await archive.database.write_async(
                lambda tx: ingest(
                    tx,
                    [one],
                    plan=plan,
                    community=self._house.community,
                    now=datetime.now(UTC),
                )
            )

        (done,) = asyncio.run(filed())
        assert done.outcome == "filed", done.document.reason
        return done.document

    def filed(self) -> tuple[Document, ...]:
        return self._house.database.read(
            lambda tx: documents.list_page(tx, plan=PLAN, state="filed", limit=100)
        )

    def content(self, document: Document) -> bytes:
        return self._house.archive.load(PLAN, document.blob)

    def records(self, **wanted: Any) -> tuple[Exchange, ...]:
        """The exchange records that fit, oldest first; counted refusals are among them.

        Not what the house records of itself: that it was started, with which key its log is signed.
        """
        # A refusal is counted for a minute before it is recorded: that minute is over now.
        later = datetime.now(UTC) + timedelta(minutes=2)
        self._house.database.write(partial(exchange_log.flush_refusals, now=later))
        found = self._house.database.read(
            lambda tx: exchange_log.search(
                tx, plan=ALL_PLANS, wanted=ExchangeFilter(**wanted), descending=False
            )
        )
        own = ("GATEWAY-START", "GATEWAY-STOP", "CHECKPOINT-KEY", "SETTINGS")
        return tuple(one.exchange for one in found if one.exchange.transaction not in own)

    def audit_messages(self, **wanted: Any) -> tuple[etree._Element, ...]:
        """What ATNA is told of these records, the DICOM message of each event."""
        wanted_of = ExchangeFilter(**wanted)
        database, keys = self._house.database, self._house.archive.blobs.keys
        means = FeedMeans(database, keys, reporter_of(self._house.settings))
        found = database.read(
            lambda tx: exchange_log.search(tx, plan=ALL_PLANS, wanted=wanted_of, descending=False)
        )
        return tuple(
            etree.fromstring(message[message.index(b"<AuditMessage") :])
            for record in found
            for message in record_messages(record, means)
        )

    # ---- what it is asked to do --------------------------------------------------------------

    def retrieve(
        self,
        person: Member,
        addresses: Addresses,
        *,
        pinned: Party | None = None,
        locations: str | None = None,
    ) -> "Retrieved":
        """Asks the partner, which answers at `addresses`, for the member's records over REST.

        `pinned` is whose certificates the partner is known by, if not its own; `locations` is where
        it says who else knows a patient.
        """
        endpoints = Endpoints(
            addresses.discovery, addresses.query, addresses.retrieve, iti56=locations
        )
        partner = replace(self._partner, endpoints=endpoints)
        if pinned is not None:
            partner = replace(partner, **_certificates(pinned))
        self._house.database.write(lambda tx: partners.put(tx, partner))
        form = {"purpose": PURPOSE, "requester": {"person": PERSON, "role": ROLE}}
        started = self._rest.post(f"/api/v1/members/{person.id}/retrievals", json=form)
        assert started.status_code == 202, started.text
        state = self._follow(started.headers["Location"])
        summary = self._read(f"/api/v1/members/{person.id}/summary")
        records = self.records(conversation=state["conversation"], direction="out")
        return Retrieved(state, summary, records)

    def check(self, person: Member, addresses: Addresses) -> Report:
        """What `gateway partners check` finds at the partner, with that test patient."""
        endpoints = Endpoints(addresses.discovery, addresses.query, addresses.retrieve)
        partner = replace(self._partner, endpoints=endpoints)
        retrieval = Retrieval(
            id=RetrievalId(str(uuid4())),
            plan=PLAN,
            member=person.id,
            purpose=PURPOSE,
            requester=Requester(PERSON, ROLE),
            conversation=ConversationId(str(uuid4())),
            created=datetime.now(UTC),
        )

        async def walk() -> Report:
            house, client = self._house, open_client(self._house)
            asking = Asking(
                house.archive, client, house.community, house.plans[0], person, retrieval
            )
            try:
                return await check_partner(asking, partner, member=person)
            finally:
                await client.close()

        return asyncio.run(walk())

    def submit(self, person: Member, endpoints: Endpoints) -> Mapping[str, Any]:
        """Submits all that rules give of the member to the partner, over REST; how it ended."""
        partner = replace(self._partner, endpoints=endpoints)
        self._house.database.write(lambda tx: partners.put(tx, partner))
        form = {
            "partner": partner.id,
            "purpose": PURPOSE,
            "requester": {"person": PERSON, "role": ROLE},
        }
        started = self._rest.post(f"/api/v1/members/{person.id}/submissions", json=form)
        assert started.status_code == 202, started.text
        deadline = time.monotonic() + _REST_SECONDS
        while (state := self._read(started.headers["Location"]))["state"] == "waiting":
            assert time.monotonic() < deadline, state
            time.sleep(0.2)
        return state

    def _follow(self, address: str) -> dict[str, Any]:
        """The retrieval once it has ended."""
        last: dict[str, Any] = {}
        with self._rest.stream("GET", f"{address}/events") as events:
            for line in events.iter_lines():
                if line.startswith("data: "):
                    last = json.loads(line.removeprefix("data: "))
        return last

    def _read(self, address: str) -> dict[str, Any]:
        response = self._rest.get(address)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    # ---- coming up and going down ------------------------------------------------------------

    def _seed(self) -> str:
        """The partner, the member, and a token for staff, whose secret this returns."""
        now = datetime.now(UTC)
        self.enroll(self.member)
        self._house.database.write(lambda tx: partners.put(tx, self._partner))
        _, secret = self._house.database.write(
            lambda tx: tokens.create(tx, plan=PLAN, name="interop", role="staff", now=now)
        )
        return secret

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "gateway", "serve", "--config", str(self._config)]
        with self._log.open("wb") as log:
            return subprocess.Popen(
                command, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if self._rest.get("/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(f"gateway serve did not start: {self._log.read_text()[-3000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True, slots=True)
class Retrieved:
    """How a retrieval ended, the member's summary after it, and what was recorded of it."""

    state: Mapping[str, Any]
    summary: Mapping[str, Any]
    records: tuple[Exchange, ...]

    @property
    def partner(self) -> Mapping[str, Any]:
        """How the one partner answered."""
        (partner,) = self.state["partners"]
        found: Mapping[str, Any] = partner
        return found


def partner_of(name: str, home: str, party: Party, **profile: Any) -> Partner:
    """The peer as we know it: by its pinned certificates, for TLS and for signing."""
    community = HomeCommunityId.parse(home)
    return Partner(
        id=PartnerId(str(community)),
        name=name,
        home_community_id=community,
        endpoints=Endpoints(),
        plan=PLAN,
        profile=PartnerProfile(**profile),
        **_certificates(party),
    )


def _certificates(party: Party) -> dict[str, Any]:
    return {
        "tls_certificates": (party.tls.certificate.read_text(),),
        "signing_certificates": (party.signing.certificate.read_text(),),
    }


def member_from(patient: Mapping[str, str], number: str) -> Member:
    """The person of a facts file, as the plan's roster has them."""
    person = Demographics(
        names=(PN(patient["patient.family"], (patient["patient.given"],), use="L"),),
        birth_time=TS(patient["patient.birth"]),
        gender=patient["patient.gender"],
        addresses=(
            AD(
                (patient["patient.street"],),
                patient["patient.city"],
                patient["patient.state"],
                patient["patient.zip"],
                use="HP",
            ),
        ),
        telecoms=(TEL(patient["patient.telecom"], "HP"),),
    )
    return Member(MemberId(str(uuid4())), PLAN, number, person, coverage_start=date(2020, 1, 1))


def _settings(folder: Path, own: Party, partner: Partner, port: int, url: str) -> str:
    plans = url.removeprefix("http://")
    return f"""\
[gateway]
home_community_id = "{facts.GATEWAY_HOME.removeprefix("urn:oid:")}"
organization = "Interop Health Plan"
data_dir = "{folder / "data"}"
key_file = "{folder / "key-encryption-key"}"

[listen]
partners = "127.0.0.1:{port}"
public = "https://127.0.0.1:{port}"
plans = "{plans}"
operations = "{plans}"

[tls]
certificate = "{own.tls.certificate}"
key = "{own.tls.key}"

[signing]
certificate = "{own.signing.certificate}"
key = "{own.signing.key}"

[[plans]]
id = "{PLAN}"
name = "Interop Health Plan"
authority = "urn:oid:2.999.8000.7"

[[policy.rules]]
name = "documents of all authors, to {partner.name}, for treatment"
plan = "{PLAN}"
partner = "{partner.id}"
purpose = "{facts.INITIATOR["user.purpose"]}"
third_party = true
locations = true

[[policy.rules]]
name = "documents of all authors, submitted to {partner.name}"
plan = "{PLAN}"
partner = "{partner.id}"
purpose = "{PURPOSE}"
third_party = true

[[policy.rules]]
name = "what {partner.name} submits"
plan = "{PLAN}"
partner = "{partner.id}"
purpose = "{facts.INITIATOR["user.purpose"]}"
direction = "take"
"""
