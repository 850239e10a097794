"""What auditors ask of the log as a whole: its records in a span of time, counted and judged."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gateway.exchange.log_export import outflow_rows
from gateway.exchange.refusals import refusal_rows
from gateway.exchange.unusual import Unusual, unusual_accesses
from gateway.model.exchange import ExchangeFilter, RecordedExchange
from gateway.settings_audit import Usual
from gateway.store import exchange_log
from gateway.store.scope import Scope
from gateway.store.transaction import Transaction

_PAGE: Final = 1000
Rows = list[tuple[object, ...]]


def records_of(
    transaction: Transaction, plan: Scope, wanted: ExchangeFilter
) -> Iterator[RecordedExchange]:
    """All that fit, oldest first."""
    after: int | None = None
    while True:
        page = exchange_log.search(
            transaction, plan=plan, wanted=wanted, descending=False, limit=_PAGE, after=after
        )
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].sequence


def outflow_of(transaction: Transaction, plan: Scope, span: ExchangeFilter) -> Rows:
    """What left the house in that span, as `outflow_rows` has it."""
    return outflow_rows(records_of(transaction, plan, span))


def refusals_of(transaction: Transaction, plan: Scope, span: ExchangeFilter) -> Rows:
    """Who was refused in that span, as `refusal_rows` has it."""

    def all_of_them() -> Iterator[RecordedExchange]:
        yield from records_of(transaction, plan, replace(span, outcome="refused"))
        # Documents are kept out of answers, which succeed.
        for name in ("ITI-38", "ITI-39"):
            answers = replace(span, direction="in", transaction=name)
            for record in records_of(transaction, plan, answers):
                if record.exchange.outcome != "refused":
                    yield record

    return refusal_rows(all_of_them())


def unusual_of(
    transaction: Transaction,
    plan: Scope,
    *,
    since: datetime,
    until: datetime | None,
    usual: Usual,
) -> tuple[Unusual, ...]:
    """What was unusual in that span, with the days before it in mind."""
    span = ExchangeFilter(since=since - timedelta(days=usual.days), until=until, direction="in")
    return tuple(unusual_accesses(records_of(transaction, plan, span), since=since, usual=usual))
