"""What the log's records name and is kept beside them: whether all of it is still there.

The records are chained, and what they name is not. But the chain holds the SHA-256 of each envelope
and mail, under which month's key a record's private part is, and which holds were placed: so it
says what there has to be.
What is not there is lawfully gone if the chain says that too: the disposal of a month is a record,
which names its certificate by hash, and the log's own key has signed that. Nothing is opened here
but keys: this finds no damage.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, exists, func, or_, select

from gateway.model.checkpoint import LogKey
from gateway.model.retention import HOLD_LIFTED, HOLD_PLACED, HOUSE, Hold
from gateway.store import legal_holds, tables
from gateway.store.certificates import judged
from gateway.store.errors import KeyFileUnusable
from gateway.store.hold_words import digest_of, read_words
from gateway.store.month_key import MonthKey, MonthName
from gateway.store.month_keys import month_of
from gateway.store.sqlite_any_text import any_text
from gateway.store.transaction import Transaction

_TOLD: Final = tables.exchange
_WIRE: Final = tables.wire_message
_BLOB: Final = tables.blob
_KEY: Final = tables.log_month
_RECEIVED: Final = "DIRECT-RECEIVE"
_MAIL: Final = (_RECEIVED, "DIRECT-SEND")
"""Mail is kept as a blob; what nobody took is sealed anew each time, and the last alone is kept."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What nobody has any more and nobody disposed of, in words, and the first record to name it;
    or that is there, and `is_damaged`."""

    sequence: int | None
    what: str
    is_damaged: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is gone, by record; and of how many records a disposal took what they name."""

    gone: tuple[Gone, ...]
    disposed: int


def evidence(transaction: Transaction, keys: Sequence[LogKey]) -> Evidence:
    """What is kept beside the records, against what they say that there is.

    `keys` are those by which the log is signed: a disposal that none of them has signed took
    nothing lawfully.
    """
    with any_text(transaction):
        return _found(transaction, keys)


def _found(transaction: Transaction, keys: Sequence[LogKey]) -> Evidence:
    # A disposal that comes while this looks makes what it took lawful: so it is read after that.
    crossed = list(_missing(transaction))
    closed = _without_key(transaction)
    certificates = list(judged(transaction, keys))
    lawful = {one.name for one in certificates if one.fault is None}
    gone = [Gone(one.sequence, one.words, is_damaged=True) for one in certificates if one.fault]
    gone += [one for name, one in closed.items() if name not in lawful]
    gone += _holds(transaction)
    disposed = 0
    for one in crossed:
        if lawful.isdisjoint(one.kept_in):
            gone.append(Gone(one.sequence, one.what))
        else:
            disposed += 1
    # What is not what it was explains what is not there: so it is named first.
    gone.sort(key=lambda one: (not one.is_damaged, one.sequence or 0))
    return Evidence(tuple(gone), disposed)


# ---- envelopes and mail ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Missing:
    """A record of which an envelope or a mail is not there, and which; and whose it may have
    been."""

    sequence: int
    time: datetime
    scopes: tuple[str, ...]
    what: str

    @property
    def kept_in(self) -> list[MonthName]:
        """The months in whose disposal it may have gone: an envelope is sealed before its record
        is made; and an answer that was long awaited after it was asked for, which its record's
        time says, or the other way round."""
        first = self.time.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        nearby = (self.time, first - timedelta(days=1), first + timedelta(days=32))
        return [(scope, month_of(time)) for scope in self.scopes for time in nearby]


def _missing(transaction: Transaction) -> Iterator[_Missing]:
    together = and_(_WIRE.c.hash == _TOLD.c.answer_hash, _WIRE.c.asked == _TOLD.c.request_hash)
    asked = and_(_is_lost(_TOLD.c.request_hash), ~exists().where(together, _is_of_its_plan()))
    answered = _is_lost(_TOLD.c.answer_hash)
    columns = (_TOLD.c.sequence, _TOLD.c.time, _TOLD.c.plan, _TOLD.c.request_hash)
    crossed = select(*columns, asked.label("asked"), answered.label("answered")).where(
        _TOLD.c.transaction.not_in(_MAIL), or_(asked, answered)
    )
    lost = transaction.connection.execute(crossed).all()
    named, kept = _houses(transaction) if lost else (frozenset[str](), frozenset[str]())
    for row in lost:
        is_asked = bool(row.asked) and row.request_hash not in kept
        words = (("its request", is_asked), ("its answer", row.answered))
        what = " and ".join(name for name, is_lost in words if is_lost)
        scopes = (row.plan or "", *([""] if row.request_hash in named else []))
        if what:
            yield _Missing(row.sequence, row.time, scopes, what)
    is_mail = and_(
        _TOLD.c.transaction.in_(_MAIL),
        or_(_TOLD.c.transaction == _RECEIVED, _TOLD.c.outcome == "success"),
        _TOLD.c.request_hash.is_not(None),
    )
    # No index has a blob's SHA-256: so all are laid beside each other, not looked for one by one.
    gone = select(_TOLD.c.request_hash).where(is_mail).except_(select(_BLOB.c.sha256)).subquery()
    mail = select(*columns).where(is_mail, _TOLD.c.request_hash.in_(select(gone)))
    for row in transaction.connection.execute(mail):
        yield _Missing(row.sequence, row.time, (row.plan or "",), "its message")


def _is_lost(hash: ColumnElement[str | None]) -> ColumnElement[bool]:
    """Another plan's envelope of that hash is none: nobody finds it by this record."""
    return and_(hash.is_not(None), ~exists().where(_WIRE.c.hash == hash, _is_of_its_plan()))


def _is_of_its_plan() -> ColumnElement[bool]:
    """By both columns that say so: one is looked for by, the other is disposed of by."""
    begins = func.coalesce(_TOLD.c.plan, "") + "/"
    return and_(
        _WIRE.c.plan.is_not_distinct_from(_TOLD.c.plan),
        or_(
            _WIRE.c.scope == func.coalesce(_TOLD.c.plan, ""),
            func.substr(_WIRE.c.scope, 1, func.length(begins)) == begins,
        ),
    )


def _houses(transaction: Transaction) -> tuple[frozenset[str], frozenset[str]]:
    """The requests that records of no plan name, and those of them that are kept for none.

    A question about several plans is one: it is kept once, and each plan's record names it.
    """
    no_plans = select(_TOLD.c.request_hash).where(
        _TOLD.c.plan.is_(None), _TOLD.c.request_hash.is_not(None)
    )
    named = frozenset(transaction.connection.execute(no_plans).scalars())
    houses = select(_WIRE.c.hash).where(_WIRE.c.plan.is_(None), _WIRE.c.hash.in_(no_plans))
    return named, frozenset(transaction.connection.execute(houses).scalars())


# ---- months ----------------------------------------------------------------------------------


def _without_key(transaction: Transaction) -> Mapping[MonthName, Gone]:
    """The months of which something was sealed, and whose key is not there or does not open."""
    has_key = _KEY.c.wrapped.is_not(None).label("has_key")
    rows = transaction.connection.execute(select(_KEY.c.scope, _KEY.c.month, has_key))
    known = {(row.scope, row.month): bool(row.has_key) for row in rows}
    named = dict(_named(transaction))
    found = {}
    for name in sorted({*known, *named}, key=repr):
        if not known.get(name, False) or _opened(transaction, name) is None:
            scope, month = name
            found[name] = Gone(named.get(name), f"the key of {month} of {scope or HOUSE}")
    return found


def _named(transaction: Transaction) -> Iterator[tuple[MonthName, int | None]]:
    """The months that envelopes and records are sealed under, and the first record of each."""
    run = transaction.connection.execute
    kept = select(_WIRE.c.scope, _WIRE.c.month).where(_WIRE.c.month.is_not(None)).distinct()
    for scope, stated in run(kept):
        plan, _, month = str(scope).rpartition("/")
        for one in {month, stated}:  # of two months it would be disposed of with neither
            yield (plan, one), None
    sealed = select(_TOLD.c.plan, _TOLD.c.month, func.min(_TOLD.c.sequence).label("first"))
    sealed = sealed.where(_TOLD.c.month.is_not(None)).group_by(_TOLD.c.plan, _TOLD.c.month)
    for row in run(sealed):
        yield (row.plan or "", row.month), row.first


def _opened(transaction: Transaction, name: MonthName) -> MonthKey | None:
    """The month's key; None of one that was shredded, or does not open."""
    try:
        return transaction.log_keys.reading(transaction, [name]).get(name)
    except (KeyFileUnusable, TypeError, ValueError, AttributeError):  # SQLite keeps anything
        return None


# ---- holds -----------------------------------------------------------------------------------


def holds_in_doubt(transaction: Transaction) -> tuple[Gone, ...]:
    """The holds that are not as the records of them say: what they are on is anybody's guess."""
    with any_text(transaction):
        return tuple(_holds(transaction))


def _holds(transaction: Transaction) -> Iterator[Gone]:
    """The holds that the chain says were placed, and that are not as it says."""
    known = legal_holds.as_kept(transaction)
    lifted = {read_words(row.reason or "").id for row in _acts(transaction, HOLD_LIFTED)}
    for row in _acts(transaction, HOLD_PLACED):
        named = read_words(row.reason or "")
        words = f"legal hold {named.id}"
        hold = known.get(named.id)
        if named.id not in known:
            yield Gone(row.sequence, words)
        elif hold is None:
            yield Gone(row.sequence, f"{words}, which cannot be read", is_damaged=True)
        elif not hold.is_in_force and named.id not in lifted:
            yield Gone(row.sequence, f"{words}, which nobody lifted on record")
        elif not _is_as_told(transaction, hold, row, named.digest):
            yield Gone(row.sequence, f"{words}, which is on something else")


def _is_as_told(transaction: Transaction, hold: Hold, row: Row[Any], digest: str | None) -> bool:
    """Of a record from before it had a digest: the plan, the partner and whose it is, as long as
    its month can be read; from when to when it holds nobody can say."""
    if digest is not None and digest != digest_of(hold):
        return False
    if (hold.plan, hold.partner) != (row.plan, row.partner):
        return False
    if digest is not None or row.version is None:
        return digest is not None or hold.member == row.member
    if hold.member is None or row.member is None:
        return hold.member is row.member
    name = (row.plan or "", row.month)
    key = _opened(transaction, name)
    return key is None or key.member(hold.member) == row.member


def _acts(transaction: Transaction, name: str) -> list[Row[Any]]:
    """What the records of those acts say in the clear, of the ones that were done."""
    columns = ("sequence", "plan", "partner", "reason", "version", "month", "member")
    done = select(*(_TOLD.c[column] for column in columns))
    done = done.where(_TOLD.c.transaction == name, _TOLD.c.outcome == "success")
    return list(transaction.connection.execute(done.order_by(_TOLD.c.sequence)))
