"""The ways in which a simulated partner misbehaves, each by a name and in one line.

What is here has been seen of real partners, or is what a network does to an answer on its way.
A mood changes one thing; several can be had at once.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lxml import etree

from ccda.hl7v3 import PN, TS
from gateway.demo.simulator.deferred_moods import DEFERRED
from gateway.demo.simulator.holdings import ELSEWHERE, Given, Holdings, Retrieved
from gateway.demo.simulator.locating_moods import LOCATING
from gateway.demo.simulator.mood import Mood, OfReply, OfRetrieval
from gateway.demo.simulator.replies import SLOW_SECONDS, Manner, Reply
from ihe.discovery import Demographics, Discovery, Matched
from ihe.errors import IheError, Unavailable
from ihe.identifiers import UniqueId
from ihe.metadata import DocumentEntry
from ihe.registry_response import (
    ErrorCode,
    RegistryError,
    RegistryResponse,
    ResponseStatus,
    status_of,
)
from ihe.soap import write_fault
from ihe.stored_query import AdhocQuery, FindDocumentsQuery
from ihe.xca_query import AdhocQueryResponse
from ihe.xca_retrieve import RetrieveDocumentSetRequest

_FIRST: Final = "20000101"
"""Nothing is older than that at a partner that cannot list a long time."""
_YEARS: Final = 10
_SKEW: Final = timedelta(minutes=-20)
_HTML: Final = b"<html><head><title>Sign in</title></head><body>Envelope, Fault</body></html>"


def mood(text: str) -> Mood:
    """The mood of that name, or of `NAME@ITI-38` at that transaction alone.

    Raises:
        ValueError: there is none, or it does not show there; the text says what there is.
    """
    name, _, step = text.partition("@")
    found = MOODS.get(name) or DEFERRED.get(name) or LOCATING.get(name)
    if found is None:
        raise ValueError(f"there is no mood {name}; `gateway simulate --list` has those there are")
    if not step:
        return found
    at = tuple(one for one in found.at if one == step.upper())
    if not at or found.is_of_connection:
        raise ValueError(f"the mood {name} does not show in {step}, only in {', '.join(found.at)}")
    return replace(found, at=at)


# ---- what is wrong with the content ----------------------------------------------------------


def _named_fault(discovery: Discovery) -> Discovery:
    """The person has a former name Fault as well."""
    if not isinstance(discovery, Matched):
        return discovery

    def named(names: tuple[PN, ...]) -> tuple[PN, ...]:
        return (*names, *(replace(one, family="Fault") for one in names[:1]))

    matches = tuple(
        replace(one, demographics=replace(one.demographics, names=named(one.demographics.names)))
        for one in discovery.matches
    )
    return replace(discovery, matches=matches)


def _of_another_person(discovery: Discovery) -> Discovery:
    """The patient id is hers, and what is told of it another person's."""
    if not isinstance(discovery, Matched):
        return discovery
    other = Demographics((PN("Otherman", ("Quentin",)),), birth_time=TS("19440102"), gender="M")
    matches = tuple(replace(one, demographics=other) for one in discovery.matches)
    return replace(discovery, matches=matches)


def _of_fault(entry: DocumentEntry) -> DocumentEntry:
    return replace(entry, source_patient_info=("PID-5|Fault^Rosalind^^^",))


def _of_another(entry: DocumentEntry) -> DocumentEntry:
    patient = entry.patient_id
    return entry if patient is None else replace(entry, patient_id=replace(patient, id="SP-9999"))


def _listing_error(
    _asked: AdhocQuery, given: AdhocQueryResponse, held: Holdings
) -> AdhocQueryResponse:
    return replace(given, entries=(), errors=(_error(ErrorCode.REGISTRY_ERROR, held),))


def _listing_part(
    _asked: AdhocQuery, given: AdhocQueryResponse, held: Holdings
) -> AdhocQueryResponse:
    if len(given.entries) < 2:
        return given
    error = _error(ErrorCode.UNAVAILABLE_COMMUNITY, held)
    status = ResponseStatus.PARTIAL_SUCCESS
    return replace(given, status=status, entries=given.entries[:-1], errors=(error,))


def _too_many(asked: AdhocQuery, given: AdhocQueryResponse, held: Holdings) -> AdhocQueryResponse:
    if not isinstance(asked, FindDocumentsQuery) or len(given.entries) < 2:
        return given
    error = _error(ErrorCode.TOO_MANY_RESULTS, held)
    return AdhocQueryResponse(ResponseStatus.FAILURE, errors=(error,))


def _long_time(asked: AdhocQuery, given: AdhocQueryResponse, held: Holdings) -> AdhocQueryResponse:
    if not isinstance(asked, FindDocumentsQuery) or "stable" not in asked.entry_types:
        return given
    start = (asked.creation_time.start or "")[:8] or _FIRST
    end = (asked.creation_time.end or "")[:8] or f"{datetime.now(UTC):%Y%m%d}"
    if int(end[:4]) - int(max(start, _FIRST)[:4]) <= _YEARS:
        return given
    error = _error(ErrorCode.REGISTRY_OUT_OF_RESOURCES, held)
    return AdhocQueryResponse(ResponseStatus.FAILURE, errors=(error,))


def _error(code: ErrorCode, held: Holdings) -> RegistryError:
    return RegistryError(code, "simulated", location=held.home.urn)


def _documents(change: Callable[[tuple[Given, ...], Holdings], tuple[Given, ...]]) -> OfRetrieval:
    """Other documents than were asked for, and not a word about it."""

    def of(_asked: RetrieveDocumentSetRequest, given: Retrieved, held: Holdings) -> Retrieved:
        return replace(given, documents=change(given.documents, held))

    return of


def _one_more(given: tuple[Given, ...], held: Holdings) -> tuple[Given, ...]:
    other = UniqueId(f"{held.home}.4.99")
    return given and (*given, replace(given[0], unique_id=other, cid="unasked@simulated"))


def _other_ids(given: tuple[Given, ...], _held: Holdings) -> tuple[Given, ...]:
    return tuple(replace(one, unique_id=UniqueId(f"{one.unique_id}.9")) for one in given)


def _retrieval_error(
    asked: RetrieveDocumentSetRequest, given: Retrieved, held: Holdings
) -> Retrieved:
    errors = tuple(_about(ErrorCode.REPOSITORY_ERROR, one, held) for one in _ids(asked))
    return Retrieved(RegistryResponse(ResponseStatus.SUCCESS, errors))


def _retrieval_part(
    _asked: RetrieveDocumentSetRequest, given: Retrieved, held: Holdings
) -> Retrieved:
    if not given.documents:
        return given
    *first, last = given.documents
    error = _about(ErrorCode.MISSING_DOCUMENT, last.unique_id, held)
    status = status_of((error,), has_content=bool(first))
    return Retrieved(RegistryResponse(status, (error,)), tuple(first))


def _one_at_a_time(
    asked: RetrieveDocumentSetRequest, given: Retrieved, held: Holdings
) -> Retrieved:
    if len(asked.documents) < 2:
        return given
    error = RegistryError(ErrorCode.REPOSITORY_ERROR, "simulated", location=held.home.urn)
    return Retrieved(RegistryResponse(ResponseStatus.FAILURE, (error,)))


def _ids(asked: RetrieveDocumentSetRequest) -> Iterable[UniqueId]:
    return (one.unique_id for one in asked.documents)


def _about(code: ErrorCode, unique_id: UniqueId, held: Holdings) -> RegistryError:
    return RegistryError(code, "simulated", location=f"{unique_id} {held.home.urn}")


# ---- what is wrong with the answer -----------------------------------------------------------


def _instead(**given: Any) -> OfReply:
    """Something else than the answer."""
    reply = Reply(**{"content": b"", **given})
    return lambda _reply: reply


def _sent(manner: Manner) -> OfReply:
    return lambda reply: replace(reply, manner=manner)


def _halved(reply: Reply) -> Reply:
    return replace(reply, content=reply.content[: len(reply.content) // 2])


def _without_security(reply: Reply) -> Reply:
    start, end = reply.content.find(b"<wsse:Security"), reply.content.find(b"</wsse:Security>")
    if start < 0 or end < 0:
        return reply
    after = end + len(b"</wsse:Security>")
    return replace(reply, content=reply.content[:start] + reply.content[after:])


def _fault_1_2(code: str, status: int) -> OfReply:
    error: IheError = Unavailable("simulated") if code == "Receiver" else IheError("simulated")
    fault = etree.tostring(write_fault(error))
    space = "http://www.w3.org/2003/05/soap-envelope"
    content = b'<s:Envelope xmlns:s="%s"><s:Body>%s</s:Body></s:Envelope>' % (space.encode(), fault)
    return _instead(content=content, status=status)


def _fault_1_1(code: str, status: int) -> OfReply:
    content = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>'
        f"<faultcode>s:{code}</faultcode><faultstring>simulated</faultstring>"
        "</s:Fault></s:Body></s:Envelope>"
    )
    return _instead(content=content.encode(), content_type="text/xml; charset=utf-8", status=status)


_FAULTS: Final = tuple(
    Mood(
        f"fault-{version}-{status}",
        f"a SOAP {version} fault ({code}) with HTTP status {status}",
        reply=write(code, status),
    )
    for version, write, codes in (
        ("1.1", _fault_1_1, ("Server", "Client", "Server")),
        ("1.2", _fault_1_2, ("Receiver", "Sender", "Receiver")),
    )
    for code, status in zip(codes, (200, 400, 500), strict=True)
)

# ---- all of them -----------------------------------------------------------------------------

_ALL: Final = (
    Mood("empty", "HTTP 200 with nothing in it", reply=_instead()),
    Mood("truncated", "only the first half of the MTOM package", ("ITI-39",), reply=_halved),
    Mood(
        "html",
        "an HTML page, as of a proxy that wants a sign-in",
        reply=_instead(content=_HTML, content_type="text/html"),
    ),
    *_FAULTS,
    Mood(
        "redirect",
        "HTTP 302 to somewhere else",
        reply=_instead(status=302, headers=(("Location", "https://elsewhere.example/"),)),
    ),
    Mood(
        "status-500",
        "HTTP 500 and a line of text",
        reply=_instead(status=500, content=b"oops", content_type="text/plain"),
    ),
    Mood(
        "busy",
        "HTTP 503, to come back in two minutes",
        reply=_instead(status=503, headers=(("Retry-After", "120"),)),
    ),
    Mood("refuse", "takes no connection", refuses=True),
    Mood("hang", "takes the request and never answers", reply=_sent("hang")),
    Mood("slow", f"answers after {SLOW_SECONDS:g} s", reply=_sent("slow")),
    Mood("drip", "answers a byte at a time", reply=_sent("drip")),
    Mood("endless", "an answer without an end", reply=_sent("endless")),
    Mood("reset", "resets the connection instead of answering", reply=_sent("reset")),
    Mood("early-close", "closes the connection in the middle", reply=_sent("early close")),
    Mood(
        "wrong-relates-to",
        "the answer relates to another request",
        seal={"relates_to": "urn:uuid:00000000-0000-4000-8000-00000000dead"},
    ),
    Mood("clock-skew", "its clock is 20 minutes slow", clock=_SKEW),
    Mood("unsigned", "the Timestamp of the answer is not signed", seal={"signing_key": None}),
    Mood(
        "no-confirmation",
        "the answer does not confirm the request's signature",
        seal={"confirmations": None},
    ),
    Mood("no-security", "the answer has no Security header", reply=_without_security),
    Mood("expired-certificate", "its TLS certificate ran out yesterday", expired=True),
    Mood(
        "named-fault",
        "the patient's former name is Fault",
        ("ITI-55", "ITI-38"),
        discovery=_named_fault,
        entry=_of_fault,
    ),
    Mood(
        "other-person",
        "finds another person than was asked for",
        ("ITI-55",),
        discovery=_of_another_person,
    ),
    Mood(
        "other-patient",
        "lists documents of another patient id than was asked for",
        ("ITI-38",),
        entry=_of_another,
    ),
    Mood(
        "other-document",
        "gives documents under other ids than were asked for",
        ("ITI-39",),
        retrieval=_documents(_other_ids),
    ),
    Mood(
        "success-with-errors",
        "says Success, and gives only errors",
        ("ITI-38", "ITI-39"),
        listing=_listing_error,
        retrieval=_retrieval_error,
    ),
    Mood(
        "partial-success",
        "gives all but one, and an error for that",
        ("ITI-38", "ITI-39"),
        listing=_listing_part,
        retrieval=_retrieval_part,
    ),
    Mood(
        "fewer-documents",
        "says Success, and gives one document less than was asked for",
        ("ITI-39",),
        retrieval=_documents(lambda given, _held: given[:-1]),
    ),
    Mood(
        "more-documents",
        "gives one document more than was asked for",
        ("ITI-39",),
        retrieval=_documents(_one_more),
    ),
    Mood(
        "wrong-home",
        "its documents name another home community",
        ("ITI-39",),
        retrieval=_documents(
            lambda given, _held: tuple(replace(one, home=ELSEWHERE) for one in given)
        ),
    ),
    Mood(
        "duplicate-cids",
        "all MTOM parts have the same Content-ID",
        ("ITI-39",),
        retrieval=_documents(
            lambda given, _held: tuple(replace(one, cid="same@simulated") for one in given)
        ),
    ),
    Mood("no-mtom", "documents stand in base64 in the envelope", ("ITI-39",), inline=True),
    Mood(
        "wrong-hash",
        "lists documents with a hash that is not theirs",
        ("ITI-38",),
        entry=lambda entry: replace(entry, hash="0" * 40),
    ),
    Mood(
        "wrong-size",
        "lists documents with a size that is not theirs",
        ("ITI-38",),
        entry=lambda entry: replace(entry, size_bytes=(entry.size_bytes or 0) + 1),
    ),
    Mood(
        "one-per-retrieve",
        "fails every retrieve of more than one document",
        ("ITI-39",),
        retrieval=_one_at_a_time,
    ),
    Mood(
        "too-many-results",
        "lists no more than one document at once",
        ("ITI-38",),
        listing=_too_many,
    ),
    Mood(
        "long-time",
        "fails every list over more than ten years",
        ("ITI-38",),
        listing=_long_time,
    ),
)
MOODS: Final[dict[str, Mood]] = {one.name: one for one in _ALL}
