"""Whether the database still keeps its evidence from being changed: the triggers stand, and fire.

Whoever owns the tables can drop them, to change what they guard or for some upkeep, and forget
them. Then the log may be whole today and nobody kept it so.
"""

from typing import Final

from sqlalchemy import text

from gateway.store.transaction import Transaction

_ON_SQLITE: Final = frozenset({
    "exchange_keeps_updates", "exchange_keeps_deletes", "exchange_keeps_inserts",
    "exchange_head_moves_on", "exchange_head_stays",
    "exchange_document_keeps_updates", "exchange_document_keeps_deletes",
    "disposal_keeps_updates", "disposal_keeps_deletes",
    "log_month_keeps_disposed", "log_month_stays",
    *(f"{table}_keeps_{act}" for table in ("wire_message", "legal_hold", "checkpoint")
      for act in ("updates", "deletes")),
})  # fmt: skip
_ON_POSTGRESQL: Final = frozenset({
    "exchange_head_moves_on", "exchange_head_stays",
    *(f"{table}_keeps_{what}"
      for table in ("exchange", "exchange_document", "disposal", "log_month", "wire_message",
                    "legal_hold", "checkpoint")
      for what in ("rows", "all")),
})  # fmt: skip
_STANDING: Final = text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
_FIRING: Final = text(
    "SELECT tgname FROM pg_catalog.pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
)
"""Not those that are disabled, or fire on a replica alone."""


def missing_guards(transaction: Transaction) -> tuple[str, ...]:
    """The names of the triggers that should stand, and do not."""
    expected = _ON_POSTGRESQL if transaction.is_postgres else _ON_SQLITE
    asked = _FIRING if transaction.is_postgres else _STANDING
    standing = set(transaction.connection.execute(asked).scalars())
    return tuple(sorted(expected - standing))
