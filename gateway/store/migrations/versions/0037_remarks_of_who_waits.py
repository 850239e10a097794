"""What a partner that waits for others has to say of its own part is kept apart from what it says
of its waiting, which is over when it ends."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"

_WAITING = "its records are being asked for through another partner"


def upgrade() -> None:
    for name in ("remarks", "steps"):
        op.add_column("retrieval_partner", sa.Column(name, sa.Text(), nullable=True))
    _keep_what_was_said()


def _keep_what_was_said() -> None:
    """Of those that wait now: in their rows it stands before what they wait for."""
    partner = sa.table(
        "retrieval_partner",
        *(sa.column(name) for name in ("retrieval", "partner", "step", "outcome")),
        *(sa.column(name) for name in ("detail", "next_step", "remarks", "steps")),
    )
    connection = op.get_bind()
    waits = sa.and_(partner.c.step == "left", partner.c.outcome.is_(None))
    for row in connection.execute(sa.select(partner).where(waits)).all():
        said = (row.detail or "").partition(_WAITING)[0].removesuffix("; ")
        step = (row.next_step or "").removesuffix(".")
        connection.execute(
            sa.update(partner)
            .where(partner.c.retrieval == row.retrieval, partner.c.partner == row.partner)
            .values(
                remarks=json.dumps([said]) if said else None,
                steps=json.dumps([step]) if step else None,
            )
        )
