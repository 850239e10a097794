"""What left in an exchange, and which of its documents did."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gateway.exchange.accounting import documents_that_left, what_left
from gateway.exchange.disclosures import account
from gateway.exchange.log_export import outflow_rows
from gateway.model.exchange import Exchange, RecordedExchange
from gateway.model.identity import DocumentId, PartnerId
from gateway.store import exchange_log
from tests.gateway.house import MEMBER, PLAN, open_house

TIME = datetime(2026, 11, 11, 23, 59, 59, tzinfo=UTC)
GIVEN = Exchange(
    TIME,
    "in",
    "ITI-39",
    "success",
    plan=PLAN,
    partner=PartnerId("2.999.7301.1"),
    member=MEMBER.id,
    purpose="PUBLICHEALTH",
    documents=(DocumentId("one"), DocumentId("two")),
    message_id="urn:uuid:1",
    request_hash="00",
)


@pytest.mark.parametrize("transaction", ["ITI-38", "ITI-39"])
def test_what_we_answer_with_left_and_what_we_fetched_did_not(transaction: str) -> None:
    given = replace(GIVEN, transaction=transaction)
    fetched = replace(given, direction="out")
    assert documents_that_left(given) == given.documents
    assert documents_that_left(fetched) == ()
    assert what_left(fetched) is not None  # whom we asked about


@pytest.mark.parametrize("transaction", ["DIRECT-SEND", "ITI-41", "ITI-80"])
def test_what_we_sent_left_and_what_was_brought_did_not(transaction: str) -> None:
    sent = replace(GIVEN, direction="out", transaction=transaction)
    assert documents_that_left(sent) == sent.documents
    assert what_left(replace(sent, direction="in")) is None


def test_what_was_fetched_is_not_counted_among_what_left() -> None:
    fetched = replace(GIVEN, direction="out")
    log = [RecordedExchange(n, one, "", "") for n, one in enumerate((GIVEN, fetched))]
    month = ("2026-11", GIVEN.partner, "PUBLICHEALTH", "ITI-39")
    assert outflow_rows(log) == [(*month, 2, 2)]


@pytest.mark.parametrize("after", [timedelta(seconds=2), timedelta(days=3)])
def test_an_answer_that_broke_off_after_the_last_day_is_not_certain(
    tmp_path: Path, after: timedelta
) -> None:
    """Nor is what broke off itself of those days."""
    broken = replace(GIVEN, time=TIME + after, outcome="failed", reason="connection lost")
    with open_house(tmp_path) as house:

        def write(tx: object) -> None:
            exchange_log.append(tx, GIVEN)  # type: ignore[arg-type]
            exchange_log.append(tx, broken)  # type: ignore[arg-type]

        house.database.write(write)
        keys, asked = house.archive.blobs.keys, date(2026, 11, 20)
        told = house.database.read(
            lambda tx: account(tx, keys, member=MEMBER, asked=asked, until=TIME.date())
        )
    assert [one.is_certain for one in told.listed] == [False]
