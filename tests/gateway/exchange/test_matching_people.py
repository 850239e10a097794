"""The matcher against a plan of synthetic people: no false link, and few who are missed.

The whole table over 100,000 members is printed by `make bench ARGS=matching`.
"""

import pytest

from gateway.store.database import open_database
from gateway.store.migrations import upgrade
from tests.gateway.people.plants import PLANTS
from tests.gateway.people.population import Enrolled, people
from tests.gateway.people.searching import furnish, searching
from tests.gateway.people.verdicts import Count, count_all, total

MEMBERS = 1500
LEAST_RECALL = 0.95


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Count]:
    url = f"sqlite:///{tmp_path_factory.mktemp('people')}/gateway.sqlite"
    upgrade(url)
    everyone = list(people(MEMBERS))
    asked_about = [one for n, one in enumerate(everyone) if n % 20 == 0 or _is_rare(one, n)]
    database = open_database(url)
    try:
        furnish(database, everyone)
        return database.read(lambda tx: count_all(asked_about, searching(tx)))
    finally:
        database.close()


def _is_rare(one: Enrolled, number: int) -> bool:
    """Kin are asked about in pairs; and whoever's birth date somebody made up."""
    birth = one.stated.birth_time.value if one.stated.birth_time else None
    made_up = birth is not None and birth.endswith("0101")
    return made_up or (one.kin is not None and number % 4 < 2)


def test_nobody_is_linked_to_another(counts: dict[str, Count]) -> None:
    whole = total(counts.values())
    assert whole.asked > 5000
    assert [(question.kind, found) for question, found in whole.wrong] == []
    assert whole.false == 0


@pytest.mark.parametrize("kind", [plant.kind for plant in PLANTS if plant.needs])
def test_who_can_be_told_by_the_facts_is_found(counts: dict[str, Count], kind: str) -> None:
    count = counts[kind]
    missed = count.answerable - count.linked_answerable
    # Of a few, one miss says nothing about a share.
    assert missed <= max(1, (1 - LEAST_RECALL) * count.answerable)
    assert count.asked


def test_hardly_anybody_who_can_be_told_is_missed(counts: dict[str, Count]) -> None:
    whole = total(counts.values())
    assert whole.answerable > 3000
    assert (whole.recall or 0) >= LEAST_RECALL


@pytest.mark.parametrize("kind", [plant.kind for plant in PLANTS if plant.about])
def test_whoever_is_linked_or_held_is_the_one_who_was_meant(
    counts: dict[str, Count], kind: str
) -> None:
    count = counts[kind]
    assert count.asked == count.linked + count.held + count.missed + count.false
