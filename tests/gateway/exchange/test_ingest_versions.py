"""The same document twice is one; a newer version supersedes an older one, whichever came first."""

from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import pytest

from gateway.app.house import House
from gateway.exchange.ingest import Ingested, Received, ingest
from gateway.exchange.reading import Reading, read_document
from gateway.model.document import Source
from gateway.store import documents, members
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import MEMBER, PLAN, asking_house
from tests.gateway.exchange.ingesting import (
    ASTHMA,
    GOUT,
    PARTNER,
    TWIN,
    cda,
    offered,
    problems,
    reload,
    take,
    take_all,
)


@pytest.fixture
def house(either_house: House) -> House:
    return either_house


# ---- twice, and newer versions ---------------------------------------------------------------


def test_the_same_bytes_from_the_same_source_are_one_document(house: House) -> None:
    first, again = take_all(house, cda(), cda())
    assert (first.outcome, again.outcome) == ("filed", "duplicate")
    assert first.document.id == again.document.id
    assert take(house, cda()).outcome == "duplicate"
    assert len(offered(house)) == 1


def test_the_same_bytes_from_two_sources_are_two_documents_of_one_statement(house: House) -> None:
    take(house, cda(sections=ASTHMA))
    take(house, cda(sections=ASTHMA), source=PARTNER)
    assert len(lakeshore.documents(house)) == 2
    assert problems(house) == {"Asthma": False}


def test_the_same_document_for_two_plans_stays_apart(house: House) -> None:
    here = take(house, cda())
    there = take(house, cda(), plan="other", create_members=True)
    assert (here.outcome, there.outcome) == ("filed", "filed")
    assert here.document.id != there.document.id
    assert here.document.blob.address != there.document.blob.address
    assert here.document.blob.sha256 == there.document.blob.sha256


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_newer_version_supersedes_whichever_came_first(
    order: tuple[int, int], house: House
) -> None:
    said = {1: ASTHMA, 2: GOUT}
    done = {
        version: take(
            house,
            cda(number=str(version), set_id="S", version=version, sections=said[version]),
        )
        for version in order
    }
    assert reload(house, done[1]).superseded_by == done[2].document.id
    assert reload(house, done[2]).superseded_by is None
    assert [one.document.id for one in offered(house)] == [done[2].document.id]
    assert problems(house) == {"Asthma": True, "Gout": False}


def test_versions_come_in_one_batch_too(house: House) -> None:
    newer = cda(number="2", set_id="S", version=2, sections=GOUT)
    older = cda(number="1", set_id="S", version=1, sections=ASTHMA)
    new, old = take_all(house, newer, older)
    assert reload(house, old).superseded_by == new.document.id
    assert problems(house) == {"Asthma": True, "Gout": False}


def test_the_version_of_another_members_document_supersedes_nothing(house: House) -> None:
    house.database.write(lambda tx: members.put(tx, TWIN))
    first = take(house, cda(set_id="S", version=1))
    second = take(house, cda(number="2", given="Marguerite", set_id="S", version=2))
    assert (first.outcome, second.outcome) == ("filed", "filed")
    assert reload(house, first).superseded_by is None


def test_a_replacement_supersedes_the_document_that_it_names(house: House) -> None:
    old = take(house, cda(sections=ASTHMA))
    new = take(house, cda(number="2", replaces="1", sections=GOUT))
    assert reload(house, old).superseded_by == new.document.id
    assert problems(house) == {"Asthma": True, "Gout": False}


def test_a_replacement_in_one_batch_supersedes_what_comes_after_it(house: House) -> None:
    new, old = take_all(house, cda(number="2", replaces="1", sections=GOUT), cda(sections=ASTHMA))
    assert reload(house, old).superseded_by == new.document.id
    assert problems(house) == {"Asthma": True, "Gout": False}


def test_a_held_replacement_supersedes_nothing(house: House) -> None:
    old = take(house, cda())
    new = take(house, cda(number="2", replaces="1", given="Zelda"))
    assert new.outcome == "held"
    assert reload(house, old).superseded_by is None


def test_a_replacement_that_came_first_supersedes_what_comes_later(house: House) -> None:
    new = take(house, cda(number="2", replaces="1", sections=GOUT))
    old = take(house, cda(sections=ASTHMA))
    assert reload(house, old).superseded_by == new.document.id
    assert problems(house) == {"Asthma": True, "Gout": False}
    assert [one.document.id for one in offered(house)] == [new.document.id]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_is_replaced_may_be_named_as_a_version_of_its_set(
    order: tuple[int, int], house: House
) -> None:
    contents = (cda(set_id="S", version=1), cda(number="2", replaces_version=("S", 1)))
    done = {which: take(house, contents[which]) for which in order}
    assert reload(house, done[0]).superseded_by == done[1].document.id
    assert reload(house, done[1]).superseded_by is None


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_of_two_that_replace_each_other_the_later_counts(
    order: tuple[int, ...], house: House
) -> None:
    contents = (
        cda(number="1", replaces="2", effective="20250101"),
        cda(number="2", replaces="1", effective="20250301"),
    )
    done = {which: take(house, contents[which]) for which in order}
    assert reload(house, done[0]).superseded_by == done[1].document.id
    assert reload(house, done[1]).superseded_by is None


def test_of_three_that_replace_each_other_in_a_circle_the_latest_counts(tmp_path: Path) -> None:
    contents = (
        cda(number="1", replaces="2", effective="20250101"),
        cda(number="2", replaces="3", effective="20250201"),
        cda(number="3", replaces="1", effective="20250301"),
    )
    for order in permutations(range(3)):
        with asking_house(tmp_path / "".join(map(str, order))) as house:
            done = {which: take(house, contents[which]) for which in order}
            by = [reload(house, done[which]).superseded_by for which in range(3)]
            first, _, latest = (one.document.id for _, one in sorted(done.items()))
            assert by == [latest, first, None]


def test_a_document_that_says_it_replaces_itself_supersedes_nothing(house: House) -> None:
    first = take(house, cda(replaces="1"))
    copy = take(house, cda(replaces="1"), source=PARTNER)
    assert reload(house, first).superseded_by is None
    assert reload(house, copy).superseded_by is None


def test_a_replacement_of_another_members_document_supersedes_nothing(house: House) -> None:
    house.database.write(lambda tx: members.put(tx, TWIN))
    new = take(house, cda(number="2", replaces="1", given="Marguerite"))
    old = take(house, cda())
    assert (new.outcome, old.outcome) == ("filed", "filed")
    assert reload(house, old).superseded_by is None


# ---- once more, when it could not be filed ---------------------------------------------------

STRANGER = cda(given="Nova", family="Newcomer", birth="19810102", sections=ASTHMA)


def test_what_nobody_was_named_by_is_filed_when_it_comes_again(house: House) -> None:
    held = take(house, STRANGER)
    again = take(house, STRANGER)
    assert (held.outcome, again.outcome, again.document.state) == ("held", "duplicate", "held")
    filed = take(house, STRANGER, create_members=True)
    assert (filed.outcome, filed.document.id) == ("filed", held.document.id)
    assert filed.document.member is not None and filed.document.reason is None
    assert take(house, STRANGER).outcome == "duplicate"


def test_what_waits_for_one_member_is_not_anothers_when_it_comes_again(house: House) -> None:
    house.database.write(lambda tx: members.put(tx, TWIN))
    unlike = cda(given="Zelda")
    held = take(house, unlike, source=PARTNER, candidate=MEMBER.id)
    again = take(house, unlike, source=PARTNER, candidate=TWIN.id)
    assert (held.outcome, again.outcome) == ("held", "duplicate")
    assert reload(house, held) == held.document
    ours = take(house, cda(given="Marguerite"), source=PARTNER, candidate=MEMBER.id)
    theirs = take(house, cda(given="Marguerite"), source=PARTNER, candidate=TWIN.id)
    assert (ours.outcome, theirs.outcome, theirs.document.member) == ("held", "filed", TWIN.id)


def test_what_its_reader_failed_on_is_filed_when_it_can_be_read(house: House) -> None:
    (plan,) = (one for one in house.plans if one.id == PLAN)
    blob = house.archive.store(PLAN, cda(sections=ASTHMA))
    failed = Reading("text/xml", reason="the reader failed on it", is_final=False)

    def give(reading: Reading) -> Ingested:
        received = [Received(blob, reading, Source(door="FILE"))]
        now = datetime.now(UTC)
        (done,) = house.database.write(
            lambda tx: ingest(tx, received, plan=plan, community=house.community, now=now)
        )
        return done

    assert [give(failed).outcome, give(failed).outcome] == ["quarantined", "duplicate"]
    (listed,) = house.database.read(lambda tx: documents.quarantined(tx, plan=PLAN))
    assert (listed.stage, listed.attempts) == (documents.NOT_READ, 2)
    done = give(read_document(cda(sections=ASTHMA)))
    assert (done.outcome, done.document.title) == ("filed", "A note")
    assert problems(house) == {"Asthma": False}
    assert give(failed).document.state == "filed"


def test_what_was_withdrawn_stays_withdrawn(house: House) -> None:
    done = take(house, cda())
    house.database.write(
        lambda tx: documents.withdraw(tx, plan=PLAN, document=done.document.id, reason="wrong")
    )
    again = take(house, cda())
    assert (again.outcome, again.document.state) == ("duplicate", "withdrawn")
