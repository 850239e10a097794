"""Who could be the person asked for is looked up by narrow keys, at a cost that does not grow."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from ccda.hl7v3 import AD, II, PN, TEL, TS
from gateway.model.identity import MemberId
from gateway.model.member import Member
from gateway.model.person import read_person
from gateway.store import members
from gateway.store.database import Database, Transaction
from ihe.xcpd import Demographics
from tests.gateway.people.enrolling import enroll
from tests.gateway.store.builders import ACME, OTHER, a_member
from tests.gateway.watching import Statements, watching

SSN = "2.16.840.1.113883.4.1"
ADA = Demographics(
    names=(PN("O'Neil", ("Ada", "M")),),
    birth_time=TS("19750501"),
    gender="F",
    addresses=(AD(("12 Elm Street Apt 4",), "Springfield", "IL", "62701"),),
    telecoms=(TEL("tel:+1(217)555-0142"),),
    ids=(II(SSN, "219-09-1234"),),
)


@pytest.fixture
def ada(house: Database) -> Database:
    house.write(lambda t: members.put(t, a_member(demographics=ADA)))
    return house


def found(house: Database, named: Demographics) -> list[str]:
    asked = read_person(named)
    known = house.read(lambda t: members.candidates(t, plan=ACME, person=asked))
    return [member.id for member in known.members]


BORN = TS("19750501")


@pytest.mark.parametrize(
    ("named", "is_found"),
    [
        (Demographics((PN("ONEIL"),), TS("1975-05-01")), True),
        (Demographics((PN("Neil", ("ADA",)),), TS("197505011200")), True),
        (Demographics((PN("Kurz"), PN("O’Neil-Kurz")), BORN), True),
        (Demographics((PN("Ada", ("O'Neil",)),), BORN), True),
        (Demographics(ids=(II("2.999.4", "a-M1"),)), True),
        (Demographics(ids=(II(SSN, "219091234"),)), True),
        (Demographics(telecoms=(TEL("1-217-555-0142"),)), True),
        (Demographics((PN("Oneil"),), addresses=(AD(("12 ELM ST",)),)), True),
        (Demographics((PN("O'Neil", ("Ada",)),)), False),
        (Demographics((PN("Neil", ("Eva",)),), BORN), False),
        (Demographics((PN("O'Neil", ("Ada",)),), TS("1975")), False),
        (Demographics(ids=(II("2.999.4", "1"),)), False),
        (Demographics((PN("Kurz"),), addresses=(AD(("12 Elm St",)),)), False),
        (Demographics(), False),
    ],
)
def test_candidates_share_an_id_a_home_or_the_birth_date_and_a_part_of_the_name(
    ada: Database, named: Demographics, is_found: bool
) -> None:
    assert found(ada, named) == (["m1"] if is_found else [])


def test_a_name_alone_leads_to_a_member_for_a_reviewer_only(ada: Database) -> None:
    named = Demographics((PN("O'Neil", ("Ada",)),))
    assert found(ada, named) == []
    resembling = ada.read(lambda t: members.resembling(t, plan=ACME, person=read_person(named)))
    assert [member.id for member in resembling] == ["m1"]


def test_many_numbers_that_nobody_has_hide_nobody(ada: Database) -> None:
    made_up = tuple(II(f"2.999.{number}", f"E{number}") for number in range(100))
    assert found(ada, Demographics((PN("O'Neil", ("Eda",)),), BORN, ids=made_up)) == ["m1"]


def test_another_plan_has_no_candidates(ada: Database) -> None:
    asked = read_person(ADA)
    assert ada.read(lambda t: members.candidates(t, plan=OTHER, person=asked)).members == ()


def test_a_member_is_no_longer_found_by_a_name_taken_back(ada: Database) -> None:
    other = Demographics((PN("Müller"),), BORN)
    ada.write(lambda t: members.put(t, a_member(demographics=other)))
    assert found(ada, ADA) == []
    assert found(ada, Demographics((PN("MULLER"),), BORN)) == ["m1"]


def test_what_cannot_be_true_is_no_key(ada: Database) -> None:
    """A birth date of 1900-01-01 and an SSN of nines have half of a plan behind them."""
    nobody = replace(
        ADA, birth_time=TS("19000101"), telecoms=(TEL("0000000000"),), ids=(II(SSN, "999999999"),)
    )
    ada.write(lambda t: members.put(t, a_member("m2", demographics=nobody)))
    assert found(ada, replace(nobody, addresses=())) == []


# ---- a common name ---------------------------------------------------------------------------

JOHN = replace(ADA, names=(PN("Smith", ("John",)),), ids=())


def _johns() -> Iterator[Member]:
    for number in range(2000):
        born = TS(f"{1930 + number % 70}{1 + number % 12:02}{1 + number % 28:02}")
        one = replace(
            JOHN,
            birth_time=TS("19800101") if number % 7 == 0 else born,
            addresses=(AD((f"{number + 13} Oak St",), "Springfield", "IL", "62701"),),
            telecoms=(TEL(f"217555{number + 1000}"),),
        )
        yield a_member(f"s{number:04}", demographics=one)
    yield a_member("him", demographics=JOHN)
    yield a_member("new year", demographics=replace(JOHN, birth_time=TS("19800101")))


def test_a_common_name_has_few_candidates_and_the_right_one_among_them(house: Database) -> None:
    """Two thousand of one name; three hundred of them have a day that somebody made up."""

    enroll(house, _johns())
    few = found(house, JOHN)
    assert "him" in few and len(few) < 10
    at_new_year = found(house, replace(JOHN, birth_time=TS("19800101")))
    assert "new year" in at_new_year and len(at_new_year) < 10


def test_however_much_is_stated_the_candidates_are_bounded(house: Database) -> None:
    many = tuple(TEL(f"217555{number:04}") for number in range(1000, 1400))
    shared = many[:10]

    enroll(
        house,
        (
            a_member(
                f"s{number:04}",
                demographics=Demographics((PN(f"Name{number}"),), telecoms=(shared[number % 10],)),
            )
            for number in range(400)
        ),
    )
    assert len(found(house, replace(ADA, telecoms=shared))) == members.CANDIDATES
    with counting() as statements:
        found(house, replace(ADA, telecoms=many))
    assert len(statements) == 2


# ---- what a search costs ---------------------------------------------------------------------


@contextmanager
def counting() -> Iterator[Statements]:
    """The statements with which the block looks, and their parameters; not whether this process is
    known to live, which is asked now and then beside whatever is done."""
    looking: Statements = []
    with watching() as seen:
        yield looking
    looking += (one for one in seen if one[0].startswith("SELECT") and "pg_locks" not in one[0])


def test_who_is_there_and_who_is_not_cost_the_same_statements(ada: Database) -> None:
    nemo = replace(ADA, names=(PN("Nobody", ("Nemo",)),), birth_time=TS("19800304"), ids=())
    with counting() as hers:
        assert found(ada, replace(ADA, ids=())) == ["m1"]
    with counting() as nobodys:
        named = replace(nemo, telecoms=(TEL("3125550101"),))
        assert found(ada, named) == []
    assert len(hers) == len(nobodys) == 2
    assert hers[0][0] == nobodys[0][0]


@pytest.mark.parametrize("filled_to", [1, 4, 8])
def test_fillers_make_the_comparisons_as_many_for_nobody_as_for_somebody(
    ada: Database, filled_to: int
) -> None:
    for named in (ADA, replace(ADA, birth_time=TS("19800304"), ids=(), telecoms=(), addresses=())):
        asked = read_person(named)
        known = ada.read(
            lambda t, who=asked: members.candidates(t, plan=ACME, person=who, filled_to=filled_to)
        )
        assert len(known.members) + len(known.fillers) == filled_to
        assert {filler.person for filler in known.fillers} <= {asked}


def test_no_statement_of_the_search_reads_a_whole_table(house: Database) -> None:
    """EXPLAIN over so many rows that a plan with a scan would be the database's own choice."""
    stranger = Demographics((PN("Stranger", ("Sam",)),), TS("19900909"))
    enroll(house, (a_member(f"s{n:04}", demographics=stranger) for n in range(5000)))
    house.write(_analyse)
    with counting() as statements:
        found(house, ADA)
    for statement, given in statements:
        plan = house.read(explained(statement, given))
        assert not re.search(r"\bSCAN (member|member_key)\b|Seq Scan", plan), plan
        assert re.search(r"member_key|member_primary|sqlite_autoindex_member_1", plan), plan


def _analyse(transaction: Transaction) -> None:
    for table in ("member", "member_key"):
        transaction.connection.execute(text(f"ANALYZE {table}"))


def explained(statement: str, given: Any) -> Callable[[Transaction], str]:
    def ask(transaction: Transaction) -> str:
        head = "EXPLAIN " if transaction.is_postgres else "EXPLAIN QUERY PLAN "
        rows = transaction.connection.exec_driver_sql(head + statement, given)
        return "\n".join(str(row[-1]) for row in rows)

    return ask


def test_the_keys_of_a_member_are_what_it_can_be_found_by(ada: Database) -> None:
    member = ada.read(lambda t: members.get(t, plan=ACME, member=MemberId("m1")))
    assert member is not None
    rows = list(members.key_rows([member]))
    assert {(row["kind"], row["value"]) for row in rows} == {
        ("whole", "19750501^oneil^ada"), ("day", "19750501^oneil"), ("day", "19750501^ada"),
        ("ssn", "219091234"), ("phone", "2175550142"), ("id", "a-m1"), ("name", "oneil^ada"),
        ("door", "12^elm^oneil"),
    }  # fmt: skip
