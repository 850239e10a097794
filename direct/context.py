"""What a message says of itself for machines: the metadata part (Implementation Guide for
Expressing Context in Direct Messaging 1.0 and 1.1).

The part holds fields like a header's. It is a claim of the sender, no better than the rest of the
message: a patient named here is a hint for matching and never a match.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from direct.header import Field, Header, read_header
from direct.mail_errors import MailOverLimit
from direct.message import DirectMessage, message_id_of
from direct.message_writing import OutgoingPart, bracketed
from direct.message_writing import field as header_field
from direct.mime import Part

HEADER: Final = "X-Direct-Context"
FILE_NAME: Final = "metadata.txt"
_MOST_BYTES: Final = 64 * 1024
_KNOWN: Final = frozenset(
    {"version", "id", "patient-id", "type", "purpose", "patient", "encapsulation"}
)


@dataclass(frozen=True, slots=True)
class ContextPatientId:
    """A patient's id and the OID of who gave it, as written, without `urn:oid:`."""

    authority: str
    id: str


@dataclass(frozen=True, slots=True)
class Context:
    """The metadata as written; absent is None. `content_id` names the part that holds it.

    `patient` has the guide's names (givenName, surname, dateOfBirth, gender, postalCode …).
    `encapsulation` is `hl7v2` or `http` when another part is a message of that kind. `further`
    are fields that version 1.0 does not know, those of 1.1 for ADT among them.
    """

    version: str | None = None
    id: str | None = None
    content_id: str | None = None
    patient_ids: tuple[ContextPatientId, ...] = ()
    category: str | None = None
    action: str | None = None
    purpose: str | None = None
    patient: Mapping[str, str] = field(default_factory=dict)
    encapsulation: str | None = None
    further: tuple[Field, ...] = ()


def find_context_part(message: DirectMessage) -> Part | None:
    """The part that the message's X-Direct-Context names, else one called metadata.txt."""
    named = message_id_of(message.header.text(HEADER))
    parts = [part for part in message.parts if part.body < part.end]
    if named is not None:
        found = next((part for part in parts if part.content_id == named), None)
        if found is not None:
            return found
    by_name = (part for part in parts if (part.filename or "").lower() == FILE_NAME)
    return next(by_name, None)


def read_context(message: DirectMessage) -> Context | None:
    """The message's metadata; None when it carries none that can be read."""
    part = find_context_part(message)
    if part is None:
        return None
    try:
        fields = read_header(part.content()[:_MOST_BYTES])
    except MailOverLimit:
        return None
    if fields.first("version") is None and fields.first("id") is None:
        return None
    category, slash, action = (fields.text("type") or "").partition("/")
    return Context(
        version=fields.text("version"),
        id=message_id_of(fields.text("id")),
        content_id=part.content_id,
        patient_ids=_patient_ids(fields),
        category=category.strip().lower() or None,
        action=action.strip().lower() or None if slash else None,
        purpose=(fields.text("purpose") or "").lower() or None,
        patient=_parameters(fields.text("patient") or ""),
        encapsulation=(fields.text("encapsulation") or "").lower() or None,
        further=tuple(each for each in fields.fields if each.name.lower() not in _KNOWN),
    )


def _patient_ids(fields: Header) -> tuple[ContextPatientId, ...]:
    found = []
    for each in (fields.text("patient-id") or "").split(";"):
        bare = each.strip()
        bare = bare[8:] if bare[:8].lower() == "urn:oid:" else bare
        authority, colon, local = bare.partition(":")
        if colon and authority.strip() and local.strip():
            found.append(ContextPatientId(authority.strip(), local.strip()))
    return tuple(found)


def _parameters(text: str) -> dict[str, str]:
    pairs = (each.partition("=") for each in text.split(";"))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals and name.strip()}


def write_context(context: Context) -> tuple[OutgoingPart, tuple[str, str]]:
    """The part, and the header field that names it. Written is what version 1.0 knows.

    Raises:
        ValueError: there is no version, id or content id, or something that no field may hold.
    """
    if not (context.version and context.id and context.content_id):
        raise ValueError("a context has a version, an id and a content id")
    ids = "; ".join(f"{each.authority}:{each.id}" for each in context.patient_ids)
    values = {
        "version": context.version,
        "id": bracketed(context.id),
        "patient-id": ids,
        "type": f"{context.category}/{context.action}" if context.category else "",
        "purpose": context.purpose or "",
        "patient": "; ".join(f"{name}={value}" for name, value in context.patient.items()),
        "encapsulation": context.encapsulation or "",
    }
    for value in (*context.patient.values(), *(each.id for each in context.patient_ids)):
        if ";" in value:
            raise ValueError("a semicolon in a value would begin another")
    content = b"".join(
        header_field(name, value, words=True) for name, value in values.items() if value
    )
    part = OutgoingPart(content, "text/plain", FILE_NAME, content_id=context.content_id)
    return part, (HEADER, bracketed(context.content_id))
