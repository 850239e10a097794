"""The ATNA events of records in a house, as the bytes that a repository would get, and read."""

import base64
from dataclasses import dataclass
from typing import Final

from lxml import etree

from ccda.safe_xml import Element, parse_xml
from gateway.app.house import House
from gateway.exchange.atna import Reporter, audit_events
from gateway.model.exchange import Exchange
from gateway.store import wire_messages
from gateway.store.scope import ALL_PLANS
from gateway.store.wire_messages import open_message
from ihe.atna import write_audit_event
from ihe.identifiers import HomeCommunityId

HOST: Final = "gateway.example"
PROCESS: Final = "4711"


def kept(house: House, hash: str | None, answer: str | None = None) -> bytes | None:
    """The envelope that a record names, of a request with the hash of the `answer` beside it."""
    if hash is None:
        return None
    message = house.database.read(
        lambda tx: wire_messages.get(tx, plan=ALL_PLANS, hash=hash, answer=answer)
    )
    assert message is not None, "the record names an envelope that nobody kept"
    return open_message(house.archive.blobs.keys, message)


def told(
    house: House, record: Exchange, partner_home: HomeCommunityId | None = None
) -> list["Told"]:
    """What ATNA is told of the record."""
    doors = {"ITI-55": "https://gateway.example/ihe/xcpd"}
    events = audit_events(
        record,
        Reporter(house.community, HOST, PROCESS, doors),
        request=kept(house, record.request_hash, record.answer_hash),
        answer=kept(house, record.answer_hash),
        partner_home=partner_home,
    )
    return [Told(parse_xml(write_audit_event(event))) for event in events]


@dataclass(frozen=True, slots=True)
class Told:
    """One AuditMessage."""

    message: Element

    @property
    def event(self) -> tuple[str | None, str | None, str | None, str | None]:
        """EventID, action, EventTypeCode, outcome."""
        found = self.message.find("EventIdentification")
        assert found is not None
        return (
            _code(found.find("EventID")),
            found.get("EventActionCode"),
            _code(found.find("EventTypeCode")),
            found.get("EventOutcomeIndicator"),
        )

    @property
    def purposes(self) -> list[str | None]:
        return [_code(each) for each in self.message.iterfind("EventIdentification/PurposeOfUse")]

    def participant(self, role: str) -> dict[str, str]:
        """The one with that RoleIDCode: 110153 the source, 110152 the destination."""
        (found,) = (
            each
            for each in self.message.iterfind("ActiveParticipant")
            if _code(each.find("RoleIDCode")) == role
        )
        return {str(key): str(value) for key, value in found.attrib.items()}

    @property
    def people(self) -> list[dict[str, str]]:
        """Who took part without an address of their own."""
        return [
            {str(key): str(value) for key, value in each.attrib.items()}
            for each in self.message.iterfind("ActiveParticipant")
            if each.get("NetworkAccessPointID") is None
        ]

    @property
    def patients(self) -> list[str | None]:
        return [each.get("ParticipantObjectID") for each in self._objects("1", "1")]

    @property
    def documents(self) -> list[str | None]:
        return [each.get("ParticipantObjectID") for each in self._objects("2", "3")]

    @property
    def asked(self) -> tuple[str | None, str | None, Element]:
        """The query object: its id type, id and query."""
        (found,) = self._objects("2", "24")
        query = parse_xml(base64.b64decode(found.findtext("ParticipantObjectQuery") or ""))
        kind = _code(found.find("ParticipantObjectIDTypeCode"))
        return kind, found.get("ParticipantObjectID"), query

    def details(self) -> dict[str | None, str]:
        """The details of all objects but patients; the last one's where they repeat."""
        return {
            each.get("type"): base64.b64decode(each.get("value") or "").decode()
            for each in self.message.iterfind(
                "ParticipantObjectIdentification/ParticipantObjectDetail"
            )
        }

    @property
    def roles(self) -> list[str | None]:
        """Of the people, each by its code."""
        people = self.message.iterfind("ActiveParticipant[@UserIsRequestor='true']/RoleIDCode")
        return [code for each in people if (code := _code(each)) not in ("110153", "110152")]

    def _objects(self, type_code: str, role: str) -> list[Element]:
        return [
            each
            for each in self.message.iterfind("ParticipantObjectIdentification")
            if each.get("ParticipantObjectTypeCode") == type_code
            and each.get("ParticipantObjectTypeCodeRole") == role
        ]


def _code(element: Element | None) -> str | None:
    return None if element is None else element.get("csd-code")


def local(element: Element) -> str:
    return etree.QName(element).localname
