"""Telling audit repositories of the log: every record's events, in order, at least once (ITI-20).

The log is the outbox, a cursor says how far each repository has been told, and it moves only once
the repository has taken what was sent (ITI TF-2: 3.20.4.1.3: a sender that cannot reach it keeps
what it has to say). What cannot be told is a dead letter: kept, shown, and tried again when asked.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from gateway.clients.audit_client import AuditSender, NotSent
from gateway.exchange.atna import Reporter, audit_events, has_event
from gateway.model.audit_feed import DeadLetter
from gateway.model.exchange import RecordedExchange
from gateway.store import audit_feed, exchange_log, partners, wire_messages
from gateway.store.database import Database, Transaction
from gateway.store.errors import DamagedRecord, StoreUnavailable
from gateway.store.keys import KeyRing
from gateway.store.scope import ALL_PLANS
from gateway.store.wire_messages import WireMessage, open_message
from ihe.atna import AuditCode, AuditEvent, write_audit_event
from ihe.audit_acts import LOG_USED, OURS, Act, Kind, act_event, audit_log
from ihe.identifiers import HomeCommunityId
from ihe.syslog import write_syslog

log = logging.getLogger(__name__)
_BATCH: Final = 100
"""So many records go in one conversation: a slow repository still takes them in seconds."""
_BATCH_BYTES: Final = 4 * 1024 * 1024
_LOOK_SECONDS: Final = 2.0
_LONGEST_WAIT: Final = 60.0
_SUSPECT: Final = 3
"""After so many refusals of a batch its records go one by one, to find the one that offends."""
_HOPELESS: Final = 6
"""After so many the next one is tried: if it is taken, the first is at fault."""
_NOT_TAKEN: Final = "the repository does not take it"
_CHECKPOINT: Final = Kind(
    LOG_USED, "R", AuditCode("checkpoint", OURS, "Checkpoint of the exchange log"), "out"
)


@dataclass(frozen=True, slots=True)
class FeedMeans:
    """What a feed reads, and in whose name it speaks."""

    database: Database
    keys: KeyRing
    reporter: Reporter


@dataclass(slots=True)
class Feed:
    """One repository's feed. `feed` does a round; only one thread at a time may be in it."""

    means: FeedMeans
    repository: str
    sender: AuditSender
    look_seconds: float = _LOOK_SECONDS
    _attempts: int = field(default=0, init=False)
    _refusals: int = field(default=0, init=False)

    def feed(self) -> int:
        """Sends what the repository has not had; of how many records it has now been told.

        None of a round that failed, or while another process feeds it.

        Raises:
            StoreUnavailable: the database is away; the round is to be done again.
        """
        database, name = self.means.database, self.repository
        state = database.write(lambda tx: audit_feed.hold(tx, name))
        if state is None:
            return 0
        limit = _BATCH if self._refusals < _SUSPECT else 1
        revived = self._revived(limit)
        if revived:
            told = self._told(revived, None)
            if not told and self._refusals >= _HOPELESS:
                self._bury(revived[0].sequence, _NOT_TAKEN)  # it stands in the way of new ones
            return told
        found = self._following(state.sequence, limit + 1)
        records, after = found[:limit], found[limit:]
        if not records:
            return 0
        told = self._told(records, records[-1].sequence)
        if not told and self._refusals >= _HOPELESS and after:
            told = self._told(after, after[0].sequence, given_up=records[0])
        return told

    def _revived(self, limit: int) -> tuple[RecordedExchange, ...]:
        """Dead letters that are to be tried once more; not those of which nobody can read whose."""
        database, found = self.means.database, []
        for letter in database.read(
            partial(audit_feed.dead_letters, repository=self.repository, again=True, limit=limit)
        ):
            look = partial(exchange_log.get, plan=ALL_PLANS, sequence=letter.sequence)
            try:
                record = database.read(look)
            except DamagedRecord as damaged:
                self._bury(damaged.sequence, _reason(damaged))
            else:
                found += [] if record is None else [record]
        return tuple(found)

    def _following(self, after: int, limit: int) -> tuple[RecordedExchange, ...]:
        """The next records; one that was changed so that nobody can read it is passed over."""
        read, look = self.means.database.read, partial(exchange_log.following, after=after)
        try:
            return read(partial(look, limit=limit))
        except DamagedRecord:
            try:
                return read(partial(look, limit=1))
            except DamagedRecord as damaged:
                self._bury(damaged.sequence, _reason(damaged), is_new=True)
                return ()

    def _bury(self, sequence: int, reason: str, *, is_new: bool = False) -> None:
        letters = [DeadLetter(sequence, reason)]
        self.means.database.write(
            partial(self._advance, done=[sequence], letters=letters, is_old=not is_new)
        )

    def _told(
        self,
        records: Sequence[RecordedExchange],
        cursor: int | None,
        given_up: RecordedExchange | None = None,
    ) -> int:
        """Tells of the records, or of the first of them; without a cursor they are old ones."""
        messages, letters, done = self._compose(records)
        try:
            if messages:
                self.sender.send(messages)
        except NotSent as reason:
            self._failed(reason)
            return 0
        if given_up is not None:
            letters.append(DeadLetter(given_up.sequence, _NOT_TAKEN))
        self._attempts = self._refusals = 0
        self.means.database.write(
            partial(self._advance, done=done, letters=letters, is_old=cursor is None)
        )
        return len(done)

    def _advance(
        self,
        transaction: Transaction,
        *,
        done: Sequence[int],
        letters: Sequence[DeadLetter],
        is_old: bool,
    ) -> None:
        for sequence in done if is_old else ():
            audit_feed.forget(transaction, self.repository, sequence)
        for letter in letters:
            audit_feed.bury(transaction, self.repository, letter)
        if not is_old:
            audit_feed.advance(transaction, self.repository, sequence=done[-1])

    def _failed(self, reason: NotSent) -> None:
        self._attempts += 1
        self._refusals = self._refusals + 1 if reason.reached else 0
        log.warning("audit repository %s: %s", self.repository, reason)
        self.means.database.write(
            lambda tx: audit_feed.failed(tx, self.repository, str(reason), attempts=self._attempts)
        )

    def _compose(
        self, records: Sequence[RecordedExchange]
    ) -> tuple[list[bytes], list[DeadLetter], list[int]]:
        """The messages of the records, those of which there are none, and which these are."""
        messages: list[bytes] = []
        letters: list[DeadLetter] = []
        done: list[int] = []
        for record in records:
            if sum(map(len, messages)) > _BATCH_BYTES:
                break
            try:
                made = record_messages(record, self.means)
                self._require_carried(made)
                messages += made
            except StoreUnavailable:
                raise
            except Exception as error:  # one record must not stand in the way of all others
                letters.append(DeadLetter(record.sequence, _reason(error)))
            done.append(record.sequence)
        return messages, letters, done

    def _require_carried(self, messages: Sequence[bytes]) -> None:
        limit = self.sender.limit_bytes
        if limit is not None and any(len(message) > limit for message in messages):
            raise CannotTell(f"it is longer than the {limit} bytes that can be carried")

    @property
    def wait_seconds(self) -> float:
        """How long until the next round."""
        if not self._attempts:
            return self.look_seconds
        return min(self.look_seconds * 2.0 ** min(self._attempts, 10), _LONGEST_WAIT)


class CannotTell(Exception):
    """There is no message to send; the text says why."""


async def feed_now_and_then(feed: Feed) -> None:
    """Feeds until cancelled, in a thread of its own: whoever is slow there delays nobody here."""
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, thread_name_prefix="audit-feed")
    try:
        while True:
            told = await loop.run_in_executor(thread, feed.feed)
            await asyncio.sleep(0 if told else feed.wait_seconds)
    finally:
        feed.sender.abort()
        thread.shutdown(wait=False)


# ---- messages --------------------------------------------------------------------------------


def record_messages(record: RecordedExchange, means: FeedMeans) -> list[bytes]:
    """The syslog messages of a record, as they are sent.

    Raises:
        CannotTell: no event is defined for its transaction.
        DamagedWireMessage: an envelope of it is not what was kept.
    """
    exchange = record.exchange
    if not has_event(exchange.transaction):
        raise CannotTell(f"no event is defined for {exchange.transaction}")
    request, answer, home = means.database.read(partial(_kept, record))
    events = audit_events(
        exchange,
        means.reporter,
        request=_opened(means.keys, request),
        answer=_opened(means.keys, answer),
        partner_home=home,
    )
    return [event_message(event, means.reporter) for event in events]


def event_message(event: AuditEvent, reporter: Reporter) -> bytes:
    """The event under its syslog header."""
    return write_syslog(
        write_audit_event(event),
        time=event.time,
        host=reporter.host,
        application=OURS,
        process_id=reporter.process_id,
        is_warning=event.outcome != 0,
    )


def checkpoint_message(note: str, reporter: Reporter, *, now: datetime) -> bytes:
    """A checkpoint of the log as an audit message: the note stands whole in a detail."""
    act = Act(now, 0, reporter.source, reporter.process_id)
    seen = audit_log(reporter.log_uri, ("checkpoint", note.encode()))
    return event_message(act_event(act, _CHECKPOINT, (seen,)), reporter)


def _kept(
    record: RecordedExchange, transaction: Transaction
) -> tuple[WireMessage | None, WireMessage | None, HomeCommunityId | None]:
    """What stands beside the record: both envelopes, and the community of its partner."""
    exchange = record.exchange
    beside = exchange.answer_hash
    request, answer = (
        None
        if hash is None
        else wire_messages.get(transaction, plan=ALL_PLANS, hash=hash, answer=beside)
        for hash in (exchange.request_hash, beside)
    )
    partner = None
    if exchange.partner is not None:
        partner = partners.get(transaction, plan=ALL_PLANS, partner=exchange.partner)
    return request, answer, None if partner is None else partner.home_community_id


def _opened(keys: KeyRing, message: WireMessage | None) -> bytes | None:
    return None if message is None else open_message(keys, message)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, CannotTell) else type(error).__name__
