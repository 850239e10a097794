"""Social history: smoking, pregnancy and the other questions (C-CDA on FHIR: social history)."""

from collections.abc import Sequence
from typing import Any, Final

from ccda.fhir.datatypes import concept, form_concept, stated
from ccda.fhir.observations import amount_of, denied, observation, with_reason
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.systems import LOINC, US_CORE_CATEGORY
from ccda.fhir.times import Json, date_time, when
from ccda.hl7v3 import CD

_SMOKING: Final = {"coding": [{"system": LOINC, "code": "72166-2"}]}
_PREGNANCY: Final = {"coding": [{"system": LOINC, "code": "82810-3"}]}
_DELIVERY: Final = {"coding": [{"system": LOINC, "code": "11778-8"}]}
_SMOKING_CODES: Final = frozenset(("72166-2", "11367-0", "63640-7", "8663-7"))
# SNOMED CT: pregnant, not pregnant, possible pregnancy (US Core: pregnancy status).
_PREGNANT: Final = frozenset(("77386006", "60001007", "146799005", "102874004"))
# Questions of social determinants of health that documents ask (Gravity Project, LOINC).
_DETERMINANTS: Final = frozenset(
    "71802-3 93033-9 93034-7 88121-9 88122-7 88123-5 88124-3 76437-3 76501-6 76513-1 63586-2 "
    "67875-5 93025-5 93026-3 93027-1 93028-9 93029-7 93030-5 93031-3 93035-4 93038-8 93159-2 "
    "96777-8 96778-6 96779-4 97027-7 99549-4 56799-0 71969-0 82589-3 63503-7 63512-8".split()
)
_SDOH: Final = {"coding": [{"system": US_CORE_CATEGORY, "code": "sdoh"}]}


def add_social_history(statements: Sequence[Statement], resources: Resources) -> None:
    for statement in statements:
        form = with_reason(_observation(statement, resources))
        resources.state(statement, "Observation", form)


def _observation(statement: Statement, resources: Resources) -> Json:
    code = statement.entry.code
    asked = None if code is None else code.code
    more = (_SDOH,) if asked in _DETERMINANTS else ()
    if (question := statement.one("question")) is not None:
        return _smoking(statement, resources, question)
    form = observation(
        statement,
        resources,
        category="social-history",
        more_categories=more,
        code=_PREGNANCY if _is_pregnancy(statement) else None,
    )
    if _is_pregnancy(statement):
        return _pregnancy(form, statement)
    return form


def _smoking(statement: Statement, resources: Resources, question: Any) -> Json:
    """The reader tells the answer as the code; FHIR asks for question and answer.

    Codes of the older templates are kept where they are questions of tobacco use; an assertion
    is a smoking status (C-CDA on FHIR: smoking status).
    """
    entry = statement.entry
    written = question.get("code") if isinstance(question, dict) else None
    asked = form_concept(question) if written in _SMOKING_CODES else None
    form = observation(statement, resources, category="social-history", code=asked or _SMOKING)
    answer = concept(entry.code, entry.text)
    if answer is not None:
        told = [name for name in form if name.startswith("value") or name == "dataAbsentReason"]
        form = {name: part for name, part in form.items() if name not in told}
        amount = amount_of(entry.text, None) if entry.code is None else None
        said = {"valueQuantity": amount} if amount else {"valueCodeableConcept": answer}
        form |= denied(said) if entry.negated else said
    return form


def _is_pregnancy(statement: Statement) -> bool:
    entry = statement.entry
    asked = None if entry.code is None else entry.code.code
    value = entry.value.code if isinstance(entry.value, CD) else None
    return asked == "82810-3" or (asked == "ASSERTION" and value in _PREGNANT)


def _pregnancy(form: Json, statement: Statement) -> Json:
    """One moment; the estimated date of delivery is a component."""
    entry = statement.entry
    times = (entry.time, entry.start, entry.end, *(author.time for author in entry.authors))
    moment = next((found for time in times if (found := when(time))), None)
    rest = {
        n: part for n, part in form.items() if n not in ("effectivePeriod", "effectiveDateTime")
    }
    due = statement.one("estimated_delivery_date")
    told = due.get("value") if isinstance(due, dict) else None
    date = date_time(told.get("value") if isinstance(told, dict) else None)
    component = [{"code": _DELIVERY, "valueDateTime": date}] if date else None
    return {**rest, **stated(effectiveDateTime=moment, component=component)}
