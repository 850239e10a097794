"""Sending: what must be stated, whom nothing is said about, and what rules give."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from direct.message import OutgoingPart, read_message
from gateway.exchange.ingest import ingest, receive
from gateway.exchange.mail_posting import NotSent, Order, prepare
from gateway.model.document import Document, Source
from gateway.model.identity import DocumentId, MemberId, PlanId
from gateway.model.partner import Endpoints
from gateway.model.policy import Rule
from gateway.model.sent_mail import SentMail
from gateway.store import members, partners, policy_rules
from ihe.xdm import read_xdm
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.house import MEMBER, PLAN, a_partner, a_rule, demo_document

DOMAIN, DOCTOR = "direct.plan.test", "anne@direct.clinic.test"


@pytest.fixture
async def plan(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path / "plan", DOMAIN, Town()) as opened:
        yield opened


async def filed(plan: Office) -> Document:
    """A document of the member's that the plan's own organization keeps."""
    archive, own = plan.house.archive, plan.house.plans[0]
    blob = archive.store(PLAN, demo_document("lakeshore_ccd.xml"))
    received = await receive(archive, blob, plan=own, source=Source("FILE"))
    (done,) = plan.house.database.write(
        lambda tx: ingest(
            tx, [received], plan=own, community=plan.house.community, now=datetime.now(UTC)
        )
    )
    assert done.outcome == "filed"
    return done.document


def give(plan: Office, *rules: Rule) -> None:
    for rule in rules:
        plan.house.database.write(lambda tx, one=rule: policy_rules.put(tx, one))  # type: ignore[misc]


async def prepared(plan: Office, **changes: Any) -> SentMail:
    given: dict[str, Any] = {
        "sender": f"desk@{DOMAIN}",
        "to": (DOCTOR,),
        "purpose": "PAYMENT",
        "person": "Nurse",
        "role": "nurse",
        "member": MEMBER.id,
    }
    order = Order(**{**given, **changes})
    return await prepare(plan.means, plan.house.plans[0], order, now=plan.now)


async def refusal(plan: Office, **changes: Any) -> str:
    with pytest.raises(NotSent) as refused:
        await prepared(plan, **changes)
    return str(refused.value)


async def test_without_purpose_person_or_authority_nothing_is_sent(plan: Office) -> None:
    assert "purpose" in await refusal(plan, purpose="")
    assert "purpose" in await refusal(plan, purpose="CURIOSITY")
    assert "no person" in await refusal(plan, person=" ")
    assert "no role" in await refusal(plan, role=None)
    assert "treatment" in await refusal(plan, purpose="TREATMENT")


async def test_only_our_own_addresses_send_and_every_address_is_one(plan: Office) -> None:
    assert "no address of this plan" in await refusal(plan, sender="desk@else.test")
    assert "no address of this plan" in await refusal(plan, sender=f"desk@sub.{DOMAIN}")
    assert "is no address" in await refusal(plan, to=("anne",))
    assert "is no address" in await refusal(plan, to=("anne@x.test\r\nBcc: bob@y.test",))
    assert "no recipient" in await refusal(plan, to=())
    assert "one domain" in await refusal(plan, to=(DOCTOR, "bob@else.test"))


async def test_nobody_is_written_about_who_opted_out_or_is_not_covered(plan: Office) -> None:
    database = plan.house.database
    database.write(
        lambda tx: members.set_opted_out(tx, plan=PLAN, member=MEMBER.id, opted_out=True)
    )
    assert "opted out" in await refusal(plan)
    database.write(
        lambda tx: members.set_opted_out(tx, plan=PLAN, member=MEMBER.id, opted_out=False)
    )
    database.write(lambda tx: members.put(tx, replace(MEMBER, coverage_end=date(2020, 1, 1))))
    assert "coverage" in await refusal(plan)
    assert "no such member" in await refusal(plan, member=MemberId("nobody"))


async def test_a_document_goes_only_by_a_rule(plan: Office) -> None:
    document = await filed(plan)
    assert "no rule gives" in await refusal(plan, documents=(document.id,))
    give(plan, a_rule(purpose="OPERATIONS"))
    assert "no rule gives" in await refusal(plan, documents=(document.id,))
    give(plan, a_rule())
    message = await prepared(plan, documents=(document.id,))
    assert message.record.documents == (document.id,)
    content = plan.house.archive.load(PLAN, message.blob)
    part = read_message(content).parts[1]
    assert part.content() == demo_document("lakeshore_ccd.xml")
    assert part.filename == "document-1.xml"
    assert "no rule gives" in await refusal(plan, documents=(DocumentId("nobody's"),))


async def test_a_rule_for_a_partner_reaches_its_direct_domain_alone(plan: Office) -> None:
    document = await filed(plan)
    clinic = a_partner(endpoints=Endpoints(direct_domain="direct.clinic.test"))
    plan.house.database.write(lambda tx: partners.put(tx, clinic))
    give(plan, a_rule(clinic))
    message = await prepared(plan, documents=(document.id,))
    assert message.record.partner == clinic.id
    assert "no rule gives" in await refusal(plan, to=("bob@else.test",), documents=(document.id,))


async def test_the_summary_goes_as_what_the_same_rules_give_on_demand(plan: Office) -> None:
    await filed(plan)
    give(plan, a_rule())
    assert "no rule gives" in await refusal(plan, summary=True)
    give(plan, a_rule(on_demand=True))
    message = await prepared(plan, summary=True)
    content = plan.house.archive.load(PLAN, message.blob)
    attached = read_message(content).parts[1].content()
    assert b"ClinicalDocument" in attached


async def test_files_and_text_go_without_a_member(plan: Office) -> None:
    part = OutgoingPart(b"%PDF-1.4", "application/pdf", "letter.pdf")
    message = await prepared(plan, member=None, files=(part,), subject="Hello", text="One\nTwo")
    assert message.record.member is None
    read = read_message(plan.house.archive.load(PLAN, message.blob))
    assert read.subject == "Hello"
    assert [one.content() for one in read.parts] == [b"One\r\nTwo\r\n", b"%PDF-1.4"]
    assert "say whose" in await refusal(plan, member=None, summary=True)
    assert message.record.plan == PlanId("acme")
    assert "cannot be written" in await refusal(plan, member=None, subject="a\r\nBcc: x@y.test")


async def test_an_address_in_two_spellings_is_one_recipient_everywhere(plan: Office) -> None:
    await filed(plan)
    give(plan, a_rule(on_demand=True))
    spelt = (DOCTOR, "Anne@DIRECT.clinic.test")
    message = await prepared(plan, to=spelt, summary=True, package="xdm")
    assert [one.address for one in message.recipients] == [DOCTOR]
    read = read_message(plan.house.archive.load(PLAN, message.blob))
    assert [one.address for one in read.to] == [DOCTOR]
    package = read_xdm(read.parts[1].content())
    (given,) = package.submission_sets
    assert given.intended_recipients == (f"||^^Internet^{DOCTOR}",)


async def test_of_several_domains_none_is_the_partner_of_all(plan: Office) -> None:
    clinic = a_partner(endpoints=Endpoints(direct_domain="direct.clinic.test"))
    plan.house.database.write(lambda tx: partners.put(tx, clinic))
    two = await prepared(plan, to=(DOCTOR, "bob@else.test"), member=None, text="About a referral")
    one = await prepared(plan, to=(DOCTOR, "eve@direct.clinic.test"), member=None, text="As above")
    assert (two.record.partner, one.record.partner) == (None, clinic.id)
