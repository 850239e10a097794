"""Summaries that partners were given on demand, kept as they were."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import BigNumber

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "snapshot",
        sa.Column("document", BigNumber, nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("member", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("entry_uuid", sa.String(), nullable=False),
        sa.Column("unique_id", sa.String(), nullable=False),
        sa.Column("class_code", sa.String(), nullable=False),
        sa.Column("confidentiality", sa.String(), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("entry_xml", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document"], ["document.number"], name=op.f("snapshot_names_document")
        ),
        sa.ForeignKeyConstraint(["member"], ["member.id"], name=op.f("snapshot_names_member")),
        sa.PrimaryKeyConstraint("document", name=op.f("snapshot_primary")),
        sa.UniqueConstraint("entry_uuid", name=op.f("snapshot_has_one_entry_uuid")),
        sa.UniqueConstraint("unique_id", name=op.f("snapshot_has_one_unique_id")),
    )
    op.create_index(
        "snapshot_once",
        "snapshot",
        ["plan", "member", "partner", "purpose", "digest"],
        unique=True,
    )
