"""ServiceRequest: what is ordered, proposed or planned to be done (C-CDA R2.1: 4.39 to 4.44).

A planned visit is one too. An Appointment would need a start, an end and who accepted it, which
C-CDA does not say.
"""

from ccda.fhir import concept_maps
from ccda.fhir.actors import indications, location, performers, recorder
from ccda.fhir.conditions import recorded
from ccda.fhir.datatypes import concept, concepts, notes, stated
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.times import Json, absent, period


def add_service_request(statement: Statement, resources: Resources) -> None:
    entry = statement.entry
    place = location(statement.one("location"), statement.documents, resources)
    instructions = [text for text in statement.all("instruction") if isinstance(text, str)]
    form = {
        "status": concept_maps.SERVICE_REQUEST.get(entry.status or "", "unknown"),
        "intent": concept_maps.PLANNED_INTENT.get(entry.mood or "", "plan"),
        **({"doNotPerform": True} if entry.negated else {}),
        "code": concept(entry.code, entry.text) or absent(),
        **resources.about(statement),
        **_occurrence(statement),
        **stated(
            authoredOn=recorded(statement),
            requester=recorder(statement, resources),
            performer=performers(statement, resources),
            locationReference=[place] if place else None,
            reasonCode=indications(statement),
            bodySite=concepts(entry.details.get("target_site")),
            note=notes(entry.details.get("comment"), statement.conflict),
            patientInstruction="\n".join(instructions).strip() or None,
        ),
    }
    resources.state(statement, "ServiceRequest", form)


def _occurrence(statement: Statement) -> Json:
    moment = statement.moment
    if moment is not None:
        return {"occurrenceDateTime": moment}
    span = period(statement.entry.start, statement.entry.end)
    return {"occurrencePeriod": span} if span else {}
