"""What is intended or watched: plan of treatment, goals, interventions, health concerns.

C-CDA R2.1: 2.53 Plan of Treatment (4.39 to 4.44, 4.120), 2.27 Goals (4.121), 2.29 Health
Concerns (4.132, 4.136). The moodCode says whether it is an order, a promise or a goal.
"""

from collections.abc import Iterator
from typing import Final

from ccda.hl7v3 import CD
from ccda.model import Entry, Kind
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import Form, code_form, read_code, without_none
from ccda.sections.functional_status import read_findings
from ccda.sections.medications import administration
from ccda.sections.participants import read_location, read_performers
from ccda.sections.problems import is_qualifier
from ccda.sections.products import Product, read_product
from ccda.sections.statement import Statement, walk
from ccda.sections.times import read_times
from ccda.sections.value import read_value
from ccda.sections.wrappers import unwrapped

_GATHERING: Final = frozenset(("act", "organizer"))


def read_goals(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    return read_findings("goal", top, narrative)


def read_outcomes(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """Goals as they turned out (4.144): `outcome`, moodCode EVN, with the goal it evaluates."""
    return read_findings("goal", top, narrative, outcome=True)


def read_plan(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    for statement in unwrapped(top, narrative):
        yield read_planned(statement, narrative)


def read_intervention(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """What has been done is a procedure; what has not, is planned."""
    for statement in unwrapped(top, narrative):
        kind: Kind = "procedure" if statement.get("moodCode") == "EVN" else "plan"
        yield _read(kind, statement, narrative)


def read_concern(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """The act itself; the conditions it gathers stand in its details."""
    entry_details = without_none(concerns=_conditions(top, narrative))
    yield make_entry(
        top,
        "concern",
        narrative,
        code=narrative.code(top.one("code")),
        value=read_value(top.one("value"), narrative),
        details=entry_details,
    )


def read_planned(statement: Statement, narrative: Narrative) -> Entry:
    return _read("plan", statement, narrative)


def _read(kind: Kind, statement: Statement, narrative: Narrative) -> Entry:
    given = statement.name in ("substanceAdministration", "supply")
    product = read_product(statement, narrative) if given else Product()
    times = read_times(statement)
    return make_entry(
        statement,
        kind,
        narrative,
        code=product.code or narrative.code(statement.one("code")),
        name=product.name,
        value=read_value(statement.one("value"), narrative),
        times=times,
        details=without_none(
            **(
                administration(statement, times, narrative) if given else _act(statement, narrative)
            ),
            manufacturer=product.manufacturer,
            lot_number=product.lot_number,
            statement=statement.name,
            priority=read_code(statement.one("priorityCode"), narrative),
            location=read_location(statement, narrative),
        ),
    )


def _act(statement: Statement, narrative: Narrative) -> Form:
    return {
        "performer": read_performers(statement, narrative),
        "target_site": read_code(statement.one("targetSiteCode"), narrative),
    }


def _conditions(top: Statement, narrative: Narrative) -> list[Form]:
    """What is observed in it; not what only qualifies that: a status, a severity, a reaction."""
    forms = []
    observed = (statement for inner in top.inner for statement in walk(inner, _GATHERING))
    for statement in observed:
        if statement.name == "observation" and not is_qualifier(statement):
            value = read_value(statement.one("value"), narrative).value
            form = code_form(value) if isinstance(value, CD) else None
            if form is not None:
                no = statement.is_negated or statement.is_within_denied
                forms.append(form | without_none(negated=True if no else None))
    return forms
