"""A conversation as it crossed the wire is read again by today's code, and differences are told."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.app import House
from gateway.exchange.conversation import Crossed, crossed, indexed, reread, reread_documents
from gateway.model.exchange import Exchange, ExchangeFilter, RecordedExchange
from gateway.store import exchange_log
from gateway.store.scope import ALL_PLANS
from tests.gateway.clients.asking_house import PLAN, asking_house, retrieve
from tests.gateway.clients.scripted_partner import NAME, scripted


def recorded(house: House) -> dict[str, RecordedExchange]:
    wanted = ExchangeFilter(direction="out")
    found = house.database.read(
        lambda tx: exchange_log.search(tx, plan=ALL_PLANS, wanted=wanted, limit=100)
    )
    return {one.exchange.transaction: one for one in found}


def words(house: House, record: RecordedExchange) -> dict[str, tuple[str, bool]]:
    keys = house.archive.blobs.keys
    one = house.database.read(lambda tx: crossed(tx, keys, record))
    return {said.what: (said.today, said.differs) for said in reread(one)}


def test_each_message_of_a_retrieval_is_told_in_words(tmp_path: Path) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        assert retrieve(house)[NAME].outcome == "matched"
        found = recorded(house)
        assert list(found) == ["ITI-39", "ITI-38", "ITI-55"]
        assert words(house, found["ITI-55"])["answer"] == ("1 matching", False)
        assert words(house, found["ITI-38"])["request"] == ("asks by FindDocuments", False)
        said, differs = words(house, found["ITI-38"])["answer"]
        assert (said.startswith("Success, "), differs) == (True, False)
        said, differs = words(house, found["ITI-39"])["answer"]
        assert (said.startswith("Success, "), differs) == (True, False)


def test_a_document_whose_statements_are_otherwise_today_is_told(tmp_path: Path) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        told = recorded(house)["ITI-39"].exchange
        before = house.database.read(lambda tx: indexed(tx, told))
        assert before
        same = reread_documents(house.archive, PLAN, before)
        assert [one.differs for one in same] == [False] * len(before)
        house.database.write(lambda tx: tx.connection.execute(text("DELETE FROM entry")))
        after = house.database.read(lambda tx: indexed(tx, told))
        other = reread_documents(house.archive, PLAN, after)
        assert any(one.differs and "0 when it was indexed" in one.today for one in other)


def test_an_answer_that_was_taken_and_is_unreadable_today_differs(tmp_path: Path) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        record = recorded(house)["ITI-38"]
        keys = house.archive.blobs.keys
        one = house.database.read(lambda tx: crossed(tx, keys, record))
        broken = Crossed(record, one.request, b"<a/>")
        request, answer = reread(broken)
        assert not request.differs
        assert answer.differs
        assert answer.today.startswith("it cannot be read: ")


def test_what_was_not_kept_is_not_told(tmp_path: Path) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        for statement in ("DROP TRIGGER wire_message_keeps_deletes", "DELETE FROM wire_message"):
            house.database.write(lambda tx, s=statement: tx.connection.execute(text(s)))
        assert words(house, recorded(house)["ITI-55"]) == {}


@pytest.mark.parametrize("transaction", ["REST-SUMMARY", "GATEWAY-START"])
def test_what_crossed_no_wire_has_nothing_to_be_reread(transaction: str) -> None:
    told = Exchange(datetime.now(UTC), "in", transaction, "success")
    assert reread(Crossed(RecordedExchange(1, told, "", ""), None, None)) == ()
