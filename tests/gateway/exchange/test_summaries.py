"""The stored summary: renewed with what changes it, complete when it is read."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from ccda.summary import summary_json
from gateway.app.house import House
from gateway.exchange.ingest import Received, ingest
from gateway.exchange.reading import read_document
from gateway.exchange.summaries import build_summary, read_summary
from gateway.model.document import Source
from gateway.model.identity import MemberId, PartnerId
from gateway.model.retrieval import PartnerOutcome, PartnerProgress
from gateway.store import clinical, members, partners, retrievals
from gateway.store.transaction import Transaction
from ihe.identifiers import HomeCommunityId
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import MEMBER, PLAN, asking_house, new_retrieval
from tests.gateway.exchange.ingesting import ASTHMA, GOUT, PAYERS, cda, problems, take, take_all
from tests.thinning import thinned

NORTHFIELD = lakeshore.a_partner()
CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"


def test_a_member_without_documents_has_an_empty_summary(tmp_path: Path) -> None:
    with asking_house(tmp_path, [NORTHFIELD]) as house:
        read = house.database.read(
            lambda tx: read_summary(tx, member=MEMBER, now=datetime.now(UTC))
        )
    assert read["member"]["member_id"] == MEMBER.member_id
    assert read["sections"]["problems"] == []
    assert [(one["partner"], one["outcome"]) for one in read["completeness"]] == [
        (NORTHFIELD.name, "not_asked")
    ]


def test_who_is_reached_by_another_has_no_line_of_its_own_unless_it_was_asked(
    tmp_path: Path,
) -> None:
    hub = lakeshore.a_partner(plan=PLAN)
    profile = replace(hub.profile, within=hub.home_community_id.urn)
    clinic = replace(
        hub,
        id=PartnerId("clinic"),
        name="Clinic",
        home_community_id=HomeCommunityId.parse("2.999.70.1"),
        profile=profile,
    )
    with asking_house(tmp_path, [hub, clinic]) as house:
        assert [one["partner"] for one in _completeness(house)] == [hub.name]
    with asking_house(tmp_path / "alone", [clinic]) as house:
        assert [one["partner"] for one in _completeness(house)] == ["Clinic"]


def test_completeness_is_each_partners_last_answer(tmp_path: Path) -> None:
    with asking_house(tmp_path, [NORTHFIELD]) as house:
        _answered(house, "failed")
        _answered(house, "matched", documents_found=3, documents_missing=1, detail="partial")
        (answer,) = _completeness(house)
        assert (answer["outcome"], answer["documents"], answer["missing"]) == ("matched", 3, 1)
        assert answer["detail"] == "partial"
        assert answer["at"]


def test_a_partner_that_is_asked_for_the_first_time_has_not_answered(tmp_path: Path) -> None:
    with asking_house(tmp_path, [NORTHFIELD]) as house:
        _answered(house, None)
        (answer,) = _completeness(house)
        assert (answer["outcome"], answer["detail"]) == ("not_asked", "being asked now")


def test_while_a_partner_is_asked_again_its_last_answer_counts(tmp_path: Path) -> None:
    with asking_house(tmp_path, [NORTHFIELD]) as house:
        _answered(house, "matched", documents_found=3)
        _answered(house, None)
        (answer,) = _completeness(house)
        assert (answer["outcome"], answer["documents"], answer["detail"]) == ("matched", 3, None)


def test_a_partner_that_left_the_directory_is_no_longer_told(tmp_path: Path) -> None:
    with asking_house(tmp_path, [NORTHFIELD]) as house:
        _answered(house, "matched")
        house.database.write(lambda tx: partners.remove(tx, plan=PLAN, partner=NORTHFIELD.id))
        assert _completeness(house) == []


def _completeness(house: House) -> list[dict[str, object]]:
    read = house.database.read(lambda tx: read_summary(tx, member=MEMBER, now=datetime.now(UTC)))
    found: list[dict[str, object]] = read["completeness"]
    return found


def _answered(house: House, outcome: PartnerOutcome | None, **more: object) -> None:
    retrieval = new_retrieval(house)
    progress = PartnerProgress(NORTHFIELD.id, NORTHFIELD.name, outcome=outcome, **more)  # type: ignore[arg-type]
    house.database.write(
        lambda tx: retrievals.put_progress(tx, plan=PLAN, retrieval=retrieval, progress=progress)
    )


@pytest.mark.parametrize("set_id", [None, "S"])
def test_two_that_file_for_one_member_at_once_see_each_other(
    set_id: str | None, tmp_path: Path, postgres_url: str
) -> None:
    """On PostgreSQL units run side by side; neither sees what the other has not committed."""
    both = threading.Barrier(2, timeout=2)
    with asking_house(tmp_path, database_url=postgres_url) as house:
        (plan,) = house.plans

        def file(number: int, sections: str) -> None:
            content = cda(number=str(number), set_id=set_id, version=number, sections=sections)
            blob = house.archive.store(PLAN, content)
            source = Source(door="ITI-39", partner=PartnerId(f"p{number}"))
            received = [Received(blob, read_document(content), source)]

            def unit(transaction: Transaction) -> None:
                now = datetime.now(UTC)
                ingest(transaction, received, plan=plan, community=house.community, now=now)
                # The first waits for the second to have begun, not to have finished.
                try:
                    both.wait()
                except threading.BrokenBarrierError:
                    pass

            house.database.write(unit)

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(file, (1, 2), (ASTHMA, GOUT)))
        # As versions of one document, the second withdraws what only the first one says.
        assert problems(house) == {"Asthma": set_id is not None, "Gout": False}


@pytest.mark.parametrize("count", [1, 3])
def test_the_summary_is_renewed_with_each_document(count: int, tmp_path: Path) -> None:
    with asking_house(tmp_path) as house:
        for number in range(count):
            take(house, cda(number=str(number), sections=ASTHMA))
        assert problems(house) == {"Asthma": False}


# ---- whatever came, in whatever order: what is stored is what the index says -------------------


@pytest.mark.parametrize("seed", range(6))
def test_the_stored_summary_is_the_one_made_from_scratch(seed: int, tmp_path: Path) -> None:
    """Versions and replacements change what other documents said; groups are of any size."""
    chance = random.Random(seed)
    waiting = [_any_document(chance, number) for number in range(12)]
    with asking_house(tmp_path) as house:
        while waiting:
            size = chance.randint(1, 4)
            take_all(house, *waiting[:size])
            del waiting[:size]
            assert _stored(house, MEMBER.id) == _from_scratch(house, MEMBER.id)


def test_the_stored_summaries_of_other_hands_documents_are_those_made_from_scratch(
    tmp_path: Path,
) -> None:
    contents = [file.read_bytes() for file in thinned(sorted(CORPUS.rglob("*.xml")))]
    with asking_house(tmp_path) as house:
        for start in range(0, len(contents), 40):
            take_all(house, *contents[start : start + 40], create=True)
        found = house.database.read(lambda tx: list(members.iter_all(tx, plan=PLAN)))
        for member in found:
            assert _stored(house, member.id) == _from_scratch(house, member.id)


def _any_document(chance: random.Random, number: int) -> bytes:
    return cda(
        number=str(number),
        set_id=chance.choice([None, None, "S"]),
        version=chance.randint(1, 4),
        replaces=chance.choice([None, None, str(chance.randrange(12))]),
        effective=f"2025010{chance.randint(1, 9)}",
        sections="".join(chance.sample([ASTHMA, GOUT, PAYERS], chance.randint(0, 3))),
    )


def _stored(house: House, member: MemberId) -> dict[str, object] | None:
    return house.database.read(lambda tx: clinical.load_summary(tx, plan=PLAN, member=member))


def _from_scratch(house: House, member: MemberId) -> dict[str, object] | None:
    stored = _stored(house, member)
    if stored is None:
        return None
    now = datetime.fromisoformat(str(stored["as_of"]))
    made = house.database.read(lambda tx: build_summary(tx, plan=PLAN, member=member, now=now))
    form = summary_json(made, member={}, completeness=())
    return dict(orjson.loads(orjson.dumps(form)))
