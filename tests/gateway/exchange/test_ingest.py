"""One document into the index: whose it is, what it replaces, and what cannot be read."""

import asyncio
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ccda.hl7v3 import II, PN
from gateway.app import House
from gateway.exchange.ingest import Ingested, Received, ingest, receive
from gateway.exchange.reading import read_document
from gateway.exchange.summaries import read_summary
from gateway.exchange.workers import WorkerPool
from gateway.model.document import Document, OfferedDocument, Source
from gateway.model.identity import MemberId, PartnerId
from gateway.model.member import Member
from gateway.settings import Plan
from gateway.store import documents, members, offers
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import MEMBER, NUMBER_ROOT, PLAN, asking_house

PARTNER = Source(door="ITI-39", partner=PartnerId("p1"), partner_name="P1")
TWIN = Member(
    MemberId("00000000-0000-4000-8000-0000000000bb"),
    PLAN,
    "DM-100046",
    replace(
        MEMBER.demographics,
        names=(PN("Sampleton", ("Marguerite",), use="L"),),
        ids=(II(NUMBER_ROOT, "DM-100046"),),
    ),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    plans = (
        Plan(id=PLAN, name="Acme", member_id_root=NUMBER_ROOT),
        Plan(id="other", name="Other"),
    )
    changes: dict[str, Any] = {"plans": plans}
    if request.param == "postgresql":
        changes["database_url"] = request.getfixturevalue("postgres_url")
    with asking_house(tmp_path, **changes) as opened:
        yield opened


def cda(
    *,
    number: str = "1",
    code: str | None = "34133-9",
    set_id: str | None = None,
    version: int | None = None,
    replaces: str | None = None,
    given: str = "Rosalind",
    family: str = "Sampleton",
    birth: str = "19580314",
    address: bool = True,
    ids: str = '<id root="2.999.1" extension="X-1"/>',
    sections: str = "",
) -> bytes:
    """A document of the demo's person; any of it otherwise."""
    coded = f'<code code="{code}" codeSystem="2.16.840.1.113883.6.1"/>' if code else ""
    versions = f'<setId root="2.999.5" extension="{set_id}"/>' if set_id else ""
    versions += f'<versionNumber value="{version}"/>' if version else ""
    home = (
        "<addr><streetAddressLine>214 Sample Orchard Road</streetAddressLine><city>Exampleton"
        "</city><state>WI</state><postalCode>53999</postalCode></addr>"
    )
    related = (
        f'<relatedDocument typeCode="RPLC"><parentDocument><id root="2.999.4" '
        f'extension="{replaces}"/></parentDocument></relatedDocument>'
        if replaces
        else ""
    )
    return (
        '<ClinicalDocument xmlns="urn:hl7-org:v3">'
        f'<id root="2.999.4" extension="{number}"/>{coded}<title>A note</title>'
        f'<effectiveTime value="20250102"/>{versions}<recordTarget><patientRole>{ids}'
        f"{home if address else ''}<patient><name><given>{given}</given><family>{family}</family>"
        f'</name><administrativeGenderCode code="F"/><birthTime value="{birth}"/></patient>'
        f"</patientRole></recordTarget>{related}<component><structuredBody>{sections}"
        "</structuredBody></component></ClinicalDocument>"
    ).encode()


PROBLEM = (
    '<component><section><code code="11450-4" codeSystem="2.16.840.1.113883.6.1"/><text>x</text>'
    '<entry><observation classCode="OBS" moodCode="EVN">'
    '<templateId root="2.16.840.1.113883.10.20.22.4.4"/><id root="2.999.9" extension="1"/>'
    '<code code="55607006" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/>'
    '<value xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CD" code="{code}" '
    'codeSystem="2.16.840.1.113883.6.96" displayName="{name}"/></observation></entry></section>'
    "</component>"
)
ASTHMA = PROBLEM.format(code="195967001", name="Asthma")
GOUT = PROBLEM.format(code="90560007", name="Gout")
PAYERS = (
    '<component><section><code code="48768-6" codeSystem="2.16.840.1.113883.6.1"/><text>x</text>'
    '<entry><act classCode="ACT" moodCode="EVN">'
    '<templateId root="2.16.840.1.113883.10.20.22.4.60"/><id root="2.999.9" extension="2"/>'
    '<code code="48768-6" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>'
    '<entryRelationship typeCode="COMP"><act classCode="ACT" moodCode="EVN">'
    '<templateId root="2.16.840.1.113883.10.20.22.4.61"/><id root="2.999.9" extension="3"/>'
    '<code code="72" codeSystem="2.16.840.1.113883.3.221.5"/><statusCode code="completed"/>'
    '<participant typeCode="COV"><participantRole classCode="PAT">'
    f'<id root="{NUMBER_ROOT}" extension="DM-100045"/></participantRole></participant>'
    "</act></entryRelationship></act></entry></section></component>"
)


def take(
    house: House,
    content: bytes,
    *,
    plan: str = PLAN,
    source: Source | None = None,
    candidate: MemberId | None = None,
    create_members: bool = False,
) -> Ingested:
    """What becomes of a document; it is read in this process."""
    (done,) = take_all(
        house, content, plan=plan, source=source, candidate=candidate, create=create_members
    )
    return done


def take_all(
    house: House,
    *contents: bytes,
    plan: str = PLAN,
    source: Source | None = None,
    candidate: MemberId | None = None,
    create: bool = False,
) -> tuple[Ingested, ...]:
    own = house.plan(plan)
    assert own is not None
    received = [
        Received(
            house.archive.store(own.id, content),
            read_document(content),
            source or Source(door="FILE"),
            candidate,
        )
        for content in contents
    ]
    return house.database.write(
        lambda tx: ingest(
            tx,
            received,
            plan=own,
            community=house.community,
            now=datetime.now(UTC),
            create_members=create,
        )
    )


def reload(house: House, done: Ingested) -> Document:
    found = house.database.read(
        lambda tx: documents.get(tx, plan=done.document.plan, document=done.document.id)
    )
    assert found is not None
    return found


def offered(house: House, member: MemberId = MEMBER.id) -> tuple[OfferedDocument, ...]:
    return house.database.read(lambda tx: offers.of_member(tx, plan=PLAN, member=member))


def problems(house: House) -> dict[str, bool]:
    """The problems of the summary, each with whether it was withdrawn."""
    read = house.database.read(lambda tx: read_summary(tx, member=MEMBER, now=datetime.now(UTC)))
    return {one["display"]: one["withdrawn"] for one in read["sections"]["problems"]}


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


# ---- twice, and newer versions ---------------------------------------------------------------


def test_the_same_bytes_from_the_same_source_are_one_document(house: House) -> None:
    first, again = take_all(house, cda(), cda())
    assert (first.outcome, again.outcome) == ("filed", "duplicate")
    assert first.document.id == again.document.id
    assert take(house, cda()).outcome == "duplicate"
    assert len(offered(house)) == 1


def test_the_same_bytes_from_two_sources_are_two_documents_of_one_statement(house: House) -> None:
    take(house, cda(sections=ASTHMA))
    take(house, cda(sections=ASTHMA), source=PARTNER)
    assert len(lakeshore.documents(house)) == 2
    assert problems(house) == {"Asthma": False}


def test_the_same_document_for_two_plans_stays_apart(house: House) -> None:
    here = take(house, cda())
    there = take(house, cda(), plan="other", create_members=True)
    assert (here.outcome, there.outcome) == ("filed", "filed")
    assert here.document.id != there.document.id
    assert here.document.blob.address != there.document.blob.address
    assert here.document.blob.sha256 == there.document.blob.sha256


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_newer_version_supersedes_whichever_came_first(
    order: tuple[int, int], house: House
) -> None:
    said = {1: ASTHMA, 2: GOUT}
    done = {
        version: take(
            house,
            cda(number=str(version), set_id="S", version=version, sections=said[version]),
        )
        for version in order
    }
    assert reload(house, done[1]).superseded_by == done[2].document.id
    assert reload(house, done[2]).superseded_by is None
    assert [one.document.id for one in offered(house)] == [done[2].document.id]
    assert problems(house) == {"Asthma": True, "Gout": False}


def test_versions_come_in_one_batch_too(house: House) -> None:
    newer = cda(number="2", set_id="S", version=2, sections=GOUT)
    older = cda(number="1", set_id="S", version=1, sections=ASTHMA)
    new, old = take_all(house, newer, older)
    assert reload(house, old).superseded_by == new.document.id
    assert problems(house) == {"Asthma": True, "Gout": False}


def test_the_version_of_another_members_document_supersedes_nothing(house: House) -> None:
    house.database.write(lambda tx: members.put(tx, TWIN))
    first = take(house, cda(set_id="S", version=1))
    second = take(house, cda(number="2", given="Marguerite", set_id="S", version=2))
    assert (first.outcome, second.outcome) == ("filed", "filed")
    assert reload(house, first).superseded_by is None


def test_a_replacement_supersedes_the_document_that_it_names(house: House) -> None:
    old = take(house, cda(sections=ASTHMA))
    new = take(house, cda(number="2", replaces="1", sections=GOUT))
    assert reload(house, old).superseded_by == new.document.id
    assert problems(house) == {"Asthma": True, "Gout": False}


def test_a_replacement_in_one_batch_supersedes_what_comes_after_it(house: House) -> None:
    new, old = take_all(house, cda(number="2", replaces="1", sections=GOUT), cda(sections=ASTHMA))
    assert reload(house, old).superseded_by == new.document.id
    assert problems(house) == {"Asthma": True, "Gout": False}


def test_a_held_replacement_supersedes_nothing(house: House) -> None:
    old = take(house, cda())
    new = take(house, cda(number="2", replaces="1", given="Zelda"))
    assert new.outcome == "held"
    assert reload(house, old).superseded_by is None


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
