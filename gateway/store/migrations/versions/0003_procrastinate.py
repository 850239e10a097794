"""On PostgreSQL, Procrastinate's own schema, for jobs, from the installed library.

A test holds the digest of the schema that this step was made with: when the library is upgraded,
its own steps become one of ours, and this one stays true for databases made before.
"""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        # The driver itself: SQLAlchemy would take the schema's percent signs for parameters.
        cursor = connection.connection.cursor()
        cursor.execute(SchemaManager.get_schema())
        cursor.close()
