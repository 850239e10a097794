"""A conversation as it crossed the wire is read again by today's code, and differences are told."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.app.house import House
from gateway.exchange.conversation import Crossed, crossed, indexed, reread, reread_documents
from gateway.model.exchange import Exchange, ExchangeFilter, RecordedExchange
from gateway.store import exchange_log
from gateway.store.scope import ALL_PLANS
from ihe.errors import CommunityCouldNotAnswer
from ihe.soap import ITI_55_ANSWER
from ihe.xcpd import read_discovery_request
from tests.gateway.clients.asking_house import PLAN, asking_house, retrieve
from tests.gateway.clients.scripted_partner import NAME, Heard, Reply, discovery_body, scripted
from tests.gateway.clients.test_misbehaving_partners import fault


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


def as_if(house: House, transaction: str, **told: Any) -> Crossed:
    """What crossed the wire, as if the record told otherwise of it."""
    record = recorded(house)[transaction]
    keys = house.archive.blobs.keys
    one = house.database.read(lambda tx: crossed(tx, keys, record))
    return replace(one, record=replace(record, exchange=replace(record.exchange, **told)))


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


def test_an_answer_that_failed_then_and_is_read_today_differs(tmp_path: Path) -> None:
    """What was mended since: the partner's quirk, or our fault."""
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        for transaction in ("ITI-55", "ITI-38", "ITI-39"):
            for outcome, reason, otherwise in (
                ("failed", "a fault of our own (KeyError)", True),
                ("failed", "controlActProcess is missing", True),
                ("failed", "the answer relates to another message than our request", False),
                ("failed", "it answered HTTP 500 without a SOAP fault", False),
                ("refused", "its answer could not be trusted: the Timestamp has expired", False),
            ):
                one = as_if(house, transaction, outcome=outcome, reason=reason)
                request, answer = reread(one)
                assert (request.differs, answer.differs) == (False, otherwise), reason
                assert (f"(then {outcome}" in answer.today) == otherwise


def test_other_documents_than_were_taken_then_differ(tmp_path: Path) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        taken = recorded(house)["ITI-39"].exchange.documents
        _, answer = reread(as_if(house, "ITI-39", documents=taken[:1]))
        assert answer.differs
        assert answer.today.endswith("2 documents (then success with 1 documents)")


@pytest.mark.parametrize("outcome", ["success", "partial"])
def test_another_number_of_documents_than_was_listed_then_differs(
    outcome: str, tmp_path: Path
) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        assert recorded(house)["ITI-38"].exchange.reason == "2 documents listed"
        same, one, unsaid = (
            reread(as_if(house, "ITI-38", outcome=outcome, reason=reason))[1]
            for reason in ("2 documents listed", f"{ERROR}; 1 document listed", None)
        )
        assert (same.differs, one.differs, unsaid.differs) == (False, True, False)
        then = f" (then {outcome}: {ERROR}; 1 document listed)"
        assert one.today == f"Success, 2 documents listed{then}"


ERROR = "it reported XDSRegistryError: it had a fault of its own"


def test_an_answer_that_was_taken_and_is_a_fault_today_differs(tmp_path: Path) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        one = replace(as_if(house, "ITI-55"), answer=fault("Receiver"))
        _, answer = reread(one)
        assert answer.differs
        assert answer.today.startswith("a fault, ")


def test_a_problem_of_the_partners_own_is_no_message_that_cannot_be_read(tmp_path: Path) -> None:
    def ails(heard: Heard) -> Reply:
        request = read_discovery_request(heard.body)
        body = discovery_body(request, CommunityCouldNotAnswer("AnswerNotAvailable"))
        return Reply(heard.seal(body, ITI_55_ANSWER))

    with scripted(ITI_55=ails) as script, asking_house(tmp_path, [script.partner]) as house:
        assert retrieve(house)[NAME].outcome == "failed"
        said = words(house, recorded(house)["ITI-55"])["answer"]
        assert said == ("it reports a problem of its own", False)


@pytest.mark.parametrize("transaction", ["REST-SUMMARY", "GATEWAY-START"])
def test_what_crossed_no_wire_has_nothing_to_be_reread(transaction: str) -> None:
    told = Exchange(datetime.now(UTC), "in", transaction, "success")
    assert reread(Crossed(RecordedExchange(1, told, "", ""), None, None)) == ()
