"""What is private in the exchange log is sealed, a key a month; holds, and what was disposed of."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import UtcTime

revision = "0019"
down_revision = "0018"

_SQLITE = (
    """CREATE TRIGGER disposal_keeps_updates BEFORE UPDATE ON disposal
    BEGIN SELECT RAISE(ABORT, 'certificates of disposal are never changed'); END""",
    """CREATE TRIGGER disposal_keeps_deletes BEFORE DELETE ON disposal
    BEGIN SELECT RAISE(ABORT, 'certificates of disposal are never deleted'); END""",
    """CREATE TRIGGER log_month_keeps_disposed BEFORE UPDATE ON log_month
    WHEN OLD.disposed IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'a month that was disposed of stays so'); END""",
    """CREATE TRIGGER log_month_stays BEFORE DELETE ON log_month
    BEGIN SELECT RAISE(ABORT, 'the keys of the log are never deleted, only shredded'); END""",
)
_POSTGRES = """
CREATE TRIGGER disposal_keeps_rows BEFORE UPDATE OR DELETE ON disposal
FOR EACH ROW EXECUTE FUNCTION exchange_is_append_only();
CREATE TRIGGER disposal_keeps_all BEFORE TRUNCATE ON disposal
FOR EACH STATEMENT EXECUTE FUNCTION exchange_is_append_only();
CREATE FUNCTION log_month_stays_disposed() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  IF TG_OP = 'UPDATE' AND OLD.disposed IS NULL THEN RETURN NEW; END IF;
  RAISE EXCEPTION 'the keys of the log are never deleted, and one that was shredded stays so';
END $$;
CREATE TRIGGER log_month_keeps_rows BEFORE UPDATE OR DELETE ON log_month
FOR EACH ROW EXECUTE FUNCTION log_month_stays_disposed();
CREATE TRIGGER log_month_keeps_all BEFORE TRUNCATE ON log_month
FOR EACH STATEMENT EXECUTE FUNCTION log_month_stays_disposed()
"""


def upgrade() -> None:
    op.add_column("exchange", sa.Column("version", sa.Integer(), nullable=True))
    op.add_column("exchange", sa.Column("month", sa.String(), nullable=True))
    op.add_column("exchange", sa.Column("private", sa.Text(), nullable=True))
    op.add_column("wire_message", sa.Column("month", sa.String(), nullable=True))
    op.create_index("wire_message_of_month", "wire_message", ["month", "scope"])
    op.create_table(
        "log_month",
        sa.Column("scope", sa.String(), primary_key=True),
        sa.Column("month", sa.String(), primary_key=True),
        sa.Column("plan", sa.String()),
        sa.Column("kek_id", sa.String()),
        sa.Column("wrapped", sa.LargeBinary()),
        sa.Column("created", UtcTime(), nullable=False),
        sa.Column("disposed", UtcTime()),
    )
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("plan", sa.String()),
        sa.Column("member", sa.String()),
        sa.Column("partner", sa.String()),
        sa.Column("since", UtcTime()),
        sa.Column("until", UtcTime()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.String(), nullable=False),
        sa.Column("placed", UtcTime(), nullable=False),
        sa.Column("lifted_by", sa.String()),
        sa.Column("lifted", UtcTime()),
        sa.Column("lifted_because", sa.Text()),
    )
    op.create_table(
        "disposal",
        sa.Column("scope", sa.String(), primary_key=True),
        sa.Column("month", sa.String(), primary_key=True),
        sa.Column("plan", sa.String()),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("made", UtcTime(), nullable=False),
    )
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_POSTGRES)
        return
    for statement in _SQLITE:
        connection.exec_driver_sql(statement)
