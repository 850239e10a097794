"""Answers that we wait for and answers that we owe, on both engines."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from gateway.model.document import Blob
from gateway.model.identity import DocumentId, PartnerId, RetrievalId
from gateway.model.later import (
    ArrivedAnswer,
    AwaitedAnswer,
    OwedAnswer,
    OwedPart,
    StoredPart,
)
from gateway.store import awaited_answers, owed_answers, retrievals
from gateway.store.database import Database
from tests.gateway.store.builders import ACME, NOW, OTHER, an_exchange

PARTNER = PartnerId("p1")
RETRIEVAL = RetrievalId("r1")
MINUTE = timedelta(minutes=1)


def awaited(message_id: str = "urn:uuid:1", **changes: object) -> AwaitedAnswer:
    made = AwaitedAnswer(
        message_id=message_id,
        plan=ACME,
        partner=PARTNER,
        retrieval=RETRIEVAL,
        visited=PARTNER,
        question=f"question of {message_id}",
        transaction="ITI-39",
        sent=NOW,
        expires=NOW + MINUTE,
        signature_values=("one", "two"),
        exchange=an_exchange(),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


ANSWER = ArrivedAnswer(
    arrived=NOW + MINUTE / 2,
    body="<a>Rosalind</a>",
    parts=(StoredPart("c", Blob("a" * 64, 3, "1" * 40, "2" * 64)),),
    time_to_live_seconds=7,
)


def found(database: Database, message_id: str = "urn:uuid:1") -> AwaitedAnswer | None:
    return database.read(lambda tx: awaited_answers.get(tx, message_id=message_id))


def test_what_is_awaited_is_read_back_and_found_by_its_question(house: Database) -> None:
    house.write(lambda tx: awaited_answers.put(tx, awaited()))
    assert found(house) == awaited()

    def asked(**changes: object) -> AwaitedAnswer | None:
        key = {
            "plan": ACME, "retrieval": RETRIEVAL, "visited": PARTNER,
            "question": "question of urn:uuid:1", **changes,
        }  # fmt: skip
        return house.read(lambda tx: awaited_answers.of_question(tx, **key))  # type: ignore[arg-type]

    assert asked() == awaited()
    assert asked(plan=OTHER) is None
    assert asked(question="another") is None


def test_a_deferred_question_is_found_by_the_id_that_its_result_names(house: Database) -> None:
    deferred = awaited(request_id="2.999.1^one")
    house.write(lambda tx: awaited_answers.put(tx, deferred))
    house.write(lambda tx: awaited_answers.put(tx, awaited("urn:uuid:2")))

    def named(request_id: str) -> AwaitedAnswer | None:
        return house.read(lambda tx: awaited_answers.of_request(tx, request_id=request_id))

    assert named("2.999.1^one") == deferred
    assert named("2.999.1^two") is None


def test_an_answer_is_taken_once_and_in_time(house: Database) -> None:
    house.write(lambda tx: awaited_answers.put(tx, awaited()))

    def arrive(answer: ArrivedAnswer) -> bool:
        return house.write(
            lambda tx: awaited_answers.arrive(tx, message_id="urn:uuid:1", answer=answer)
        )

    assert not arrive(replace(ANSWER, arrived=NOW + MINUTE))
    assert arrive(ANSWER)
    assert not arrive(ANSWER)
    assert found(house) == awaited(state="answered", answer=ANSWER)


def test_the_wait_ends_once(house: Database) -> None:
    house.write(lambda tx: awaited_answers.put(tx, awaited()))

    def settle(**changes: object) -> bool:
        return house.write(
            lambda tx: awaited_answers.settle(
                tx,
                message_id="urn:uuid:1",
                result="late",
                reason="why",
                **changes,  # type: ignore[arg-type]
            )
        )

    house.write(lambda tx: awaited_answers.arrive(tx, message_id="urn:uuid:1", answer=ANSWER))
    assert not settle(unless_answered=True)
    assert settle(found=2, missing=1)
    assert not settle()
    settled = found(house)
    assert settled is not None
    assert (settled.state, settled.result, settled.reason) == ("settled", "late", "why")
    assert (settled.found, settled.missing) == (2, 1)


def test_what_the_answers_said_goes_and_that_they_came_stays(house: Database) -> None:
    house.write(lambda tx: awaited_answers.put(tx, awaited()))
    house.write(lambda tx: awaited_answers.arrive(tx, message_id="urn:uuid:1", answer=ANSWER))
    key = {"plan": ACME, "retrieval": RETRIEVAL, "visited": PARTNER}
    house.write(lambda tx: awaited_answers.empty(tx, **key))  # type: ignore[arg-type]
    (left,) = house.read(lambda tx: awaited_answers.of_visit(tx, **key))  # type: ignore[arg-type]
    assert (left.state, left.answer) == ("answered", None)
    later = NOW + timedelta(days=8)
    assert house.write(lambda tx: awaited_answers.forget_old(tx, now=later)) == 0
    house.write(
        lambda tx: awaited_answers.settle(
            tx, message_id="urn:uuid:1", result="success", reason=None
        )
    )
    assert house.write(lambda tx: awaited_answers.forget_old(tx, now=NOW)) == 0
    assert house.write(lambda tx: awaited_answers.forget_old(tx, now=later)) == 1
    assert found(house) is None


def test_an_owed_answer_is_kept_whole_until_it_is_brought(house: Database) -> None:
    owed = OwedAnswer(
        id="o1",
        partner=PARTNER,
        created=NOW,
        address="https://p1.example/replies",
        action="urn:a",
        relates_to="urn:uuid:7",
        confirmations=("x",),
        body="<a>ü</a>",
        exchanges=(an_exchange(direction="in"),),
        parts=(OwedPart("c", "text/xml", ACME, DocumentId("d1")),),
        time_to_live_seconds=3,
        plan=ACME,
    )
    house.write(lambda tx: owed_answers.put(tx, owed))
    assert house.read(lambda tx: owed_answers.get(tx, owed="o1")) == owed
    assert house.write(lambda tx: owed_answers.remove(tx, owed="o1"))
    assert not house.write(lambda tx: owed_answers.remove(tx, owed="o1"))
    assert house.read(lambda tx: owed_answers.get(tx, owed="o1")) is None


def test_a_visit_is_one_workers_at_a_time_and_a_dead_ones_is_anybodys(
    house: Database,
) -> None:
    key = {"plan": ACME, "retrieval": RETRIEVAL, "partner": PARTNER}

    def claim() -> bool:
        return house.write(lambda tx: retrievals.claim_visit(tx, **key))  # type: ignore[arg-type]

    assert claim()
    assert not claim()
    house.write(lambda tx: retrievals.release_visit(tx, **key))  # type: ignore[arg-type]
    assert claim()

    def killed(transaction: Any) -> None:
        transaction.connection.execute(text("UPDATE visit_claim SET process = '00000000'"))

    house.write(killed)
    assert claim()
    assert not claim()
