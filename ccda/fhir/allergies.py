"""AllergyIntolerance (C-CDA on FHIR: allergies).

"No known allergies" is one too, with a code that says so: CDA writes it as a denied class. That
nothing is recorded of allergies makes none.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ccda.condition_status import condition_status
from ccda.fhir import concept_maps, systems
from ccda.fhir.actors import recorder
from ccda.fhir.conditions import recorded
from ccda.fhir.datatypes import (
    code_of,
    concept,
    form_concept,
    is_negated,
    notes,
    of_system,
    stated,
)
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.times import Json, when

_ABATEMENT: Final = "http://hl7.org/fhir/StructureDefinition/allergyintolerance-abatement"
# "No known allergies" had another code in SNOMED CT, which C-CDA R1.1 and its elders used.
_DENIALS: Final = frozenset((*dict(concept_maps.NO_KNOWN_ALLERGY.values()), "160244002"))


def add_allergies(statements: Sequence[Statement], resources: Resources) -> None:
    for statement in statements:
        resources.state(statement, "AllergyIntolerance", _allergy(statement, resources))


def denied_class(statement: Statement) -> Json | None:
    """The code for "no known …" of an entry that says just this (CF-NoKnownAllergies)."""
    entry = statement.entry
    code = None if entry.code is None else entry.code.code
    if code in _DENIALS:
        return concept(entry.code)
    kind = statement.one("type")
    asked = kind.get("code") if isinstance(kind, dict) else None
    named = concept_maps.NO_KNOWN_ALLERGY.get(code or "") or concept_maps.NO_KNOWN_ALLERGY.get(
        asked or ""
    )
    if not entry.negated or named is None:
        return None
    return of_system(systems.SNOMED, *named)


def _allergy(statement: Statement, resources: Resources) -> Json:
    entry = statement.entry
    denial = denied_class(statement) if entry.no_information else None
    typed = _kind(statement) if denial is None else None
    end = when(entry.end)
    verification = (
        "refuted"
        if entry.negated and denial is None and not statement.is_in_error
        else concept_maps.ALLERGY_VERIFICATION.get(entry.status or "")
    )
    category = concept_maps.ALLERGY_CATEGORY.get(typed or "")
    return {
        **stated(extension=[{"url": _ABATEMENT, "valueDateTime": end}] if end else None),
        # FHIR R4: ait-2, what was entered in error is in no clinical state.
        **({} if verification == "entered-in-error" else {"clinicalStatus": _clinical(statement)}),
        **stated(
            verificationStatus=of_system(systems.ALLERGY_VERIFICATION, verification)
            if verification
            else None,
            type=concept_maps.ALLERGY_TYPE.get(typed or ""),
            category=[category] if category else None,
            criticality=_criticality(statement.one("criticality")),
            code=denial or concept(entry.code, entry.text),
        ),
        **resources.about(statement, patient="patient"),
        **stated(
            onsetDateTime=when(entry.start) or when(entry.time),
            recordedDate=recorded(statement),
            recorder=recorder(statement, resources),
            note=notes(entry.details.get("comment"), statement.conflict),
            reaction=_reactions(statement),
        ),
    }


def _kind(statement: Statement) -> str | None:
    """Which kind of allergy: the value, or the code where the value is the allergen (HITSP C32)."""
    told = (statement.one("type"), statement.one("observation"))
    codes = [str(form.get("code")) for form in told if isinstance(form, dict)]
    return next((code for code in codes if code in concept_maps.ALLERGY_KINDS), None)


def _clinical(statement: Statement) -> Json:
    """FHIR R4: ait-1 demands one. An allergy without an end that nobody calls inactive holds."""
    entry = statement.entry
    status = concept_maps.ALLERGY_CLINICAL.get(condition_status(entry) or "")
    if when(entry.end) is not None and status in (None, "active"):
        status = "inactive"
    return of_system(systems.ALLERGY_CLINICAL, status or "active")


def _criticality(form: Any) -> str | None:
    return _mapped(form, concept_maps.CRITICALITY)


def _severity(form: Any) -> str | None:
    return _mapped(form, concept_maps.SEVERITY)


def _mapped(form: Any, table: Mapping[str, str]) -> str | None:
    code = None if is_negated(form) else code_of(form)
    return None if code is None else table.get(code.code or "")


def _reactions(statement: Statement) -> list[Json]:
    """Each manifestation; a severity told of the allergy is that of each (C-CDA on FHIR)."""
    whole = _severity(statement.one("severity"))
    reactions = []
    for form in statement.all("reaction"):
        manifestation = form_concept(form)
        if manifestation is not None and not is_negated(form):
            severity = _severity(form.get("severity")) or whole
            reactions.append(stated(manifestation=[manifestation], severity=severity))
    return reactions
