"""A PostgreSQL server for journeys that must go on both databases."""

from tests.gateway.store.conftest import migrated_postgres, postgres_url, server

__all__ = ["migrated_postgres", "postgres_url", "server"]
