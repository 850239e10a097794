"""The envelopes of exchanges as they crossed the wire, and their hashes in the sealed record."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import UtcTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    for name in ("request_hash", "answer_hash"):
        op.add_column("exchange", sa.Column(name, sa.String(), nullable=True))
    op.create_table(
        "house_key",
        sa.Column("generation", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("kek_id", sa.String(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("generation"),
    )
    op.create_table(
        "wire_message",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", "scope"),
    )
