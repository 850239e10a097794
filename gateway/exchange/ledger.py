"""The ledger by partner and purpose: who answers whom for what, how fast, and why not.

It is made of what became of retrievals, and of the exchange log.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import ceil
from typing import Any, Final

from gateway.exchange.listed import without_number
from gateway.model.exchange import Direction, Exchange, ExchangeFilter, RecordedExchange
from gateway.model.identity import PartnerId, PlanId
from gateway.model.ledger import Latency, LedgerLine, Requests, Visits
from gateway.model.partner import Partner
from gateway.model.retrieval import PartnerOutcome
from gateway.store import exchange_log, partners, retrievals
from gateway.store.database import Transaction

TRANSACTIONS: Final = frozenset({"ITI-55", "ITI-56", "ITI-38", "ITI-39", "ITI-41", "ITI-80"})
_CARRYING: Final = frozenset({"ITI-39", "ITI-41", "ITI-80"})
_MOST_REASONS: Final = 5
_PAGE: Final = 1000
_Key = tuple[PartnerId, str | None]
CSV_COLUMNS: Final = (
    "partner", "name", "purpose", "charges", "members_asked", "matched", "no_match", "held",
    "refused", "failed", "late", "documents_found", "documents_new", "documents_missing",
    "requests", "requests_answered", "requests_partial", "requests_refused", "requests_failed",
    "p50_ms", "p95_ms", "p99_ms", "why", "their_requests", "their_answered", "their_refused",
    "their_failed", "their_documents",
)  # fmt: skip


def read_ledger(
    transaction: Transaction, *, plan: PlanId, since: datetime, until: datetime
) -> tuple[LedgerLine, ...]:
    """The plan's ledger of that time; `until` is exclusive."""
    return ledger(
        retrievals.visits(transaction, plan=plan, since=since, until=until),
        _records(transaction, plan, ExchangeFilter(since=since, until=until)),
        partners.list_all(transaction, plan=plan),
    )


def _records(
    transaction: Transaction, plan: PlanId, wanted: ExchangeFilter
) -> Iterator[RecordedExchange]:
    for name in sorted(TRANSACTIONS):
        named, after = replace(wanted, transaction=name), None
        while True:
            page = exchange_log.search(
                transaction, plan=plan, wanted=named, descending=False, limit=_PAGE, after=after
            )
            yield from page
            if len(page) < _PAGE:
                break
            after = page[-1].sequence


def ledger(
    visits: Iterable[Visits],
    records: Iterable[RecordedExchange],
    known_partners: Iterable[Partner],
) -> tuple[LedgerLine, ...]:
    """A line for each partner and purpose that anything was exchanged for, by name."""
    known = {partner.id: partner for partner in known_partners}
    seen: dict[_Key, list[Visits]] = defaultdict(list)
    told: dict[Direction, dict[_Key, list[Exchange]]] = {
        "out": defaultdict(list),
        "in": defaultdict(list),
    }
    for visit in visits:
        seen[visit.partner, visit.purpose].append(visit)
    for record in records:
        one = record.exchange
        if one.partner is not None and one.transaction in TRANSACTIONS:
            told[one.direction][one.partner, one.purpose].append(one)
    lines = (
        _line(key, seen.get(key, ()), told["out"].get(key, ()), told["in"].get(key, ()), known)
        for key in {*seen, *told["out"], *told["in"]}
    )
    return tuple(sorted(lines, key=lambda line: (line.name, line.partner, line.purpose or "")))


def _line(
    key: _Key,
    visits: Sequence[Visits],
    asked: Sequence[Exchange],
    answered: Sequence[Exchange],
    known: Mapping[PartnerId, Partner],
) -> LedgerLine:
    partner, purpose = key
    members: Counter[PartnerOutcome] = Counter()
    for visit in visits:
        members[visit.outcome] += visit.times
    profile = known[partner].profile if partner in known else None
    names = (visit.partner_name for visit in visits)
    return LedgerLine(
        partner=partner,
        name=known[partner].name if partner in known else next(names, partner),
        purpose=purpose,
        members=dict(members),
        documents_found=sum(visit.documents_found for visit in visits),
        documents_new=sum(visit.documents_new for visit in visits),
        documents_missing=sum(visit.documents_missing for visit in visits),
        we_asked=_requests(asked),
        they_asked=_requests(answered),
        charges=profile is not None and purpose in profile.charges_for,
    )


def _requests(exchanges: Sequence[Exchange]) -> Requests:
    outcomes = Counter(one.outcome for one in exchanges)
    reasons = Counter(
        reason
        for one in exchanges
        if one.outcome != "success" and (reason := without_number(one.reason)) is not None
    )
    answered = [one for one in exchanges if one.outcome in ("success", "partial")]
    return Requests(
        sent=len(exchanges),
        answered=outcomes["success"],
        partial=outcomes["partial"],
        refused=outcomes["refused"],
        failed=outcomes["failed"] + outcomes["unknown"],
        documents=sum(_given(one) for one in answered),
        latency=_latency(one.duration_ms for one in answered),
        reasons=tuple(sorted(reasons.items(), key=_most_frequent_first)[:_MOST_REASONS]),
    )


def _most_frequent_first(counted: tuple[str, int]) -> tuple[int, str]:
    reason, times = counted
    return -times, reason


def _given(exchange: Exchange) -> int:
    """The documents that crossed; a list of them is none."""
    return len(exchange.documents) if exchange.transaction in _CARRYING else 0


def _latency(durations: Iterable[int | None]) -> Latency | None:
    """By nearest rank; None when nothing was answered."""
    known = sorted(one for one in durations if one is not None)
    if not known:
        return None
    p50, p95, p99 = (known[max(0, ceil(len(known) * share) - 1)] for share in (0.5, 0.95, 0.99))
    return Latency(p50, p95, p99)


# ---- how it is told --------------------------------------------------------------------------


def ledger_json(lines: Iterable[LedgerLine]) -> list[dict[str, Any]]:
    return [
        {
            "partner": line.partner,
            "name": line.name,
            "purpose": line.purpose,
            "charges": line.charges,
            "members": {"asked": sum(line.members.values()), **line.members},
            "documents": {
                "found": line.documents_found,
                "new": line.documents_new,
                "missing": line.documents_missing,
            },
            "we_asked": _requests_json(line.we_asked),
            "they_asked": _requests_json(line.they_asked),
        }
        for line in lines
    ]


def _requests_json(requests: Requests) -> dict[str, Any]:
    latency = requests.latency
    return {
        "requests": requests.sent,
        "answered": requests.answered,
        "partial": requests.partial,
        "refused": requests.refused,
        "failed": requests.failed,
        "documents": requests.documents,
        "p50_ms": latency.p50_ms if latency else None,
        "p95_ms": latency.p95_ms if latency else None,
        "p99_ms": latency.p99_ms if latency else None,
        "reasons": [{"reason": reason, "times": times} for reason, times in requests.reasons],
    }


def ledger_cells(lines: Iterable[LedgerLine]) -> Iterator[tuple[object, ...]]:
    """Cells in the order of `CSV_COLUMNS`."""
    for line in lines:
        ours, theirs = line.we_asked, line.they_asked
        latency = ours.latency
        times: tuple[object, ...] = (
            (latency.p50_ms, latency.p95_ms, latency.p99_ms) if latency else (None, None, None)
        )
        outcomes: tuple[PartnerOutcome, ...] = (
            "matched", "no_match", "held", "refused", "failed", "late",
        )  # fmt: skip
        yield (
            line.partner, line.name, line.purpose, "yes" if line.charges else "",
            sum(line.members.values()), *(line.members.get(name, 0) for name in outcomes),
            line.documents_found, line.documents_new, line.documents_missing,
            ours.sent, ours.answered, ours.partial, ours.refused, ours.failed, *times,
            "; ".join(f"{reason} ({times})" for reason, times in ours.reasons),
            theirs.sent, theirs.answered, theirs.refused, theirs.failed, theirs.documents,
        )  # fmt: skip
