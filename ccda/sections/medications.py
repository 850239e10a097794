"""Medications: taken, administered, on admission, at discharge (C-CDA R2.1: 3.49, 4.16)."""

from collections.abc import Iterator
from typing import Final

from ccda import templates
from ccda.hl7v3 import CD
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import (
    Form,
    code_form,
    name_of,
    read_code,
    read_quantity,
    read_ratio,
    without_none,
)
from ccda.sections.participants import read_ids, read_performers
from ccda.sections.products import read_product, read_route
from ccda.sections.statement import Statement, first, walk
from ccda.sections.status import read_status
from ccda.sections.times import Times, read_times
from ccda.sections.value import read_value

_OUTSIDE_MEDICATIONS: Final = frozenset("act organizer encounter procedure observation".split())


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """The outermost administrations; those inside describe the same drug (tapers, parts)."""
    for statement in walk(top, _OUTSIDE_MEDICATIONS):
        if statement.name == "substanceAdministration" or statement.is_supply_entry:
            yield read_medication(statement, narrative)


def read_medication(statement: Statement, narrative: Narrative) -> Entry:
    product = read_product(statement, narrative)
    times = read_times(statement)
    return make_entry(
        statement,
        "medication",
        narrative,
        code=product.code,
        name=product.name,
        times=times,
        status=read_status(statement, templates.MEDICATION_STATUS, narrative),
        details=without_none(
            **administration(statement, times, narrative),
            product_name=product.name,
            lot_number=product.lot_number,
            manufacturer=product.manufacturer,
        ),
    )


def administration(statement: Statement, times: Times, narrative: Narrative) -> Form:
    """How it is given and why: what medications, immunizations and plans share."""
    dose = read_quantity(statement.one("doseQuantity"))
    repeat = statement.one("repeatNumber")
    return {
        "dose": dose,
        "rate": read_quantity(statement.one("rateQuantity")),
        "max_dose": read_ratio(statement.one("maxDoseQuantity")),
        "route": read_route(statement, narrative),
        "site": read_code(statement.one("approachSiteCode"), narrative),
        "form": read_code(statement.one("administrationUnitCode"), narrative),
        "frequency": times.frequency,
        "repeat_number": None if repeat is None else repeat.get("value"),
        "sig": narrative.text(statement.one("text")) or _free_text_sig(statement, narrative),
        "indication": indications(statement, narrative),
        "precondition": _preconditions(statement, narrative),
        "instruction": _instructions(statement, narrative),
        "supply": _supplies(statement, narrative),
        "performer": read_performers(statement, narrative),
    }


def _free_text_sig(statement: Statement, narrative: Narrative) -> str | None:
    """C-CDA R2.1 companion: Medication Free Text Sig (4.147)."""
    for inner in statement.inner:
        if inner.is_a(templates.MEDICATION_SIG):
            return narrative.text(inner.one("text"))
    return None


def indications(statement: Statement, narrative: Narrative) -> list[Form]:
    """Why: an Indication (4.19), or whatever observation stands in a RSON relationship."""
    forms = []
    for inner in statement.inner:
        if inner.name == "observation" and (
            inner.is_a(templates.INDICATION) or inner.relation == "RSON"
        ):
            value = read_value(inner.one("value"), narrative).value
            form = code_form(value) if isinstance(value, CD) else None
            if form is not None and not inner.is_a(templates.REFUSAL_REASON):
                forms.append(form)
    return forms


def _preconditions(statement: Statement, narrative: Narrative) -> list[Form]:
    """As needed for: criterion value, else its code or text (C-CDA R2.1: 3.76)."""
    forms = []
    for element in statement.all("precondition"):
        criterion = first(element, "criterion")
        value = read_value(first(criterion, "value"), narrative).value
        code = value if isinstance(value, CD) else narrative.code(first(criterion, "code"))
        text = value if isinstance(value, str) else narrative.text(first(criterion, "text"))
        form = code_form(code)
        if text:
            form = {**(form or {}), "text": text}
        if form:
            forms.append(form)
    return forms


def _instructions(statement: Statement, narrative: Narrative) -> list[str]:
    texts = []
    for inner in statement.inner:
        if inner.is_a(templates.INSTRUCTION):
            said = narrative.text(inner.one("text"))
            said = said or name_of(narrative.code(inner.one("code")))
            if said:
                texts.append(said)
    return texts


def _supplies(statement: Statement, narrative: Narrative) -> list[Form]:
    """Orders (moodCode INT) and dispenses (EVN) of the same drug (C-CDA R2.1: 3.51, 3.50)."""
    forms = []
    for inner in statement.inner:
        if inner.name == "supply":
            times = read_times(inner)
            time = times.time or times.start or times.end
            repeat = inner.one("repeatNumber")
            forms.append(
                without_none(
                    mood=inner.get("moodCode"),
                    status=inner.code_of("statusCode"),
                    ids=[str(identifier) for identifier in read_ids(inner.children)],
                    quantity=read_quantity(inner.one("quantity")),
                    repeat_number=None if repeat is None else repeat.get("value"),
                    time=None if time is None else time.iso,
                    performer=read_performers(inner, narrative),
                )
            )
    return forms
