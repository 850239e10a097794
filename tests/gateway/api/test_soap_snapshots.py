"""A summary that is given is kept in the transaction of the record that says so."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from gateway.exchange.deciding import unfile
from gateway.exchange.on_demand import MadeMeanwhile, keep_snapshot
from gateway.model.identity import DocumentId
from gateway.store import snapshots
from ihe.soap import ITI_39_REQUEST
from ihe.wire import SealedRequest
from ihe.xca_retrieve import DocumentRequest, read_retrieve_response
from tests.gateway.asking import REPOSITORY, answer_to, ask, fault_of, find_documents, retrieve
from tests.gateway.house import (
    HOME,
    MEMBER,
    PLAN,
    a_partner,
    a_rule,
    documents,
    records,
    rows_of,
)
from tests.gateway.visiting import Visitor, visiting


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Visitor]:
    with visiting(tmp_path, rules=[a_rule(on_demand=True)]) as visitor:
        yield visitor


def asked_for(visitor: Visitor) -> SealedRequest:
    """A request for the member's summary."""
    (entry,) = visitor.find(find_documents(entry_types=("on-demand",))).entries
    return ask(retrieve(DocumentRequest(REPOSITORY, entry.unique_id, HOME)), ITI_39_REQUEST)


def test_what_could_not_be_recorded_is_not_kept(visitor: Visitor) -> None:
    sealed = asked_for(visitor)
    before = len(rows_of(visitor.house, "document"))
    lose = text("ALTER TABLE wire_message RENAME TO lost_wire_message")
    visitor.house.database.write(lambda tx: tx.connection.execute(lose))
    reply = visitor.door.post("/ihe/xca", sealed.envelope)
    assert (reply.status, fault_of(reply).code) == (500, "soap:Receiver")
    assert rows_of(visitor.house, "snapshot") == []
    assert len(rows_of(visitor.house, "document")) == before


def test_the_same_summary_asked_for_at_once_is_one_snapshot_that_all_get(
    visitor: Visitor,
) -> None:
    requests = [asked_for(visitor) for _ in range(5)]

    def get(sealed: SealedRequest) -> str:
        reply = visitor.door.post("/ihe/xca", sealed.envelope)
        assert reply.status == 200
        envelope = reply.body[reply.body.index(b"<soap:Envelope") :]
        end = envelope.index(b"</soap:Envelope>") + len(b"</soap:Envelope>")
        (document,) = read_retrieve_response(answer_to(sealed, envelope[:end])).documents
        return str(document.new_unique_id)

    with ThreadPoolExecutor(5) as pool:
        ids = set(pool.map(get, requests))
    (row,) = rows_of(visitor.house, "snapshot")
    assert ids == {row["unique_id"]}
    told = [one for one in records(visitor.house) if one.transaction == "ITI-39"]
    assert len(told) == 5
    assert len({one.documents for one in told}) == 1


def test_a_second_snapshot_of_the_same_facts_is_not_kept(visitor: Visitor) -> None:
    visitor.door.post("/ihe/xca", asked_for(visitor).envelope)
    (kept,) = visitor.house.database.read(
        lambda tx: snapshots.of_member(tx, plan=PLAN, member=MEMBER.id, partner=a_partner().id)
    )
    blob = replace(kept.offered.document.blob, address="0" * 64, sha1="0" * 40, sha256="0" * 64)
    document = replace(kept.offered.document, id=DocumentId(str(uuid4())), blob=blob)
    again = replace(kept, offered=replace(kept.offered, document=document))
    with pytest.raises(MadeMeanwhile):
        visitor.house.database.write(lambda tx: keep_snapshot(tx, again))
    assert len(rows_of(visitor.house, "snapshot")) == 1


def test_a_summary_is_given_anew_once_the_one_before_was_taken_out(visitor: Visitor) -> None:
    visitor.door.post("/ihe/xca", asked_for(visitor).envelope)
    (before,) = rows_of(visitor.house, "snapshot")
    (given,) = [one for one in documents(visitor.house) if one.source.door == "ON-DEMAND"]
    now = datetime.now(UTC)
    visitor.house.database.write(
        lambda tx: unfile(tx, plan=PLAN, document=given.id, reason="not hers", now=now)
    )
    assert visitor.door.post("/ihe/xca", asked_for(visitor).envelope).status == 200
    (after,) = rows_of(visitor.house, "snapshot")
    assert after["unique_id"] != before["unique_id"]
    told = [one for one in records(visitor.house) if one.transaction == "ITI-39"]
    assert [one.outcome for one in told] == ["success", "success"]


def test_what_others_always_keep_first_is_answered_and_recorded_all_the_same(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "put", lambda *_: False)
    reply = visitor.door.post("/ihe/xca", asked_for(visitor).envelope)
    assert (reply.status, fault_of(reply).code) == (500, "soap:Receiver")
    assert [one.outcome for one in records(visitor.house) if "39" in one.transaction] == ["failed"]
