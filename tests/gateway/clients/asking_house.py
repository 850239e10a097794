"""A plan's gateway that asks partners: its house, a retrieval, and what became of it."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from ccda.hl7v3 import II
from gateway.app.house import House, open_client
from gateway.app.house import open_house as open_gateway
from gateway.demo.parties import MEMBER as ROSALIND
from gateway.exchange.jobs import JobMeans, perform
from gateway.model.exchange import Exchange
from gateway.model.identity import ConversationId, MemberId, PlanId, RetrievalId
from gateway.model.job import Job
from gateway.model.member import Member
from gateway.model.partner import Endpoints, Partner, PartnerProfile
from gateway.model.retrieval import RETRIEVE, PartnerProgress, Requester, Retrieval
from gateway.settings import KeyPair, Plan, Settings
from gateway.store import exchange_log, members, partners, retrievals
from tests.gateway import house as lakeshore

PLAN = PlanId("acme")
NAME = "Acme Health Plan"
HOME = "2.999.7300"
NUMBER_ROOT = "2.999.7300.5"
MEMBER = Member(
    MemberId("00000000-0000-4000-8000-0000000000aa"),
    PLAN,
    "DM-100045",
    replace(ROSALIND, ids=(II(NUMBER_ROOT, "DM-100045"),)),
    coverage_start=date(2019, 1, 1),
)


def settings(folder: Path, **changes: Any) -> Settings:
    certificate, key = lakeshore.key_files(NAME)
    own = {
        "home_community_id": HOME,
        "organization": NAME,
        "plans": (
            Plan(id=PLAN, name=NAME, member_id_root=NUMBER_ROOT, authority=lakeshore.AUTHORITY),
        ),
        "tls": KeyPair(certificate=certificate, key=key),
        "signing": KeyPair(certificate=certificate, key=key),
    }
    return lakeshore.settings(folder, **{**own, **changes})


@contextmanager
def asking_house(
    folder: Path,
    known: Sequence[Partner] = (),
    *,
    member: Member | None = MEMBER,
    failpoint: Callable[[str], None] | None = None,
    **changes: Any,
) -> Iterator[House]:
    """The plan's house with its member and these partners."""
    if not folder.joinpath("data").exists() and "database_url" not in changes:
        shutil.copytree(_empty(), folder, dirs_exist_ok=True)
    with open_gateway(settings(folder, **changes), failpoint=failpoint) as house:
        for partner in known:
            house.database.write(lambda tx, one=partner: partners.put(tx, one))  # type: ignore[misc]
        if member is not None:
            house.database.write(lambda tx: members.put(tx, member))
        yield house


class _Inline:
    """Reads in this process: where processes are many, theirs is one too many."""

    async def run_async(self, function: Callable[..., Any], *given: Any) -> Any:
        return function(*given)


def reading_inline(house: House) -> House:
    """The house without worker processes."""
    house.archive = replace(house.archive, workers=_Inline())  # type: ignore[arg-type]
    return house


@cache
def _empty() -> Path:
    """Migrated once a process; lives as long as it."""
    _folders.append(tempfile.TemporaryDirectory(prefix="asking-"))
    folder = Path(_folders[-1].name)
    with open_gateway(settings(folder)) as house:
        lakeshore.forget_settings(house)
        return folder


_folders: list[tempfile.TemporaryDirectory[str]] = []


def a_partner(name: str, home: str, address: str, **changes: Any) -> Partner:
    """A partner whose doors are at `address`/xcpd and so on."""
    base = f"https://{address}/ihe"
    endpoints = Endpoints(iti55=f"{base}/xcpd", iti38=f"{base}/xca", iti39=f"{base}/xca")
    profile = PartnerProfile(timeout_seconds=20)
    given: dict[str, Any] = {"endpoints": endpoints, "profile": profile, **changes}
    return lakeshore.a_partner(name, home, **given)


@contextmanager
def lakeshore_running(folder: Path) -> Iterator[Partner]:
    """A community that behaves: this gateway with three documents of the member, all its own."""
    asker = lakeshore.a_partner(NAME, HOME)
    rules = [lakeshore.a_rule(asker)]
    with (
        lakeshore.open_house(folder, rules=rules, known=[asker]) as house,
        lakeshore.serving(house) as door,
    ):
        address = f"localhost:{door.port}"
        yield a_partner(lakeshore.US, str(lakeshore.HOME), address)


# ---- a retrieval -----------------------------------------------------------------------------


def new_retrieval(house: House, **changes: Any) -> RetrievalId:
    """Puts a retrieval for the member into the database; nobody is asked yet."""
    retrieval = Retrieval(
        id=RetrievalId(str(uuid4())),
        plan=PLAN,
        member=MEMBER.id,
        purpose="PAYMENT",
        requester=Requester("Nora Nurse", "care manager", "urn:oid:2.999.7300.9"),
        conversation=ConversationId(str(uuid4())),
        created=datetime.now(UTC),
    )
    retrieval = replace(retrieval, **changes)
    house.database.write(lambda tx: retrievals.create(tx, retrieval))
    return retrieval.id


def retrieval_of(house: House, retrieval: RetrievalId) -> Retrieval:
    found = house.database.read(lambda tx: retrievals.get(tx, plan=PLAN, retrieval=retrieval))
    assert found is not None
    return found


async def run_retrieval(house: House, retrieval: RetrievalId, **means: Any) -> None:
    """Does the retrieval's job in this event loop."""
    client = means.get("client") or open_client(house)
    try:
        payload = {"retrieval": retrieval}
        job = Job(1, RETRIEVE, PLAN, payload, 1, datetime.now(UTC), attempts_left=9)
        given = job_means(house, client)
        await perform(job, replace(given, **means))
    finally:
        await client.close()


def job_means(house: House, client: Any) -> JobMeans:
    at = house.settings.replies_at
    return JobMeans(house.archive, client, house.community, house.plans, house.queue, at)


def enqueue(house: House, retrieval: RetrievalId) -> int:
    """The retrieval's job, as the REST door enqueues it."""
    return house.database.write(
        lambda tx: house.queue.enqueue(
            tx,
            kind=RETRIEVE,
            plan=PLAN,
            payload={"retrieval": retrieval},
            idempotency_key=retrieval,
        )
    )


async def work_off(house: House) -> None:
    """Does what is queued until nothing is due."""
    client = open_client(house)
    means = job_means(house, client)
    try:
        await house.queue.work(lambda job: perform(job, means), until_idle=True)
    finally:
        await client.close()


def retrieve(house: House, **changes: Any) -> dict[str, PartnerProgress]:
    """Asks every partner; how each of them answered, by its name."""
    retrieval = new_retrieval(house, **changes)
    asyncio.run(run_retrieval(house, retrieval))
    return answers(house, retrieval)


def answers(house: House, retrieval: RetrievalId) -> dict[str, PartnerProgress]:
    return {one.partner_name: one for one in retrieval_of(house, retrieval).partners}


def calls(house: House, partner: str | None = None) -> list[Exchange]:
    """Records of calls to partners, oldest first; those of one community if it is named."""
    return [
        one
        for one in lakeshore.records(house)
        if one.direction == "out" and partner in (None, one.partner)
    ]


def assert_sound(house: House) -> None:
    """The log verifies, and nothing is left open."""
    assert house.database.read(exchange_log.verify).first_bad is None
    assert open_rows(house) == 0


def open_rows(house: House) -> int:
    statement = text("SELECT count(*) FROM exchange_open")
    return house.database.read(lambda tx: int(tx.connection.execute(statement).scalar_one()))
