"""What is taken out again leaves no trace in the summary, and what it replaced comes back."""

from datetime import UTC, datetime

import pytest

from gateway.app.house import House
from gateway.exchange.ingest import Ingested
from gateway.exchange.withdrawing import withdraw
from tests.gateway.exchange.ingesting import ASTHMA, GOUT, cda, problems, reload, take

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def house(either_house: House) -> House:
    return either_house


def taken_out(house: House, done: Ingested) -> None:
    filed = reload(house, done)
    house.database.write(lambda tx: withdraw(tx, filed, reason="another person", now=NOW))


def test_what_a_withdrawn_replacement_had_superseded_is_current_again(house: House) -> None:
    old = take(house, cda(sections=ASTHMA))
    new = take(house, cda(number="2", replaces="1", sections=GOUT))
    assert problems(house) == {"Asthma": True, "Gout": False}
    taken_out(house, new)
    assert reload(house, old).superseded_by is None
    assert (reload(house, new).state, reload(house, new).member) == ("withdrawn", None)
    assert problems(house) == {"Asthma": False}


def test_of_three_versions_the_second_speaks_when_the_third_is_withdrawn(house: House) -> None:
    said = (ASTHMA, GOUT, ASTHMA)
    done = [
        take(house, cda(number=str(n), set_id="S", version=n, sections=said[n - 1]))
        for n in (1, 2, 3)
    ]
    taken_out(house, done[2])
    assert reload(house, done[0]).superseded_by == done[1].document.id
    assert reload(house, done[1]).superseded_by is None
    assert problems(house) == {"Asthma": True, "Gout": False}


def test_a_member_whose_only_document_is_withdrawn_has_an_empty_summary(house: House) -> None:
    taken_out(house, take(house, cda(sections=ASTHMA)))
    assert problems(house) == {}
