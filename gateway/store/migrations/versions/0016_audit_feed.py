"""How far each audit repository has been told of the exchange log, and of what it could not be."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import BigNumber

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "audit_feed",
        sa.Column("repository", sa.String(), primary_key=True),
        sa.Column("plan", sa.String()),
        sa.Column("sequence", BigNumber, nullable=False),
        sa.Column("process", sa.String()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.String()),
    )
    op.create_table(
        "audit_dead_letter",
        sa.Column("repository", sa.String(), primary_key=True),
        sa.Column("sequence", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("plan", sa.String()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
    )
