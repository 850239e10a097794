"""Every kind of record there is has its ATNA event, and each event is of DICOM's schema."""

import ast
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree

import gateway
from gateway.exchange.atna import _EVENTS, Reporter, audit_events, has_event
from gateway.exchange.atna_acts import ACTS
from gateway.model.community import Community
from gateway.model.exchange import Exchange, Outcome
from gateway.model.identity import DocumentId, MemberId, PartnerId
from ihe.atna import write_audit_event
from ihe.identifiers import HomeCommunityId
from tests.gateway.clients.syslog_receiver import schema

REPORTER: Final = Reporter(
    Community(HomeCommunityId.parse("2.999.1"), "Example"), "gateway.example", "4711", {}
)
MEMBER: Final = MemberId("00000000-0000-4000-8000-000000000001")
OUTCOMES: Final[tuple[Outcome, ...]] = ("success", "partial", "refused", "failed", "unknown")
_NAME: Final = re.compile(
    r"(?:ITI|REST|CLI|DIRECT|SMTP|IMAP|FOLDER|CHECKPOINT|GATEWAY|FHIR|MDN|MAIL|OAUTH|CONSOLE|"
    r"DISCLOSURE)"
    r"(?:-[A-Z0-9]+)+"
)
_CALLS: Final = {"desk": 0, "record": 1, "record_look": 1, "refusal": 1}
_NOT_YET: Final = {"ITI-41", "ITI-80"}
"""Named in the code, though no door of theirs makes records yet."""


def names_in_the_code() -> set[str]:
    """Every transaction that the gateway's code can write into a record."""
    found = set()
    for file in Path(gateway.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if _NAME.fullmatch(node.value) else set()
            if isinstance(node, ast.Call):
                found |= set(_named(node))
    return found - _NOT_YET


def _named(call: ast.Call) -> list[str]:
    """Names that need not look like one: `Exchange(transaction="…")`, `desk("…")`."""
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    values = [word.value for word in call.keywords if word.arg == "transaction"]
    if name in _CALLS and len(call.args) > _CALLS[name]:
        values.append(call.args[_CALLS[name]])
    texts = [value.value for value in values if isinstance(value, ast.Constant)]
    return [text for text in texts if isinstance(text, str)]


def test_every_transaction_that_the_code_names_has_its_event() -> None:
    names = names_in_the_code()
    assert len(names) > 50
    assert {"FILE", "CHECKPOINT-KEY", "REST-SUMMARY", "ITI-39", "SMTP-IN"} <= names
    missing = sorted(name for name in names if not has_event(name))
    assert missing == [], "give each a kind in gateway/exchange/atna_acts.py"


def record(transaction: str, outcome: Outcome = "success", **changes: Any) -> Exchange:
    given: dict[str, Any] = {
        "time": datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        "direction": "in",
        "transaction": transaction,
        "outcome": outcome,
        "peer": "127.0.0.1",
        "person": "Nora Nurse",
        "role": "auditor",
        "member": MEMBER,
        "documents": (DocumentId("d-1"),),
        "reason": "as it was\x00",
        "message_id": "<1@there>",
    }
    return Exchange(**{**given, **changes})


def told(exchange: Exchange) -> list["etree._Element"]:
    events = audit_events(exchange, REPORTER, request=None, answer=None)
    return [etree.fromstring(write_audit_event(event)) for event in events]


def event_of(message: "etree._Element") -> tuple[str | None, ...]:
    found = message.find("EventIdentification")
    assert found is not None
    kind = found.find("EventTypeCode")
    return (
        found.find("EventID").get("csd-code"),  # type: ignore[union-attr]
        found.get("EventActionCode"),
        None if kind is None else kind.get("csd-code"),
        found.get("EventOutcomeIndicator"),
    )


@pytest.mark.parametrize("name", sorted({*ACTS, *_EVENTS}))
def test_its_event_is_of_the_schema_whatever_the_outcome(name: str) -> None:
    valid = schema()
    for outcome in OUTCOMES:
        for bare in ({}, {"person": None, "member": None, "documents": (), "peer": None}):
            for direction in ("in", "out"):
                messages = told(record(name, outcome, direction=direction, **bare))
                assert messages
                for message in messages:
                    valid.assertValid(message)


def test_the_schema_refuses_what_is_none() -> None:
    (message,) = told(record("REST-SUMMARY"))
    del message.find("EventIdentification").attrib["EventDateTime"]  # type: ignore[union-attr]
    assert not schema().validate(message)


@pytest.mark.parametrize(
    ("exchange", "event"),
    [
        (record("DIRECT-SEND", direction="out"), ("110106", "R", "DIRECT-SEND", "0")),
        (record("DIRECT-RECEIVE", person=None), ("110107", "C", "DIRECT-RECEIVE", "0")),
        (record("DIRECT-RECEIVE", "refused", person=None), ("110113", "E", "110126", "4")),
        (record("DIRECT-SEND", "refused", direction="out"), ("110113", "E", "110147", "4")),
        (record("SMTP-IN", person=None), ("110107", "C", "mail-arrival", "0")),
        (record("REST-MEMBERS"), ("110112", "E", "search-type", "0")),
        (record("REST-SUMMARY"), ("rest", "R", "read", "0")),
        (record("REST-SUMMARY", "refused"), ("rest", "R", "read", "4")),
        (record("REST-SUMMARY", "refused", person=None), ("110113", "E", "110126", "4")),
        (record("REST-EXCHANGES"), ("110101", "R", None, "0")),
        (record("CLI-PROOF"), ("110101", "R", None, "0")),
        (record("ITI-38", "refused", person=None), ("110113", "E", "110126", "4")),
        (record("CLI-KEYS-ROTATE"), ("110113", "E", "110129", "0")),
        (record("CLI-PARTNER-ADD"), ("110113", "E", "110128", "0")),
        (record("CLI-TOKEN-CREATE"), ("110113", "E", "110137", "0")),
        (record("GATEWAY-START", person=None), ("110100", "E", "110120", "0")),
        (record("GATEWAY-STOP", person=None), ("110100", "E", "110121", "0")),
        (record("FILE"), ("110107", "C", "file", "0")),
    ],
    ids=lambda value: f"{value.transaction} {value.outcome}" if isinstance(value, Exchange) else "",
)
def test_the_row_of_the_table(exchange: Exchange, event: tuple[str | None, ...]) -> None:
    (message,) = told(exchange)
    assert event_of(message) == event


def test_a_partner_that_is_refused_has_an_alert_beside_its_event() -> None:
    known = record("ITI-38", "refused", partner=PartnerId("p"), person=None)
    assert [event_of(message) for message in told(known)] == [
        ("110112", "E", "ITI-38", "4"),
        ("110113", "E", "110147", "4"),
    ]


def test_who_read_what_is_told() -> None:
    (message,) = told(record("REST-DOCUMENT-CONTENT"))
    people = {
        each.get("UserID"): (each.get("UserIsRequestor"), each.find("RoleIDCode").get("csd-code"))  # type: ignore[union-attr]
        for each in message.iterfind("ActiveParticipant")
    }
    assert people == {
        "gateway.example": ("false", "110153"),  # the data come from us
        "Nora Nurse": ("true", "auditor"),
        "127.0.0.1": ("false", "110152"),
    }
    objects = [
        (each.get("ParticipantObjectTypeCodeRole"), each.get("ParticipantObjectID"))
        for each in message.iterfind("ParticipantObjectIdentification")
    ]
    assert objects == [("1", f"{MEMBER}^^^&2.999.1.1&ISO"), ("3", "d-1"), ("26", "<1@there>")]


@pytest.mark.parametrize("name", ["REST-MEMBERS", "CLI-MEMBERS", "REST-RETRIEVAL"])
def test_the_source_of_a_search_is_who_asks(name: str) -> None:
    (message,) = told(record(name))
    roles = {
        each.get("UserID"): each.find("RoleIDCode").get("csd-code")  # type: ignore[union-attr]
        for each in message.iterfind("ActiveParticipant")
    }
    assert roles == {"127.0.0.1": "110153", "Nora Nurse": "auditor", "gateway.example": "110152"}


@pytest.mark.parametrize("door", ["ITI-55/ITI-56", "ITI-38/ITI-39", "ITI-41/ITI-80"])
@pytest.mark.parametrize("outcome", ["refused", "failed"])
def test_a_message_that_nobody_opened_is_an_alert_whatever_its_door_takes(
    door: str, outcome: Outcome
) -> None:
    assert has_event(door)
    (message,) = told(record(door, outcome, person=None, role=None))
    assert {"110113", "110126"} <= set(event_of(message))


def test_strangers_counted_together_are_one_alert_that_says_how_many() -> None:
    (message,) = told(record("REST", "refused", person=None, count=7, reason="no token"))
    said = message.findtext("EventIdentification/EventOutcomeDescription")
    assert said == "no token (7 times)"
