"""A simulated partner that answers later, in each of its moods: what `partners check` says of it,
and what a retrieval comes to."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from gateway.app.house import House, open_client
from gateway.demo.simulator.deferred_moods import DEFERRED
from gateway.exchange.asking import Asking
from gateway.exchange.partner_check import check_partner
from gateway.exchange.partner_findings import Finding
from gateway.model.exchange import Exchange
from gateway.model.identity import ConversationId, RetrievalId
from gateway.model.partner import Partner, PartnerProfile
from gateway.model.retrieval import Requester, Retrieval
from ihe.identifiers import HomeCommunityId
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import (
    MEMBER,
    PLAN,
    answers,
    asking_house,
    assert_sound,
    enqueue,
    new_retrieval,
    work_off,
)
from tests.gateway.clients.later_partner import free_port, listening_at
from tests.gateway.demo.simulating import Wanted, all_simulated

pytestmark = pytest.mark.emits_invalid("one of the moods brings a result that is malformed")
PATIENT = PartnerProfile(timeout_seconds=20, deferred_discovery=True, answer_within_seconds=15)
"""Long enough for a slow machine: what should come in time does."""
HASTY = {
    "deferred-never": replace(PATIENT, answer_within_seconds=2),
    "deferred-wrong-sender": replace(PATIENT, answer_within_seconds=6),
    "deferred-late": replace(PATIENT, answer_within_seconds=3),
}
"""For those whose time runs out, which a test has to sit through."""
NAMED: dict[str, tuple[str, str, bool]] = {
    "deferred": ("passed", "it brings the result of a deferred question", False),
    "deferred-never": ("deviation", "and brought no result within 2 s", False),
    "deferred-malformed": ("deviation", "controlActProcess/code is missing", True),
    "deferred-twice": ("deviation", "it brought the result twice", True),
    "deferred-wrong-sender": (
        "deviation",
        "what it brought is refused: The assertion states another home community",
        True,
    ),
    "deferred-late": ("deviation", "it brought the result when the time for it was over", True),
    "deferred-refused": ("limitation", "it says that it does not defer (NS250", True),
}
"""Level and text of the finding, and whether a fragment shows it."""


@dataclass(frozen=True, slots=True)
class Walked:
    findings: list[Finding]
    records: list[Exchange]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, list[Partner]]]:
    """A partner in each of the moods, and our house with its doors."""
    wanted = [
        Wanted(
            (name,),
            f"In mood {name}",
            HomeCommunityId.parse(f"2.999.7600.{number}"),
            HASTY.get(name, PATIENT),
        )
        for number, name in enumerate(DEFERRED, 1)
    ]
    with (
        all_simulated(wanted) as known,
        asking_house(
            tmp_path_factory.mktemp("deferred"), known, listen=listening_at(free_port())
        ) as house,
        lakeshore.serving(house),
    ):
        yield house, known


@pytest.fixture(scope="module")
def walked(places: tuple[House, list[Partner]]) -> dict[str, Walked]:
    house, known = places
    found: dict[str, Walked] = {}

    async def walk(name: str, partner: Partner) -> None:
        asked = Retrieval(
            id=RetrievalId(f"check {name}"),
            plan=PLAN,
            member=MEMBER.id,
            purpose="OPERATIONS",
            requester=Requester("Nora Nurse", "care manager", lakeshore.AUTHORITY),
            conversation=ConversationId(f"check {name}"),
            created=datetime.now(UTC),
        )
        at = house.settings.replies_at
        asking = Asking(house.archive, client, house.community, house.plans[0], MEMBER, asked, at)
        report = await check_partner(asking, partner, member=None)
        of_partner = [one for one in lakeshore.records(house) if one.partner == partner.id]
        found[name] = Walked(report.findings, of_partner)

    async def all_of_them() -> None:
        await asyncio.gather(*map(walk, DEFERRED, known))
        await client.close()

    client = open_client(house)
    asyncio.run(all_of_them())
    assert_sound(house)
    return found


def test_every_mood_is_shown() -> None:
    assert NAMED.keys() == DEFERRED.keys()


@pytest.mark.parametrize("mood", NAMED)
def test_the_check_names_it_with_the_rule_and_the_fragment(
    mood: str, walked: dict[str, Walked]
) -> None:
    level, text, has_fragment = NAMED[mood]
    about = [one for one in walked[mood].findings if one.place == "ITI-55 deferred"]
    said = [one for one in about if one.level == level and text in one.text]
    assert said, [(one.level, one.text) for one in about]
    assert said[0].message_id is not None
    if level != "passed":
        assert "3.55.4" in (said[0].section or "")
    assert (said[0].fragment is not None) == has_fragment
    if mood == "deferred":
        assert [one.text for one in about if one.level == "deviation"] == []


def test_a_check_of_deferral_has_its_records(walked: dict[str, Walked]) -> None:
    done = [
        (one.direction, one.transaction, one.outcome, one.member)
        for one in walked["deferred"].records
        if one.transaction.startswith("ITI-55")
    ]
    assert done == [
        ("out", "ITI-55", "success", None),
        ("out", "ITI-55-DEFERRED", "success", None),
        ("in", "ITI-55-DEFERRED", "success", None),
        ("out", "ITI-55", "success", None),
    ]
    *_, told = walked["deferred"].records
    assert told.request_hash is not None and told.answer_hash is not None


def test_what_a_retrieval_comes_to(
    places: tuple[House, list[Partner]], walked: dict[str, Walked]
) -> None:
    house, known = places
    retrieval = new_retrieval(house)
    enqueue(house, retrieval)
    deadline = datetime.now(UTC).timestamp() + 60
    while any(one.outcome is None for one in answers(house, retrieval).values()) or not (
        answers(house, retrieval)
    ):
        assert datetime.now(UTC).timestamp() < deadline, answers(house, retrieval)
        asyncio.run(work_off(house))
    rows = {
        name: answers(house, retrieval)[one.name] for name, one in zip(DEFERRED, known, strict=True)
    }
    assert {name: row.outcome for name, row in rows.items()} == {
        "deferred": "matched",
        "deferred-never": "late",
        "deferred-malformed": "failed",
        "deferred-twice": "matched",
        "deferred-wrong-sender": "late",
        "deferred-late": "late",
        "deferred-refused": "failed",
    }
    assert all(row.next_step for row in rows.values() if row.outcome != "matched")
    assert_sound(house)
