"""Allergies and intolerances (C-CDA R2.1: 3.6 Allergy - Intolerance Observation, 4.7).

Details: `type`, `allergen_name` (where it says more than the code), `observation` (the
statement's own code), `severity`, `criticality`, `clinical_status`, `concern`, and `reaction`, a
list of manifestations with `severity`, `ids`, `negated`, times, `author` and their parts.
"""

from collections.abc import Iterator
from typing import Final

from ccda import templates
from ccda.hl7v3 import CD
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import Form, code_form, person_name, read_code, without_none
from ccda.sections.participants import author_forms, id_texts
from ccda.sections.parts import with_parts
from ccda.sections.problems import (
    clinical_status,
    concern_form,
    concern_of,
    inner_value,
    is_qualifier,
)
from ccda.sections.statement import Statement, first, walk
from ccda.sections.times import read_times
from ccda.sections.value import read_value

_OUTSIDE_OBSERVATIONS: Final = frozenset(
    "act organizer encounter procedure substanceAdministration supply".split()
)


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """Every allergy observation in an entry: what is observed, not its reactions."""
    for statement in walk(top, _OUTSIDE_OBSERVATIONS):
        if statement.name != "observation":
            continue
        if statement.is_a(templates.ALLERGY_OBSERVATION) or not is_qualifier(statement):
            yield read_allergy(statement, narrative)


def read_allergy(statement: Statement, narrative: Narrative) -> Entry:
    """`code` is the allergen; which kind of allergy it is stands in the details."""
    concern = concern_of(statement)
    kind = read_value(statement.one("value"), narrative).value
    allergen, name = _allergen(statement, narrative)
    if allergen is None and name is None:
        # Without an allergen the value is all there is: "no known allergies", "drug allergy".
        allergen = kind if isinstance(kind, CD) else None
        name = kind if isinstance(kind, str) else None
    status, status_form = clinical_status(statement, concern, templates.ALLERGY_STATUS, narrative)
    return make_entry(
        statement,
        "allergy",
        narrative,
        code=allergen,
        name=name,
        status=status,
        negated=concern is not None and concern.is_negated,
        details=without_none(
            type=code_form(kind) if isinstance(kind, CD) else None,
            allergen_name=None if allergen is None or name == allergen.display else name,
            observation=_observation_code(statement, narrative),
            reaction=_reactions(statement, narrative),
            severity=inner_value(statement, templates.SEVERITY_OBSERVATION, narrative, "SEV"),
            criticality=inner_value(
                statement, templates.CRITICALITY_OBSERVATION, narrative, "82606-5"
            ),
            clinical_status=status_form,
            concern=concern_form(concern, narrative),
        ),
    )


def _allergen(statement: Statement, narrative: Narrative) -> tuple[CD | None, str | None]:
    """The consumable participant's playing entity: its code and its name."""
    participants = statement.all("participant")
    consumed = [p for p in participants if p.get("typeCode") == "CSM"] or participants
    for participant in consumed:
        entity = first(participant, "participantRole", "playingEntity")
        if entity is not None:
            return (
                narrative.code(first(entity, "code")),
                person_name(first(entity, "name")),
            )
    return None, None


def _reactions(statement: Statement, narrative: Narrative) -> list[Form]:
    """Each manifestation with its own severity."""
    forms = []
    for inner in statement.inner:
        if inner.name == "observation" and (
            inner.is_a(templates.REACTION_OBSERVATION) or inner.relation == "MFST"
        ):
            form = _reaction(inner, narrative)
            if form is not None:
                inner.told = True
                forms.append(form)
    return forms


def _reaction(statement: Statement, narrative: Narrative) -> Form | None:
    """The manifestation, with its own severity, ids, times and what stands inside it."""
    value = read_value(statement.one("value"), narrative).value
    if isinstance(value, CD):
        form = code_form(value)
    else:
        text = value if isinstance(value, str) else narrative.text(statement.one("text"))
        form = {"code": None, "system": None, "display": text} if text else None
    severity = inner_value(statement, templates.SEVERITY_OBSERVATION, narrative, "SEV")
    if form is None:
        return None
    form |= without_none(
        severity=severity,
        ids=id_texts(statement.children),
        negated=True if statement.is_negated else None,
        **read_times(statement).form(),
        author=author_forms(statement.all("author")),
    )
    return with_parts(form, statement, narrative)


def _observation_code(statement: Statement, narrative: Narrative) -> Form | None:
    """What the observation asks, where that is more than an assertion (R1.1: an alert type)."""
    if statement.code_of("code") == "ASSERTION":
        return None
    return read_code(statement.one("code"), narrative)
