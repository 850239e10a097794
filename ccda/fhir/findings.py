"""Functional and mental status, advance directives: Observations, and panels of them.

C-CDA R2.1: 2.25, 2.42 and 3.1. An advance directive is told as what was found of it, as later
releases of US Core do: whom it permits what is in the directive itself, not in C-CDA.
"""

from collections.abc import Sequence
from typing import Final

from ccda.fhir.actors import actor
from ccda.fhir.datatypes import stated
from ccda.fhir.observations import members, observation, panel_effective, with_reason
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.systems import US_CORE_CATEGORY
from ccda.fhir.times import Json
from ccda.model import Kind

_CATEGORIES: Final[dict[Kind, str]] = {
    "functional_status": "functional-status",
    "mental_status": "cognitive-status",
}


def add_findings(statements: Sequence[Statement], resources: Resources) -> None:
    """Parts first: a panel refers to them."""
    for statement in reversed(statements):
        code = _CATEGORIES.get(statement.entry.kind)
        more: tuple[Json, ...] = ()
        if code is not None:
            more = ({"coding": [{"system": US_CORE_CATEGORY, "code": code}]},)
        form = observation(statement, resources, category=None, more_categories=more)
        if statement.is_panel:
            form |= stated(**panel_effective(statement), hasMember=members(statement, resources))
        form |= stated(performer=[*form.get("performer", ()), *_verifiers(statement, resources)])
        resources.state(statement, "Observation", with_reason(form))


def _verifiers(statement: Statement, resources: Resources) -> list[Json]:
    """parties: who verified the directive (VRF)."""
    parties = [form for form in statement.all("parties") if form.get("type") == "VRF"]
    found = (actor(form, statement.documents, resources) for form in parties)
    return [reference for reference in found if reference is not None]
