"""Partners known by the name in their certificate, and further keys of our own."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import UtcTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "own_key",
        sa.Column("usage", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("certificate_file", sa.String(), nullable=False),
        sa.Column("key_file", sa.String(), nullable=False),
        sa.Column("imported", UtcTime(), nullable=False),
        sa.Column("since", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("usage", "fingerprint"),
    )
    op.add_column("partner", sa.Column("certificate_name", sa.String(), nullable=True))
    op.create_index("partner_by_certificate_name", "partner", ["certificate_name"])
