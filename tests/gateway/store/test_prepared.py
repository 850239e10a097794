"""A prepared statement gives what SQLAlchemy gives, in both databases' types."""

from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import bindparam, insert, select

from gateway.store import tables
from gateway.store.database import Database, Transaction
from gateway.store.prepared import Prepared
from tests.gateway.store.builders import ACME

TOKEN = {
    "id": "t1",
    "plan": ACME,
    "name": "Jane",
    "role": "staff",
    "secret_hash": "x",
    "created": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "expires": None,
    "revoked": None,
}
PUT = Prepared(insert(tables.token), tuple(TOKEN))
GET = select(tables.token).where(tables.token.c.id == bindparam("id"))
FIND = Prepared(GET)


def test_rows_are_those_of_sqlalchemy_types_and_names(house: Database) -> None:
    house.write(lambda t: PUT.run(t, TOKEN))

    def both(transaction: Transaction) -> None:
        (ours,) = FIND.rows(transaction, {"id": "t1"})
        theirs = transaction.connection.execute(GET, {"id": "t1"}).one()
        assert tuple(ours) == tuple(theirs)
        assert ours._asdict() == dict(theirs._mapping) == TOKEN

    house.read(both)


def test_nothing_found_is_none_and_no_rows(house: Database) -> None:
    assert house.read(lambda t: FIND.first(t, {"id": "nobody"})) is None
    assert house.read(lambda t: FIND.rows(t, {"id": "nobody"})) == []


def test_booleans_come_back_as_booleans_and_a_column_left_out_has_its_default(
    house: Database,
) -> None:
    columns = ("id", "plan", "member_id", "demographics")
    put = Prepared(insert(tables.member), columns)
    get = Prepared(select(tables.member.c.opted_out))
    house.write(lambda t: put.run(t, dict.fromkeys(columns, "{}") | {"plan": ACME}))
    assert house.read(lambda t: get.rows(t, {}))[0].opted_out is False


def test_a_value_that_is_missing_is_not_taken_for_nothing(house: Database) -> None:
    with pytest.raises((KeyError, psycopg.ProgrammingError)):
        house.read(lambda t: FIND.first(t, {}))


def test_a_list_of_any_length_cannot_be_prepared(house: Database) -> None:
    several = select(tables.token).where(tables.token.c.id.in_(bindparam("ids", expanding=True)))
    with pytest.raises(TypeError, match="SQLAlchemy"):
        house.read(lambda t: Prepared(several).rows(t, {"ids": ["t1"]}))
