"""What auditors ask of the log as a whole: its records in a span of time, counted and judged."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Final, Literal

from gateway.exchange.log_export import outflow_rows
from gateway.exchange.refusals import refusal_rows
from gateway.exchange.shown_members import LISTS
from gateway.exchange.unusual import Unusual, unusual_accesses
from gateway.model.exchange import ExchangeFilter, RecordedExchange
from gateway.settings_audit import Usual
from gateway.store import exchange_log, exchange_search
from gateway.store.database import Database
from gateway.store.scope import Scope
from gateway.store.transaction import Transaction

_PAGE: Final = 1000
_EXPORTED: Final = 200
Rows = list[tuple[object, ...]]


def records_of(
    transaction: Transaction,
    plan: Scope,
    wanted: ExchangeFilter,
    *,
    order: Literal["sequence", "time"] = "sequence",
) -> Iterator[RecordedExchange]:
    """All that fit, oldest first: as they were recorded, or as they began.

    By time a span is read from where it lies in the log; by sequence it is looked for.
    """
    after: int | None = None
    while True:
        page = exchange_log.search(
            transaction,
            plan=plan,
            wanted=wanted,
            order=order,
            descending=False,
            limit=_PAGE,
            after=after,
        )
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].sequence


def export_of(
    database: Database, plan: Scope, wanted: ExchangeFilter
) -> tuple[int, Iterator[RecordedExchange]]:
    """How many records fit, and these, oldest first, a page at a time: no more are held.

    Between the pages no transaction is open, however slowly they are written. Records never
    change, and what is appended meanwhile is not among them.
    """
    number, last = database.read(lambda tx: exchange_search.extent(tx, plan=plan, wanted=wanted))

    def pages() -> Iterator[RecordedExchange]:
        after: int | None = None
        while last is not None and (after is None or after < last):
            page = database.read(
                lambda tx, after=after: exchange_log.search(  # type: ignore[misc]
                    tx, plan=plan, wanted=wanted, descending=False, limit=_EXPORTED, after=after
                )
            )
            for record in page:
                if record.sequence <= last:
                    yield record
            after = page[-1].sequence if page else last
            del page  # before the next one is there

    return number, pages()


def outflow_of(transaction: Transaction, plan: Scope, span: ExchangeFilter) -> Rows:
    """What left the house in that span, as `outflow_rows` has it."""
    return outflow_rows(records_of(transaction, plan, span, order="time"))


def refusals_of(transaction: Transaction, plan: Scope, span: ExchangeFilter) -> Rows:
    """Who was refused in that span, as `refusal_rows` has it."""

    def all_of_them() -> Iterator[RecordedExchange]:
        yield from records_of(transaction, plan, replace(span, outcome="refused"), order="time")
        # Documents are kept out of answers, which succeed.
        for name in ("ITI-38", "ITI-39"):
            answers = replace(span, direction="in", transaction=name)
            for record in records_of(transaction, plan, answers, order="time"):
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
    """What was unusual in that span, with the days before it in mind.

    Of those days only who looked at whom is read, and nothing is unsealed.
    """
    span = ExchangeFilter(since=since, until=until, direction="in")

    def looks() -> Iterator[RecordedExchange]:
        return records_of(transaction, plan, span, order="time")

    members = {member for one in looks() if (member := one.exchange.member) is not None}
    before = exchange_search.past_looks(
        transaction,
        plan=plan,
        since=since - timedelta(days=usual.days),
        until=since,
        members=members,
        lists=LISTS,
    )
    return tuple(unusual_accesses(chain(before, looks()), since=since, usual=usual))
