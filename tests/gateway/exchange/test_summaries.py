"""The stored summary: renewed with what changes it, complete when it is read."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.app import House
from gateway.exchange.ingest import Received, ingest
from gateway.exchange.reading import read_document
from gateway.exchange.summaries import read_summary
from gateway.model.document import Source
from gateway.model.identity import PartnerId
from gateway.model.retrieval import PartnerOutcome, PartnerProgress
from gateway.store import partners, retrievals
from gateway.store.transaction import Transaction
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import MEMBER, PLAN, asking_house, new_retrieval
from tests.gateway.exchange.ingesting import ASTHMA, GOUT, cda, problems, take

NORTHFIELD = lakeshore.a_partner()


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
