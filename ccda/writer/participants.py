"""Who did it and why: performers and indications of a statement (CDA R2: 4.3.8.2)."""

from typing import Any, Final

from ccda.hl7v3 import AD, CD, TEL
from ccda.writer.elements import Element, add, template
from ccda.writer.header import write_addresses, write_telecoms
from ccda.writer.rows import Row, is_denied, relation, statement, write_own_id
from ccda.writer.values import (
    as_time,
    as_token,
    code_of,
    id_of_text,
    is_coded,
    list_of,
    write_code,
    write_id,
    write_interval,
    write_time,
)

_INDICATION: Final = "2.16.840.1.113883.10.20.22.4.19"
_LOCATION: Final = "2.16.840.1.113883.10.20.22.4.32"
_PRODUCT_INSTANCE: Final = "2.16.840.1.113883.10.20.22.4.37"
# HL7 ParticipationType, as far as documents use it; others stay in the narrative.
_PARTICIPATIONS: Final = frozenset(
    "ATND CALLBCK CON CSM CST DEV DIR DST HLD IND INF LOC NOT PRCP PRD PRF REF REFB REFT "
    "RESP SBJ SPC TRC VIA VRF".split()
)


def forms_in(detail: object) -> list[dict[str, Any]]:
    """The objects in a detail that is one or a list of them."""
    return [form for form in list_of(detail) if isinstance(form, dict)]


def spoken(code: CD) -> CD:
    """A code that is only words has them as originalText."""
    return code if is_coded(code) else CD(None, original_text=code.display)


def write_performers(parent: Element, row: Row, type_code: str | None = None) -> None:
    """Each performer by id, name and organization, and where to reach them."""
    for form in forms_in(row.detail("performer")):
        performer = add(parent, "performer", typeCode=type_code)
        _write_when(performer, form.get("time"))
        assigned = add(performer, "assignedEntity")
        _write_ids(assigned, form.get("ids"))
        role = code_of(form.get("code"))
        if role is not None:
            write_code(assigned, "code", spoken(role))
        write_reach(assigned, form)
        if form.get("name"):
            add(add(assigned, "assignedPerson"), "name", form["name"])
        if form.get("organization"):
            organization = add(assigned, "representedOrganization")
            for text in form.get("organization_ids") or ():
                write_id(organization, id_of_text(text))
            add(organization, "name", form["organization"])
            write_telecoms(organization, _telecoms(form.get("organization_telecom")))
            write_addresses(organization, _addresses(form.get("organization_address")))


def write_reach(parent: Element, form: dict[str, Any]) -> None:
    """addr and telecom, each unknown where it is not told."""
    write_addresses(parent, _addresses(form.get("address")))
    write_telecoms(parent, _telecoms(form.get("telecom")))


def _write_ids(parent: Element, ids: object) -> None:
    for text in list_of(ids) or (None,):
        write_id(parent, id_of_text(text) if text else None)


def _write_when(parent: Element, when: object) -> None:
    """time, of a point or an interval; what is no time stays in the narrative."""
    if isinstance(when, str) and as_time(when):
        write_time(parent, "time", when)
    elif isinstance(when, dict) and any(as_time(when.get(bound)) for bound in ("low", "high")):
        time = add(parent, "time")
        for bound in ("low", "high"):
            if as_time(when.get(bound)):
                write_time(time, bound, when[bound])


def _addresses(told: object) -> list[AD]:
    return [
        AD(
            tuple(form.get("lines") or ()),
            form.get("city"),
            form.get("state"),
            form.get("postal_code"),
            form.get("country"),
            form.get("county"),
            form.get("use"),
        )
        for form in forms_in(told)
    ]


def _telecoms(told: object) -> list[TEL]:
    return [TEL(form.get("value"), form.get("use")) for form in forms_in(told)]


def write_place(parent: Element, row: Row) -> None:
    """participant LOC; Service Delivery Location (4.32) where its kind is told."""
    place = row.detail("location")
    if not isinstance(place, dict):
        return
    participant = add(parent, "participant", typeCode="LOC")
    _write_when(participant, place.get("time"))
    role = add(participant, "participantRole", classCode="SDLOC")
    code = code_of(place.get("code"))
    if code is not None:
        template(role, _LOCATION)
    for text in place.get("ids") or ():
        write_id(role, id_of_text(text))
    if code is not None:
        write_code(role, "code", spoken(code))
    if place.get("address"):
        write_addresses(role, _addresses(place["address"]))
    if place.get("telecom"):
        write_telecoms(role, _telecoms(place["telecom"]))
    if place.get("name"):
        add(add(role, "playingEntity", classCode="PLC"), "name", place["name"])


def write_product_instances(parent: Element, row: Row) -> None:
    """participant DEV with Product Instance (4.37): what was used or implanted."""
    for form in forms_in(row.detail("device")):
        participant = add(parent, "participant", typeCode="DEV")
        role = add(participant, "participantRole", classCode="MANU")
        template(role, _PRODUCT_INSTANCE)
        _write_ids(role, form.get("ids"))
        device = add(role, "playingDevice")
        code = code_of(form.get("code"))
        if code is not None:
            write_code(device, "code", spoken(code))
        if form.get("model"):
            add(device, "manufacturerModelName", form["model"])
        maker = add(role, "scopingEntity")
        write_id(maker, None)
        if form.get("manufacturer"):
            add(maker, "desc", form["manufacturer"])


def write_parties(parent: Element, row: Row, detail: str) -> None:
    """Other participants as they were told: a verifier, a vehicle, a contact."""
    for form in forms_in(row.detail(detail)):
        type_code = as_token(form.get("type"))
        if type_code not in _PARTICIPATIONS:
            continue
        participant = add(parent, "participant", typeCode=type_code)
        _write_when(participant, form.get("time"))
        role = add(participant, "participantRole")
        for text in form.get("ids") or ():
            write_id(role, id_of_text(text))
        code, entity = code_of(form.get("code")), code_of(form.get("entity"))
        if code is not None:
            write_code(role, "code", spoken(code))
        if form.get("address"):
            write_addresses(role, _addresses(form["address"]))
        if form.get("telecom"):
            write_telecoms(role, _telecoms(form["telecom"]))
        if entity is not None or form.get("name"):
            playing = add(role, "playingEntity")
            if entity is not None:
                write_code(playing, "code", spoken(entity))
            if form.get("name"):
                add(playing, "name", form["name"])


def write_priority(parent: Element, row: Row) -> None:
    code = code_of(row.detail("priority"))
    if code is not None:
        write_code(parent, "priorityCode", spoken(code))


def write_specimens(parent: Element, row: Row) -> None:
    for form in forms_in(row.detail("specimen")):
        code = code_of(form)
        if code is not None:
            role = add(add(parent, "specimen"), "specimenRole")
            for text in form.get("ids") or ():
                write_id(role, id_of_text(text))
            entity = add(role, "specimenPlayingEntity")
            write_code(entity, "code", spoken(code))


def write_ids_of(inner: Element, form: object, row: Row, part: str) -> None:
    """The ids that a part was told with, else one of our own."""
    ids = form.get("ids") if isinstance(form, dict) else None
    for text in ids or ():
        write_id(inner, id_of_text(text))
    if not ids:
        write_own_id(inner, row, part)


def write_indications(parent: Element, row: Row) -> None:
    """Indication (4.19): why it was given or done."""
    for number, form in enumerate(forms_in(row.detail("indication")), 1):
        reason = code_of(form)
        if reason is not None:
            held = relation(parent, "RSON")
            inner = statement(held, "observation", "OBS", negated=is_denied(form))
            template(inner, _INDICATION, "2014-06-09")
            write_ids_of(inner, form, row, f"-indication-{number}")
            write_code(inner, "code", None)
            add(inner, "statusCode", code="completed")
            start, end = form.get("start") or form.get("time"), form.get("end")
            if as_time(start) or as_time(end):
                write_interval(inner, start, end)
            write_code(inner, "value", spoken(reason), type_name="CD")
