"""Summaries that a partner was given are kept once and shown to no other."""

import pytest

from gateway.model.document import OfferedDocument, Snapshot
from gateway.model.identity import DocumentId, MemberId, PartnerId
from gateway.store import documents, snapshots
from gateway.store.database import Database
from gateway.store.errors import UnknownId
from tests.gateway.store.builders import ACME, OTHER, a_document

M1, P1, P2 = MemberId("m1"), PartnerId("p1"), PartnerId("p2")


def a_snapshot(id: str = "d1", **changes: object) -> Snapshot:
    document = a_document(id, state="filed", member=M1, reason=None, is_derived=True)
    offered = OfferedDocument(
        document, f"urn:uuid:{id}", f"2.25.{id}", "<rim/>", "34133-9", "N", third_party=False
    )
    values: dict[str, object] = {
        "offered": offered,
        "partner": P1,
        "purpose": "PAYMENT",
        "digest": "abc",
        "sources": (DocumentId("d8"), DocumentId("d9")),
    }
    return Snapshot(**{**values, **changes})  # type: ignore[arg-type]


def keep(house: Database, snapshot: Snapshot) -> bool:
    house.write(lambda t: documents.insert(t, snapshot.offered.document))
    return house.write(lambda t: snapshots.put(t, snapshot))


def test_a_snapshot_is_found_by_its_facts_its_member_and_its_ids(house: Database) -> None:
    snapshot = a_snapshot()
    assert keep(house, snapshot)
    asked = {"plan": ACME, "member": M1, "partner": P1, "purpose": "PAYMENT", "digest": "abc"}
    assert house.read(lambda t: snapshots.find(t, **asked)) == snapshot  # type: ignore[arg-type]
    for other in (
        {"plan": OTHER}, {"member": "m2"}, {"partner": P2}, {"purpose": "x"}, {"digest": "x"},
    ):  # fmt: skip
        assert house.read(lambda t, o=other: snapshots.find(t, **{**asked, **o})) is None
    of_member = house.read(lambda t: snapshots.of_member(t, plan=ACME, member=M1, partner=P1))
    assert of_member == (snapshot,)
    for id in ("urn:uuid:d1", "2.25.d1"):
        by_id = house.read(lambda t, i=id: snapshots.by_ids(t, plan=ACME, partner=P1, ids=[i, "-"]))
        assert by_id == (snapshot,)


def test_another_partner_or_plan_has_none(house: Database) -> None:
    keep(house, a_snapshot())
    for plan, partner in ((ACME, P2), (OTHER, P1)):
        of_member = house.read(
            lambda t, p=plan, q=partner: snapshots.of_member(t, plan=p, member=M1, partner=q)
        )
        by_id = house.read(
            lambda t, p=plan, q=partner: snapshots.by_ids(t, plan=p, partner=q, ids=["2.25.d1"])
        )
        assert (of_member, by_id) == ((), ())


def test_the_same_facts_are_kept_once_for_one_asker(house: Database) -> None:
    assert keep(house, a_snapshot())
    assert not keep(house, a_snapshot("d2"))
    assert keep(house, a_snapshot("d3", purpose="TREATMENT"))
    assert keep(house, a_snapshot("d4", partner=P2))


def test_one_that_was_taken_out_is_gone(house: Database) -> None:
    snapshot = a_snapshot()
    keep(house, snapshot)
    id = snapshot.offered.document.id
    house.write(lambda t: documents.withdraw(t, plan=ACME, document=id, reason="wrong"))
    assert house.read(lambda t: snapshots.of_member(t, plan=ACME, member=M1, partner=P1)) == ()


def test_one_that_was_taken_out_stands_in_no_others_way(house: Database) -> None:
    first, second = a_snapshot(), a_snapshot("d2")
    keep(house, first)
    id = first.offered.document.id
    house.write(lambda t: documents.withdraw(t, plan=ACME, document=id, reason="wrong"))
    assert keep(house, second)
    of_member = house.read(lambda t: snapshots.of_member(t, plan=ACME, member=M1, partner=P1))
    assert of_member == (second,)
    assert not keep(house, a_snapshot("d3"))


def test_a_snapshot_is_of_a_document(house: Database) -> None:
    with pytest.raises(UnknownId):
        house.write(lambda t: snapshots.put(t, a_snapshot()))
