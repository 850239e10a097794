"""What is left to a partner that answers hours later is not lost when that one fails."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.exchange.sharing import AWAITED, THROUGH
from gateway.model.partner import Endpoints, Partner, PartnerProfile
from gateway.model.retrieval import NOT_LOCATED, PartnerProgress
from ihe.discovery import Matched
from ihe.identifiers import HomeCommunityId
from ihe.registry_response import ErrorCode, ResponseStatus
from ihe.xca_query import AdhocQueryResponse
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import answers, assert_sound, calls, retrieval_of
from tests.gateway.clients.later_partner import Later, later
from tests.gateway.clients.scripted_partner import (
    NAME,
    Heard,
    Reply,
    Script,
    a_match,
    discovered,
    listed,
    scripted,
)
from tests.gateway.exchange.one_partner import an_error

HUB = "Statewide Exchange"
HUB_HOME = HomeCommunityId.parse("2.999.7308.1")
_HUB = PartnerProfile(timeout_seconds=30, health_data_locator=True)


@contextmanager
def hub_and_community(
    tmp_path: Path, *others: Partner, has_own: bool = False, **profile: Any
) -> Iterator[tuple[Later, Script]]:
    """A community that lists its documents later, and a hub that names the same patient there
    after it, and with `has_own` one of its own."""
    there: list[Later] = []

    def naming(heard: Heard) -> Reply:
        deadline = time.monotonic() + 20
        while not any(transaction == "ITI_38" for transaction, _ in there[0].heard):
            assert time.monotonic() < deadline, "the community was never asked for its list"
            time.sleep(0.02)
        own = (a_match(home_community_id=HUB_HOME),) if has_own else ()
        return Reply(discovered(heard, Matched((*own, a_match()))))

    with (
        scripted(name=HUB, home=HUB_HOME, ITI_55=naming, profile=_HUB) as hub,
        later(
            tmp_path,
            others=[hub.partner, *others],
            at_once={"ITI_55": lambda heard: Reply(discovered(heard))},
            **profile,
        ) as found,
    ):
        there.append(found)
        yield found, hub


def row(there: Later, name: str) -> PartnerProgress:
    return answers(there.house, there.retrieval)[name]


def said(there: Later, name: str) -> tuple[str | None, str | None]:
    return row(there, name).outcome, row(there, name).detail


def fail(there: Later) -> None:
    """The community says, long after it was asked, that it cannot list anything."""
    errors = (an_error(ErrorCode.UNAVAILABLE_COMMUNITY),)
    failure = AdhocQueryResponse(ResponseStatus.FAILURE, errors=errors)
    assert there.answer(0, Reply(listed(there.heard[0][1], failure))).status == 202
    there.work()
    assert row(there, NAME).outcome == "failed"


def test_when_it_fails_what_was_left_to_it_is_asked_for_after_all(tmp_path: Path) -> None:
    with hub_and_community(tmp_path) as (there, hub):
        there.ask()
        outcome, detail = said(there, HUB)
        assert outcome is None
        assert detail is not None and detail.startswith(f"{AWAITED}; that is awaited until ")
        fail(there)
        assert said(there, HUB)[0] is None
        assert [transaction for transaction, _ in there.heard] == ["ITI_38", "ITI_38"]
        for number in (1, 2):
            assert there.answer(number).status == 202
            there.work()
        ended = row(there, HUB)
        assert (ended.outcome, ended.detail) == ("matched", None)
        assert (ended.documents_found, ended.documents_new, ended.documents_missing) == (2, 2, 0)
        assert hub.heard == ["ITI_55"]  # the demographics left the house once
        assert retrieval_of(there.house, there.retrieval).state == "partial"
        assert_sound(there.house)


def test_what_it_waited_for_is_said_no_more_once_it_has_ended(tmp_path: Path) -> None:
    with hub_and_community(tmp_path) as (there, _):
        there.ask()
        fail(there)
        nothing = AdhocQueryResponse(ResponseStatus.SUCCESS)
        assert there.answer(1, Reply(listed(there.heard[1][1], nothing))).status == 202
        there.work()
        assert said(there, HUB) == ("matched", "it lists no documents")


def test_when_it_brings_them_nobody_is_asked_again(tmp_path: Path) -> None:
    with hub_and_community(tmp_path) as (there, hub):
        there.ask()
        for number in (0, 1):
            assert said(there, HUB)[0] is None
            assert there.answer(number).status == 202
            there.work()
        assert (row(there, NAME).outcome, row(there, NAME).documents_new) == ("matched", 2)
        assert said(there, HUB) == ("matched", f"{THROUGH} {NAME}")
        assert hub.heard == ["ITI_55"]
        assert [transaction for transaction, _ in there.heard] == ["ITI_38", "ITI_39"]
        assert retrieval_of(there.house, there.retrieval).state == "done"
        assert_sound(there.house)


def test_when_nothing_ever_comes_both_end(tmp_path: Path) -> None:
    with hub_and_community(tmp_path, answer_within_seconds=1) as (there, _):
        there.ask()
        deadline = time.monotonic() + 60
        while retrieval_of(there.house, there.retrieval).state == "running":
            assert time.monotonic() < deadline, "never ended"
            there.work()
        assert [row(there, name).outcome for name in (NAME, HUB)] == ["late", "late"]
        assert_sound(there.house)


def test_its_own_part_is_asked_for_once_and_what_was_said_of_it_stays(tmp_path: Path) -> None:
    with hub_and_community(tmp_path, has_own=True) as (there, hub):
        there.ask()
        before = row(there, HUB)
        assert before.documents_found == 2
        assert before.step == "left"
        assert before.remarks == (
            "partial: 2 missing",
            "it says that it is no Health Data Locator",
            "2 came from another community than was asked: not taken",
        )
        assert [f"{step}." for step in before.steps] == [before.next_step]
        for number in (0, 1):
            assert there.answer(number).status == 202
            there.work()
        ended = row(there, HUB)
        assert ended.outcome == "matched"
        assert ended.detail == "; ".join((*before.remarks, f"{THROUGH} {NAME}"))
        assert (ended.next_step, ended.remarks, ended.steps) == (before.next_step, (), ())
        assert (ended.documents_found, ended.documents_new) == (2, before.documents_new)
        assert hub.heard.count("ITI_55") == hub.heard.count("ITI_38") == 1
        assert sum(call.partner == str(HUB_HOME) for call in calls(there.house)) == len(hub.heard)
        assert_sound(there.house)


def test_whom_it_may_name_as_a_locator_does_not_wait_with_it(tmp_path: Path) -> None:
    """It has said who knows the member, whatever it waits for itself."""
    profile = PartnerProfile(only_where_located=True)
    endpoints = Endpoints(iti55="https://localhost:9/xcpd")
    clinic = lakeshore.a_partner("Clinic", "2.999.7310.1", endpoints=endpoints, profile=profile)
    with hub_and_community(tmp_path, clinic) as (there, _):
        there.ask()
        assert said(there, HUB)[0] is None
        assert said(there, "Clinic") == ("not_asked", NOT_LOCATED)
