"""Medications: taken, administered, on admission, at discharge (C-CDA R2.1: 3.49, 4.16).

Details: those of `administration`, and `clinical_status`, `act` (the code of the statement
itself), `product_name`, `lot_number`, `manufacturer`, `product_ids`. A `supply` is an order or a
dispense with `mood`, `relation`, `status`, `code`, `text`, `ids`, `quantity`, `repeat_number`,
times, `product`, `performer`, `author` and the parts inside it.
"""

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
    read_code,
    read_quantity,
    read_ratio,
    without_none,
)
from ccda.sections.participants import author_forms, id_texts, read_performers
from ccda.sections.particulars import read_particulars, read_preconditions
from ccda.sections.parts import with_parts
from ccda.sections.products import product_form, read_product, read_route
from ccda.sections.statement import Statement, walk
from ccda.sections.status import read_status
from ccda.sections.times import Times, read_times
from ccda.sections.value import read_value

# SNOMED CT and LOINC for finding, problem, diagnosis: an indication says no more by them.
_GENERIC: Final = frozenset(
    "404684003 55607006 282291009 64572001 29308-4 75326-9 75321-0 75323-6 ASSERTION".split()
)
_SIG: Final = "76662-6"  # LOINC: instructions, medication
_GIVEN: Final = frozenset(("substanceAdministration", "supply"))
_OUTSIDE_MEDICATIONS: Final = frozenset("act organizer encounter procedure observation".split())


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """The outermost administrations; those inside describe the same drug (tapers, parts).

    An order or a dispense stands for one where none is told.
    """
    told = [one for one in walk(top, _OUTSIDE_MEDICATIONS) if one.name in _GIVEN]
    given = [one for one in told if one.name == "substanceAdministration"]
    for statement in given or told:
        yield read_medication(statement, narrative)


def read_medication(statement: Statement, narrative: Narrative) -> Entry:
    product = read_product(statement, narrative)
    times = read_times(statement)
    status, status_form = read_status(statement, templates.MEDICATION_STATUS, narrative)
    return make_entry(
        statement,
        "medication",
        narrative,
        code=product.code,
        name=product.name,
        times=times,
        status=status,
        details=without_none(
            **administration(statement, times, narrative),
            clinical_status=status_form,
            act=read_code(statement.one("code"), narrative),
            product_name=product.name,
            lot_number=product.lot_number,
            manufacturer=product.manufacturer,
            product_ids=list(product.ids),
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
        "precondition": read_preconditions(statement, narrative),
        "supply": _supplies(statement, narrative),
        "performer": read_performers(statement, narrative),
    }


def _free_text_sig(statement: Statement, narrative: Narrative) -> str | None:
    """C-CDA R2.1 companion: Medication Free Text Sig (4.147)."""
    for inner in statement.inner:
        if inner.is_a(templates.MEDICATION_SIG) or inner.code_of("code") == _SIG:
            said = narrative.text(inner.one("text"))
            inner.told = said is not None
            return said
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
                forms.append(indication(inner, form, narrative))
    return forms


def indication(statement: Statement, form: Form, narrative: Narrative) -> Form:
    """The reason `form`, and which problem that is: by its id, which an entry may share, and when.

    `type` is what the observation asks, where that is more than whether there is a problem;
    `content` its text, where that is not the name of the reason.
    """
    statement.told = True
    asked = read_code(statement.one("code"), narrative)
    is_more = statement.code_of("code") not in _GENERIC and asked != form
    more = without_none(
        ids=id_texts(statement.children),
        negated=True if statement.is_negated or statement.is_unrelated else None,
        type=asked if is_more else None,
        **read_times(statement).form(),
        author=author_forms(statement.all("author")),
    )
    said = narrative.text(statement.text)
    if said and said not in (form["display"], form.get("text")):
        more["content"] = said
    more |= read_particulars(statement, narrative, "part", more)
    return with_parts(form | more, statement, narrative)


def _supplies(statement: Statement, narrative: Narrative) -> list[Form]:
    """Orders (moodCode INT) and dispenses (EVN) of the same drug (C-CDA R2.1: 3.51, 3.50)."""
    forms = []
    for inner in statement.inner:
        if inner.name == "supply":
            inner.told = True
            forms.append(_supply(inner, narrative))
    return forms


def _supply(statement: Statement, narrative: Narrative) -> Form:
    times = read_times(statement)
    time = times.time or times.start or times.end
    form = without_none(
        mood=statement.get("moodCode"),
        relation=statement.relation,
        status=statement.status,
        code=read_code(statement.one("code"), narrative),
        text=narrative.text(statement.one("text")),
        negated=True if statement.is_negated else None,
        ids=id_texts(statement.children),
        quantity=read_quantity(statement.one("quantity")),
        product=product_form(statement, narrative),
        **{**times.form(), "time": None if time is None else time.iso},
        frequency=times.frequency,
        author=author_forms(statement.all("author")),
    )
    with_parts(form, statement, narrative)
    return form | read_particulars(statement, narrative, "part", form)
