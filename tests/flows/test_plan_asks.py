"""A plan asks for a member: over REST, from every partner, to one summary with its sources.

The partner is this same gateway in a house of its own, over mutual TLS on a real socket.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.api.applications import create_plan_application
from gateway.api.means import PlanMeans
from gateway.app.house import House
from gateway.app.working import working
from gateway.cli.recording import operator
from gateway.model.exchange import Exchange
from gateway.store import exchange_log, tokens
from tests.gateway.cli.terminal import TOML, Terminal
from tests.gateway.clients.asking_house import (
    MEMBER,
    NUMBER_ROOT,
    PLAN,
    asking_house,
    lakeshore_running,
)
from tests.gateway.house import US, demo_document, records

REQUEST = {
    "purpose": "PAYMENT",
    "requester": {"person": "Nora Nurse", "role": "care manager", "authority": "claim 7"},
}


@dataclass(frozen=True, slots=True)
class Journey:
    """What the plan's people saw."""

    house: House
    events: list[dict[str, Any]]
    again: dict[str, Any]
    summary: dict[str, Any]
    text: str
    documents: dict[str, bytes] = field(default_factory=dict)


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    folder: Path = tmp_path_factory.mktemp("plan-asks")
    with (
        lakeshore_running(folder / "lakeshore") as partner,
        asking_house(folder / "plan", [partner]) as house,
    ):
        yield asyncio.run(_travel(house))


async def _travel(house: House) -> Journey:
    means = PlanMeans(house.archive, house.community, house.plans, house.queue)
    now = datetime.now(UTC)
    _, secret = house.database.write(
        lambda tx: tokens.create(
            tx, plan=PLAN, name="Jane Roe", role="staff", now=now, expires=now + timedelta(hours=1)
        )
    )
    async with (
        working(house),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(create_plan_application(means)),
            base_url="http://plan/api/v1",
            headers={"Authorization": f"Bearer {secret}"},
            timeout=60,
        ) as client,
    ):
        events = await _ask(client)
        again = (await _ask(client))[-1]
        address = f"/members/{MEMBER.id}/summary"
        summary = (await client.get(address)).json()
        text = (await client.get(address, params={"format": "text"})).text
        listed = (await client.get("/documents", params={"member": MEMBER.id})).json()["documents"]
        documents = {
            one["id"]: (await client.get(f"/documents/{one['id']}/content")).content
            for one in listed
        }
    return Journey(house, events, again, summary, text, documents)


async def _ask(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    started = await client.post(f"/members/{MEMBER.id}/retrievals", json=REQUEST)
    assert started.status_code == 202
    followed = await client.get(started.headers["location"].removeprefix("/api/v1") + "/events")
    return [
        json.loads(line.removeprefix("data: "))
        for line in followed.text.splitlines()
        if line.startswith("data: ")
    ]


def test_the_partner_is_asked_and_its_documents_come(journey: Journey) -> None:
    last = journey.events[-1]
    assert last["state"] == "done"
    (partner,) = last["partners"]
    assert (partner["partner"], partner["outcome"]) == (US, "matched")
    assert partner["documents_found"] == partner["documents_new"] == len(journey.documents) == 3
    assert partner["documents_missing"] == 0
    assert {event["id"] for event in journey.events} == {last["id"]}


def test_the_bytes_are_those_that_the_partner_holds(journey: Journey) -> None:
    names = ("lakeshore_progress_note.xml", "lakeshore_unstructured.xml", "lakeshore_ccd.xml")
    assert set(journey.documents.values()) == {demo_document(name) for name in names}


def test_asking_again_brings_nothing_twice(journey: Journey) -> None:
    (partner,) = journey.again["partners"]
    assert journey.again["state"] == "done"
    assert journey.again["id"] != journey.events[-1]["id"]
    assert partner["documents_new"] == 0


def test_every_line_of_the_summary_names_a_document_that_came(journey: Journey) -> None:
    lines = [line for lines in journey.summary["sections"].values() for line in lines]
    assert len(lines) > 10
    for line in lines:
        assert {source["document"] for source in line["sources"]} <= set(journey.documents)
        assert {source["partner"] for source in line["sources"]} == {US}
    (answer,) = journey.summary["completeness"]
    assert (answer["partner"], answer["outcome"], answer["missing"]) == (US, "matched", 0)
    for line in journey.summary["sections"]["allergies"]:
        assert line["display"] in journey.text


def test_each_exchange_has_its_record_with_who_why_and_for_whom(journey: Journey) -> None:
    first = journey.events[-1]
    chain = [one for one in records(journey.house) if one.conversation == first["conversation"]]
    asked, out = chain[0], [one for one in chain if one.direction == "out"]
    assert (asked.transaction, asked.direction, asked.person) == (
        "REST-RETRIEVAL", "in", "Jane Roe",
    )  # fmt: skip
    assert [one.transaction for one in out][:2] == ["ITI-55", "ITI-38"]
    assert {one.transaction for one in out[2:]} == {"ITI-39"}
    for one in (asked, *out):
        assert one.outcome == "success"
        assert (one.member, one.purpose, one.authority) == (MEMBER.id, "PAYMENT", "claim 7")
    given = {document for one in out for document in one.documents}
    assert given == set(journey.documents)


def test_each_look_at_what_came_has_its_record(journey: Journey) -> None:
    looks = [one for one in records(journey.house) if one.person == "Jane Roe"]
    assert _count(looks, "REST-SUMMARY") == 2
    assert _count(looks, "REST-RETRIEVAL-EVENTS") == 2
    assert _count(looks, "REST-DOCUMENT-CONTENT") == 3
    assert {one.outcome for one in looks} == {"success"}
    assert {one.member for one in looks} == {MEMBER.id}


def _count(found: list[Exchange], transaction: str) -> int:
    return sum(one.transaction == transaction for one in found)


def test_the_log_is_whole(journey: Journey) -> None:
    result = journey.house.database.read(exchange_log.verify)
    assert result.reason is None
    assert result.records == len(records(journey.house))


def test_the_command_line_takes_the_same_way(tmp_path: Path) -> None:
    with (
        lakeshore_running(tmp_path / "lakeshore") as partner,
        asking_house(tmp_path / "plan", [partner]) as house,
    ):
        made = house.settings
        terminal = Terminal(tmp_path / "plan")
        assert made.tls is not None
        text = TOML.format(
            home=made.home_community_id,
            organization=made.organization,
            folder=terminal.folder,
            certificate=made.tls.certificate,
            key=made.tls.key,
            root=NUMBER_ROOT,
        )
        terminal.write("gateway.toml", text)
        stated = ("--purpose", "PAYMENT", "--requester", "Nora Nurse")
        asked = terminal.run("retrieve", MEMBER.member_id, *stated, "--plan", "acme", "--json")
        assert asked.exit_code == 0, asked.err
        (form,) = asked.lines
        assert form["state"] == "done"
        assert form["partners"][0]["documents_new"] == 3
        first = terminal.records()[0]
        assert (first["transaction"], first["person"]) == ("CLI-RETRIEVAL", operator())
        assert {one["conversation"] for one in terminal.records()} == {first["conversation"]}
        shown = terminal.run("summary", MEMBER.member_id, "--plan", "acme")
        assert US in shown.out
        assert terminal.run("audit", "verify").exit_code == 0
