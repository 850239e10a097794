"""Immunization, given or refused (C-CDA on FHIR: immunizations)."""

from collections.abc import Sequence

from ccda.fhir import concept_maps, systems
from ccda.fhir.actors import organization, performers
from ccda.fhir.conditions import recorded
from ccda.fhir.datatypes import (
    concept,
    form_concept,
    form_quantity,
    is_negated,
    notes,
    of_system,
    stated,
    words,
)
from ccda.fhir.medications import add_request
from ccda.fhir.numbers import whole
from ccda.fhir.reasons import reasons
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.times import Json, absent, when


def add_immunizations(statements: Sequence[Statement], resources: Resources) -> None:
    """What was only intended is a request: an Immunization is an event."""
    for statement in statements:
        if statement.entry.mood in (None, "EVN"):
            resources.state(statement, "Immunization", _immunization(statement, resources))
        else:
            intent = concept_maps.PLANNED_INTENT.get(statement.entry.mood or "", "plan")
            add_request(statement, resources, intent)


def _immunization(statement: Statement, resources: Resources) -> Json:
    entry = statement.entry
    details = entry.details
    status = _status(statement)
    moment = when(entry.time) or when(entry.start)
    told = statement.one("reaction")
    reaction = None if is_negated(told) else form_concept(told)
    name = reaction and (reaction.get("text") or reaction["coding"][0]["code"])
    return {
        "status": status,
        **stated(statusReason=_refusal(statement) if status == "not-done" else None),
        "vaccineCode": concept(entry.code, words(details.get("product_name")) or entry.text)
        or absent(),
        **resources.about(statement, patient="patient"),
        **({"occurrenceDateTime": moment} if moment else {"_occurrenceDateTime": absent()}),
        **stated(
            recorded=recorded(statement),
            manufacturer=organization(resources, statement.documents, details.get("manufacturer")),
            lotNumber=words(details.get("lot_number")),
            site=form_concept(statement.one("site")),
            route=form_concept(statement.one("route")),
            doseQuantity=form_quantity(details.get("dose")),
            performer=[
                {"function": of_system(systems.IMMUNIZATION_FUNCTION, "AP"), "actor": one}
                for one in performers(statement, resources)
            ],
            note=notes(details.get("comment"), details.get("sig"), statement.conflict),
            **({} if status == "not-done" else reasons(statement, resources)),
            reaction=[{"detail": {"display": name}}] if name else None,
            protocolApplied=_series(statement),
        ),
    }


def _status(statement: Statement) -> str:
    """CF-ImmunizationStatus. Without a statusCode an event is one: it took place."""
    entry = statement.entry
    is_refused = entry.negated or entry.details.get("refusal_reason")
    if is_refused and not statement.is_in_error:
        return "not-done"
    return concept_maps.IMMUNIZATION.get(entry.status or "completed", "completed")


def _refusal(statement: Statement) -> Json | None:
    return form_concept(statement.one("refusal_reason"))


def _series(statement: Statement) -> list[Json]:
    """Which dose it was: of an event, repeatNumber counts the series."""
    written = statement.one("dose_number") or statement.one("repeat_number")
    count = whole(written) if isinstance(written, str) else None
    return [{"doseNumberPositiveInt": count}] if count is not None and count > 0 else []
