"""ITI-20 Record Audit Event: what an event says, and how DICOM PS3.15: A.5 writes it.

The codes stand as `csd-code`, `codeSystemName` and `originalText` (DICOM CP-1638), not as RFC 3881
spelt them. The values of details, and queries, are base64.
"""

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Final, Literal

from lxml import etree

from ccda.safe_xml import Element

Action = Literal["C", "R", "U", "D", "E"]
DCM: Final = "DCM"
RFC_3881: Final = "RFC-3881"
IHE: Final = "IHE Transactions"
# XML 1.0: 2.2 Char. What a peer says of itself may hold anything, and has its event all the same.
_NO_CHARACTER: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class AuditCode:
    """A coded value: its code, the name of its code system, and what it is called there."""

    code: str
    system_name: str
    text: str


SOURCE_ROLE: Final = AuditCode("110153", DCM, "Source Role ID")
DESTINATION_ROLE: Final = AuditCode("110152", DCM, "Destination Role ID")


@dataclass(frozen=True, slots=True)
class ActiveParticipant:
    """Who took part: a system with its address, or a person."""

    user_id: str
    is_requestor: bool
    roles: tuple[AuditCode, ...] = ()
    alternative_user_id: str | None = None
    user_name: str | None = None
    network_access_point: str | None = None
    """An IP address or a host name."""


@dataclass(frozen=True, slots=True)
class ParticipantObject:
    """What it was about: `type_code` and `role` as DICOM PS3.15: A.5 numbers them."""

    type_code: int
    role: int
    id_type: AuditCode
    id: str | None = None
    query: bytes | None = None
    details: tuple[tuple[str, bytes], ...] = ()
    name: str | None = None


@dataclass(frozen=True, slots=True)
class AuditSource:
    """Who reports: our own id, and the community it belongs to. The type is an application."""

    id: str
    enterprise_site_id: str | None = None


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event. `outcome` is 0 (success), 4 (minor failure), 8 (serious) or 12 (major)."""

    id: AuditCode
    action: Action
    time: datetime
    outcome: Literal[0, 4, 8, 12]
    types: tuple[AuditCode, ...]
    participants: tuple[ActiveParticipant, ...]
    source: AuditSource
    objects: tuple[ParticipantObject, ...] = ()
    purposes: tuple[AuditCode, ...] = ()
    outcome_description: str | None = None


def write_audit_event(event: AuditEvent) -> bytes:
    """The event as an AuditMessage in UTF-8, without an XML declaration (ITI TF-2: 3.20.4.1.2)."""
    message = etree.Element("AuditMessage")
    _write_identification(message, event)
    for participant in event.participants:
        _write_participant(message, participant)
    source = _append(
        message,
        "AuditSourceIdentification",
        AuditEnterpriseSiteID=event.source.enterprise_site_id,
        AuditSourceID=event.source.id,
    )
    # DICOM PS3.15: A.5.2.3: 4 is an application server process.
    _write_code(source, "AuditSourceTypeCode", AuditCode("4", DCM, "Application Server"))
    for each in event.objects:
        _write_object(message, each)
    return etree.tostring(message, encoding="UTF-8", xml_declaration=False)


def _write_identification(message: Element, event: AuditEvent) -> None:
    identification = _append(
        message,
        "EventIdentification",
        EventActionCode=event.action,
        EventDateTime=event.time.isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=str(event.outcome),
    )
    _write_code(identification, "EventID", event.id)
    for code in event.types:
        _write_code(identification, "EventTypeCode", code)
    if event.outcome_description is not None:
        described = _append(identification, "EventOutcomeDescription")
        described.text = _readable(event.outcome_description)
    for code in event.purposes:
        _write_code(identification, "PurposeOfUse", code)


def _write_participant(message: Element, participant: ActiveParticipant) -> None:
    point = participant.network_access_point
    element = _append(
        message,
        "ActiveParticipant",
        UserID=participant.user_id,
        AlternativeUserID=participant.alternative_user_id,
        UserName=participant.user_name,
        UserIsRequestor=str(participant.is_requestor).lower(),
        NetworkAccessPointID=point,
        NetworkAccessPointTypeCode=None if point is None else "2" if _is_address(point) else "1",
    )
    for role in participant.roles:
        _write_code(element, "RoleIDCode", role)


def _is_address(point: str) -> bool:
    try:
        ip_address(point)
    except ValueError:
        return False
    return True


def _write_object(message: Element, each: ParticipantObject) -> None:
    element = _append(
        message,
        "ParticipantObjectIdentification",
        # DICOM PS3.15: A.5.1: an id there must be, and a name where there is no query. What we do
        # not know stays empty.
        ParticipantObjectID=each.id or "",
        ParticipantObjectTypeCode=str(each.type_code),
        ParticipantObjectTypeCodeRole=str(each.role),
    )
    _write_code(element, "ParticipantObjectIDTypeCode", each.id_type)
    if each.query is not None:
        _append(element, "ParticipantObjectQuery").text = _base64(each.query)
    else:
        _append(element, "ParticipantObjectName").text = _readable(each.name or "")
    for kind, value in each.details:
        _append(element, "ParticipantObjectDetail", type=kind, value=_base64(value))


def _write_code(parent: Element, name: str, code: AuditCode) -> None:
    _append(
        parent,
        name,
        **{"csd-code": code.code, "codeSystemName": code.system_name, "originalText": code.text},
    )


def _append(parent: Element, name: str, **attributes: str | None) -> Element:
    stated = {key: _readable(value) for key, value in attributes.items() if value is not None}
    return etree.SubElement(parent, name, stated)


def _readable(text: str) -> str:
    return _NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", text)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
