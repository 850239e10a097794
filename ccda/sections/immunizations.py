"""Immunizations given and refused (C-CDA R2.1: 3.41 Immunization Activity, 4.52)."""

from collections.abc import Iterator
from typing import Final

from ccda import templates
from ccda.hl7v3 import CD
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import Form, code_form, read_code, without_none
from ccda.sections.medications import administration
from ccda.sections.problems import inner_value
from ccda.sections.products import read_product
from ccda.sections.statement import Statement, walk
from ccda.sections.times import read_times
from ccda.sections.value import read_value

_OUTSIDE_IMMUNIZATIONS: Final = frozenset("act organizer encounter procedure observation".split())
# CVX 998: no vaccine administered.
_NO_VACCINE: Final = frozenset(("998", system) for system in templates.CVX)
_DOSE_NUMBER: Final = frozenset(("2.16.840.1.113883.10.20.1.46",))


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    for statement in walk(top, _OUTSIDE_IMMUNIZATIONS):
        if statement.name == "substanceAdministration" or statement.is_supply_entry:
            yield read_immunization(statement, narrative)


def read_immunization(statement: Statement, narrative: Narrative) -> Entry:
    """negationInd says the vaccine was not given; the reason stands in the details."""
    product = read_product(statement, narrative)
    times = read_times(statement)
    code = product.code
    is_none = code is not None and (code.code, code.system) in _NO_VACCINE
    return make_entry(
        statement,
        "immunization",
        narrative,
        code=code,
        name=product.name,
        times=times,
        no_information=True if is_none else None,
        details=without_none(
            **administration(statement, times, narrative),
            act=read_code(statement.one("code"), narrative),
            product_name=product.name,
            lot_number=product.lot_number,
            manufacturer=product.manufacturer,
            product_ids=list(product.ids),
            refusal_reason=_refusal_reason(statement, narrative),
            reaction=inner_value(statement.inner, templates.REACTION_OBSERVATION, narrative),
            dose_number=_dose_number(statement, narrative),
        ),
    )


def _refusal_reason(statement: Statement, narrative: Narrative) -> Form | None:
    """C-CDA R2.1: 3.43; elders and others put the reason in a RSON relationship.

    One that is denied is none, and stays a part of the entry.
    """
    for inner in statement.inner:
        if inner.is_negated or inner.is_unrelated:
            continue
        if inner.is_a(templates.REFUSAL_REASON) or (
            statement.is_negated and inner.relation == "RSON"
        ):
            value = read_value(inner.one("value"), narrative).value
            stated = code_form(value) if isinstance(value, CD) else None
            if stated is None or inner.is_a(templates.REFUSAL_REASON):
                stated = read_code(inner.one("code"), narrative) or stated
            if stated is not None:
                inner.told = True
                return stated
    return None


def _dose_number(statement: Statement, narrative: Narrative) -> str | None:
    """Which dose of the series: CCD 1.0 observation, else repeatNumber (C-CDA R2.1: 3.41)."""
    for inner in statement.inner:
        if inner.is_a(_DOSE_NUMBER):
            value = read_value(inner.one("value"), narrative).value
            inner.told = isinstance(value, str)
            return value if isinstance(value, str) else None
    repeat = statement.one("repeatNumber")
    return None if repeat is None or statement.get("moodCode") != "EVN" else repeat.get("value")
