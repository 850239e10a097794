"""Which communities a Health Data Locator names (ITI-56), and whether a match is at a locator."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import UtcTime

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.add_column(
        "link", sa.Column("is_locator", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "patient_location",
        sa.Column("plan", sa.String(), sa.ForeignKey("plan.id"), primary_key=True),
        sa.Column("member", sa.String(), sa.ForeignKey("member.id"), primary_key=True),
        sa.Column("partner", sa.String(), sa.ForeignKey("partner.id"), primary_key=True),
        sa.Column("home_community_id", sa.String(), primary_key=True),
        sa.Column("patient_id", sa.String(), primary_key=True),
        sa.Column("told", UtcTime(), nullable=False),
        sqlite_with_rowid=False,
    )
