"""One submission may hold documents of several members; each has a record of what is theirs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ccda.hl7v3 import PN, TS
from gateway.model.exchange import Exchange
from gateway.model.identity import DocumentId, MemberId
from gateway.store import members
from tests.gateway.api.soap_place import Place
from tests.gateway.house import MEMBER, documents, open_house, records, serving
from tests.gateway.submitting import a_submission, a_take_rule, an_entry, submit, the_ccd

CONTENT = the_ccd()
OTHER = replace(
    MEMBER,
    id=MemberId("00000000-0000-4000-8000-000000000002"),
    member_id="LS-0099999",
    demographics=replace(
        MEMBER.demographics,
        names=(PN(family="Otherby", given=("Gertrude",)),),
        birth_time=TS("19310707"),
        ids=(),
    ),
)


def another_person(content: bytes, family: bytes, given: bytes, born: bytes) -> bytes:
    """The document as one of somebody else's, with an id of its own."""
    for old, new in (
        (b"Sampleton", family),
        (b"Rosalind", given),
        (b"<given>June</given>", b""),
        (b"19580314", born),
        (b"2.999.7301.1.4", b"2.999.7301.1.4." + born),
    ):
        content = content.replace(old, new)
    return content


HERS = another_person(CONTENT, b"Otherby", b"Gertrude", b"19310707")
NOBODYS = another_person(CONTENT, b"Elsewhere", b"Quentin", b"19400101")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with open_house(tmp_path, rules=[a_take_rule()]) as house, serving(house) as door:
        house.database.write(lambda tx: members.put(tx, OTHER))
        yield Place(house, door)


def test_each_member_has_a_record_of_what_is_filed_of_theirs(place: Place) -> None:
    told = by_member(place, CONTENT, HERS)
    assert told == {MEMBER.id: filed(place, MEMBER.id), OTHER.id: filed(place, OTHER.id)}
    assert all(told.values())


def test_what_is_held_beside_is_in_no_members_record(place: Place) -> None:
    told = by_member(place, CONTENT, NOBODYS)
    assert told == {MEMBER.id: filed(place, MEMBER.id), None: filed(place, None)}
    held = {one.member: one.reason for one in submissions(place)}
    assert held == {MEMBER.id: None, None: "1 held for a person to decide"}


def test_the_records_are_of_one_message(place: Place) -> None:
    by_member(place, CONTENT, HERS)
    assert len({(one.message_id, one.request_hash) for one in submissions(place)}) == 1


def by_member(place: Place, *contents: bytes) -> dict[MemberId | None, tuple[DocumentId, ...]]:
    """What the records say after those have been submitted."""
    request = a_submission(*((an_entry(each), each) for each in contents))
    submit(place.door, request, *contents)
    return {one.member: one.documents for one in submissions(place)}


def submissions(place: Place) -> list[Exchange]:
    return [one for one in records(place.house) if one.transaction == "ITI-41"]


def filed(place: Place, member: MemberId | None) -> tuple[DocumentId, ...]:
    came = (one for one in documents(place.house) if one.source.door == "ITI-41")
    return tuple(one.id for one in came if one.member == member)
