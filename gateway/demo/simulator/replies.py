"""A simulated partner's answer on its way out: as it should be sealed and sent, or otherwise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import uuid4

from ccda.hl7v3 import II
from ccda.safe_xml import Element
from gateway.demo.simulator.holdings import Given, Holdings, Retrieved
from gateway.exchange.moments import written
from ihe.discovery import Discovery, PatientDiscoveryRequest
from ihe.document_content import ContentId
from ihe.errors import NotPermitted
from ihe.identifiers import PatientId
from ihe.mtom_writing import MultipartWriter, Part
from ihe.patient_location import write_location_response
from ihe.soap import (
    ITI_38_ANSWER,
    ITI_39_ANSWER,
    ITI_55_ANSWER,
    ITI_56_ANSWER,
    MessageKind,
    WrittenPayload,
)
from ihe.trust import SigningKey
from ihe.wire import Unopened, seal_answer
from ihe.xca_query import AdhocQueryResponse, write_adhoc_query_response
from ihe.xca_retrieve import (
    RetrievedDocument,
    RetrieveDocumentSetResponse,
    write_retrieve_response,
)
from ihe.xcpd import write_discovery_response

SOAP: Final = "application/soap+xml; charset=UTF-8"
Manner = Literal["whole", "slow", "hang", "drip", "endless", "reset", "early close"]
"""How an answer's bytes leave."""
SLOW_SECONDS: Final = 90.0
"""More than most wait for an answer."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A message of its own that is posted to `address` some time after the answer."""

    after_seconds: float
    address: str
    envelope: bytes
    action: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, and what is brought after it."""

    content: bytes
    content_type: str = SOAP
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    manner: Manner = "whole"
    then: tuple[Brought, ...] = ()


@dataclass(frozen=True, slots=True)
class Seal:
    """With what an answer is sealed; `changes` are what a liar says otherwise."""

    asked: Unopened
    key: SigningKey
    now: datetime
    changes: Mapping[str, Any]

    def __call__(self, body: Element | WrittenPayload, kind: MessageKind) -> bytes:
        given: dict[str, Any] = {
            "relates_to": self.asked.message_id or "",
            "message_id": f"urn:uuid:{uuid4()}",
            "confirmations": self.asked.signature_values or (),
            "signing_key": self.key,
            "now": self.now,
        }
        return seal_answer(body, kind=kind, **{**given, **self.changes})


def discovery_reply(
    discovery: Discovery, asked: PatientDiscoveryRequest, held: Holdings, seal: Seal
) -> Reply:
    """ITI-55."""
    body = write_discovery_response(
        discovery,
        request=asked,
        message_id=II(f"{held.home}.9", str(uuid4())),
        creation_time=written(seal.now),
        sender=held.home,
    )
    return Reply(seal(body, ITI_55_ANSWER))


def location_reply(
    asked: PatientId,
    held: Holdings,
    seal: Seal,
    changes: Sequence[Callable[[PatientId], PatientId]] = (),
) -> Reply:
    """ITI-56.

    Raises:
        NotPermitted: it knows nobody by that id.
    """
    told = held.locate(asked)
    if not told:
        raise NotPermitted("unknown patient id", told="No location is known for this patient id.")
    for change in changes:
        asked = change(asked)
    return Reply(seal(write_location_response(told, asked=asked), ITI_56_ANSWER))


def query_reply(response: AdhocQueryResponse, seal: Seal) -> Reply:
    """ITI-38."""
    return Reply(seal(write_adhoc_query_response(response), ITI_38_ANSWER))


def retrieve_reply(retrieved: Retrieved, held: Holdings, seal: Seal, *, inline: bool) -> Reply:
    """ITI-39 as MTOM, or with its documents in base64 in the envelope."""
    repository = next(entry.repository_unique_id for entry in held.entries)

    def written(one: Given) -> RetrievedDocument:
        content = one.content if inline else ContentId(one.cid)
        return RetrievedDocument(one.unique_id, content, repository, one.home, "text/xml")

    documents = tuple(map(written, retrieved.documents))
    body = write_retrieve_response(RetrieveDocumentSetResponse(retrieved.outcome, documents))
    envelope = seal(body, ITI_39_ANSWER)
    if inline:
        return Reply(envelope)
    writer = MultipartWriter(envelope, boundary=uuid4().hex, action=ITI_39_ANSWER.action)
    parts = [Part(one.cid, "text/xml", [one.content]) for one in retrieved.documents]
    return Reply(b"".join(writer.chunks(parts)), writer.content_type)
