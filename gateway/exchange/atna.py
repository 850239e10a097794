"""ATNA events of the log's records, derived from them and the envelopes kept with them.

DECISIONS 16: there is one record an exchange, and what ATNA is told is computed from it: whenever
it is wanted, and again by better code. A retrieve that succeeds in part is two events; who was not
believed is an alert and nothing else, who was refused an alert beside the event.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal, TypeVar

from lxml import etree

from ccda.safe_xml import Element
from gateway.exchange.atna_acts import (
    ACTS,
    DIRECT,
    act_events,
    denial_event,
    described,
    is_stranger,
    stranger_event,
)
from gateway.model.community import Community
from gateway.model.exchange import Exchange, Outcome
from gateway.model.later import DEFERRAL
from ihe.atna import AuditCode, AuditEvent, AuditSource
from ihe.audit_acts import OURS, Act
from ihe.audit_events import (
    Conversation,
    Requestor,
    document_query_event,
    document_retrieve_event,
    document_submission_event,
    patient_discovery_event,
    patient_location_event,
)
from ihe.errors import IheError
from ihe.identifiers import HomeCommunityId, PatientId
from ihe.namespaces import name
from ihe.patient_location import read_location_request
from ihe.saml import Assertion, CodedAttribute, read_assertion
from ihe.soap import (
    ANONYMOUS,
    ITI_55_DEFERRED_RESULT,
    Addressing,
    Envelope,
    find_fault,
    parse_envelope,
    read_envelope,
)
from ihe.stored_query import (
    FindDocumentsQuery,
    FindFoldersQuery,
    FindSubmissionSetsQuery,
    GetAllQuery,
)
from ihe.v3_message import read_community
from ihe.xca_query import read_adhoc_query_request
from ihe.xca_retrieve import NamedDocument, read_named_documents, read_retrieve_response
from ihe.xcpd import Matched, read_discovery_request, read_discovery_response
from ihe.xdr import read_provide_and_register

Indicator = Literal[0, 4, 8, 12]
# DICOM PS3.15: A.5.2.1. A refusal is the system at its work; what failed is not.
_INDICATORS: Final[dict[Outcome, Indicator]] = {
    "success": 0, "partial": 4, "refused": 4, "failed": 8, "unknown": 8,
}  # fmt: skip
_BY_PATIENT: Final = (FindDocumentsQuery, FindSubmissionSetsQuery, FindFoldersQuery, GetAllQuery)
_OR: Final = "/"
_HOST: Final = re.compile(r"https?://(?:[^/@]*@)?\[?([^]/:?#]+)")
_QUERY_BY_PARAMETER: Final = "{*}controlActProcess/{*}queryByParameter"
_ASSERTION: Final = f"{name('wsse:Security')}/{name('saml2:Assertion')}"
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports: our community, our host's name, this process, and where our doors are.

    `doors` gives the address of the door of each transaction, for requests that do not say where
    they were sent.
    """

    community: Community
    host: str
    process_id: str
    doors: dict[str, str]

    @property
    def source(self) -> AuditSource:
        """Who says so, in every event."""
        return AuditSource(self.host, self.community.home_community_id.urn)

    @property
    def log_uri(self) -> str:
        """By which name the log is known."""
        return f"{self.community.home_community_id.urn}:exchange-log"


def audit_events(
    exchange: Exchange,
    reporter: Reporter,
    *,
    request: bytes | None,
    answer: bytes | None,
    partner_home: HomeCommunityId | None = None,
) -> tuple[AuditEvent, ...]:
    """What ATNA is told of the record; of one whose transaction has no event, nothing.

    `request` and `answer` are the envelopes kept with it, None where none was: a peer that never
    answered, a process that died. `partner_home` is the community of the record's partner.
    """
    if not has_event(exchange.transaction):
        return ()
    member = _member(exchange, reporter)
    act = _act(exchange, reporter)
    is_unopened = _OR in exchange.transaction
    if is_unopened or (is_stranger(exchange) and exchange.transaction not in DIRECT):
        return (stranger_event(act),)
    events = _EVENTS.get(exchange.transaction)
    if events is None:
        return tuple(act_events(exchange, act, member=member, log_uri=reporter.log_uri))
    asked, answered = _envelope(request), _envelope(answer)
    told = _Told(
        exchange=exchange,
        conversation=_conversation(exchange, reporter, asked),
        asked=None if asked is None else asked.payload,
        answered=None if answered is None else answered.payload,
        home=partner_home if exchange.direction == "out" else reporter.community.home_community_id,
        patient=member,
    )
    if exchange.direction == "in" and exchange.outcome == "refused":
        return (*events(told), denial_event(act, member))
    return tuple(events(told))


def has_event(transaction: str) -> bool:
    """Whether records of that name are told; of a message that was not opened it names all that
    its door takes."""
    return all(one in _EVENTS or one in ACTS for one in transaction.split(_OR))


@dataclass(frozen=True, slots=True)
class _Told:
    """A record with its messages, read as far as they can be."""

    exchange: Exchange
    conversation: Conversation
    asked: Element | None
    answered: Element | None
    home: HomeCommunityId | None
    patient: PatientId | None


def _discovery(told: _Told) -> Iterator[AuditEvent]:
    query = None if told.asked is None else told.asked.find(_QUERY_BY_PARAMETER)
    request = _read(read_discovery_request, told.asked)
    response = _read(read_discovery_response, told.answered)
    found = None if response is None else response.discovery
    yield patient_discovery_event(
        told.conversation,
        query=None if query is None else _bytes(query),
        home_community_id=(request.receiver if request else None) or told.home,
        patients=tuple(m.patient_id for m in found.matches) if isinstance(found, Matched) else (),
    )


def _location(told: _Told) -> Iterator[AuditEvent]:
    """Of whom the question names: by our id where we are asked, by the locator's where we ask."""
    yield patient_location_event(
        told.conversation,
        query=None if told.asked is None else _bytes(told.asked),
        patient=_read(read_location_request, told.asked) or told.patient,
    )


def _query(told: _Told) -> Iterator[AuditEvent]:
    asked = _read(read_adhoc_query_request, told.asked)
    adhoc = None if told.asked is None else told.asked.find("{*}AdhocQuery")
    yield document_query_event(
        told.conversation,
        query_id=None if adhoc is None else adhoc.get("id"),
        query=None if told.asked is None else _bytes(told.asked),
        home_community_id=(asked.home_community_id if asked else None) or told.home,
        # By the id that the query itself has for the patient, whether or not we know them.
        patient=asked.patient_id if isinstance(asked, _BY_PATIENT) else told.patient,
    )


def _retrieve(told: _Told) -> Iterator[AuditEvent]:
    """One event an outcome: of the documents that came, and of those that did not."""
    documents = _documents(told.asked)
    if told.exchange.outcome not in ("success", "partial"):
        yield document_retrieve_event(told.conversation, documents=documents, patient=told.patient)
        return
    response = _read(read_retrieve_response, told.answered)
    # An id that is written otherwise in the answer is the one that was asked for.
    came = {each.unique_id.bare for each in (() if response is None else response.documents)}
    given = tuple(each for each in documents if each.unique_id.bare in came)
    missing = tuple(each for each in documents if each.unique_id.bare not in came)
    if given or not missing:
        whole = replace(told.conversation, outcome=0, outcome_description=None)
        yield document_retrieve_event(whole, documents=given, patient=told.patient)
    if missing:
        failed = replace(told.conversation, outcome=_INDICATORS["failed"])
        yield document_retrieve_event(failed, documents=missing, patient=told.patient)


def _submission(told: _Told) -> Iterator[AuditEvent]:
    """Of the patient whom its metadata names, where we know no member."""
    is_cross_gateway = told.exchange.transaction == "ITI-80"
    request = _read(read_provide_and_register, told.asked)
    yield document_submission_event(
        told.conversation,
        transaction="ITI-80" if is_cross_gateway else "ITI-41",
        submission_set=None if request is None else request.submission_set.unique_id,
        home_community_id=told.home if is_cross_gateway else None,
        patient=told.patient or (None if request is None else request.patient_id),
    )


def _deferral(told: _Told) -> Iterator[AuditEvent]:
    """ITI TF-2: 3.55.5.1: a question and a result that travel apart are a query's event each.

    Who brings a result is the one that was asked, and tells whom it names.
    """
    if told.asked is None or told.asked.tag != ITI_55_DEFERRED_RESULT.root:
        yield from _discovery(told)
        return
    travelled = told.conversation
    asked = replace(
        travelled,
        side="responding" if travelled.side == "initiating" else "initiating",
        initiator_access_point=travelled.responder_access_point,
        responder_access_point=travelled.initiator_access_point,
    )
    home = _read(partial(read_community, role="sender"), told.asked)
    yield from _discovery(replace(told, conversation=asked, answered=told.asked, home=home))


_EVENTS: Final = {
    "ITI-55": _discovery,
    DEFERRAL: _deferral,
    "ITI-56": _location,
    "ITI-38": _query,
    "ITI-39": _retrieve,
    "ITI-41": _submission,
    "ITI-80": _submission,
}


# ---- the act ---------------------------------------------------------------------------------


def _act(exchange: Exchange, reporter: Reporter) -> Act:
    """What the record alone says of who did it."""
    shown = (exchange.peer or "").rpartition(" at ")[2]
    point = shown.rpartition("@")[2] if exchange.transaction in DIRECT else shown
    return Act(
        time=exchange.time,
        outcome=_INDICATORS[exchange.outcome],
        source=reporter.source,
        process_id=reporter.process_id,
        peer=exchange.peer,
        # At the terminal the other side is this machine.
        peer_access_point=reporter.host if point == "terminal" else point or None,
        requestors=tuple(_requestors(exchange, None)),
        purposes=tuple(_purposes(exchange, None)),
        outcome_description=described(exchange),
    )


# ---- the conversation ------------------------------------------------------------------------


def _conversation(exchange: Exchange, reporter: Reporter, asked: Envelope | None) -> Conversation:
    addressing = Addressing(action="") if asked is None else asked.addressing
    assertion = None if asked is None else _assertion(asked)
    host = _HOST.match(exchange.peer or "")
    told = Conversation(
        side="initiating",
        time=exchange.time,
        outcome=_INDICATORS[exchange.outcome],
        source=reporter.source,
        process_id=reporter.process_id,
        endpoint=exchange.peer or "",
        initiator_access_point=reporter.host,
        responder_access_point=host[1] if host else "unknown",
        reply_to=_named(addressing.reply_to),
        requestors=tuple(_requestors(exchange, assertion)),
        purposes=tuple(_purposes(exchange, assertion)),
        outcome_description=described(exchange),
    )
    if exchange.direction == "out":
        return told
    return replace(
        told,
        side="responding",
        endpoint=_named(addressing.to) or reporter.doors.get(exchange.transaction, ""),
        initiator_access_point=(exchange.peer or "unknown").rpartition(" at ")[2],
        responder_access_point=reporter.host,
    )


def _named(address: str | None) -> str | None:
    """The address, unless it is that of nobody in particular."""
    return None if address == ANONYMOUS else address


def _requestors(exchange: Exchange, assertion: Assertion | None) -> Iterator[Requestor]:
    if exchange.person is None:
        return
    roles = tuple(_codes(() if assertion is None else assertion.roles))
    if not roles and exchange.role is not None:
        roles = (AuditCode(exchange.role, OURS, exchange.role),)
    user = None
    if assertion is not None and assertion.subject_name:
        # ITI TF-2: 3.40.4.2: alias<user@issuer>, the alias left empty where there is none.
        user = f"<{assertion.subject_name}@{assertion.issuer}>"
    yield Requestor(exchange.person, roles, user)


def _purposes(exchange: Exchange, assertion: Assertion | None) -> Iterable[AuditCode]:
    stated = None if assertion is None else assertion.purpose_of_use
    if stated is None and exchange.purpose is not None:
        stated = CodedAttribute(exchange.purpose, None)
    return _codes([stated])


def _codes(stated: Iterable[CodedAttribute | None]) -> Iterator[AuditCode]:
    for code in stated:
        if code is not None:
            system = code.system_name or code.system or "unknown"
            yield AuditCode(code.code, system, code.display or code.code)


def _member(exchange: Exchange, reporter: Reporter) -> PatientId | None:
    if exchange.member is None:
        return None
    return PatientId(exchange.member, reporter.community.patient_authority)


# ---- the messages, as far as they can be read ------------------------------------------------


def _read(reader: Callable[[T], R], given: T | None) -> R | None:
    """What `reader` makes of it; None where there is nothing, or nothing that it can read.

    A message that was refused for what it is has its event too.
    """
    try:
        return None if given is None else reader(given)
    except IheError:
        return None


def _envelope(message: bytes | None) -> Envelope | None:
    root = _read(parse_envelope, message)
    return None if root is None or find_fault(root) else _read(read_envelope, root)


def _assertion(envelope: Envelope) -> Assertion | None:
    return _read(read_assertion, envelope.header.find(_ASSERTION))


def _documents(asked: Element | None) -> tuple[NamedDocument, ...]:
    """What was refused for how it was asked for is told of as all else."""
    return () if asked is None else read_named_documents(asked)


def _bytes(element: Element) -> bytes:
    return etree.tostring(element, encoding="UTF-8", with_tail=False)
