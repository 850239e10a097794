"""Messages that came through the mail doors, each kept before it was acknowledged."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import BigNumber, UtcTime

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "mail_received",
        sa.Column("number", BigNumber, primary_key=True),
        sa.Column("id", sa.String(), nullable=False, unique=True),
        sa.Column("plan", sa.String(), sa.ForeignKey("plan.id"), nullable=False),
        sa.Column("door", sa.String(), nullable=False),
        sa.Column("peer", sa.String()),
        sa.Column("mail_from", sa.String()),
        sa.Column("rcpt_to", sa.Text(), nullable=False),
        sa.Column("recipients_key", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("blob_address", sa.String(), nullable=False),
        sa.Column("message_id", sa.String()),
        sa.Column("arrived", UtcTime(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("settled", UtcTime()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("verdict_generation", sa.Integer()),
        sa.Column("verdict", sa.LargeBinary()),
        sa.ForeignKeyConstraint(["plan", "blob_address"], ["blob.plan", "blob.address"]),
    )
    op.create_index(
        "mail_received_once", "mail_received", ["plan", "sha256", "recipients_key"], unique=True
    )
    op.create_index("mail_received_by_state", "mail_received", ["plan", "state"])
    op.create_index("mail_received_by_message_id", "mail_received", ["plan", "message_id"])
    op.create_table(
        "mail_claim",
        sa.Column("plan", sa.String(), sa.ForeignKey("plan.id"), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("message", sa.String(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mailbox_cursor",
        sa.Column("mailbox", sa.String(), primary_key=True),
        sa.Column("plan", sa.String()),
        sa.Column("uid_validity", BigNumber, nullable=False),
        sa.Column("last_uid", BigNumber, nullable=False),
        sqlite_with_rowid=False,
    )
