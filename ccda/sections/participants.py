"""Who and where: author, performer, informant, participant, subject (CDA R2: 4.3.8.2)."""

from typing import Final

from ccda.hl7v3 import II, SDTC, TS, iso_time, read_ii, text_of, written_ii
from ccda.model import Author
from ccda.narrative import Narrative
from ccda.safe_xml import Element
from ccda.sections.form import (
    Form,
    code_form,
    id_text,
    person_name,
    read_code,
    read_time,
    without_none,
)
from ccda.sections.statement import Children, Statement, children_of, first, local_name

Elements = list[Element] | tuple[Element, ...]

_FUNCTION: Final = f"{{{SDTC}}}functionCode"
# The parts of AD that documents use, under the names the header gives them.
_ADDRESS_PARTS: Final = {
    "streetAddressLine": "lines",
    "additionalLocator": "lines",
    "city": "city",
    "state": "state",
    "postalCode": "postal_code",
    "county": "county",
    "country": "country",
}
_SDTC_ID: Final = f"{{{SDTC}}}id"
_NO_AUTHOR: Final = Author()


def read_authors(elements: Elements) -> tuple[Author, ...]:
    return tuple([author for element in elements if (author := _read_author(element)) is not None])


def author_forms(elements: Elements) -> list[Form]:
    """Authors of what stands in the details: name, organization, device, time, ids."""
    return [
        without_none(
            name=author.name,
            organization=author.organization,
            device=author.device,
            time=None if author.time is None else author.time.iso,
            ids=[text for identifier in author.ids if (text := id_text(identifier))],
        )
        for author in read_authors(elements)
    ]


def read_ids(children: Children) -> tuple[II, ...]:
    """Every id that identifies; one that is only a nullFlavor does not."""
    found = children.get("id")
    if found is None:
        return ()
    return tuple([one for element in found if (one := read_ii(element)).root or one.extension])


def id_texts(children: Children) -> list[str]:
    """Those that identify, as text."""
    written = [(one.get("root"), one.get("extension")) for one in children.get("id", ())]
    return [written_ii(root, extension) for root, extension in written if root or extension]


def read_performers(statement: Statement, narrative: Narrative) -> list[Form]:
    """Each performer: name, organization, ids, code, function, time, address, telecom."""
    found = statement.children.get("performer")
    return [] if found is None else read_assigned(found, narrative)


def read_informants(statement: Statement, narrative: Narrative) -> list[Form]:
    """Who told it: an assignedEntity, or a relatedEntity with its `relationship`."""
    return read_assigned(statement.all("informant"), narrative)


def read_assigned(elements: Elements, narrative: Narrative) -> list[Form]:
    return [form for element in elements if (form := _read_assigned(element, narrative))]


def read_location(statement: Statement, narrative: Narrative) -> Form | None:
    """participant LOC: the place's name, kind, ids, address (Service Delivery Location, 4.32)."""
    for element in statement.all("participant"):
        if element.get("typeCode") == "LOC":
            parts = _role_parts(element)
            form = without_none(
                name=_entity_name(parts),
                code=_code(parts, narrative),
                ids=id_texts(parts),
                time=read_time(first(element, "time")),
                **_contact(parts),
            )
            if form:
                return form
    return None


def read_participants(elements: Elements, narrative: Narrative) -> list[Form]:
    """Each participant: `type` (typeCode), role, and the person, thing or place that plays it."""
    return [form for element in elements if (form := _read_participant(element, narrative))]


def read_subject(element: Element | None, narrative: Narrative) -> Form | None:
    """Whom it is about where that is not the patient: a newborn, a donor (CDA R2: 4.3.8.1)."""
    related = first(element, "relatedSubject")
    if related is None:
        return None
    person = children_of(subject) if (subject := first(related, "subject")) is not None else {}
    birth, name = person.get("birthTime"), person.get("name")
    return (
        without_none(
            class_code=related.get("classCode"),
            relationship=read_code(first(related, "code"), narrative),
            name=None if name is None else person_name(name[0]),
            gender=_code(person, narrative, "administrativeGenderCode"),
            birth_time=None if birth is None else iso_time(birth[0].get("value")),
            ids=[text for e in person.get(_SDTC_ID, ()) if (text := id_text(read_ii(e)))],
            **_contact(children_of(related)),
        )
        or None
    )


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
        None if person is None else person_name(first(person[0], "name")),
        None if organization is None else person_name(first(organization[0], "name")),
        None if device is None else _device_name(device[0]),
        TS(written) if written else None,
        read_ids(parts),
    )
    return None if author == _NO_AUTHOR else author


def _device_name(device: Element) -> str | None:
    names = (person_name(first(device, part)) for part in ("manufacturerModelName", "softwareName"))
    return next((name for name in names if name), None)


def _read_assigned(element: Element, narrative: Narrative) -> Form:
    children = children_of(element)
    assigned = children.get("assignedEntity") or children.get("relatedEntity")
    if assigned is None:
        return {}
    parts = children_of(assigned[0])
    person = parts.get("assignedPerson") or parts.get("relatedPerson")
    organization = parts.get("representedOrganization")
    function = children.get(_FUNCTION) or children.get("functionCode")
    time = children.get("time")
    code = _code(parts, narrative)
    related = "relatedEntity" in children
    form = without_none(
        name=None if person is None else person_name(first(person[0], "name")),
        code=None if related else code,
        relationship=code if related else None,
        class_code=assigned[0].get("classCode") if related else None,
        ids=id_texts(parts),
        function=None if function is None else read_code(function[0], narrative),
        time=None if time is None else read_time(time[0]),
        **_contact(parts),
    )
    if organization is not None:
        form |= _organization(organization[0])
    return form


def _organization(element: Element) -> Form:
    parts = children_of(element)
    name = parts.get("name")
    contact = _contact(parts)
    return without_none(
        organization=None if name is None else person_name(name[0]),
        organization_ids=id_texts(parts),
        **{f"organization_{name}": value for name, value in contact.items()},
    )


def _read_participant(element: Element, narrative: Narrative) -> Form:
    children = children_of(element)
    role = children.get("participantRole") or children.get("associatedEntity")
    parts = {} if role is None else children_of(role[0])
    playing = parts.get("playingEntity") or parts.get("playingDevice")
    entity = {} if playing is None else children_of(playing[0])
    scoping = parts.get("scopingEntity")
    model = entity.get("manufacturerModelName")
    birth = entity.get(f"{{{SDTC}}}birthTime")
    form = without_none(
        type=element.get("typeCode"),
        name=_entity_name(parts),
        code=_code(parts, narrative),
        entity=_code(entity, narrative),
        description=None if "desc" not in entity else narrative.text(entity["desc"][0]),
        model=None if model is None else person_name(model[0]),
        ids=id_texts(parts),
        birth_time=None if birth is None else read_time(birth[0]),
        function=_code(children, narrative, _FUNCTION),
        time=read_time(children["time"][0]) if "time" in children else None,
        scoping=None if scoping is None else _scoping(children_of(scoping[0]), narrative),
        **_contact(parts),
    )
    return form if len(form) > 1 else {}


def _scoping(parts: Children, narrative: Narrative) -> Form | None:
    form = without_none(
        ids=id_texts(parts),
        code=_code(parts, narrative),
        description=None if "desc" not in parts else narrative.text(parts["desc"][0]),
    )
    return form or None


def _role_parts(element: Element) -> Children:
    role = first(element, "participantRole")
    if role is None:
        role = first(element, "associatedEntity")
    return {} if role is None else children_of(role)


def _entity_name(parts: Children) -> str | None:
    playing = parts.get("playingEntity")
    return None if playing is None else person_name(first(playing[0], "name"))


def _code(parts: Children, narrative: Narrative, name: str = "code") -> Form | None:
    found = parts.get(name)
    return None if found is None else code_form(narrative.code(found[0]))


def _contact(parts: Children) -> Form:
    """Addresses and telecoms as they stand; none where they only say that there is none."""
    form: Form = {}
    if "addr" in parts and (found := [a for e in parts["addr"] if (a := _address(e))]):
        form["address"] = found
    if "telecom" in parts and (said := [t for e in parts["telecom"] if (t := _telecom(e))]):
        form["telecom"] = said
    return form


def _address(element: Element) -> Form:
    """Its parts, those that say something; the words where it was written without parts."""
    form: Form = {}
    for part in element[:]:
        name = _ADDRESS_PARTS.get(local_name(part))
        if name is not None and (text := text_of(part)):
            if name == "lines":
                form.setdefault(name, []).append(text)
            else:
                form.setdefault(name, text)
    if not form and (text := text_of(element)):
        form["text"] = text
    if form and (use := element.get("use")):
        form["use"] = use
    return form


def _telecom(element: Element) -> Form:
    value = element.get("value")
    return without_none(value=value, use=element.get("use")) if value else {}
