"""Our own summary, written, sent out and received again, is kept and counts for nothing."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ccda import parse_document
from ccda.hl7v3 import II
from ccda.model import Author, ClinicalDocument
from gateway.app.house import House
from gateway.exchange.derived import SOFTWARE, is_derived
from gateway.exchange.summaries import build_summary
from gateway.exchange.summary_document import source_ids, write_member_ccd
from tests.gateway.clients.asking_house import MEMBER, PLAN
from tests.gateway.exchange.ingesting import ASTHMA, GOUT, PARTNER, cda, problems, reload, take

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def house(either_house: House) -> House:
    return either_house


def our_ccd(house: House) -> bytes:
    plan = house.plan(PLAN)
    assert plan is not None

    summary = house.database.read(
        lambda tx: build_summary(tx, plan=PLAN, member=MEMBER.id, now=NOW)
    )
    sources = house.database.read(lambda tx: source_ids(tx, plan=PLAN, summary=summary))
    return write_member_ccd(
        summary,
        member=MEMBER,
        plan=plan,
        community=house.community,
        sources=sources,
        number="1",
        now=NOW,
    )


def test_our_summary_that_a_partner_gives_back_is_filed_and_is_no_source(house: House) -> None:
    first = take(house, cda(number="1", sections=ASTHMA))
    sent = our_ccd(house)
    again = take(house, cda(number="2", replaces="1", sections=GOUT))
    back = take(house, sent, source=PARTNER)
    assert (back.outcome, reload(house, back).is_derived) == ("filed", True)
    assert problems(house) == {"Asthma": True, "Gout": False}
    summary = house.database.read(
        lambda tx: build_summary(tx, plan=PLAN, member=MEMBER.id, now=NOW)
    )
    used = {first.document.id, again.document.id}
    assert {document.id for document in summary.documents} == used
    assert {s.document for line in summary.section("problem").lines for s in line.sources} == used


def test_it_is_known_by_any_of_its_marks(house: House) -> None:
    take(house, cda(sections=ASTHMA))
    ours = parse_document(our_ccd(house))
    other = II("2.999.1", "1")
    without_ids = replace(ours, id=other, set_id=None)
    by_name = replace(without_ids, authors=(Author(device=SOFTWARE),))
    for one in (ours, replace(ours, id=other), without_ids, by_name):
        assert is_derived(one, house.community)


def test_what_others_wrote_or_people_of_ours_is_evidence(house: House) -> None:
    take(house, cda(sections=ASTHMA))
    whole = parse_document(our_ccd(house))
    ours = replace(whole, id=II("2.999.1", "1"), set_id=None)
    device, person = Author(device=SOFTWARE), Author(name="Dr. Ada Fictional")

    def derived(document: ClinicalDocument) -> bool:
        return is_derived(document, house.community)

    assert not derived(replace(whole, authors=(person,)))
    assert not derived(replace(ours, authors=(person,)))
    assert not derived(replace(ours, authors=(*ours.authors, person)))
    assert not derived(replace(ours, authors=()))
    # Another plan's gateway is the same software, and its sources are not ours.
    assert not derived(replace(ours, authors=(device,), custodian="Another plan"))
