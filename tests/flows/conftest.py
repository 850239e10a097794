"""A PostgreSQL server for journeys that must go on both databases."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from tests.gateway.store.conftest import migrated_postgres, postgres_url, server

__all__ = ["migrated_postgres", "postgres_url", "server"]


@pytest.fixture
def new_postgres(server: str, migrated_postgres: str) -> Iterator[Callable[[], str]]:
    """Makes databases with our schema, as many as a test wants; they go with the test."""
    made: list[str] = []
    template = make_url(migrated_postgres).database

    def make_one() -> str:
        name = f"flow_{uuid4().hex}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        made.append(name)
        return make_url(server).set(database=name).render_as_string(hide_password=False)

    yield make_one
    with psycopg.connect(server, autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
