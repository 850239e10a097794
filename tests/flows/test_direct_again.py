"""What comes by Direct again: the same message has its effect once, another has its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from direct.message import OutgoingPart
from tests.flows.test_direct import DOCTOR, INTAKE, PLAN_DOMAIN, sealed, told, written
from tests.flows.test_direct_hisp import open_message
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.house import demo_document, documents


@pytest.fixture
async def plan(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path / "plan", PLAN_DOMAIN, Town()) as opened:
        yield opened


def states(plan: Office) -> list[str]:
    assert plan.failures == []
    return [one.state for one in plan.received()]


async def test_another_content_under_the_same_message_id_is_another_message(plan: Office) -> None:
    changed = OutgoingPart(demo_document("northfield_ccd.xml") + b"\n", "text/xml", "ccd.xml")
    spooled = [
        await plan.spool(sealed(content), (INTAKE,), DOCTOR)
        for content in (written(plan), written(plan, parts=[changed]))
    ]
    await plan.work()
    assert states(plan) == ["filed", "filed"]
    assert [await told(plan, one) for one in spooled] == [["processed"], ["processed"]]
    assert len(documents(plan.house)) == 2


async def test_what_could_not_be_delivered_is_delivered_when_it_comes_again(
    plan: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = written(plan)
    with monkeypatch.context() as narrow:
        narrow.setattr("gateway.exchange.mail_contents.MOST_DOCUMENTS", 0)
        failed = await plan.spool(sealed(content), (INTAKE,), DOCTOR)
        await plan.work()
    again = await plan.spool(sealed(content), (INTAKE,), DOCTOR)
    await plan.work()
    assert states(plan) == ["quarantined", "filed"]
    assert await told(plan, failed) == ["processed", "failed"]
    assert await told(plan, again) == ["processed"]
    assert len(documents(plan.house)) == 1


async def test_what_was_delivered_is_not_said_to_have_failed_when_it_comes_again(
    plan: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = written(plan)
    await plan.spool(sealed(content), (INTAKE,), DOCTOR)
    await plan.work()
    monkeypatch.setattr("gateway.exchange.mail_contents.MOST_DOCUMENTS", 0)
    again = await plan.spool(sealed(content), (INTAKE,), DOCTOR)
    await plan.work()
    assert states(plan) == ["filed", "duplicate"]
    assert await told(plan, again) == []


async def test_a_message_that_comes_to_one_more_is_answered_by_that_one_alone(
    plan: Office,
) -> None:
    second = f"second@{PLAN_DOMAIN}"
    content = written(plan, INTAKE, second)
    first = await plan.spool(sealed(content), (INTAKE,), DOCTOR)
    await plan.work()
    more = await plan.spool(sealed(content), (INTAKE, second), DOCTOR)
    await plan.work()
    assert [one.sender for one in plan.answers_to(first)] == [INTAKE]
    assert [one.sender for one in plan.answers_to(more)] == [second]
    assert len(documents(plan.house)) == 1


async def test_what_servers_write_on_its_way_makes_no_other_message(tmp_path: Path) -> None:
    """From a HISP nothing is signed: its servers' fields are before those of the message."""
    async with office(
        tmp_path / "plan", PLAN_DOMAIN, Town(), mode="hisp", sends_dispatched=True
    ) as plan:
        content = open_message(plan)
        spooled = [
            await plan.spool(b"Received: by relay%d.test\r\n" % number + content, (INTAKE,), DOCTOR)
            for number in range(2)
        ]
        await plan.work()
        assert sorted(states(plan)) == ["duplicate", "filed"]
        assert sum(len(plan.answers_to(one)) for one in spooled) == 1
