"""US Core 6.1: which profiles a resource meets, and what it lacks of one.

`meta.profile` is claimed only where `lacks` finds nothing missing. That an element which must be
supported is absent is no fault: what the source does not say cannot stand there.
"""

from collections.abc import Mapping
from typing import Final

from ccda.fhir.paths import Look, look_for
from ccda.fhir.profiles import PROFILES, marks
from ccda.fhir.times import Json

BASE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/"
_REQUIRED: Final[Mapping[str, tuple[tuple[str, Look], ...]]] = {
    name: tuple((path, look_for(path)) for path in profile.required)
    for name, profile in PROFILES.items()
}
_ORDER: Final = {name: at for at, name in enumerate(PROFILES)}
_BY_MARK: Final[Mapping[str, Mapping[str, list[str]]]] = {
    kind: {
        mark: [name for name, p in PROFILES.items() if p.type == kind and mark in p.of]
        for mark in {mark for p in PROFILES.values() if p.type == kind for mark in p.of}
    }
    for kind in {profile.type for profile in PROFILES.values()}
}
_EVERY: Final = {""}


def lacks(resource: Json, name: str) -> tuple[str, ...]:
    """The required elements and the invariants of a profile that a resource does not meet."""
    profile = PROFILES[name]
    missing = [path for path, is_there in _REQUIRED[name] if not is_there(resource)]
    return (*missing, *(rule for rule, holds in profile.rules if not holds(resource)))


def unsaid(resource: Json, name: str) -> tuple[str, ...]:
    """The elements a profile supports of which the resource says nothing."""
    supported = PROFILES[name].supported
    return tuple(path for path in supported if not look_for(path)(resource))


def profiles_of(resource: Json) -> tuple[str, ...]:
    """The profiles a resource of its type and code is meant to meet."""
    by_mark = _BY_MARK.get(resource["resourceType"], {})
    if by_mark.keys() == _EVERY:
        return tuple(by_mark[""])
    found = {name for mark in marks(resource) for name in by_mark.get(mark, ())}
    return tuple(sorted(found, key=_ORDER.__getitem__))


def claim(resource: Json) -> Json:
    """The resource, with the profiles it meets."""
    met = [BASE + name for name in profiles_of(resource) if not lacks(resource, name)]
    if not met:
        return resource
    kind, identity = resource["resourceType"], resource["id"]
    return {"resourceType": kind, "id": identity, "meta": {"profile": met}, **resource}
