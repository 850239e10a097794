"""What a clinical document says, as frozen values (CDA R2, C-CDA R1.1 to R4).

One `Entry` is one clinical statement, whatever its kind: the kinds share code, times, status,
value, negation and provenance, and that is what is merged, indexed and searched. What a kind
adds stands in `details` under the standard's names. Absent is None; nothing is filled in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from ccda.hl7v3 import AD, CD, II, IVL, PN, TEL, TS
from ccda.values import quickly_made

Kind = Literal[
    "problem", "allergy", "medication", "immunization", "result", "vital_sign", "procedure",
    "encounter", "social_history", "family_history", "functional_status", "mental_status",
    "device", "coverage", "advance_directive", "goal", "plan", "concern", "care_team", "note",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Severity = Literal["information", "warning", "error"]


@quickly_made
@dataclass(frozen=True, slots=True)
class Issue:
    """Something odd in a document, in one sentence that quotes no content."""

    severity: Severity
    text: str
    section: str | None = None
    line: int | None = None


@quickly_made
@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a document or a statement; a device has no name."""

    name: str | None = None
    organization: str | None = None
    device: str | None = None
    time: TS | None = None
    ids: tuple[II, ...] = ()


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization, and the larger one it is a part of."""

    ids: tuple[II, ...] = ()
    names: tuple[str, ...] = ()
    addresses: tuple[AD, ...] = ()
    telecoms: tuple[TEL, ...] = ()
    industry: CD | None = None
    part_of: "Organization | None" = None


@dataclass(frozen=True, slots=True)
class Device:
    """assignedAuthoringDevice."""

    model: str | None = None
    software: str | None = None
    code: CD | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    """Who took part, in which role, and for whom (CDA R2: 4.2.2).

    `kind` is the name of the element: author, dataEnterer, informant, custodian, performer …;
    `type_code` is what that element's schema fixes where it is not written.
    """

    kind: str
    type_code: str | None = None
    role_class: str | None = None
    function: CD | None = None
    time: IVL | None = None
    signature: str | None = None
    ids: tuple[II, ...] = ()
    code: CD | None = None
    """The role: a specialty, or how someone is related to the patient."""
    names: tuple[PN, ...] = ()
    addresses: tuple[AD, ...] = ()
    telecoms: tuple[TEL, ...] = ()
    organization: Organization | None = None
    device: Device | None = None


@dataclass(frozen=True, slots=True)
class Language:
    """languageCommunication; `preferred` is None where it is not said."""

    code: str | None
    mode: CD | None = None
    proficiency: CD | None = None
    preferred: bool | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A place where someone was born or is treated."""

    name: str | None = None
    address: AD | None = None
    ids: tuple[II, ...] = ()
    code: CD | None = None
    organization: Organization | None = None


@quickly_made
@dataclass(frozen=True, slots=True)
class Patient:
    """recordTarget: the person the document is about, as it names them.

    `race`, `ethnicity` and `language` are the ones that say most of `races`, `ethnicities` and
    `languages`, which hold all. `deceased` is None where nothing is said.
    """

    ids: tuple[II, ...] = ()
    names: tuple[PN, ...] = ()
    birth_time: TS | None = None
    gender: str | None = None
    addresses: tuple[AD, ...] = ()
    telecoms: tuple[TEL, ...] = ()
    race: CD | None = None
    ethnicity: CD | None = None
    language: str | None = None
    gender_code: CD | None = None
    races: tuple[CD, ...] = ()
    ethnicities: tuple[CD, ...] = ()
    languages: tuple[Language, ...] = ()
    deceased: bool | None = None
    deceased_time: TS | None = None
    multiple_birth: bool | None = None
    birth_order: str | None = None
    marital_status: CD | None = None
    religion: CD | None = None
    birthplace: Place | None = None
    guardians: tuple[Participant, ...] = ()
    provider: Organization | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """A value between two bounds, either of which may be open."""

    low: str | None
    high: str | None


@quickly_made
@dataclass(frozen=True, slots=True)
class Entry:
    """One clinical statement. Its fields are those of ARCHITECTURE's `gateway parse` entry."""

    kind: Kind
    path: str
    """An XPath of positions that selects exactly this element in the stored bytes."""
    line: int | None = None
    code: CD | None = None
    """The condition, allergen, drug, test …; its translations stand inside it."""
    start: TS | None = None
    end: TS | None = None
    time: TS | None = None
    status: str | None = None
    value: str | CD | Interval | None = None
    unit: str | None = None
    text: str | None = None
    negated: bool = False
    no_information: bool = False
    mood: str | None = None
    ids: tuple[II, ...] = ()
    authors: tuple[Author, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    """JSON values only: text, numbers, lists, objects; a code is {"code", "system", "display"}."""
    parent: int | None = None
    """The position, in the same section, of the statement this one is a part of."""


@dataclass(frozen=True, slots=True)
class RawEntry:
    """A statement that is of no kind we index: as it was written, and read as far as it can be."""

    path: str
    """An XPath of positions that selects exactly this element in the stored bytes."""
    xml: str
    """The element itself, with the namespaces it needs."""
    line: int | None = None
    statement: str | None = None
    """Its name: act, observation, organizer …"""
    templates: tuple[str, ...] = ()
    code: CD | None = None
    text: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    """Its code, value, times, ids, authors and the statements inside it, as JSON values."""


@quickly_made
@dataclass(frozen=True, slots=True)
class Section:
    """One section, nested ones included in document order; `text` is its narrative, plain."""

    code: CD | None
    title: str | None
    templates: tuple[str, ...]
    text: str | None
    entries: tuple[Entry, ...] = ()
    null_flavor: str | None = None
    line: int | None = None
    path: str = ""
    raw_entries: tuple[RawEntry, ...] = ()
    authors: tuple[Author, ...] = ()
    """Who wrote this section, where it names authors of its own."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Its own `ids`, `informant`, `subject` and `language`, where it has any."""


@dataclass(frozen=True, slots=True)
class NonXmlBody:
    """The body of an unstructured document, decoded; `media_type` as declared."""

    media_type: str | None
    data: bytes
    reference: str | None = None
    """Where the content is instead, when it stands outside the document."""


@dataclass(frozen=True, slots=True)
class RelatedDocument:
    """parentDocument: `type_code` is RPLC, APND or XFRM."""

    type_code: str | None
    id: II | None
    set_id: II | None = None
    version: str | None = None
    code: CD | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Encounter:
    """componentOf/encompassingEncounter; `location` is the name of `place`.

    `is_moment`: `start` is when it was, and not the beginning of what may go on.
    """

    ids: tuple[II, ...] = ()
    code: CD | None = None
    start: TS | None = None
    end: TS | None = None
    location: str | None = None
    disposition: CD | None = None
    place: Place | None = None
    participants: tuple[Participant, ...] = ()
    """The responsible party, then the encounter's own participants."""
    is_moment: bool = False


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """documentationOf/serviceEvent: what was done, by whom; its performers are the care team."""

    class_code: str | None = None
    ids: tuple[II, ...] = ()
    code: CD | None = None
    time: IVL | None = None
    performers: tuple[Participant, ...] = ()


@dataclass(frozen=True, slots=True)
class Participations:
    """Everyone in a header in the order of the schema, patient and encounter aside."""

    participants: tuple[Participant, ...] = ()
    service_events: tuple[ServiceEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """inFulfillmentOf/order."""

    ids: tuple[II, ...] = ()
    code: CD | None = None
    priority: CD | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """authorization/consent."""

    ids: tuple[II, ...] = ()
    code: CD | None = None
    status: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True)
class ClinicalDocument:
    """A whole document: header, sections in document order, and every oddity met on the way."""

    id: II | None
    code: CD | None
    title: str | None
    effective_time: TS | None
    patient: Patient
    set_id: II | None = None
    version: str | None = None
    related: tuple[RelatedDocument, ...] = ()
    templates: tuple[str, ...] = ()
    confidentiality: str | None = None
    language: str | None = None
    authors: tuple[Author, ...] = ()
    custodian: str | None = None
    encounter: Encounter | None = None
    sections: tuple[Section, ...] = ()
    body: NonXmlBody | None = None
    issues: tuple[Issue, ...] = ()
    recovered: bool = False
    """The bytes were not well-formed; this is what a second, forgiving pass could read."""
    other_patients: tuple[Patient, ...] = ()
    """Whoever else it claims to be about; such a document is nobody's record, and says so."""
    head: bytes = field(default=b"", repr=False, compare=False)
    """The bytes before the body, from which `read_participations` tells who took part."""
    orders: tuple[Order, ...] = ()
    consents: tuple[Consent, ...] = ()
    status: str | None = None
    """sdtc:statusCode."""
    copy_time: TS | None = None
    realms: tuple[str, ...] = ()
    categories: tuple[CD, ...] = ()
    """sdtc:category."""
