"""A retrieval tells at any time how far each partner has come."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from gateway.model.identity import ConversationId, MemberId, PartnerId, PlanId, RetrievalId
from gateway.model.retention import PlanMonth
from gateway.model.retrieval import PartnerProgress, Requester, Retrieval
from gateway.store import disposals, replay, retrievals
from gateway.store.database import Database
from gateway.store.errors import UnknownId
from tests.gateway.store.builders import ACME, NOW, OTHER

R1 = RetrievalId("r1")


def _retrieval(id: str = "r1") -> Retrieval:
    return Retrieval(
        id=RetrievalId(id),
        plan=ACME,
        member=MemberId("m1"),
        purpose="PAYMENT",
        requester=Requester("Ann Smith", "claims reviewer", "policy 7"),
        conversation=ConversationId("c1"),
        created=NOW,
        since=date(2024, 1, 1),
        partners=(
            PartnerProgress(PartnerId("p1"), "Partner p1"),
            PartnerProgress(PartnerId("p2"), "Partner p2"),
        ),
    )


def test_a_retrieval_comes_back_with_its_partners(house: Database) -> None:
    house.write(lambda t: retrievals.create(t, _retrieval()))
    assert house.read(lambda t: retrievals.get(t, plan=ACME, retrieval=R1)) == _retrieval()
    assert house.read(lambda t: retrievals.get(t, plan=OTHER, retrieval=R1)) is None


def test_progress_at_one_partner_leaves_the_others_alone(house: Database) -> None:
    house.write(lambda t: retrievals.create(t, _retrieval()))
    progress = PartnerProgress(
        PartnerId("p1"), "Partner p1", "retrieve", "matched", 3, 2, 1, 900, "1 missing"
    )
    house.write(lambda t: retrievals.put_progress(t, plan=ACME, retrieval=R1, progress=progress))
    house.write(
        lambda t: retrievals.set_state(t, plan=ACME, retrieval=R1, state="partial", finished=NOW)
    )
    found = house.read(lambda t: retrievals.get(t, plan=ACME, retrieval=R1))
    expected = replace(
        _retrieval(),
        state="partial",
        finished=NOW,
        partners=(progress, _retrieval().partners[1]),
    )
    assert found == expected


def test_progress_is_read_of_the_partners_that_are_named(house: Database) -> None:
    house.write(lambda t: retrievals.create(t, _retrieval()))

    def progress(plan: PlanId, *of: str) -> list[str]:
        partners = [PartnerId(one) for one in of]
        found = house.read(lambda t: retrievals.progress(t, plan=plan, retrieval=R1, of=partners))
        return [one.partner for one in found]

    assert progress(ACME, "p2", "p9") == ["p2"]
    assert progress(ACME, "p2", "p1") == ["p1", "p2"]
    assert progress(ACME) == progress(OTHER, "p1") == []


def test_another_plans_retrieval_cannot_be_moved_on(house: Database) -> None:
    house.write(lambda t: retrievals.create(t, _retrieval()))
    with pytest.raises(UnknownId):
        house.write(lambda t: retrievals.set_state(t, plan=OTHER, retrieval=R1, state="done"))
    progress = _retrieval().partners[0]
    with pytest.raises(UnknownId):
        house.write(
            lambda t: retrievals.put_progress(t, plan=OTHER, retrieval=R1, progress=progress)
        )


def test_retrievals_are_listed_newest_first(house: Database) -> None:
    for number in range(4):
        house.write(lambda t, n=number: retrievals.create(t, _retrieval(f"r{n}")))
    first = house.read(lambda t: retrievals.list_page(t, plan=ACME, limit=2))
    rest = house.read(lambda t: retrievals.list_page(t, plan=ACME, before=first[-1].id))
    assert [retrieval.id for retrieval in (*first, *rest)] == ["r3", "r2", "r1", "r0"]
    assert house.read(lambda t: retrievals.list_page(t, plan=ACME, state="done")) == ()


def test_what_was_asked_in_a_month_that_is_disposed_of_is_gone(house: Database) -> None:
    """By its conversation it would say whose the month's records were."""
    march = PlanMonth(ACME, "2015-03")
    times = {"r1": march.begins, "r2": march.ends, "r3": march.begins - timedelta(microseconds=1)}
    for id, created in times.items():
        house.write(
            lambda t, i=id, c=created: retrievals.create(t, replace(_retrieval(i), created=c))  # type: ignore[misc]
        )
    house.write(lambda t: disposals.shred(t, PlanMonth(OTHER, "2015-03"), now=NOW))
    assert house.read(lambda t: retrievals.get(t, plan=ACME, retrieval=R1)) is not None
    house.write(lambda t: disposals.shred(t, march, now=NOW))
    left = house.read(
        lambda t: t.connection.execute(text("SELECT id FROM retrieval")).scalars().all()
    )
    assert sorted(left) == ["r2", "r3"]
    followed = text("SELECT count(*) FROM retrieval_partner")
    assert house.read(lambda t: t.connection.execute(followed).scalar()) == 4


def test_a_message_is_first_once_a_peer(house: Database) -> None:
    def first(peer: str, now: object = NOW) -> bool:
        later = NOW.replace(hour=8)
        return house.write(
            lambda t: replay.is_first(t, peer=peer, key="k", expires=later, now=now)  # type: ignore[arg-type]
        )

    assert [first("a"), first("a"), first("b")] == [True, False, True]
    assert first("a", NOW.replace(hour=9)) is True


def test_expired_keys_are_forgotten(house: Database) -> None:
    house.write(lambda t: replay.is_first(t, peer="a", key="k", expires=NOW, now=NOW))
    assert house.write(lambda t: replay.forget_expired(t, now=NOW)) == 1
