"""A PostgreSQL server for what must hold on both databases, as the tests of the store have it."""

from tests.gateway.store.conftest import migrated_postgres, postgres_url, server

__all__ = ["migrated_postgres", "postgres_url", "server"]
