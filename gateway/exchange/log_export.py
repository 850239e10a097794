"""The exchange log as tables: its records, and what left the house. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from gateway.exchange.accounting import documents_that_left, what_left
from gateway.model.exchange import RecordedExchange

CSV_COLUMNS: Final = (
    "sequence", "time", "direction", "transaction", "outcome", "plan", "partner", "peer",
    "person", "role", "purpose", "authority", "member", "documents", "reason", "conversation",
    "message_id", "duration_ms", "count", "hash", "disposed",
)  # fmt: skip
OUTFLOW_COLUMNS: Final = (
    "month", "partner", "purpose", "transaction", "exchanges", "documents",
)  # fmt: skip


def csv_cells(record: RecordedExchange) -> tuple[object, ...]:
    """The record's cells, in the order of `CSV_COLUMNS`."""
    told = record.exchange
    given = {
        "sequence": record.sequence,
        "time": told.time.isoformat(),
        "documents": " ".join(told.documents),
        "hash": record.hash,
        "disposed": "yes" if record.is_disposed else "",
    }
    return tuple(given[name] if name in given else getattr(told, name) for name in CSV_COLUMNS)


def outflow_rows(records: Iterable[RecordedExchange]) -> list[tuple[object, ...]]:
    """How many exchanges told something outside, and documents they gave: a line for each month,
    partner, purpose and transaction, sorted so.

    Of a list from which documents were withheld the record alone does not say whether anything
    else stood in it: it counts."""
    exchanges: Counter[tuple[str, str, str, str]] = Counter()
    documents: Counter[tuple[str, str, str, str]] = Counter()
    for record in records:
        told = record.exchange
        if what_left(told) is None:
            continue
        recipient = told.partner or told.peer or "unknown"
        line = (f"{told.time:%Y-%m}", recipient, told.purpose or "not stated", told.transaction)
        exchanges[line] += 1
        documents[line] += len(documents_that_left(told))
    return [(*line, exchanges[line], documents[line]) for line in sorted(exchanges)]
