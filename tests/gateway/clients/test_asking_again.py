"""A partner that answers with nothing is asked again; that is never taken for "no documents"."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.exchange.asking import Patience
from ihe.registry_response import ErrorCode, RegistryError, RegistryResponse, ResponseStatus
from ihe.xca_query import AdhocQueryResponse
from ihe.xca_retrieve import read_retrieve_request
from tests.gateway.clients.asking_house import calls
from tests.gateway.clients.scripted_partner import (
    HOME,
    Answer,
    Heard,
    Reply,
    discovered,
    listed,
    retrieved,
)
from tests.gateway.clients.test_misbehaving_partners import fault
from tests.gateway.exchange.one_partner import CCD, FIRST, Asked, an_error, asked, giving, listing

EMPTY = "it answered HTTP 200 with an empty body"
WELL: dict[str, Answer] = {
    "ITI_55": lambda heard: Reply(discovered(heard)),
    "ITI_38": lambda heard: Reply(listed(heard)),
    "ITI_39": retrieved,
}
SAID = {"ITI_55": "judged: match (96)", "ITI_38": "2 documents listed", "ITI_39": None}
"""What the record of an answer that is well says of it."""


class Turns:
    """Answers in turn, the last one for good, and keeps what it heard."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.heard: list[Heard] = []

    def __call__(self, heard: Heard) -> Reply:
        self.heard.append(heard)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(heard)


def nothing(_heard: Heard) -> Reply:
    return Reply(b"")


def recorded(found: Asked, transaction: str) -> list[tuple[str, str | None]]:
    return [
        (one.outcome, one.reason)
        for one in calls(found.house)
        if one.transaction == transaction.replace("_", "-")
    ]


@pytest.mark.parametrize("transaction", WELL)
def test_an_empty_answer_is_asked_for_again_signed_anew(transaction: str, tmp_path: Path) -> None:
    turns = Turns(nothing, WELL[transaction])
    with asked(tmp_path, **{transaction: turns}) as found:
        assert (found.row.outcome, found.counts, found.row.detail) == ("matched", (2, 2, 0), None)
        assert recorded(found, transaction) == [("failed", EMPTY), ("success", SAID[transaction])]
        for pattern in (
            rb"<wsa:MessageID>([^<]+)<",
            rb'Assertion[^>]* ID="([^"]+)"',
            rb"SignatureValue>([^<]+)<",
        ):
            first, second = (re.findall(pattern, heard.envelope) for heard in turns.heard)
            assert first and second and set(first).isdisjoint(second)


@pytest.mark.parametrize("transaction", WELL)
def test_nothing_and_nothing_again_is_a_failure_and_not_no_documents(
    transaction: str, tmp_path: Path
) -> None:
    with asked(tmp_path, **{transaction: nothing}) as found:
        assert found.row.outcome == "failed"
        assert EMPTY in (found.row.detail or "")
        assert "no documents" not in (found.row.detail or "")
        assert recorded(found, transaction) == [("failed", EMPTY)] * 3


def test_a_refusal_is_not_asked_for_again(tmp_path: Path) -> None:
    turns = Turns(lambda _heard: Reply(fault("Sender"), status=400))
    with asked(tmp_path, ITI_55=turns) as found:
        assert (found.row.outcome, len(turns.heard)) == ("refused", 1)


async def test_there_is_no_pause_that_the_partners_time_does_not_allow() -> None:
    assert not await Patience(0.2).pause(0.3)
    patience = Patience(0.01)
    assert await patience.pause(0.001)
    assert not await patience.pause(0.0095)


# ---- success without what was asked ----------------------------------------------------------


def test_a_list_without_documents_is_said_to_be_one(tmp_path: Path) -> None:
    with asked(tmp_path, ITI_38=listing()) as found:
        assert (found.row.outcome, found.row.detail) == ("matched", "it lists no documents")
        assert found.counts == (0, 0, 0)
        assert "ITI_39" not in found.heard


@pytest.mark.parametrize(
    "first, reason",
    [
        (giving({}), "partial: 2 missing"),
        (giving({FIRST: CCD}), "partial: 1 missing"),
    ],
)
def test_what_a_success_left_out_is_asked_for_once_more(
    first: Answer, reason: str, tmp_path: Path
) -> None:
    turns = Turns(first, retrieved)
    with asked(tmp_path, ITI_39=turns) as found:
        assert (found.row.outcome, found.counts, found.row.detail) == ("matched", (2, 2, 0), None)
        assert [why for _, why in recorded(found, "ITI_39")] == [reason, None]
        asked_for = [
            {one.unique_id for one in read_retrieve_request(heard.body).documents}
            for heard in turns.heard
        ]
        assert asked_for[1] == asked_for[0] - ({FIRST} if "1" in reason else set())


def test_what_is_left_out_twice_is_missing_in_words(tmp_path: Path) -> None:
    turns = Turns(giving({}))
    with asked(tmp_path, ITI_39=turns) as found:
        assert (found.row.outcome, found.counts, len(turns.heard)) == ("matched", (2, 0, 2), 2)
        assert found.row.detail == (
            "partial: 2 missing;"
            " it reported success without 2 of the documents that it lists, asked twice"
        )


def broken(_heard: Heard) -> Reply:
    return Reply(fault("Receiver"), status=500)


def at_home(code: ErrorCode) -> RegistryError:
    """With the community that it is of, as XCA demands of every error."""
    return replace(an_error(code), location=HOME.urn)


def divided(heard: Heard) -> Reply:
    if len(read_retrieve_request(heard.body).documents) == 1:
        return retrieved(heard)
    errors = (at_home(ErrorCode.REPOSITORY_ERROR),)
    return retrieved(heard, {}, RegistryResponse(ResponseStatus.FAILURE, errors))


@pytest.mark.parametrize(
    "second, counts", [(broken, (2, 0, 2)), (divided, (2, 2, 0))], ids=["fails", "is too much"]
)
def test_whatever_becomes_of_the_second_time_is_counted_once(
    second: Callable[[Heard], Reply], counts: tuple[int, int, int], tmp_path: Path
) -> None:
    with asked(tmp_path, ITI_39=Turns(giving({}), second)) as found:
        assert (found.row.outcome, found.counts) == ("matched", counts)


def test_what_is_reported_missing_is_not_asked_for_again(tmp_path: Path) -> None:
    errors = (at_home(ErrorCode.DOCUMENT_UNIQUE_ID),)
    outcome = RegistryResponse(ResponseStatus.PARTIAL_SUCCESS, errors)
    turns = Turns(giving({FIRST: CCD}, outcome=outcome))
    with asked(tmp_path, ITI_39=turns) as found:
        assert (found.counts, len(turns.heard)) == ((2, 1, 1), 1)


def test_an_empty_list_beside_an_error_is_no_empty_list(tmp_path: Path) -> None:
    response = AdhocQueryResponse(
        ResponseStatus.SUCCESS, errors=(at_home(ErrorCode.REGISTRY_ERROR),)
    )
    with asked(tmp_path, ITI_38=lambda heard: Reply(listed(heard, response))) as found:
        assert found.row.outcome == "failed"
        assert "it lists no documents" not in (found.row.detail or "")
