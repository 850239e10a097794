"""Procedures in their three forms: procedure, observation, act (C-CDA R2.1: 3.82 to 3.84)."""

from collections.abc import Iterator

from ccda.hl7v3 import CD
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import Form, code_form, person_name, read_code, without_none
from ccda.sections.participants import id_texts, read_location, read_performers
from ccda.sections.particulars import read_specimens
from ccda.sections.products import read_product
from ccda.sections.statement import Statement, first
from ccda.sections.times import read_times
from ccda.sections.value import Value, read_value


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """Each statement of an entry is one procedure; what stands inside it only describes it."""
    yield read_procedure(top, narrative)


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
    """participant DEV: what it is and its unique device identifiers (C-CDA R2.1: 3.80)."""
    forms = []
    for element in statement.all("participant"):
        role = first(element, "participantRole")
        device = first(role, "playingDevice")
        if role is None or device is None:
            continue
        ids = [(i.get("root"), i.get("extension")) for i in role.iterchildren("{*}id")]
        form = without_none(
            code=read_code(first(device, "code"), narrative),
            model=person_name(first(device, "manufacturerModelName")),
            manufacturer=person_name(first(role, "scopingEntity", "desc")),
            ids=["^".join(part for part in pair if part) for pair in ids if any(pair)],
        )
        if form:
            forms.append(form)
    return forms


def _codes(statement: Statement, name: str, narrative: Narrative) -> list[Form]:
    found = (read_code(element, narrative) for element in statement.all(name))
    return [form for form in found if form is not None]


def _reasons(statement: Statement, narrative: Narrative) -> list[Form]:
    """Why it was done, or was not: what stands in a RSON relationship."""
    forms = []
    for inner in statement.inner:
        if inner.relation == "RSON" and inner.name == "observation":
            value = read_value(inner.one("value"), narrative).value
            form = code_form(value) if isinstance(value, CD) else None
            form = form or read_code(inner.one("code"), narrative)
            if form is not None:
                inner.told = True
                forms.append(form | without_none(ids=id_texts(inner.children)))
    return forms
