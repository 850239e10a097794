"""The verbs that answer partners as messages: a request's body in, an answer's body out.

Everything here computes or reads the database, so the doors run it in a thread (DECISIONS 25), or
as long as it is brief on the loop (`store.brief`).
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import uuid4

from gateway.api.partner_means import PartnerMeans
from gateway.api.soap_discovery import discover
from gateway.api.soap_location import tell_locations
from gateway.api.soap_replied import Replied
from gateway.exchange.asker import Asker, Effect
from gateway.exchange.on_demand import keep_snapshot
from gateway.exchange.respond_query import query
from gateway.exchange.respond_retrieve import Given, retrieve
from gateway.exchange.shelf import Shown
from gateway.model.document import OfferedDocument, Snapshot
from gateway.model.later import OwedPart
from gateway.store.database import Transaction
from ihe.document_content import ContentId
from ihe.identifiers import HomeCommunityId, UniqueId
from ihe.metadata import ObjectRef
from ihe.mtom_writing import Part
from ihe.registry_response import (
    RegistryError,
    RegistryRefusal,
    RegistryResponse,
    ResponseStatus,
    status_of,
)
from ihe.soap import (
    ITI_38_ANSWER,
    ITI_39_ANSWER,
)
from ihe.wire import OpenedRequest
from ihe.xca_query import (
    AdhocQueryResponse,
    read_adhoc_query_request,
    registry_object_xml,
    write_adhoc_query_response,
    write_stored_entries,
)
from ihe.xca_retrieve import (
    RetrievedDocument,
    RetrieveDocumentSetResponse,
    read_retrieve_request,
    write_retrieve_response,
)

_NO_TYPE: Final = "application/octet-stream"


def reply(opened: OpenedRequest, asker: Asker, means: PartnerMeans) -> Replied:
    """The answer to a request whose sender is verified.

    Raises:
        MalformedMessage: its body is not what the transaction demands.
        NotPermitted: the sender gets no answer to it (ITI-56).
        StoreError: the database cannot be read.
    """
    return _VERBS[opened.transaction](opened, asker, means)


def _query(opened: OpenedRequest, asker: Asker, means: PartnerMeans) -> Replied:
    home = means.community.home_community_id
    try:
        asked = read_adhoc_query_request(opened.body)
        listed = means.archive.database.read(
            lambda tx: query(
                tx,
                asked,
                asker=asker,
                plans=means.plans,
                community=means.community,
                most=means.query_results,
            )
        )
    except RegistryRefusal as refusal:
        body = write_stored_entries(refusal.answered_by(home), ())
        return Replied(ITI_38_ANSWER, body, (Effect("refused", reason=str(refusal)),))
    if asked.return_type == "ObjectRef":
        references = tuple(ObjectRef(shown.entry_uuid, home) for shown in listed.shown)
        response = AdhocQueryResponse(ResponseStatus.SUCCESS, object_refs=references)
        return Replied(ITI_38_ANSWER, write_adhoc_query_response(response), listed.effects)
    body = write_stored_entries(
        RegistryResponse(ResponseStatus.SUCCESS), map(_entry_xml, listed.shown)
    )
    return Replied(ITI_38_ANSWER, body, listed.effects)


def _entry_xml(shown: Shown) -> bytes:
    """A document's entry was written when it was registered."""
    if isinstance(shown, OfferedDocument):
        return shown.entry_xml.encode()
    return registry_object_xml(shown)


def _retrieve(opened: OpenedRequest, asker: Asker, means: PartnerMeans) -> Replied:
    got = retrieve(
        means.archive,
        read_retrieve_request(opened.body),
        asker=asker,
        plans=means.plans,
        community=means.community,
        now=datetime.now(UTC),
    )
    packed = [_pack(one, means) for one in got.given]
    home = means.community.home_community_id
    reported = tuple(_located(error, home) for error in got.errors)
    outcome = RegistryResponse(status_of(got.errors, has_content=bool(packed)), reported)
    documents = tuple(document for document, _ in packed)
    response = write_retrieve_response(RetrieveDocumentSetResponse(outcome, documents))
    parts = tuple(part for _, part in packed)
    owed = tuple(
        OwedPart(part.cid, part.content_type, one.offered.document.plan, one.offered.document.id)
        for one, part in zip(got.given, parts, strict=True)
    )
    noted = partial(_keep_made, got.made)
    return Replied(
        ITI_39_ANSWER,
        response,
        got.effects,
        parts,
        noted=noted,
        is_noted_briefly=not got.made,
        owed=owed,
    )


def _keep_made(
    made: Iterable[Snapshot], transaction: Transaction, effects: tuple[Effect, ...]
) -> tuple[Effect, ...]:
    for snapshot in made:
        keep_snapshot(transaction, snapshot)
    return effects


def _located(error: RegistryError, home: HomeCommunityId) -> RegistryError:
    """As XCA reports it: the location is our community, what it concerns stands in the context.

    ITI TF-2: 3.38.4.1.3; IPF refuses an answer whose location is anything else, in ITI-39 too.
    """
    concerned = f" ({error.location})" if error.location else ""
    return replace(error, location=home.urn, context=error.context + concerned)


def _pack(given: Given, means: PartnerMeans) -> tuple[RetrievedDocument, Part]:
    """A document as the envelope names it, and as the part that carries its bytes."""
    cid = f"{uuid4()}@{means.community.home_community_id}"
    document = given.offered.document
    mime_type = document.mime_type or _NO_TYPE
    written = RetrievedDocument(
        unique_id=given.asked.unique_id,
        content=ContentId(cid),
        repository_unique_id=given.asked.repository_unique_id,
        home_community_id=given.asked.home_community_id,
        mime_type=mime_type,
        # ITI TF-2: 3.39.4.2.2: what was made on demand is known by these from now on.
        new_unique_id=UniqueId(given.offered.unique_id) if given.is_new else None,
        new_repository_unique_id=means.community.repository if given.is_new else None,
    )
    chunks = means.archive.chunks(document.plan, document.blob)
    return written, Part(cid, mime_type, chunks, document.blob.size_bytes)


_VERBS: Final[dict[str, Callable[[OpenedRequest, Asker, PartnerMeans], Replied]]] = {
    "ITI-55": discover,
    "ITI-56": tell_locations,
    "ITI-38": _query,
    "ITI-39": _retrieve,
}
