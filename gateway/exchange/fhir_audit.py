"""An exchange record as FHIR R4 AuditEvent, after IHE's Basic Audit Log Patterns (BALP 1.1). Pure.

One event a record. What sort of event it is, is what ATNA is told of it (`atna_acts`). Who searches
by REST is the source there, and who reads the destination.

An event names the profiles of BALP that it fulfils, and none that it does not: those of searches
want the raw request, and what our own people ask for is never kept (DECISIONS 20).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from gateway.exchange.accounting import what_left
from gateway.exchange.atna_acts import DIRECT, described, kind_of_act
from gateway.model.community import Community
from gateway.model.exchange import Exchange, Outcome, RecordedExchange
from gateway.model.later import DEFERRAL
from ihe.atna import DCM, IHE, AuditCode
from ihe.audit_acts import EXPORT, IMPORT, LOG_USED, OURS, QUERY, READ, REST, Kind

Json = dict[str, Any]
BALP: Final = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
IHE_CODES: Final = "urn:ihe:event-type-code"
_DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_SYSTEMS: Final[Mapping[str, str]] = {DCM: _DCM, IHE: IHE_CODES}
_OBJECT_TYPES: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_OBJECT_ROLES: Final = "http://terminology.hl7.org/CodeSystem/object-role"
_PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_SOURCES: Final = "http://terminology.hl7.org/CodeSystem/security-source-type"
_DISCLOSE: Final[Json] = {
    "system": "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle",
    "code": "disclose",
}
_QUERY: Final = Kind(QUERY, "E")
_EXPORT: Final = Kind(EXPORT, "R", flow="out")
_IMPORT: Final = Kind(IMPORT, "C", flow="in")
IHE_EVENTS: Final[Mapping[tuple[str, str], Kind]] = {
    ("out", "ITI-55"): _QUERY,
    ("in", "ITI-55"): _QUERY,
    ("out", DEFERRAL): _QUERY,
    ("in", DEFERRAL): _QUERY,
    ("out", "ITI-56"): _QUERY,
    ("in", "ITI-56"): _QUERY,
    ("out", "ITI-38"): _QUERY,
    ("in", "ITI-38"): _QUERY,
    ("out", "ITI-39"): _IMPORT,
    ("in", "ITI-39"): _EXPORT,
    ("out", "ITI-41"): _EXPORT,
    ("in", "ITI-41"): _IMPORT,
    ("out", "ITI-80"): _EXPORT,
    ("in", "ITI-80"): _IMPORT,
}
_OF_IHE: Final = frozenset({name for _, name in IHE_EVENTS} - {DEFERRAL})
OUTCOMES: Final[Mapping[Outcome, str]] = {
    "success": "0", "partial": "4", "refused": "4", "failed": "8", "unknown": "8",
}  # fmt: skip
_URI: Final = re.compile(r"https?://")
_READ_ACTS: Final = ("read", "create")


@dataclass(frozen=True, slots=True)
class Observer:
    """Who reports: our community, and this machine's name."""

    community: Community
    host: str

    @property
    def id(self) -> str:
        """Our home community id, by which agents and the source name us."""
        return str(self.community.home_community_id)

    @property
    def patients(self) -> str:
        """The system of our own ids of members."""
        return f"urn:oid:{self.community.patient_authority}"


def audit_event(record: RecordedExchange, observer: Observer) -> Json:
    """The record as AuditEvent."""
    told = record.exchange
    kind = kind_of(told)
    event: Json = {
        "resourceType": "AuditEvent",
        "id": event_id(record.sequence),
        "type": event_type(kind, observer),
        "subtype": [*subtypes(told, kind, observer), *([_DISCLOSE] if _discloses(told) else ())],
        "action": kind.action,
        "recorded": told.time.isoformat(),
        "outcome": OUTCOMES[told.outcome],
        "agent": list(_agents(told, kind, observer)),
        "source": {
            "observer": {"identifier": {"value": observer.id}},
            "type": [{"system": _SOURCES, "code": "4", "display": "Application Server"}],
        },
    }
    if (words := description(record)) is not None:
        event["outcomeDesc"] = words
    if told.purpose is not None:
        event["purposeOfEvent"] = [{"coding": [{"code": told.purpose}]}]
    if entities := list(_entities(told, kind, observer)):
        event["entity"] = entities
    if profiles := [BALP + name for name in _profiles(told, kind, event)]:
        event["meta"] = {"profile": profiles}
    return event


def description(record: RecordedExchange) -> str | None:
    """The record's reason, how many it counts, and that nobody knows any more whose it was where
    that is so."""
    told = described(record.exchange)
    if not record.is_disposed:
        return told
    return "; ".join(filter(None, (told, "whose it was is disposed of")))


def event_id(sequence: int) -> str:
    """The id of the record's event."""
    return f"exchange-{sequence}"


# ---- what sort of event ----------------------------------------------------------------------


def kind_of(told: Exchange) -> Kind:
    """What sort of event it is; one of our own for a name that no event is defined for."""
    act = kind_of_act(told)
    if act is not None:
        return act
    known = IHE_EVENTS.get((told.direction, told.transaction))
    return known or Kind(AuditCode(told.transaction, OURS, told.transaction), "E")


def event_type(kind: Kind, observer: Observer) -> Json:
    """BALP: what is done by REST is a RESTful operation, whatever DICOM calls it."""
    if _is_rest(kind):
        return {"system": READ.system_name, "code": READ.code, "display": "RESTful Operation"}
    return _coding(kind.id, observer)


def subtypes(told: Exchange, kind: Kind, observer: Observer) -> Iterator[Json]:
    """What the kind says, and the transaction: by IHE's code if it has one for it."""
    if kind.type is not None:
        yield _coding(kind.type, observer)
    is_ihe = told.transaction in _OF_IHE
    system = IHE_CODES if is_ihe else f"urn:oid:{observer.community.transactions}"
    yield {"system": system, "code": told.transaction}


def _coding(code: AuditCode, observer: Observer) -> Json:
    system = _SYSTEMS.get(code.system_name, code.system_name)
    if code.system_name == OURS:
        system = f"urn:oid:{observer.community.transactions}"
    return {"system": system, "code": code.code, "display": code.text}


def _is_rest(kind: Kind) -> bool:
    return kind.type is not None and kind.type.system_name == REST


def _discloses(told: Exchange) -> bool:
    """Whether documents of a member went from one house to the other."""
    if told.member is None or not told.documents or told.outcome not in ("success", "partial"):
        return False
    kind = kind_of(told)
    if kind.id == EXPORT:
        return what_left(told) is not None
    return kind.id == IMPORT and (
        (told.direction, told.transaction) in IHE_EVENTS or _is_mail(told)
    )


def _is_mail(told: Exchange) -> bool:
    return told.transaction in DIRECT


# ---- who -------------------------------------------------------------------------------------


def _agents(told: Exchange, kind: Kind, observer: Observer) -> Iterator[Json]:
    """A query's source is who asks, a document's who gives it (ITI TF-2: 3.39.5)."""
    us = _agent(observer.id, ("1", observer.host))
    other = _agent(told.partner or told.peer or "unknown", _network(told, observer))
    source, destination = (us, other) if _we_are_source(told, kind) else (other, us)
    yield {"type": _role("110153", "Source Role ID"), **source}
    yield {"type": _role("110152", "Destination Role ID"), **destination}
    if told.person is not None:
        yield _person(told, kind)


def _we_are_source(told: Exchange, kind: Kind) -> bool:
    if kind.flow == "none" and (_is_mail(told) or kind is _QUERY):
        return told.direction == "out"
    return kind.is_from_us


def _agent(who: str, network: tuple[str, str] | None) -> Json:
    agent: Json = {"who": {"identifier": {"value": who}}, "requestor": False}
    if network is not None:
        agent["network"] = {"type": network[0], "address": network[1]}
    return agent


def _network(told: Exchange, observer: Observer) -> tuple[str, str] | None:
    """The other side's address as the wire showed it: 1 a name, 2 an IP address, 5 a URI."""
    peer = told.peer or ""
    if _URI.match(peer):
        return "5", peer
    point = peer.rpartition(" at ")[2]
    if _is_mail(told):
        point = point.rpartition("@")[2]
    if point == "terminal":
        return "1", observer.host
    try:
        return "2", str(ip_address(point))
    except ValueError:
        return ("1", point) if point and " " not in point else None


def _role(code: str, display: str) -> Json:
    return {"coding": [{"system": _DCM, "code": code, "display": display}]}


def _person(told: Exchange, kind: Kind) -> Json:
    """BALP: who creates is no recipient; of what was handed in we know no more than by whom."""
    is_create = _is_rest(kind) and kind.action == "C"
    code, display = ("INF", "informant") if is_create else ("IRCP", "information recipient")
    person: Json = {
        "type": {"coding": [{"system": _PARTICIPATION, "code": code, "display": display}]},
        "who": {"identifier": {"value": told.person}, "display": told.person},
        "name": told.person,
        "requestor": True,
    }
    if told.role is not None:
        person["role"] = [{"text": told.role}]
    if told.purpose is not None:
        person["purposeOfUse"] = [{"coding": [{"code": told.purpose}]}]
    return person


# ---- what it was about -----------------------------------------------------------------------


def _entities(told: Exchange, kind: Kind, observer: Observer) -> Iterator[Json]:
    if told.member is not None:
        member = {"system": observer.patients, "value": told.member}
        yield _entity("1", "1", {"type": "Patient", "identifier": member})
    for document in told.documents:
        yield _entity("2", "3", {"identifier": {"value": document}})
    if kind.id == LOG_USED:
        log = f"urn:oid:{observer.id}:exchange-log"
        yield {**_entity("2", "13", {"identifier": {"value": log}}), "name": "Security Audit Log"}
    elif kind.id == QUERY and told.transaction not in _ASKED_ON_THE_WIRE:
        yield {**_entity("2", "24", None), "name": told.transaction}
    elif _is_rest(kind) and not told.documents:
        yield _data(told)
    if told.message_id is not None:
        yield _entity("4", None, {"identifier": {"value": told.message_id}})


_ASKED_ON_THE_WIRE: Final = frozenset({name for _, name in IHE_EVENTS})


def _data(told: Exchange) -> Json:
    """What was read where it is no document: a message, a retrieval, or a page of a member's."""
    if told.conversation is not None:
        return _entity("2", "20", {"identifier": {"value": told.conversation}})
    return _entity("2", "4", {"display": told.transaction})


def _entity(kind: str, role: str | None, what: Json | None) -> Json:
    return {
        **({} if what is None else {"what": what}),
        "type": {"system": _OBJECT_TYPES, "code": kind},
        **({} if role is None else {"role": {"system": _OBJECT_ROLES, "code": role}}),
    }


# ---- which profiles --------------------------------------------------------------------------


def _profiles(told: Exchange, kind: Kind, event: Json) -> Iterator[str]:
    """Those of BALP that the event fulfils; each wants both sides' addresses."""
    if not all("network" in agent for agent in event["agent"][:2]):
        return
    if _discloses(told):
        yield f"PrivacyDisclosure.{'Source' if kind.id == EXPORT else 'Recipient'}"
    acts = kind.type.code if _is_rest(kind) and kind.type is not None else ""
    if acts in _READ_ACTS and told.outcome == "success" and len(told.documents) <= 1:
        yield f"{'' if told.member is None else 'Patient'}{acts.capitalize()}"
