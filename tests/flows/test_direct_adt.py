"""A hospital's ADT notices come by Direct and are the visit in the member's summary."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from direct.addresses import Mailbox
from direct.message import OutgoingPart, outer_headers, wrap, write_message
from direct.smime import SigningIdentity, seal
from gateway.exchange.summaries import read_summary
from tests.gateway.exchange.direct_certificates import certified
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.house import MEMBER, NUMBER_ROOT, documents, records

HOSPITAL, PLAN_DOMAIN = "direct.hospital.test", "direct.plan.test"
INTAKE, SENDER = f"intake@{PLAN_DOMAIN}", f"adt@{HOSPITAL}"


@pytest.fixture
async def plan(tmp_path: Path) -> AsyncIterator[Office]:
    town = Town()
    async with (
        office(tmp_path / "plan", PLAN_DOMAIN, town) as opened,
        office(tmp_path / "hospital", HOSPITAL, town),
    ):
        yield opened


def notice(event: str, sent: str, *, admitted: str = "", discharged: str = "") -> bytes:
    person = "|||Sampleton^Rosalind||19580314|F|||214 Sample Orchard Road^^Exampleton^WI^53999"
    return (
        f"MSH|^~\\&|EHR|General Hospital|||{sent}||ADT^{event}|c1|P|2.5.1\r"
        f"PID|1|{person}\rPV1|1|I|ICU"
        + "|" * 16
        + f"v1^^^2.999.31{'|' * 25}{admitted}|{discharged}"
    ).encode()


async def push(plan: Office, content: bytes, number: int) -> Any:
    """The notice attached to a mail, under a type and name that say nothing."""
    message = write_message(
        from_=Mailbox.parse(SENDER),
        to=[Mailbox.parse(INTAKE)],
        message_id=f"{number}@{HOSPITAL}",
        date=plan.now + timedelta(minutes=number),
        parts=[OutgoingPart(content, "text/plain", "message.txt")],
    )
    key, certificate = certified(HOSPITAL, "Direct test anchor")
    sealed = seal(
        wrap(message),
        headers=[one for one in outer_headers(message) if one[0] != "MIME-Version"],
        signer=SigningIdentity(key, certificate),
        recipients=[certified(PLAN_DOMAIN)[1]],
    )
    mail = await plan.spool(sealed, (INTAKE,), SENDER)
    await plan.work()
    return mail


def encounters(plan: Office) -> list[dict[str, Any]]:
    read = plan.house.database.read(lambda tx: read_summary(tx, member=MEMBER, now=plan.now))
    return list(read["sections"].get("encounters", ()))


async def test_notices_pushed_as_a_visit_goes_on_are_one_encounter_with_its_sources(
    plan: Office,
) -> None:
    await push(plan, notice("A01", "20261120080000-0600", admitted="202611200730-0600"), 1)
    (admitted,) = encounters(plan)
    assert (admitted["status"], admitted["start"]) == ("active", "2026-11-20T07:30-06:00")
    assert [one["partner"] for one in admitted["sources"]] == [SENDER]
    await push(plan, notice("A03", "20261123", discharged="202611230845-0600"), 2)
    (discharged,) = encounters(plan)
    assert (discharged["status"], discharged["end"]) == ("completed", "2026-11-23T08:45-06:00")
    assert [one.state for one in plan.received()] == ["filed", "filed"]
    told = [one for one in records(plan.house) if one.transaction == "DIRECT-RECEIVE"]
    assert [(one.outcome, one.member) for one in told] == [("success", MEMBER.id)] * 2
    assert {one for each in told for one in each.documents} == {
        one.id for one in documents(plan.house)
    }


async def test_a_notice_of_nobody_we_know_waits_for_a_person_to_decide(plan: Office) -> None:
    stranger = notice("A01", "20261120").replace(b"Sampleton^Rosalind", b"Nobody^Known")
    await push(plan, stranger, 1)
    (mail,) = plan.received()
    assert [(one.state, one.title) for one in documents(plan.house)] == [
        ("held", "Notice of admission (ADT A01)")
    ]
    assert (mail.state, mail.reason) == ("held", "it names no member of this plan")
    assert encounters(plan) == []


def thin(policy: str, *, family: str = "Sampleton", issuer: str = "") -> bytes:
    """A notice of little more than a name, with a number of an insurer's (IN1-3, IN1-36)."""
    company = f"co^^^{issuer}" if issuer else "co"
    return (
        "MSH|^~\\&|EHR|General Hospital|||20261126||ADT^A01|c1|P|2.5.1\r"
        f"PID|1||||{family}^Rosalind||19580314|F\rPV1|1|I|ICU\r"
        f"IN1|1|HMO|{company}{'|' * 33}{policy}"
    ).encode()


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (thin(""), "held"),
        (thin("LS-0093345"), "filed"),
        (thin("LS-0093345", issuer=f"LS&{NUMBER_ROOT}&ISO"), "filed"),
        (thin("LS-0093345", issuer="X&2.999.55&ISO"), "held"),
        (thin("XX-1"), "held"),
        (thin("LS-0093345", family="Otherone"), "held"),
    ],
    ids=["no number", "ours", "ours, and says so", "another's", "unknown", "of another name"],
)
async def test_a_policy_number_counts_as_in_a_payers_section(
    plan: Office, content: bytes, state: str
) -> None:
    await push(plan, content, 1)
    (document,) = documents(plan.house)
    assert (document.state, document.member) == (state, MEMBER.id if state == "filed" else None)
