"""A request that was answered at once is kept in one row with its answer."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    op.add_column("wire_message", sa.Column("asked", sa.String(), nullable=True))
    op.add_column("wire_message", sa.Column("asked_bytes", sa.Integer(), nullable=True))
