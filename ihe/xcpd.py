"""ITI-55 Cross Gateway Patient Discovery (ITI TF-2: 3.55): how its two messages are written."""

from dataclasses import replace
from typing import Final

from ccda.hl7v3 import II, TS, read_iis, v3
from ccda.hl7v3_writing import Written, append, write_ii
from ccda.safe_xml import Element
from ihe.demographics import read_parameters, write_parameters
from ihe.discovery import (
    Demographics,
    Discovery,
    DiscoveryResponse,
    Match,
    Matched,
    MoreDemographicsRequested,
    NoMatch,
    PatientDiscoveryRequest,
    RequestedAttribute,
)
from ihe.errors import CommunityCouldNotAnswer, MalformedMessage
from ihe.identifiers import HomeCommunityId, Oid, PatientId
from ihe.soap import WrittenPayload
from ihe.v3_message import (
    INTERACTIONS,
    XSI_NIL,
    a_text,
    a_tree,
    child,
    code_at,
    demand,
    demanded_ii,
    expect,
    ii_at,
    read_community,
    read_creation_time,
    read_oid,
    start_message,
    whole_number,
    write_acknowledged,
    write_community,
    write_integer,
)
from ihe.xcpd_answer import read_answer, write_answer

__all__ = [
    "Demographics",
    "Discovery",
    "DiscoveryResponse",
    "Match",
    "Matched",
    "MoreDemographicsRequested",
    "NoMatch",
    "PatientDiscoveryRequest",
    "RequestedAttribute",
    "read_answered",
    "read_discovery_request",
    "read_discovery_response",
    "write_discovery_request",
    "write_discovery_response",
]

_REQUEST: Final = "PRPA_IN201305UV02"
_RESPONSE: Final = "PRPA_IN201306UV02"

# ---- request ---------------------------------------------------------------------------------


def read_discovery_request(message: Element) -> PatientDiscoveryRequest:
    """What a community asks of us, as liberally as it can be understood.

    Raises:
        UnexpectedMessage: it is no PRPA_IN201305UV02.
        MalformedMessage: no message id, sender, query id or parameters.
    """
    expect(message, _REQUEST)
    sender = read_community(message, "sender")
    if sender is None:
        raise MalformedMessage("sender names no home community")
    query = demand(message, "controlActProcess/queryByParameter")
    parameters = demand(query, "parameterList")
    degree = child(query, "matchCriterionList/minimumDegreeMatch/value")
    respond_to = child(message, "respondTo/telecom")
    author = ii_at(message, "controlActProcess/authorOrPerformer/assignedDevice/id")
    authority = read_oid(author)
    person = read_parameters(parameters)
    patient_id = _own_id(person.ids, authority)
    return PatientDiscoveryRequest(
        message_id=demanded_ii(message, "id"),
        creation_time=read_creation_time(message),
        sender=sender,
        receiver=read_community(message, "receiver"),
        query_id=demanded_ii(query, "queryId"),
        demographics=replace(person, ids=_without(person.ids, patient_id)),
        patient_id=patient_id,
        sender_authority=authority,
        minimum_degree_match=None if degree is None else _degree(whole_number(degree.get("value"))),
        deferred=code_at(query, "responsePriorityCode") == "D",
        respond_to=None if respond_to is None else respond_to.get("value"),
        processing=code_at(message, "processingCode") or "P",
        care_provider_ids=tuple(
            identifier
            for provider in parameters.iterfind(v3("principalCareProviderId"))
            for identifier in read_iis(provider, "value")
        ),
    )


def write_discovery_request(request: PatientDiscoveryRequest) -> Element:
    """The request as PRPA_IN201305UV02.

    Raises:
        ValueError: it breaks a rule of ITI TF-2: 3.55.4.1.2.
    """
    _check(request)
    message = start_message(
        a_tree,
        _REQUEST,
        message_id=request.message_id,
        creation_time=request.creation_time,
        processing=request.processing,
        accept_ack="AL",
    )
    write_community(message, "receiver", "RCV", request.receiver)
    if request.respond_to is not None:
        respond_to = append(message, "respondTo", typeCode="RSP")
        append(respond_to, "telecom", value=request.respond_to)
        entity = append(respond_to, "entityRsp", classCode="ENT", determinerCode="INSTANCE")
        entity.set(XSI_NIL, "true")
    write_community(message, "sender", "SND", request.sender)
    act = _write_act(message, "PRPA_TE201305UV02")
    authority = request.sender_authority
    if authority is not None:
        author = append(act, "authorOrPerformer", typeCode="AUT")
        device = append(author, "assignedDevice", classCode="ASSIGNED")
        append(device, "id", root=str(authority))
    _write_query(act, request)
    return message


def _check(request: PatientDiscoveryRequest) -> None:
    person = request.demographics
    if not (request.patient_id or person.ids or (person.names and person.birth_time)):
        raise ValueError("without an id, a name and a birth time are asked for")
    if any(not (identifier.root and identifier.extension) for identifier in person.ids):
        raise ValueError("an id asked for has a root and an extension")
    if request.deferred and request.respond_to is None:
        raise ValueError("a deferred request says where to answer")
    if request.patient_id and request.patient_id.authority != request.sender_authority:
        raise ValueError("the patient id is of the sender's assigning authority")
    if not 0 <= (request.minimum_degree_match or 0) <= 100:
        raise ValueError("a degree of match is 0 to 100")


def _write_act(message: Written, code: str) -> Written:
    act = append(message, "controlActProcess", classCode="CACT", moodCode="EVN")
    append(act, "code", code=code, codeSystem=INTERACTIONS)
    return act


def _write_query(act: Written, request: PatientDiscoveryRequest) -> None:
    query = append(act, "queryByParameter")
    write_ii(query, "queryId", request.query_id)
    append(query, "statusCode", code="new")
    append(query, "responseModalityCode", code="R")
    append(query, "responsePriorityCode", code="D" if request.deferred else "I")
    if request.minimum_degree_match is not None:
        criterion = append(append(query, "matchCriterionList"), "minimumDegreeMatch")
        write_integer(criterion, request.minimum_degree_match)
        append(criterion, "semanticsText").text = "MinimumDegreeMatch"
    parameters = append(query, "parameterList")
    ids = (*_as_ii(request.patient_id), *request.demographics.ids)
    write_parameters(parameters, request.demographics, ids)
    for identifier in request.care_provider_ids:
        provider = append(parameters, "principalCareProviderId")
        write_ii(provider, "value", identifier)
        append(provider, "semanticsText").text = "AssignedProvider.id"


# ---- response --------------------------------------------------------------------------------


def read_discovery_response(
    message: Element, *, asked: HomeCommunityId | None = None
) -> DiscoveryResponse:
    """What a community answered: matched, no match, or send more demographics.

    ITI TF-2: 3.55.4.2.3, cases 1 to 4; case 5 is raised. It is judged by its content before its
    codes. `asked` is the community asked, for answers that do not say whose patient it is.

    Raises:
        CommunityCouldNotAnswer: the community reported a problem of its own.
        UnexpectedMessage: it is no PRPA_IN201306UV02.
        MalformedMessage: it contradicts itself, or names a person who cannot be asked for.
    """
    expect(message, _RESPONSE)
    act = demand(message, "controlActProcess")
    sender = read_community(message, "sender")
    return DiscoveryResponse(
        message_id=ii_at(message, "id"),
        creation_time=read_creation_time(message),
        sender=sender,
        request_id=ii_at(message, "acknowledgement/targetMessage/id"),
        query_id=ii_at(act, "queryAck/queryId") or ii_at(act, "queryByParameter/queryId"),
        discovery=_with_degrees(read_answer(message, act, sender or asked)),
    )


def read_answered(message: Element) -> tuple[II, II | None]:
    """The id of a PRPA_IN201306UV02, and of the message that it says it answers.

    Raises:
        UnexpectedMessage: it is no PRPA_IN201306UV02.
        MalformedMessage: it has no id.
    """
    expect(message, _RESPONSE)
    return demanded_ii(message, "id"), ii_at(message, "acknowledgement/targetMessage/id")


def write_discovery_response(
    discovery: Discovery | CommunityCouldNotAnswer,
    *,
    request: PatientDiscoveryRequest,
    message_id: II,
    creation_time: TS,
    sender: HomeCommunityId,
) -> WrittenPayload:
    """The answer to `request` as PRPA_IN201306UV02, its query repeated (ITI TF-2: 3.55.4.2.2).

    Raises:
        ValueError: `Matched` without a match, or a match without a name.
    """
    message = start_message(
        a_text,
        _RESPONSE,
        message_id=message_id,
        creation_time=creation_time,
        processing=request.processing,
        # A deferred answer is a message of its own, and acknowledged as the question was.
        accept_ack="AL" if request.deferred else "NE",
    )
    write_community(message, "receiver", "RCV", request.sender)
    write_community(message, "sender", "SND", sender)
    failed = isinstance(discovery, CommunityCouldNotAnswer)
    write_acknowledged(message, "AE" if failed else "AA", request.message_id)
    act = _write_act(message, "PRPA_TE201306UV02")
    response_code = write_answer(act, discovery)
    query_ack = append(act, "queryAck")
    write_ii(query_ack, "queryId", request.query_id)
    append(query_ack, "statusCode", code="deliveredResponse")
    append(query_ack, "queryResponseCode", code=response_code)
    _write_query(act, request)
    return WrittenPayload(v3(_RESPONSE), message.written())


# ---- small parts -----------------------------------------------------------------------------


def _with_degrees(discovery: Discovery) -> Discovery:
    if not isinstance(discovery, Matched):
        return discovery
    matches = tuple(replace(one, degree=_degree(one.degree)) for one in discovery.matches)
    return replace(discovery, matches=matches)


def _degree(number: int | None) -> int | None:
    """A degree of match is 0 to 100 (ITI TF-2: 3.55.4.2.2.5); any other number says nothing."""
    return number if number is not None and 0 <= number <= 100 else None


def _own_id(ids: tuple[II, ...], authority: Oid | None) -> PatientId | None:
    for identifier in ids:
        if authority is not None and identifier.root == str(authority) and identifier.extension:
            return PatientId(identifier.extension, authority)
    return None


def _as_ii(patient_id: PatientId | None) -> tuple[II, ...]:
    return () if patient_id is None else (II(str(patient_id.authority), patient_id.id),)


def _without(ids: tuple[II, ...], patient_id: PatientId | None) -> tuple[II, ...]:
    own = {(identifier.root, identifier.extension) for identifier in _as_ii(patient_id)}
    return tuple(each for each in ids if (each.root, each.extension) not in own)
