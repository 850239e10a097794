"""What a community has on record for the person it knows as a member of ours."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("link", sa.Column("known", sa.Text(), nullable=True))
