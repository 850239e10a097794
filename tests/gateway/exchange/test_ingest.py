"""One document into the index: whose it is, what cannot be read, and what is offered."""

import asyncio
import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ccda.safe_xml import DEFAULT_LIMITS
from gateway.app.house import House
from gateway.exchange.ingest import ingest, receive
from gateway.exchange.reading import read_document
from gateway.exchange.workers import WorkerPool
from gateway.model.document import Source
from gateway.model.identity import MemberId
from gateway.store import documents, members
from tests.gateway.clients.asking_house import MEMBER, NUMBER_ROOT, PLAN, asking_house
from tests.gateway.exchange.ingesting import (
    ASTHMA,
    GOUT,
    PARTNER,
    PAYERS,
    TWIN,
    cda,
    offered,
    problems,
    take,
)


@pytest.fixture
def house(either_house: House) -> House:
    return either_house


# ---- whose it is -----------------------------------------------------------------------------


def test_a_document_that_names_a_member_is_filed(house: House) -> None:
    done = take(house, cda(sections=ASTHMA))
    assert (done.outcome, done.document.member) == ("filed", MEMBER.id)
    assert problems(house) == {"Asthma": False}


def test_a_member_is_found_by_the_policy_number_of_the_payers_section(house: House) -> None:
    strange = {"address": False, "sections": PAYERS}
    assert take(house, cda(number="2", address=False)).outcome == "held"
    assert take(house, cda(**strange)).document.member == MEMBER.id  # type: ignore[arg-type]


def test_a_member_is_found_by_the_plans_own_number(house: House) -> None:
    ids = f'<id root="{NUMBER_ROOT}" extension="DM-100045"/>'
    assert take(house, cda(address=False, ids=ids)).document.member == MEMBER.id


def test_a_document_of_nobody_we_know_is_held(house: House) -> None:
    done = take(house, cda(given="Bartholomew", family="Nobody", birth="19900101"))
    assert done.outcome == "held"
    assert (done.document.reason, done.document.candidate) == (
        "it names no member of this plan",
        None,
    )
    assert offered(house) == ()


def test_a_document_that_names_someone_alike_is_held_with_the_candidate(house: House) -> None:
    done = take(house, cda(address=False))
    assert done.outcome == "held"
    assert (done.document.member, done.document.candidate) == (None, MEMBER.id)
    assert done.document.reason == "a member resembles the person it names, but not surely enough"


def test_a_document_that_two_members_fit_is_held(house: House) -> None:
    double = replace(MEMBER, id=MemberId("00000000-0000-4000-8000-0000000000cc"), member_id="DM-2")
    house.database.write(lambda tx: members.put(tx, double))
    done = take(house, cda())
    assert done.outcome == "held"
    assert done.document.reason == "more than one member could be the person it names"


def test_what_was_asked_for_a_member_is_filed_with_that_member(house: House) -> None:
    house.database.write(lambda tx: members.put(tx, TWIN))
    done = take(house, cda(), source=PARTNER, candidate=MEMBER.id)
    assert (done.outcome, done.document.member) == ("filed", MEMBER.id)


def test_what_was_asked_for_a_member_and_names_a_twin_is_held(house: House) -> None:
    house.database.write(lambda tx: members.put(tx, TWIN))
    done = take(house, cda(given="Marguerite"), source=PARTNER, candidate=MEMBER.id)
    assert done.outcome == "held"
    assert (done.document.member, done.document.candidate) == (None, MEMBER.id)
    assert done.document.reason == (
        "the person it names is not surely the member it was asked for: the given names differ"
    )


def test_what_was_asked_for_a_member_who_has_left_is_held(house: House) -> None:
    done = take(house, cda(), source=PARTNER, candidate=MemberId("gone"))
    assert (done.outcome, done.document.reason) == (
        "held",
        "the member it was asked for is no longer in this plan",
    )


def test_whoever_a_document_names_can_be_made_a_member(house: House) -> None:
    new = cda(given="Nova", family="Newcomer", birth="19810102")
    done = take(house, new, create_members=True)
    assert done.outcome == "filed"
    again = take(house, new.replace(b'extension="1"', b'extension="2"', 1), create_members=True)
    assert again.document.member == done.document.member


def test_a_member_is_made_under_the_plans_own_number_if_it_is_stated(house: House) -> None:
    ids = f'<id root="2.999.1" extension="X-1"/><id root="{NUMBER_ROOT}" extension="DM-7"/>'
    done = take(house, cda(family="Newcomer", birth="19810102", ids=ids), create_members=True)
    found = house.database.read(
        lambda tx: members.get_by_member_id(tx, plan=PLAN, member_id="DM-7")
    )
    assert found is not None and found.id == done.document.member


def test_a_number_that_another_person_has_makes_no_member(house: House) -> None:
    ids = f'<id root="{NUMBER_ROOT}" extension="DM-100045"/>'
    other = cda(given="Otto", family="Otherman", birth="19700707", ids=ids)
    done = take(house, other, create_members=True)
    assert (done.outcome, done.document.reason) == (
        "held",
        "another person of this plan already has that number",
    )


def test_nobody_is_made_of_a_document_without_an_id(house: House) -> None:
    done = take(house, cda(family="Newcomer", birth="19810102", ids=""), create_members=True)
    assert done.document.reason == "it does not say enough of its patient to make a member"


# ---- what cannot be read ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, mime_type, reason",
    [
        (b"%PDF-1.7\n", "application/pdf", "it is application/pdf, not a clinical document"),
        (b"Dear colleague,", "text/plain", "it is text/plain, not a clinical document in XML"),
        (b"", "application/octet-stream", "it is application/octet-stream"),
        (b"<", "text/xml", ""),
        (b"<html/>", "text/xml", ""),
        (b"<!DOCTYPE a><a/>", "text/xml", ""),
    ],
)
def test_what_is_no_clinical_document_is_quarantined_and_kept(
    content: bytes, mime_type: str, reason: str, house: House
) -> None:
    done = take(house, content)
    assert done.outcome == "quarantined"
    assert done.document.mime_type == mime_type
    assert reason in (done.document.reason or "")
    assert house.archive.load(PLAN, done.document.blob) == content
    (listed,) = house.database.read(lambda tx: documents.quarantined(tx, plan=PLAN))
    assert (listed.document.id, listed.attempts, listed.stage) == (done.document.id, 1, "read")


def test_a_document_with_a_broken_entry_is_filed_with_what_could_be_read(house: House) -> None:
    broken = ASTHMA.replace("<value ", '<effectiveTime value="yesterday"/><value ', 1)
    done = take(house, cda(sections=broken + GOUT))
    assert done.outcome == "filed"
    assert set(problems(house)) == {"Asthma", "Gout"}
    assert read_document(cda(sections=broken)).clinical is not None


@pytest.mark.parametrize(
    "work, reason",
    [
        ("crash", "the reader failed on it"),
        ("loop", "reading it took longer than is allowed"),
        ("swell", "reading it took more memory than is allowed"),
    ],
)
def test_a_reader_that_dies_of_a_document_quarantines_it(
    work: str, reason: str, tmp_path: Path
) -> None:
    with asking_house(tmp_path) as house, WorkerPool(1, 200 * 1024**2, 1.0) as workers:
        archive = replace(house.archive, workers=Deadly(workers, work))  # type: ignore[arg-type]
        (plan,) = house.plans
        blob = archive.store(plan.id, cda())
        source = Source(door="FILE")
        received = asyncio.run(receive(archive, blob, plan=plan, source=source))
        (done,) = house.database.write(
            lambda tx: ingest(
                tx, [received], plan=plan, community=house.community, now=datetime.now(UTC)
            )
        )
        assert (done.outcome, done.document.reason) == ("quarantined", reason)


class Deadly:
    """Workers on which any document has this effect."""

    def __init__(self, workers: WorkerPool, work: str) -> None:
        self._workers, self._work = workers, work

    async def run_async(self, *_given: Any) -> Any:
        match self._work:
            case "crash":
                return await self._workers.run_async(os.abort)
            case "loop":
                return await self._workers.run_async(re.match, r"(a+)+$", "a" * 40 + "b")
            case _:
                return await self._workers.run_async(bytearray, 2000 * 1024**2)


# ---- offers ----------------------------------------------------------------------------------


def test_a_document_without_a_type_is_filed_and_not_offered(house: House) -> None:
    assert take(house, cda(code=None)).outcome == "filed"
    assert offered(house) == ()


def test_a_filed_document_is_offered_under_ids_of_our_own(house: House) -> None:
    done = take(house, cda())
    (one,) = offered(house)
    assert one.document.id == done.document.id
    assert one.entry_uuid == f"urn:uuid:{done.document.id}"
    assert one.unique_id.startswith("2.25.")
    assert (one.class_code, one.third_party) == ("34133-9", True)


def test_what_is_over_the_cap_is_kept_and_never_read_into_memory(house: House) -> None:
    blob = house.archive.store(PLAN, cda(sections=ASTHMA))
    large = replace(blob, size_bytes=DEFAULT_LIMITS.size_bytes + 1)
    plan = house.plans[0]
    received = asyncio.run(receive(house.archive, large, plan=plan, source=Source(door="FILE")))
    assert (received.reading.mime_type, received.reading.clinical) == ("text/xml", None)
    assert received.reading.reason == "it is larger than what is read: it is kept as it came"
    now = datetime.now(UTC)
    (done,) = house.database.write(
        lambda tx: ingest(tx, [received], plan=plan, community=house.community, now=now)
    )
    assert (done.outcome, done.document.reason) == ("quarantined", received.reading.reason)
    assert house.archive.load(PLAN, blob) == cda(sections=ASTHMA)
