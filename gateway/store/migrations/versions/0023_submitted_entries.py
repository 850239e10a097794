"""By which entry UUIDs partners have submitted documents (ITI-41)."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import BigNumber

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_table(
        "submitted_entry",
        sa.Column("plan", sa.String(), primary_key=True),
        sa.Column("partner", sa.String(), primary_key=True),
        sa.Column("entry_uuid", sa.String(), primary_key=True),
        sa.Column("document", BigNumber, sa.ForeignKey("document.number"), nullable=False),
        sqlite_with_rowid=False,
    )
