"""The next job of each kind is had from an index, however many of one kind wait."""

from alembic import op

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    op.drop_index("job_due", "job")
    op.create_index("job_due_of_kind", "job", ["state", "kind", "run_at"])
