"""Alembic's entry: runs within the connection and the transaction that `upgrade` has opened."""

from alembic import context

from gateway.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite too can undo CREATE TABLE: an upgrade happens as a whole or not at all.
    transactional_ddl=True,
)
context.run_migrations()
