"""A partner that is slow keeps its own visits waiting, and nobody else's."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app.house import House, open_client
from gateway.clients import restraint as restraints
from gateway.clients.restraint import FURTHEST_SECONDS, Restraint
from gateway.exchange.jobs import perform
from gateway.model.partner import Endpoints, Partner, PartnerProfile
from gateway.model.submission import SUBMIT
from gateway.store.values import dump
from ihe.identifiers import HomeCommunityId
from ihe.registry_response import RegistryResponse, ResponseStatus, write_registry_response
from ihe.soap import ITI_41_ANSWER
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import (
    answers,
    asking_house,
    assert_sound,
    enqueue,
    job_means,
    new_retrieval,
    retrieval_of,
)
from tests.gateway.clients.scripted_partner import NAME, Heard, Reply, Script, discovered, scripted
from tests.gateway.exchange.test_submitting import an_order

_IN_LINE = 4
_SLOW = "Slowfield Health"


@pytest.fixture
def one_at_once() -> Partner:
    return lakeshore.a_partner(profile=PartnerProfile(members_at_once=1))


async def test_only_a_few_stand_in_line_and_the_others_are_told_when_to_come_back(
    one_at_once: Partner,
) -> None:
    restraint, let_in = Restraint(), list[float | None]()

    async def visit() -> None:
        async with restraint.visiting(one_at_once) as back_in:
            let_in.append(back_in)

    async with restraint.visiting(one_at_once) as back_in:
        assert back_in is None
        waiting = [asyncio.create_task(visit()) for _ in range(_IN_LINE + 3)]
        while len(let_in) < 3:
            await asyncio.sleep(0)
        first, second, third = let_in
        # After the line, one after the other, as fast as visits have been so far.
        assert first is not None and second is not None and third is not None
        assert _IN_LINE < first < second < third < 2 * _IN_LINE
    await asyncio.gather(*waiting)
    assert let_in[3:] == [None] * _IN_LINE


async def test_who_waits_too_long_in_line_is_told_too_and_its_place_in_line_is_free(
    one_at_once: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restraints, "IN_LINE_SECONDS", 0.01)
    restraint = Restraint()
    async with restraint.visiting(one_at_once):
        for _ in range(2 * _IN_LINE):
            async with restraint.visiting(one_at_once) as back_in:
                assert back_in is not None
    async with restraint.visiting(one_at_once) as back_in:
        assert back_in is None


async def test_nobody_is_sent_away_for_longer_than_half_an_hour(
    one_at_once: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restraints, "IN_LINE_SECONDS", 0.0)
    restraint, told = Restraint(), list[float]()
    async with restraint.visiting(one_at_once), AsyncExitStack() as stack:
        for _ in range(int(FURTHEST_SECONDS) + 500):
            back_in = await stack.enter_async_context(restraint.visiting(one_at_once))
            assert back_in is not None
            told.append(back_in)
    assert max(told) <= FURTHEST_SECONDS
    # Those that do not fit come at times of their own, not all at once.
    last = told[-400:]
    assert min(last) > FURTHEST_SECONDS / 3 and max(last) - min(last) > FURTHEST_SECONDS / 4


# ---- retrievals ------------------------------------------------------------------------------


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Until it is set the slow partner answers nobody; nobody is sent away for long."""
    monkeypatch.setattr(restraints, "FURTHEST_SECONDS", 1.0)
    return threading.Event()


@pytest.fixture
def both(released: threading.Event) -> Iterator[tuple[Script, Script]]:
    """A quick partner, and one that takes one member at once and its time."""

    def slowly(heard: Heard) -> Reply:
        released.wait(60)
        return Reply(discovered(heard))

    profile = PartnerProfile(members_at_once=1, timeout_seconds=60)
    elsewhere = HomeCommunityId.parse("2.999.7305.1")
    with (
        scripted(timeout_seconds=60) as quick,
        scripted(name=_SLOW, home=elsewhere, profile=profile, ITI_55=slowly) as slow,
    ):
        yield quick, slow


async def test_more_retrievals_than_places_go_on_at_others_while_one_partner_is_slow(
    tmp_path: Path, both: tuple[Script, Script], released: threading.Event
) -> None:
    quick, slow = (replace(one.partner, plan=None) for one in both)
    with asking_house(tmp_path, [quick, slow]) as house:
        ordered = [new_retrieval(house) for _ in range(_IN_LINE + 5)]
        for retrieval in ordered:
            enqueue(house, retrieval)
        client = open_client(house)
        means = job_means(house, client)
        # A place for who is with the slow one, for those in its line, and one more.
        work = house.queue.work(lambda job: perform(job, means), room={"partners": _IN_LINE + 2})
        working = asyncio.create_task(work)
        try:
            await _until(house, lambda: all(_has(house, one, NAME) for one in ordered))
            assert not any(_has(house, one, _SLOW) for one in ordered)
            (said,) = {answers(house, one)[_SLOW].detail for one in ordered[-1:]}
            assert said is not None and said.startswith("others are being asked for; its turn")
            released.set()
            await _until(house, lambda: all(_has(house, one, _SLOW) for one in ordered))
        finally:
            released.set()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await client.close()
        assert {retrieval_of(house, one).finished is not None for one in ordered} == {True}
        assert {answers(house, one)[_SLOW].detail for one in ordered} == {
            answers(house, ordered[0])[_SLOW].detail
        }
        assert_sound(house)


# ---- submissions -----------------------------------------------------------------------------


@pytest.fixture
def takers(released: threading.Event) -> Iterator[tuple[Partner, Partner]]:
    """A quick partner that takes submissions, and one that takes its time over each."""
    taken = write_registry_response(RegistryResponse(ResponseStatus.SUCCESS))

    def take(heard: Heard) -> Reply:
        return Reply(heard.seal(taken, ITI_41_ANSWER))

    def slowly(heard: Heard) -> Reply:
        released.wait(60)
        return take(heard)

    profile = PartnerProfile(members_at_once=1, timeout_seconds=60)
    elsewhere = HomeCommunityId.parse("2.999.7305.1")
    with (
        scripted(ITI_41=take) as quick,
        scripted(name=_SLOW, home=elsewhere, profile=profile, ITI_41=slowly) as slow,
    ):
        yield _taking(quick), _taking(slow)


def _taking(script: Script) -> Partner:
    address = (script.partner.endpoints.iti55 or "").replace("ITI_55", "ITI_41")
    return replace(script.partner, endpoints=Endpoints(iti41=address))


@pytest.fixture
def submitting(tmp_path: Path, takers: tuple[Partner, Partner]) -> Iterator[House]:
    rules = [lakeshore.a_rule(partner, name=partner.name) for partner in takers]
    with lakeshore.open_house(tmp_path, rules=rules, known=takers) as house:
        yield house


async def test_more_submissions_than_places_wait_for_one_partner_and_others_get_theirs(
    submitting: House, takers: tuple[Partner, Partner], released: threading.Event
) -> None:
    house, (quick, slow) = submitting, takers
    for partner in [*[slow] * (_IN_LINE + 5), quick]:
        _submit(house, partner)
    client = open_client(house)
    means = job_means(house, client)
    work = house.queue.work(lambda job: perform(job, means), room={"partners": _IN_LINE + 2})
    working = asyncio.create_task(work)
    try:
        await _until(house, lambda: _taken(house) == [quick.id])
        released.set()
        await _until(house, lambda: len(_taken(house)) == _IN_LINE + 6)
    finally:
        released.set()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await client.close()
    assert {one["attempt"] for one in lakeshore.rows_of(house, "job")} == {1}
    assert_sound(house)


def _submit(house: House, partner: Partner) -> None:
    given = an_order(partner)
    house.database.write(
        lambda tx: house.queue.enqueue(
            tx, kind=SUBMIT, plan=given.plan, payload={"submission": dump(given)}
        )
    )


def _taken(house: House) -> list[str | None]:
    found = lakeshore.records(house)
    return [one.partner for one in found if (one.transaction, one.outcome) == ("ITI-41", "success")]


def _has(house: House, retrieval: object, name: str) -> bool:
    found = answers(house, retrieval).get(name)  # type: ignore[arg-type]
    return found is not None and found.outcome is not None


async def _until(house: House, is_so: object) -> None:
    assert callable(is_so)
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.05)
