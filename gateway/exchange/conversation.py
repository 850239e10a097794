"""One conversation as it crossed the wire, and as today's code reads it again.

Nothing is done anew: nobody is asked, nothing is filed. What was concluded then stands beside what
would be concluded now, so that a partner's quirk, or ours, can be followed to where it was met.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ccda.safe_xml import Element
from gateway.exchange.archive import Archive
from gateway.exchange.ingest import indexed_sections
from gateway.exchange.keeping import kept_answer, kept_request
from gateway.exchange.listed import listed_in_words, listed_then
from gateway.exchange.reading import read_document
from gateway.model.document import Document
from gateway.model.exchange import Exchange, Outcome, RecordedExchange
from gateway.model.identity import PlanId
from gateway.model.later import DEFERRAL
from gateway.store import clinical, documents
from gateway.store.database import Transaction
from gateway.store.keys import KeyRing
from ihe.acknowledgement import read_acknowledgement
from ihe.discovery import Matched, MoreDemographicsRequested
from ihe.errors import CommunityCouldNotAnswer, IheError
from ihe.patient_location import read_location_request, read_location_response
from ihe.registry_response import RegistryError, ResponseStatus, Severity
from ihe.soap import ITI_55_DEFERRED_RESULT, find_fault, parse_envelope, read_envelope
from ihe.xca_query import read_adhoc_query_request, read_adhoc_query_response
from ihe.xca_retrieve import read_retrieve_request, read_retrieve_response
from ihe.xcpd import read_discovery_request, read_discovery_response

_ANSWERED: Final = ("success", "partial")
_NOT_OF_READING: Final = (
    "partial: ",
    "it answered HTTP ",
    "the answer relates to another message",
    "listed under another patient id",
)
"""Why an answer came to nothing that could be read: by its documents, its status, or to whom and
of whom it tells. None of that is judged again."""


@dataclass(frozen=True, slots=True)
class Crossed:
    """A record with the envelopes that crossed the wire for it; None where none was kept."""

    record: RecordedExchange
    request: bytes | None
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class Reread:
    """What today's code makes of one of them, in words; `differs` from what was made of it then."""

    what: str
    today: str
    differs: bool = False


def crossed(transaction: Transaction, keys: KeyRing, record: RecordedExchange) -> Crossed:
    """The envelopes beside the record; what was lost or damaged is None."""
    told = record.exchange
    return Crossed(
        record,
        kept_request(transaction, keys, told),
        kept_answer(transaction, keys, told),
    )


# ---- messages --------------------------------------------------------------------------------


def reread(one: Crossed) -> tuple[Reread, ...]:
    """What each envelope says to today's readers; signatures were judged when it came."""
    told = one.record.exchange
    readers = _READERS.get(told.transaction)
    if readers is None:
        return ()
    read_request, read_answer = readers
    return tuple(_reread_all(one, told, read_request, read_answer))


def _reread_all(
    one: Crossed, told: Exchange, read_request: "_Reader", read_answer: "_Reader"
) -> Iterator[Reread]:
    theirs_is_answer = told.direction == "out"
    for name, envelope, reader, is_theirs in (
        ("request", one.request, read_request, not theirs_is_answer),
        ("answer", one.answer, read_answer, theirs_is_answer),
    ):
        if envelope is None:
            continue
        was_taken = told.outcome in _ANSWERED
        try:
            said = _read(envelope, reader)
        except IheError as error:
            yield Reread(name, f"it cannot be read: {error.reason}", is_theirs and was_taken)
        else:
            differs = name == "answer" and is_theirs and _is_otherwise(told, said)
            yield Reread(name, said.text + (_then(told) if differs else ""), differs)


def _then(told: Exchange) -> str:
    """What came of it when it was read first."""
    given = f" with {len(told.documents)} documents" if told.documents else ""
    why = f": {told.reason}" if told.reason else ""
    return f" (then {told.outcome}{given}{why})"


@dataclass(frozen=True, slots=True)
class _Said:
    """What an envelope says; of an answer, to which outcome that comes by itself (None if it says
    nothing of that), how many documents are in it, and in words how many it lists."""

    text: str
    outcome: Outcome | None = None
    documents: int = 0
    listed: str | None = None
    is_fault: bool = False


_Reader = Callable[[Element], _Said]


def _read(envelope: bytes, reader: _Reader) -> _Said:
    root = parse_envelope(envelope)
    fault = find_fault(root)
    if fault is not None:
        return _Said(f"a fault, {fault.code or 'without a code'}", "failed", is_fault=True)
    return reader(read_envelope(root).payload)


def _is_otherwise(told: Exchange, said: _Said) -> bool:
    """Whether the partner's answer would come to something else than the record has of it.

    Of what was refused or broken off nothing was read then. A check of a partner files nothing, and
    has succeeded with whatever it was told.
    """
    match told.outcome:
        case "success":
            given = len(told.documents)
            is_other = given > 0 and said.documents != given
            return said.is_fault or is_other or _lists_otherwise(told, said)
        case "partial":
            return said.outcome == "failed" or _lists_otherwise(told, said)
        case "failed":
            reason = told.reason or ""
            is_well = said.outcome in _ANSWERED
            return is_well and not any(one in reason for one in _NOT_OF_READING)
        case _:
            return False


def _lists_otherwise(told: Exchange, said: _Said) -> bool:
    """Of an older record nobody knows how many were listed."""
    then = listed_then(told.reason)
    return said.listed is not None and then is not None and said.listed != then


def _discovery_request(body: Element) -> _Said:
    asked = read_discovery_request(body).demographics
    return _Said(
        f"asks for a person by {len(asked.names)} names, {len(asked.ids)} ids, "
        f"{len(asked.addresses)} addresses, {len(asked.telecoms)} telephone numbers"
    )


def _discovery(body: Element) -> _Said:
    try:
        discovery = read_discovery_response(body).discovery
    except CommunityCouldNotAnswer:
        return _Said("it reports a problem of its own", "failed")
    match discovery:
        case Matched(matches=matches, unreadable=unreadable):
            unusable = f", {unreadable} unusable" if unreadable else ""
            return _Said(f"{len(matches)} matching{unusable}", "success")
        case MoreDemographicsRequested(attributes=attributes):
            asked = ", ".join(sorted(attributes)) or "it does not say what"
            return _Said(f"asks for more: {asked}", "success")
        case _:
            return _Said("no match", "success")


def _deferred(body: Element) -> _Said:
    """A question, or the result that comes apart from it."""
    is_result = body.tag == ITI_55_DEFERRED_RESULT.root
    return _discovery(body) if is_result else _discovery_request(body)


def _acknowledgement(body: Element) -> _Said:
    said = read_acknowledgement(body)
    return _Said("taken" if said.accepted else f"not taken, {said.problem or 'without a code'}")


def _location_request(body: Element) -> _Said:
    read_location_request(body)
    return _Said("asks which communities know a patient")


def _locations(body: Element) -> _Said:
    """The answer alone does not say which question it answers: each location repeats it."""
    found = read_location_response(body, asked=None)
    unusable = f", {found.unreadable} unusable" if found.unreadable else ""
    return _Said(f"{len(found.locations)} locations{unusable}", "success")


def _query_request(body: Element) -> _Said:
    return _Said(f"asks by {type(read_adhoc_query_request(body)).__name__.removesuffix('Query')}")


def _query(body: Element) -> _Said:
    found = read_adhoc_query_response(body)
    listed = len(found.entries) + len(found.object_refs)
    words = listed_in_words(listed)
    text = f"{_word(found.status)}, {words}{_errors(found.errors, found.unreadable)}"
    return _Said(text, _outcome(found.status, found.errors, listed), listed=words)


def _retrieve_request(body: Element) -> _Said:
    return _Said(f"asks for {len(read_retrieve_request(body).documents)} documents")


def _retrieve(body: Element) -> _Said:
    found = read_retrieve_response(body)
    errors, given = found.outcome.errors, len(found.documents)
    text = f"{_word(found.outcome.status)}, {given} documents{_errors(errors, found.unreadable)}"
    status = found.outcome.status
    return _Said(text, _outcome(status, errors, given) if given else "failed", given)


def _outcome(status: ResponseStatus, errors: tuple[RegistryError, ...], given: int) -> Outcome:
    """As it was recorded: a status that no error explains is believed, too."""
    is_whole = status is ResponseStatus.SUCCESS
    if is_whole and not any(one.severity is Severity.ERROR for one in errors):
        return "success"
    return "partial" if given else "failed"


def _word(status: str) -> str:
    return status.rpartition(":")[2]


def _errors(errors: tuple[RegistryError, ...], unreadable: int) -> str:
    codes = sorted({error.code for error in errors})
    said = f"; errors: {', '.join(map(str, codes))}" if codes else ""
    return said + (f"; {unreadable} unreadable" if unreadable else "")


_READERS: Final[Mapping[str, tuple[_Reader, _Reader]]] = {
    "ITI-55": (_discovery_request, _discovery),
    DEFERRAL: (_deferred, _acknowledgement),
    "ITI-56": (_location_request, _locations),
    "ITI-38": (_query_request, _query),
    "ITI-39": (_retrieve_request, _retrieve),
}


# ---- documents -------------------------------------------------------------------------------


def reread_documents(
    archive: Archive, plan: PlanId, found: tuple[tuple[Document, int], ...]
) -> tuple[Reread, ...]:
    """What the stored bytes of each document say now, against the statements indexed then."""
    return tuple(_reread_document(archive, plan, *one) for one in found)


def indexed(transaction: Transaction, told: Exchange) -> tuple[tuple[Document, int], ...]:
    """The record's documents that are here, and how many statements each has in the index."""
    if told.plan is None:
        return ()
    kept = (documents.get(transaction, plan=told.plan, document=id) for id in told.documents)
    return tuple(
        (one, len(clinical.of_document(transaction, plan=told.plan, document=one.id)))
        for one in kept
        if one is not None
    )


def _reread_document(archive: Archive, plan: PlanId, document: Document, then: int) -> Reread:
    what = f"document {document.id}"
    reading = archive.workers.run(read_document, archive.load(plan, document.blob))
    if reading.clinical is None:
        was_read = document.state != "quarantined"
        return Reread(what, f"it cannot be read: {reading.reason}", was_read)
    now = sum(len(section.entries) for section in indexed_sections(reading.clinical))
    differs = now != then
    beside = f" ({then} when it was indexed)" if differs else ""
    return Reread(what, f"{now} statements{beside}", differs)
