"""A partner on a real TLS socket that answers as a test tells it to.

    with scripted(ITI_38=html_page) as partner: ...

What is not told is answered well: the demo's person, and two documents of hers.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from ccda.hl7v3 import II, TS
from ccda.safe_xml import Element, parse_xml
from gateway.api.listener import Listener, running
from gateway.clients.tls import partner_listener_context
from gateway.demo.parties import MEMBER as ROSALIND
from gateway.model.partner import Endpoints, Partner, PartnerProfile
from ihe.discovery import Matched
from ihe.document_content import ContentId
from ihe.errors import CommunityCouldNotAnswer
from ihe.identifiers import HomeCommunityId, Oid, PatientId, UniqueId
from ihe.metadata import Code, DocumentEntry
from ihe.mtom import MultipartReader, RootPart, is_multipart
from ihe.mtom_writing import MultipartWriter, Part
from ihe.patient_location import PatientLocation, read_location_request, write_location_response
from ihe.registry_response import RegistryResponse, ResponseStatus
from ihe.soap import ITI_38_ANSWER, ITI_39_ANSWER, ITI_55_ANSWER, ITI_56_ANSWER, MessageKind
from ihe.wire import read_unopened, seal_answer
from ihe.xca_query import AdhocQueryResponse, write_adhoc_query_response
from ihe.xca_retrieve import (
    RetrievedDocument,
    RetrieveDocumentSetResponse,
    read_retrieve_request,
    write_retrieve_response,
)
from ihe.xcpd import (
    Demographics,
    Discovery,
    Match,
    PatientDiscoveryRequest,
    read_discovery_request,
    write_discovery_response,
)
from tests.gateway import house as lakeshore
from tests.gateway.own_loop import run_on

NAME = "Northfield Health"
HOME = HomeCommunityId.parse("2.999.7301.1")
ELSEWHERE = HomeCommunityId.parse("2.999.7309.1")
PATIENT = PatientId("NF-220871", Oid(f"{HOME}.2"))
REPOSITORY = Oid(f"{HOME}.3")
DOCUMENTS = {
    UniqueId("2.999.7301.1.4.1"): "northfield_ccd.xml",
    UniqueId("2.999.7301.1.4.2"): "northfield_discharge_summary.xml",
}
SOAP = "application/soap+xml; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Heard:
    """A request as it arrived."""

    envelope: bytes
    by: str = NAME

    @property
    def body(self) -> Element:
        envelope = parse_xml(self.envelope)
        (payload,) = envelope.find("{http://www.w3.org/2003/05/soap-envelope}Body")
        return payload

    def seal(
        self,
        body: Element,
        kind: MessageKind,
        *,
        key: str | None = None,
        now: datetime | None = None,
        **changes: Any,
    ) -> bytes:
        """An answer to it; `changes` are what a liar says otherwise."""
        unopened = read_unopened(self.envelope)
        given: dict[str, Any] = {
            "relates_to": unopened.message_id,
            "message_id": f"urn:uuid:{uuid4()}",
            "confirmations": unopened.signature_values or (),
            "signing_key": lakeshore.signing_key(key or self.by),
            "now": now or datetime.now(UTC),
        }
        return seal_answer(body, kind=kind, **{**given, **changes})


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; `cut` breaks the connection off where the content ends."""

    content: bytes
    content_type: str = SOAP
    status: int = 200
    cut: bool = False
    delay_seconds: float = 0.0
    headers: tuple[tuple[bytes, bytes], ...] = ()


Answer = Callable[[Heard], Reply]


# ---- answers as they should be ---------------------------------------------------------------


def discovered(heard: Heard, discovery: Discovery | None = None) -> bytes:
    """The body of an ITI-55 answer; the demo's person unless told otherwise."""
    request = read_discovery_request(heard.body)
    return heard.seal(discovery_body(request, discovery or Matched((a_match(),))), ITI_55_ANSWER)


def discovery_body(
    request: PatientDiscoveryRequest, discovery: Discovery | CommunityCouldNotAnswer
) -> Element:
    written = write_discovery_response(
        discovery,
        request=request,
        message_id=II(f"{HOME}.9", str(uuid4())),
        creation_time=TS("20260101000000+0000"),
        sender=HOME,
    )
    return parse_xml(written.xml)


def a_match(known: Demographics | None = None, **changes: Any) -> Match:
    known = known or replace(ROSALIND, ids=())
    return replace(Match(PATIENT, HOME, known, degree=90), **changes)


def located(heard: Heard, *locations: PatientLocation) -> bytes:
    """The body of an ITI-56 answer; one community that is in no directory unless told otherwise."""
    told = locations or (PatientLocation(ELSEWHERE, PatientId("EL-1", Oid(f"{ELSEWHERE}.2"))),)
    asked = read_location_request(heard.body)
    return heard.seal(write_location_response(told, asked=asked), ITI_56_ANSWER)


def an_entry(unique_id: UniqueId, **changes: Any) -> DocumentEntry:
    code = Code("34133-9", "2.16.840.1.113883.6.1", "Summary of episode note")
    entry = DocumentEntry(
        entry_uuid=f"urn:uuid:{uuid4()}",
        unique_id=unique_id,
        patient_id=PATIENT,
        home_community_id=HOME,
        repository_unique_id=REPOSITORY,
        mime_type="text/xml",
        availability="Approved",
        creation_time="20250101",
        language_code="en-US",
        class_code=code,
        type_code=code,
        format_code=Code("urn:ihe:pcc:xphr:2007", "1.3.6.1.4.1.19376.1.2.3", "XPHR"),
        healthcare_facility_type_code=code,
        practice_setting_code=code,
        confidentiality_codes=(Code("N", "2.16.840.1.113883.5.25", "N"),),
        source_patient_id=PATIENT.cx,
    )
    return replace(entry, **changes)


def listed(heard: Heard, response: AdhocQueryResponse | None = None) -> bytes:
    entries = tuple(an_entry(unique_id) for unique_id in DOCUMENTS)
    response = response or AdhocQueryResponse(ResponseStatus.SUCCESS, entries=entries)
    return heard.seal(write_adhoc_query_response(response), ITI_38_ANSWER)


def a_document(
    unique_id: UniqueId, content: bytes | ContentId, **changes: Any
) -> RetrievedDocument:
    document = RetrievedDocument(unique_id, content, REPOSITORY, HOME, "text/xml")
    return replace(document, **changes)


def retrieved(
    heard: Heard,
    contents: dict[UniqueId, bytes] | None = None,
    outcome: RegistryResponse | None = None,
    **changes: Any,
) -> Reply:
    """An ITI-39 answer as MTOM; of what was asked unless `contents` says otherwise."""
    if contents is None:
        asked = read_retrieve_request(heard.body).documents
        contents = {
            one.unique_id: lakeshore.demo_document(DOCUMENTS[one.unique_id]) for one in asked
        }
    outcome = outcome or RegistryResponse(ResponseStatus.SUCCESS)
    names = {unique_id: f"{number}@northfield" for number, unique_id in enumerate(contents)}
    documents = tuple(
        a_document(unique_id, ContentId(name), **changes) for unique_id, name in names.items()
    )
    body = write_retrieve_response(RetrieveDocumentSetResponse(outcome, documents))
    parts = [Part(names[one], "text/xml", [content]) for one, content in contents.items()]
    return packaged(heard.seal(body, ITI_39_ANSWER), parts)


def packaged(envelope: bytes, parts: list[Part]) -> Reply:
    writer = MultipartWriter(envelope, boundary=uuid4().hex, action=ITI_39_ANSWER.action)
    return Reply(b"".join(writer.chunks(parts)), writer.content_type)


_WELL: dict[str, Answer] = {
    "ITI_55": lambda heard: Reply(discovered(heard)),
    "ITI_56": lambda heard: Reply(located(heard)),
    "ITI_38": lambda heard: Reply(listed(heard)),
    "ITI_39": retrieved,
}


# ---- the socket ------------------------------------------------------------------------------


@dataclass(slots=True)
class Script:
    """The running partner: as our directory knows it, and what it has heard."""

    partner: Partner
    heard: list[str] = field(default_factory=list)
    packages: list[tuple[str, bytes]] = field(default_factory=list)
    """What was heard, whole: content type and content."""


@contextmanager
def scripted(
    *,
    name: str = NAME,
    home: HomeCommunityId = HOME,
    shows: str = "Test network",
    timeout_seconds: float = 20.0,
    known_authority: str = "Test network",
    profile: PartnerProfile | None = None,
    files: tuple[Path, Path] | None = None,
    **answers: Answer,
) -> Iterator[Script]:
    """The partner up in a thread with its own event loop. `shows` is who issued its TLS
    certificate (or it stands with its key in `files`, and is pinned), `known_authority` whose
    clients it lets in."""
    certificate, key = files or lakeshore.key_files(name, shows)
    anchors = [lakeshore.authority(known_authority).certificate_pem]
    context = partner_listener_context(certificate=certificate, key=key, anchors=anchors, pinned=())
    heard: list[str] = []
    packages: list[tuple[str, bytes]] = []
    application = _Application({**_WELL, **answers}, heard, packages, name)
    profile = profile or PartnerProfile(timeout_seconds=timeout_seconds)
    with _listening(application, context) as port:
        base = f"https://localhost:{port}"
        endpoints = Endpoints(
            f"{base}/ITI_55", f"{base}/ITI_38", f"{base}/ITI_39", iti56=f"{base}/ITI_56"
        )
        partner = lakeshore.a_partner(name, str(home), endpoints=endpoints, profile=profile)
        if files is not None:
            partner = replace(partner, tls_certificates=(certificate.read_text(),))
        yield Script(partner, heard, packages)


@dataclass(slots=True)
class _Application:
    answers: dict[str, Answer]
    heard: list[str]
    packages: list[tuple[str, bytes]]
    name: str

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        content, more = b"", True
        while more:
            message = await receive()
            content += message.get("body", b"")
            more = message.get("more_body", False)
        headers = dict(scope["headers"])
        content_type = headers.get(b"content-type", b"").decode()
        transaction = scope["path"].strip("/")
        self.heard.append(transaction)
        self.packages.append((content_type, content))
        reply = self.answers[transaction](Heard(envelope_in(content, content_type), self.name))
        await asyncio.sleep(reply.delay_seconds)
        named = (b"content-type", reply.content_type.encode())
        given = [named, *reply.headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": given})
        await send({"type": "http.response.body", "body": reply.content, "more_body": reply.cut})
        if reply.cut:
            await asyncio.sleep(0.2)
            raise _CutError


class _CutError(Exception):
    """Ends the connection before its answer is whole."""


def envelope_in(content: bytes, content_type: str) -> bytes:
    """The envelope of a request, whether it came alone or as a package."""
    if not is_multipart(content_type):
        return content
    reader = MultipartReader(content_type)
    events = reader.feed(content)
    return next(event.content for event in events if isinstance(event, RootPart))


@contextmanager
def _listening(application: Any, context: ssl.SSLContext) -> Iterator[int]:
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    ports: list[int] = []

    async def run() -> None:
        async with running([Listener(application, "127.0.0.1:0", context)]) as addresses:
            ports.append(int(addresses[0].rpartition(":")[2]))
            ready.set()
            await stop.wait()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                if "RequestResponseCycle" in repr(task):
                    task.cancel()  # those that hang on purpose

    def main() -> None:
        try:
            run_on(loop, run())
        finally:
            ready.set()

    thread = threading.Thread(target=main, name="scripted partner")
    thread.start()
    ready.wait(30)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
