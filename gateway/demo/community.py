"""One community of the demo's network, as a process of its own: the plan, or an EHR it asks.

It is this very gateway with its own certificates, database and documents; only who it pretends
to be is simulated. One that misbehaves is the simulated partner of `gateway simulate` in that mood.
It ends with whoever started it.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from uuid import uuid4

from ccda.hl7v3 import II
from gateway.api.applications import create_operations_application
from gateway.api.listener import Listener, running, until_asked_to_stop
from gateway.app.beside import mail_process
from gateway.app.house import House, open_house
from gateway.app.listening import listeners
from gateway.app.mail import own_certificates
from gateway.app.working import working
from gateway.clients.tls import partner_listener_context
from gateway.demo.parties import HISP, MEMBER, PARTNERS, PLAN, Party
from gateway.demo.simulator.answering import Responder
from gateway.demo.simulator.holdings import holdings
from gateway.demo.simulator.listening import listening
from gateway.demo.simulator.moods import mood
from gateway.exchange.ingest import Received, ingest, receive
from gateway.intakes.publish import publishing
from gateway.model.document import Source
from gateway.model.exchange import Exchange
from gateway.model.identity import MemberId, PartnerId
from gateway.model.member import Member
from gateway.model.partner import Endpoints, Partner
from gateway.settings import InvalidSettings, Settings, load_settings
from gateway.store import exchange_log, members, partners
from gateway.store.database import Transaction
from gateway.store.own_keys import load_key_pair
from ihe.identifiers import HomeCommunityId


def main() -> None:
    """`python -m gateway.demo.community FOLDER KEY`: seeds the community in FOLDER and serves."""
    folder, key = Path(sys.argv[1]), sys.argv[2]
    logging.basicConfig(level=logging.WARNING)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    party = next(party for party in (PLAN, HISP, *PARTNERS) if party.key == key)
    settings = load_settings(folder / "gateway.toml")
    if party.moods:
        asyncio.run(_simulate(settings, party))
        return
    with open_house(settings) as house:
        asyncio.run(_run(house, party, folder))


def _end_with_parent() -> None:
    """Nobody writes to our standard input: it ends when the process at its other end does."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


async def _run(house: House, party: Party, folder: Path) -> None:
    if party not in (PLAN, HISP):  # those were seeded before they were started
        await _seed(house, party, folder)
    found = listeners(house)
    shown = publishing(house.settings.publish, partial(own_certificates, house))
    async with shown, working(house), running(found), mail_process(house.settings):
        await until_asked_to_stop()


async def _simulate(settings: Settings, party: Party) -> None:
    """The simulated partner, under its own name and the keys that the demo made for it."""
    if settings.tls is None:
        raise InvalidSettings("a simulated partner needs [tls]")
    certificate, key = settings.tls.certificate, settings.tls.key
    context = partner_listener_context(
        certificate=certificate,
        key=key,
        anchors=[path.read_text("ascii") for one in settings.networks for path in one.anchors],
        pinned=(),
    )
    community = holdings(HomeCommunityId.parse(party.home_community_id))
    moods = tuple(mood(text) for text in party.moods)
    responder = Responder(community, load_key_pair(settings.tls, "tls"), moods)
    host, _, port = settings.listen.partners.rpartition(":")
    health = Listener(create_operations_application(lambda: None), settings.listen.operations)
    async with listening(responder, context, host=host, port=int(port)), running([health]):
        await until_asked_to_stop()


# ---- what it holds ---------------------------------------------------------------------------


async def _seed(house: House, party: Party, folder: Path) -> None:
    """The plan as a partner, and the documents with their patient."""
    received = [await _receive(house, name) for name in party.documents]

    def unit(transaction: Transaction) -> None:
        partners.put(transaction, _the_plan(folder))
        if party.patient_number is not None:
            members.put(transaction, _patient(house, party, party.patient_number))
        now = datetime.now(UTC)
        done = ingest(
            transaction, received, plan=house.plans[0], community=house.community, now=now
        )
        for one in done:
            record = Exchange(
                time=now,
                direction="in",
                transaction="FILE",
                outcome="success",
                plan=house.plans[0].id,
                person="demo",
                member=one.document.member,
                documents=(one.document.id,),
            )
            exchange_log.append(transaction, record)

    await house.database.write_async(unit)


async def _receive(house: House, name: str) -> Received:
    content = files("gateway.demo.documents").joinpath(name).read_bytes()
    plan = house.plans[0]
    blob = await house.archive.store_async(plan.id, content)
    return await receive(house.archive, blob, plan=plan, source=Source(door="FILE"))


def _the_plan(folder: Path) -> Partner:
    home = HomeCommunityId.parse(PLAN.home_community_id)
    certificate = (folder.parent / PLAN.key / "community.pem").read_text(encoding="ascii")
    return Partner(
        id=PartnerId(str(home)),
        name=PLAN.name,
        home_community_id=home,
        endpoints=Endpoints(),
        network="demo",
        tls_certificates=(certificate,),
        signing_certificates=(certificate,),
    )


def _patient(house: House, party: Party, number: str) -> Member:
    """The same person under this community's own number."""
    known = replace(MEMBER, ids=(II(f"{party.home_community_id}.2", number),))
    return Member(MemberId(str(uuid4())), house.plans[0].id, number, known)


if __name__ == "__main__":
    main()
