"""What is counted of strangers is counted for each plan, and by how it ended, apart."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import UtcTime

revision = "0041"
down_revision = "0040"

_KEY = ["minute", "peer", "reason", "transaction", "scope", "outcome"]


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # Altered, not made anew: the role that serves keeps what it was granted.
        op.add_column("refusal", sa.Column("scope", sa.String(), nullable=True))
        op.execute("UPDATE refusal SET scope = COALESCE(plan, '')")
        op.alter_column("refusal", "scope", nullable=False)
        op.drop_constraint("refusal_primary", "refusal")
        op.create_primary_key("refusal_primary", "refusal", _KEY)
        return
    op.rename_table("refusal", "refusal_before")
    op.create_table(
        "refusal",
        sa.Column("minute", UtcTime(), primary_key=True),
        sa.Column("peer", sa.String(), primary_key=True),
        sa.Column("reason", sa.String(), primary_key=True),
        sa.Column("transaction", sa.String(), primary_key=True),
        sa.Column("scope", sa.String(), primary_key=True),
        sa.Column("outcome", sa.String(), primary_key=True, server_default="refused"),
        sa.Column("plan", sa.String()),
        sa.Column("first", UtcTime(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
    )
    stated = 'minute, peer, reason, "transaction", plan, first, count, outcome'
    op.execute(
        f"INSERT INTO refusal ({stated}, scope) "  # noqa: S608 - our own names
        f"SELECT {stated}, COALESCE(plan, '') FROM refusal_before"
    )
    op.drop_table("refusal_before")
