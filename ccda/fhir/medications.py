"""MedicationRequest, and MedicationAdministration for what was administered.

C-CDA on FHIR: medications. The guide found no consensus for a medication that is taken (moodCode
EVN); its ConceptMap makes it a request with intent plan, as US Core's medication list does.
"""

from collections.abc import Sequence
from typing import Any, Final

from ccda.fhir import concept_maps
from ccda.fhir.actors import organization, performers, recorder
from ccda.fhir.conditions import recorded
from ccda.fhir.datatypes import (
    concept,
    form_concept,
    form_quantity,
    notes,
    stated,
    text_identifiers,
    words,
)
from ccda.fhir.dosage import dosage
from ccda.fhir.numbers import whole
from ccda.fhir.reasons import reasons
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.times import Json, absent, date_time, is_after, period, period_of, when

_ADMINISTERED: Final = "29549-3"


def add_medications(statements: Sequence[Statement], resources: Resources) -> None:
    for statement in statements:
        if statement.section == _ADMINISTERED and statement.entry.mood in (None, "EVN"):
            form = _administration(statement, resources)
            resources.state(statement, "MedicationAdministration", form)
        else:
            intent = concept_maps.INTENT.get(statement.entry.mood or "EVN", "plan")
            add_request(statement, resources, intent)


def add_request(statement: Statement, resources: Resources, intent: str) -> None:
    """A MedicationRequest of that intent: of a medication list, or planned."""
    entry = statement.entry
    how = dosage(statement)
    form = {
        "status": _status(statement, resources),
        "intent": intent,
        **({"doNotPerform": True} if entry.negated else {}),
        **medication(statement, resources),
        **resources.about(statement),
        **stated(
            authoredOn=recorded(statement),
            requester=recorder(statement, resources),
            **reasons(statement, resources),
            note=notes(entry.details.get("comment"), statement.conflict),
            dosageInstruction=[how] if how else None,
            dispenseRequest=_dispense(statement),
        ),
    }
    resources.state(statement, "MedicationRequest", form)


def medication(statement: Statement, resources: Resources) -> Json:
    """A code, or a Medication where its form, maker, lot or vehicle is told beside it."""
    entry = statement.entry
    code = concept(entry.code, words(entry.details.get("product_name")) or entry.text)
    maker = organization(resources, statement.documents, entry.details.get("manufacturer"))
    form = form_concept(statement.one("form"))
    lot = words(entry.details.get("lot_number"))
    vehicles = [
        {"itemCodeableConcept": vehicle, "isActive": False}
        for part in statement.all("participant")
        if part.get("type") == "CSM" and (vehicle := form_concept(part.get("entity")))
    ]
    if maker is None and form is None and lot is None and not vehicles:
        return {"medicationCodeableConcept": code or absent()}
    body = stated(
        identifier=text_identifiers(entry.details.get("product_ids")),
        code=code,
        manufacturer=maker,
        form=form,
        ingredient=vehicles,
        batch={"lotNumber": lot} if lot else None,
    )
    made = resources.add("Medication", statement.key, body, statement.documents)
    return {"medicationReference": made}


def _status(statement: Statement, resources: Resources) -> str:
    """Completed may mean written out: what ends in the source's future is active."""
    entry = statement.entry
    status = concept_maps.MEDICATION_REQUEST.get(entry.status or "", "unknown")
    if status == "completed" and is_after(when(entry.end), resources.spoken):
        return "active"
    return status


def _dispense(statement: Statement) -> Json | None:
    """The supply that is ordered, not what was dispensed; the first fill is no repeat."""
    for form in statement.all("supply"):
        # A part of a statement tells its mood only where that is not EVN.
        if form.get("mood", "EVN" if "statement" in form else None) != "EVN":
            end = date_time(form.get("end"))
            start = date_time(form.get("start"))
            total = whole(form.get("repeat_number"))
            return (
                stated(
                    validityPeriod=period_of(start, end),
                    numberOfRepeatsAllowed=max(total - 1, 0) if total is not None else None,
                    quantity=form_quantity(form.get("quantity")),
                )
                or None
            )
    return None


def _administration(statement: Statement, resources: Resources) -> Json:
    entry = statement.entry
    status = concept_maps.ADMINISTRATION.get(entry.status or "", "unknown")
    who: list[Any] = performers(statement, resources)
    return {
        "status": "not-done" if entry.negated and not statement.is_in_error else status,
        **medication(statement, resources),
        "subject": resources.patient,
        **stated(context=resources.encounter_of(statement)),
        **_effective(statement),
        **stated(
            performer=[{"actor": one} for one in who],
            **reasons(statement, resources),
            note=notes(entry.details.get("comment"), statement.conflict),
            dosage=_given(statement),
        ),
    }


def _effective(statement: Statement) -> Json:
    moment = statement.moment
    if moment is not None:
        return {"effectiveDateTime": moment}
    whole_period = period(statement.entry.start, statement.entry.end)
    return {"effectivePeriod": whole_period} if whole_period else {"_effectiveDateTime": absent()}


def _given(statement: Statement) -> Json | None:
    """FHIR R4: mad-1, a dosage has a dose or a rate."""
    details = statement.entry.details
    dose, rate = form_quantity(details.get("dose")), form_quantity(details.get("rate"))
    if dose is None and rate is None:
        return None
    return stated(
        text=words(details.get("sig")),
        site=form_concept(statement.one("site")),
        route=form_concept(statement.one("route")),
        dose=dose,
        rateQuantity=rate,
    )
