"""Which documents are summaries of our own that came back, and no source (DECISIONS 10)."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    false = sa.false()
    op.add_column(
        "document", sa.Column("is_derived", sa.Boolean(), nullable=False, server_default=false)
    )
