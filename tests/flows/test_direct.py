"""Direct end to end: two security agents of ours, real S/MIME, real trust, real SMTP.

ETT's published cases of delivery notices are named (mt_…) in the tests that hold them.
"""

import email
import email.policy
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from direct.addresses import Mailbox
from direct.discovery import NotFound
from direct.dsn import RecipientStatus, write_delivery_status
from direct.errors import Disposition
from direct.mdn import read_notification, write_notification
from direct.message import OutgoingPart, outer_headers, read_message, wrap, write_message
from direct.smime import SigningIdentity, seal
from direct.trust import Verdict
from gateway.clients.smtp_client import Server
from gateway.exchange.mail_failing import report_failure
from gateway.exchange.mail_forwarding import forward_summaries
from gateway.exchange.mail_reading import read_mail
from gateway.exchange.reading import read_up_to
from gateway.exchange.replaying import read_again, refile, replay_message
from gateway.exchange.workers import Budget, WorkerPool
from gateway.settings_mail_out import Forward
from gateway.store import mail_received, mail_sent, policy_rules
from tests.gateway.exchange.direct_certificates import authority, certified
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.house import (
    MEMBER,
    PLAN,
    a_rule,
    demo_document,
    documents,
    records,
    refusals,
)

CLINIC, PLAN_DOMAIN = "direct.clinic.test", "direct.plan.test"
INTAKE, DOCTOR = f"intake@{PLAN_DOMAIN}", f"anne@{CLINIC}"
HOUR = timedelta(hours=1)


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
async def clinic(tmp_path: Path, town: Town) -> AsyncIterator[Office]:
    async with office(tmp_path / "clinic", CLINIC, town) as opened:
        yield opened


@pytest.fixture
async def plan(tmp_path: Path, town: Town) -> AsyncIterator[Office]:
    async with office(tmp_path / "plan", PLAN_DOMAIN, town) as opened:
        yield opened


async def exchange(*offices: Office) -> None:
    """Everybody works until nothing is left to do."""
    for _ in range(3):
        for one in offices:
            await one.work()
            assert one.failures == []


def outcomes(at: Office, transaction: str) -> list[tuple[str, str | None]]:
    found = [one for one in records(at.house) if one.transaction == transaction]
    return [(one.outcome, one.reason) for one in found]


def told_to_sender(at: Office) -> list[str | None]:
    """Of the reports that our own house puts into the sender's inbox, what each says."""
    return [one.reason for one in at.received() if one.door == "OUTBOX"]


def sealed(
    content: bytes,
    *,
    signer: str = CLINIC,
    by: str = "Direct test anchor",
    to: str = PLAN_DOMAIN,
    headers: tuple[tuple[str, str], ...] | None = None,
) -> bytes:
    """A message as another's agent would send it, signed with the certificate of `signer`."""
    key, certificate = certified(signer, by)
    shown = outer_headers(content) if headers is None else headers
    return seal(
        wrap(content),
        headers=[one for one in shown if one[0] != "MIME-Version"],
        signer=SigningIdentity(key, certificate),
        recipients=[certified(to)[1]],
    )


def written(at: Office, *to: str, sender: str = DOCTOR, **changes: Any) -> bytes:
    given: dict[str, Any] = {
        "from_": Mailbox.parse(sender),
        "to": [Mailbox.parse(one) for one in to or (INTAKE,)],
        "message_id": "push-1@direct.clinic.test",
        "date": at.now,
        "parts": [OutgoingPart(demo_document("northfield_ccd.xml"), "text/xml", "ccd.xml")],
    }
    return write_message(**{**given, **changes})


# ---- delivered ---------------------------------------------------------------------------------


async def test_mt_21_29_39_a_summary_is_filed_and_both_notices_come_back(
    clinic: Office, plan: Office
) -> None:
    message = await clinic.send(INTAKE)
    await exchange(clinic, plan)
    assert clinic.state(message) == "dispatched"
    # Two messages on their way at once: either may be there first, and both are heard.
    assert sorted(kind for kind, _ in clinic.notices(message)) == ["dispatched", "processed"]
    (mail,) = plan.received()
    assert (mail.state, mail.reason) == ("filed", None)
    (document,) = documents(plan.house)
    assert (document.state, document.source.door) == ("filed", "DIRECT")
    (told,) = [one for one in records(plan.house) if one.transaction == "DIRECT-RECEIVE"]
    assert (told.outcome, told.documents) == ("success", (document.id,))
    assert (told.member, told.conversation) == (document.member, mail.id)
    (sent,) = [one for one in records(clinic.house) if one.transaction == "DIRECT-SEND"]
    assert (sent.outcome, sent.purpose, sent.person) == ("success", "PAYMENT", "Nurse")
    assert sent.request_hash == mail.blob.sha256


async def test_mt_40_a_bad_options_header_gets_processed_alone(
    clinic: Office, plan: Office
) -> None:
    bad = ("Disposition-Notification-Options", "X-DIRECT-FINAL-DESTINATION-DELIVERY=banana,yes")
    content = written(clinic, wants_dispatched=False, fields=[bad])
    mail = await plan.spool(sealed(content), (INTAKE,), DOCTOR)
    await plan.work()
    assert (await told(plan, mail)) == ["processed"]


async def test_mt_17_45_each_message_has_an_id_of_its_own(clinic: Office, plan: Office) -> None:
    sent = [clinic.sent(await clinic.send(INTAKE)).message_id for _ in range(3)]
    assert len(set(sent)) == 3
    assert all(one.endswith(f"@{CLINIC}") for one in sent)


async def test_mt_46_a_message_asks_for_final_delivery_in_its_options(
    clinic: Office, plan: Office
) -> None:
    message = clinic.sent(await clinic.send(INTAKE))
    content = clinic.house.archive.load(PLAN, message.blob)
    options = read_message(content).header.first("Disposition-Notification-Options")
    assert options == "X-DIRECT-FINAL-DESTINATION-DELIVERY=optional,true"


async def test_mt_41_what_is_trusted_and_cannot_be_delivered_gets_processed_and_failed(
    clinic: Office, plan: Office
) -> None:
    from gateway.exchange import mail_contents

    assert mail_contents.MOST_DOCUMENTS < 500
    parts = [
        OutgoingPart(f"<ClinicalDocument id='{n}'/>".encode(), "text/xml", f"{n}.xml")
        for n in range(mail_contents.MOST_DOCUMENTS + 1)
    ]
    content = written(clinic, parts=parts, wants_dispatched=True)
    mail = await plan.spool(sealed(content), (INTAKE,), DOCTOR)
    await plan.work()
    assert (await told(plan, mail)) == ["processed", "failed"]
    (row,) = plan.received()
    assert row.state == "quarantined"
    assert outcomes(plan, "DIRECT-RECEIVE") == [("failed", row.reason)]


class Spending(WorkerPool):
    """Whose messages have next to nothing left when the second document is to be read: where their
    time goes is the machine's, and no two share it alike."""

    documents = 0

    async def run_within(
        self, budget: Budget, function: Callable[..., Any], *args: object, **content: Any
    ) -> Any:
        if function is read_up_to:
            self.documents += 1
            if self.documents == 2:
                budget.left_seconds = 0.05
        return await super().run_within(budget, function, *args, **content)


async def test_what_costs_more_than_one_message_may_is_kept_to_be_read_by_itself(
    plan: Office,
) -> None:
    small = demo_document("northfield_ccd.xml")
    # A document of very many statements: reading it takes longer than the message has left.
    large = re.sub(rb"<entry\b.*?</entry>", lambda one: one[0] * 40, small, flags=re.DOTALL)
    parts = [OutgoingPart(small, "text/xml", "a.xml"), OutgoingPart(large, "text/xml", "b.xml")]
    with Spending(1, 300_000_000, 60.0) as openers:
        plan.means = replace(plan.means, openers=openers, message_cpu_seconds=60.0)
        await plan.spool(sealed(written(plan, parts=parts)), (INTAKE,), DOCTOR)
        await plan.work()
    (mail,) = plan.received()
    reason = "its message has taken all its time: it can be read by itself"
    assert (mail.state, mail.reason) == ("held", reason)
    states = {one.blob.size_bytes: (one.state, one.reason) for one in documents(plan.house)}
    assert states == {len(small): ("filed", None), len(large): ("quarantined", reason)}
    (left,) = [one for one in documents(plan.house) if one.state == "quarantined"]
    house = plan.house
    again = refile(
        await read_again(house.archive, left, house.plans[0]),
        plan=house.plans[0],
        community=house.community,
        now=plan.now,
    )
    assert house.database.write(again).document.state == "filed"


async def test_a_message_that_takes_too_much_lies_in_quarantine_until_an_operator_lets_it_run(
    plan: Office,
) -> None:
    large = (
        b'<ClinicalDocument xmlns="urn:hl7-org:v3">' + b" " * 12_000_000 + b"</ClinicalDocument>"
    )
    parts = [OutgoingPart(large, "text/xml", "a.xml")]
    with WorkerPool(1, 60_000_000, 60.0) as narrow:
        plan.means = replace(plan.means, openers=narrow)
        await plan.spool(sealed(written(plan, parts=parts)), (INTAKE,), DOCTOR)
        await plan.work()
        (mail,) = plan.received()
        too_much = "opening it took more time or memory than is allowed"
        assert (mail.state, mail.reason) == ("quarantined", too_much)
        assert documents(plan.house) == ()
        plan.house.database.write(
            lambda tx: replay_message(tx, plan.means.queue, plan=PLAN, message=mail.id)
        )
        await plan.work()
    (again,) = plan.received()
    assert again.state == "held"
    (document,) = documents(plan.house)
    assert document.blob.size_bytes == len(large)


async def test_what_says_more_than_one_message_may_bring_is_kept_to_be_read_by_itself(
    plan: Office,
) -> None:
    small = demo_document("northfield_ccd.xml")
    many = re.sub(rb"<entry\b.*?</entry>", lambda one: one[0] * 30, small, flags=re.DOTALL)
    documents_of_it = [many, many.replace(b"Northfield", b"Southfield"), small]
    parts = [OutgoingPart(one, "text/xml", "a.xml") for one in documents_of_it]
    plan.means = replace(plan.means, message_cpu_seconds=60.0)
    await plan.spool(sealed(written(plan, parts=parts)), (INTAKE,), DOCTOR)
    await plan.work()
    reason = "it says more than one message may bring to be indexed: it can be read by itself"
    kept = {one.blob.sha256: (one.state, one.reason) for one in documents(plan.house)}
    assert [kept[sha256(one).hexdigest()] for one in documents_of_it] == [
        ("filed", None),  # 1,740 statements
        ("quarantined", reason),
        ("filed", None),
    ]
    house = plan.house
    (left,) = [one for one in documents(house) if one.state == "quarantined"]
    received = await read_again(house.archive, left, house.plans[0])
    again = refile(received, plan=house.plans[0], community=house.community, now=plan.now)
    assert house.database.write(again).document.state == "filed"


async def test_a_documents_reading_has_the_memory_of_one_message_and_no_more(plan: Office) -> None:
    small = demo_document("northfield_ccd.xml")
    # Few bytes and very many elements: as a tree it is fifty times as large.
    swells = small.replace(b"</ClinicalDocument>", b"<a/>" * 800_000 + b"</ClinicalDocument>")
    contents = {"a.xml": small, "b.xml": swells, "c.xml": demo_document("lakeshore_ccd.xml")}
    parts = [OutgoingPart(one, "text/xml", name) for name, one in contents.items()]
    with WorkerPool(1, 120_000_000, 60.0) as narrow:
        plan.means = replace(plan.means, openers=narrow, message_cpu_seconds=60.0)
        await plan.spool(sealed(written(plan, parts=parts)), (INTAKE,), DOCTOR)
        await plan.work()
    kept = {one.blob.size_bytes: (one.state, one.reason) for one in documents(plan.house)}
    memory = "it needs more memory than one message may have: it can be read by itself"
    time = "its message has taken all its time: it can be read by itself"
    assert [kept[len(one)] for one in contents.values()] == [
        ("filed", None),
        ("quarantined", memory),
        ("quarantined", time),  # whoever has filled the memory has had their share
    ]


async def told(at: Office, mail: Any) -> list[str | None]:
    """What our notices about a received message say, as they lie in the outbox."""
    contents = [at.house.archive.load(PLAN, one.blob) for one in at.answers_to(mail)]
    notices = [read_notification(read_message(content)) for content in contents]
    return [None if one is None else one.type for one in notices]


# ---- not delivered -----------------------------------------------------------------------------


async def test_mt_1_5_9_23_a_bad_address_is_reported_as_failed(
    clinic: Office, plan: Office
) -> None:
    plan.answers["nobody@direct.plan.test"] = f"550 5.1.1 {PRIVATE}"
    message = await clinic.send("nobody@direct.plan.test")
    await clinic.work()
    (recipient,) = clinic.sent(message).recipients
    assert recipient.state == "failed"
    why = "its server refuses it: 550 5.1.1, there is no such mailbox"
    assert recipient.reason == why
    ((outcome, _),) = outcomes(clinic, "DIRECT-SEND")
    assert outcome == "failed"
    assert told_to_sender(clinic) == [f"not delivered to nobody@direct.plan.test: {why}"]
    assert not any("Rosalind" in (one.reason or "") for one in records(clinic.house))


async def test_what_a_server_says_while_it_puts_us_off_stands_in_no_record(
    clinic: Office, plan: Office
) -> None:
    slow = "slow@direct.plan.test"
    plan.answers[slow] = f"450 4.2.1 {PRIVATE}"
    message = await clinic.send(INTAKE, slow)
    await clinic.work()
    waits = {one.address: one.reason for one in clinic.sent(message).recipients}[slow]
    assert waits == "its server does not take it yet: 450 4.2.1, the mailbox takes no mail"
    for _ in range(3):
        clinic.now += HOUR
        await clinic.work()
    assert {one.address: one.state for one in clinic.sent(message).recipients}[slow] == "failed"
    assert not any("Rosalind" in (one.reason or "") for one in records(clinic.house))
    assert not any("Rosalind" in str(one) for one in clinic.failures)


async def test_mt_2_6_10_24_an_untrusted_receiver_is_reported_and_gets_nothing(
    clinic: Office, tmp_path: Path, town: Town
) -> None:
    elsewhere = "direct.elsewhere.test"
    async with office(tmp_path / "else", elsewhere, town) as untrusted:
        town.published[elsewhere] = certified(elsewhere, "Nobody's anchor")[1]
        message = await clinic.send(f"bob@{elsewhere}")
        await clinic.work()
        (recipient,) = clinic.sent(message).recipients
        assert recipient.state == "failed"
        assert (recipient.reason or "").startswith("no certificate of it is trusted: ")
        assert untrusted.received() == []
        assert told_to_sender(clinic) == [f"not delivered to bob@{elsewhere}: {recipient.reason}"]


async def test_mt_3_7_11_25_a_receiver_without_a_certificate_is_reported(
    clinic: Office, plan: Office, town: Town
) -> None:
    del town.published[PLAN_DOMAIN]
    message = await clinic.send(INTAKE)
    await clinic.work()
    (recipient,) = clinic.sent(message).recipients
    assert (recipient.state, recipient.reason) == ("failed", "it publishes no certificate")
    assert outcomes(clinic, "DIRECT-SEND") == [("failed", "it publishes no certificate")]
    assert plan.received() == []
    assert told_to_sender(clinic) == [f"not delivered to {INTAKE}: it publishes no certificate"]


async def test_mt_4_8_12_26_no_processed_notice_in_time_is_reported(
    clinic: Office, plan: Office
) -> None:
    message = await clinic.send(INTAKE)
    await clinic.work()
    assert clinic.state(message) == "handed_over"
    clinic.now += HOUR - timedelta(seconds=1)
    await clinic.work()
    assert clinic.state(message) == "handed_over"
    clinic.now += timedelta(seconds=2)
    await clinic.work()
    (recipient,) = clinic.sent(message).recipients
    assert recipient.state == "timed_out"
    late = ("failed", "no processed notification came in time")
    assert outcomes(clinic, "DIRECT-SEND") == [("success", None), late]
    assert told_to_sender(clinic) == [f"not delivered to {INTAKE}: {late[1]}"]


async def processed_only(clinic: Office, plan: Office) -> Any:
    """A message of which the plan has said that it was processed, and no more."""
    message = clinic.sent(await clinic.send(INTAKE))
    await clinic.work()
    await spool_notice(clinic, message.message_id, Disposition.PROCESSED)
    await clinic.work()
    assert clinic.state(message.id) == "processed"
    return message


async def spool_notice(
    at: Office,
    about: str,
    kind: Disposition,
    *,
    sender: str = INTAKE,
    signer: str = PLAN_DOMAIN,
    by: str = "Direct test anchor",
    change: Callable[[bytes], bytes] = bytes,
) -> Any:
    original = read_message(
        f"From: desk@{CLINIC}\r\nMessage-ID: <{about}>\r\n"
        "Disposition-Notification-Options: X-DIRECT-FINAL-DESTINATION-DELIVERY=optional,true\r\n"
        "\r\n\r\n".encode()
    )
    content = write_notification(
        kind,
        original=original,
        from_=Mailbox.parse(sender),
        to=Mailbox.parse(f"desk@{CLINIC}"),
        message_id=f"{kind}-{at.now.timestamp()}@{PLAN_DOMAIN}",
        date=at.now,
        agent="Test",
    )
    message = sealed(change(content), signer=signer, by=by, to=CLINIC)
    return await at.spool(message, (f"desk@{CLINIC}",), "")


async def test_mt_27_no_dispatched_notice_in_time_is_reported(clinic: Office, plan: Office) -> None:
    message = await processed_only(clinic, plan)
    clinic.now += 25 * HOUR
    await clinic.work()
    (recipient,) = clinic.sent(message.id).recipients
    assert recipient.state == "timed_out"
    assert recipient.reason == "no dispatched notification came in time"
    assert told_to_sender(clinic) == [f"not delivered to {INTAKE}: {recipient.reason}"]


async def test_mt_28_a_late_dispatched_notice_does_not_undo_the_failure(
    clinic: Office, plan: Office
) -> None:
    message = await processed_only(clinic, plan)
    clinic.now += 25 * HOUR
    await clinic.work()
    await spool_notice(clinic, message.message_id, Disposition.DISPATCHED)
    await clinic.work()
    assert clinic.state(message.id) == "timed_out"
    assert clinic.notices(message.id) == [("processed", "moved"), ("dispatched", "late")]
    assert clinic.received()[-1].reason == (
        "MDN dispatched: it came after the failure was reported, which stands"
    )


async def test_mt_47_a_part_of_the_recipients_fails_and_the_others_get_it(
    clinic: Office, plan: Office
) -> None:
    message = await clinic.send(INTAKE, "noaddress@nowhere.test")
    await exchange(clinic, plan)
    states = {one.address: one.state for one in clinic.sent(message).recipients}
    assert states == {INTAKE: "dispatched", "noaddress@nowhere.test": "failed"}
    sent = outcomes(clinic, "DIRECT-SEND")
    assert sorted(sent) == [("failed", "it publishes no certificate"), ("success", None)]
    (said,) = told_to_sender(clinic)
    assert said == "not delivered to noaddress@nowhere.test: it publishes no certificate"


async def test_recipients_of_one_server_that_refuses_one_of_them(
    clinic: Office, plan: Office
) -> None:
    nobody = f"nobody@{PLAN_DOMAIN}"
    plan.answers[nobody] = "550 no"
    message = await clinic.send(INTAKE, nobody)
    await exchange(clinic, plan)
    states = {one.address: one.state for one in clinic.sent(message).recipients}
    assert states == {INTAKE: "dispatched", nobody: "failed"}
    assert outcomes(clinic, "DIRECT-SEND") == [
        ("partial", "1 of 2 recipients were refused, 0 for now")
    ]


# ---- retries and duplicates --------------------------------------------------------------------


async def test_a_server_that_is_away_is_tried_again_and_the_message_goes(
    clinic: Office, plan: Office
) -> None:
    plan.is_closed = True
    message = await clinic.send(INTAKE)
    await clinic.work()
    (recipient,) = clinic.sent(message).recipients
    assert recipient.state == "queued"
    why = "its server does not take it yet: 451, something has gone wrong there"
    assert recipient.reason == why
    assert len(clinic.failures) == 1
    clinic.failures.clear()
    plan.is_closed = False
    clinic.now += HOUR
    await exchange(clinic, plan)
    (recipient,) = clinic.sent(message).recipients
    assert (recipient.state, recipient.reason) == ("dispatched", None)
    assert [outcome for outcome, _ in outcomes(clinic, "DIRECT-SEND")] == ["failed", "success"]


async def test_a_server_that_stays_away_is_given_up_and_reported(
    clinic: Office, plan: Office
) -> None:
    plan.is_closed = True
    message = await clinic.send(INTAKE)
    for _ in range(4):
        await clinic.work()
        clinic.now += HOUR
    (recipient,) = clinic.sent(message).recipients
    assert recipient.state == "failed"
    assert plan.received() == []
    assert len(clinic.failures) == 3
    assert told_to_sender(clinic) == [f"not delivered to {INTAKE}: {recipient.reason}"]


async def test_the_report_to_the_sender_is_a_delivery_status_notification_that_people_can_read(
    clinic: Office, town: Town
) -> None:
    message = await clinic.send("nobody@unknown.test")
    await clinic.work()
    (mail,) = clinic.received()
    assert (mail.state, mail.mail_from, mail.rcpt_to) == ("notice", "", (f"desk@{CLINIC}",))
    report = email.message_from_bytes(
        clinic.house.archive.load(PLAN, mail.blob), policy=email.policy.default
    )
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    assert (report["To"], report["From"]) == (f"desk@{CLINIC}", f"postmaster@{CLINIC}")
    assert report["In-Reply-To"] == f"<{clinic.sent(message).message_id}>"
    _, status = report.iter_parts()
    whole, each = status.get_payload()
    assert whole["Reporting-MTA"] == f"dns; {CLINIC}"
    assert (each["Final-Recipient"], each["Action"], each["Status"]) == (
        "rfc822; nobody@unknown.test", "failed", "5.0.0"
    )  # fmt: skip
    shown = await read_mail(clinic.means, mail)
    assert "was not delivered to nobody@unknown.test" in shown["text"]
    assert "Why: it publishes no certificate." in shown["text"]
    (told,) = [one for one in records(clinic.house) if one.transaction == "OUTBOX-IN"]
    assert (told.outcome, told.conversation, told.message_id) == (
        "success", mail.id, mail.message_id
    )  # fmt: skip


async def test_a_report_that_is_written_twice_is_one(clinic: Office) -> None:
    message = await clinic.send("nobody@unknown.test")
    await clinic.work()
    await report_failure(clinic.means, PLAN, message, "nobody@unknown.test")
    assert len(told_to_sender(clinic)) == 1


async def test_a_failure_that_the_other_side_reports_is_not_told_twice(
    clinic: Office, plan: Office
) -> None:
    message = await processed_only(clinic, plan)
    await spool_notice(clinic, message.message_id, Disposition.FAILED)
    await clinic.work()
    assert clinic.state(message.id) == "failed"
    assert told_to_sender(clinic) == []


async def test_of_a_notice_that_cannot_be_delivered_nobody_hears(
    clinic: Office, plan: Office, town: Town
) -> None:
    del town.published[CLINIC]
    await plan.spool(sealed(written(clinic)), (INTAKE,), DOCTOR)
    await plan.work()
    assert {outcome for outcome, _ in outcomes(plan, "DIRECT-SEND")} == {"failed"}
    assert told_to_sender(plan) == []


@pytest.mark.parametrize("missing", ["certificate", "server"])
async def test_what_a_notice_said_while_we_looked_is_not_overwritten(
    clinic: Office, plan: Office, missing: str
) -> None:
    """An earlier attempt had brought the message there, and we died before we knew."""
    message = await clinic.send(INTAKE)

    def hear_meanwhile() -> None:
        heard = replace(clinic.sent(message).recipients[0], state="processed")
        clinic.house.database.write(
            lambda tx: mail_sent.put_recipient(tx, plan=PLAN, message=message, recipient=heard)
        )

    def find(*_: object, **__: object) -> NotFound:
        hear_meanwhile()
        return NotFound((), certain=True)

    def route(_domain: str) -> tuple[Server, ...]:
        hear_meanwhile()
        return ()

    changed = {"find": find} if missing == "certificate" else {"route": route}
    clinic.means = replace(clinic.means, **changed)  # type: ignore[arg-type]
    await clinic.work()
    assert clinic.state(message) == "processed"
    assert outcomes(clinic, "DIRECT-SEND") == []
    assert told_to_sender(clinic) == []


async def test_a_message_that_we_have_taken_and_never_can_judge_lies_in_quarantine(
    plan: Office,
) -> None:
    mail = await plan.spool(sealed(written(plan)), (INTAKE,), DOCTOR)
    judge = plan.means.judge

    def broken(*_: object, **__: object) -> Verdict:
        raise OSError("no space is left")

    plan.means = replace(plan.means, judge=broken)
    for _ in range(4):
        await plan.work()
        plan.now += HOUR
    (row,) = plan.received()
    assert (row.state, row.reason) == ("quarantined", "it could not be judged")
    assert outcomes(plan, "DIRECT-RECEIVE") == [("failed", "it could not be judged")]
    assert plan.answers_to(mail) == []
    plan.means = replace(plan.means, judge=judge)
    plan.house.database.write(
        lambda tx: replay_message(tx, plan.means.queue, plan=PLAN, message=mail)
    )
    await plan.work()
    assert [one.state for one in plan.received()] == ["filed"]


async def test_a_directory_that_does_not_answer_is_asked_again(
    clinic: Office, plan: Office, town: Town
) -> None:
    town.silent.add(PLAN_DOMAIN)
    message = await clinic.send(INTAKE)
    await clinic.work()
    assert clinic.state(message) == "queued"
    clinic.failures.clear()
    town.silent.clear()
    clinic.now += HOUR
    await exchange(clinic, plan)
    assert clinic.state(message) == "dispatched"


async def test_each_that_waits_is_told_its_own_reason_and_fails_with_it(
    clinic: Office, plan: Office, town: Town
) -> None:
    """Of recipients of one domain, which share a job: one is put off, of one a list is gone."""
    slow, doubted = f"slow@{PLAN_DOMAIN}", f"doubted@{PLAN_DOMAIN}"
    plan.answers[slow] = "450 4.2.2 full"
    gone = "its revocation list is not at its address (HTTP 404)"
    town.doubts[doubted] = gone
    message = await clinic.send(slow, INTAKE, doubted)
    reasons = {
        slow: "its server does not take it yet: 450 4.2.2, the mailbox is full",
        doubted: f"no certificate of it is trusted: {gone}",
    }
    await clinic.work()
    waiting = [one for one in clinic.sent(message).recipients if one.state == "queued"]
    assert {one.address: one.reason for one in waiting} == reasons
    for _ in range(3):
        clinic.now += HOUR
        await clinic.work()
    failed = [one for one in clinic.sent(message).recipients if one.address != INTAKE]
    assert {one.address: (one.state, one.reason) for one in failed} == {
        address: ("failed", reason) for address, reason in reasons.items()
    }


async def test_a_job_that_runs_twice_sends_once(clinic: Office, plan: Office) -> None:
    from gateway.exchange.mail_delivering import deliver_mail

    message = await clinic.send(INTAKE)
    await clinic.work()
    await deliver_mail(clinic.means, PLAN, message, PLAN_DOMAIN)
    assert len(plan.received()) == 1
    assert len(outcomes(clinic, "DIRECT-SEND")) == 1


async def test_the_same_message_sealed_anew_is_a_duplicate_without_new_notices(
    clinic: Office, plan: Office
) -> None:
    content = written(clinic)
    first = await plan.spool(sealed(content), (INTAKE,), DOCTOR)
    second = await plan.spool(sealed(content), (INTAKE,), DOCTOR)
    assert first != second
    await plan.work()
    assert sorted(one.state for one in plan.received()) == ["duplicate", "filed"]
    notices = [*plan.answers_to(first), *plan.answers_to(second)]
    assert len(notices) == 1
    assert len(documents(plan.house)) == 1


async def test_the_same_notice_twice_counts_once(clinic: Office, plan: Office) -> None:
    message = await processed_only(clinic, plan)
    clinic.now += timedelta(minutes=1)
    await spool_notice(clinic, message.message_id, Disposition.PROCESSED)
    await clinic.work()
    assert clinic.notices(message.id) == [("processed", "moved"), ("processed", "duplicate")]
    assert clinic.state(message.id) == "processed"


# ---- who is answered ---------------------------------------------------------------------------


async def test_what_a_machine_has_sent_is_answered_as_any_other_message(
    clinic: Office, plan: Office
) -> None:
    automatic = ("Auto-Submitted", "auto-generated")
    content = written(clinic, wants_dispatched=True, fields=[automatic])
    headers = (*outer_headers(content), automatic)
    mail = await plan.spool(sealed(content, headers=headers), (INTAKE,), DOCTOR)
    await plan.work()
    assert (await told(plan, mail)) == ["processed", "dispatched"]


async def test_a_notice_is_never_answered_by_a_notice(clinic: Office, plan: Office) -> None:
    message = await clinic.send(INTAKE)
    await exchange(clinic, plan)
    assert clinic.state(message) == "dispatched"
    assert [one.state for one in clinic.received()] == ["notice", "notice"]
    for mail in clinic.received():
        assert clinic.answers_to(mail.id) == []
    (mail,) = plan.received()
    for notice in plan.answers_to(mail.id):
        (recipient,) = notice.recipients
        # Nobody answers a notice, so that nothing is awaited and nothing times out.
        assert (recipient.state, recipient.deadline) == ("handed_over", None)


@pytest.mark.parametrize(
    ("signer", "by", "sender"),
    [
        (CLINIC, "Nobody's anchor", DOCTOR),
        ("direct.other.test", "Direct test anchor", DOCTOR),
        (f"bob@{CLINIC}", "Direct test anchor", DOCTOR),
    ],
    ids=["another anchor", "another domain", "another address"],
)
async def test_no_notice_after_failed_trust_and_nothing_is_filed(
    clinic: Office, plan: Office, signer: str, by: str, sender: str
) -> None:
    content = written(clinic, sender=sender)
    mail = await plan.spool(sealed(content, signer=signer, by=by), (INTAKE,), DOCTOR)
    await plan.work()
    (row,) = plan.received()
    assert row.state == "quarantined"
    assert row.reason
    assert plan.answers_to(mail) == []
    assert documents(plan.house) == ()
    assert refusals(plan.house)[("DIRECT-RECEIVE", "127.0.0.1", row.reason)] == 1


async def test_no_notice_for_what_does_not_open_or_disagrees_with_its_envelope(
    clinic: Office, plan: Office
) -> None:
    content = written(clinic)
    other = (("From", "someone@else.test"), ("To", INTAKE))
    spooled = [
        await plan.spool(sealed(content, to=CLINIC), (INTAKE,), DOCTOR),
        await plan.spool(sealed(content, headers=other), (INTAKE,), DOCTOR),
        await plan.spool(content, (INTAKE,), DOCTOR),
        await plan.spool(b"\x00nonsense", (INTAKE,), DOCTOR),
    ]
    await plan.work()
    assert [one.state for one in plan.received()] == ["quarantined"] * 4
    assert [plan.answers_to(one) for one in spooled] == [[]] * 4


async def test_partly_untrusted_recipients_only_the_trusting_ones_answer(
    clinic: Office, plan: Office
) -> None:
    strict = "strict@closed.plan.test"
    plan.trusts["closed.plan.test"] = [authority("Nobody's anchor")[1]]
    content = written(clinic, INTAKE, strict)
    mail = await plan.spool(sealed(content), (INTAKE, strict), DOCTOR)
    await plan.work()
    assert [one.sender for one in plan.answers_to(mail)] == [INTAKE]
    ((outcome, _),) = outcomes(plan, "DIRECT-RECEIVE")
    assert outcome == "partial"
    (document,) = documents(plan.house)
    assert document.state == "filed"


async def test_a_refused_message_is_judged_again_once_its_trust_is_mended(
    clinic: Office, plan: Office
) -> None:
    anchors, plan.trusts[""] = plan.trusts[""], [authority("Nobody's anchor")[1]]
    mail = await plan.spool(sealed(written(clinic)), (INTAKE,), DOCTOR)
    await plan.work()
    assert plan.received()[0].state == "quarantined"
    plan.trusts[""] = anchors

    def replay(transaction: Any) -> None:
        mail_received.spool_again(transaction, plan=PLAN, message=mail)
        plan.queue_again(transaction, mail)

    plan.house.database.write(replay)
    await plan.work()
    assert plan.received()[0].state == "filed"
    assert await told(plan, mail) == ["processed"]


# ---- forged receipts ---------------------------------------------------------------------------


async def test_a_trusted_stranger_cannot_forge_anothers_receipt(
    clinic: Office, plan: Office
) -> None:
    message = clinic.sent(await clinic.send(INTAKE))
    await clinic.work()
    other = "direct.other.test"
    original = message.message_id
    content_sender = f"bob@{other}"
    await spool_forged(clinic, original, content_sender, other)
    await clinic.work()
    assert clinic.state(message.id) == "handed_over"
    assert clinic.notices(message.id) == []
    (mail,) = clinic.received()
    assert mail.state == "notice"
    assert mail.reason == "the signer of the notice is not bound to the recipient it is about"


async def spool_forged(at: Office, about: str, sender: str, signer: str) -> None:
    """A well-signed notice of `sender` that claims to speak for INTAKE."""
    original = read_message(f"From: desk@{CLINIC}\r\nMessage-ID: <{about}>\r\n\r\n\r\n".encode())
    content = write_notification(
        Disposition.DISPATCHED,
        original=original,
        from_=Mailbox.parse(sender),
        to=Mailbox.parse(f"desk@{CLINIC}"),
        message_id=f"forged@{signer}",
        date=at.now,
        agent="Test",
    )
    claimed = content.replace(f"rfc822; {sender}".encode(), f"rfc822; {INTAKE}".encode())
    assert claimed != content
    await at.spool(sealed(claimed, signer=signer, to=CLINIC), (f"desk@{CLINIC}",), "")


async def test_a_notice_about_what_was_never_sent_changes_nothing(
    clinic: Office, plan: Office
) -> None:
    await spool_notice(clinic, f"never@{CLINIC}", Disposition.PROCESSED)
    await clinic.work()
    (mail,) = clinic.received()
    assert mail.reason == "it is about a message or recipient that we never sent to"


# ---- bounces -----------------------------------------------------------------------------------


def bounce(
    at: Office, about: str, *, action: str = "failed", diagnostic: str | None = None
) -> bytes:
    """What a mail server writes, unsigned, when it cannot deliver."""
    status = "5.1.1" if action == "failed" else "2.0.0"
    return write_delivery_status(
        [RecipientStatus(INTAKE, action, status, diagnostic=diagnostic)],
        original_message_id=about,
        from_=Mailbox.parse("mailer-daemon@relay.test"),
        to=Mailbox.parse(f"desk@{CLINIC}"),
        message_id="bounce-1@relay.test",
        date=at.now,
        text="It could not be delivered.",
        reporting_mta="relay.test",
    )


async def test_a_mail_servers_unsigned_failure_is_believed_while_nothing_was_signed(
    clinic: Office, plan: Office
) -> None:
    message = clinic.sent(await clinic.send(INTAKE))
    await clinic.work()
    await clinic.spool(bounce(clinic, message.message_id), (f"desk@{CLINIC}",), "")
    await clinic.work()
    assert clinic.state(message.id) == "bounced"
    assert [outcome for outcome, _ in outcomes(clinic, "DIRECT-SEND")] == ["success", "failed"]


PRIVATE = "Rosalind Sampleton, born 1958-03-14, is unknown here; "


async def test_a_mail_servers_own_words_are_cut_and_stand_in_no_record(
    clinic: Office, plan: Office
) -> None:
    message = clinic.sent(await clinic.send(INTAKE))
    await clinic.work()
    report = bounce(clinic, message.message_id, diagnostic=PRIVATE * 500)
    await clinic.spool(report, (f"desk@{CLINIC}",), "")
    await clinic.work()
    (recipient,) = clinic.sent(message.id).recipients
    assert (recipient.state, recipient.reason) == ("bounced", (PRIVATE * 500)[:200])
    assert outcomes(clinic, "DIRECT-SEND")[1:] == [
        ("failed", "a DSN says that it was not delivered (5.1.1)")
    ]
    assert not any("Rosalind" in (one.reason or "") for one in records(clinic.house))


async def test_a_notices_own_words_are_cut_and_stand_in_no_record(
    clinic: Office, plan: Office
) -> None:
    message = clinic.sent(await clinic.send(INTAKE))
    await clinic.work()

    def saying_why(report: bytes) -> bytes:
        return report.replace(
            b"\r\nDisposition:", f"\r\nError: {PRIVATE * 500}\r\nDisposition:".encode()
        )

    await spool_notice(clinic, message.message_id, Disposition.FAILED, change=saying_why)
    await clinic.work()
    (recipient,) = clinic.sent(message.id).recipients
    assert (recipient.state, recipient.reason) == ("failed", (PRIVATE * 500)[:200])
    assert outcomes(clinic, "DIRECT-SEND")[1:] == [
        ("failed", "a MDN says that it was not delivered")
    ]
    assert not any("Rosalind" in (one.reason or "") for one in records(clinic.house))


BEHIND_AN_ALIAS = f"box17@{PLAN_DOMAIN}"


def naming(report: bytes, *, original: str = INTAKE, final: str = BEHIND_AN_ALIAS) -> bytes:
    """The report with these two names of the recipient."""
    names = f"Original-Recipient: rfc822;{original}\r\nFinal-Recipient: rfc822; {final}".encode()
    changed, number = re.subn(rb"Final-Recipient: rfc822; \S+", names, report)
    assert number == 1
    return changed


async def test_a_notice_from_behind_an_alias_is_known_by_the_original_recipient(
    clinic: Office, plan: Office
) -> None:
    message = clinic.sent(await clinic.send(INTAKE))
    await clinic.work()
    await spool_notice(clinic, message.message_id, Disposition.PROCESSED, change=naming)
    await clinic.work()
    assert clinic.state(message.id) == "processed"
    bounced = clinic.sent(await clinic.send(INTAKE))
    await clinic.work()
    report = naming(bounce(clinic, bounced.message_id))
    await clinic.spool(report, (f"desk@{CLINIC}",), "")
    await clinic.work()
    assert clinic.state(bounced.id) == "bounced"


async def test_a_notice_with_an_original_recipient_that_we_do_not_know_is_known_by_the_final_one(
    clinic: Office, plan: Office
) -> None:
    message = clinic.sent(await clinic.send(INTAKE))
    await clinic.work()

    def forwarded(report: bytes) -> bytes:
        return naming(report, original="list@elsewhere.test", final=INTAKE)

    await spool_notice(clinic, message.message_id, Disposition.PROCESSED, change=forwarded)
    await clinic.work()
    assert clinic.state(message.id) == "processed"


async def test_whoever_is_bound_to_the_alias_alone_says_nothing_of_the_recipient(
    clinic: Office, plan: Office
) -> None:
    message = clinic.sent(await clinic.send(INTAKE))
    await clinic.work()
    await spool_notice(
        clinic,
        message.message_id,
        Disposition.PROCESSED,
        sender="box@direct.other.test",
        signer="direct.other.test",
        change=lambda report: naming(report, final="box@direct.other.test"),
    )
    await clinic.work()
    assert clinic.state(message.id) == "handed_over"
    assert clinic.received()[-1].reason == (
        "the signer of the notice is not bound to the recipient it is about"
    )


@pytest.mark.parametrize("action", ["failed", "delivered"])
async def test_an_unsigned_report_undoes_no_signed_notice_and_confirms_nothing(
    clinic: Office, plan: Office, action: str
) -> None:
    signed = await processed_only(clinic, plan)
    await clinic.spool(bounce(clinic, signed.message_id, action=action), (f"desk@{CLINIC}",), "")
    fresh = clinic.sent(await clinic.send(INTAKE))
    await clinic.work()
    await clinic.spool(
        bounce(clinic, fresh.message_id, action="delivered"), (f"desk@{CLINIC}",), ""
    )
    await clinic.work()
    assert clinic.state(signed.id) == "processed"
    assert clinic.state(fresh.id) == "handed_over"
    assert [one.state for one in clinic.received()[1:]] == ["quarantined", "quarantined"]


# ---- by rule -----------------------------------------------------------------------------------


async def test_a_rule_forwards_each_new_state_of_a_members_summary_once(
    clinic: Office, plan: Office
) -> None:
    rule = Forward(
        name="to the clinic",
        plan=PLAN,
        to=DOCTOR,
        sender=INTAKE,
        members=(MEMBER.member_id, "nobody"),
        purpose="PAYMENT",
        requester="Rule",
    )
    plan.means = replace(plan.means, forwards=(rule,))
    plan.house.database.write(
        lambda tx: policy_rules.put(tx, a_rule(third_party=True, on_demand=True))
    )

    async def look() -> int:
        await forward_summaries(plan.means, PLAN, "to the clinic")
        return len(
            plan.house.database.read(lambda tx: mail_sent.list_page(tx, plan=PLAN, limit=10))
        )

    assert await look() == 0  # nothing is known of the member yet
    await clinic.send(INTAKE)
    await clinic.work()
    await plan.work()
    assert [await look(), await look()] == [0, 0]  # no role is stated, none registered
    ((outcome, reason),) = [one for one in outcomes(plan, "DIRECT-SEND") if one[0] == "refused"]
    assert outcome == "refused"
    assert "no role" in (reason or "")
    served = replace(plan.means.plans[0], requester_role="rule")
    plan.means = replace(plan.means, plans=(served,))
    assert [await look(), await look()] == [1, 1]  # mended, the same summary goes


async def test_what_a_rule_sends_goes_once_and_again_when_the_summary_changes(
    clinic: Office, plan: Office
) -> None:
    served = replace(plan.means.plans[0], requester_role="rule")
    rule = Forward(
        name="to the clinic",
        plan=PLAN,
        to=DOCTOR,
        sender=INTAKE,
        members=(MEMBER.member_id,),
        purpose="PAYMENT",
        requester="Rule",
    )
    plan.means = replace(plan.means, forwards=(rule,), plans=(served,))
    plan.house.database.write(
        lambda tx: policy_rules.put(tx, a_rule(third_party=True, on_demand=True))
    )

    async def look() -> int:
        await forward_summaries(plan.means, PLAN, "to the clinic")
        return len(
            plan.house.database.read(lambda tx: mail_sent.list_page(tx, plan=PLAN, limit=10))
        )

    await plan.spool(sealed(written(clinic)), (INTAKE,), DOCTOR)
    await plan.work()
    assert [await look(), await look()] == [1, 1]
    part = OutgoingPart(demo_document("lakeshore_ccd.xml"), "text/xml", "ccd.xml")
    plan.now += HOUR
    more = written(clinic, message_id="push-2@direct.clinic.test", parts=[part])
    await plan.spool(sealed(more), (INTAKE,), DOCTOR)
    await plan.work()
    assert [await look(), await look()] == [2, 2]
    await exchange(plan, clinic)
    (filed, *_) = [one for one in clinic.received() if one.state in ("filed", "held")]
    assert filed.mail_from == INTAKE


async def test_a_domain_that_takes_no_mail_is_reported_at_once(
    clinic: Office, plan: Office
) -> None:
    clinic.means = replace(clinic.means, route=lambda _domain: ())
    message = await clinic.send(INTAKE)
    await clinic.work()
    (recipient,) = clinic.sent(message).recipients
    assert (recipient.state, recipient.reason) == ("failed", "its domain takes no mail")
    assert outcomes(clinic, "DIRECT-SEND") == [("failed", "its domain takes no mail")]
