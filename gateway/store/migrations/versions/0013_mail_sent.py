"""Messages that we send by mail, each recipient's state, and our keys for them."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import BigNumber, UtcTime

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "mail_sent",
        sa.Column("number", BigNumber, primary_key=True),
        sa.Column("id", sa.String(), nullable=False, unique=True),
        sa.Column("plan", sa.String(), sa.ForeignKey("plan.id"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("blob_address", sa.String(), nullable=False),
        sa.Column("created", UtcTime(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("wants_dispatched", sa.Boolean(), nullable=False),
        sa.Column("answers", sa.String()),
        sa.ForeignKeyConstraint(["plan", "blob_address"], ["blob.plan", "blob.address"]),
    )
    op.create_index("mail_sent_by_message_id", "mail_sent", ["plan", "message_id"], unique=True)
    op.create_index("mail_sent_by_answers", "mail_sent", ["plan", "answers"])
    op.create_table(
        "mail_recipient",
        sa.Column("message", sa.String(), sa.ForeignKey("mail_sent.id"), primary_key=True),
        sa.Column("address_key", sa.String(), primary_key=True),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mail_notice",
        sa.Column("number", BigNumber, primary_key=True),
        sa.Column("message", sa.String(), sa.ForeignKey("mail_sent.id"), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("address_key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("received", sa.String(), nullable=False),
        sa.Column("heard", sa.Text(), nullable=False),
    )
    op.create_index("mail_notice_of", "mail_notice", ["message"])
    op.create_index(
        "mail_notice_once",
        "mail_notice",
        ["message", "received", "address_key", "kind"],
        unique=True,
    )
    op.create_table(
        "direct_key",
        sa.Column("plan", sa.String(), sa.ForeignKey("plan.id"), primary_key=True),
        sa.Column("owner", sa.String(), primary_key=True),
        sa.Column("fingerprint", sa.String(), primary_key=True),
        sa.Column("certificates", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("imported", UtcTime(), nullable=False),
        sa.Column("since", UtcTime()),
    )
