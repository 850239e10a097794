"""The demo: the main job over real wires, shown as it happens."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import httpx
import orjson
from rich.console import Console
from rich.live import Live
from rich.table import Table

from gateway.demo.network import DemoFailed, Network
from gateway.demo.parties import (
    AUTHORITY,
    HISP,
    INTAKE,
    PARTNERS,
    PURPOSE,
    SENDER,
    VISIT,
)

_EXPECTED: Final = {
    "Northfield Health": ("matched", 2),
    "Lakeshore Medical Group": ("matched", 3),
    "Eastgate Clinic": ("no_match", 0),
    "Riverbend Hospital": ("late", 0),
}
"""How each partner must have answered; of Lakeshore's four documents one was replaced."""
_DELIVERY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.2
_FAILED: Final = frozenset({"failed", "timed_out", "bounced"})
_NOTICES: Final = frozenset({"processed", "dispatched"})
_REQUEST: Final = {
    "purpose": PURPOSE,
    "requester": {"person": "Demo Nurse", "role": "nurse", "authority": AUTHORITY},
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the demo saw."""

    retrieval: dict[str, Any]
    summary_text: str
    summary: dict[str, Any]
    pushed: dict[str, Any]
    """The HISP's message as the HISP sees it, its notices with it."""


async def show(network: Network, console: Console) -> Shown:
    """Asks for the member's records, follows each partner, and prints the merged summary.

    Raises:
        DemoFailed: the plan's gateway refused or broke off.
    """
    headers = {"Authorization": f"Bearer {network.staff_token}"}
    async with httpx.AsyncClient(
        base_url=network.plan_url, headers=headers, trust_env=False, timeout=60
    ) as client:
        retrieval = await _retrieve(client, network, console)
        pushed = await _push(network, console)
        address = f"/api/v1/members/{network.member}/summary"
        text = _checked(await client.get(address, params={"format": "text"})).text
        summary = _checked(await client.get(address)).json()
    console.print(text, markup=False)
    return Shown(retrieval, text, summary, pushed)


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        raise DemoFailed(f"the gateway answered {response.status_code}: {response.text[:500]}")
    return response


async def _retrieve(
    client: httpx.AsyncClient, network: Network, console: Console
) -> dict[str, Any]:
    started = await client.post(f"/api/v1/members/{network.member}/retrievals", json=_REQUEST)
    latest: dict[str, Any] = _checked(started).json()
    with Live(_table(latest), console=console, refresh_per_second=8) as live:
        async for retrieval in _follow(client, latest["id"]):
            latest = retrieval
            live.update(_table(latest))
    if not console.is_terminal:
        console.line()  # only on a terminal is the table's last line ended
    return latest


async def _follow(client: httpx.AsyncClient, retrieval: str) -> AsyncIterator[dict[str, Any]]:
    async with client.stream("GET", f"/api/v1/retrievals/{retrieval}/events") as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                yield orjson.loads(line[6:])


async def _push(network: Network, console: Console) -> dict[str, Any]:
    """A HISP pushes a visit by Direct mail; ends with the notice of its final delivery."""
    content = files("gateway.demo.documents").joinpath(VISIT).read_bytes()
    message = {
        "from": SENDER,
        "to": [INTAKE],
        "purpose": "TREATMENT",
        "requester": {"person": "Demo Physician", "role": "physician", "authority": AUTHORITY},
        "subject": "Urgent care visit",
        "files": [
            {"name": "visit.xml", "media_type": "text/xml", "content": b64encode(content).decode()}
        ],
    }
    headers = {"Authorization": f"Bearer {network.hisp_token}"}
    async with httpx.AsyncClient(
        base_url=network.hisp_url, headers=headers, trust_env=False, timeout=60
    ) as client:
        sent = _checked(await client.post("/api/v1/direct/messages", json=message)).json()
        latest: dict[str, Any] = sent
        for _ in range(round(_DELIVERY_SECONDS / _LOOK_SECONDS)):
            answer = await client.get(f"/api/v1/direct/sent/{sent['id']}")
            latest = _checked(answer).json()
            if _is_over(latest["recipients"][0]):
                break
            await asyncio.sleep(_LOOK_SECONDS)
    console.print(_mail_lines(latest), markup=False)
    return latest


def _is_over(recipient: dict[str, Any]) -> bool:
    """Both notices have come, in whichever order, or none will."""
    return recipient["state"] in _FAILED or _NOTICES <= _kinds(recipient)


def _kinds(recipient: dict[str, Any]) -> set[str]:
    return {one["kind"] for one in recipient["notices"]}


def _mail_lines(message: dict[str, Any]) -> str:
    lines = [f"{HISP.name} pushes a visit by Direct mail, from {message['from']}"]
    for one in message["recipients"]:
        said = sorted(one["notices"], key=lambda each: each["kind"], reverse=True)
        notices = ", ".join(f"{each['form']} {each['kind']}" for each in said)
        state = one["state"] + (f": {one['reason']}" if one["reason"] else "")
        lines.append(f"  to {one['address']}: {state} ({notices or 'no notice'})")
    return "\n".join(lines) + "\n"


def _table(retrieval: dict[str, Any]) -> Table:
    table = Table("partner", "step", "answer", "found", "new", "ms", "", title="Asking partners")
    for partner in retrieval["partners"]:
        table.add_row(
            partner["partner"],
            partner["step"],
            partner["outcome"] or "…",
            str(partner["documents_found"]),
            str(partner["documents_new"]),
            str(partner["elapsed_ms"] or ""),
            partner["detail"] or "",
        )
    return table


def _faults_of_mail(shown: Shown) -> list[str]:
    (recipient,) = shown.pushed["recipients"]
    found = []
    if recipient["state"] != "dispatched":
        found.append(f"the pushed visit ended {recipient['state']}, not dispatched")
    if _kinds(recipient) != _NOTICES:
        found.append("the pushed visit was not answered by its two notices")
    told = {one["display"] for one in shown.summary["sections"]["problems"]}
    if not any("left ankle" in (name or "") for name in told):
        found.append("the pushed visit is not in the summary")
    return found


def faults(shown: Shown) -> list[str]:
    """What did not go as it should; nothing is the demo's success."""
    answers = {
        partner["partner"]: (partner["outcome"], partner["documents_new"])
        for partner in shown.retrieval["partners"]
    }
    found = [
        f"{name}: expected {expected}, got {answers.get(name)}"
        for name, expected in _EXPECTED.items()
        if answers.get(name) != expected
    ]
    if shown.retrieval["state"] != "partial":
        found.append(f"the retrieval ended {shown.retrieval['state']}, not partial")
    found += _faults_of_mail(shown)
    for section in ("problems", "allergies", "medications", "immunizations", "results"):
        if not shown.summary["sections"][section]:
            found.append(f"the summary has no {section}")
    if {answer["partner"] for answer in shown.summary["completeness"]} != {
        party.name for party in PARTNERS
    }:
        found.append("the summary does not say how each partner answered")
    return found
