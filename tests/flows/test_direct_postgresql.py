"""Direct mail on PostgreSQL: as in `test_direct`, with jobs that run side by side."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.store import exchange_log
from tests.flows.test_direct import (
    CLINIC,
    DOCTOR,
    INTAKE,
    PLAN_DOMAIN,
    exchange,
    outcomes,
    sealed,
    told,
    written,
)
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.house import documents, records, refusals


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
async def clinic(
    tmp_path: Path, town: Town, new_postgres: Callable[[], str]
) -> AsyncIterator[Office]:
    async with office(tmp_path / "clinic", CLINIC, town, database_url=new_postgres()) as opened:
        yield opened


@pytest.fixture
async def plan(
    tmp_path: Path, town: Town, new_postgres: Callable[[], str]
) -> AsyncIterator[Office]:
    async with office(tmp_path / "plan", PLAN_DOMAIN, town, database_url=new_postgres()) as opened:
        yield opened


def assert_sound(*offices: Office) -> None:
    for one in offices:
        assert one.house.database.is_postgres
        assert one.house.database.read(exchange_log.verify).first_bad is None


async def test_a_summary_is_filed_and_both_notices_come_back(clinic: Office, plan: Office) -> None:
    message = await clinic.send(INTAKE)
    await exchange(clinic, plan)
    assert clinic.state(message) == "dispatched"
    assert sorted(kind for kind, _ in clinic.notices(message)) == ["dispatched", "processed"]
    (mail,) = plan.received()
    (document,) = documents(plan.house)
    assert (mail.state, document.state) == ("filed", "filed")
    (record,) = [one for one in records(plan.house) if one.transaction == "DIRECT-RECEIVE"]
    assert (record.documents, record.member) == ((document.id,), document.member)
    assert [outcome for outcome, _ in outcomes(clinic, "DIRECT-SEND")] == ["success"]
    assert_sound(clinic, plan)


async def test_the_same_message_many_times_is_filed_and_answered_once(
    clinic: Office, plan: Office
) -> None:
    content = written(clinic)
    spooled = [await plan.spool(sealed(content), (INTAKE,), DOCTOR) for _ in range(4)]
    await plan.work()
    assert plan.failures == []
    assert sorted(one.state for one in plan.received()) == ["duplicate"] * 3 + ["filed"]
    assert len(documents(plan.house)) == 1
    notices = [kind for one in spooled for kind in await told(plan, one)]
    assert notices == ["processed"]
    assert_sound(plan)


async def test_what_is_refused_lies_in_quarantine_and_is_counted(
    clinic: Office, plan: Office
) -> None:
    content = written(clinic)
    bad = sealed(content, signer=CLINIC, by="Nobody's anchor")
    await plan.spool(bad, (INTAKE,), DOCTOR)
    await plan.work()
    (row,) = plan.received()
    assert row.state == "quarantined"
    assert refusals(plan.house)[("DIRECT-RECEIVE", "127.0.0.1", row.reason or "")] == 1


async def test_a_domain_that_takes_no_mail_fails_and_that_is_recorded(
    clinic: Office, plan: Office
) -> None:
    clinic.means = replace(clinic.means, route=lambda _domain: ())
    message = await clinic.send(INTAKE)
    await clinic.work()
    assert clinic.state(message) == "failed"
    assert_sound(clinic)
