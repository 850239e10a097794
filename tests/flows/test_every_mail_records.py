"""Every message and every notice leaves one record, on the side that sends and on the other."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.clients.smtp_client import HandedOver, SmtpClient
from gateway.exchange.mail_delivering import TRANSACTION as SENT
from gateway.model.exchange import Exchange
from gateway.store import mail_sent
from gateway.store.database import Transaction
from gateway.store.evidence import Evidence, evidence
from tests.flows.test_direct import CLINIC, DOCTOR, INTAKE, PLAN_DOMAIN, exchange, sealed, written
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.house import MEMBER, PLAN, documents, records, refusals

CAME = "DIRECT-RECEIVE"
DESK = f"desk@{CLINIC}"


def facts(at: Office) -> list[Exchange]:
    """Its records of mail, without what no test can know beforehand."""
    return [
        replace(one, time=datetime.min, duration_ms=None, request_hash=None)
        for one in records(at.house)
        if one.transaction in (SENT, CAME)
    ]


def told(direction: str, name: str, outcome: str, peer: str, **more: object) -> Exchange:
    return Exchange(
        datetime.min,
        direction,
        name,
        outcome,
        plan=PLAN,
        peer=peer,
        **more,  # type: ignore[arg-type]
    )


async def test_a_message_that_arrives_and_its_notices(tmp_path: Path) -> None:
    town = Town()
    async with (
        office(tmp_path / "clinic", CLINIC, town) as clinic,
        office(tmp_path / "plan", PLAN_DOMAIN, town) as plan,
    ):
        message = await clinic.send(INTAKE)
        await exchange(clinic, plan)
        sent, *heard = facts(clinic)
        own = clinic.sent(message)
        assert sent == told(
            "out", SENT, "success", INTAKE, purpose="PAYMENT", person="Nurse",
            conversation=message, message_id=own.message_id,
        )  # fmt: skip
        received, *notices = facts(plan)
        (mail,) = plan.received()
        (document,) = documents(plan.house)
        assert received == told(
            "in", CAME, "success", DESK, member=MEMBER.id, documents=(document.id,),
            conversation=mail.id, message_id=own.message_id,
        )  # fmt: skip
        written_ids = {one.message_id for one in plan.answers_to(mail.id)}
        assert len(written_ids) == 2
        assert {one.message_id for one in notices} == written_ids
        for notice in notices:
            expected = told("out", SENT, "success", DESK, conversation=mail.id)
            assert replace(notice, message_id=None) == expected
        assert {one.message_id for one in heard} == written_ids
        assert {one.conversation for one in heard} == {one.id for one in clinic.received()}
        assert clinic.house.database.read(lambda tx: evidence(tx, ())) == Evidence((), 0)
        assert plan.house.database.read(lambda tx: evidence(tx, ())) == Evidence((), 0)
        kinds = {(one.reason or "").split(":")[0] for one in heard}
        for one in heard:
            expected = told("in", CAME, "success", INTAKE)
            assert replace(one, reason=None, conversation=None, message_id=None) == expected
        assert kinds == {"MDN processed", "MDN dispatched"}


@dataclass(frozen=True, slots=True)
class Overtaken:
    """Hands over, and before that ends the notice is here already."""

    clinic: Office

    async def hand_over(self, servers: Any, **given: Any) -> HandedOver:
        ended = await SmtpClient(CLINIC, seconds=30).hand_over(servers, **given)

        def unit(transaction: Transaction) -> None:
            for message in mail_sent.list_page(transaction, plan=PLAN):
                for one in message.recipients:
                    heard = replace(one, state="processed")
                    mail_sent.put_recipient(
                        transaction, plan=PLAN, message=message.id, recipient=heard
                    )

        await self.clinic.house.database.write_async(unit)
        return ended


async def test_what_was_sent_is_kept_also_where_its_notice_was_quicker(tmp_path: Path) -> None:
    town = Town()
    async with (
        office(tmp_path / "clinic", CLINIC, town) as clinic,
        office(tmp_path / "plan", PLAN_DOMAIN, town),
    ):
        clinic.means = replace(clinic.means, smtp=Overtaken(clinic))  # type: ignore[arg-type]
        message = await clinic.send(INTAKE)
        await clinic.work()
        assert clinic.state(message) == "processed"
        assert [one.outcome for one in facts(clinic)] == ["success"]
        assert clinic.house.database.read(lambda tx: evidence(tx, ())) == Evidence((), 0)


async def test_a_message_that_cannot_be_sealed_to_anybody(tmp_path: Path) -> None:
    async with office(tmp_path / "clinic", CLINIC, Town()) as clinic:
        message = await clinic.send("nobody@unknown.test")
        await clinic.work()
        (record,) = facts(clinic)
        assert record == told(
            "out", SENT, "failed", "nobody@unknown.test", purpose="PAYMENT", person="Nurse",
            reason="it publishes no certificate", conversation=message,
            message_id=clinic.sent(message).message_id,
        )  # fmt: skip


async def test_a_message_of_somebody_whom_nobody_trusts(tmp_path: Path) -> None:
    async with office(tmp_path / "plan", PLAN_DOMAIN, Town()) as plan:
        content = sealed(written(plan), by="Another anchor")
        await plan.spool(content, (INTAKE,), DOCTOR)
        await plan.work()
        assert plan.received()[0].state == "quarantined"
        # A stranger: counted by peer, reason and minute, and recorded once for all of them.
        ((counted, number),) = refusals(plan.house).items()
        assert (counted[0], counted[1], number) == (CAME, "127.0.0.1", 1)
        assert "trust" in counted[2]
        assert facts(plan) == []
