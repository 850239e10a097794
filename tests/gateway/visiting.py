"""A partner at our doors: it asks, reads the verified answer, and the record is looked up."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccda.safe_xml import Element
from gateway.app.house import House
from gateway.model.document import Document
from gateway.model.exchange import Exchange
from gateway.model.member import Member
from gateway.model.partner import Partner
from gateway.model.policy import Rule
from ihe.document_content import ContentId
from ihe.mtom import MultipartReader, PartData, PartStart, RootPart
from ihe.soap import ITI_38_REQUEST, ITI_39_REQUEST, ITI_55_REQUEST
from ihe.wire import SealedRequest
from ihe.xca_query import AdhocQueryResponse, read_adhoc_query_response
from ihe.xca_retrieve import (
    DocumentRequest,
    RetrieveDocumentSetResponse,
    read_retrieve_response,
)
from ihe.xcpd import Demographics, Discovery, read_discovery_response
from tests.gateway.asking import answer_to, ask, discovery, find_documents, retrieve
from tests.gateway.house import MEMBER, Door, a_partner, documents, open_house, records, serving


@dataclass(frozen=True, slots=True)
class Retrieved:
    """ITI-39's answer, and the bytes that came with it by unique id and media type."""

    response: RetrieveDocumentSetResponse
    contents: dict[str, bytes]
    media_types: dict[str, str | None]


@dataclass(slots=True)
class Visitor:
    """A partner; `asserted` is what its assertions state otherwise than usual."""

    house: House
    door: Door
    partner: Partner
    record: Exchange | None = None

    def discover(self, who: Demographics | Member = MEMBER, **asserted: Any) -> Discovery:
        return read_discovery_response(self.say(discovery(who), **asserted)).discovery

    def say(self, body: Element, **asserted: Any) -> Element:
        """The body of ITI-55's answer."""
        sealed = ask(body, ITI_55_REQUEST, partner=self.partner, **asserted)
        reply = self.door.post("/ihe/xcpd", sealed.envelope, by=self.partner.name)
        assert reply.status == 200, reply.body
        self._look_up(sealed)
        return answer_to(sealed, reply.body)

    def find(self, body: Element | None = None, **asserted: Any) -> AdhocQueryResponse:
        body = find_documents() if body is None else body
        return read_adhoc_query_response(self.answer(body, **asserted))

    def answer(self, body: Element, **asserted: Any) -> Element:
        """The body of ITI-38's answer."""
        sealed = ask(body, ITI_38_REQUEST, partner=self.partner, **asserted)
        reply = self.door.post("/ihe/xca", sealed.envelope, by=self.partner.name)
        assert reply.status == 200, reply.body
        self._look_up(sealed)
        return answer_to(sealed, reply.body)

    def get(self, *wanted: Document | DocumentRequest, **asserted: Any) -> Retrieved:
        return self.get_by(retrieve(*wanted), **asserted)

    def get_by(self, body: Element, **asserted: Any) -> Retrieved:
        sealed = ask(body, ITI_39_REQUEST, partner=self.partner, **asserted)
        reply = self.door.post("/ihe/xca", sealed.envelope, by=self.partner.name)
        assert reply.status == 200, reply.body
        self._look_up(sealed)
        assert reply.headers["content-length"] == str(len(reply.body))
        reader = MultipartReader(reply.content_type)
        parts: dict[str | None, bytes] = {}
        types: dict[str | None, str | None] = {}
        envelope, cid = b"", None
        for event in reader.feed(reply.body):
            match event:
                case RootPart(content=content):
                    envelope = content
                case PartStart(cid=cid, content_type=content_type):
                    parts[cid], types[cid] = b"", content_type
                case PartData(content=content):
                    parts[cid] += content
        reader.close()
        response = read_retrieve_response(answer_to(sealed, envelope))
        contents, media_types = {}, {}
        for document in response.documents:
            assert isinstance(document.content, ContentId)
            contents[str(document.unique_id)] = parts.pop(document.content.value)
            media_types[str(document.unique_id)] = types[document.content.value]
        assert not parts, "an attachment that the envelope does not name"
        return Retrieved(response, contents, media_types)

    def held(self, type_code: str) -> Document:
        """The current document of that type."""
        found = (one for one in documents(self.house) if one.type_code == type_code)
        return next(one for one in found if one.superseded_by is None)

    def recorded(self) -> Exchange:
        """The record of the last exchange."""
        assert self.record is not None
        return self.record

    def _look_up(self, sealed: SealedRequest) -> None:
        """The exchange's record, the last one where it concerns several members."""
        found = (one for one in records(self.house) if one.message_id == sealed.message_id)
        *_, self.record = found


@contextmanager
def visiting(
    folder: Path,
    *,
    rules: Sequence[Rule] = (),
    partner: Partner | None = None,
    known: Sequence[Partner] = (),
    **changes: Any,
) -> Iterator[Visitor]:
    """A partner (Northfield by default) at the doors of a furnished house with these rules."""
    partner = partner or a_partner()
    with (
        open_house(folder, rules=rules, known=(partner, *known), **changes) as house,
        serving(house) as door,
    ):
        yield Visitor(house, door, partner)
