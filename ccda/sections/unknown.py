"""Sections no code and no template names: each entry is what its template or structure says."""

from collections.abc import Callable, Iterator
from typing import Final

from ccda import templates
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections import (
    advance_directives,
    allergies,
    care_teams,
    coverage,
    devices,
    encounters,
    family_history,
    functional_status,
    immunizations,
    medications,
    plans,
    problems,
    procedures,
    results,
    social_history,
)
from ccda.sections.statement import Statement, walk
from ccda.sections.structure import reader_by_structure

Reader = Callable[[Statement, Narrative], Iterator[Entry]]

# The first template that the entry, or else a statement inside it, has decides.
_READERS: Final[tuple[tuple[frozenset[str], Reader], ...]] = (
    (templates.ALLERGY_OBSERVATION, allergies.read),
    (templates.ENCOUNTER_ACTIVITY, encounters.read),
    (templates.PROBLEM_OBSERVATION, problems.read_diagnoses),
    (templates.IMMUNIZATION_ACTIVITY, immunizations.read),
    (templates.MEDICATION_ACTIVITY, medications.read),
    (templates.VITAL_SIGN_OBSERVATION | templates.VITAL_SIGNS_ORGANIZER, results.read_vital_signs),
    (templates.RESULT_OBSERVATION | templates.RESULT_ORGANIZER, results.read_results),
    (templates.SMOKING_STATUS | templates.SOCIAL_HISTORY_OBSERVATION, social_history.read),
    (templates.FAMILY_HISTORY_ORGANIZER, family_history.read),
    (templates.FUNCTIONAL_STATUS, functional_status.read_functional_status),
    (templates.MENTAL_STATUS, functional_status.read_mental_status),
    (templates.COVERAGE_ACTIVITY | templates.POLICY_ACTIVITY, coverage.read),
    (templates.ADVANCE_DIRECTIVE, advance_directives.read),
    (templates.GOAL_OBSERVATION, plans.read_goals),
    (templates.HEALTH_CONCERN, plans.read_concern),
    (templates.CARE_TEAM, care_teams.read),
    (templates.DEVICE_SUPPLY, devices.read),
    (templates.PROCEDURE_ACTIVITY, procedures.read),
    (templates.PLANNED, plans.read_plan),
)
_REMARKS: Final = templates.COMMENT | templates.INSTRUCTION | templates.ENTRY_REFERENCE
_MEASURED_OR_GIVEN: Final[tuple[Reader, ...]] = (
    results.read_results,
    results.read_vital_signs,
    medications.read,
    immunizations.read,
    allergies.read,
)


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """The entries of the kind the templates name, or without any what they can only be."""
    reader = reader_for(top) or _by_structure(top, narrative)
    if reader is not None:
        yield from reader(top, narrative)


def _by_structure(top: Statement, narrative: Narrative) -> Reader | None:
    """The reader of what no template names.

    A template that a sender made for itself names nothing to us; one of the standards that we do
    not read says that the statement is something else. A remark inside says nothing of the kind.
    """
    if any(map(templates.is_standard, _templates_in(top))):
        return None
    return reader_by_structure(top, narrative)


def _templates_in(top: Statement) -> Iterator[str]:
    for statement in walk(top):
        if statement is top or not statement.is_a(_REMARKS):
            yield from statement.templates


def read_among_words(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """What is measured or given, in a section that its standard fills with words alone.

    A discharge summary's studies may hold the results themselves; a finding or an indication in
    such a section is a part of what the words tell.
    """
    reader = reader_for(top) or _by_structure(top, narrative)
    if reader is not None and reader in _MEASURED_OR_GIVEN:
        yield from reader(top, narrative)


def read_misplaced(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """What stands in the section of another kind, and says by its template what it is."""
    reader = reader_for(top)
    if reader is not None:
        yield from reader(top, narrative)


def reader_for(top: Statement) -> Reader | None:
    for statement in walk(top):
        for template, reader in _READERS:
            if statement.is_a(template):
                return reader
    return None
