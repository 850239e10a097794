"""Answers that come, or are given, on a connection of their own; how long a link may be used."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import UtcTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("link", sa.Column("degree", sa.Integer()))
    op.add_column("link", sa.Column("valid_until", UtcTime()))
    op.add_column("document", sa.Column("on_demand_unique_id", sa.String()))
    op.create_index("document_by_on_demand_id", "document", ["plan", "on_demand_unique_id"])
    op.create_table(
        "awaited_answer",
        sa.Column("message_id", sa.String(), primary_key=True),
        sa.Column("plan", sa.String(), sa.ForeignKey("plan.id"), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("retrieval", sa.String(), nullable=False),
        sa.Column("visited", sa.String(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("transaction", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("sent", UtcTime(), nullable=False),
        sa.Column("expires", UtcTime(), nullable=False),
        sa.Column("signature_values", sa.Text(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text()),
        sa.Column("result", sa.String()),
        sa.Column("reason", sa.String()),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "awaited_answer_to", "awaited_answer", ["retrieval", "visited", "question"], unique=True
    )
    op.create_index("awaited_answer_by_expires", "awaited_answer", ["expires"])
    op.create_table(
        "visit_claim",
        sa.Column("retrieval", sa.String(), primary_key=True),
        sa.Column("partner", sa.String(), primary_key=True),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("process", sa.String(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "owed_answer",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("plan", sa.String()),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("created", UtcTime(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
    )
