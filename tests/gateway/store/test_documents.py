"""A document is received once, and is always in exactly one state."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.model.document import Document, OfferedDocument, Source
from gateway.model.identity import DocumentId, MemberId, PartnerId
from gateway.store import documents, offers
from gateway.store.database import Database, Transaction
from gateway.store.errors import UnknownId
from tests.gateway.store.builders import ACME, NOW, OTHER, a_document

D1, D2, M1 = DocumentId("d1"), DocumentId("d2"), MemberId("m1")


def test_a_document_comes_back_as_it_went_in(house: Database) -> None:
    document = a_document(
        candidate=M1, mime_type="text/xml", type_code="34133-9", set_id="2.999^s", version=2
    )
    assert house.write(lambda t: documents.insert(t, document)) == document
    assert house.read(lambda t: documents.get(t, plan=ACME, document=D1)) == document


def test_the_same_bytes_from_the_same_source_are_one_document(house: Database) -> None:
    first = a_document()
    again = replace(first, id=D2, title="another title")
    house.write(lambda t: documents.insert(t, first))
    assert house.write(lambda t: documents.insert(t, again)) == first
    assert house.read(lambda t: documents.list_page(t, plan=ACME)) == (first,)


def test_the_same_bytes_from_another_source_are_another_document(house: Database) -> None:
    first = a_document()
    other = replace(first, id=D2, source=Source(door="DIRECT", partner=PartnerId("p2")))
    house.write(lambda t: documents.insert(t, first))
    assert house.write(lambda t: documents.insert(t, other)).id == "d2"


def test_the_same_bytes_in_another_plan_are_another_document(house: Database) -> None:
    first = a_document()
    house.write(lambda t: documents.insert(t, first))
    assert house.write(lambda t: documents.insert(t, replace(first, id=D2, plan=OTHER))).id == "d2"


def test_a_document_is_found_by_the_ids_its_authors_gave(house: Database) -> None:
    endless = "2.999^" + "9" * 5000
    document = a_document(clinical_id=endless, set_id="2.999^set")
    house.write(lambda t: documents.insert(t, document))
    found = house.read(lambda t: documents.by_clinical_id(t, plan=ACME, clinical_id=endless))
    assert [document.id for document in found] == ["d1"]
    found = house.read(lambda t: documents.by_set(t, plan=ACME, set_id="2.999^set"))
    assert [document.id for document in found] == ["d1"]
    assert house.read(lambda t: documents.by_set(t, plan=OTHER, set_id="2.999^set")) == ()


def test_a_held_document_is_nobodys_until_it_is_filed(house: Database) -> None:
    house.write(lambda t: documents.insert(t, a_document(candidate=M1)))
    filed = house.write(lambda t: documents.file(t, plan=ACME, document=D1, member=M1))
    assert (filed.state, filed.member, filed.candidate, filed.reason) == ("filed", M1, None, None)
    held = house.write(
        lambda t: documents.hold(t, plan=ACME, document=D1, reason="no", candidate=M1)
    )
    assert (held.state, held.member, held.candidate, held.reason) == ("held", None, M1, "no")


def test_what_becomes_of_a_new_document_is_told_as_it_stands(house: Database) -> None:
    reread = a_document(title="another title")
    steps: tuple[Callable[[Transaction], Document], ...] = (
        lambda t: documents.insert(t, a_document()),
        lambda t: documents.hold(t, plan=ACME, document=D1, reason="x", candidate=M1),
        lambda t: documents.file(t, plan=ACME, document=D1, member=M1),
        lambda t: documents.describe(t, reread),
        lambda t: documents.supersede(t, plan=ACME, document=D1, by=None),
        lambda t: documents.withdraw(t, plan=ACME, document=D1, reason="wrong patient"),
    )

    def unit(transaction: Transaction) -> list[str]:
        told = []
        for step in steps:
            changed = step(transaction)
            assert documents.get(transaction, plan=ACME, document=D1) == changed
            assert documents.list_page(transaction, plan=ACME) == (changed,)
            told.append(f"{changed.state}, {changed.title}")
        return told

    assert house.write(unit) == [
        "held, Summary of care",
        "held, Summary of care",
        "filed, Summary of care",
        "filed, another title",
        "filed, another title",
        "withdrawn, another title",
    ]


def test_attempts_to_read_a_quarantined_document_are_counted(house: Database) -> None:
    house.write(lambda t: documents.insert(t, a_document()))
    for _ in range(2):
        document = house.write(
            lambda t: documents.quarantine(
                t, plan=ACME, document=D1, stage="parse", reason="no XML", now=NOW
            )
        )
    assert (document.state, document.reason) == ("quarantined", "no XML")
    found = house.read(lambda t: documents.quarantined(t, plan=ACME))
    assert [(one.document.id, one.stage, one.attempts) for one in found] == [("d1", "parse", 2)]
    assert house.read(lambda t: documents.quarantined(t, plan=OTHER)) == ()


def test_another_plans_document_cannot_be_touched(house: Database) -> None:
    house.write(lambda t: documents.insert(t, a_document()))
    with pytest.raises(UnknownId):
        house.write(lambda t: documents.withdraw(t, plan=OTHER, document=D1, reason="mine"))
    assert house.read(lambda t: documents.get(t, plan=OTHER, document=D1)) is None


def test_a_later_reading_describes_the_document_anew(house: Database) -> None:
    house.write(lambda t: documents.insert(t, a_document()))
    read = a_document(title="Discharge summary", type_code="18842-5", state="filed")
    described = house.write(lambda t: documents.describe(t, read))
    assert (described.title, described.type_code, described.state) == (
        "Discharge summary",
        "18842-5",
        "held",
    )


def test_documents_are_listed_in_the_order_they_came(house: Database) -> None:
    for number in range(5):
        house.write(lambda t, n=number: documents.insert(t, a_document(f"d{n}")))
    first = house.read(lambda t: documents.list_page(t, plan=ACME, state="held", limit=2))
    rest = house.read(lambda t: documents.list_page(t, plan=ACME, after=first[-1].id))
    assert [document.id for document in (*first, *rest)] == ["d0", "d1", "d2", "d3", "d4"]


def test_only_filed_and_current_documents_are_offered(house: Database) -> None:
    def register(id: str) -> OfferedDocument:
        document = house.write(lambda t: documents.insert(t, a_document(id)))
        filed = house.write(lambda t: documents.file(t, plan=ACME, document=document.id, member=M1))
        offered = OfferedDocument(filed, f"urn:uuid:{id}", f"2.25.{id}", "<rim/>", "34133-9", "N")
        house.write(lambda t: offers.put(t, offered))
        return offered

    current, old, withdrawn = register("d1"), register("d2"), register("d3")
    house.write(lambda t: documents.supersede(t, plan=ACME, document=D2, by=D1))
    house.write(
        lambda t: documents.withdraw(t, plan=ACME, document=DocumentId("d3"), reason="wrong")
    )
    assert house.read(lambda t: offers.of_member(t, plan=ACME, member=M1)) == (current,)
    assert house.read(lambda t: offers.of_member(t, plan=OTHER, member=M1)) == ()
    ids = [old.unique_id, withdrawn.entry_uuid, "unknown"]
    asked = house.read(lambda t: offers.by_ids(t, plan=ACME, ids=ids))
    assert [offered.entry_uuid for offered in asked] == ["urn:uuid:d2"]


@pytest.mark.parametrize("others", [0, 1, 2, 3, 6, 499])
def test_an_offer_is_found_among_ids_of_any_number(house: Database, others: int) -> None:
    for id in ("d1", "d2"):
        document = house.write(
            lambda t, id=id: documents.insert(t, a_document(id, state="filed", member=M1))
        )
        offered = OfferedDocument(document, f"urn:uuid:{id}", f"2.25.{id}", "<rim/>")
        house.write(lambda t, one=offered: offers.put(t, one))
    ids = [*(f"unknown-{number}" for number in range(others)), "2.25.d1"]
    for asked in (ids, ids[::-1], [*ids, "urn:uuid:d1", "2.25.d1"]):
        found = house.read(lambda t, ids=asked: offers.by_ids(t, plan=ACME, ids=ids))
        assert [one.unique_id for one in found] == ["2.25.d1"]
    both = house.read(lambda t: offers.by_ids(t, plan=ACME, ids=[*ids, "urn:uuid:d2"]))
    assert [one.unique_id for one in both] == ["2.25.d1", "2.25.d2"]
    assert house.read(lambda t: offers.by_ids(t, plan=ACME, ids=[])) == ()


def test_offers_are_narrowed_by_code_and_hold_no_summary_of_ours(house: Database) -> None:
    def register(id: str, **changes: object) -> str:
        given = a_document(id, state="filed", member=M1, **changes)
        document = house.write(lambda t: documents.insert(t, given))
        offered = OfferedDocument(document, f"urn:uuid:{id}", f"2.25.{id}", "<rim/>", f"c-{id}")
        house.write(lambda t: offers.put(t, offered))
        return id

    register("d1", type_code="a")
    register("d2", type_code="b")
    register("d3", type_code="a", is_derived=True)
    house.write(lambda t: documents.supersede(t, plan=ACME, document=D2, by=D1))

    def found(**asked: object) -> list[str]:
        listed = house.read(lambda t: offers.of_member(t, plan=ACME, member=M1, **asked))  # type: ignore[arg-type]
        return [one.document.id for one in listed]

    assert found() == ["d1"]
    assert found(replaced=True) == ["d1", "d2"]
    assert found(type_codes=["a"], replaced=True) == ["d1"]
    assert found(type_codes=["a", "b"], class_codes=["c-d2"], replaced=True) == ["d2"]
    assert house.read(lambda t: offers.by_ids(t, plan=ACME, ids=["2.25.d3"])) == ()
