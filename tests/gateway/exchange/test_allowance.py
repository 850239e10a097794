"""What a message may take to be merged; what takes more is left to a job, and not lost."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.app.house import House
from gateway.exchange.ingest import Received, ingest
from gateway.exchange.jobs import perform
from gateway.exchange.reading import read_document
from gateway.exchange.summaries import Allowance, build_summary
from gateway.model.document import Source
from gateway.model.identity import MemberId
from gateway.model.later import RENEW_SUMMARY
from gateway.store import clinical, members
from gateway.store.job_queue import PermanentFailure
from tests.gateway.clients.asking_house import MEMBER, PLAN, asking_house, job_means, work_off
from tests.gateway.exchange.ingesting import ASTHMA, GOUT, TWIN, cda, problems, take
from tests.gateway.house import records

NOW = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with asking_house(tmp_path, []) as opened:
        opened.database.write(lambda tx: members.put(tx, TWIN))
        yield opened


def bring(house: House, *contents: bytes, **allowed: int) -> list[str]:
    """As a message brings them, with that allowance; how each document ends."""
    own = house.plan(PLAN)
    assert own is not None
    received = [
        Received(house.archive.store(PLAN, one), read_document(one), Source("DIRECT"))
        for one in contents
    ]
    allowance = Allowance(house.queue, **allowed)
    done = house.database.write(
        lambda tx: ingest(
            tx, received, plan=own, community=house.community, now=NOW, allowance=allowance
        )
    )
    return [one.outcome for one in done]


def stored(house: House, member: MemberId = MEMBER.id) -> dict[str, Any] | None:
    return house.database.read(lambda tx: clinical.load_summary(tx, plan=PLAN, member=member))


def waiting(house: House) -> int:
    counts = house.database.read(house.queue.counts)
    return sum(one.number for one in counts if one.kind == RENEW_SUMMARY and one.state == "waiting")


def test_what_is_within_it_is_merged_at_once(house: House) -> None:
    assert bring(house, cda(sections=ASTHMA)) == ["filed"]
    assert (stored(house) is not None, waiting(house)) == (True, 0)


@pytest.mark.parametrize("allowed", [{"statements": 1}, {"characters": 100}, {"steps": 1}])
async def test_what_takes_more_is_filed_and_shown_and_merged_by_a_job(
    house: House, allowed: dict[str, int]
) -> None:
    take(house, cda(number="1", sections=ASTHMA))
    before = stored(house)
    second = cda(number="2", sections=ASTHMA + GOUT, effective="20250203")
    assert bring(house, second, **allowed) == ["filed"]
    assert before is not None
    assert (stored(house), waiting(house)) == (None, 1)
    # Meanwhile whoever asks sees all that is filed.
    assert problems(house) == {"Asthma": False, "Gout": False}
    await work_off(house)
    form = stored(house)
    assert form is not None
    assert {one["display"] for one in form["sections"]["problems"]} == {"Asthma", "Gout"}
    assert waiting(house) == 0


def test_members_share_the_allowance_of_a_message(house: House) -> None:
    other = cda(number="2", given="Marguerite", sections=GOUT)
    both = bring(house, cda(sections=ASTHMA), other, statements=1)
    assert both == ["filed", "filed"]
    kept = [stored(house, one) is not None for one in (MEMBER.id, TWIN.id)]
    assert (sorted(kept), waiting(house)) == ([False, True], 1)


def test_documents_count_though_they_state_nothing(house: House) -> None:
    for number in range(3):
        take(house, cda(number=str(number)))
    assert bring(house, cda(number="9", sections=ASTHMA), statements=3) == ["filed"]
    assert stored(house) is None
    extent = house.database.read(
        lambda tx: clinical.extent_of_member(tx, plan=PLAN, member=MEMBER.id, most=100)
    )
    assert extent[0] == 4
    at_once = house.database.read(
        lambda tx: clinical.extent_of_member(tx, plan=PLAN, member=MEMBER.id, most=2)
    )
    assert at_once[0] == 2


async def test_the_job_makes_what_merging_at_once_would_have(house: House) -> None:
    bring(house, cda(sections=ASTHMA), statements=0)
    before = records(house)
    await work_off(house)
    # That the document was filed stands in the record of what brought it; nothing else happened.
    assert records(house) == before
    form = stored(house)
    made = house.database.read(lambda tx: build_summary(tx, plan=PLAN, member=MEMBER.id, now=NOW))
    assert form is not None
    assert len(form["sections"]["problems"]) == len(made.section("problem").lines) == 1


async def test_a_job_without_a_plan_is_given_up(house: House) -> None:
    job = house.database.write(
        lambda tx: house.queue.enqueue(tx, kind=RENEW_SUMMARY, plan=None, payload={"member": "m"})
    )
    assert job
    failures: list[Exception] = []

    async def one(job: Any) -> None:
        try:
            await perform(replace(job), job_means(house, None))
        except PermanentFailure as error:
            failures.append(error)

    await house.queue.work(one, until_idle=True)
    assert len(failures) == 1
