"""US Core 6.1: which profiles a resource meets, and what it lacks of one.

`meta.profile` is claimed only where `lacks` finds nothing missing. That an element which must be
supported is absent is no fault: what the source does not say cannot stand there.
"""

from collections.abc import Mapping
from typing import Final

from ccda.fhir.paths import has
from ccda.fhir.profiles import PROFILES, Profile
from ccda.fhir.times import Json

BASE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/"
_PATHS: Final[Mapping[str, tuple[tuple[str, list[str]], ...]]] = {
    name: tuple((path, path.split(".")) for path in profile.required)
    for name, profile in PROFILES.items()
}
_BY_TYPE: Final[Mapping[str, tuple[tuple[str, Profile], ...]]] = {
    kind: tuple((name, profile) for name, profile in PROFILES.items() if profile.type == kind)
    for kind in {profile.type for profile in PROFILES.values()}
}


def lacks(resource: Json, name: str) -> tuple[str, ...]:
    """The required elements and the invariants of a profile that a resource does not meet."""
    profile = PROFILES[name]
    missing = [path for path, names in _PATHS[name] if not has(resource, names)]
    return (*missing, *(rule for rule, holds in profile.rules if not holds(resource)))


def unsaid(resource: Json, name: str) -> tuple[str, ...]:
    """The elements a profile supports of which the resource says nothing."""
    supported = PROFILES[name].supported
    return tuple(path for path in supported if not has(resource, path.split(".")))


def profiles_of(resource: Json) -> tuple[str, ...]:
    """The profiles a resource of its type and code is meant to meet."""
    named = _BY_TYPE.get(resource["resourceType"], ())
    return tuple(name for name, profile in named if profile.of(resource))


def claim(resource: Json) -> Json:
    """The resource, with the profiles it meets."""
    met = [BASE + name for name in profiles_of(resource) if not lacks(resource, name)]
    if not met:
        return resource
    kind, identity = resource["resourceType"], resource["id"]
    return {"resourceType": kind, "id": identity, "meta": {"profile": met}, **resource}
