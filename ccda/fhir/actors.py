"""Who and where: Practitioner, PractitionerRole, Organization, Device, Location, each once.

C-CDA on FHIR: participations. One person or place is known by any of its ids, else by name. A
name is one line of text, as the readers give it: it is not taken apart again.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ccda.fhir.datatypes import (
    address,
    addresses,
    concepts,
    form_concept,
    human_name,
    identifiers,
    stated,
    telecom,
    telecoms,
    text_identifiers,
    words,
)
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.times import Json
from ccda.model import Author, Organization, Participant


def performers(statement: Statement, resources: Resources) -> list[Json]:
    """Who carried it out, each a reference."""
    found = (actor(form, statement.documents, resources) for form in statement.all("performer"))
    return [reference for reference in found if reference is not None]


def actor(form: Any, documents: Sequence[str], resources: Resources) -> Json | None:
    """The person; in a role where one is stated; the organization where no person is named."""
    if not isinstance(form, dict):
        return None
    # Most documents name the same few people at every entry.
    key = (tuple(documents), repr(form))
    if key not in resources.actors:
        resources.actors[key] = _actor(form, documents, resources)
    return resources.actors[key]


def _actor(form: Json, documents: Sequence[str], resources: Resources) -> Json | None:
    house = organization(
        resources,
        documents,
        form.get("organization"),
        text_identifiers(form.get("organization_ids")),
        telecoms(form.get("organization_telecom")),
        addresses(form.get("organization_address")),
    )
    ids = text_identifiers(form.get("ids"))
    if not words(form.get("name")) and (house is not None or not ids):
        return house
    person = practitioner(resources, documents, form.get("name"), ids)
    codes = concepts(form.get("code"))
    if person is None or (house is None and not codes):
        return person
    return _role(resources, documents, person, house, codes, form)


def _role(
    resources: Resources,
    documents: Sequence[str],
    person: Json,
    house: Json | None,
    codes: list[Json],
    form: Json,
) -> Json:
    """US Core asks that a role be reachable; telecoms stand here, where they belong."""
    named = f"{person['reference']} {house} {codes}"
    body = stated(
        practitioner=person, organization=house, code=codes, telecom=telecoms(form.get("telecom"))
    )
    return _once(resources, "PractitionerRole", [named], body, documents)


def practitioner(
    resources: Resources, documents: Sequence[str], name: object, ids: list[Json]
) -> Json | None:
    said = words(name)
    if said is None and not ids:
        return None
    body = stated(identifier=ids, name=[{"text": said}] if said else None)
    return _once(resources, "Practitioner", _names(ids, said), body, documents)


def organization(
    resources: Resources,
    documents: Sequence[str],
    name: object,
    ids: list[Json] | None = None,
    reached: list[Json] | None = None,
    stands: list[Json] | None = None,
) -> Json | None:
    """FHIR R4: org-1, an organization has an identifier or a name."""
    said = words(name)
    if said is None and not ids:
        return None
    body = stated(identifier=ids, name=said, telecom=_at_work(reached), address=_at_work(stands))
    return _once(resources, "Organization", _names(ids or [], said), body, documents)


def whole_organization(
    given: Organization | None, documents: Sequence[str], resources: Resources
) -> Json | None:
    """An organization of the header, with all that is told of it."""
    if given is None:
        return None
    return organization(
        resources,
        documents,
        next(iter(given.names), None),
        identifiers(given.ids),
        [found for one in given.telecoms if (found := telecom(one))],
        [found for one in given.addresses if (found := address(one))],
    )


def participant(
    given: Participant, documents: Sequence[str], resources: Resources
) -> tuple[Json | None, Json | None]:
    """Someone of the header: the person, and the person's organization."""
    house = whole_organization(given.organization, documents, resources)
    names = [found for one in given.names if (found := human_name(one))]
    said = next((text for one in given.names if (text := str(one))), None)
    ids = identifiers(given.ids)
    if said is None and (house is not None or not ids):
        return None, house
    body = stated(
        identifier=ids,
        name=names,
        telecom=[found for one in given.telecoms if (found := telecom(one))],
        address=[found for one in given.addresses if (found := address(one))],
    )
    return _once(resources, "Practitioner", _names(ids, said), body, documents), house


def _at_work(forms: list[Json] | None) -> list[Json]:
    """FHIR R4: org-2 and org-3. An organization has no home, whatever the source calls it."""
    return [
        {name: part for name, part in form.items() if (name, part) != ("use", "home")}
        for form in forms or ()
    ]


def location(form: Any, documents: Sequence[str], resources: Resources) -> Json | None:
    """A place of service (C-CDA R2.1: 4.32)."""
    form = {"name": form} if isinstance(form, str) else form
    if not isinstance(form, dict):
        return None
    return location_of(
        form.get("name"),
        text_identifiers(form.get("ids")),
        form_concept(form.get("code")),
        next(iter(addresses(form.get("address"))), None),
        documents,
        resources,
        telecoms(form.get("telecom")),
    )


def location_of(
    name: object,
    ids: list[Json],
    kind: Json | None,
    stands: Json | None,
    documents: Sequence[str],
    resources: Resources,
    reached: list[Json] | None = None,
) -> Json | None:
    """A place by its name, else by what kind of place it is."""
    said = words(name) or (kind or {}).get("text")
    if said is None and not ids and kind is None:
        return None
    body = stated(
        identifier=ids,
        name=said,
        type=[kind] if kind else None,
        telecom=reached,
        address=stands,
    )
    names = _names(ids, said) or [str(kind)]
    return _once(resources, "Location", names, body, documents)


def author_reference(
    author: Author, documents: Sequence[str], resources: Resources
) -> tuple[Json | None, Json | None]:
    """Who wrote it, a person, a device or an organization; and on whose behalf."""
    house = organization(resources, documents, author.organization)
    ids = identifiers(author.ids)
    if words(author.name) is not None or (ids and author.device is None and house is None):
        return practitioner(resources, documents, author.name, ids), house
    if words(author.device) is not None:
        body = stated(
            identifier=ids, deviceName=[{"name": author.device, "type": "manufacturer-name"}]
        )
        made = _once(resources, "Device", _names(ids, f"author {author.device}"), body, documents)
        return made, house
    return house, house


def recorder(statement: Statement, resources: Resources) -> Json | None:
    """The latest author, if a person: FHIR knows no device that records (C-CDA on FHIR)."""
    key = (statement.documents, statement.entry.authors)
    if key not in resources.recorders:
        resources.recorders[key] = _recorder(*key, resources)
    return resources.recorders[key]


def _recorder(
    documents: tuple[str, ...], authors: tuple[Author, ...], resources: Resources
) -> Json | None:
    people = [one for one in authors if words(one.name) or one.ids]
    people = [one for one in people if one.device is None]
    if not people:
        return None
    latest = max(people, key=lambda one: (one.time.value or "") if one.time else "")
    return practitioner(resources, documents, latest.name, identifiers(latest.ids))


def _names(ids: Iterable[Json], name: str | None) -> list[str]:
    """By what something is known again; by its name only where it has no id."""
    known = [f"{one.get('system')} {one['value']}" for one in ids]
    return known or ([f"named {name.casefold()}"] if name else [])


def _once(
    resources: Resources, type_name: str, names: Sequence[str], body: Json, documents: Sequence[str]
) -> Json:
    """The reference to what is known by one of `names` already, or to a new resource."""
    known = (resources.known.get((type_name, name)) for name in names)
    found = next((reference for reference in known if reference is not None), None)
    if found is None:
        found = resources.add(type_name, f"{resources.scope} {names[0]}", body, documents)
    else:
        resource = resources.made[found["reference"]]
        for element, content in body.items():
            resource.setdefault(element, content)
        resources.also_said_in(found, documents)
    for name in names:
        resources.known.setdefault((type_name, name), found)
    return found
