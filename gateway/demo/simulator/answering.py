"""From a request as it arrived to the answer that the partner's moods make of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ccda.safe_xml import Element
from gateway.demo.simulator.deferring import deferral_reply
from gateway.demo.simulator.holdings import Holdings
from gateway.demo.simulator.mood import Mood
from gateway.demo.simulator.replies import (
    Reply,
    Seal,
    discovery_reply,
    location_reply,
    query_reply,
    retrieve_reply,
)
from ihe.errors import IheError
from ihe.mtom import MultipartReader, RootPart, is_multipart
from ihe.patient_location import read_location_request
from ihe.soap import Transaction, http_status, parse_envelope, read_envelope, read_kind
from ihe.stored_query import AdhocQuery
from ihe.trust import SigningKey
from ihe.wire import read_unopened, seal_fault
from ihe.xca_query import AdhocQueryResponse, read_adhoc_query_request
from ihe.xca_retrieve import read_retrieve_request
from ihe.xcpd import read_discovery_request

_NO_MESSAGE: Final = "urn:uuid:00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Responder:
    """The simulated partner without its socket.

    It does not look at who asks: TLS has. That requests are signed rightly is for a real partner
    to say.
    """

    held: Holdings
    key: SigningKey
    moods: tuple[Mood, ...] = ()

    def answer(self, content_type: str, content: bytes) -> Reply:
        """What it answers to a request; a message it cannot read gets a fault."""
        envelope = b""
        try:
            envelope = _envelope(content_type, content)
            read = read_envelope(parse_envelope(envelope))
            kind = read_kind(read)
            return self._in_mood(kind.transaction, envelope, read.payload)
        except IheError as error:
            return self._fault(envelope, error)

    def _fault(self, envelope: bytes, error: IheError) -> Reply:
        asked = read_unopened(envelope)
        fault = seal_fault(
            error,
            relates_to=asked.message_id,
            message_id=_NO_MESSAGE,
            confirmations=asked.signature_values,
            signing_key=self.key,
            now=datetime.now(UTC),
        )
        return Reply(fault, status=http_status(error))

    def _in_mood(self, step: Transaction, envelope: bytes, body: Element) -> Reply:
        moods = [one for one in self.moods if step in one.at]
        changes: dict[str, Any] = {}
        for one in moods:
            changes.update(one.seal)
        now = datetime.now(UTC) + sum((one.clock for one in moods), timedelta())
        reply = self._reply(
            moods, step, body, Seal(read_unopened(envelope), self.key, now, changes)
        )
        for one in moods:
            if one.clock:
                reply = replace(reply, headers=(*reply.headers, ("Date", _http_date(now))))
            if one.reply is not None:
                reply = one.reply(reply)
        return reply

    def _reply(self, moods: Sequence[Mood], step: Transaction, body: Element, seal: Seal) -> Reply:
        if step == "ITI-55":
            person = read_discovery_request(body)
            discovery = self.held.discover(person)
            for change in (one.discovery for one in moods if one.discovery is not None):
                discovery = change(discovery)
            if person.deferred:
                changes = [one.deferral for one in moods if one.deferral is not None]
                return deferral_reply(discovery, person, self.held, seal, changes)
            return discovery_reply(discovery, person, self.held, seal)
        if step == "ITI-56":
            changes_of = [one.located for one in moods if one.located is not None]
            return location_reply(read_location_request(body), self.held, seal, changes_of)
        if step == "ITI-38":
            return query_reply(self._listing(moods, read_adhoc_query_request(body)), seal)
        wanted = read_retrieve_request(body)
        retrieved = self.held.retrieve(wanted)
        for change_of in (one.retrieval for one in moods if one.retrieval is not None):
            retrieved = change_of(wanted, retrieved, self.held)
        inline = any(one.inline for one in moods)
        return retrieve_reply(retrieved, self.held, seal, inline=inline)

    def _listing(self, moods: Sequence[Mood], asked: AdhocQuery) -> AdhocQueryResponse:
        listed = self.held.find(asked)
        for one in moods:
            if one.entry is not None:
                listed = replace(listed, entries=tuple(map(one.entry, listed.entries)))
            if one.listing is not None:
                listed = one.listing(asked, listed, self.held)
        return listed


def _envelope(content_type: str, content: bytes) -> bytes:
    if not is_multipart(content_type):
        return content
    return b"".join(_roots(content_type, content))


def _roots(content_type: str, content: bytes) -> Iterator[bytes]:
    for event in MultipartReader(content_type).feed(content):
        if isinstance(event, RootPart):
            yield event.content


def _http_date(now: datetime) -> str:
    return now.strftime("%a, %d %b %Y %H:%M:%S GMT")
