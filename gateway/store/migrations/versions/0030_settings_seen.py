"""The settings as the last process found them, so that a change of them is recorded."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0026"


def upgrade() -> None:
    op.create_table(
        "setting_seen",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("plan", sa.String()),
        sa.Column("digest", sa.String(), nullable=False),
    )
