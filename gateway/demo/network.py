"""The demo's network on loopback: folders, certificates, settings and processes."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx

from gateway.app.house import House, open_house
from gateway.demo.certificates import Issued, create_authority, issue, issue_for_mail
from gateway.demo.mail import Post, mail_settings, seed_mail
from gateway.demo.parties import (
    AUTHORITY,
    DIRECT_DOMAINS,
    HISP,
    MEMBER,
    MEMBER_ID_ROOT,
    MEMBER_NUMBER,
    PARTNERS,
    PLAN,
    PLAN_ID,
    PURPOSE,
    Party,
)
from gateway.model.caller import Role
from gateway.model.identity import MemberId, PartnerId, PlanId
from gateway.model.member import Member
from gateway.model.partner import Endpoints, Partner, PartnerProfile
from gateway.settings import load_settings
from gateway.store import members, partners, tokens
from ihe.identifiers import HomeCommunityId

_REGISTERED: Final = f"""\
member_id_root = "{MEMBER_ID_ROOT}"
requester_role = "case manager"
authority = "{AUTHORITY}"
"""
"""What the demo's plan has registered; where a request is silent, this is stated."""
_EVERYBODY: Final = (PLAN, HISP, *PARTNERS)
PATIENCE_SECONDS: Final = 4.0
"""How long the demo's plan waits for a partner: the late one takes longer."""
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 3.0
"""Whoever takes longer to end is killed; nothing is lost with it."""


class DemoFailed(Exception):
    """The demo cannot go on; the text says why."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a community listens, each `127.0.0.1:port`."""

    partners: str
    plans: str
    post: Post | None = None
    """Where it takes mail and shows its certificates, if it speaks Direct."""


@dataclass(frozen=True, slots=True)
class Network:
    """All of it running: the plan's REST address, and tokens to call it with."""

    folder: Path
    plan_url: str
    member: MemberId
    staff_token: str
    auditor_token: str
    hisp_url: str
    hisp_token: str

    @property
    def config(self) -> Path:
        """The plan's settings, for the commands that look further."""
        return self.folder / PLAN.key / "gateway.toml"


@asynccontextmanager
async def started(folder: Path, *, port: int = 0) -> AsyncIterator[Network]:
    """The network up and ready while the block runs; the plan's REST on `port` if it is free.

    Raises:
        DemoFailed: a process did not come up.
    """
    now = datetime.now(UTC)
    authority = create_authority("Gateway demo CA", now=now)
    (folder / "ca.pem").write_text(authority.certificate_pem, encoding="ascii")
    addresses = _free_addresses(port)
    for party in _EVERYBODY:
        _lay_out(folder, party, authority, addresses, now)
    async with AsyncExitStack() as stack:
        processes: dict[str, _Process] = {}
        for party in PARTNERS:
            processes[party.key] = stack.enter_context(_Process(folder, party))
        with open_house(load_settings(folder / PLAN.key / "gateway.toml")) as house:
            member, staff, auditor = _seed_plan(house, folder, addresses)
            seed_mail(house, folder, PLAN.key)
        with open_house(load_settings(folder / HISP.key / "gateway.toml")) as house:
            sender = _token(house, "demo sender", "staff")
            seed_mail(house, folder, HISP.key)
        for party in (PLAN, HISP):
            processes[party.key] = stack.enter_context(_Process(folder, party))
        await asyncio.gather(
            *(process.until_ready(addresses[key].plans) for key, process in processes.items())
        )
        await asyncio.gather(
            *(_until_taken(one.post.smtp) for one in addresses.values() if one.post is not None)
        )
        url = f"http://{addresses[PLAN.key].plans}"
        try:
            hisp = f"http://{addresses[HISP.key].plans}"
            yield Network(folder, url, member, staff, auditor, hisp, sender)
        finally:
            for process in processes.values():  # all at once, so that their endings overlap
                process.terminate()


async def _until_taken(port: int) -> None:
    """Returns once somebody takes connections there: mail has a process of its own."""
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if asyncio.get_running_loop().time() > deadline:
                raise DemoFailed("nobody takes mail") from None
            await asyncio.sleep(0.1)
        else:
            writer.close()
            await writer.wait_closed()
            return


# ---- folders and settings --------------------------------------------------------------------


def _lay_out(
    folder: Path,
    party: Party,
    authority: Issued,
    addresses: dict[str, Addresses],
    now: datetime,
) -> None:
    own = folder / party.key
    own.mkdir()
    issue(authority, party.name, now=now).save(own, "community")
    settings = _settings(party, own, addresses[party.key])
    if party.key in DIRECT_DOMAINS:
        issue_for_mail(authority, DIRECT_DOMAINS[party.key], now=now).save(own, "direct")
        posts = {key: one.post for key, one in addresses.items() if one.post is not None}
        settings += mail_settings(folder, party.key, posts)
    (own / "gateway.toml").write_text(settings, encoding="utf-8")


def _settings(party: Party, own: Path, addresses: Addresses) -> str:
    plan_id = PLAN_ID if party is PLAN else party.key
    registered = _REGISTERED if party is PLAN else ""
    return f"""\
[gateway]
home_community_id = "{party.home_community_id}"
organization = "{party.name}"
data_dir = "{own / "data"}"
key_file = "{own / "key-encryption-key"}"

[listen]
partners = "{addresses.partners}"
plans = "{addresses.plans}"
operations = "{addresses.plans}"

[tls]
certificate = "{own / "community.pem"}"
key = "{own / "community.key"}"

[signing]
certificate = "{own / "community.pem"}"
key = "{own / "community.key"}"

[[plans]]
id = "{plan_id}"
name = "{party.name}"
{registered}
[[networks]]
name = "demo"
anchors = ["{own.parent / "ca.pem"}"]
{_rule(party)}"""


def _rule(party: Party) -> str:
    """The one rule the demo ships (DECISIONS 10): own documents, for payment, to the plan."""
    if party is PLAN:
        return ""
    return f"""
[[policy.rules]]
name = "{party.name} gives its own documents to the demo plan"
plan = "{party.key}"
partner = "{PLAN.home_community_id}"
purpose = "{PURPOSE}"
"""


def _free_addresses(port: int) -> dict[str, Addresses]:
    """Addresses that nobody listens on, all different; REST on `port` if it is free."""
    with ExitStack() as held:  # until all are found, so that none is found twice
        found = {}
        for party in _EVERYBODY:
            plans = _free_port(held, port if party is PLAN else 0)
            post = None
            if party.key in DIRECT_DOMAINS:
                post = Post(_free_port(held), _free_port(held))
            found[party.key] = Addresses(
                f"127.0.0.1:{_free_port(held)}", f"127.0.0.1:{plans}", post
            )
    return found


def _free_port(held: ExitStack, preferred: int = 0) -> int:
    probe = held.enter_context(closing(socket.socket()))
    try:
        probe.bind(("127.0.0.1", preferred))
    except OSError:
        probe.bind(("127.0.0.1", 0))
    port: int = probe.getsockname()[1]
    return port


# ---- the plan's data -------------------------------------------------------------------------


def _seed_plan(
    house: House, folder: Path, addresses: dict[str, Addresses]
) -> tuple[MemberId, str, str]:
    plan = PlanId(PLAN_ID)
    member = Member(
        MemberId(str(uuid4())), plan, MEMBER_NUMBER, MEMBER, coverage_start=date(2019, 1, 1)
    )
    house.database.write(lambda tx: members.put(tx, member))
    for party in PARTNERS:
        partner = _partner(party, folder, addresses[party.key])
        house.database.write(partial(partners.put, partner=partner))
    staff = _token(house, "demo staff", "staff")
    return member.id, staff, _token(house, "demo auditor", "auditor")


def _token(house: House, name: str, role: Role) -> str:
    now = datetime.now(UTC)
    plan, expires = house.plans[0].id, now + timedelta(days=1)
    _, secret = house.database.write(
        lambda tx: tokens.create(tx, plan=plan, name=name, role=role, now=now, expires=expires)
    )
    return secret


def _partner(party: Party, folder: Path, addresses: Addresses) -> Partner:
    home = HomeCommunityId.parse(party.home_community_id)
    certificate = (folder / party.key / "community.pem").read_text(encoding="ascii")
    url = f"https://{addresses.partners}/ihe"
    return Partner(
        id=PartnerId(str(home)),
        name=party.name,
        home_community_id=home,
        endpoints=Endpoints(iti55=f"{url}/xcpd", iti38=f"{url}/xca", iti39=f"{url}/xca"),
        network="demo",
        plan=PlanId(PLAN_ID),
        tls_certificates=(certificate,),
        signing_certificates=(certificate,),
        profile=PartnerProfile(timeout_seconds=PATIENCE_SECONDS),
    )


# ---- processes -------------------------------------------------------------------------------


class _Process:
    """A child process that ends with the block; its output goes to a file beside its data."""

    def __init__(self, folder: Path, party: Party) -> None:
        self._name = party.name
        self._log = folder / party.key / "log.txt"
        self._command = ["-m", "gateway.demo.community", str(folder / party.key), party.key]

    def __enter__(self) -> "_Process":
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
                [sys.executable, *self._command],
                stdin=subprocess.PIPE,  # our end of it is how a child knows that we live
                stdout=log,
                stderr=log,
                env=environment,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.terminate()
        try:
            self._child.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def terminate(self) -> None:
        """Asks the process to end; leaving the block waits for it."""
        self._child.terminate()

    async def until_ready(self, address: str) -> None:
        """Returns once the community answers at `address`.

        Raises:
            DemoFailed: it ended or took too long; the text is the end of what it printed.
        """
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        async with httpx.AsyncClient(trust_env=False) as client:
            while asyncio.get_running_loop().time() < deadline and self._child.poll() is None:
                try:
                    if (await client.get(f"http://{address}/health/ready")).status_code == 200:
                        return
                except httpx.HTTPError:
                    await asyncio.sleep(0.1)
        printed = self._log.read_text(encoding="utf-8", errors="replace")
        raise DemoFailed(f"{self._name} did not start:\n{printed[-2000:]}")
