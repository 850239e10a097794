"""The exchange log in the forms of others: table cells, and FHIR AuditEvents (BALP, R4). Pure.

IHE ITI BALP: agents are the client (110153, Source Role ID), the server (110152, Destination Role
ID) and the person who asked; entities are the patient and the documents. One event a record.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from gateway.exchange.accounting import what_left
from gateway.model.exchange import Exchange, Outcome, RecordedExchange
from gateway.model.later import DEFERRAL

CSV_COLUMNS: Final = (
    "sequence", "time", "direction", "transaction", "outcome", "plan", "partner", "peer",
    "person", "role", "purpose", "authority", "member", "documents", "reason", "conversation",
    "message_id", "duration_ms", "count", "hash", "disposed",
)  # fmt: skip
OUTFLOW_COLUMNS: Final = (
    "month", "partner", "purpose", "transaction", "exchanges", "documents",
)  # fmt: skip
_DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_EVENT_TYPES: Final = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_OBJECT_TYPES: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_OBJECT_ROLES: Final = "http://terminology.hl7.org/CodeSystem/object-role"
_PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_IHE: Final = "urn:ihe:event-type-code"
_EVENTS: Final[Mapping[tuple[str, str], tuple[str, str, str]]] = {
    ("out", "ITI-55"): ("110112", "Query", "E"),
    ("in", "ITI-55"): ("110112", "Query", "E"),
    ("out", DEFERRAL): ("110112", "Query", "E"),
    ("in", DEFERRAL): ("110112", "Query", "E"),
    ("out", "ITI-56"): ("110112", "Query", "E"),
    ("in", "ITI-56"): ("110112", "Query", "E"),
    ("out", "ITI-38"): ("110112", "Query", "E"),
    ("in", "ITI-38"): ("110112", "Query", "E"),
    ("out", "ITI-39"): ("110107", "Import", "C"),
    ("in", "ITI-39"): ("110106", "Export", "R"),
    ("out", "ITI-41"): ("110106", "Export", "R"),
    ("in", "ITI-41"): ("110107", "Import", "C"),
    ("out", "ITI-80"): ("110106", "Export", "R"),
    ("in", "ITI-80"): ("110107", "Import", "C"),
    ("out", "DIRECT-SEND"): ("110106", "Export", "R"),
    ("in", "DIRECT-RECEIVE"): ("110107", "Import", "C"),
}
_LOG_READS: Final = (
    "EXCHANGE",
    "DISCLOSURE",
    "OUTFLOW",
    "LOG-EXPORT",
    "PROOF",
    "REFUSALS",
    "UNUSUAL",
)
_OUTCOMES: Final[Mapping[Outcome, str]] = {
    "success": "0", "partial": "4", "refused": "4", "failed": "8", "unknown": "8",
}  # fmt: skip


def csv_cells(record: RecordedExchange) -> tuple[object, ...]:
    """The record's cells, in the order of `CSV_COLUMNS`."""
    told = record.exchange
    given = {
        "sequence": record.sequence,
        "time": told.time.isoformat(),
        "documents": " ".join(told.documents),
        "hash": record.hash,
        "disposed": "yes" if record.is_disposed else "",
    }
    return tuple(given[name] if name in given else getattr(told, name) for name in CSV_COLUMNS)


def description(record: RecordedExchange) -> str | None:
    """The record's reason, and that nobody knows any more whose it was where that is so."""
    if not record.is_disposed:
        return record.exchange.reason
    return "; ".join(filter(None, (record.exchange.reason, "whose it was is disposed of")))


def outflow_rows(records: Iterable[RecordedExchange]) -> list[tuple[object, ...]]:
    """How many exchanges told something outside, and documents they gave: a line for each month,
    partner, purpose and transaction, sorted so."""
    exchanges: Counter[tuple[str, str, str, str]] = Counter()
    documents: Counter[tuple[str, str, str, str]] = Counter()
    for record in records:
        told = record.exchange
        if what_left(told) is None:
            continue
        recipient = told.partner or told.peer or "unknown"
        line = (f"{told.time:%Y-%m}", recipient, told.purpose or "not stated", told.transaction)
        exchanges[line] += 1
        documents[line] += len(told.documents)
    return [(*line, exchanges[line], documents[line]) for line in sorted(exchanges)]


def audit_event(record: RecordedExchange, *, gateway: str) -> dict[str, Any]:
    """The record as a FHIR R4 AuditEvent; `gateway` is our home community id."""
    told = record.exchange
    code, display, action = _event(told)
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": f"exchange-{record.sequence}",
        "type": {"system": _DCM, "code": code, "display": display},
        "subtype": [{"system": _IHE, "code": told.transaction}],
        "action": action,
        "recorded": told.time.isoformat(),
        "outcome": _OUTCOMES[told.outcome],
        "agent": _agents(told, gateway),
        "source": {"observer": {"identifier": {"value": gateway}}},
    }
    if code == "rest":
        event["type"]["system"] = _EVENT_TYPES
    if (described := description(record)) is not None:
        event["outcomeDesc"] = described
    if told.purpose is not None:
        event["purposeOfEvent"] = [{"coding": [{"code": told.purpose}]}]
    if entities := _entities(told):
        event["entity"] = entities
    return event


def _event(told: Exchange) -> tuple[str, str, str]:
    known = _EVENTS.get((told.direction, told.transaction))
    if known is not None:
        return known
    if any(name in told.transaction for name in _LOG_READS):
        return "110101", "Audit Log Used", "R"
    if told.outcome == "refused":
        return "110113", "Security Alert", "E"
    return "rest", "RESTful Operation", "E"


def _agents(told: Exchange, gateway: str) -> list[dict[str, Any]]:
    """Whoever asks is the source, but of documents it is whoever gives them (ITI TF-2: 3.39.5)."""
    other = told.partner or told.peer or "unknown"
    asks, answers = (gateway, other) if told.direction == "out" else (other, gateway)
    if told.transaction == "ITI-39":
        asks, answers = answers, asks
    agents = [
        _agent("110153", "Source Role ID", asks),
        _agent("110152", "Destination Role ID", answers),
    ]
    if told.person is not None:
        person: dict[str, Any] = {
            "type": {"coding": [{"system": _PARTICIPATION, "code": "IRCP"}]},
            "who": {"display": told.person},
            "requestor": True,
        }
        if told.role is not None:
            person["role"] = [{"text": told.role}]
        agents.append(person)
    return agents


def _agent(code: str, display: str, who: str) -> dict[str, Any]:
    return {
        "type": {"coding": [{"system": _DCM, "code": code, "display": display}]},
        "who": {"identifier": {"value": who}},
        "requestor": False,
    }


def _entities(told: Exchange) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if told.member is not None:
        found.append(_entity("1", "1", told.member))
    found += [_entity("2", "3", document) for document in told.documents]
    if told.message_id is not None:
        found.append(_entity("4", "26", told.message_id))
    return found


def _entity(kind: str, role: str, value: str) -> dict[str, Any]:
    roles = {} if role == "26" else {"role": {"system": _OBJECT_ROLES, "code": role}}
    return {
        "what": {"identifier": {"value": value}},
        "type": {"system": _OBJECT_TYPES, "code": kind},
        **roles,
    }
