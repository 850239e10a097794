"""Who was refused by which rule, counted."""

from datetime import UTC, datetime
from typing import Any

from gateway.exchange.policy import Refused, refusals_in_words
from gateway.exchange.refusals import refusal_rows
from gateway.model.exchange import Exchange, RecordedExchange

MARCH = datetime(2026, 3, 1, 12, tzinfo=UTC)


def records(*exchanges: Exchange) -> list[RecordedExchange]:
    return [RecordedExchange(place, one, "", "") for place, one in enumerate(exchanges, 1)]


def refused(reason: str | None, **changes: Any) -> Exchange:
    given = {"outcome": "refused", "partner": "p", "time": MARCH, **changes}
    return Exchange(direction="in", transaction="ITI-38", reason=reason, **given)


def test_refusals_are_counted_by_month_partner_and_rule() -> None:
    april = MARCH.replace(month=4)
    found = refusal_rows(
        records(
            refused("No purpose is stated."),
            refused("No purpose is stated."),
            refused("No purpose is stated.", time=april),
            refused("Treatment only.", partner=None, person="Nora"),
            refused(None, partner=None, peer="192.0.2.1", count=7),
        )
    )
    assert found == [
        ("2026-03", "192.0.2.1", "ITI-38", "not stated", 7, 0),
        ("2026-03", "Nora", "ITI-38", "Treatment only.", 1, 0),
        ("2026-03", "p", "ITI-38", "No purpose is stated.", 2, 0),
        ("2026-04", "p", "ITI-38", "No purpose is stated.", 1, 0),
    ]


def test_what_a_rule_keeps_out_of_an_answer_is_counted_as_documents() -> None:
    rules = [Refused("no rule", why) for why in ("Rule one is for 3 others.", *["Rule two."] * 2)]
    said = refusals_in_words(rules)
    found = refusal_rows(records(refused(said, outcome="success"), refused("", outcome="success")))
    assert found == [
        ("2026-03", "p", "ITI-38", "Rule one is for 3 others.", 0, 1),
        ("2026-03", "p", "ITI-38", "Rule two.", 0, 2),
    ]
    assert refusal_rows(records(refused(said)))[0][4:] == (1, 1)


def test_what_succeeds_and_what_fails_is_no_refusal() -> None:
    others = (refused(None, outcome="success"), refused("broken off", outcome="failed"))
    assert refusal_rows(records(*others)) == []
