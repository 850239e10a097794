"""The log in the forms of others says of whom nobody can know any more that it is so."""

from datetime import UTC, datetime

import pytest

from gateway.exchange.fhir_audit import Observer, audit_event, description
from gateway.exchange.log_export import CSV_COLUMNS, csv_cells
from gateway.model.community import Community
from gateway.model.exchange import Exchange, RecordedExchange
from ihe.identifiers import HomeCommunityId, Oid

TIME = datetime(2016, 3, 1, tzinfo=UTC)
OBSERVER = Observer(Community(HomeCommunityId(Oid("2.999.1")), "Acme"), "gateway.test")


def recorded(reason: str | None = None, *, is_disposed: bool = True) -> RecordedExchange:
    told = Exchange(TIME, "in", "ITI-39", "success", partner="2.999.7", reason=reason)  # type: ignore[arg-type]
    return RecordedExchange(7, told, "ab" * 32, "cd" * 32, is_disposed)


@pytest.mark.parametrize(
    ("reason", "is_disposed", "words"),
    [
        (None, True, "whose it was is disposed of"),
        ("1 missing", True, "1 missing; whose it was is disposed of"),
        ("1 missing", False, "1 missing"),
        (None, False, None),
    ],
)
def test_every_form_marks_a_record_that_was_disposed_of(
    reason: str | None, is_disposed: bool, words: str | None
) -> None:
    record = recorded(reason, is_disposed=is_disposed)
    cells = dict(zip(CSV_COLUMNS, csv_cells(record), strict=True))
    assert (cells["disposed"], cells["reason"]) == ("yes" if is_disposed else "", reason)
    assert audit_event(record, OBSERVER).get("outcomeDesc") == words
    assert description(record) == words
