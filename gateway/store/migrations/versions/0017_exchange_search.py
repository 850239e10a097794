"""The exchange log found by whom, what, why and when, and by the documents that it names."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import BigNumber

revision = "0017"
down_revision = "0016"

_BY = ("time", "transaction", "outcome", "partner", "person", "purpose")
_SQLITE = """
INSERT OR IGNORE INTO exchange_document (document, sequence, plan)
SELECT named.value, exchange.sequence, exchange.plan
FROM exchange, json_each(exchange.documents) AS named
"""
_POSTGRES = """
INSERT INTO exchange_document (document, sequence, plan)
SELECT DISTINCT named.value, exchange.sequence, exchange.plan
FROM exchange, jsonb_array_elements_text(exchange.documents::jsonb) AS named(value)
"""
_SQLITE_KEEPS = (
    """CREATE TRIGGER exchange_document_keeps_updates BEFORE UPDATE ON exchange_document
    BEGIN SELECT RAISE(ABORT, 'exchange records are never changed'); END""",
    """CREATE TRIGGER exchange_document_keeps_deletes BEFORE DELETE ON exchange_document
    BEGIN SELECT RAISE(ABORT, 'exchange records are never deleted'); END""",
)
_POSTGRES_KEEPS = (
    """CREATE TRIGGER exchange_document_keeps_rows BEFORE UPDATE OR DELETE ON exchange_document
    FOR EACH ROW EXECUTE FUNCTION exchange_is_append_only()""",
    """CREATE TRIGGER exchange_document_keeps_all BEFORE TRUNCATE ON exchange_document
    FOR EACH STATEMENT EXECUTE FUNCTION exchange_is_append_only()""",
)


def upgrade() -> None:
    op.create_table(
        "exchange_document",
        sa.Column("document", sa.String(), primary_key=True),
        sa.Column("sequence", BigNumber, primary_key=True, autoincrement=False),
        sa.Column("plan", sa.String()),
        sqlite_with_rowid=False,
    )
    for column in _BY:
        op.create_index(f"exchange_by_{column}", "exchange", [column, "sequence"])
    connection = op.get_bind()
    is_postgres = connection.dialect.name == "postgresql"
    connection.exec_driver_sql(_POSTGRES if is_postgres else _SQLITE)
    for statement in _POSTGRES_KEEPS if is_postgres else _SQLITE_KEEPS:
        connection.exec_driver_sql(statement)
