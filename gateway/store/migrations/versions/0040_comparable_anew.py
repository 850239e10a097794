"""Members are read and found anew: more signs fold, and placeholders are no door and no SSN."""

import sqlalchemy as sa
from alembic import op

from gateway.store import tables
from gateway.store.members import comparable_rows, key_rows
from gateway.store.migrations.roster import members_in_turn

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    connection = op.get_bind()
    change = (
        sa.update(tables.member)
        .where(tables.member.c.id == sa.bindparam("member"))
        .values(comparable=sa.bindparam("comparable"))
    )
    connection.execute(sa.delete(tables.member_key))
    for some in members_in_turn(connection):
        connection.execute(change, list(comparable_rows(some)))
        connection.execute(sa.insert(tables.member_key), list(key_rows(some)))
