"""ITI-56 at our door: told by rule alone, and no refusal tells whom we know (DECISIONS 10, 11)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from ccda.safe_xml import Element
from gateway.exchange.accounting import what_left
from gateway.model.link import Link, LinkState
from gateway.model.policy import Rule
from gateway.store import links, members
from ihe.discovery import Matched
from ihe.identifiers import HomeCommunityId, Oid, PatientId
from ihe.patient_location import (
    PatientLocation,
    read_location_response,
    write_location_request,
)
from ihe.soap import ITI_56_REQUEST
from ihe.wire import SealedRequest
from tests.gateway.asking import answer_to, ask, fault_of, patient_id
from tests.gateway.exchange.atna_told import PROCESS, local, told
from tests.gateway.house import MEMBER, PLAN, Reply, a_partner, a_rule, records
from tests.gateway.visiting import Visitor, visiting

ELSEWHERE: Final = HomeCommunityId.parse("2.999.7303.1")
THERE: Final = PatientId("EW-17", Oid(f"{ELSEWHERE}.2"))
NOWHERE: Final = "No location is known for this patient id."
NO_LOCATOR: Final = "This community is no Health Data Locator: patient locations are not told."
OTHER: Final = a_partner("Elsewhere Clinic", str(ELSEWHERE))


def locating_rule(**changes: Any) -> Rule:
    return replace(a_rule(), name="locations", locations=True, **changes)


@contextmanager
def asking_where(folder: Path, *rules: Rule) -> Iterator[Visitor]:
    with visiting(folder, rules=rules, known=[OTHER]) as visitor:
        yield visitor


def link(state: LinkState = "confirmed", **changes: Any) -> Link:
    known = Link(PLAN, MEMBER.id, OTHER.id, ELSEWHERE, THERE, state, datetime.now(UTC))
    return replace(known, **changes)


def put(visitor: Visitor, *known: Link) -> None:
    for one in known:
        visitor.house.database.write(lambda tx, one=one: links.put(tx, one))  # type: ignore[misc]


def locate(
    visitor: Visitor, asked: PatientId | None = None, **asserted: Any
) -> tuple[SealedRequest, Reply]:
    body = write_location_request(asked or patient_id())
    sealed = ask(body, ITI_56_REQUEST, partner=visitor.partner, **asserted)
    return sealed, visitor.door.post("/ihe/xcpd", sealed.envelope, by=visitor.partner.name)


def answered(sealed: SealedRequest, reply: Reply) -> Element:
    assert reply.status == 200, reply.body
    return answer_to(sealed, reply.body)


def test_who_may_hear_it_is_told_who_else_knows_the_member_and_the_record_says_so(
    tmp_path: Path,
) -> None:
    held = link("held", patient_id=PatientId("EW-18", THERE.authority))
    rejected = link("rejected", patient_id=PatientId("EW-19", THERE.authority))
    with asking_where(tmp_path, locating_rule()) as visitor:
        asker = link(
            partner=visitor.partner.id, home_community_id=visitor.partner.home_community_id
        )
        put(visitor, link(), held, rejected, asker)
        sealed, reply = locate(visitor)
        found = read_location_response(answered(sealed, reply), asked=patient_id())
        assert found.locations == (PatientLocation(ELSEWHERE, THERE),)
        *_, record = records(visitor.house)
        assert (record.transaction, record.outcome) == ("ITI-56", "success")
        assert (record.plan, record.member) == (PLAN, MEMBER.id)
        assert record.reason == "told of one other community that knows the member"
        assert record.message_id == sealed.message_id
        assert what_left(record) == (
            "which other communities know the member, and the member's ids there"
        )
        (event,) = told(visitor.house, record)
        assert event.event == ("110112", "E", "ITI-56", "0")
        assert event.patients == [patient_id().cx]
        kind, _, query = event.asked
        assert (kind, local(query)) == ("ITI-56", "PatientLocationQueryRequest")
        assert event.participant("110152")["AlternativeUserID"] == PROCESS


def opted_out(visitor: Visitor) -> None:
    put(visitor, link())
    visitor.house.database.write(
        lambda tx: members.set_opted_out(tx, plan=PLAN, member=MEMBER.id, opted_out=True)
    )


@pytest.mark.parametrize(
    ("asked", "prepare", "reason"),
    [
        (PatientId("nobody", patient_id().authority), None, "no member of this patient id"),
        (PatientId(MEMBER.id, Oid("2.999.77")), None, "no member of this patient id"),
        (patient_id(), None, "no other community is known"),
        (patient_id(), opted_out, "the member has opted out"),
    ],
)
def test_whatever_depends_on_the_patient_is_one_and_the_same_fault(
    tmp_path: Path, asked: PatientId, prepare: Any, reason: str
) -> None:
    with asking_where(tmp_path, locating_rule()) as visitor:
        if prepare is not None:
            prepare(visitor)
        _, reply = locate(visitor, asked)
        fault = fault_of(reply)
        assert (reply.status, fault.code, fault.subcode) == (400, "soap:Sender", None)
        assert fault.sentence == NOWHERE
        *_, record = records(visitor.house)
        assert (record.transaction, record.outcome) == ("ITI-56", "refused")
        assert reason in (record.reason or "")
        assert record.member is None and what_left(record) is None


@pytest.mark.parametrize("rules", [(), (a_rule(),)])
def test_without_a_rule_for_it_we_are_no_health_data_locator(
    tmp_path: Path, rules: tuple[Rule, ...]
) -> None:
    with asking_where(tmp_path, *rules) as visitor:
        put(visitor, link())
        fault = fault_of(locate(visitor)[1])
        assert (fault.sentence, fault.subcode) == (NO_LOCATOR, "wsa:ActionNotSupported")
        if rules:
            found = visitor.discover()
            assert isinstance(found, Matched) and not found.matches[0].supports_locator


@pytest.mark.parametrize(
    "changes", [{"purpose": "PUBLICHEALTH"}, {"partner": OTHER.id}, {"direction": "take"}]
)
def test_a_rule_for_others_tells_this_partner_nothing(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with asking_where(tmp_path, a_rule(), locating_rule(**changes)) as visitor:
        put(visitor, link())
        fault = fault_of(locate(visitor)[1])
        assert fault.sentence.startswith("This community tells yours no patient locations")
        found = visitor.discover()
        assert isinstance(found, Matched) and not found.matches[0].supports_locator


def test_a_match_says_that_we_are_a_locator_to_whom_we_are_one(tmp_path: Path) -> None:
    with asking_where(tmp_path, locating_rule()) as visitor:
        found = visitor.discover()
        assert isinstance(found, Matched) and found.matches[0].supports_locator
