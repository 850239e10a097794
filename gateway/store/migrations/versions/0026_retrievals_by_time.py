"""Retrievals found by when they were begun: for the ledger, and for what is measured."""

from alembic import op

revision = "0026"
down_revision = "0024"


def upgrade() -> None:
    op.create_index("retrieval_by_time", "retrieval", ["plan", "created"])
