"""Who did it and why: performers and indications of a statement (CDA R2: 4.3.8.2)."""

from typing import Any, Final

from ccda.hl7v3 import CD
from ccda.writer.elements import Element, add, template
from ccda.writer.rows import Row, relation, statement, write_own_id
from ccda.writer.values import UNKNOWN, code_of, id_of_text, is_coded, list_of, write_code, write_id

_INDICATION: Final = "2.16.840.1.113883.10.20.22.4.19"


def forms_in(detail: object) -> list[dict[str, Any]]:
    """The objects in a detail that is one or a list of them."""
    return [form for form in list_of(detail) if isinstance(form, dict)]


def spoken(code: CD) -> CD:
    """A code that is only words has them as originalText."""
    return code if is_coded(code) else CD(None, original_text=code.display)


def write_performers(parent: Element, row: Row, type_code: str | None = None) -> None:
    """Each performer by id, name and organization; where to reach them the summary does not say."""
    for form in forms_in(row.detail("performer")):
        assigned = add(add(parent, "performer", typeCode=type_code), "assignedEntity")
        for text in form.get("ids") or (None,):
            write_id(assigned, id_of_text(text) if text else None)
        role = code_of(form.get("code"))
        if role is not None:
            write_code(assigned, "code", spoken(role))
        _write_nowhere(assigned, "addr", "telecom")
        if form.get("name"):
            add(add(assigned, "assignedPerson"), "name", form["name"])
        if form.get("organization"):
            organization = add(assigned, "representedOrganization")
            add(organization, "name", form["organization"])
            _write_nowhere(organization, "telecom", "addr")


def _write_nowhere(parent: Element, *names: str) -> None:
    for name in names:
        add(parent, name, nullFlavor=UNKNOWN)


def write_indications(parent: Element, row: Row) -> None:
    """Indication (4.19): why it was given or done."""
    for number, form in enumerate(forms_in(row.detail("indication")), 1):
        reason = code_of(form)
        if reason is not None:
            inner = statement(relation(parent, "RSON"), "observation", "OBS")
            template(inner, _INDICATION, "2014-06-09")
            write_own_id(inner, row, f"-indication-{number}")
            write_code(inner, "code", None)
            add(inner, "statusCode", code="completed")
            write_code(inner, "value", spoken(reason), type_name="CD")
