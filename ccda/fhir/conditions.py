"""Condition: problems, diagnoses and health concerns (C-CDA on FHIR: problems).

Each Problem Observation is one, whatever the number of acts around it. What nobody says, how
sure the condition is or whether it goes on, is left out: FHIR R4 has no code for not said.
"""

from collections.abc import Sequence
from typing import Final

from ccda.condition_status import condition_status
from ccda.fhir import concept_maps, systems
from ccda.fhir.actors import recorder
from ccda.fhir.datatypes import (
    concept,
    concepts,
    form_concept,
    form_quantity,
    is_negated,
    notes,
    of_system,
    stated,
)
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.times import Json, absent, date_time, in_order, when
from ccda.hl7v3 import CD

_ASSERTED: Final = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
_AGE_UNITS: Final = frozenset(("a", "mo", "wk", "d", "h", "min"))
# What is not so, or was entered in error, is in no clinical state (FHIR R4: con-5).
_UNSTANDING: Final = frozenset(("refuted", "entered-in-error"))


def add_problems(statements: Sequence[Statement], resources: Resources) -> None:
    for statement in statements:
        resources.state(statement, "Condition", condition(statement, resources))


def add_concerns(statements: Sequence[Statement], resources: Resources) -> None:
    """A health concern act gathers conditions: each is one; without any it is one itself."""
    for statement in statements:
        told = statement.all("concerns")
        gathered = [(code, one) for one in told if (code := form_concept(one)) is not None]
        if not gathered:
            resources.state(statement, "Condition", condition(statement, resources))
        for number, (code, one) in enumerate(gathered):
            is_denied = statement.entry.negated or is_negated(one)
            form = {**condition(statement, resources, is_denied=is_denied), "code": code}
            resources.state(statement, "Condition", form, f" {number}" if number else "")


def condition(statement: Statement, resources: Resources, *, is_denied: bool | None = None) -> Json:
    """`is_denied` where that is not simply the entry's negation."""
    entry = statement.entry
    abatement = _abatement(statement)
    is_denied = entry.negated if is_denied is None else is_denied
    verification = (
        "refuted"
        if is_denied and not statement.is_in_error
        else concept_maps.CONDITION_VERIFICATION.get(entry.status or "")
    )
    clinical = None if verification in _UNSTANDING else _clinical(statement, bool(abatement))
    asserted = _asserted(statement)
    return {
        **stated(
            extension=[{"url": _ASSERTED, "valueDateTime": asserted}] if asserted else None,
            clinicalStatus=of_system(systems.CONDITION_CLINICAL, clinical) if clinical else None,
            verificationStatus=of_system(systems.CONDITION_VERIFICATION, verification)
            if verification
            else None,
        ),
        "category": [_category(statement)],
        **stated(
            severity=form_concept(statement.one("severity")),
            code=_code(statement),
            bodySite=concepts(entry.details.get("target_site")),
        ),
        **resources.about(statement),
        **_onset(statement),
        **(abatement if verification not in _UNSTANDING else {}),
        **stated(
            recordedDate=recorded(statement),
            recorder=recorder(statement, resources),
            note=notes(entry.details.get("comment"), statement.conflict),
        ),
    }


def recorded(statement: Statement) -> str | None:
    """When the first author wrote it (C-CDA on FHIR: the earliest)."""
    times = (when(author.time) for author in statement.entry.authors)
    return next(iter(in_order(time for time in times if time is not None)), None)


def _code(statement: Statement) -> Json | None:
    """The condition; of a concern that only tracks, what it was found to be."""
    entry = statement.entry
    if entry.kind == "concern" and isinstance(entry.value, CD):
        return concept(entry.value)
    return concept(entry.code, entry.text)


def _clinical(statement: Statement, is_abated: bool) -> str | None:
    """con-4: what has abated is not active."""
    status = concept_maps.CONDITION_CLINICAL.get(condition_status(statement.entry) or "")
    if is_abated and status not in concept_maps.ABATED:
        # The status the source gives may say resolved in words we do not know; the end is sure.
        return "resolved" if status is None else "inactive"
    return status


def _category(statement: Statement) -> Json:
    """By the section (CF-ProblemCategory); a diagnosis in an encounter is the encounter's."""
    parent = statement.parent
    if parent is not None and parent.entry.kind == "encounter":
        return of_system(systems.CONDITION_CATEGORY, "encounter-diagnosis")
    code = concept_maps.CONDITION_CATEGORY.get(statement.section or "", "problem-list-item")
    if code == "health-concern" or statement.entry.kind == "concern":
        return of_system(systems.US_CORE_CONDITION_CATEGORY, "health-concern")
    return of_system(systems.CONDITION_CATEGORY, code)


def _onset(statement: Statement) -> Json:
    """onsetDateTime, else the age; only one of the two may stand."""
    entry = statement.entry
    moment = when(entry.start) or when(entry.time)
    if moment is not None:
        return {"onsetDateTime": moment}
    age = form_quantity(statement.one("age"))
    if age is not None and age.get("system") == systems.UCUM and age.get("code") in _AGE_UNITS:
        return {"onsetAge": age}
    return {}


def _abatement(statement: Statement) -> Json:
    """A high that is a time, or unknown: the condition ended (C-CDA on FHIR: problems)."""
    end = statement.entry.end
    moment = when(end)
    if moment is not None:
        return {"abatementDateTime": moment}
    if end is not None and end.null_flavor == "UNK":
        return {"_abatementDateTime": absent(end.null_flavor)}
    return {}


def _asserted(statement: Statement) -> str | None:
    """Date of Diagnosis (C-CDA R2.1 companion: 4.502)."""
    form = statement.one("date_of_diagnosis")
    return date_time(form.get("time") or form.get("start")) if isinstance(form, dict) else None
