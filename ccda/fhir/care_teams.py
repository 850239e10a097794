"""CareTeam: the organizer of the section, its members inside (C-CDA R2.1 companion: 4.500)."""

from collections.abc import Sequence
from typing import Final

from ccda.fhir import concept_maps
from ccda.fhir.actors import actor, participant
from ccda.fhir.datatypes import concept, form_concept, identifiers, notes, stated
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.times import Json, period
from ccda.model import ServiceEvent

_NO_ROLE: Final = "Role not stated"


def add_care_teams(statements: Sequence[Statement], resources: Resources) -> None:
    """A member that no team holds is a team of one."""
    for statement in statements:
        if statement.is_panel:
            parts = [
                part
                for part in statement.parts
                if not (part.entry.no_information or part.entry.negated)
                and part.about_other is None
            ]
            made = _add(statement, [statement, *parts], resources)
            for part in parts:
                resources.link(part, made)
    for statement in statements:
        if not statement.is_panel and statement.position not in resources.links:
            _add(statement, [statement], resources)


def _add(team: Statement, told: Sequence[Statement], resources: Resources) -> Json:
    entry = team.entry
    status = concept_maps.CARE_TEAM.get(entry.status or "")
    form = stated(
        status=status,
        name=entry.text or (entry.code.display if entry.code else None),
        subject=resources.patient,
        encounter=resources.encounter_of(team),
        period=period(entry.start or entry.time, entry.end),
        participant=[one for part in told for one in _members(part, resources)],
        note=notes(entry.details.get("comment"), team.conflict),
    )
    return resources.state(team, "CareTeam", form)


def _members(statement: Statement, resources: Resources) -> list[Json]:
    """US Core: each member has a role; what C-CDA calls function or code."""
    found = []
    for form in statement.all("performer"):
        who = actor(form, statement.documents, resources)
        role = form_concept(form.get("function")) or form_concept(form.get("code"))
        if who is not None:
            found.append(
                stated(
                    role=[role or concept(None, _NO_ROLE)],
                    member=who,
                    period=period(statement.entry.start, statement.entry.end),
                )
            )
    return found


def add_header_care_team(
    events: Sequence[ServiceEvent], documents: Sequence[str], resources: Resources
) -> None:
    """documentationOf: who performed the care that a document tells of is a team too."""
    for number, event in enumerate(events):
        members = []
        for one in event.performers:
            person, house = participant(one, documents, resources)
            who = person or house
            role = concept(one.function) or concept(one.code) or concept(None, _NO_ROLE)
            if who is not None:
                span = None if one.time is None else period(one.time.low, one.time.high)
                behalf = house if person is not None else None
                members.append(stated(role=[role], member=who, onBehalfOf=behalf, period=span))
        if members:
            span = None if event.time is None else period(event.time.low, event.time.high)
            body = stated(
                identifier=identifiers(event.ids),
                subject=resources.patient,
                period=span,
                participant=members,
            )
            key = f"{resources.scope} service event {number}"
            resources.add("CareTeam", key, body, documents)
