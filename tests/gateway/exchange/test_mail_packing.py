"""How what is sent is packed: read back from the message itself, and filed by another house."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from direct.context import read_context
from direct.message import DirectMessage, OutgoingPart, read_message
from gateway.exchange.ingest import ingest, receive
from gateway.exchange.mail_delivering import enqueue_message
from gateway.exchange.mail_forwarding import forward_summaries
from gateway.exchange.mail_packing import Packing
from gateway.exchange.metadata import patient_id
from gateway.exchange.sensitivity import PART_2_NOTICE
from gateway.model.document import Document, Source
from gateway.settings_mail_out import Forward
from gateway.store import mail_sent, policy_rules
from ihe.metadata import DocumentEntry
from ihe.xdm import XdmPackage, read_xdm
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.exchange.test_mail_posting import DOCTOR, DOMAIN, filed, give, prepared
from tests.gateway.house import MEMBER, PLAN, a_rule, demo_document, documents

DOCUMENT = demo_document("lakeshore_ccd.xml")
XDM = Packing("xdm")


@pytest.fixture
async def town() -> Town:
    return Town()


@pytest.fixture
async def plan(tmp_path: Path, town: Town) -> AsyncIterator[Office]:
    async with office(tmp_path / "plan", DOMAIN, town) as opened:
        give(opened, a_rule(on_demand=True))
        yield opened


async def letter(plan: Office, **changes: Any) -> DirectMessage:
    """The message as it is kept, before it is sealed."""
    message = await prepared(plan, **changes)
    return read_message(plan.house.archive.load(PLAN, message.blob))


def package(message: DirectMessage) -> XdmPackage:
    (part,) = [one for one in message.parts if (one.filename or "").endswith(".zip")]
    assert part.media_type.value == "application/zip"
    return read_xdm(part.content())


def only_entry(message: DirectMessage) -> DocumentEntry:
    (file,) = package(message).documents
    assert file.entry is not None
    return file.entry


async def test_a_document_goes_in_a_package_that_says_what_our_registry_says(
    plan: Office,
) -> None:
    document = await filed(plan)
    message = await letter(plan, documents=(document.id,), package="xdm", text="See the package.")
    read = package(message)
    assert (read.is_xdm, read.defects) == (True, ())
    (file,) = read.documents
    assert (file.content, file.defects) == (DOCUMENT, ())
    entry, given = file.entry, file.submission_set
    assert entry is not None and given is not None
    assert (entry.type_code, entry.class_code) == (entry.class_code, given.content_type)
    assert entry.type_code is not None and entry.type_code.value == "34133-9"
    assert (entry.mime_type, entry.title) == ("text/xml", document.title)
    assert (entry.hash, entry.size_bytes) == (document.blob.sha1, len(DOCUMENT))
    assert entry.repository_unique_id is None
    known = patient_id(MEMBER, plan.house.community)
    assert entry.patient_id == given.patient_id == known
    assert entry.source_patient_id == known.cx
    assert entry.source_patient_info[0].startswith("PID-5|Sampleton^Rosalind")
    assert given.intended_recipients == (f"||^^Internet^{DOCTOR}",)
    assert given.authors[0].telecommunications == (f"^^Internet^desk@{DOMAIN}",)
    assert [one.media_type.value for one in message.parts] == [
        "text/plain", "application/zip", "text/plain",
    ]  # fmt: skip


async def test_the_package_is_asked_for_by_route_and_the_order_may_differ(plan: Office) -> None:
    document = await filed(plan)
    order: dict[str, Any] = {"documents": (document.id,)}
    plan.means = replace(
        plan.means, packing=lambda domain: XDM if domain in DOCTOR else Packing(context=False)
    )
    assert only_entry(await letter(plan, **order)).hash == document.blob.sha1
    as_files = await letter(plan, **order, package="attachments", context=False)
    assert [one.filename for one in as_files.parts] == [None, "document-1.xml"]
    elsewhere = await letter(plan, **order, to=("bob@else.test",))
    assert [one.filename for one in elsewhere.parts] == [None, "document-1.xml"]


async def test_domains_that_differ_get_files_that_all_can_read(plan: Office) -> None:
    plan.means = replace(plan.means, packing=lambda domain: XDM if domain in DOCTOR else Packing())
    file = OutgoingPart(b"%PDF-1.4", "application/pdf", "letter.pdf")
    message = await letter(plan, member=None, files=(file,), to=(DOCTOR, "bob@else.test"))
    assert [one.filename for one in message.parts] == [None, "letter.pdf"]


async def test_the_summary_in_a_package_has_the_entry_of_its_snapshot(plan: Office) -> None:
    await filed(plan)
    message = await letter(plan, summary=True, package="xdm")
    entry = only_entry(message)
    (kept,) = [one for one in documents(plan.house) if one.source.door == "ON-DEMAND"]
    assert (entry.hash, entry.object_type) == (kept.blob.sha1, "stable")
    assert entry.entry_uuid == f"urn:uuid:{kept.id}"


async def test_a_file_of_ones_own_says_of_itself_what_it_says_and_a_pdf_what_it_is(
    plan: Office,
) -> None:
    files = (
        OutgoingPart(DOCUMENT, "application/octet-stream", "chart"),
        OutgoingPart(b"%PDF-1.4", "application/pdf", "letter.pdf"),
    )
    message = await letter(plan, member=None, files=files, package="xdm")
    chart, scan = [one.entry for one in package(message).documents]
    assert chart is not None and scan is not None
    assert chart.type_code is not None and chart.type_code.value == "34133-9"
    assert (chart.mime_type, chart.patient_id) == ("text/xml", None)
    assert any(one.startswith("PID-5|") for one in chart.source_patient_info)
    assert (scan.mime_type, scan.title) == ("application/pdf", "letter.pdf")
    assert (scan.type_code, scan.class_code, scan.source_patient_info) == (None, None, ())


async def test_a_message_about_a_member_says_whom_it_is_about(plan: Office) -> None:
    document = await filed(plan)
    context = read_context(await letter(plan, documents=(document.id,)))
    assert context is not None
    known = patient_id(MEMBER, plan.house.community)
    assert [(one.authority, one.id) for one in context.patient_ids] == [
        (str(known.authority), known.id)
    ]
    assert (context.category, context.action) == ("general", "notification")
    assert context.purpose == "payment"
    assert context.patient["surname"] == "Sampleton"
    assert context.patient["dateOfBirth"].count("-") == 2
    assert not {"socialSecurityNumber", "telephoneNumber"} & context.patient.keys()


async def test_no_context_without_a_document_of_the_members(plan: Office) -> None:
    file = OutgoingPart(b"%PDF-1.4", "application/pdf", "letter.pdf")
    assert read_context(await letter(plan, files=(file,))) is None
    assert read_context(await letter(plan, member=None, files=(file,), context=True)) is None


async def test_what_part_2_covers_carries_its_notice_in_the_text(plan: Office) -> None:
    covered = DOCUMENT.replace(b"</text>", b"<paragraph>42 CFR part 2</paragraph></text>", 1)
    document = await _filed(plan, covered)
    message = await letter(plan, documents=(document.id,), text="Hello")
    assert message.parts[0].content().decode().split() == ["Hello", *PART_2_NOTICE.split()]


async def _filed(plan: Office, content: bytes) -> Document:
    house = plan.house
    received = await receive(
        house.archive, house.archive.store(PLAN, content), plan=house.plans[0],
        source=Source("FILE"),
    )  # fmt: skip
    (done,) = house.database.write(
        lambda tx: ingest(
            tx, [received], plan=house.plans[0], community=house.community, now=plan.now
        )
    )
    assert done.outcome == "filed"
    return done.document


# ---- through the wire --------------------------------------------------------------------------


async def test_a_package_sealed_sent_and_opened_by_another_house_files_its_document(
    plan: Office, tmp_path: Path, town: Town
) -> None:
    document = await filed(plan)
    async with office(tmp_path / "clinic", DOCTOR.partition("@")[2], town) as clinic:
        message = await prepared(plan, documents=(document.id,), package="xdm")
        plan.house.database.write(lambda tx: enqueue_message(tx, plan.means.queue, message))
        for one in (plan, clinic, plan):
            await one.work()
            assert one.failures == []
        assert plan.state(message.id) == "dispatched"
        (arrived,) = documents(clinic.house)
        assert (arrived.state, arrived.blob.sha256) == ("filed", document.blob.sha256)


async def test_a_forward_rule_sends_a_package_when_it_or_the_route_says_so(plan: Office) -> None:
    served = replace(plan.means.plans[0], requester_role="rule")
    rule = Forward(
        name="clinic", plan=PLAN, to=DOCTOR, sender=f"desk@{DOMAIN}", purpose="PAYMENT",
        members=(MEMBER.member_id,), requester="Rule", package="xdm",
    )  # fmt: skip
    plan.means = replace(plan.means, forwards=(rule,), plans=(served,))
    plan.house.database.write(lambda tx: policy_rules.put(tx, a_rule(on_demand=True)))
    await filed(plan)
    await forward_summaries(plan.means, PLAN, "clinic")
    (sent,) = plan.house.database.read(lambda tx: mail_sent.list_page(tx, plan=PLAN, limit=10))
    kept = read_message(plan.house.archive.load(PLAN, sent.blob))
    assert only_entry(kept).mime_type == "text/xml"
