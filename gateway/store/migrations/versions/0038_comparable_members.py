"""Members are kept in the form that they are compared in, too."""

import sqlalchemy as sa
from alembic import op

from gateway.store import tables
from gateway.store.members import comparable_rows
from gateway.store.migrations.roster import members_in_turn

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    op.add_column("member", sa.Column("comparable", sa.Text(), nullable=True))
    connection = op.get_bind()
    change = (
        sa.update(tables.member)
        .where(tables.member.c.id == sa.bindparam("member"))
        .values(comparable=sa.bindparam("comparable"))
    )
    for some in members_in_turn(connection):
        connection.execute(change, list(comparable_rows(some)))
