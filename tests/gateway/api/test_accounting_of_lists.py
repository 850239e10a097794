"""A list that names no document of ours may tell of the member: then it is accounted for."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from gateway.exchange.accounting import may_list_nothing, what_left
from gateway.exchange.disclosures import account
from gateway.model.disclosure import Disclosure
from ihe.metadata import Code
from ihe.stored_query import GetDocumentsQuery
from ihe.xca_query import write_adhoc_query_request
from tests.gateway.asking import find_documents
from tests.gateway.house import HOME, MEMBER, a_rule, records
from tests.gateway.visiting import Visitor, visiting

ONLY_ON_DEMAND = {"entry_types": ("on-demand",)}


def accounted(visitor: Visitor) -> list[Disclosure]:
    """All ITI-38 of the member, with what need not be accounted for."""
    house, asked = visitor.house, datetime.now(UTC).date()
    told = house.database.read(
        lambda tx: account(tx, house.archive.blobs.keys, member=MEMBER, asked=asked)
    )
    return [one for one in (*told.listed, *told.excluded) if one.transaction == "ITI-38"]


def test_a_list_of_the_summary_alone_tells_of_the_member(tmp_path: Path) -> None:
    with visiting(tmp_path, rules=[a_rule(on_demand=True)]) as visitor:
        assert len(visitor.find(find_documents(**ONLY_ON_DEMAND)).entries) == 1
        (told,) = accounted(visitor)
    assert told.what == "the member's id, and that a summary of the member can be had"
    assert (told.documents, told.is_certain) == ((), True)


def test_the_summarys_entry_asked_for_by_its_id_tells_of_the_member(tmp_path: Path) -> None:
    with visiting(tmp_path, rules=[a_rule(on_demand=True)]) as visitor:
        (entry,) = visitor.find(find_documents(**ONLY_ON_DEMAND)).entries
        by_id = GetDocumentsQuery(HOME, entry_uuids=(entry.entry_uuid,))
        assert len(visitor.find(write_adhoc_query_request(by_id)).entries) == 1
        recorded = [one for one in records(visitor.house) if one.transaction == "ITI-38"]
        assert [(one.member, one.documents) for one in recorded] == [(MEMBER.id, ())] * 2
        assert len(accounted(visitor)) == 2


def test_a_list_from_which_all_was_withheld_tells_nothing(tmp_path: Path) -> None:
    with visiting(tmp_path, rules=[a_rule()]) as visitor:
        assert visitor.find(find_documents(**ONLY_ON_DEMAND)).entries == ()
        assert visitor.record is not None and may_list_nothing(visitor.record)
        assert accounted(visitor) == []


def test_a_list_that_nobody_can_read_any_more_may_have_told_of_the_member(tmp_path: Path) -> None:
    """An accounting says too much rather than too little."""
    with visiting(tmp_path, rules=[a_rule()]) as visitor:
        visitor.find(find_documents(**ONLY_ON_DEMAND))
        lose = text("ALTER TABLE wire_message RENAME TO lost_wire_message")
        make = text("CREATE TABLE wire_message AS SELECT * FROM lost_wire_message WHERE 1 = 0")
        for statement in (lose, make):
            visitor.house.database.write(lambda tx, it=statement: tx.connection.execute(it))  # type: ignore[misc]
        (told,) = accounted(visitor)
    assert not told.is_certain


def test_a_list_that_nothing_fits_tells_nothing(tmp_path: Path) -> None:
    with visiting(tmp_path, rules=[a_rule()]) as visitor:
        nothing = find_documents(class_codes=(Code("no-such-class", "2.999.1"),))
        assert visitor.find(nothing).entries == ()
        assert visitor.record is not None and visitor.record.member == MEMBER.id
        assert what_left(visitor.record) is None
