"""The exchange log is found and sorted by every column, and each index is of one plan."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0032"

_WHOLE = (
    "member", "conversation", "time", "transaction", "outcome", "partner", "person", "purpose",
    "direction", "count",
)  # fmt: skip
_STATED = ("role", "duration_ms")
_LONG = ("peer", "authority", "reason", "message_id")
_BEFORE = (
    "exchange_of_member", "exchange_of_conversation", "exchange_by_time",
    "exchange_by_transaction", "exchange_by_outcome", "exchange_by_partner", "exchange_by_person",
    "exchange_by_purpose",
)  # fmt: skip


def upgrade() -> None:
    for name in _BEFORE:
        op.drop_index(name, "exchange")
    for column in _WHOLE:
        op.create_index(f"exchange_by_{column}", "exchange", ["plan", column, "sequence"])
    for column in (*_STATED, *_LONG):
        stated = sa.text(f"{column} IS NOT NULL")
        # PostgreSQL refuses index entries of more than a third of a page.
        by = sa.text(f"substr({column}, 1, 200)") if column in _LONG else column
        op.create_index(
            f"exchange_by_{column}",
            "exchange",
            ["plan", by, "sequence"],
            sqlite_where=stated,
            postgresql_where=stated,
        )
