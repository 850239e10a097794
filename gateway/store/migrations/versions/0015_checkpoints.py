"""Checkpoints of the exchange log: signed, and where each was published."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import BigNumber, UtcTime

revision = "0015"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("size", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("plan", sa.String()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("frontier", sa.Text(), nullable=False),
        sa.Column("made", UtcTime(), nullable=False),
        sa.Column("published", sa.Text(), nullable=False),
    )
