"""The ledger counts what was asked of each partner for each purpose, and what came of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.app.house import House
from gateway.exchange.ledger import CSV_COLUMNS, ledger, ledger_cells, ledger_json, read_ledger
from gateway.model.exchange import Exchange, RecordedExchange
from gateway.model.identity import ConversationId, DocumentId, PartnerId, RetrievalId
from gateway.model.ledger import Latency, Visits
from gateway.model.partner import PartnerProfile
from gateway.model.retrieval import PartnerProgress, Requester, Retrieval
from gateway.store import exchange_log, partners, retrievals
from tests.gateway.clients.asking_house import MEMBER, PLAN
from tests.gateway.house import a_partner

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PARTNER = replace(a_partner(plan=PLAN), profile=PartnerProfile(charges_for=("PAYMENT",)))


def exchange(**changes: Any) -> Exchange:
    given: dict[str, Any] = {
        "time": NOW,
        "direction": "out",
        "transaction": "ITI-38",
        "outcome": "success",
        "plan": PLAN,
        "partner": PARTNER.id,
        "purpose": "PAYMENT",
        "duration_ms": 100,
    }
    return Exchange(**(given | changes))


def recorded(*exchanges: Exchange) -> list[RecordedExchange]:
    return [RecordedExchange(n, one, "", "") for n, one in enumerate(exchanges, 1)]


def test_each_partner_and_purpose_has_a_line_by_name() -> None:
    other = PartnerId("gone")
    lines = ledger(
        [],
        recorded(
            exchange(),
            exchange(purpose="TREATMENT"),
            exchange(partner=other, purpose=None),
            exchange(transaction="REST-SUMMARY"),
            exchange(partner=None),
        ),
        [PARTNER],
    )
    assert [(line.name, line.purpose, line.charges) for line in lines] == [
        (PARTNER.name, "PAYMENT", True),
        (PARTNER.name, "TREATMENT", False),
        ("gone", None, False),
    ]


def test_a_reason_is_counted_however_many_documents_were_listed() -> None:
    told = "it reported XDSRegistryError: it had a fault of its own"
    given = [
        exchange(outcome="partial", reason=f"{told}; {listed}")
        for listed in ("1 document listed", "7 documents listed")
    ]
    given.append(exchange(outcome="partial", reason="7 documents listed"))
    (line,) = ledger([], recorded(*given), [PARTNER])
    assert line.we_asked.reasons == ((told, 2),)


def test_outcomes_times_and_reasons_are_counted_each_way() -> None:
    two = (DocumentId("a"), DocumentId("b"))
    given = [exchange(duration_ms=ms) for ms in range(1, 101)]
    given += [
        exchange(outcome="failed", reason="timed out", duration_ms=60_000),
        exchange(outcome="failed", reason="timed out"),
        exchange(outcome="unknown"),
        exchange(outcome="refused", reason="not for payers"),
        exchange(transaction="ITI-39", outcome="partial", documents=two, duration_ms=None),
        exchange(direction="in", documents=two),
        exchange(direction="in", transaction="ITI-39", documents=two, duration_ms=7),
        exchange(direction="in", outcome="refused", reason="no rule"),
    ]
    (line,) = ledger([], recorded(*given), [PARTNER])
    ours, theirs = line.we_asked, line.they_asked
    assert (ours.sent, ours.answered, ours.partial, ours.refused, ours.failed) == (
        105,
        100,
        1,
        1,
        3,
    )
    assert ours.latency == Latency(50, 95, 99), "a failure says nothing of how fast answers are"
    assert ours.reasons == (("timed out", 2), ("not for payers", 1))
    assert ours.documents == 2
    assert (theirs.sent, theirs.answered, theirs.refused, theirs.documents) == (3, 2, 1, 2)


def test_members_are_counted_by_how_their_visits_ended() -> None:
    visit = Visits(PARTNER.id, "As it was called", "PAYMENT", "matched", 3, 9, 7, 1)
    visits = [visit, replace(visit, outcome="no_match", times=2, documents_found=0)]
    (line,) = ledger(visits, [], [])
    assert line.members == {"matched": 3, "no_match": 2}
    assert (line.documents_found, line.documents_new, line.documents_missing) == (9, 14, 2)
    assert line.name == "As it was called"
    assert line.we_asked.latency is None
    (form,) = ledger_json([line])
    assert form["members"] == {"asked": 5, "matched": 3, "no_match": 2}
    (cells,) = ledger_cells([line])
    told = dict(zip(CSV_COLUMNS, cells, strict=True))
    assert (told["members_asked"], told["no_match"], told["p50_ms"]) == (5, 2, None)


@pytest.fixture
def house(either_house: House) -> House:
    return either_house


def test_it_is_read_from_retrievals_and_the_log_of_that_time_alone(house: House) -> None:
    progress = PartnerProgress(PARTNER.id, PARTNER.name, outcome="matched", documents_found=2)
    idle = PartnerProgress(PartnerId("x"), "X", outcome="not_asked")
    retrieval = Retrieval(
        RetrievalId("r1"),
        PLAN,
        MEMBER.id,
        "PAYMENT",
        Requester("Pat", "adjuster"),
        ConversationId("c"),
        NOW,
        partners=(progress, idle, replace(idle, partner=PartnerId("y"), outcome=None)),
    )
    earlier = replace(retrieval, id=RetrievalId("r0"), created=NOW - timedelta(days=2))

    def unit(transaction: Any) -> None:
        partners.put(transaction, PARTNER)
        for one in (retrieval, earlier):
            retrievals.create(transaction, one)
        for time in (NOW - timedelta(days=2), NOW, NOW + timedelta(days=1)):
            exchange_log.append(transaction, exchange(time=time))

    house.database.write(unit)
    (line,) = house.database.read(
        lambda tx: read_ledger(
            tx, plan=PLAN, since=NOW - timedelta(days=1), until=NOW + timedelta(days=1)
        )
    )
    assert (line.partner, line.members, line.documents_found) == (PARTNER.id, {"matched": 1}, 2)
    assert line.we_asked.sent == 1
