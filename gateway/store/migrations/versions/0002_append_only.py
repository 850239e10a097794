"""Nobody changes or deletes an exchange record, and the head only ever moves on."""

from alembic import op

from gateway.store.exchange_chain import GENESIS

revision = "0002"
down_revision = "0001"

# REPLACE deletes without asking DELETE triggers, hence the look at what is inserted.
_SQLITE = """
CREATE TRIGGER exchange_keeps_updates BEFORE UPDATE ON exchange
BEGIN SELECT RAISE(ABORT, 'exchange records are never changed'); END;
CREATE TRIGGER exchange_keeps_deletes BEFORE DELETE ON exchange
BEGIN SELECT RAISE(ABORT, 'exchange records are never deleted'); END;
CREATE TRIGGER exchange_keeps_inserts BEFORE INSERT ON exchange
WHEN NEW.sequence <= (SELECT COALESCE(MAX(sequence), 0) FROM exchange)
BEGIN SELECT RAISE(ABORT, 'exchange records are never replaced'); END;
CREATE TRIGGER exchange_head_moves_on BEFORE UPDATE ON exchange_head
WHEN NEW.id <> OLD.id OR NEW.sequence <= OLD.sequence
BEGIN SELECT RAISE(ABORT, 'the head of the exchange log only moves on'); END;
CREATE TRIGGER exchange_head_stays BEFORE DELETE ON exchange_head
BEGIN SELECT RAISE(ABORT, 'the head of the exchange log stays'); END
"""

_POSTGRES = """
CREATE FUNCTION exchange_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'exchange records are never changed or deleted'; END $$;
CREATE TRIGGER exchange_keeps_rows BEFORE UPDATE OR DELETE ON exchange
FOR EACH ROW EXECUTE FUNCTION exchange_is_append_only();
CREATE TRIGGER exchange_keeps_all BEFORE TRUNCATE ON exchange
FOR EACH STATEMENT EXECUTE FUNCTION exchange_is_append_only();
CREATE FUNCTION exchange_head_only_moves_on() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  IF TG_OP = 'UPDATE' AND NEW.id = OLD.id AND NEW.sequence > OLD.sequence THEN RETURN NEW; END IF;
  RAISE EXCEPTION 'the head of the exchange log only moves on';
END $$;
CREATE TRIGGER exchange_head_moves_on BEFORE UPDATE OR DELETE ON exchange_head
FOR EACH ROW EXECUTE FUNCTION exchange_head_only_moves_on();
CREATE TRIGGER exchange_head_stays BEFORE TRUNCATE ON exchange_head
FOR EACH STATEMENT EXECUTE FUNCTION exchange_is_append_only()
"""


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(
        f"INSERT INTO exchange_head (id, sequence, hash) VALUES (1, 0, '{GENESIS}')"  # noqa: S608 - a constant
    )
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_POSTGRES)
        return
    for statement in _SQLITE.split("END;"):
        connection.exec_driver_sql(f"{statement.rstrip().removesuffix('END')} END")
