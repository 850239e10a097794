"""Allergies and intolerances (C-CDA R2.1: 3.6 Allergy - Intolerance Observation, 4.7).

Details: `type`, `allergen_name` (where it says more than the code), `other_allergens`, where
one statement names several, `observation` (the
statement's own code), `severity`, `criticality`, `clinical_status`, `concern`, and `reaction`, a
list of manifestations with `severity`, `ids`, `negated`, times, `author` and their parts.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from ccda import templates
from ccda.hl7v3 import CD
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import Form, code_form, name_of, person_name, read_code, without_none
from ccda.sections.no_information import names_nothing
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
        if statement.is_a(templates.ALLERGY_OBSERVATION) or not _only_qualifies(statement):
            yield read_allergy(statement, narrative)


def read_allergy(statement: Statement, narrative: Narrative) -> Entry:
    """`code` is the allergen; which kind of allergy it is stands in the details."""
    concern = concern_of(statement)
    kind = read_value(statement.one("value"), narrative).value
    (allergen, name), *others = _allergens(statement, narrative)
    qualifying = _qualifying(statement, concern)
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
            other_allergens=[_named(*other) for other in others],
            observation=_observation_code(statement, narrative),
            reaction=_reactions(qualifying, narrative),
            severity=inner_value(qualifying, templates.SEVERITY_OBSERVATION, narrative, "SEV"),
            criticality=inner_value(
                qualifying, templates.CRITICALITY_OBSERVATION, narrative, "82606-5"
            ),
            clinical_status=status_form,
            concern=concern_form(concern, narrative),
        ),
    )


def _allergens(statement: Statement, narrative: Narrative) -> list[tuple[CD | None, str | None]]:
    """The consumable participants' playing entities, code and name; at least one, named or not."""
    participants = statement.all("participant")
    consumed = [p for p in participants if p.get("typeCode") == "CSM"] or participants
    entities = (first(one, "participantRole", "playingEntity") for one in consumed)
    found = [
        (narrative.code(first(entity, "code")), person_name(first(entity, "name")))
        for entity in entities
        if entity is not None
    ]
    named = [one for one in found if len(found) > 1 and not names_nothing(one[0], _words(*one))]
    return named or found[:1] or [(None, None)]


def _words(code: CD | None, name: str | None) -> str | None:
    return name or name_of(code)


def _named(code: CD | None, name: str | None) -> Form:
    return code_form(code) or {"code": None, "system": None, "display": name}


def _qualifying(statement: Statement, concern: Statement | None) -> list[Statement]:
    """What is inside; beside it too, where the act tracks this allergy alone."""
    if concern is None or concern is not statement.above:
        return statement.inner
    observed = (one for one in concern.inner if one.name == "observation")
    tracked = (one for one in observed if not _only_qualifies(one))
    if len(list(islice(tracked, 2))) > 1:
        return statement.inner
    return [*statement.inner, *(one for one in concern.inner if _only_qualifies(one))]


def _only_qualifies(statement: Statement) -> bool:
    return statement.relation == "MFST" or is_qualifier(statement)


def _reactions(among: Iterable[Statement], narrative: Narrative) -> list[Form]:
    """Each manifestation with its own severity."""
    forms = []
    for inner in among:
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
    severity = inner_value(statement.inner, templates.SEVERITY_OBSERVATION, narrative, "SEV")
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
