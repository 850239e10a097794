"""By which id a deferred result names the question that it answers (ITI-55)."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.add_column("awaited_answer", sa.Column("request_id", sa.String()))
    op.create_index("awaited_answer_by_request_id", "awaited_answer", ["request_id"])
