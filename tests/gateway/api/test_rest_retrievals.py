"""Asking partners for a member's records: what must be stated, and how it is followed."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from gateway.model.identity import MemberId, PartnerId, PlanId, RetrievalId
from gateway.model.retrieval import PartnerProgress
from gateway.store import members, retrievals, tables, tokens
from gateway.store.transaction import Transaction
from tests.gateway.api.doors import PROBLEM, PURPOSE, Doors, open_doors, retrieval_of
from tests.gateway.house import AUTHORITY, MEMBER, OTHER_PLAN, PLAN

PATH: Final = f"/api/v1/members/{MEMBER.id}/retrievals"
REQUESTER: Final = {"person": "Pat Payer", "role": "adjuster"}


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with open_doors(tmp_path_factory.mktemp("retrievals")) as opened:
        yield opened


def post(doors: Doors, form: Any, member: str = MEMBER.id, plan: PlanId = PLAN) -> httpx.Response:
    path = f"/api/v1/members/{member}/retrievals"
    content = form if isinstance(form, bytes) else json.dumps(form).encode()
    return doors.call("POST", path, doors.token(plan, "staff"), content=content)


def a_member(doors: Doors, id: str, plan: PlanId = PLAN, **changes: Any) -> MemberId:
    member = replace(MEMBER, id=MemberId(id), plan=plan, member_id=f"N-{id}", **changes)
    return doors.house.database.write(lambda tx: members.put(tx, member)).id


def queued(doors: Doors) -> int:
    return len(doors.rows("SELECT * FROM job"))


def test_a_retrieval_is_accepted_at_once_and_has_an_address(doors: Doors) -> None:
    jobs, last = queued(doors), doors.last()
    form = {"purpose": "payment", "requester": {**REQUESTER, "authority": "claim 7"},
            "since": "2024-02-29"}  # fmt: skip
    answer = post(doors, form)
    assert answer.status_code == 202
    shown = answer.json()
    assert answer.headers["location"] == f"/api/v1/retrievals/{shown['id']}"
    assert shown["member"] == MEMBER.id
    assert shown["purpose"] == "PAYMENT"
    assert shown["requester"] == {**REQUESTER, "authority": "claim 7"}
    assert (shown["state"], shown["since"], shown["finished"]) == ("waiting", "2024-02-29", None)
    assert shown["partners"] == []
    assert queued(doors) == jobs + 1
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["outcome"]) == ("REST-RETRIEVAL", "success")
    assert (record["member"], record["purpose"]) == (MEMBER.id, "PAYMENT")
    assert (record["authority"], record["conversation"]) == ("claim 7", shown["conversation"])
    stored = retrieval_of(doors, shown["id"])
    assert stored.since == date(2024, 2, 29)
    assert stored.requester.person == "Pat Payer"


def test_following_a_retrieval_again_gives_the_same_and_changes_nothing(doors: Doors) -> None:
    address = doors.start(MEMBER.id).headers["location"]
    staff, jobs = doors.token(PLAN, "staff"), queued(doors)
    first, second = doors.get(address, staff), doors.get(address, staff)
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert queued(doors) == jobs


# ---- what must be stated ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "location"),
    [
        ({}, "body.purpose"),
        ({"purpose": "PAYMENT"}, "body.requester"),
        ({"requester": REQUESTER}, "body.purpose"),
        ({"purpose": "", "requester": REQUESTER}, "body.purpose"),
        ({"purpose": None, "requester": REQUESTER}, "body.purpose"),
        ({"purpose": 7, "requester": REQUESTER}, "body.purpose"),
        ({"purpose": "PAYMENT", "requester": ["Pat"]}, "body.requester"),
        ({"purpose": "PAYMENT", "requester": {"role": "adjuster"}}, "body.requester.person"),
        ({"purpose": "PAYMENT", "requester": {**REQUESTER, "person": " "}},
         "body.requester.person"),
        ({"purpose": "PAYMENT", "requester": {**REQUESTER, "person": "x" * 201}},
         "body.requester.person"),
        ({"purpose": "PAYMENT", "requester": {**REQUESTER, "person": "P\x00"}},
         "body.requester.person"),
        ({"purpose": "PAYMENT", "requester": {**REQUESTER, "authority": "\x01"}},
         "body.requester.authority"),
        ({"purpose": "PAYMENT", "requester": REQUESTER, "since": "yesterday"}, "body.since"),
        ({"purpose": "PAYMENT", "requester": REQUESTER, "since": "2024-02-30"}, "body.since"),
        ({"purpose": "PAYMENT", "requester": REQUESTER, "Zanzibarson": 1}, "body"),
        ([], "body"),
        (b"", "body"),
        (b"{", "body"),
        (b'{"purpose": "\\ud800"}', "body"),
        (b"\xff\xfe{}", "body"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_named_and_nothing_is_asked(
    doors: Doors, form: Any, location: str
) -> None:
    jobs, last = queued(doors), doors.last()
    answer = post(doors, form)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == PROBLEM
    assert location in [error["location"] for error in answer.json()["errors"]]
    assert "Zanzibarson" not in answer.text
    assert queued(doors) == jobs
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["outcome"]) == ("REST-RETRIEVAL", "refused")


@contextmanager
def registered(doors: Doors, **changes: str | None) -> Iterator[None]:
    """The plans as if their settings said so."""
    means = doors.application.state.means
    plans = tuple(replace(plan, **changes) for plan in means.plans)
    doors.application.state.means = replace(means, plans=plans)
    try:
        yield
    finally:
        doors.application.state.means = means


@pytest.mark.parametrize("requester", [{"person": "Pat"}, "Pat"])
def test_a_role_is_stated_by_the_request_or_registered_by_the_plan(
    doors: Doors, requester: object
) -> None:
    form = {"purpose": "PAYMENT", "requester": requester}
    refused = post(doors, form)
    assert refused.status_code == 422
    assert "role" in refused.json()["detail"]
    with registered(doors, requester_role="case manager"):
        taken = post(doors, form).json()["requester"]
    assert taken == {"person": "Pat", "role": "case manager", "authority": AUTHORITY}


def test_without_an_authority_nothing_is_asked(doors: Doors) -> None:
    jobs = queued(doors)
    with registered(doors, authority=None):
        refused = post(doors, {"purpose": "PAYMENT", "requester": REQUESTER})
    assert (refused.status_code, queued(doors)) == (422, jobs)
    assert "authority" in refused.json()["detail"]


def test_an_unknown_purpose_is_refused_with_those_that_are_known(doors: Doors) -> None:
    last = doors.last()
    answer = post(doors, {"purpose": "Zanzibarson", "requester": REQUESTER})
    assert answer.status_code == 422
    assert "PAYMENT" in answer.json()["detail"]
    (record,) = doors.recorded(last)
    assert (record["outcome"], record["member"]) == ("refused", MEMBER.id)
    assert "Zanzibarson" not in answer.text + str(record)


@pytest.mark.parametrize("purpose", ["TREATMENT", "T-TRTMNT", "T-TREAT", "treatment", "EMERGENCY"])
def test_treatment_is_refused_without_an_agreement(doors: Doors, purpose: str) -> None:
    jobs, last = queued(doors), doors.last()
    answer = post(doors, {"purpose": purpose, "requester": REQUESTER})
    assert answer.status_code == 403
    assert "treatment" in answer.json()["detail"]
    assert queued(doors) == jobs
    (record,) = doors.recorded(last)
    assert (record["outcome"], record["member"]) == ("refused", MEMBER.id)
    assert record["purpose"] == purpose.upper()


def test_treatment_is_asked_for_once_an_agreement_is_registered(doors: Doors) -> None:
    means = doors.application.state.means
    agreed = tuple(
        replace(plan, treatment_agreement="delegated care 2026") if plan.id == PLAN else plan
        for plan in means.plans
    )
    doors.application.state.means = replace(means, plans=agreed)
    try:
        answer = post(doors, {"purpose": "TREATMENT", "requester": REQUESTER})
    finally:
        doors.application.state.means = means
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("id", "changes", "word"),
    [
        ("past", {"coverage_end": date(2020, 1, 1)}, "coverage"),
        ("future", {"coverage_start": date(2999, 1, 1)}, "coverage"),
        ("out", {"opted_out": True}, "opted out"),
    ],
)
def test_a_member_without_coverage_or_consent_is_not_asked_for(
    doors: Doors, id: str, changes: dict[str, Any], word: str
) -> None:
    member = a_member(doors, id, **changes)
    jobs, last = queued(doors), doors.last()
    answer = post(doors, PURPOSE, member)
    assert answer.status_code == 403
    assert word in answer.json()["detail"]
    assert queued(doors) == jobs
    (record,) = doors.recorded(last)
    assert (record["outcome"], record["member"]) == ("refused", member)
    assert word in record["reason"]


def test_coverage_is_in_force_on_its_first_and_last_day(doors: Doors) -> None:
    today = datetime.now(UTC).date()
    member = a_member(doors, "today", coverage_start=today, coverage_end=today)
    assert post(doors, PURPOSE, member).status_code == 202
    gone = a_member(doors, "gone", coverage_end=today - timedelta(days=1))
    assert post(doors, PURPOSE, gone).status_code == 403


def test_a_body_over_the_limit_is_refused(doors: Doors) -> None:
    last = doors.last()
    answer = post(doors, {**PURPOSE, "requester": {**REQUESTER, "person": "x" * 70_000}})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == PROBLEM
    (record,) = doors.recorded(last)
    assert record["outcome"] == "refused"


@settings(max_examples=30)
@given(
    form=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(
            st.sampled_from(["purpose", "requester", "person", "role", "since"]) | st.text(), inner
        ),
    )
)  # fmt: skip
def test_no_body_makes_the_door_fail(doors: Doors, form: Any) -> None:
    last = doors.last()
    answer = post(doors, json.dumps(form).encode("utf-8", "surrogatepass"))
    assert answer.status_code in (202, 403, 422)
    assert len(doors.recorded(last)) == 1


# ---- following -------------------------------------------------------------------------------


def events_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    blocks = answer.text.split("\n\n")
    assert blocks.pop() == ""
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


@pytest.mark.parametrize("state", ["done", "partial", "failed", "cancelled"])
def test_following_a_retrieval_that_has_ended_gives_its_end_at_once(
    doors: Doors, state: Any
) -> None:
    id = doors.start(MEMBER.id).json()["id"]
    doors.house.database.write(
        lambda tx: retrievals.set_state(tx, plan=PLAN, retrieval=id, state=state)
    )
    last = doors.last()
    answer = doors.get(f"/api/v1/retrievals/{id}/events", doors.token(PLAN, "staff"))
    assert [event["state"] for event in events_of(answer)] == [state]
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["member"]) == ("REST-RETRIEVAL-EVENTS", MEMBER.id)


def followed(
    doors: Doors, id: str, token: str, work: Callable[[], Awaitable[None]]
) -> list[dict[str, Any]]:
    """The events of a retrieval while `work` is done."""

    async def both() -> httpx.Response:
        transport = httpx.ASGITransport(doors.application)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://plan") as client:
            following = asyncio.create_task(
                client.get(f"/api/v1/retrievals/{id}/events", headers=headers)
            )
            await work()
            return await asyncio.wait_for(following, 20)

    return events_of(doors.runner.run(both()))


@pytest.mark.parametrize("way", ["revoked", "expired"])
def test_events_end_with_the_token_that_asked_for_them(doors: Doors, way: str) -> None:
    id = doors.start(MEMBER.id).json()["id"]
    database, now = doors.house.database, datetime.now(UTC)
    made, secret = database.write(
        lambda tx: tokens.create(tx, plan=PLAN, name="Nora", role="staff", now=now)
    )

    def end(tx: Transaction) -> None:
        if way == "revoked":
            tokens.revoke(tx, plan=PLAN, token=made.id, now=now)
        else:
            is_it = tables.token.c.id == made.id
            tx.connection.execute(update(tables.token).where(is_it).values(expires=now))

    def both(tx: Transaction) -> None:
        end(tx)
        retrievals.set_state(tx, plan=PLAN, retrieval=RetrievalId(id), state="done")

    async def work() -> None:
        await asyncio.sleep(0.3)
        await database.write_async(both)

    assert [event["state"] for event in followed(doors, id, secret, work)] == ["waiting"]


def test_events_tell_each_change_and_end_with_the_final_state(doors: Doors) -> None:
    id = doors.start(MEMBER.id).json()["id"]
    database = doors.house.database

    def step(outcome: Any) -> Any:
        progress = PartnerProgress(PartnerId("p"), "Northfield", outcome=outcome, documents_new=2)
        return lambda tx: retrievals.put_progress(tx, plan=PLAN, retrieval=id, progress=progress)

    def state(name: Any) -> Any:
        return lambda tx: retrievals.set_state(tx, plan=PLAN, retrieval=id, state=name)

    async def work() -> None:
        for unit in (state("running"), step(None), step("matched")):
            await asyncio.sleep(0.3)
            await database.write_async(unit)
        await asyncio.sleep(0.3)
        await database.write_async(state("done"))

    events = followed(doors, id, doors.token(PLAN, "staff"), work)
    assert [event["state"] for event in events] == ["waiting", "running", "running", "running",
                                                    "done"]  # fmt: skip
    assert [[partner["outcome"] for partner in event["partners"]] for event in events] == [
        [], [], [None], ["matched"], ["matched"],
    ]  # fmt: skip
    final = doors.get(f"/api/v1/retrievals/{id}", doors.token(PLAN, "staff")).json()
    assert events[-1] == final


def test_a_retrieval_shows_each_partner_in_the_agreed_shape(doors: Doors) -> None:
    id = doors.start(MEMBER.id).json()["id"]
    progress = PartnerProgress(
        PartnerId("p"), "Northfield", "retrieve", "matched", 3, 2, 1, 40, "1 did not come"
    )
    doors.house.database.write(
        lambda tx: retrievals.put_progress(tx, plan=PLAN, retrieval=id, progress=progress)
    )
    shown = doors.get(f"/api/v1/retrievals/{id}", doors.token(PLAN, "staff")).json()
    assert {"id", "member", "purpose", "requester", "state", "partners"} <= set(shown)
    (partner,) = shown["partners"]
    assert partner == {
        "partner": "Northfield", "partner_id": "p", "step": "retrieve", "outcome": "matched",
        "documents_found": 3, "documents_new": 2, "documents_missing": 1, "elapsed_ms": 40,
        "detail": "1 did not come",
        "next_step": None,
    }  # fmt: skip


def test_a_members_retrievals_are_listed_newest_first_in_pages(doors: Doors) -> None:
    member = a_member(doors, "listed", OTHER_PLAN)
    made = [post(doors, PURPOSE, member, OTHER_PLAN).json()["id"] for _ in range(5)]
    staff, path = doors.token(OTHER_PLAN, "staff"), f"/api/v1/members/{member}/retrievals"
    seen, before = [], {}
    for _ in range(4):
        page = doors.get(path, staff, limit=2, **before).json()
        seen += [one["id"] for one in page["retrievals"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    assert seen == made[::-1]
