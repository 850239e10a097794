"""Sealing the log: a checkpoint now and then, signed, and brought to where we cannot undo it.

A chain shows that records fit together; only a copy of its end outside shows that nobody has cut
it, or made all of it anew (DECISIONS 16; RFC 6962). What could not be published waits and is tried
again each time.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.clients import checkpoint_folder
from gateway.clients.audit_client import NotSent
from gateway.model.checkpoint import Checkpoint, LogKey, read_checkpoint, write_checkpoint
from gateway.model.exchange import Exchange
from gateway.store import checkpoints, exchange_log
from gateway.store.checkpoints import StoredCheckpoint
from gateway.store.database import Database, Transaction
from gateway.store.kept_checkpoints import NEW_KEY

log = logging.getLogger(__name__)
_AGAIN: Final = timedelta(minutes=5)
"""A mailbox that could not be reached is left alone for so long."""
_MOST_FAILURES: Final = 2
"""One after the other, at a place in a round: a single checkpoint may be what it does not take."""
_LOOKED_THROUGH: Final = 10_000
"""A week of checkpoints, one a minute."""


@dataclass(frozen=True, slots=True)
class LogSeal:
    """With what the log is sealed: its name, its key, and the folders outside."""

    origin: str
    key: Ed25519PrivateKey
    folders: tuple[Path, ...] = ()

    @property
    def public(self) -> LogKey:
        """The key by which others check what we have signed."""
        return LogKey(self.origin, self.key.public_key())


def make_checkpoint(
    transaction: Transaction, seal: LogSeal, *, now: datetime
) -> StoredCheckpoint | None:
    """Signs the log as it is; the last checkpoint again if nothing has come since, None at first.

    A key that has never signed here is itself recorded: the record comes with the next one.
    """
    public = seal.public
    last = checkpoints.last_signed(transaction, public)
    grown = checkpoints.grown(transaction, public)
    if not grown.size or (last is not None and last.size == grown.size):
        return last
    if last is None:
        exchange_log.append(transaction, _new_key(seal, now))
    made = Checkpoint(seal.origin, grown.size, grown.tree.root(), grown.head, now)
    note = write_checkpoint(made, seal.key)
    checkpoints.put(transaction, grown, note=note, key=public.text, now=now)
    kept = checkpoints.last_signed(transaction, public)
    if kept is not None and kept.size == grown.size:
        return kept
    # One of another key, or that nobody signed, stands in its place: the next is kept again.
    return StoredCheckpoint(grown.size, note, public.text, now, frozenset())


def is_due(
    transaction: Transaction,
    key: LogKey,
    *,
    every_records: int,
    every_seconds: float,
    now: datetime,
) -> bool:
    """Whether so many records, or any and so much time, have come since `key` last signed: what
    anybody else put there, or says of the time, puts off nothing."""
    last = checkpoints.last_signed(transaction, key)
    signed = None if last is None else read_checkpoint(last.note, key)
    new = checkpoints.size(transaction) - (signed.size if signed else 0)
    waited = signed is None or not 0 <= (now - signed.at).total_seconds() < every_seconds
    return new >= every_records or (new > 0 and waited)


Bring = Callable[[int, str], None]
"""Brings the checkpoint of that size to a place outside; raises OSError or NotSent if it cannot."""


def folder_places(seal: LogSeal) -> dict[str, Bring]:
    """The folders outside, as places."""
    return {str(folder): partial(checkpoint_folder.publish, folder) for folder in seal.folders}


def publish(database: Database, places: Mapping[str, Bring]) -> int:
    """Brings what was not yet published to each place, the newest first; how many could not be.

    A place that takes nothing is left alone until the next round: whoever hangs would else be
    waited for once for every checkpoint that waits.
    """
    waiting = 0
    known = database.read(checkpoints.newest)
    for place, bring in places.items():
        failed = 0
        for one in reversed(known):
            if place in one.published:
                continue
            if failed == _MOST_FAILURES:
                waiting += 1
                continue
            try:
                bring(one.size, one.note)
            except (OSError, NotSent) as error:
                failed, waiting = failed + 1, waiting + 1
                log.error("a checkpoint cannot be published: %s", _in_words(error))
                continue
            failed = 0
            database.write(partial(checkpoints.mark_published, size=one.size, place=place))
    return waiting


@dataclass(slots=True)
class Seldom:
    """A place that has the newest checkpoint alone, and that once in `every`: a mailbox."""

    name: str
    bring: Bring
    every: timedelta
    _next: datetime | None = field(default=None, init=False)

    def publish(self, database: Database, *, now: datetime) -> bool:
        """Whether it has what it should have by now."""
        if self._next is None:
            self._next = self._begin(database)
        newest = database.read(checkpoints.last)
        if newest is None or now < self._next or self.name in newest.published:
            return True
        try:
            self.bring(newest.size, newest.note)
        except NotSent as error:
            log.error("a checkpoint cannot be published: %s", error)
            self._next = now + min(_AGAIN, self.every)
            return False
        self._next = now + self.every
        database.write(partial(checkpoints.mark_published, size=newest.size, place=self.name))
        return True

    def _begin(self, database: Database) -> datetime:
        """When the next is due, by what was brought before this process began."""
        known = database.read(partial(checkpoints.newest, limit=_LOOKED_THROUGH))
        had = [one.made for one in known if self.name in one.published]
        return max(had) + self.every if had else datetime.min.replace(tzinfo=UTC)


def _in_words(error: OSError | NotSent) -> str | None:
    return error.strerror if isinstance(error, OSError) else str(error)


def _new_key(seal: LogSeal, now: datetime) -> Exchange:
    return Exchange(
        time=now,
        direction="in",
        transaction=NEW_KEY,
        outcome="success",
        reason=f"from now on the log is signed with the key {seal.public.hint.hex()}",
    )
