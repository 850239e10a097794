"""Who and where: author, performer, informant, location (CDA R2: 4.3.8.2, participants)."""

from ccda.hl7v3 import II, TS, read_ii
from ccda.model import Author
from ccda.narrative import Narrative
from ccda.safe_xml import Element
from ccda.sections.form import Form, id_text, person_name, read_code, without_none
from ccda.sections.statement import Children, Statement, children_of, first


def read_authors(elements: list[Element] | tuple[Element, ...]) -> tuple[Author, ...]:
    return tuple(author for element in elements if (author := _read_author(element)) is not None)


def read_ids(children: Children) -> tuple[II, ...]:
    """Every id that identifies; one that is only a nullFlavor does not."""
    found = (read_ii(element) for element in children.get("id", ()))
    return tuple(identifier for identifier in found if identifier.root or identifier.extension)


def read_performers(statement: Statement, narrative: Narrative) -> list[Form]:
    """Each performer: name, organization, ids, code, function."""
    return [
        form
        for element in statement.all("performer")
        if (form := _read_assigned(element, "assignedEntity", narrative))
    ]


def read_location(statement: Statement, narrative: Narrative) -> Form | None:
    """participant LOC: the place's name and its kind (Service Delivery Location, 4.32)."""
    for element in statement.all("participant"):
        if element.get("typeCode") == "LOC":
            role = first(element, "participantRole")
            form = without_none(
                name=person_name(first(role, "playingEntity", "name")),
                code=read_code(first(role, "code"), narrative),
            )
            if form:
                return form
    return None


def _read_author(element: Element) -> Author | None:
    children = children_of(element)
    time = children.get("time")
    written = None if time is None else time[0].get("value")
    assigned = children.get("assignedAuthor")
    if assigned is None:
        return Author(time=TS(written)) if written else None
    parts = children_of(assigned[0])
    person = parts.get("assignedPerson")
    device = parts.get("assignedAuthoringDevice")
    organization = parts.get("representedOrganization")
    author = Author(
        name=None if person is None else person_name(first(person[0], "name")),
        organization=None if organization is None else person_name(first(organization[0], "name")),
        device=None if device is None else _device_name(device[0]),
        time=TS(written) if written else None,
        ids=read_ids(parts),
    )
    return None if author == Author() else author


def _device_name(device: Element) -> str | None:
    names = (person_name(first(device, part)) for part in ("manufacturerModelName", "softwareName"))
    return next((name for name in names if name), None)


def _read_assigned(element: Element, role: str, narrative: Narrative) -> Form:
    assigned = first(element, role)
    if assigned is None:
        return {}
    parts = children_of(assigned)
    person = parts.get("assignedPerson")
    organization = parts.get("representedOrganization")
    code = parts.get("code")
    return without_none(
        name=None if person is None else person_name(first(person[0], "name")),
        organization=None if organization is None else person_name(first(organization[0], "name")),
        code=None if code is None else read_code(code[0], narrative),
        ids=[text for identifier in read_ids(parts) if (text := id_text(identifier))],
    )
