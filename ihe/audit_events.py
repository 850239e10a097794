"""The audit events of ITI-55, 56, 38, 39, 41 and 80, for the side we play (ITI TF-2: 3.55.5.1 …).

A query's source is the side that asks; a document's source is the side that gives it. Our side of
the pair carries our process id.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from ihe.atna import (
    DCM,
    DESTINATION_ROLE,
    IHE,
    RFC_3881,
    SOURCE_ROLE,
    ActiveParticipant,
    AuditCode,
    AuditEvent,
    AuditSource,
    ParticipantObject,
)
from ihe.identifiers import HomeCommunityId, PatientId, UniqueId
from ihe.xca_retrieve import NamedDocument

Side = Literal["initiating", "responding"]

_QUERY: Final = AuditCode("110112", DCM, "Query")
_IMPORT: Final = AuditCode("110107", DCM, "Import")
_EXPORT: Final = AuditCode("110106", DCM, "Export")
_ITI_55: Final = AuditCode("ITI-55", IHE, "Cross Gateway Patient Discovery")
_ITI_56: Final = AuditCode("ITI-56", IHE, "Patient Location Query")
_ITI_38: Final = AuditCode("ITI-38", IHE, "Cross Gateway Query")
_ITI_39: Final = AuditCode("ITI-39", IHE, "Cross Gateway Retrieve")
_SUBMISSIONS: Final = {
    "ITI-41": AuditCode("ITI-41", IHE, "Provide and Register Document Set-b"),
    "ITI-80": AuditCode("ITI-80", IHE, "Cross-Gateway Document Provide"),
}
_SUBMISSION_SET: Final = AuditCode(
    "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd",
    "IHE XDS Metadata",
    "submission set classificationNode",
)
_PATIENT_NUMBER: Final = AuditCode("2", RFC_3881, "Patient Number")
_REPORT_NUMBER: Final = AuditCode("9", RFC_3881, "Report Number")
_REPOSITORY: Final = "Repository Unique Id"
# The standard spells it in two ways, notes that it does, and keeps both.
_HOME_55_39: Final = "ihe:homeCommunityID"
_HOME_38: Final = "urn:ihe:iti:xca:2010:homeCommunityId"
_PERSON, _SYSTEM = 1, 2
_PATIENT_ROLE, _REPORT_ROLE, _JOB_ROLE, _QUERY_ROLE = 1, 3, 20, 24


@dataclass(frozen=True, slots=True)
class Requestor:
    """The person who asks, as the assertion or the plan's user says it (ITI TF-2: 3.40.4.2)."""

    user_id: str
    roles: tuple[AuditCode, ...] = ()
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """What every event of a request and its answer tells, on whichever side we are.

    `reply_to` is stated only in asynchronous exchange; `endpoint` is the responder's SOAP address;
    the access points are addresses or host names.
    """

    side: Side
    time: datetime
    outcome: Literal[0, 4, 8, 12]
    source: AuditSource
    process_id: str
    endpoint: str
    initiator_access_point: str
    responder_access_point: str
    reply_to: str | None = None
    requestors: tuple[Requestor, ...] = ()
    purposes: tuple[AuditCode, ...] = ()
    outcome_description: str | None = None


def patient_discovery_event(
    conversation: Conversation,
    *,
    query: bytes | None,
    home_community_id: HomeCommunityId | None,
    patients: tuple[PatientId, ...] = (),
) -> AuditEvent:
    """ITI TF-2: 3.55.5.1: `query` is the QueryByParameter, None if the request was never made;
    `home_community_id` that of the community asked. `patients` are those returned, and told only
    by the responder."""
    told = patients if conversation.side == "responding" else ()
    home = home_community_id
    details = () if home is None else ((_HOME_55_39, home.urn.encode()),)
    asked = ParticipantObject(_SYSTEM, _QUERY_ROLE, _ITI_55, query=query, details=details)
    return _query_event(conversation, _ITI_55, (*map(_patient, told), asked))


def patient_location_event(
    conversation: Conversation, *, query: bytes | None, patient: PatientId | None
) -> AuditEvent:
    """XCPD Health Data Locator: 3.56.5.1: `query` is the PatientLocationQueryRequest, None if the
    request was never made; `patient` whom it names, by the locator's own id."""
    asked = ParticipantObject(_SYSTEM, _QUERY_ROLE, _ITI_56, query=query)
    about = () if patient is None else (_patient(patient),)
    return _query_event(conversation, _ITI_56, (*about, asked))


def document_query_event(
    conversation: Conversation,
    *,
    query_id: str | None,
    query: bytes | None,
    home_community_id: HomeCommunityId | None,
    patient: PatientId | None = None,
) -> AuditEvent:
    """ITI TF-2: 3.38.4.1.4: `query_id` is the stored query's, `query` the AdhocQueryRequest in
    UTF-8, `patient` whom the query names."""
    details = [("QueryEncoding", b"UTF-8")]
    if home_community_id is not None:
        details.append((_HOME_38, home_community_id.urn.encode()))
    asked = ParticipantObject(
        _SYSTEM, _QUERY_ROLE, _ITI_38, id=query_id, query=query, details=tuple(details)
    )
    about = () if patient is None else (_patient(patient),)
    return _query_event(conversation, _ITI_38, (*about, asked))


def document_retrieve_event(
    conversation: Conversation,
    *,
    documents: tuple[NamedDocument, ...],
    patient: PatientId | None = None,
) -> AuditEvent:
    """ITI TF-2: 3.39.5.1: an import where we asked, an export where we gave; of the documents of
    one outcome, for a retrieve that succeeds in part is two events."""
    responding = conversation.side == "responding"
    giver = ActiveParticipant(
        user_id=conversation.endpoint,
        is_requestor=False,
        roles=(SOURCE_ROLE,),
        alternative_user_id=conversation.process_id if responding else None,
        network_access_point=conversation.responder_access_point,
    )
    taker = ActiveParticipant(
        user_id=_initiator(conversation),
        is_requestor=True,
        roles=(DESTINATION_ROLE,),
        alternative_user_id=None if responding else conversation.process_id,
        network_access_point=conversation.initiator_access_point,
    )
    about = () if patient is None else (_patient(patient),)
    return AuditEvent(
        id=_EXPORT if responding else _IMPORT,
        action="R" if responding else "C",
        time=conversation.time,
        outcome=conversation.outcome,
        types=(_ITI_39,),
        participants=(giver, *_people(conversation), taker),
        source=conversation.source,
        objects=(*about, *map(_document, documents)),
        purposes=conversation.purposes,
        outcome_description=conversation.outcome_description,
    )


def document_submission_event(
    conversation: Conversation,
    *,
    transaction: Literal["ITI-41", "ITI-80"],
    submission_set: UniqueId | None,
    home_community_id: HomeCommunityId | None = None,
    patient: PatientId | None = None,
) -> AuditEvent:
    """ITI TF-2: 3.41.5.1, 3.80.5.1: an export where we submitted, an import where we took it in.

    `submission_set` is its uniqueId, None if the request was never made or cannot be read;
    `home_community_id` the community that ITI-80 names.
    """
    responding = conversation.side == "responding"
    giver = ActiveParticipant(
        user_id=_initiator(conversation),
        is_requestor=True,
        roles=(SOURCE_ROLE,),
        alternative_user_id=None if responding else conversation.process_id,
        network_access_point=conversation.initiator_access_point,
    )
    taker = ActiveParticipant(
        user_id=conversation.endpoint,
        is_requestor=False,
        roles=(DESTINATION_ROLE,),
        alternative_user_id=conversation.process_id if responding else None,
        network_access_point=conversation.responder_access_point,
    )
    home = home_community_id
    given = ParticipantObject(
        _SYSTEM,
        _JOB_ROLE,
        _SUBMISSION_SET,
        id=None if submission_set is None else str(submission_set),
        details=() if home is None else ((_HOME_55_39, home.urn.encode()),),
    )
    about = () if patient is None else (_patient(patient),)
    return AuditEvent(
        id=_IMPORT if responding else _EXPORT,
        action="C" if responding else "R",
        time=conversation.time,
        outcome=conversation.outcome,
        types=(_SUBMISSIONS[transaction],),
        participants=(giver, *_people(conversation), taker),
        source=conversation.source,
        objects=(*about, given),
        purposes=conversation.purposes,
        outcome_description=conversation.outcome_description,
    )


def _query_event(
    conversation: Conversation, kind: AuditCode, objects: tuple[ParticipantObject, ...]
) -> AuditEvent:
    responding = conversation.side == "responding"
    asker = ActiveParticipant(
        user_id=_initiator(conversation),
        is_requestor=True,
        roles=(SOURCE_ROLE,),
        alternative_user_id=None if responding else conversation.process_id,
        network_access_point=conversation.initiator_access_point,
    )
    answerer = ActiveParticipant(
        user_id=conversation.endpoint,
        is_requestor=False,
        roles=(DESTINATION_ROLE,),
        alternative_user_id=conversation.process_id if responding else None,
        network_access_point=conversation.responder_access_point,
    )
    return AuditEvent(
        id=_QUERY,
        action="E",
        time=conversation.time,
        outcome=conversation.outcome,
        types=(kind,),
        participants=(asker, *_people(conversation), answerer),
        source=conversation.source,
        objects=objects,
        purposes=conversation.purposes,
        outcome_description=conversation.outcome_description,
    )


def _initiator(conversation: Conversation) -> str:
    """wsa:ReplyTo where it names an address; else the initiator's host, as anything will do."""
    return conversation.reply_to or conversation.initiator_access_point


def _people(conversation: Conversation) -> tuple[ActiveParticipant, ...]:
    return tuple(
        ActiveParticipant(each.user_id, True, each.roles, user_name=each.name)
        for each in conversation.requestors
    )


def _patient(patient: PatientId) -> ParticipantObject:
    return ParticipantObject(_PERSON, _PATIENT_ROLE, _PATIENT_NUMBER, id=patient.cx)


def _document(named: NamedDocument) -> ParticipantObject:
    stated = ((_REPOSITORY, named.repository), (_HOME_55_39, named.home))
    details = tuple((kind, text.encode()) for kind, text in stated if text is not None)
    return ParticipantObject(
        _SYSTEM, _REPORT_ROLE, _REPORT_NUMBER, id=str(named.unique_id), details=details
    )
