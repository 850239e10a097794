"""The plan of treatment, by the form of each statement and its mood (C-CDA R2.1: 2.53).

A goal is a Goal, a drug a MedicationRequest, anything else to be done a ServiceRequest. What
stands in a plan and has been done already is told as done.
"""

from collections.abc import Sequence

from ccda.fhir import concept_maps
from ccda.fhir.goals import add_goal
from ccda.fhir.medications import add_request
from ccda.fhir.observations import observation, with_reason
from ccda.fhir.procedures import add_procedure
from ccda.fhir.resources import Resources
from ccda.fhir.service_requests import add_service_request
from ccda.fhir.statement import Statement


def add_plans(statements: Sequence[Statement], resources: Resources) -> None:
    for statement in statements:
        _add_plan(statement, resources)


def _add_plan(statement: Statement, resources: Resources) -> None:
    entry = statement.entry
    form = entry.details.get("statement")
    if entry.mood == "GOL":
        add_goal(statement, resources)
    elif form in ("substanceAdministration", "supply"):
        add_request(statement, resources, concept_maps.PLANNED_INTENT.get(entry.mood or "", "plan"))
    elif entry.mood == "EVN" and form == "observation":
        found = with_reason(observation(statement, resources, category=None))
        resources.state(statement, "Observation", found)
    elif entry.mood == "EVN":
        add_procedure(statement, resources)
    else:
        add_service_request(statement, resources)
