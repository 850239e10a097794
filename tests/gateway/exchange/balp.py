"""What IHE's Basic Audit Log Patterns (BALP 1.1.4) require of the profiles that our events name.

Their package is on none of the ways by which our other validators come, so their must-haves stand
here as a table: fixed values, cardinalities, slices by code. Base R4 is judged in `tests/interop`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]
URL: Final = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
REST: Final = "http://terminology.hl7.org/CodeSystem/audit-event-type"
INTERACTION: Final = "http://hl7.org/fhir/restful-interaction"
LIFECYCLE: Final = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
TYPES: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ROLES: Final = "http://terminology.hl7.org/CodeSystem/object-role"
SOURCE: Final = (DCM, "110153")
DESTINATION: Final = (DCM, "110152")
PERSON: Final = (TYPES, "1")
SYSTEM: Final = (TYPES, "2")
Code = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Slice:
    """Agents or entities whose type is one of these: how many, what each has, and has not."""

    types: tuple[Code, ...]
    least: int
    most: int
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    """Of an entity: the only codes that its role may be."""
    is_requestor: bool | None = None
    is_observer: bool = False
    """val-audit-source: who it is, is who observed."""
    of: str | None = None
    """The only type of resource that `what` may refer to."""


@dataclass(frozen=True, slots=True)
class Profile:
    type: Code
    subtype: Code
    action: str
    outcome: str | None
    agents: tuple[Slice, ...]
    entities: tuple[Slice, ...]
    least_entities: int


_PATIENT: Final = Slice((PERSON,), 1, 1, ("what",), roles=("1",), of="Patient")
_DATA: Final = Slice((SYSTEM,), 1, 1, ("what",), roles=("3", "4", "20"))
_USER: Final = (("who",), ("media", "network"))


def _sides(*, client: Code, server: Code, user: tuple[str, ...]) -> tuple[Slice, ...]:
    users = tuple((PARTICIPATION, code) for code in user)
    return (
        Slice((client,), 1, 1, ("who", "network"), ("media",)),
        Slice((server,), 1, 1, ("who", "network"), ("media",)),
        Slice(users, 0, 1, *_USER, is_requestor=True),
    )


_READERS: Final = _sides(client=DESTINATION, server=SOURCE, user=("IRCP",))
_GIVERS: Final = _sides(client=SOURCE, server=DESTINATION, user=("AUT", "INF", "CST"))
_READ: Final = ((REST, "rest"), (INTERACTION, "read"), "R", "0", _READERS)
_CREATE: Final = ((REST, "rest"), (INTERACTION, "create"), "C", "0", _GIVERS)
_DISCLOSE: Final = (LIFECYCLE, "disclose")


def _disclosed(observer: Code) -> tuple[Slice, ...]:
    return tuple(
        Slice((side,), 1, 1, ("who", "network"), is_observer=side == observer)
        for side in (SOURCE, DESTINATION)
    )


PROFILES: Final[Mapping[str, Profile]] = {
    "Read": Profile(*_READ, (_DATA,), 1),
    "PatientRead": Profile(*_READ, (_DATA, _PATIENT), 2),
    "Create": Profile(*_CREATE, (_DATA,), 1),
    "PatientCreate": Profile(*_CREATE, (_DATA, _PATIENT), 2),
    "PrivacyDisclosure.Source": Profile(
        (DCM, "110106"), _DISCLOSE, "R", None, _disclosed(SOURCE), (_PATIENT,), 2
    ),
    "PrivacyDisclosure.Recipient": Profile(
        (DCM, "110107"), _DISCLOSE, "C", None, _disclosed(DESTINATION), (_PATIENT,), 2
    ),
}


def claimed(event: Json) -> list[str]:
    """The names of the profiles that the event says it fulfils."""
    return [url.removeprefix(URL) for url in event.get("meta", {}).get("profile", [])]


def problems(event: Json) -> Iterator[str]:
    """What keeps the event from being what it claims to be."""
    for name in claimed(event):
        if name not in PROFILES:
            yield f"{name}: no such profile"
            continue
        for problem in _against(event, PROFILES[name]):
            yield f"{name}: {problem}"


def _against(event: Json, profile: Profile) -> Iterator[str]:
    if _code(event["type"]) != profile.type:
        yield "type"
    if profile.subtype not in [_code(one) for one in event.get("subtype", [])]:
        yield "subtype"
    if event.get("action") != profile.action:
        yield "action"
    if "recorded" not in event:
        yield "recorded"
    if event.get("outcome") is None or profile.outcome not in (None, event["outcome"]):
        yield "outcome"
    if "modifierExtension" in event:
        yield "modifierExtension"
    if len(event.get("agent", [])) < 2:
        yield "agent 2..*"
    if len(event.get("entity", [])) < profile.least_entities:
        yield f"entity {profile.least_entities}..*"
    observer = event.get("source", {}).get("observer")
    if observer is None:
        yield "source.observer"
    for kind, slices in (("agent", profile.agents), ("entity", profile.entities)):
        for one in slices:
            yield from _in_slice(one, kind, event.get(kind, []), observer)


def _in_slice(one: Slice, kind: str, elements: list[Json], observer: Json | None) -> Iterator[str]:
    found = [each for each in elements if set(_codes(each.get("type"))) & set(one.types)]
    where = f"{kind}[{one.types[0][1]}]"
    if not one.least <= len(found) <= one.most:
        yield f"{where} {one.least}..{one.most}, not {len(found)}"
    for each in found:
        yield from (f"{where}.{name} 1..1" for name in one.required if not each.get(name))
        yield from (f"{where}.{name} 0..0" for name in one.forbidden if name in each)
        if one.roles and _code(each.get("role", {})) not in [(ROLES, role) for role in one.roles]:
            yield f"{where}.role"
        if one.is_requestor is not None and each.get("requestor") is not one.is_requestor:
            yield f"{where}.requestor"
        if one.is_observer and each.get("who") != observer:
            yield f"{where} val-audit-source"
        if one.of is not None and each.get("what", {}).get("type") != one.of:
            yield f"{where}.what only {one.of}"


def _codes(value: Json | None) -> list[Code]:
    """An agent's type is a CodeableConcept, an entity's a Coding."""
    if value is None:
        return []
    return [_code(one) for one in value.get("coding", [value])]


def _code(coding: Json) -> Code:
    return coding.get("system", ""), coding.get("code", "")
