"""The audit events of what is no IHE transaction between gateways (ITI TF-2: 3.20.4.1.1).

For mail, for the doors of our own people, and for what is done to the gateway itself IHE names the
trigger and DICOM PS3.15: A.5.3 the event; who took part is told as in the other events.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from ihe.atna import (
    DCM,
    DESTINATION_ROLE,
    RFC_3881,
    SOURCE_ROLE,
    Action,
    ActiveParticipant,
    AuditCode,
    AuditEvent,
    AuditSource,
    ParticipantObject,
)
from ihe.audit_events import Requestor
from ihe.identifiers import PatientId

Flow = Literal["in", "out", "none"]
"""Which way the data go: to us, from us, or nowhere."""

REST: Final = "http://hl7.org/fhir/restful-interaction"
OURS: Final = "document-exchange-gateway"
"""The code system of the kinds for which no standard has a code."""

ACTIVITY: Final = AuditCode("110100", DCM, "Application Activity")
LOG_USED: Final = AuditCode("110101", DCM, "Audit Log Used")
EXPORT: Final = AuditCode("110106", DCM, "Export")
IMPORT: Final = AuditCode("110107", DCM, "Import")
PATIENT_RECORD: Final = AuditCode("110110", DCM, "Patient Record")
QUERY: Final = AuditCode("110112", DCM, "Query")
ALERT: Final = AuditCode("110113", DCM, "Security Alert")
AUTHENTICATION: Final = AuditCode("110114", DCM, "User Authentication")
READ: Final = AuditCode("rest", "http://terminology.hl7.org/CodeSystem/audit-event-type", "REST")

STARTED: Final = AuditCode("110120", DCM, "Application Start")
STOPPED: Final = AuditCode("110121", DCM, "Application Stop")
LOGIN: Final = AuditCode("110122", DCM, "Login")
NODE_AUTHENTICATION: Final = AuditCode("110126", DCM, "Node Authentication")
NETWORK_CONFIGURATION: Final = AuditCode("110128", DCM, "Network Configuration")
SECURITY_CONFIGURATION: Final = AuditCode("110129", DCM, "Security Configuration")
RESTRICTED_FUNCTION: Final = AuditCode("110132", DCM, "Use of Restricted Function")
USER_ATTRIBUTES: Final = AuditCode("110137", DCM, "User Security Attributes Changed")
ACCESS_DECISION: Final = AuditCode("110147", DCM, "Access Control Decision")

_APPLICATION: Final = AuditCode("110150", DCM, "Application")
_PATIENT_NUMBER: Final = AuditCode("2", RFC_3881, "Patient Number")
_REPORT_NUMBER: Final = AuditCode("9", RFC_3881, "Report Number")
_SEARCH_CRITERIA: Final = AuditCode("10", RFC_3881, "Search Criteria")
_URI: Final = AuditCode("12", RFC_3881, "URI")
_MESSAGE_ID: Final = AuditCode("Message-ID", "RFC 5322", "Message-ID")
_PERSON, _SYSTEM = 1, 2
_PATIENT_ROLE, _REPORT_ROLE, _RESOURCE_ROLE, _QUERY_ROLE, _PROCESSING_ROLE = 1, 3, 13, 24, 26


@dataclass(frozen=True, slots=True)
class Kind:
    """What sort of event an act is: its EventID, action, EventTypeCode, and where the data go."""

    id: AuditCode
    action: Action
    type: AuditCode | None = None
    flow: Flow = "none"

    @property
    def is_from_us(self) -> bool:
        """Whether we are the source: of data that leave us. A query's source is who asks."""
        return self.flow == "out" and self.id != QUERY


@dataclass(frozen=True, slots=True)
class Act:
    """Who did it, when, from where, and with what outcome.

    `peer` is the other side as the wire shows it, `peer_access_point` its address or host name.
    """

    time: datetime
    outcome: Literal[0, 4, 8, 12]
    source: AuditSource
    process_id: str
    peer: str | None = None
    peer_access_point: str | None = None
    requestors: tuple[Requestor, ...] = ()
    purposes: tuple[AuditCode, ...] = ()
    outcome_description: str | None = None


def act_event(act: Act, kind: Kind, objects: tuple[ParticipantObject, ...] = ()) -> AuditEvent:
    """The event of an act. Source is the side that gives the data, or that asks for them."""
    gives = kind.is_from_us
    us = ActiveParticipant(
        user_id=act.source.id,
        is_requestor=False,
        roles=(_our_role(kind),),
        alternative_user_id=act.process_id,
        network_access_point=act.source.id,
    )
    people = tuple(
        ActiveParticipant(each.user_id, True, each.roles, user_name=each.name)
        for each in act.requestors
    )
    peers: tuple[ActiveParticipant, ...] = ()
    if act.peer is not None:
        peers = (
            ActiveParticipant(
                user_id=act.peer,
                is_requestor=not gives and not people,
                roles=(DESTINATION_ROLE if gives else SOURCE_ROLE,),
                network_access_point=act.peer_access_point,
            ),
        )
    return AuditEvent(
        id=kind.id,
        action=kind.action,
        time=act.time,
        outcome=act.outcome,
        types=() if kind.type is None else (kind.type,),
        participants=(us, *people, *peers) if gives else (*peers, *people, us),
        source=act.source,
        objects=objects,
        purposes=act.purposes,
        outcome_description=act.outcome_description,
    )


def _our_role(kind: Kind) -> AuditCode:
    if kind.id == ACTIVITY:
        return _APPLICATION  # DICOM PS3.15: A.5.3.1
    return SOURCE_ROLE if kind.is_from_us else DESTINATION_ROLE


# ---- what it was about -----------------------------------------------------------------------


def patient(identity: PatientId) -> ParticipantObject:
    """The member concerned."""
    return ParticipantObject(_PERSON, _PATIENT_ROLE, _PATIENT_NUMBER, id=identity.cx)


def document(identity: str) -> ParticipantObject:
    """A document, by our own id of it."""
    return ParticipantObject(_SYSTEM, _REPORT_ROLE, _REPORT_NUMBER, id=identity)


def message(message_id: str) -> ParticipantObject:
    """A mail, by its Message-ID."""
    return ParticipantObject(_SYSTEM, _PROCESSING_ROLE, _MESSAGE_ID, id=message_id)


def search(what: str) -> ParticipantObject:
    """A search of our own people, by the name of what was searched."""
    return ParticipantObject(_SYSTEM, _QUERY_ROLE, _SEARCH_CRITERIA, id=what)


def audit_log(uri: str, *details: tuple[str, bytes]) -> ParticipantObject:
    """The log itself (DICOM PS3.15: A.5.3.2)."""
    return ParticipantObject(
        _SYSTEM, _RESOURCE_ROLE, _URI, id=uri, details=details, name="Security Audit Log"
    )
