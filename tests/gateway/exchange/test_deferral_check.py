"""A check of deferral that was killed: what it had asked stands in the log, and nothing waits."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from gateway.exchange.deferral_check import recover_checks
from gateway.model.identity import PartnerId, RetrievalId
from gateway.model.later import CHECK, AwaitedAnswer
from gateway.store import awaited_answers
from gateway.store.exchange_log import INTERRUPTED
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import PLAN, asking_house
from tests.gateway.store.builders import NOW, an_exchange

MINUTE = timedelta(minutes=1)
ASKED = AwaitedAnswer(
    message_id="urn:uuid:1",
    plan=PLAN,
    partner=PartnerId("p1"),
    retrieval=RetrievalId("check"),
    visited=PartnerId("p1"),
    question=CHECK,
    transaction="ITI-55",
    sent=NOW,
    expires=NOW + MINUTE,
    signature_values=(),
    exchange=replace(an_exchange(), plan=PLAN, transaction="ITI-55", message_id="urn:uuid:1"),
)
OF_A_RETRIEVAL = replace(
    ASKED, message_id="urn:uuid:2", question="ITI-55 first", retrieval=RetrievalId("r1")
)


def test_what_a_killed_check_had_asked_is_recorded_once_and_forgotten(tmp_path: Path) -> None:
    with asking_house(tmp_path) as house:
        for one in (ASKED, OF_A_RETRIEVAL):
            house.database.write(lambda tx, one=one: awaited_answers.put(tx, one))  # type: ignore[misc]

        def recover(after: timedelta) -> int:
            return house.database.write(lambda tx: recover_checks(tx, now=NOW + after))

        assert recover(2 * MINUTE) == 0, "it may still be looked at"
        assert recover(timedelta(hours=1)) == 1
        assert recover(timedelta(hours=1)) == 0
        (record,) = [one for one in lakeshore.records(house) if one.message_id == "urn:uuid:1"]
        assert (record.transaction, record.outcome, record.reason) == (
            "ITI-55", "unknown", INTERRUPTED,
        )  # fmt: skip
        later = NOW + timedelta(days=8)
        assert house.database.write(lambda tx: awaited_answers.forget_old(tx, now=later)) == 1
        left = house.database.read(lambda tx: awaited_answers.get(tx, message_id="urn:uuid:2"))
        assert left is not None and left.state == "sent", "a retrieval sees to its own"
