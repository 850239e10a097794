"""Which ATNA event each kind of record is that is no exchange with another gateway's.

A name that is not here has no event: its records become dead letters, which somebody sees, rather
than silence. The table is the one of `ihe.audit_acts`'s standards, and of ITI TF-2: 3.20.4.1.1.
"""

from collections.abc import Iterator
from typing import Final

from gateway.model.disclosure import FINDING
from gateway.model.exchange import Exchange
from gateway.model.retention import DISPOSAL, HOLD_LIFTED, HOLD_PLACED
from ihe.atna import AuditCode, AuditEvent, ParticipantObject
from ihe.audit_acts import (
    ACCESS_DECISION,
    ACTIVITY,
    ALERT,
    EXPORT,
    IMPORT,
    LOG_USED,
    NETWORK_CONFIGURATION,
    NODE_AUTHENTICATION,
    OURS,
    PATIENT_RECORD,
    QUERY,
    READ,
    REST,
    RESTRICTED_FUNCTION,
    SECURITY_CONFIGURATION,
    STARTED,
    STOPPED,
    USER_ATTRIBUTES,
    Act,
    Kind,
    act_event,
    audit_log,
    document,
    message,
    patient,
    search,
)
from ihe.identifiers import PatientId

START: Final = "GATEWAY-START"
STOP: Final = "GATEWAY-STOP"
SETTINGS: Final = "SETTINGS"
POLICY: Final = "POLICY"
DIRECT: Final = frozenset({"DIRECT-RECEIVE", "DIRECT-SEND"})


def _rest(action: str) -> AuditCode:
    return AuditCode(action, REST, action)


def _ours(code: str, text: str) -> AuditCode:
    return AuditCode(code, OURS, text)


_SEARCH: Final = Kind(QUERY, "E", _rest("search-type"), "out")
_READ: Final = Kind(READ, "R", _rest("read"), "out")
_LIST: Final = Kind(QUERY, "E", _ours("terminal", "Search at the terminal"), "out")
_SHOW: Final = Kind(PATIENT_RECORD, "R", _ours("terminal", "Read at the terminal"), "out")
_ASK: Final = Kind(QUERY, "E", _ours("retrieval", "Retrieval from partners asked for"))
_LOG: Final = Kind(LOG_USED, "R", None, "out")
_ARRIVAL: Final = Kind(IMPORT, "C", _ours("mail-arrival", "Mail taken in"), "in")
_SENT: Final = Kind(EXPORT, "R", _ours("DIRECT-SEND", "Direct message sent"), "out")
_RECEIVED: Final = Kind(IMPORT, "C", _ours("DIRECT-RECEIVE", "Direct message received"), "in")
_ORDERED: Final = Kind(EXPORT, "R", _ours("direct-order", "Direct message ordered"))
_RECORD: Final = Kind(PATIENT_RECORD, "U", _ours("decision", "Decision of a person"))
_SUBMITTED: Final = Kind(EXPORT, "R", _ours("submission-order", "Submission ordered"))
_NETWORK: Final = Kind(ALERT, "E", NETWORK_CONFIGURATION)
_SECURITY: Final = Kind(ALERT, "E", SECURITY_CONFIGURATION)
_USERS: Final = Kind(ALERT, "E", USER_ATTRIBUTES)
_RESTRICTED: Final = Kind(ALERT, "E", RESTRICTED_FUNCTION)
_NOT_BELIEVED: Final = Kind(ALERT, "E", NODE_AUTHENTICATION)
_NOT_ALLOWED: Final = Kind(ALERT, "E", ACCESS_DECISION)

_KINDS: Final[dict[Kind, tuple[str, ...]]] = {
    _SEARCH: (
        "REST-MEMBERS", "REST-DOCUMENTS", "REST-HELD", "REST-MESSAGES", "REST-QUARANTINE",
        "REST-RETRIEVALS", "REST-SENT", "REST-CHECK", "REST-PARTNERS",
    ),
    _READ: (
        "REST", "REST-MEMBER", "REST-SUMMARY", "REST-DOCUMENT", "REST-DOCUMENT-CONTENT",
        "REST-DOCUMENT-VIEW", "REST-MESSAGE", "REST-RETRIEVAL-STATE", "REST-RETRIEVAL-EVENTS",
        "REST-SENT-MESSAGE", "REST-VERDICT", "REST-SUBMISSION-STATE",
        "REST-MESSAGE-CONTENT",
    ),
    _LIST: (
        "CLI-MEMBERS", "CLI-HELD", "CLI-INBOX", "CLI-QUARANTINED", "CLI-SENT", "CLI-DIRECT-CHECK",
        "CLI-PARTNERS",
    ),
    _SHOW: ("CLI-MEMBER", "CLI-SUMMARY", "CLI-VERDICT", "CLI-INBOX-SHOW"),
    _ASK: ("REST-RETRIEVAL", "CLI-RETRIEVAL"),
    _LOG: (
        "REST-EXCHANGES", "REST-EXCHANGE", "REST-DISCLOSURES", "CLI-EXCHANGES", "CLI-EXCHANGE",
        "CLI-PROOF", "CLI-DISCLOSURES", "CLI-OUTFLOW", "CLI-LOG-EXPORT", "CLI-LEDGER",
        "REST-LEDGER",
        "CLI-REFUSALS", "CLI-UNUSUAL", "REST-REFUSALS", "REST-UNUSUAL", "REST-OUTFLOW",
        "REST-LOG-EXPORT", "FHIR-AUDIT-SEARCH", "FHIR-AUDIT-READ",
    ),
    Kind(IMPORT, "C", _rest("create"), "in"): ("REST-DOCUMENT-IN",),
    Kind(IMPORT, "C", _ours("file", "File taken in"), "in"): ("FILE", "CLI-MEMBERS-IMPORT"),
    _ARRIVAL: ("SMTP-IN", "IMAP-IN", "FOLDER-IN", "REST-DIRECT-IN", "OUTBOX-IN"),
    _RECEIVED: ("DIRECT-RECEIVE",),
    _SENT: ("DIRECT-SEND",),
    _SUBMITTED: ("REST-SUBMISSION", "CLI-SUBMISSION"),
    _ORDERED: ("REST-SEND", "CLI-SEND"),
    _RECORD: (
        "REST-HELD-FILE", "CLI-HELD-FILE", "REST-HELD-CONFIRM", "CLI-HELD-CONFIRM",
        "REST-DOCUMENT-UNFILE", "CLI-DOCUMENT-UNFILE", "REST-MEMBER-CONSENT", "CLI-MEMBER-CONSENT",
    ),
    Kind(PATIENT_RECORD, "U", _ours("finding", "Finding about a disclosure")): (FINDING,),
    _NETWORK: ("CLI-PARTNER-ADD", "CLI-DIRECTORY", "CLI-LESSON-REVOKE"),
    _SECURITY: (
        "CHECKPOINT-KEY", "CLI-KEYS-IMPORT", "CLI-KEYS-ROTATE", "CLI-DIRECT-ANCHOR-ADD",
        "CLI-DIRECT-ANCHOR-REMOVE", "CLI-DIRECT-BUNDLE-ADD", "CLI-DIRECT-BUNDLE-APPROVE",
        "CLI-DIRECT-BUNDLE-REJECT", "CLI-DIRECT-BUNDLE-REMOVE", "CLI-DIRECT-KEYS-IMPORT",
        "CLI-DIRECT-KEYS-USE", "DIRECT-BUNDLE", HOLD_PLACED, HOLD_LIFTED,
        DISPOSAL, "CLI-DB-ROLE", SETTINGS, POLICY,
    ),
    _USERS: ("CLI-TOKEN-CREATE", "CLI-TOKEN-REVOKE"),
    _RESTRICTED: (
        "CLI-TOKENS", "CLI-DIRECT-ANCHORS", "CLI-DIRECT-BUNDLES", "CLI-DIRECT-BUNDLE-SHOW",
        "CLI-DIRECT-KEYS", "CLI-KEYS", "CLI-PARTNER-CHECK", "CLI-LESSONS", "WSDL",
        "CLI-REPLAY", "REST-REPLAY", "CLI-AUDIT-RETRY",
        # Of a document that is nobody's: no patient's record changes.
        "REST-HELD-REJECT", "CLI-HELD-REJECT", "REST-HELD-UNDO", "CLI-HELD-UNDO",
        "CLI-AUDIT-HOLDS", "CLI-AUDIT-RETENTION", "CLI-AUDIT-DISPOSE-SHOW",
        "CLI-AUDIT-CERTIFICATES",
    ),
    # What was ordered, and may not be done when its time comes.
    _NOT_ALLOWED: ("RETRIEVAL", "SUBMISSION"),
    Kind(ACTIVITY, "E", _ours("submission-given-up", "Submission given up")): (
        "SUBMISSION-GIVEN-UP",
    ),
    # What the answer tells is told already, by the event of its exchange.
    Kind(ACTIVITY, "E", _ours("answer-sealed", "Answer sealed anew")): ("ANSWER-SEALED-ANEW",),
    Kind(ACTIVITY, "E", STARTED): (START,),
    Kind(ACTIVITY, "E", STOPPED): (STOP,),
}  # fmt: skip
ACTS: Final = {name: kind for kind, names in _KINDS.items() for name in names}
"""The kind of event by the record's transaction."""


def act_events(
    exchange: Exchange, act: Act, *, member: PatientId | None, log_uri: str
) -> Iterator[AuditEvent]:
    """What ATNA is told of the record: nothing if no event is defined for it."""
    kind = kind_of_act(exchange)
    if kind is not None:
        yield act_event(act, kind, tuple(_objects(exchange, kind, member, log_uri)))


def kind_of_act(exchange: Exchange) -> Kind | None:
    """What sort of event the record is; None if no event is defined for it."""
    if is_stranger(exchange) and exchange.transaction not in DIRECT:
        return _NOT_BELIEVED
    if exchange.transaction in DIRECT and exchange.outcome == "refused":
        # Mail that is not what it says, or of nobody we trust, was never imported.
        return _NOT_BELIEVED if exchange.direction == "in" else _NOT_ALLOWED
    return ACTS.get(exchange.transaction)


def is_stranger(exchange: Exchange) -> bool:
    """Whether somebody was turned away who had not shown who he was (DECISIONS 17)."""
    unknown = exchange.partner is None and exchange.person is None
    return exchange.direction == "in" and exchange.outcome == "refused" and unknown


def described(exchange: Exchange) -> str | None:
    """The record's reason; of one that counts, how many it counts."""
    if exchange.count == 1:
        return exchange.reason
    return f"{exchange.reason or 'refused'} ({exchange.count} times)"


def stranger_event(act: Act) -> AuditEvent:
    """ITI TF-2: 3.20.4.1.1, Node-Authentication-failure."""
    return act_event(act, _NOT_BELIEVED)


def denial_event(act: Act, member: PatientId | None) -> AuditEvent:
    """That somebody we know asked for what he is not given."""
    return act_event(act, _NOT_ALLOWED, () if member is None else (patient(member),))


def _objects(
    exchange: Exchange, kind: Kind, member: PatientId | None, log_uri: str
) -> Iterator[ParticipantObject]:
    if kind is _LOG:
        yield audit_log(log_uri)
    if member is not None:
        yield patient(member)
    if kind.id == QUERY:
        yield search(exchange.transaction)
    for each in exchange.documents:
        yield document(each)
    if exchange.message_id is not None:
        yield message(exchange.message_id)
