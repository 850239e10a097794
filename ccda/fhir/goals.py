"""Goal (C-CDA R2.1: 4.121 Goal Observation; US Core: goal)."""

from collections.abc import Sequence

from ccda.fhir import concept_maps
from ccda.fhir.actors import recorder
from ccda.fhir.conditions import recorded
from ccda.fhir.datatypes import concept, notes, quantity, stated, words
from ccda.fhir.findings import add_findings
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.times import Json, absent, day, when
from ccda.hl7v3 import CD
from ccda.model import Interval


def add_goals(statements: Sequence[Statement], resources: Resources) -> None:
    """What came of a goal (Outcome Observation, 4.144) is an Observation, not a goal again."""
    for statement in statements:
        if statement.entry.details.get("outcome"):
            add_findings([statement], resources)
        else:
            add_goal(statement, resources)


def add_goal(statement: Statement, resources: Resources) -> None:
    """FHIR R4 demands a lifecycleStatus: one nobody states is a goal that is proposed no more
    than accepted, so the words of the source decide, and where there are none, active is not.
    What the source says is no goal was rejected.
    """
    entry = statement.entry
    status = concept_maps.GOAL.get(entry.status or "", "proposed")
    start = day(when(entry.start) or when(entry.time))
    target = None if entry.negated else _target(statement)
    changed = day(recorded(statement))
    form = {
        "lifecycleStatus": "rejected" if entry.negated and not statement.is_in_error else status,
        "description": concept(entry.code, entry.text) or _described(statement) or absent(),
        "subject": resources.patient,
        **stated(
            startDate=start,
            target=[target] if target else None,
            statusDate=changed,
            expressedBy=recorder(statement, resources),
            note=notes(entry.details.get("comment"), _in_words(statement), statement.conflict),
        ),
    }
    resources.state(statement, "Goal", form)


def _described(statement: Statement) -> Json | None:
    """A goal that nothing names is what is to be reached, where that is told in words."""
    said = _in_words(statement)
    return {"text": said} if said else None


def _target(statement: Statement) -> Json | None:
    """FHIR R4: gol-1, a detail needs its measure."""
    entry = statement.entry
    measure = concept(entry.code)
    detail: Json = {}
    if measure is not None and "coding" in measure:
        if isinstance(entry.value, CD):
            detail = stated(detailCodeableConcept=concept(entry.value))
        elif isinstance(entry.value, str):
            detail = stated(detailQuantity=quantity(entry.value, entry.unit))
        elif isinstance(entry.value, Interval):
            bounds = stated(
                low=quantity(entry.value.low, entry.unit),
                high=quantity(entry.value.high, entry.unit),
            )
            detail = stated(detailRange=bounds or None)
    due = day(when(entry.end))
    if not detail and due is None:
        return None
    return stated(measure=measure if detail else None, **detail, dueDate=due)


def _in_words(statement: Statement) -> str | None:
    """A goal that is told in words, or whose number has no measure."""
    entry = statement.entry
    if not isinstance(entry.value, str) or quantity(entry.value) is not None:
        return None
    return words(entry.value)
