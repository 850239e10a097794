"""What is counted of strangers says how it ended: a failure of ours is no refusal."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    outcome = sa.Column("outcome", sa.String(), nullable=False, server_default="refused")
    op.add_column("refusal", outcome)
