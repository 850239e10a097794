"""What partners submit to the house: documents of theirs with metadata, as they cross the wire."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha1
from typing import Any
from uuid import uuid4

from lxml import etree

from ccda.safe_xml import Element
from gateway.exchange.metadata import LOINC, house_author
from gateway.model.community import Community
from gateway.model.policy import Rule
from ihe.document_content import ContentId
from ihe.identifiers import HomeCommunityId, Oid, UniqueId
from ihe.metadata import Association, Code, DocumentEntry, SubmissionSet
from ihe.mtom_writing import MultipartWriter, Part
from ihe.registry_response import RegistryResponse, read_registry_response
from ihe.soap import ITI_41_REQUEST, MessageKind
from ihe.submission import memberships
from ihe.wire import SealedRequest
from ihe.xdr import ProvideAndRegisterRequest, SubmittedDocument, write_provide_and_register
from tests.gateway.asking import answer_to, ask
from tests.gateway.house import Door, Reply, a_rule, demo_document

CCD = "northfield_ccd.xml"
TAKES = replace(a_rule(), name="what partners submit", direction="take")


def a_take_rule(**changes: Any) -> Rule:
    """A rule that lets everybody submit for payment."""
    return replace(TAKES, **changes)


def an_entry(content: bytes, **changes: Any) -> DocumentEntry:
    """Minimal metadata of a document, under ids of its own."""
    number = uuid4()
    entry = DocumentEntry(
        entry_uuid=number.urn,
        unique_id=UniqueId(f"2.25.{number.int}"),
        mime_type="text/xml",
        hash=sha1(content, usedforsecurity=False).hexdigest(),
        size_bytes=len(content),
    )
    return replace(entry, **changes)


def a_submission(
    *pairs: tuple[DocumentEntry, bytes],
    associations: Iterable[Association] = (),
    home: HomeCommunityId | None = None,
    inline: bool = False,
) -> ProvideAndRegisterRequest:
    """A submission of these documents, each an attachment unless they are `inline`."""
    number, entries = uuid4(), tuple(entry for entry, _ in pairs)
    community = Community(HomeCommunityId.parse("2.999.7301.1"), "Northfield Health")
    given = SubmissionSet(
        entry_uuid=number.urn,
        unique_id=UniqueId(f"2.25.{number.int}"),
        source_id=Oid("2.999.7301.1"),
        submission_time="20260301120000",
        content_type=Code("34133-9", LOINC, "Summary of episode note"),
        patient_id=next((one.patient_id for one in entries if one.patient_id), None),
        authors=(house_author(community),),
    )
    documents = (
        SubmittedDocument(
            entry.entry_uuid, content if inline else ContentId(f"{entry.entry_uuid[9:]}@a.example")
        )
        for entry, content in pairs
    )
    return ProvideAndRegisterRequest(
        given,
        entries,
        tuple(documents),
        (*memberships(given, entries), *associations),
        home_community_id=home,
    )


def sealed(
    request: ProvideAndRegisterRequest, kind: MessageKind = ITI_41_REQUEST, **changes: Any
) -> SealedRequest:
    return ask(write_provide_and_register(request), kind, **changes)


def package(envelope: bytes, parts: Iterable[tuple[str, bytes]]) -> tuple[str, bytes]:
    """The Content-Type and the content of an envelope with attachments."""
    writer = MultipartWriter(envelope, boundary="a-boundary-of-the-partner")
    made = (Part(cid, "text/xml", [content]) for cid, content in parts)
    return writer.content_type, b"".join(writer.chunks(made))


def parts_of(
    request: ProvideAndRegisterRequest, contents: Sequence[bytes]
) -> list[tuple[str, bytes]]:
    """The attachments that the submission names, in the order of its documents."""
    named = [one.content for one in request.documents]
    return [
        (cid.value, content)
        for cid, content in zip(named, contents, strict=False)
        if isinstance(cid, ContentId)
    ]


def post(
    door: Door,
    request: ProvideAndRegisterRequest,
    *contents: bytes,
    kind: MessageKind = ITI_41_REQUEST,
    header: Element | None = None,
    **changes: Any,
) -> tuple[SealedRequest, Reply]:
    """What the door answers to the submission; `header` stands beside its addressing."""
    asked = sealed(request, kind, **changes)
    envelope = asked.envelope
    if header is not None:
        root = etree.fromstring(envelope)
        root[0].append(header)
        envelope = etree.tostring(root)
    content_type, content = package(envelope, parts_of(request, contents))
    return asked, door.post("/ihe/xdr", content, content_type=content_type)


def submit(
    door: Door, request: ProvideAndRegisterRequest, *contents: bytes, **changes: Any
) -> RegistryResponse:
    """As `post`, read."""
    asked, reply = post(door, request, *contents, **changes)
    assert reply.status == 200, reply.body
    return read_registry_response(answer_to(asked, reply.body))


def the_ccd() -> bytes:
    return demo_document(CCD)
