"""Members are found by narrower keys, and discoveries are counted (DECISIONS 11)."""

import sqlalchemy as sa
from alembic import op

from gateway.store import tables
from gateway.store.column_types import UtcTime
from gateway.store.members import key_rows
from gateway.store.migrations.roster import members_in_turn

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "discovery_tally",
        sa.Column("home_community_id", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("variant", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("expires", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint(
            "home_community_id", "period", "about", "variant", name=op.f("discovery_tally_primary")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("discovery_tally_by_expires", "discovery_tally", ["expires"], unique=False)
    _make_keys_anew()


def _make_keys_anew() -> None:
    """Keys are derived from the roster alone: whatever made the old ones, these replace them."""
    connection = op.get_bind()
    connection.execute(sa.delete(tables.member_key))
    for some in members_in_turn(connection):
        connection.execute(sa.insert(tables.member_key), list(key_rows(some)))
