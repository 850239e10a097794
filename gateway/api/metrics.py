"""What the gateway measures of itself, in Prometheus' text format, on the operations listener.

Whoever reaches that listener may read it, as with health: it is bound to loopback, and no label
names a member, a person or a document. Being read every few seconds and telling of nobody, it
leaves no exchange record.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate
from threading import Lock

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.exchange.expiring import Reliance, kept_in, named_by
from gateway.exchange.metering import (
    BOUNDS_SECONDS,
    Durations,
    Standing,
    Tally,
    VisitTally,
    purpose_label,
    standing,
    tally_from_now,
    visits_from_now,
)
from gateway.model.identity import PartnerId, PlanId
from gateway.settings import Settings
from gateway.store.database import Database
from gateway.store.job_queue import JobQueue

router = APIRouter(tags=["operations"])


@dataclass(frozen=True, slots=True)
class Meters:
    """What is measured, and the tally of this process."""

    settings: Settings
    database: Database
    queue: JobQueue
    plans: tuple[PlanId, ...]
    tally: Tally
    visits: tuple[VisitTally, ...]
    lock: Lock = field(default_factory=Lock)
    """Of the visits' tallies: two who scrape at once must not add up one thing twice."""


def meters(
    settings: Settings, database: Database, queue: JobQueue, plans: tuple[PlanId, ...]
) -> Meters:
    """Meters that count from now on.

    Raises:
        StoreError: the log's end cannot be read.
    """
    visits = visits_from_now(database, plans, now=datetime.now(UTC))
    return Meters(settings, database, queue, plans, tally_from_now(database), visits)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Counts since this process began, and how it stands now."""
    found: Meters = request.app.state.meters
    text = await asyncio.to_thread(measured, found)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)


def measured(found: Meters) -> bytes:
    """The text that is scraped.

    Raises:
        StoreError: the database cannot be read.
    """
    now = datetime.now(UTC)
    found.tally.catch_up(found.database)
    look = partial(standing, queue=found.queue, plans=found.plans, tallies=found.visits, now=now)
    with found.lock:
        stands = found.database.read(look)
    stored = found.database.read(lambda tx: tuple(kept_in(tx)))
    relied_on = (*named_by(found.settings), *stored)
    registry = CollectorRegistry(auto_describe=False)
    known = frozenset(one.id for one in stands.partners)
    registry.register(_Figures(found.tally, stands, known, relied_on))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


@dataclass(frozen=True, slots=True, eq=False)
class _Figures(Collector):
    tally: Tally
    stands: Standing
    known: frozenset[PartnerId]
    """Partners of the directory: of others nothing is shown."""
    relied_on: tuple[Reliance, ...]

    def collect(self) -> Iterator[Metric]:
        with self.tally.lock:
            found = [self._ended(), self._took()]
            found += [self._ledger(), *self._refused(), self._spent(), self._partners_took()]
        yield from found
        yield from self._visits()
        yield from self._partners()
        yield from self._jobs()
        yield from self._feeds()
        yield self._certificates()
        yield _gauge("log_records", "Records in the exchange log.", self.stands.records)
        yield _gauge("exchanges_open", "Exchanges that have begun and not ended.",
                     self.stands.under_way)  # fmt: skip

    # ---- exchanges ---------------------------------------------------------------------------

    def _ended(self) -> Metric:
        found = CounterMetricFamily(
            "gateway_exchanges",
            "Exchanges by transaction, side (out: we asked) and outcome.",
            labels=("transaction", "side", "outcome"),
        )
        for labels, number in sorted(self.tally.ended.items()):
            found.add_metric(labels, number)
        return found

    def _took(self) -> Metric:
        found = HistogramMetricFamily(
            "gateway_exchange_duration_seconds",
            "How long exchanges took.",
            labels=("transaction", "side"),
        )
        for labels, took in sorted(self.tally.took.items()):
            found.add_metric(labels, _buckets(took), took.seconds)
        return found

    # ---- the ledger --------------------------------------------------------------------------

    def _ledger(self) -> Metric:
        """Of partners that are gone since, nothing is said any more."""
        found = CounterMetricFamily(
            "gateway_partner_exchanges",
            "Exchanges with partners, by purpose of use.",
            labels=("partner", "purpose", "transaction", "side", "outcome"),
        )
        for labels, number in sorted(self.tally.ledger.items()):
            if labels[0] in self.known:
                found.add_metric(labels, number)
        return found

    def _refused(self) -> Iterator[Metric]:
        """Auditors' figures, too: `why` may be what the partner was not told."""
        exchanges = CounterMetricFamily(
            "gateway_partner_refused",
            "Exchanges with partners that were refused (out: by the partner), and why.",
            labels=("partner", "purpose", "transaction", "side", "why"),
        )
        documents = CounterMetricFamily(
            "gateway_partner_documents_withheld",
            "Documents that partners asked for and rules did not give, and why.",
            labels=("partner", "purpose", "transaction", "side", "why"),
        )
        counts = ((exchanges, self.tally.refused), (documents, self.tally.withheld))
        for family, numbers in counts:
            for labels, number in sorted(numbers.items()):
                if labels[0] in self.known:
                    family.add_metric(labels, number)
            yield family

    def _spent(self) -> Metric:
        found = CounterMetricFamily(
            "gateway_partner_exchange_seconds",
            "Time that exchanges with partners took.",
            labels=("partner", "transaction", "side"),
        )
        for labels, seconds in sorted(self.tally.seconds.items()):
            if labels[0] in self.known:
                found.add_metric(labels, seconds)
        return found

    def _partners_took(self) -> Metric:
        found = HistogramMetricFamily(
            "gateway_partner_exchange_duration_seconds",
            "How long exchanges with partners took, by purpose of use.",
            labels=("partner", "purpose", "side"),
        )
        for labels, took in sorted(self.tally.partners_took.items()):
            if labels[0] in self.known:
                found.add_metric(labels, _buckets(took), took.seconds)
        return found

    def _visits(self) -> Iterator[Metric]:
        members = CounterMetricFamily(
            "gateway_partner_members_asked",
            "Members asked for since this process began, by how it ended at the partner.",
            labels=("partner", "purpose", "outcome"),
        )
        documents = CounterMetricFamily(
            "gateway_partner_documents_listed",
            "Documents of these: found, new, missing.",
            labels=("partner", "purpose", "state"),
        )
        counts = self.stands.counts
        for family, numbers in ((members, counts.members), (documents, counts.documents)):
            for labels, number in sorted(numbers.items()):
                if labels[0] in self.known:
                    family.add_metric(labels, max(0, number))
            yield family

    def _partners(self) -> Iterator[Metric]:
        members = _gauge(
            "partner_members",
            "Members asked for in the last 24 hours, by how it ended at the partner.",
            labels=("partner", "purpose", "outcome"),
        )
        documents = _gauge(
            "partner_documents",
            "Documents of the last 24 hours: found, new, missing.",
            labels=("partner", "purpose", "state"),
        )
        ended: Counter[tuple[str, str, str]] = Counter()
        brought: Counter[tuple[str, str, str]] = Counter()
        for visit in self.stands.visits:
            if visit.partner in self.known:
                purpose = purpose_label(visit.purpose)
                ended[visit.partner, purpose, visit.outcome] += visit.times
                brought[visit.partner, purpose, "found"] += visit.documents_found
                brought[visit.partner, purpose, "new"] += visit.documents_new
                brought[visit.partner, purpose, "missing"] += visit.documents_missing
        for family, numbers in ((members, ended), (documents, brought)):
            for labels, number in sorted(numbers.items()):
                family.add_metric(labels, number)
            yield family
        fees = _gauge("partner_charges", "That a partner takes a fee for a purpose.",
                      labels=("partner", "purpose"))  # fmt: skip
        for partner in self.stands.partners:
            for purpose in partner.profile.charges_for:
                fees.add_metric((partner.id, purpose_label(purpose)), 1)
        yield fees
        yield from self._breakers()

    def _breakers(self) -> Iterator[Metric]:
        """A partner stands here only while it fails."""
        failures = _gauge("partner_failures_in_a_row", "Of partners that fail, how often by now.",
                          labels=("partner",))  # fmt: skip
        alone = _gauge("partner_left_alone", "1 while a partner that fails is not asked.",
                       labels=("partner",))  # fmt: skip
        for one in self.stands.ailing:
            failures.add_metric((one.partner,), one.failures)
            is_alone = one.until is not None and self.stands.now < one.until
            alone.add_metric((one.partner,), int(is_alone))
        yield failures
        yield alone

    # ---- what waits --------------------------------------------------------------------------

    def _jobs(self) -> Iterator[Metric]:
        number = _gauge("jobs", "Jobs that wait, run, or failed for good (dead).",
                        labels=("kind", "state"))  # fmt: skip
        lag = _gauge(
            "job_lag_seconds",
            "For how long the oldest job could have run that waits: what is owed, mail included.",
            labels=("kind",),
        )
        for one in self.stands.jobs:
            number.add_metric((one.kind, one.state), one.number)
            if one.state == "waiting":
                late = (self.stands.now - one.due).total_seconds()
                lag.add_metric((one.kind,), max(0.0, late))
        yield number
        yield lag

    def _feeds(self) -> Iterator[Metric]:
        """ITI TF-2: 3.20: what audit repositories have not been told yet."""
        behind = _gauge("audit_feed_records_behind", "Records an audit repository was not told of.",
                        labels=("repository",))  # fmt: skip
        seconds = _gauge("audit_feed_lag_seconds", "The age of the oldest of them.",
                         labels=("repository",))  # fmt: skip
        dead = _gauge("audit_feed_dead_letters", "Records that a repository cannot be told of.",
                      labels=("repository",))  # fmt: skip
        for one in self.stands.feeds:
            behind.add_metric((one.repository,), one.records_behind)
            seconds.add_metric((one.repository,), one.seconds_behind)
            dead.add_metric((one.repository,), one.dead_letters)
        yield from (behind, seconds, dead)

    # ---- what runs out -----------------------------------------------------------------------

    def _certificates(self) -> Metric:
        found = _gauge(
            "certificate_expires_timestamp_seconds",
            "When a certificate ends that we, or others of us, rely on.",
            labels=("kind", "name", "fingerprint"),
        )
        # Twice the same (an anchor for two domains) is one sample: a scrape with two is refused.
        ends = {
            (one.kind, one.name, one.mark): one.certificate.not_valid_after_utc.timestamp()
            for one in self.relied_on
            if one.certificate is not None
        }
        for labels, moment in sorted(ends.items()):
            found.add_metric(labels, moment)
        return found


def _buckets(took: Durations) -> list[tuple[str, float]]:
    """Each bound with how many stayed within it."""
    bounds = (*map(str, BOUNDS_SECONDS), "+Inf")
    return list(zip(bounds, map(float, accumulate(took.within)), strict=True))


def _gauge(
    name: str, text: str, value: float | None = None, *, labels: tuple[str, ...] | None = None
) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"gateway_{name}", text, value=value, labels=labels)
