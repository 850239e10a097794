"""On PostgreSQL, Procrastinate 3.10's own schema, for jobs.

A copy, not what is installed: a newer Procrastinate brings its own steps, which then follow here.
"""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        schema = Path(__file__).with_name("procrastinate_3_10.sql")
        # The driver itself: SQLAlchemy would take the schema's percent signs for parameters.
        cursor = connection.connection.cursor()
        cursor.execute(schema.read_text(encoding="utf-8"))
        cursor.close()
