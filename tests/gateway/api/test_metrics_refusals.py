"""`/metrics` tells who was refused, for which purpose and why, in kinds and in nobody's words."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.api.applications import create_operations_application
from gateway.api.metrics import Meters, meters
from gateway.app.house import House
from gateway.model.purpose import NHIN
from gateway.store import exchange_log, members
from ihe.registry_response import ResponseStatus
from ihe.saml import CodedAttribute
from ihe.soap import ITI_38_ANSWER, ITI_38_REQUEST, ITI_55_REQUEST
from ihe.xca_query import AdhocQueryResponse, write_adhoc_query_response
from tests.gateway.asking import ask, discovery, find_documents
from tests.gateway.clients.asking_house import asking_house
from tests.gateway.clients.asking_house import retrieve as ask_partners
from tests.gateway.clients.scripted_partner import Heard, Reply, scripted
from tests.gateway.clients.test_misbehaving_partners import fault
from tests.gateway.house import MEMBER, PLAN, a_partner, a_rule
from tests.gateway.visiting import Visitor, visiting

OPERATIONS = CodedAttribute("OPERATIONS", NHIN, "nhin-purpose", "Operations")


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Visitor]:
    with visiting(tmp_path, rules=[a_rule(class_code="34133-9")]) as found:
        yield found


def metered(house: House) -> Meters:
    return meters(house.settings, house.database, house.queue, (PLAN,))


def scraped(found: Meters) -> str:
    async def get() -> httpx.Response:
        application = create_operations_application(lambda: None, found)
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://operations") as client:
            return await client.get("/metrics")

    return asyncio.run(get()).text


Refused = dict[tuple[str, str, str, str, str], float]


def refused(found: Meters, name: str = "gateway_partner_refused_total") -> Refused:
    names = ("partner", "purpose", "transaction", "side", "why")
    return {
        tuple(sample.labels[name] for name in names): sample.value  # type: ignore[misc]
        for family in text_string_to_metric_families(scraped(found))
        for sample in family.samples
        if sample.name == name
    }


def test_what_rules_refuse_is_counted_by_why(visitor: Visitor) -> None:
    found, id = metered(visitor.house), visitor.partner.id
    note = visitor.held("11506-3")
    visitor.get(note)
    visitor.get(note)
    visitor.get(note, purpose_of_use=OPERATIONS)
    assert refused(found) == {
        (id, "PAYMENT", "ITI-39", "in", "no_rule"): 2,
        (id, "OPERATIONS", "ITI-39", "in", "no_rule"): 1,
    }
    visitor.house.database.write(
        lambda tx: members.set_opted_out(tx, plan=PLAN, member=MEMBER.id, opted_out=True)
    )
    visitor.get(note)
    assert refused(found)[id, "PAYMENT", "ITI-39", "in", "opted_out"] == 1


def test_what_rules_keep_out_of_an_answer_that_succeeds_is_counted_by_document(
    visitor: Visitor,
) -> None:
    found, id = metered(visitor.house), visitor.partner.id
    listed = visitor.find()
    assert len(listed.entries) == 1
    withheld = "gateway_partner_documents_withheld_total"
    assert refused(found) == {}
    assert refused(found, withheld) == {(id, "PAYMENT", "ITI-38", "in", "no_rule"): 4}


def test_what_the_message_lacks_is_counted_by_why(visitor: Visitor) -> None:
    found, id, door = metered(visitor.house), visitor.partner.id, visitor.door
    unsaid = ask(discovery(), ITI_55_REQUEST, purpose_of_use=None)
    assert door.post("/ihe/xcpd", unsaid.envelope).status == 400
    twice = ask(find_documents(), ITI_38_REQUEST)
    assert [door.post("/ihe/xca", twice.envelope).status for _ in range(2)] == [200, 400]
    assert refused(found) == {
        (id, "", "ITI-55", "in", "no_purpose"): 1,
        (id, "PAYMENT", "ITI-38", "in", "replay"): 1,
    }


def test_a_stranger_is_no_partner_to_be_shown(visitor: Visitor) -> None:
    found, stranger = metered(visitor.house), a_partner("Forest Clinic", "2.999.7399.1")
    sealed = ask(find_documents(), ITI_38_REQUEST, partner=stranger)
    door = visitor.door
    assert door.post("/ihe/xca", sealed.envelope, by=stranger.name).status == 400
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    visitor.house.database.write(lambda tx: exchange_log.flush_refusals(tx, now=in_an_hour))
    text = scraped(found)
    assert 'gateway_exchanges_total{outcome="refused",side="in"' in text
    assert "gateway_partner_refused_total{" not in text


@pytest.mark.parametrize("stale, why", [(False, "soap_fault"), (True, "clock")])
def test_what_we_are_refused_and_what_we_refuse_to_believe(
    stale: bool, why: str, tmp_path: Path
) -> None:
    def answer(heard: Heard) -> Reply:
        if stale:
            body = write_adhoc_query_response(AdhocQueryResponse(ResponseStatus.SUCCESS))
            then = datetime.now(UTC) - timedelta(hours=1)
            return Reply(heard.seal(body, ITI_38_ANSWER, now=then))
        return Reply(fault("Sender"), status=400)

    with scripted(ITI_38=answer) as script, asking_house(tmp_path, [script.partner]) as house:
        found = metered(house)
        ask_partners(house)
        counted = refused(found)
        assert counted == {(script.partner.id, "PAYMENT", "ITI-38", "out", why): 1}
        assert "Rosalind" not in scraped(found)
