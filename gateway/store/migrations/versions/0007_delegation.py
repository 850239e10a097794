"""Organizations that let another community ask in their name (Carequality's delegation)."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "delegation",
        sa.Column("partner", sa.String(), sa.ForeignKey("partner.id"), nullable=False),
        sa.Column("principal", sa.String(), nullable=False),
        sa.Column("delegate", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("partner", "principal", "delegate"),
        sqlite_with_rowid=False,
    )
    op.create_index("delegation_by_principal", "delegation", ["principal", "delegate"])
