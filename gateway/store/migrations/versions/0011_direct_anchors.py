"""Anchors of Direct mail, by hand and from bundles."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import UtcTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "direct_anchor",
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("incoming", sa.Boolean(), nullable=False),
        sa.Column("outgoing", sa.Boolean(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("revocation", sa.String(), nullable=True),
        sa.Column("no_source", sa.String(), nullable=True),
        sa.Column("added", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "domain"),
    )
    op.create_table(
        "direct_bundle",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("incoming", sa.Boolean(), nullable=False),
        sa.Column("outgoing", sa.Boolean(), nullable=False),
        sa.Column("signer", sa.LargeBinary(), nullable=True),
        sa.Column("hold", sa.String(), nullable=False),
        sa.Column("every_seconds", sa.Integer(), nullable=False),
        sa.Column("revocation", sa.String(), nullable=True),
        sa.Column("no_source", sa.String(), nullable=True),
        sa.Column("checked", UtcTime(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "direct_bundle_version",
        sa.Column("bundle", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("fetched", UtcTime(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("signer", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("decided", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["bundle"], ["direct_bundle.name"]),
        sa.PrimaryKeyConstraint("bundle", "number"),
    )
    op.create_table(
        "direct_bundle_anchor",
        sa.Column("bundle", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("bundle", "number", "ordinal"),
    )
