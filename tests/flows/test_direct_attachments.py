"""PDFs and pictures that come by Direct: kept beside the document they came with, or held."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ccda.hl7v3 import PN, TS
from direct.context import Context, ContextPatientId, write_context
from direct.message import OutgoingPart
from gateway.exchange.deciding import file_as, read_held
from gateway.model.document import Document
from gateway.model.identity import MemberId
from gateway.model.received_mail import ReceivedMail
from gateway.store import documents as document_store
from gateway.store import members
from ihe.identifiers import Oid, PatientId, UniqueId
from ihe.metadata import Code, DocumentEntry, SubmissionSet
from ihe.xdm import XdmSubmission, write_xdm
from tests.flows.test_direct import DOCTOR, INTAKE, PLAN_DOMAIN, sealed, written
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.house import MEMBER, PLAN, demo_document, documents, records

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
SCAN = OutgoingPart(PDF, "application/pdf", "scan.pdf")
PICTURE = OutgoingPart(PNG, "application/octet-stream", "wound")
CCDA = OutgoingPart(demo_document("northfield_ccd.xml"), "text/xml", "ccd.xml")
STRANGER = OutgoingPart(
    demo_document("northfield_ccd.xml")
    .replace(b"Sampleton", b"Nobodyson")
    .replace(b"19580314", b"19310711"),
    "text/xml",
    "other.xml",
)


OTHER = replace(
    MEMBER,
    id=MemberId("00000000-0000-4000-8000-000000000009"),
    member_id="LS-9",
    demographics=replace(
        MEMBER.demographics,
        names=(PN("Nobodyson", ("Rosalind",)),),
        birth_time=TS("19310711"),
        ids=(),
    ),
)


@pytest.fixture
async def plan(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path / "plan", PLAN_DOMAIN, Town()) as opened:
        yield opened


async def push(
    plan: Office,
    *parts: OutgoingPart,
    number: int = 1,
    fields: Sequence[tuple[str, str]] = (),
) -> ReceivedMail:
    content = written(plan, parts=parts, message_id=f"{number}@x.test", fields=fields)
    mail = await plan.spool(sealed(content), (INTAKE,), DOCTOR)
    await plan.work()
    assert plan.failures == []
    return next(one for one in plan.received() if one.id == mail)


def by_type(plan: Office) -> dict[str | None, Document]:
    return {one.mime_type: one for one in documents(plan.house)}


async def test_what_came_beside_a_document_is_filed_with_its_member(plan: Office) -> None:
    mail = await push(plan, SCAN, CCDA, PICTURE)
    assert (mail.state, mail.reason) == ("filed", None)
    found = by_type(plan)
    assert set(found) == {"text/xml", "application/pdf", "image/png"}
    assert {(one.state, one.member) for one in found.values()} == {("filed", MEMBER.id)}
    assert found["application/pdf"].title == "scan.pdf"
    (record,) = [one for one in records(plan.house) if one.transaction == "DIRECT-RECEIVE"]
    assert set(record.documents) == {one.id for one in found.values()}
    assert record.member == MEMBER.id


async def test_what_came_beside_a_document_that_waits_waits_too(plan: Office) -> None:
    mail = await push(plan, STRANGER, SCAN)
    assert mail.state == "held"
    scan = by_type(plan)["application/pdf"]
    assert (scan.state, scan.reason) == ("held", "it came beside a document that waits")


async def test_what_came_beside_documents_of_two_members_is_nobodys(plan: Office) -> None:
    plan.house.database.write(lambda tx: members.put(tx, OTHER))
    mail = await push(plan, CCDA, STRANGER, SCAN)
    reason = "it came beside documents of several members"
    assert (mail.state, mail.reason) == ("held", reason)
    assert by_type(plan)["application/pdf"].member is None


async def test_a_pdf_alone_is_held_for_a_person(plan: Office) -> None:
    mail = await push(plan, SCAN)
    reason = "nothing that came with it says surely whose it is"
    assert (mail.state, mail.reason) == ("held", reason)
    (scan,) = documents(plan.house)
    assert (scan.state, scan.candidate) == ("held", None)


def context(**patient: str) -> tuple[OutgoingPart, tuple[str, str]]:
    said = {"givenName": "Rosalind", "surname": "Sampleton", "dateOfBirth": "1958-03-14"}
    given = Context(
        version="1.0",
        id="1@x.test",
        content_id="2@x.test",
        patient_ids=(ContextPatientId("2.999.77", "elsewhere"),),
        patient={**said, "gender": "F", "postalCode": "53999", **patient},
    )
    return write_context(given)


async def test_whom_the_context_names_is_the_candidate_and_no_more(plan: Office) -> None:
    part, named = context()
    mail = await push(plan, SCAN, part, fields=[named])
    reason = "only the message that brought it says whose it is"
    assert (mail.state, mail.reason) == ("held", reason)
    (scan,) = documents(plan.house)
    assert (scan.state, scan.member, scan.candidate) == ("held", None, MEMBER.id)


async def test_a_context_that_names_nobody_of_ours_makes_no_candidate(plan: Office) -> None:
    part, named = context(surname="Else", givenName="Someone", dateOfBirth="1999-09-09")
    await push(plan, SCAN, part, fields=[named])
    (scan,) = documents(plan.house)
    assert (scan.state, scan.candidate) == ("held", None)


def package(*info: str) -> OutgoingPart:
    entry = DocumentEntry(
        "urn:uuid:00000000-0000-0000-0000-000000000001",
        UniqueId("2.999.1"),
        patient_id=PatientId("elsewhere", Oid("2.999.77")),
        mime_type="application/pdf",
        title="Discharge letter",
        type_code=Code("18842-5", "2.16.840.1.113883.6.1", "Discharge summary"),
        source_patient_info=info,
    )
    given = SubmissionSet("urn:uuid:00000000-0000-0000-0000-000000000002", UniqueId("2.999.2"))
    zipped = write_xdm(
        [XdmSubmission(given, ((entry, PDF),))],
        organization="Clinic",
        now=datetime(2026, 11, 26, tzinfo=UTC),
    )
    return OutgoingPart(zipped, "application/zip", "xdm.zip")


async def test_a_packages_metadata_says_what_it_is_and_whose_it_could_be(plan: Office) -> None:
    await push(
        plan,
        package("PID-5|Sampleton^Rosalind", "PID-7|19580314", "PID-8|F", "PID-11|^^^^53999"),
    )
    (scan,) = documents(plan.house)
    assert (scan.title, scan.type_code) == ("Discharge letter", "18842-5")
    assert (scan.state, scan.candidate) == ("held", MEMBER.id)


ANOTHERS = ("PID-5|Nobodyson^Rosalind", "PID-7|19310711", "PID-8|F", "PID-11|^^^^53999")
NAMES_ANOTHER = "its metadata names another person than what it came beside"


async def test_a_pdf_whose_metadata_names_another_member_waits_as_that_members(
    plan: Office,
) -> None:
    plan.house.database.write(lambda tx: members.put(tx, OTHER))
    mail = await push(plan, CCDA, package(*ANOTHERS))
    assert (mail.state, mail.reason) == ("held", NAMES_ANOTHER)
    found = by_type(plan)
    assert (found["text/xml"].state, found["text/xml"].member) == ("filed", MEMBER.id)
    scan = found["application/pdf"]
    assert (scan.state, scan.reason, scan.candidate) == ("held", NAMES_ANOTHER, OTHER.id)


async def test_a_pdf_whose_metadata_names_nobody_of_ours_is_not_the_members_beside(
    plan: Office,
) -> None:
    await push(plan, CCDA, package(*ANOTHERS))
    scan = by_type(plan)["application/pdf"]
    assert (scan.state, scan.reason, scan.candidate) == ("held", NAMES_ANOTHER, None)


async def test_a_pdf_of_a_message_whose_context_names_another_waits(plan: Office) -> None:
    plan.house.database.write(lambda tx: members.put(tx, OTHER))
    part, named = context(surname="Nobodyson", dateOfBirth="1931-07-11")
    await push(plan, CCDA, SCAN, part, fields=[named])
    scan = by_type(plan)["application/pdf"]
    assert (scan.state, scan.reason, scan.candidate) == ("held", NAMES_ANOTHER, OTHER.id)


@pytest.mark.parametrize(
    "info",
    [
        ("PID-5|Sampleton^Rosalind", "PID-7|19580314", "PID-8|F", "PID-11|^^^^53999"),
        ("PID-5|Sampleton^Rosalind",),
        (),
    ],
    ids=["all of it", "a name alone", "an id of another issuer"],
)
async def test_metadata_that_names_the_member_or_says_too_little_files_it_beside(
    plan: Office, info: tuple[str, ...]
) -> None:
    await push(plan, CCDA, package(*info))
    scan = by_type(plan)["application/pdf"]
    assert (scan.state, scan.member) == ("filed", MEMBER.id)


@pytest.mark.parametrize("first", [(), (CCDA,)], ids=["alone", "beside another's document"])
async def test_a_pdf_that_was_said_to_be_anothers_is_not_filed_when_it_comes_again_without_that(
    plan: Office, first: tuple[OutgoingPart, ...]
) -> None:
    plan.house.database.write(lambda tx: members.put(tx, OTHER))
    await push(plan, *first, package(*ANOTHERS))
    mail = await push(plan, CCDA, SCAN, number=2)
    assert (mail.state, mail.reason) == ("held", NAMES_ANOTHER)
    scan = by_type(plan)["application/pdf"]
    assert (scan.state, scan.candidate) == ("held", OTHER.id)


async def test_a_held_pdf_that_comes_again_beside_its_document_is_filed(plan: Office) -> None:
    await push(plan, SCAN)
    await push(plan, CCDA, SCAN, number=2)
    found = by_type(plan)
    assert (found["application/pdf"].state, found["application/pdf"].member) == (
        "filed",
        MEMBER.id,
    )
    assert len(documents(plan.house)) == 2


async def test_the_same_pdf_beside_anothers_document_is_said_and_not_moved(plan: Office) -> None:
    await push(plan, CCDA, SCAN)
    scan = by_type(plan)["application/pdf"]
    plan.house.database.write(lambda tx: members.put(tx, OTHER))
    plan.house.database.write(
        lambda tx: document_store.file(tx, plan=PLAN, document=scan.id, member=OTHER.id)
    )
    mail = await push(plan, CCDA, SCAN, number=2)
    assert "filed with another member" in (mail.reason or "")
    assert by_type(plan)["application/pdf"].member != MEMBER.id


@pytest.mark.parametrize(
    ("parts", "members_told"),
    [((STRANGER,), {OTHER.id}), ((), {None})],
    ids=["beside another's document", "alone"],
)
async def test_bytes_that_came_with_another_members_message_bring_that_member_into_no_record(
    plan: Office, parts: tuple[OutgoingPart, ...], members_told: set[MemberId | None]
) -> None:
    plan.house.database.write(lambda tx: members.put(tx, OTHER))
    await push(plan, CCDA, PICTURE)
    picture = by_type(plan)["image/png"]
    assert picture.member == MEMBER.id
    mail = await push(plan, *parts, PICTURE, number=2)
    told = [one for one in records(plan.house) if one.transaction == "DIRECT-RECEIVE"]
    of_it = [one for one in told if one.conversation == mail.id]
    assert {one.member for one in of_it} == members_told
    assert all(picture.id not in one.documents for one in of_it)
    assert by_type(plan)["image/png"].member == MEMBER.id


async def test_a_message_that_comes_again_under_another_id_is_recorded_with_all_that_it_brings(
    plan: Office,
) -> None:
    await push(plan, CCDA, PICTURE)
    await push(plan, CCDA, PICTURE, number=2)
    told = [one for one in records(plan.house) if one.transaction == "DIRECT-RECEIVE"]
    assert [(one.member, len(one.documents)) for one in told] == [(MEMBER.id, 2)] * 2


async def test_a_person_files_a_held_pdf(plan: Office) -> None:
    await push(plan, SCAN)
    (scan,) = documents(plan.house)
    house = plan.house
    received = await read_held(house.archive, scan, house.plans[0])
    filing = file_as(received, scan.id, member=MEMBER, community=house.community, now=plan.now)
    house.database.write(filing)
    (scan,) = documents(plan.house)
    assert (scan.state, scan.member, scan.title) == ("filed", MEMBER.id, "scan.pdf")
