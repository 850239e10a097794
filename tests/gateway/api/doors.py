"""The plan doors of an open house, called in-process: with which token, and what was recorded.

with open_doors(tmp_path) as doors:
    answer = doors.get("/api/v1/members", doors.token(PLAN, "staff"))
"""

import asyncio
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute

from direct.discovery import NotFound
from direct.trust import Verdict
from gateway.api.applications import create_plan_application
from gateway.api.means import PlanMeans
from gateway.app.house import House
from gateway.clients.smtp_client import SmtpClient
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.spooling import MailMeans
from gateway.model.caller import ROLES, Role
from gateway.model.identity import PlanId
from gateway.model.mail_domains import MailDomains
from gateway.model.retrieval import Retrieval
from gateway.store import retrievals, tokens
from tests.clear_records import in_the_clear
from tests.gateway.house import OTHER_PLAN, PLAN, open_house

PURPOSE = {"purpose": "PAYMENT", "requester": {"person": "Pat Payer", "role": "adjuster"}}
PROBLEM = "application/problem+json"
CLINICAL: frozenset[Role] = frozenset({"staff", "system"})


@dataclass(slots=True)
class Doors:
    """`secrets` holds one token's for each plan and role."""

    house: House
    application: FastAPI
    runner: asyncio.Runner
    secrets: dict[tuple[PlanId, Role], str]

    def token(self, plan: PlanId, role: Role) -> str:
        return self.secrets[plan, role]

    def call(
        self,
        method: str,
        path: str,
        token: str | None,
        *,
        headers: Mapping[str, str] | None = None,
        **given: Any,
    ) -> httpx.Response:
        given_headers = dict(headers or {})
        if token is not None:
            given_headers["Authorization"] = f"Bearer {token}"
        wire = {name: value.encode("utf-8") for name, value in given_headers.items()}

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.application, client=("192.0.2.7", 4711))
            async with httpx.AsyncClient(transport=transport, base_url="http://plan") as client:
                return await client.request(method, path, headers=wire, **given)

        return self.runner.run(send())

    def get(self, path: str, token: str | None, **params: Any) -> httpx.Response:
        return self.call("GET", path, token, params=params)

    def give(self, content: bytes, plan: PlanId = PLAN) -> dict[str, Any]:
        """What became of a document handed in by the plan's staff."""
        answer = self.call("POST", "/api/v1/documents", self.token(plan, "staff"), content=content)
        assert answer.status_code in (200, 201), answer.text
        form: dict[str, Any] = answer.json()
        return form

    def start(self, member: str, plan: PlanId = PLAN, **changes: Any) -> httpx.Response:
        path = f"/api/v1/members/{member}/retrievals"
        return self.call("POST", path, self.token(plan, "staff"), json={**PURPOSE, **changes})

    # ---- what is in the database, seen without the store ----

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        file = self.house.settings.data_dir / "gateway.sqlite"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement, values)]

    def last(self) -> int:
        """The sequence of the newest exchange record."""
        return int(self.rows("SELECT COALESCE(MAX(sequence), 0) AS n FROM exchange")[0]["n"])

    def recorded(self, since: int) -> list[dict[str, Any]]:
        """The exchange records after that one."""
        rows = self.rows("SELECT * FROM exchange WHERE sequence > ? ORDER BY sequence", since)
        given = self.house.settings
        return in_the_clear(
            rows, database=given.data_dir / "gateway.sqlite", key_file=given.key_file
        )

    def counted(self) -> int:
        """How many refusals of strangers there were, counted or already recorded."""
        (waiting,) = self.rows('SELECT COALESCE(SUM("count"), 0) AS n FROM refusal')
        (kept,) = self.rows(
            'SELECT COALESCE(SUM("count"), 0) AS n FROM exchange WHERE plan IS NULL'
        )
        return int(waiting["n"]) + int(kept["n"])


def retrieval_of(doors: Doors, id: str, plan: PlanId = PLAN) -> Retrieval:
    found = doors.house.database.read(
        lambda tx: retrievals.get(tx, plan=plan, retrieval=id)  # type: ignore[arg-type]
    )
    assert found is not None
    return found


@contextmanager
def open_doors(folder: Path, **changes: Any) -> Iterator[Doors]:
    """A furnished house with a token for each role of both plans."""
    with open_house(folder, **changes) as house, asyncio.Runner() as runner:
        now = datetime.now(UTC)
        secrets = {
            (plan, role): house.database.write(
                lambda tx, plan=plan, role=role: tokens.create(
                    tx,
                    plan=plan,
                    name=f"{plan} {role}",
                    role=role,
                    now=now,
                    expires=now + timedelta(hours=1),
                )
            )[1]
            for plan in (PLAN, OTHER_PLAN)
            for role in ROLES
        }
        domains = MailDomains({f"direct.{plan}.example": plan for plan in (PLAN, OTHER_PLAN)})
        mail = MailMeans(house.archive, house.queue, domains)
        means = PlanMeans(
            house.archive,
            house.community,
            house.plans,
            house.queue,
            mail,
            direct=out_of_the_world(house, domains),
        )
        yield Doors(house, create_plan_application(means), runner, secrets)


def out_of_the_world(house: House, domains: MailDomains) -> DirectMeans:
    """Means for Direct of a house that finds nobody's certificate and no mail server."""

    def find(_address: str, *, sender: str, fresh: bool = False) -> NotFound:
        return NotFound((), certain=True)

    def judge(*_given: Any, **_named: Any) -> Verdict:
        raise AssertionError("there is nothing to judge")

    return DirectMeans(
        archive=house.archive,
        queue=house.queue,
        community=house.community,
        plans=house.plans,
        domains=domains,
        judge=judge,
        find=find,
        route=lambda _domain: (),
        smtp=SmtpClient("plan.example"),
    )


def routes_of(application: Any) -> Iterator[APIRoute]:
    """Every route of the application, of the routers it includes too."""
    for route in application.routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from routes_of(route.original_router)


def names_in(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)
