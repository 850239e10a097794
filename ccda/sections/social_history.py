"""Social history: smoking, tobacco, alcohol, pregnancy, birth sex … (C-CDA R2.1: 2.66)."""

from collections.abc import Iterator
from typing import Final

from ccda import templates
from ccda.hl7v3 import CD, NUMBER
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import code_form
from ccda.sections.results import observation_details
from ccda.sections.statement import Statement, walk
from ccda.sections.value import NO_VALUE, read_value

_OUTSIDE_OBSERVATIONS: Final = frozenset(
    "act organizer encounter procedure substanceAdministration supply".split()
)


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    for statement in walk(top, _OUTSIDE_OBSERVATIONS):
        if statement.name == "observation":
            yield read_observation(statement, narrative)


def read_observation(statement: Statement, narrative: Narrative) -> Entry:
    """A question and its answer; of a smoking status the answer is the code.

    C-CDA R2.1: 3.99 Smoking Status (4.78), 3.104 Tobacco Use (4.85).
    """
    question = narrative.code(statement.one("code"))
    value = read_value(statement.one("value"), narrative)
    details = observation_details(statement, value, narrative)
    code, name = question, None
    if is_smoking_status(statement):
        answer = value.value
        if isinstance(answer, CD):
            code, value = answer, NO_VALUE
        elif isinstance(answer, str) and not value.unit and not NUMBER.fullmatch(answer):
            code, name, value = None, answer, NO_VALUE
        if code is not question and (asked := code_form(question)) is not None:
            details["question"] = asked
    return make_entry(
        statement,
        "social_history",
        narrative,
        code=code,
        name=name,
        value=value,
        details=details,
    )


def is_smoking_status(statement: Statement) -> bool:
    """By its question or its template; how much is smoked has templates of a status too."""
    code = statement.code_of("code")
    if code in templates.SMOKED_AMOUNT_CODES:
        return False
    return code in templates.SMOKING_CODES or statement.is_a(templates.SMOKING_STATUS)
