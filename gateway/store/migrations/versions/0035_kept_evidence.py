"""What stands beside the log is kept by the database too: envelopes, legal holds, checkpoints.

An envelope goes with its month, once that is disposed of, and never before. A hold is only ever
lifted, a checkpoint only ever published.
"""

from alembic import op

revision = "0035"
down_revision = "0034"

_HELD = ("id", "plan", "member", "partner", "since", "until", "reason", "placed_by", "placed")
_SIGNED = ("size", "plan", "note", "key", "frontier", "made")
# One from before months had keys goes with any of its scope's months.
_STANDS = """NOT EXISTS (
  SELECT 1 FROM log_month WHERE disposed IS NOT NULL
  AND OLD.scope = CASE WHEN OLD.month IS NULL THEN scope ELSE scope || '/' || month END)"""


def _changes(names: tuple[str, ...], differs: str) -> str:
    return " OR ".join(f'OLD."{name}" {differs} NEW."{name}"' for name in names)


def _sqlite(table: str, act: str, when: str, words: str) -> str:
    return (
        f"CREATE TRIGGER {table}_keeps_{act.lower()}s BEFORE {act} ON {table} WHEN {when} "
        f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
    )


def _postgres(table: str, when_updated: str, when_deleted: str, words: str) -> str:
    return f"""
CREATE FUNCTION {table}_is_kept() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NOT ({when_updated}) THEN RETURN NEW; END IF;
  ELSIF TG_OP = 'DELETE' THEN
    IF NOT ({when_deleted}) THEN RETURN OLD; END IF;
  END IF;
  RAISE EXCEPTION '{words}';
END $$;
CREATE TRIGGER {table}_keeps_rows BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION {table}_is_kept();
CREATE TRIGGER {table}_keeps_all BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_kept()
"""


def upgrade() -> None:
    connection = op.get_bind()
    is_postgres = connection.dialect.name == "postgresql"
    differs = "IS DISTINCT FROM" if is_postgres else "IS NOT"
    lifts_again = f"OLD.lifted IS NOT NULL OR {_changes(_HELD, differs)}"
    kept = (
        ("wire_message", "TRUE", _STANDS, "an envelope stays until its month is disposed of"),
        ("legal_hold", lifts_again, "TRUE", "a legal hold is only ever lifted, and that once"),
        ("checkpoint", _changes(_SIGNED, differs), "TRUE", "a checkpoint stays as it was signed"),
    )
    for table, when_updated, when_deleted, words in kept:
        if is_postgres:
            connection.exec_driver_sql(_postgres(table, when_updated, when_deleted, words))
            continue
        connection.exec_driver_sql(_sqlite(table, "UPDATE", when_updated, words))
        connection.exec_driver_sql(_sqlite(table, "DELETE", when_deleted, words))
