"""A person decides whose a held document is, whether a match is one, and may take it back."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.app.house import House
from gateway.exchange.deciding import (
    NothingToDecide,
    Verdict,
    decide_match,
    file_as,
    find_match,
    read_held,
    reject_document,
    undo_document,
    undo_match,
    unfile,
)
from gateway.exchange.ingest import Ingested
from gateway.model.document import Document
from gateway.model.identity import PlanId
from gateway.model.link import Link
from gateway.store import links, offers, partners
from gateway.store.errors import UnknownId
from gateway.store.transaction import Transaction
from ihe.identifiers import HomeCommunityId, Oid, PatientId
from tests.gateway.clients.asking_house import MEMBER, PLAN
from tests.gateway.exchange.ingesting import ASTHMA, GOUT, cda, problems, reload, take
from tests.gateway.house import a_partner

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def house(either_house: House) -> House:
    return either_house


def held(house: House, number: str = "1", sections: str = ASTHMA) -> Ingested:
    """A document whose patient is nobody of the plan."""
    done = take(house, cda(number=number, family="Married", birth="19580413", sections=sections))
    assert done.outcome == "held"
    return done


def filed_by_hand(house: House, done: Ingested) -> Document:
    (plan,) = (plan for plan in house.plans if plan.id == PLAN)
    received = asyncio.run(read_held(house.archive, reload(house, done), plan))
    return house.database.write(
        file_as(received, done.document.id, member=MEMBER, community=house.community, now=NOW)
    )


def test_a_held_document_that_a_person_files_counts_and_is_offered(house: House) -> None:
    done = held(house)
    assert problems(house) == {}
    filed = filed_by_hand(house, done)
    assert (filed.state, filed.member, filed.reason) == ("filed", MEMBER.id, None)
    assert problems(house) == {"Asthma": False}
    offered = house.database.read(lambda tx: offers.of_member(tx, plan=PLAN, member=MEMBER.id))
    assert [one.document.id for one in offered] == [done.document.id]


def test_it_supersedes_what_it_replaces(house: House) -> None:
    old = take(house, cda(number="1", sections=ASTHMA))
    new = take(
        house,
        cda(number="2", replaces="1", family="Married", birth="19580413", sections=GOUT),
    )
    filed_by_hand(house, new)
    assert reload(house, old).superseded_by == new.document.id


def test_what_was_filed_is_taken_back_and_waits_again_for_the_same_member(house: House) -> None:
    done = held(house)
    filed_by_hand(house, done)
    house.database.write(
        lambda tx: undo_document(tx, plan=PLAN, document=done.document.id, now=NOW)
    )
    waits = reload(house, done)
    assert (waits.state, waits.member, waits.candidate) == ("held", None, MEMBER.id)
    assert problems(house) == {}
    assert house.database.read(lambda tx: offers.of_member(tx, plan=PLAN, member=MEMBER.id)) == ()


def test_a_rejected_document_stays_so_when_it_comes_again_until_that_is_undone(
    house: House,
) -> None:
    done = held(house)
    house.database.write(
        lambda tx: reject_document(tx, plan=PLAN, document=done.document.id, reason="nobody")
    )
    again = take(house, cda(number="1", family="Married", birth="19580413", sections=ASTHMA))
    assert (again.outcome, again.document.state) == ("duplicate", "withdrawn")
    house.database.write(
        lambda tx: undo_document(tx, plan=PLAN, document=done.document.id, now=NOW)
    )
    assert reload(house, done).state == "held"


def test_a_rejected_document_waits_again_for_whom_it_was_held(house: House) -> None:
    done = take(house, cda(address=False))
    assert done.document.candidate == MEMBER.id
    house.database.write(
        lambda tx: reject_document(tx, plan=PLAN, document=done.document.id, reason="nobody")
    )
    house.database.write(
        lambda tx: undo_document(tx, plan=PLAN, document=done.document.id, now=NOW)
    )
    waits = reload(house, done)
    assert (waits.state, waits.member, waits.candidate) == ("held", None, MEMBER.id)


def test_a_wrongly_filed_document_leaves_the_summary_and_does_not_come_back(house: House) -> None:
    content = cda(sections=ASTHMA)
    done = take(house, content)
    assert problems(house) == {"Asthma": False}
    house.database.write(
        lambda tx: unfile(
            tx, plan=PLAN, document=done.document.id, reason="another person's", now=NOW
        )
    )
    assert problems(house) == {}
    assert take(house, content).outcome == "duplicate"
    assert problems(house) == {}


def test_what_is_not_in_the_state_for_it_is_not_decided(house: House) -> None:
    filed, waiting = take(house, cda(sections=ASTHMA)), held(house, "2")
    plan = next(plan for plan in house.plans if plan.id == PLAN)
    with pytest.raises(NothingToDecide, match="is filed"):
        asyncio.run(read_held(house.archive, filed.document, plan))
    for act, document in (("reject", filed), ("unfile", waiting), ("undo", waiting)):
        with pytest.raises(NothingToDecide):
            _act(house, act, document.document.id)
        with pytest.raises(UnknownId):
            _act(house, act, "nothing")


def test_of_two_who_file_at_once_the_second_is_told(house: House) -> None:
    done = held(house)
    plan = next(plan for plan in house.plans if plan.id == PLAN)
    received = asyncio.run(read_held(house.archive, reload(house, done), plan))
    unit = file_as(received, done.document.id, member=MEMBER, community=house.community, now=NOW)
    house.database.write(unit)
    with pytest.raises(NothingToDecide, match="is filed"):
        house.database.write(unit)


def test_of_two_who_decide_in_one_moment_the_second_is_told(house: House) -> None:
    document = held(house).document.id

    def reject(reason: str) -> Callable[[Transaction], object]:
        return lambda tx: reject_document(tx, plan=PLAN, document=document, reason=reason)

    _the_second_is_told(house, reject("nobody of ours"), reject("another reason"))


def _the_second_is_told(
    house: House, first: Callable[[Transaction], object], second: Callable[[Transaction], object]
) -> None:
    is_decided = threading.Event()

    def decide(transaction: Transaction) -> None:
        first(transaction)
        is_decided.set()
        time.sleep(0.3)  # in which the other looks, if it may

    with ThreadPoolExecutor() as threads:
        decided = threads.submit(house.database.write, decide)
        assert is_decided.wait(20)
        with pytest.raises(NothingToDecide):
            house.database.write(second)
        decided.result(20)


def _act(house: House, act: str, document: str) -> None:
    id: Any = document
    acts = {
        "reject": lambda tx: reject_document(tx, plan=PLAN, document=id, reason="r"),
        "unfile": lambda tx: unfile(tx, plan=PLAN, document=id, reason="r", now=NOW),
        "undo": lambda tx: undo_document(tx, plan=PLAN, document=id, now=NOW),
    }
    house.database.write(acts[act])


# ---- matches ---------------------------------------------------------------------------------


def a_match(house: House) -> Link:
    partner = a_partner(plan=PLAN)
    house.database.write(lambda tx: partners.put(tx, partner))
    link = Link(
        PLAN,
        MEMBER.id,
        partner.id,
        HomeCommunityId(Oid("2.999.8.1")),
        PatientId("77", Oid("2.999.8.1.5")),
        "held",
        NOW,
    )
    house.database.write(lambda tx: links.put(tx, link))
    return link


@pytest.mark.parametrize("verdict", ["confirmed", "rejected"])
def test_a_match_is_decided_and_taken_back(house: House, verdict: Verdict) -> None:
    link = a_match(house)
    done = house.database.write(
        lambda tx: decide_match(tx, plan=PLAN, match=link.id, verdict=verdict)
    )
    assert (done.state, done.is_decided, done.id) == (verdict, True, link.id)
    with pytest.raises(NothingToDecide, match=verdict):
        house.database.write(lambda tx: decide_match(tx, plan=PLAN, match=link.id, verdict=verdict))
    back = house.database.write(lambda tx: undo_match(tx, plan=PLAN, match=link.id))
    assert (back.state, back.is_decided) == ("held", False)
    with pytest.raises(NothingToDecide):
        house.database.write(lambda tx: undo_match(tx, plan=PLAN, match=link.id))


def test_a_match_that_is_decided_is_undone_before_it_is_decided_otherwise(house: House) -> None:
    link = a_match(house)
    house.database.write(lambda tx: decide_match(tx, plan=PLAN, match=link.id, verdict="confirmed"))
    with pytest.raises(NothingToDecide, match="undo that before"):
        house.database.write(
            lambda tx: decide_match(tx, plan=PLAN, match=link.id, verdict="rejected")
        )
    (stands,) = house.database.read(lambda tx: links.of_member(tx, plan=PLAN, member=MEMBER.id))
    assert stands.state == "confirmed"


def test_of_two_who_decide_a_match_in_one_moment_the_second_is_told(house: House) -> None:
    match = a_match(house).id

    def decide(verdict: Verdict) -> Callable[[Transaction], object]:
        return lambda tx: decide_match(tx, plan=PLAN, match=match, verdict=verdict)

    _the_second_is_told(house, decide("confirmed"), decide("rejected"))
    (stands,) = house.database.read(lambda tx: links.of_member(tx, plan=PLAN, member=MEMBER.id))
    assert stands.state == "confirmed"


def test_a_match_that_nobody_doubts_is_not_put_before_people_and_may_be_rejected(
    house: House,
) -> None:
    """Whose documents have turned out to be another's is asked for no more (DECISIONS 14)."""
    link = replace(a_match(house), state="confirmed")
    house.database.write(lambda tx: links.put(tx, link))
    assert house.database.read(lambda tx: links.held(tx, plan=PLAN)) == ()
    other = house.database.read(lambda tx: find_match(tx, plan=PlanId("other"), match=link.id))
    assert other is None
    with pytest.raises(NothingToDecide, match="nobody has decided"):
        house.database.write(lambda tx: undo_match(tx, plan=PLAN, match=link.id))
    done = house.database.write(
        lambda tx: decide_match(tx, plan=PLAN, match=link.id, verdict="rejected")
    )
    assert (done.state, done.is_decided) == ("rejected", True)
    with pytest.raises(UnknownId):
        house.database.write(
            lambda tx: decide_match(tx, plan=PLAN, match="0" * 20, verdict="rejected")
        )
