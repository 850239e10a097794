"""Procedure, in C-CDA's three forms; what is only intended is a ServiceRequest.

C-CDA on FHIR: procedures.
"""

from collections.abc import Sequence

from ccda.fhir import concept_maps
from ccda.fhir.actors import location, performers, recorder
from ccda.fhir.datatypes import concept, concepts, notes, stated, words
from ccda.fhir.devices import device_of
from ccda.fhir.observations import specimen
from ccda.fhir.reasons import reason_codes, reasons
from ccda.fhir.resources import Resources
from ccda.fhir.service_requests import add_service_request
from ccda.fhir.statement import Statement
from ccda.fhir.times import Json, absent, period
from ccda.hl7v3 import CD


def add_procedures(statements: Sequence[Statement], resources: Resources) -> None:
    for statement in statements:
        if statement.entry.mood in (None, "EVN"):
            add_procedure(statement, resources)
        else:
            add_service_request(statement, resources)


def add_procedure(statement: Statement, resources: Resources) -> None:
    entry = statement.entry
    status = concept_maps.PROCEDURE.get(entry.status or "", "unknown")
    not_done = status == "not-done" or (entry.negated and not statement.is_in_error)
    why = reason_codes(statement)
    place = location(statement.one("location"), statement.documents, resources)
    form = {
        "status": "not-done" if not_done else status,
        **stated(statusReason=why[0] if not_done and why else None),
        "code": concept(entry.code, entry.text) or absent(),
        **resources.about(statement),
        **_performed(statement),
        **stated(
            recorder=recorder(statement, resources),
            performer=[{"actor": one} for one in performers(statement, resources)],
            location=place,
            **({} if not_done else reasons(statement, resources)),
            bodySite=concepts(entry.details.get("target_site")),
            outcome=concept(entry.value) if isinstance(entry.value, CD) else None,
            note=notes(entry.details.get("comment"), _found(statement), statement.conflict),
            focalDevice=[] if not_done or statement.is_in_error else _devices(statement, resources),
        ),
    }
    sample = specimen(statement, resources)
    resources.state(statement, "Procedure", form)
    if sample is not None:
        resources.link(statement, sample)


def _devices(statement: Statement, resources: Resources) -> list[Json]:
    """What was placed or removed: where nothing was done, nobody has it."""
    made = (
        device_of(device, statement, resources, number)
        for number, device in enumerate(statement.all("device"))
    )
    return [{"manipulated": device} for device in made if device is not None]


def _performed(statement: Statement) -> Json:
    """The time or the period; where there is none, that it is unknown (C-CDA on FHIR)."""
    moment = statement.moment
    if moment is not None:
        return {"performedDateTime": moment}
    span = period(statement.entry.start, statement.entry.end)
    return {"performedPeriod": span} if span else {"_performedDateTime": absent()}


def _found(statement: Statement) -> str | None:
    """What a procedure in the form of an observation found, where that is no code."""
    entry = statement.entry
    if not isinstance(entry.value, str):
        return None
    return words(f"{entry.value} {entry.unit or ''}")
