"""Answers at our own doors: taken once, in time, from whom was asked; all others are refused."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.model.later import ArrivedAnswer
from gateway.store.values import load
from ihe.discovery import NoMatch
from ihe.identifiers import UniqueId
from ihe.mtom_writing import Part
from ihe.soap import ITI_55_ANSWER
from ihe.xca_retrieve import read_retrieve_request
from ihe.xcpd import read_discovery_request
from tests.gateway import house as lakeshore
from tests.gateway.asking import fault_of
from tests.gateway.clients.asking_house import assert_sound, calls
from tests.gateway.clients.later_partner import Later, later
from tests.gateway.clients.scripted_partner import (
    DOCUMENTS,
    NAME,
    Heard,
    Reply,
    discovered,
    discovery_body,
    packaged,
    retrieved,
)

UNWANTED = "The message answers no request that waits for an answer."
OTHER = "Southfield Health"


def refused(there: Later, answer: lakeshore.Reply, reason: str, said: str = UNWANTED) -> None:
    """The peer heard a fault, and one refusal stands in the record with its reason."""
    assert answer.status == 400
    assert fault_of(answer).sentence == said
    found = lakeshore.refusals(there.house)
    assert {(transaction, why): n for (transaction, _, why), n in found.items()} == {
        ("ITI-55/ITI-56", reason): 1
    }


def sealed(heard: Heard, **lies: object) -> Reply:
    body = discovery_body(read_discovery_request(heard.body), NoMatch())
    return Reply(heard.seal(body, ITI_55_ANSWER, **lies))  # type: ignore[arg-type]


def test_an_answer_is_taken_with_202_and_nothing_else(tmp_path: Path) -> None:
    with later(tmp_path) as there:
        there.ask()
        taken = there.answer()
        assert (taken.status, taken.body) == (202, b"")
        (row,) = lakeshore.rows_of(there.house, "awaited_answer")
        assert (row["state"], row["transaction"]) == ("answered", "ITI-55")
        assert calls(there.house) == []


def test_an_answer_to_nothing_we_asked_is_refused(tmp_path: Path) -> None:
    with later(tmp_path) as there:
        there.ask()
        stray = sealed(there.heard[0][1], relates_to="urn:uuid:nobody")
        refused(there, there.answer(reply=stray), "the answer relates to no request of ours")
        assert there.answer().status == 202  # the request still waits


def test_an_answer_of_another_partner_is_refused(tmp_path: Path) -> None:
    other = lakeshore.a_partner(OTHER, "2.999.7309.1")
    with later(tmp_path, others=[other]) as there:
        there.ask()
        _, heard = there.heard[0]
        foreign = Reply(discovered(replace(heard, by=OTHER)))
        answer = there.answer(reply=foreign, by=OTHER)
        refused(there, answer, "the answer relates to a request to another partner")
        assert there.answer().status == 202


def test_a_second_answer_is_refused_before_and_after_the_first_was_read(tmp_path: Path) -> None:
    with later(tmp_path) as there:
        there.ask()
        assert there.answer().status == 202
        refused(there, there.answer(), "an answer to this request came before")
        there.work()
        assert there.answer(0).status == 400
        assert [one.transaction for one in calls(there.house)] == ["ITI-55"]


def test_an_answer_after_its_time_is_refused(tmp_path: Path) -> None:
    with later(tmp_path, answer_within_seconds=0.3) as there:
        there.ask()
        there.work_until_ended()
        assert (there.row.outcome, there.row.detail) == ("late", "no answer came within 0.3 s")
        refused(there, there.answer(), "the answer came when its request was given up")
        assert [(one.outcome, one.reason) for one in calls(there.house)] == [
            ("failed", "no answer came within 0.3 s")
        ]
        assert_sound(there.house)


@pytest.mark.parametrize(
    "forge, reason",
    [
        (lambda heard: sealed(heard, confirmations=()), "does not confirm the signature"),
        (lambda heard: sealed(heard, confirmations=("AAAA",)), "that we did not send"),
        (lambda heard: sealed(heard, key="Mallory"), "is not one pinned for this partner"),
    ],
)
def test_an_answer_that_proves_nothing_is_refused_and_the_request_still_waits(
    forge: Callable[[Heard], Reply], reason: str, tmp_path: Path
) -> None:
    with later(tmp_path) as there:
        there.ask()
        answer = there.answer(reply=forge(there.heard[0][1]))
        assert answer.status == 400
        assert fault_of(answer).subcode == "wsse:FailedCheck"
        ((_, _, why),) = lakeshore.refusals(there.house)
        assert reason in why
        (row,) = lakeshore.rows_of(there.house, "awaited_answer")
        assert row["state"] == "sent"
        assert there.answer().status == 202


def test_what_comes_attached_to_an_answer_that_has_no_attachments_is_not_kept(
    tmp_path: Path,
) -> None:
    with later(tmp_path) as there:
        there.ask()
        envelope = discovered(there.heard[0][1])
        small = packaged(envelope, [Part("1@northfield", "text/plain", [b"x" * 1000])])
        large = packaged(envelope, [Part("1@northfield", "text/plain", [b"x" * (12 << 20)])])
        before = blobs_of(there)
        assert there.answer(reply=large).status == 400
        assert there.answer(reply=small).status == 202
        assert blobs_of(there) == before


def test_of_what_is_attached_only_the_documents_that_were_asked_for_are_kept(
    tmp_path: Path,
) -> None:
    with later(tmp_path) as there:
        there.ask()
        for number in (0, 1):
            there.answer(number)
            there.work()
        heard = there.heard[2][1]
        asked_for = [one.unique_id for one in read_retrieve_request(heard.body).documents]
        unasked = UniqueId("2.999.666")
        contents = {one: f"of {one}".encode() for one in (*asked_for, unasked)}
        reply = retrieved(heard, contents)
        assert there.answer(reply=reply).status == 202
        (answer,) = (
            load(ArrivedAnswer, row["answer"])
            for row in lakeshore.rows_of(there.house, "awaited_answer")
            if row["state"] == "answered"
        )
        hashes = {sha256(contents[one]).hexdigest() for one in asked_for}
        assert {part.blob.sha256 for part in answer.parts} == hashes
        named = {row["address"] for row in lakeshore.rows_of(there.house, "blob")}
        assert {part.blob.address for part in answer.parts} <= named
        assert len(named) == len(hashes)


def test_a_document_whose_id_is_written_otherwise_is_the_one_asked_for(tmp_path: Path) -> None:
    """As in an answer on the same connection (user-asks 4)."""
    with later(tmp_path) as there:
        there.ask()
        for number in (0, 1):
            there.answer(number)
            there.work()
        heard = there.heard[2][1]
        contents = {
            UniqueId(f"urn:oid:{one.unique_id}"): lakeshore.demo_document(DOCUMENTS[one.unique_id])
            for one in read_retrieve_request(heard.body).documents
        }
        assert there.answer(reply=retrieved(heard, contents)).status == 202
        there.work()
        assert (there.row.outcome, there.row.documents_new) == ("matched", 2)


def blobs_of(there: Later) -> set[Path]:
    root = there.house.archive.blobs.root
    return {path for path in root.rglob("*") if path.is_file()}


def test_an_answer_at_the_wrong_door_is_refused(tmp_path: Path) -> None:
    with later(tmp_path) as there:
        there.ask()
        assert there.answer(path="/ihe/xca").status == 400
        assert there.answer().status == 202


def test_an_answer_of_another_transaction_is_refused(tmp_path: Path) -> None:
    with later(tmp_path) as there:
        there.ask()
        there.answer()
        there.work()
        query, request = there.heard[1], there.heard[0][1]
        assert query[0] == "ITI_38"
        confused = Reply(
            query[1].seal(
                discovery_body(read_discovery_request(request.body), NoMatch()), ITI_55_ANSWER
            )
        )
        assert there.answer(1, confused).status == 400
        assert there.answer(1).status == 202


def test_a_stranger_cannot_answer(tmp_path: Path) -> None:
    with later(tmp_path) as there:
        there.ask()
        assert there.answer(by="Mallory").status == 400
        (row,) = lakeshore.rows_of(there.house, "awaited_answer")
        assert row["state"] == "sent"


def test_the_name_of_who_answered_is_the_tls_peers(tmp_path: Path) -> None:
    with later(tmp_path) as there:
        there.ask()
        there.answer(reply=sealed(there.heard[0][1], relates_to="urn:uuid:nobody"))
        ((_, peer, _),) = lakeshore.refusals(there.house)
        assert peer.startswith(f"CN={NAME},")
