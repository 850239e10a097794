"""Directories of networks: FHIR Organizations and Endpoints, as Carequality and TEFCA publish them.

An organization that has an OID is a community. One without endpoints of its own is reached by
those of the nearest organization above it (`partOf`), and is not asked beside that one: its
records come with the other's.

FHIR R4 (and STU3, which names the same things): Bundle, Organization, Endpoint.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gateway.model.partner import Endpoints
from ihe.identifiers import HomeCommunityId

Resource = Mapping[str, Any]
_MOST_LEVELS: Final = 20
"""An organization above another: a directory that goes round in circles still ends."""
_OID: Final = "urn:oid:"
_HINTS: Final[Mapping[str, tuple[str, ...]]] = {
    "iti55": ("iti-55", "xcpd", "patient discovery"),
    "iti38": ("iti-38", "cross gateway query", "xca query", "query for documents"),
    "iti39": ("iti-39", "cross gateway retrieve", "xca retrieve", "retrieve documents"),
    "iti41": ("iti-41", "xdr", "provide and register", "document submission"),
}
"""How directories say in words or codes which transaction an address is for."""
_XCA: Final = ("xca", "cross gateway")
_INITIATING: Final = "initiating gateway"
_ENDED: Final = frozenset({"off", "error", "suspended", "entered-in-error", "test"})


class NoDirectory(ValueError):
    """It is no FHIR bundle of organizations and endpoints; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One community of a directory; `within` is the one by which it is reached, if another."""

    home_community_id: HomeCommunityId
    name: str
    endpoints: Endpoints
    active: bool = True
    within: HomeCommunityId | None = None
    is_whole: bool = True
    """Whether its own endpoints are listed with it: of a delta much is not."""


@dataclass(frozen=True, slots=True)
class Directory:
    """What a directory lists."""

    communities: tuple[Listed, ...]
    unusable: tuple[str, ...] = ()
    """A sentence for each organization that could not be taken."""


def parse_page(content: bytes) -> tuple[tuple[Resource, ...], str | None]:
    """A page's resources, and the address of the next page.

    Raises:
        NoDirectory
    """
    try:
        form = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise NoDirectory(f"it is no JSON: {error.msg}") from None
    if not isinstance(form, dict) or form.get("resourceType") != "Bundle":
        raise NoDirectory("it is no FHIR Bundle")
    entries = [one for one in _list(form.get("entry")) if isinstance(one, dict)]
    resources = (one.get("resource") for one in entries)
    links = (one for one in _list(form.get("link")) if isinstance(one, dict))
    following = (one.get("url") for one in links if one.get("relation") == "next")
    return (
        tuple(each for one in resources if isinstance(one, dict) for each in _with_contained(one)),
        next((url for url in following if isinstance(url, str)), None),
    )


def _with_contained(resource: Resource) -> Iterator[Resource]:
    yield resource
    for inner in _list(resource.get("contained")):
        if isinstance(inner, dict):
            # Referred to as #id, and only from within.
            yield {**inner, "id": f"{resource.get('id')}#{inner.get('id')}"}


def read_directory(resources: Iterable[Resource]) -> Directory:
    """The communities that the resources of all pages list, by name."""
    organizations: dict[str, Resource] = {}
    endpoints: dict[str, Resource] = {}
    for resource in resources:
        kind, known = resource.get("resourceType"), str(resource.get("id"))
        if kind == "Organization":
            organizations[known] = resource
        elif kind == "Endpoint":
            endpoints[known] = resource
    own = {id: _own(id, one, endpoints) for id, one in organizations.items()}
    listed: dict[HomeCommunityId, Listed] = {}
    unusable = []
    for id, organization in organizations.items():
        home = home_of(organization)
        if home is None:
            unusable.append(f"organization {id} has no OID")
            continue
        found = _listed(id, home, organizations, own)
        before = listed.setdefault(home, found)
        if before is not found:
            unusable.append(f"two organizations have the OID {home}")
            # Of two the one that can be asked.
            listed[home] = max(before, found, key=_is_of_use)
    unusable += _orphans(endpoints, own)
    return Directory(
        tuple(sorted(listed.values(), key=lambda one: (one.name, one.home_community_id.urn))),
        tuple(unusable),
    )


def _is_of_use(one: Listed) -> tuple[bool, bool]:
    return one.active, _is_reachable(one.endpoints)


def _orphans(endpoints: Mapping[str, Resource], own: Mapping[str, "_Own"]) -> Iterator[str]:
    """An address without its organization is nobody's."""
    named = {name for one in own.values() for name in one.endpoints}
    if orphans := len(endpoints.keys() - named):
        yield f"{orphans} endpoints are of no organization that is listed with them: not taken over"


def _listed(
    id: str,
    home: HomeCommunityId,
    organizations: Mapping[str, Resource],
    own: Mapping[str, "_Own"],
) -> Listed:
    resource = organizations[id]
    name = resource.get("name")
    line = tuple(_line(id, organizations))
    holder = next((one for one in line if _is_reachable(own[one].addresses)), None)
    within = None if holder in (None, id) else home_of(organizations[holder or id])
    return Listed(
        home,
        name.strip() if isinstance(name, str) and name.strip() else str(home),
        Endpoints() if holder is None else own[holder].addresses,
        active=resource.get("active") is not False,
        within=None if within == home else within,
        is_whole=own[id].is_whole,
    )


def _line(id: str, organizations: Mapping[str, Resource]) -> Iterator[str]:
    """The organization, and those above it that are listed, the nearest first."""
    for _ in range(_MOST_LEVELS):
        yield id
        above = _reference(organizations[id].get("partOf"))
        if above not in organizations:
            return
        id = above


def home_of(organization: Resource) -> HomeCommunityId | None:
    """Its OID: the official one before others."""
    found = []
    for identifier in _list(organization.get("identifier")):
        if not isinstance(identifier, dict):
            continue
        value = str(identifier.get("value") or "").strip()
        system = str(identifier.get("system") or "").lower()
        if value.startswith(_OID) or "oid" in system or "hcid" in system or "3986" in system:
            try:
                home = HomeCommunityId.parse(value)
            except ValueError:
                continue
            found.append((identifier.get("use") != "official", home))
    return min(found, key=lambda pair: pair[0])[1] if found else None


# ---- endpoints -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Own:
    """An organization's own endpoints that are listed, and what addresses they give it."""

    endpoints: tuple[str, ...]
    addresses: Endpoints
    is_whole: bool
    """Whether these are all that it has: all that it names, and any that name it."""


def _own(id: str, organization: Resource, known: Mapping[str, Resource]) -> _Own:
    """Where the organization takes each transaction: by its references, or those back to it."""
    named = [_reference(one) for one in _list(organization.get("endpoint"))]
    references = {f"{id}{one}" if one.startswith("#") else one for one in named if one}
    endpoints = [
        name
        for name, endpoint in known.items()
        if name in references or _reference(endpoint.get("managingOrganization")) == id
    ]
    # Who is not active reaches nobody below it either.
    is_active = organization.get("active") is not False
    found: dict[str, str] = {}
    for endpoint in (known[name] for name in endpoints):
        if is_active and _is_usable(endpoint):
            for transaction in _transactions(endpoint):
                found.setdefault(transaction, str(endpoint["address"]))
    addresses = Endpoints(
        iti55=found.get("iti55"),
        iti38=found.get("iti38"),
        iti39=found.get("iti39"),
        iti41=found.get("iti41"),
    )
    return _Own(tuple(endpoints), addresses, bool(endpoints) and references <= known.keys())


def _is_usable(endpoint: Resource) -> bool:
    address = endpoint.get("address")
    if not isinstance(address, str) or not address.lower().startswith("https://"):
        return False
    return endpoint.get("status") not in _ENDED and _INITIATING not in _words(endpoint)


def _transactions(endpoint: Resource) -> Iterator[str]:
    """For which it is; an address for XCA that does not say more is for both of its halves."""
    words = _words(endpoint)
    said = [name for name, hints in _HINTS.items() if any(hint in words for hint in hints)]
    if not {"iti38", "iti39"} & set(said) and any(word in words for word in _XCA):
        said += [name for name in ("iti38", "iti39") if "iti55" not in said]
    yield from said


def _words(endpoint: Resource) -> str:
    """All it says of itself but where it is: profiles put the transaction in many places."""
    told: list[str] = []
    waiting: list[Any] = [
        value for key, value in endpoint.items() if key not in ("address", "id", "header")
    ]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            told.append(one.lower().replace("_", "-").replace("iti 5", "iti-5"))
        elif isinstance(one, dict):
            waiting.extend(value for key, value in one.items() if key != "reference")
        elif isinstance(one, list):
            waiting.extend(one)
    return "\n".join(told)


def _is_reachable(endpoints: Endpoints) -> bool:
    return any((endpoints.iti55, endpoints.iti38, endpoints.iti39))


def _reference(reference: Any) -> str:
    """The id in a Reference, `#id` for a contained resource; empty when there is none."""
    text = reference.get("reference") if isinstance(reference, dict) else None
    return text.rpartition("/")[2] if isinstance(text, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
