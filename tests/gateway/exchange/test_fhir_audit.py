"""Our AuditEvents are what the BALP profiles that they name require, and say what ATNA is told."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, Final, get_args

import pytest

from gateway.exchange.atna import Reporter, audit_events
from gateway.exchange.atna_acts import ACTS, DIRECT
from gateway.exchange.fhir_audit import IHE_EVENTS, Observer, audit_event
from gateway.model.community import Community
from gateway.model.exchange import Direction, Exchange, Outcome, RecordedExchange
from gateway.model.identity import DocumentId, MemberId, PartnerId
from ihe.atna import DESTINATION_ROLE, SOURCE_ROLE
from ihe.identifiers import HomeCommunityId, Oid
from tests.gateway.exchange.balp import PROFILES, claimed, problems

TIME: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
COMMUNITY: Final = Community(HomeCommunityId(Oid("2.999.1")), "Acme")
OBSERVER: Final = Observer(COMMUNITY, "gateway.test")
TRANSACTIONS: Final = sorted({name for _, name in IHE_EVENTS} | ACTS.keys() | DIRECT)
PEERS: Final = ("10.0.0.1", "CN=Lakeshore at 192.0.2.1", "https://hie.test/xca", "terminal", None)


def recorded(name: str, direction: Direction = "in", **facts: Any) -> RecordedExchange:
    given = {"outcome": "success", "peer": "10.0.0.1", **facts}
    return RecordedExchange(7, Exchange(TIME, direction, name, **given), "ab" * 32, "cd" * 32)


def everything() -> Iterator[RecordedExchange]:
    """Of each transaction, either way, with each outcome: of a member or nobody, with documents
    and without, of a person or none, from wherever."""
    documents = (DocumentId("d-1"), DocumentId("d-2"))
    for name in TRANSACTIONS:
        for direction in get_args(Direction):
            for number, outcome in enumerate(get_args(Outcome)):
                for member in (None, MemberId("m-1")):
                    for many in range(3):
                        yield recorded(
                            name,
                            direction,
                            outcome=outcome,
                            member=member,
                            documents=documents[:many],
                            peer=PEERS[(number + many) % len(PEERS)],
                            partner=PartnerId("p-1") if many else None,
                            person="Ann" if many != 1 else None,
                            role="staff" if many else None,
                            purpose="PAYMENT" if member else None,
                            conversation="c-1" if many == 2 else None,
                            message_id="urn:uuid:1" if many == 1 else None,
                        )


def test_every_event_is_what_it_claims_to_be_and_every_profile_is_claimed() -> None:
    names: set[str] = set()
    for record in everything():
        event = audit_event(record, OBSERVER)
        assert list(problems(event)) == [], record
        names |= set(claimed(event))
    assert names == set(PROFILES)


@pytest.mark.parametrize(
    ("name", "direction", "facts", "profile"),
    [
        ("ITI-39", "in", {"documents": ("d-1",)}, "PrivacyDisclosure.Source"),
        ("ITI-39", "out", {"documents": ("d-1",)}, "PrivacyDisclosure.Recipient"),
        ("ITI-41", "out", {"documents": ("d-1",)}, "PrivacyDisclosure.Source"),
        ("ITI-80", "in", {"documents": ("d-1",)}, "PrivacyDisclosure.Recipient"),
        ("DIRECT-SEND", "out", {"documents": ("d-1",)}, "PrivacyDisclosure.Source"),
        ("DIRECT-RECEIVE", "in", {"documents": ("d-1",)}, "PrivacyDisclosure.Recipient"),
        ("REST-SUMMARY", "in", {}, "PatientRead"),
        ("REST-DOCUMENT-VIEW", "in", {"documents": ("d-1",)}, "PatientRead"),
        ("REST-MESSAGE", "in", {"member": None, "conversation": "c-1"}, "Read"),
        ("REST-DOCUMENT-IN", "in", {"documents": ("d-1",)}, "PatientCreate"),
        ("REST-DOCUMENT-IN", "in", {"member": None, "documents": ("d-1",)}, "Create"),
    ],
)  # fmt: skip
def test_what_a_profile_is_for_claims_it(
    name: str, direction: Direction, facts: dict[str, Any], profile: str
) -> None:
    told = {"member": "m-1", "partner": None if name.startswith("REST") else "p-1", **facts}
    event = audit_event(recorded(name, direction, **told), OBSERVER)
    assert claimed(event) == [profile]


@pytest.mark.parametrize(
    ("name", "direction", "facts"),
    [
        ("ITI-39", "in", {"outcome": "refused", "documents": ("d-1",)}),
        ("ITI-39", "in", {"documents": ()}),
        ("ITI-38", "in", {"documents": ("d-1",)}),
        ("REST-SUMMARY", "in", {"outcome": "failed"}),
        ("REST-SUMMARY", "in", {"peer": None}),
        ("REST-MEMBERS", "in", {}),
    ],
)
def test_what_is_none_of_its_own_claims_no_profile(
    name: str, direction: Direction, facts: dict[str, Any]
) -> None:
    told = {"member": "m-1", **facts}
    assert claimed(audit_event(recorded(name, direction, **told), OBSERVER)) == []


def without(event: dict[str, Any], *path: str | int) -> dict[str, Any]:
    """The event, one thing of it taken away."""
    less = deepcopy(event)
    place: Any = less
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return less


@pytest.mark.parametrize(
    "path",
    [
        ("action",), ("outcome",), ("recorded",), ("source", "observer"), ("subtype", -1),
        ("agent", 0, "network"), ("agent", 1, "network"), ("agent", 0, "who"), ("agent", 1),
        ("entity", 0), ("entity", 0, "role"), ("entity", 0, "what"), ("entity", 0, "what", "type"),
    ],
)  # fmt: skip
def test_the_table_finds_what_is_missing(path: tuple[str | int, ...]) -> None:
    """Else the tests above could not fail."""
    facts = {"member": "m-1", "partner": "p-1", "documents": ("d-1",)}
    event = audit_event(recorded("ITI-39", **facts), OBSERVER)
    assert list(problems(event)) == []
    assert list(problems(without(event, *path))) != []


def test_fhir_and_atna_tell_the_same_kind_of_event() -> None:
    """By type, action, and which side of the exchange the data come from."""
    reporter = Reporter(COMMUNITY, "gateway.test", "1", {})
    compared = 0
    for record in everything():
        told = record.exchange
        if told.outcome not in ("success", "refused") or told.transaction == "ITI-55-DEFERRED":
            continue
        (first, *_) = audit_events(told, reporter, request=None, answer=None)
        event = audit_event(record, OBSERVER)
        if event["type"]["code"] != "rest":  # so BALP calls what DICOM has several names for
            assert event["type"]["code"] == first.id.code, record
        assert event["action"] == first.action, record
        (us,) = (one for one in first.participants if one.alternative_user_id is not None)
        if told.outcome == "success" and us.roles[0] in (SOURCE_ROLE, DESTINATION_ROLE):
            is_first = event["agent"][0]["who"]["identifier"]["value"] == OBSERVER.id
            assert is_first == (us.roles[0] == SOURCE_ROLE), record
        compared += 1
    assert compared > 1000


@pytest.mark.parametrize("name", ["ITI-55-DEFERRED", "ITI-55/ITI-56", "REST-MEMBERS"])
def test_what_is_no_transaction_of_ihes_has_no_code_of_ihes(name: str) -> None:
    event = audit_event(recorded(name, partner=PartnerId("p-1")), OBSERVER)
    ours = {"system": f"urn:oid:{COMMUNITY.transactions}", "code": name}
    assert event["subtype"][-1] == ours
    ihe = audit_event(recorded("ITI-55", partner=PartnerId("p-1")), OBSERVER)
    assert ihe["subtype"] == [{"system": "urn:ihe:event-type-code", "code": "ITI-55"}]


def test_refusals_that_were_counted_are_one_event_that_says_how_many() -> None:
    refusals = recorded("DIRECT-RECEIVE", outcome="refused", reason="nobody we trust", count=57)
    assert audit_event(refusals, OBSERVER)["outcomeDesc"] == "nobody we trust (57 times)"
