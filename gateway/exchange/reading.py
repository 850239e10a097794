"""What a document's bytes say, C-CDA or ADT notice; runs in a worker process (DECISIONS 25).

Whatever the declared type, the bytes decide (ihe-wire 2.9: partners label XML as text/plain and
PDF as XML).
"""

from dataclasses import dataclass, field
from typing import Final

import orjson

from ccda.document import parse_document
from ccda.errors import CcdaError
from ccda.hl7v3 import II
from ccda.model import ClinicalDocument, Participations
from ccda.participations import read_participations
from gateway.exchange.adt import MEDIA_TYPE, is_hl7v2, read_adt
from gateway.exchange.adt_document import document_of, policy_ids
from gateway.exchange.sensitivity import is_part_2

_SIGNATURES: Final = (
    (b"%PDF-", "application/pdf"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"{\\rtf", "text/rtf"),
    (b"PK\x03\x04", "application/zip"),
)
_XML_STARTS: Final = (b"<", b"\xef\xbb\xbf<", b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00")


@dataclass(frozen=True, slots=True)
class Reading:
    """A clinical document, or the reason in words why the bytes are none that we can read."""

    mime_type: str
    clinical: ClinicalDocument | None = None
    took_part: Participations = field(default_factory=Participations)
    reason: str | None = None
    is_final: bool = True
    """False when the reader failed, not the bytes: read again, they may say more."""
    is_part_2: bool = False
    """Whether 42 CFR part 2 covers it."""
    policy_ids: tuple[II, ...] = ()
    """Its patient's numbers with payers, where no Payers section has them; without a root where
    nothing says who gave the number."""


def read_document(content: bytes) -> Reading:
    """What `content` says; never raises for what it holds."""
    if is_hl7v2(content):
        return _read_notice(content)
    mime_type = sniff(content)
    if mime_type != "text/xml":
        return Reading(mime_type, reason=f"it is {mime_type}, not a clinical document in XML")
    try:
        clinical = parse_document(content)
    except CcdaError as error:
        return Reading(mime_type, reason=str(error))
    part_2 = is_part_2(clinical, content)
    return Reading(mime_type, clinical, _took_part(clinical), is_part_2=part_2)


@dataclass(frozen=True, slots=True)
class Weight:
    """How much a document says: on that depends what it takes to index and to merge it.

    `rows` are its statements, its sections and what it replaces. `characters` are those of all that
    it says, each thing as often as it is said: a name that a thousand statements refer to is
    written a thousand times.
    """

    rows: int = 0
    characters: int = 0

    def exceeds(self, most: "Weight") -> bool:
        return self.rows > most.rows or self.characters > most.characters

    def without(self, other: "Weight") -> "Weight":
        return Weight(self.rows - other.rows, self.characters - other.characters)


def read_up_to(content: bytes, most: Weight) -> tuple[Reading, Weight]:
    """As `read_document`, and what it weighs; of one that exceeds `most` nothing but its type."""
    reading = read_document(content)
    clinical = reading.clinical
    if clinical is None:
        return reading, Weight()
    rows = len(clinical.related) + sum(1 + len(section.entries) for section in clinical.sections)
    weight = Weight(rows, len(orjson.dumps(clinical, default=str)))
    return (Reading(reading.mime_type) if weight.exceeds(most) else reading), weight


def _read_notice(content: bytes) -> Reading:
    notice = read_adt(content)
    if notice is None:
        return Reading(MEDIA_TYPE, reason="it is an HL7 v2 message, and no ADT notice we can read")
    if not notice.is_alone:  # filed as the first one's it would show the others' data
        return Reading(MEDIA_TYPE, reason="it holds several notices; each must come by itself")
    return Reading(MEDIA_TYPE, document_of(notice), policy_ids=policy_ids(notice))


def _took_part(clinical: ClinicalDocument) -> Participations:
    """A header that cannot be read a second time keeps no document from being filed."""
    try:
        return read_participations(clinical)
    except CcdaError:
        return Participations()


def sniff(content: bytes) -> str:
    """The media type that the first bytes show."""
    head = content[:64].lstrip()
    if head.startswith(_XML_STARTS):
        return "text/xml"
    for signature, mime_type in _SIGNATURES:
        if head.startswith(signature):
            return mime_type
    return "application/octet-stream" if b"\x00" in content[:1024] or not head else "text/plain"
