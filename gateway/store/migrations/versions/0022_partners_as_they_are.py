"""What to do about a partner's failure; which partners are left alone; what was learned of them."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import BigNumber, UtcTime

revision = "0022"
down_revision = "0019"


def upgrade() -> None:
    op.add_column("retrieval_partner", sa.Column("next_step", sa.Text(), nullable=True))
    op.create_table(
        "partner_health",
        sa.Column("partner", sa.String(), primary_key=True),
        sa.Column("plan", sa.String()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since", UtcTime, nullable=False),
        sa.Column("until", UtcTime),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.create_table(
        "partner_lesson",
        sa.Column("number", BigNumber, primary_key=True),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("plan", sa.String()),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("learned", UtcTime, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("revoked", UtcTime),
        sa.Column("revoked_by", sa.String()),
    )
    op.create_index("partner_lesson_of_partner", "partner_lesson", ["partner", "kind"])
