"""A replacement of a document that has no id of its own: a PDF that a partner submitted."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import BigNumber

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    op.add_column("replacement", sa.Column("replaced", BigNumber))
    op.create_index("replacement_of_number", "replacement", ["replaced"])
