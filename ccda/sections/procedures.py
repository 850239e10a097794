"""Procedures in their three forms: procedure, observation, act (C-CDA R2.1: 3.82 to 3.84).

Details: `statement` (which form), `target_site`, `method`, `priority`, `performer`, `location`,
`indication`, `specimen`, and `device` with `code`, `model`, `software`, `manufacturer`,
`manufacturer_ids`, `ids` and `udi`.
"""

from collections.abc import Iterator
from typing import Final

from ccda.hl7v3 import CD
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import Form, code_form, person_name, read_code, without_none
from ccda.sections.medications import indication
from ccda.sections.participants import id_texts, read_location, read_performers
from ccda.sections.particulars import read_specimens
from ccda.sections.products import read_product
from ccda.sections.statement import Children, Statement, children_of, first
from ccda.sections.times import read_times
from ccda.sections.udi import whole_udi
from ccda.sections.value import Value, read_value
from ccda.sections.wrappers import unwrapped

_PICTURES: Final = frozenset(("observationMedia", "regionOfInterest"))


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """Each statement of an entry is one procedure; what stands inside it only describes it."""
    for statement in unwrapped(top, narrative):
        if statement.name not in _PICTURES:
            yield read_procedure(statement, narrative)


def read_procedure(statement: Statement, narrative: Narrative) -> Entry:
    code, name = narrative.code(statement.one("code")), None
    if code is None and statement.name in ("substanceAdministration", "supply"):
        product = read_product(statement, narrative)
        code, name = product.code, product.name
    values = statement.all("value")
    return make_entry(
        statement,
        "procedure",
        narrative,
        code=code,
        name=name,
        value=read_value(values[0], narrative) if values else Value(),
        times=read_times(statement),
        details=without_none(
            statement=statement.name,
            target_site=_codes(statement, "targetSiteCode", narrative),
            method=_codes(statement, "methodCode", narrative),
            priority=read_code(statement.one("priorityCode"), narrative),
            performer=read_performers(statement, narrative),
            location=read_location(statement, narrative),
            device=devices_of(statement, narrative),
            indication=_reasons(statement, narrative),
            specimen=read_specimens(statement, narrative),
        ),
    )


def devices_of(statement: Statement, narrative: Narrative) -> list[Form]:
    """participant DEV: what it is and its unique device identifiers (C-CDA R2.1: 3.80).

    `udi` is the identifier as it is printed on the device, one of the `ids`.
    """
    forms = []
    for element in statement.all("participant"):
        role = first(element, "participantRole")
        device = first(role, "playingDevice")
        if role is None or device is None:
            continue
        parts = children_of(role)
        form = without_none(
            code=read_code(first(device, "code"), narrative),
            model=person_name(first(device, "manufacturerModelName")),
            software=person_name(first(device, "softwareName")),
            manufacturer=person_name(first(role, "scopingEntity", "desc")),
            manufacturer_ids=_scoping_ids(parts),
            ids=id_texts(parts),
            udi=whole_udi(parts.get("id", [])),
        )
        if form:
            forms.append(form)
    return forms


def _scoping_ids(parts: Children) -> list[str]:
    found = parts.get("scopingEntity")
    return [] if found is None else id_texts(children_of(found[0]))


def _codes(statement: Statement, name: str, narrative: Narrative) -> list[Form]:
    found = (read_code(element, narrative) for element in statement.all(name))
    return [form for form in found if form is not None]


def _reasons(statement: Statement, narrative: Narrative) -> list[Form]:
    """Why it was done, or was not: what stands in a RSON relationship."""
    forms = []
    for inner in statement.inner:
        if inner.relation == "RSON" and inner.name == "observation":
            value = read_value(inner.one("value"), narrative)
            form = code_form(value.value) if isinstance(value.value, CD) else None
            if isinstance(value.value, str) and value.unit is None:
                form = {"code": None, "system": None, "display": value.value}
            form = form or read_code(inner.one("code"), narrative)
            if form is not None:
                forms.append(indication(inner, form, narrative))
    return forms
