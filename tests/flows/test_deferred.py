"""Deferred discovery between two houses on real sockets: question, result, documents (ITI-55)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.app.house import House
from gateway.model.exchange import Exchange
from gateway.store import members, partners
from tests.flows.test_asynchronous import Pair, pair
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import (
    HOME,
    NAME,
    answers,
    assert_sound,
    enqueue,
    new_retrieval,
    retrieval_of,
    work_off,
)
from tests.gateway.house import US, records

WAITING = "waiting for a deferred answer until "
Line = tuple[str, str, str]


@contextmanager
def deferring(folder: Path, **profile: object) -> Iterator[Pair]:
    given = {"asynchronous": False, "deferred_discovery": True, **profile}
    with pair(folder, **given) as two:  # type: ignore[arg-type]
        yield two


def begin(two: Pair) -> object:
    """The question is with the community, and acknowledged."""
    retrieval = new_retrieval(two.plan)
    enqueue(two.plan, retrieval)
    work(two.plan)
    return retrieval


def work(house: House) -> None:
    asyncio.run(work_off(house))


def exchanges(house: House) -> list[Exchange]:
    return [one for one in records(house) if one.transaction.startswith("ITI")]


def lines(house: House) -> list[Line]:
    return [(one.direction, one.transaction, one.outcome) for one in exchanges(house)]


def test_question_result_and_documents_with_their_records_on_both_sides(tmp_path: Path) -> None:
    with deferring(tmp_path) as two:
        retrieval = begin(two)
        row = two.row(retrieval)
        assert (row.outcome, row.step) == (None, "discovery")
        assert row.detail is not None and row.detail.startswith(WAITING)
        assert retrieval_of(two.plan, retrieval).state == "running"  # type: ignore[arg-type]
        assert lines(two.plan) == [("out", "ITI-55-DEFERRED", "success")]
        assert (exchanges(two.plan)[0].reason or "").startswith(WAITING)
        # Nothing has been told of anybody so far.
        assert lines(two.community) == [("in", "ITI-55-DEFERRED", "success")]
        assert exchanges(two.community)[0].member is None

        work(two.community)  # brings the result
        assert lines(two.community)[1:] == [
            ("in", "ITI-55", "success"),
            ("out", "ITI-55-DEFERRED", "success"),
        ]
        assert lines(two.plan)[1:] == [("in", "ITI-55-DEFERRED", "success")]
        assert lakeshore.rows_of(two.community, "owed_answer") == []

        work(two.plan)  # goes on with it
        row = two.row(retrieval)
        assert (row.outcome, row.documents_found, row.documents_new) == ("matched", 3, 3)
        assert retrieval_of(two.plan, retrieval).state == "done"  # type: ignore[arg-type]
        assert lines(two.plan)[2:] == [
            ("out", name, "success") for name in ("ITI-55", "ITI-38", "ITI-39")
        ]
        _envelopes_are_the_same_on_both_sides(two)
        for house in (two.plan, two.community):
            assert_sound(house)


def _envelopes_are_the_same_on_both_sides(two: Pair) -> None:
    asked, came, whole = exchanges(two.plan)[:3]
    heard, told, brought = exchanges(two.community)[:3]
    assert (asked.request_hash, asked.answer_hash) == (heard.request_hash, heard.answer_hash)
    assert (came.request_hash, came.answer_hash) == (brought.request_hash, brought.answer_hash)
    assert (whole.request_hash, whole.answer_hash) == (told.request_hash, told.answer_hash)
    assert whole.answer_hash == came.request_hash
    assert None not in (asked.request_hash, asked.answer_hash, came.request_hash, came.answer_hash)
    assert told.member is not None and brought.member == told.member
    assert (told.person, told.purpose) == ("Nora Nurse", "PAYMENT")
    assert {asked.message_id, heard.message_id, whole.message_id, told.message_id} == {
        asked.message_id
    }
    assert came.message_id == brought.message_id != asked.message_id
    conversations = {one.conversation for one in (asked, came, whole)}
    assert conversations == {asked.conversation} and asked.conversation is not None
    assert came.member == whole.member


def test_who_opted_out_meanwhile_is_not_told_of(tmp_path: Path) -> None:
    with deferring(tmp_path) as two:
        begin(two)
        known = lakeshore.MEMBER
        two.community.database.write(
            lambda tx: members.set_opted_out(tx, plan=known.plan, member=known.id, opted_out=True)
        )
        work(two.community)
        found = exchanges(two.community)[1:]
        assert [(one.transaction, one.outcome) for one in found] == [("ITI-55", "failed")]
        reason = "the answer was not delivered: the member has opted out of exchange since"
        assert found[0].reason == reason
        assert found[0].answer_hash is None  # nothing left
        assert lakeshore.rows_of(two.community, "owed_answer") == []


def test_an_address_that_is_registered_no_more_gets_nothing(tmp_path: Path) -> None:
    with deferring(tmp_path) as two:
        begin(two)
        asker = lakeshore.a_partner(NAME, HOME)
        two.community.database.write(lambda tx: partners.put(tx, asker))
        work(two.community)
        (_, given_up) = exchanges(two.community)
        assert given_up.outcome == "failed"
        assert "its address is no longer registered for the partner" in (given_up.reason or "")
        assert answers(two.plan, retrieval_id(two))[US].outcome is None


def retrieval_id(two: Pair) -> object:
    (row,) = lakeshore.rows_of(two.plan, "retrieval")
    return row["id"]
