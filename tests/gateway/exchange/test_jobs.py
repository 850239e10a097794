"""A job's verb: what is asked again, and what cannot be done at all."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.app.house import House, open_client
from gateway.exchange.jobs import perform
from gateway.model.identity import PartnerId, PlanId, RetrievalId
from gateway.model.job import Job
from gateway.model.retrieval import RETRIEVE, PartnerProgress
from gateway.store import members, retrievals
from gateway.store.job_queue import PermanentFailure
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import (
    MEMBER,
    PLAN,
    answers,
    asking_house,
    calls,
    job_means,
    new_retrieval,
    retrieval_of,
    run_retrieval,
)

PARTNER = lakeshore.a_partner()


async def do(house: House, **changes: Any) -> None:
    job = Job(1, RETRIEVE, PLAN, {"retrieval": "none"}, 1, datetime.now(UTC))
    client = open_client(house)
    await perform(replace(job, **changes), job_means(house, client))


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"kind": "dance"}, "no verb for jobs of kind dance"),
        ({"plan": PlanId("gone")}, "its plan is no longer served here"),
        ({"plan": None}, "its plan is no longer served here"),
        ({"payload": {"retrieval": "none"}}, "its retrieval or member is gone"),
    ],
)
async def test_a_job_that_can_never_be_done_is_dead_at_once(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    with asking_house(tmp_path) as house:
        with pytest.raises(PermanentFailure) as failure:
            await do(house, **changes)
        assert str(failure.value) == reason


async def test_who_has_opted_out_since_is_not_asked_for(tmp_path: Path) -> None:
    with asking_house(tmp_path, [PARTNER]) as house:
        retrieval = new_retrieval(house)
        opt_out(house)
        await run_retrieval(house, retrieval)
        _assert_not_asked(house, retrieval, "The member has opted out of exchange.")


async def test_whose_coverage_has_ended_since_is_not_asked_for(tmp_path: Path) -> None:
    with asking_house(tmp_path, [PARTNER]) as house:
        retrieval = new_retrieval(house)
        ended = replace(MEMBER, coverage_end=date(2020, 1, 1))
        house.database.write(lambda tx: members.put(tx, ended))
        await run_retrieval(house, retrieval)
        _assert_not_asked(house, retrieval, "overage")


def _assert_not_asked(house: House, retrieval: RetrievalId, detail: str) -> None:
    row = answers(house, retrieval)[PARTNER.name]
    assert row.outcome == "not_asked"
    assert detail in (row.detail or "")
    order = retrieval_of(house, retrieval)
    assert order.state == "failed"
    assert calls(house) == []
    (record,) = (one for one in lakeshore.records(house) if one.transaction == "RETRIEVAL")
    assert (record.outcome, record.reason) == ("refused", row.detail)
    assert (record.plan, record.member, record.partner) == (PLAN, MEMBER.id, None)
    assert (record.person, record.role) == (order.requester.person, order.requester.role)
    assert (record.purpose, record.conversation) == (order.purpose, order.conversation)


def opt_out(house: House) -> None:
    house.database.write(
        lambda tx: members.set_opted_out(tx, plan=PLAN, member=MEMBER.id, opted_out=True)
    )


async def test_who_may_no_longer_be_asked_for_keeps_what_was_answered(tmp_path: Path) -> None:
    other = lakeshore.a_partner("Other", "2.999.77")
    with asking_house(tmp_path, [PARTNER, other]) as house:
        retrieval = new_retrieval(house)
        _answer(house, retrieval, PARTNER.id)
        opt_out(house)
        await run_retrieval(house, retrieval)
        rows = answers(house, retrieval)
        assert (rows[PARTNER.name].outcome, rows["Other"].outcome) == ("matched", "not_asked")


def _answer(house: House, retrieval: RetrievalId, partner: PartnerId) -> None:
    progress = PartnerProgress(partner, PARTNER.name, outcome="matched", documents_new=1)
    house.database.write(
        lambda tx: retrievals.put_progress(tx, plan=PLAN, retrieval=retrieval, progress=progress)
    )


async def test_without_partners_a_retrieval_is_done(tmp_path: Path) -> None:
    with asking_house(tmp_path) as house:
        retrieval = new_retrieval(house)
        await run_retrieval(house, retrieval)
        assert retrieval_of(house, retrieval).state == "done"


# ---- given up --------------------------------------------------------------------------------


async def test_the_last_attempt_that_fails_ends_the_retrieval(tmp_path: Path) -> None:
    other = lakeshore.a_partner("Other", "2.999.77")
    with asking_house(tmp_path, [PARTNER, other]) as house:
        retrieval = new_retrieval(house, purpose="a purpose that nobody knows")
        _answer(house, retrieval, PARTNER.id)
        for left in (1, 0):
            assert retrieval_of(house, retrieval).finished is None
            with pytest.raises(ValueError):
                await do(house, payload={"retrieval": retrieval}, attempts_left=left)
        ended, rows = retrieval_of(house, retrieval), answers(house, retrieval)
        assert (ended.state, ended.finished is None) == ("failed", False)
        assert (rows[PARTNER.name].outcome, rows["Other"].outcome) == ("matched", "failed")
        assert rows["Other"].detail == (
            "the retrieval was given up: a fault of our own (ValueError)"
        )


async def test_a_job_whose_process_died_at_the_last_attempt_asks_nobody_and_ends(
    tmp_path: Path,
) -> None:
    with asking_house(tmp_path, [PARTNER]) as house:
        retrieval = new_retrieval(house)
        await do(house, payload={"retrieval": retrieval}, is_worn_out=True)
        assert retrieval_of(house, retrieval).state == "failed"
        assert answers(house, retrieval)[PARTNER.name].detail == (
            "the retrieval was given up: its process died at the last attempt"
        )
        assert calls(house) == []


async def test_a_job_that_can_never_be_done_ends_its_retrieval(tmp_path: Path) -> None:
    with asking_house(tmp_path, [PARTNER]) as house:
        retrieval = new_retrieval(house)
        house.plans = ()
        with pytest.raises(PermanentFailure):
            await do(house, payload={"retrieval": retrieval}, attempts_left=9)
        assert retrieval_of(house, retrieval).state == "failed"
        assert answers(house, retrieval)[PARTNER.name].detail == (
            "the retrieval was given up: its plan is no longer served here"
        )
