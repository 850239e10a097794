"""The gold set of merging: its documents through ingest, in several orders, to the same lines."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from ccda import parse_document
from ccda.summary import Summary
from gateway.app.house import House
from gateway.exchange.demographics import demographics_of
from gateway.exchange.ingest import Received, ingest
from gateway.exchange.reading import read_document
from gateway.exchange.summaries import build_summary
from gateway.model.document import Source
from gateway.model.identity import MemberId, PartnerId
from gateway.model.member import Member
from gateway.store import members
from tests.gateway.clients.asking_house import PLAN, asking_house
from tests.gateway.exchange.merge_gold import (
    gold_documents,
    gold_expectation,
    gold_members,
    mismatches,
    no_sources,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _shuffled(names: list[str]) -> list[list[str]]:
    random.Random(5).shuffle(names)
    return [[name] for name in names]


# Each order: a member's documents in batches, one transaction each.
ORDERS: dict[str, Callable[[list[str]], list[list[str]]]] = {
    "oldest first": lambda names: [[name] for name in names],
    "newest first": lambda names: [[name] for name in reversed(names)],
    "shuffled": _shuffled,
    "newest first in one batch": lambda names: [names[::-1]],
}


class Arrived:
    """One member after all its documents came: the summary, and what became of each document."""

    def __init__(self, house: House, name: str, order: str) -> None:
        self.names: dict[str, str] = {}
        self.held: list[str] = []
        contents, partners = gold_documents(name), gold_expectation(name).get("partners", {})
        self.member = Member(
            MemberId(f"m-{name[:2]}"),
            PLAN,
            f"DM-{name[:2]}",
            demographics_of(parse_document(next(iter(contents.values()))).patient, ()),
        )
        house.database.write(lambda tx: members.put(tx, self.member))
        for batch in ORDERS[order](list(contents)):
            self._take(house, {one: contents[one] for one in batch}, partners)
        self.summary: Summary = house.database.read(
            lambda tx: build_summary(tx, plan=PLAN, member=self.member.id, now=NOW)
        )

    def _take(self, house: House, batch: dict[str, bytes], partners: dict[str, str]) -> None:
        plan = house.plan(PLAN)
        assert plan is not None
        received = []
        for name, content in batch.items():
            by = partners.get(name)
            source = Source("ITI-39", PartnerId(by), by) if by else Source("FILE")
            blob = house.archive.store(PLAN, content)
            received.append(Received(blob, read_document(content), source))
        done = house.database.write(
            lambda tx: ingest(tx, received, plan=plan, community=house.community, now=NOW)
        )
        for name, one in zip(batch, done, strict=True):
            if one.outcome == "filed":
                assert one.document.member == self.member.id
                self.names[one.document.id] = name
            else:
                self.held.append(name)


@pytest.fixture(scope="module", params=list(ORDERS))
def arrived(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Arrived]]:
    folder: Path = tmp_path_factory.mktemp("gold")
    with asking_house(folder, member=None) as house:
        yield cache(lambda name: Arrived(house, name, request.param))


@pytest.mark.parametrize("name", gold_members())
def test_a_member_has_the_lines_that_were_expected(
    arrived: Callable[[str], Arrived], name: str
) -> None:
    member, expected = arrived(name), gold_expectation(name)
    found = mismatches(member.summary, expected, member.names)
    assert not found, "\n".join([expected["situation"], *found])
    assert member.held == expected.get("held", [])
    assert list(no_sources(member.summary, member.names)) == expected.get("no_source", [])


def test_the_gold_set_has_its_thirty_members_of_three_to_eight_documents() -> None:
    counts = [len(gold_documents(name)) for name in gold_members()]
    assert len(counts) >= 30
    assert all(3 <= count <= 8 for count in counts)
