"""The clinical status of a problem, an allergy or a medication, in one word."""

from typing import Final

from ccda.hl7v3 import CD
from ccda.narrative import Narrative
from ccda.sections.form import Form, code_form, name_of
from ccda.sections.statement import Statement
from ccda.sections.times import read_times
from ccda.sections.value import read_value

STATUS_CODE: Final = "33999-4"

# C-CDA R2.1: ProblemStatus (2.16.840.1.113883.3.88.12.80.68) and its elders.
_WORDS: Final = {
    "55561003": "active",
    "73425007": "inactive",
    "413322009": "resolved",
    "246455001": "recurrence",
    "255227004": "recurrence",
    "263855007": "relapse",
    "277022003": "remission",
    "90734009": "chronic",
    "7087005": "intermittent",
    "415684004": "rule out",
    "410516002": "ruled out",
    "392521001": "history of",
    "421139008": "on hold",
}


def read_status(
    statement: Statement, template: frozenset[str], narrative: Narrative
) -> tuple[str | None, Form | None]:
    """What the status observation inside says (C-CDA R2.1: 3.79, 33999-4), in a word and whole.

    Whole it is a code, with `start`, `end` and `time` where the observation has any.
    """
    for inner in statement.inner:
        is_status = inner.code_of("code") == STATUS_CODE or inner.is_a(template)
        if is_status and not inner.is_negated:
            value = read_value(inner.one("value"), narrative).value
            word = status_word(value) if isinstance(value, CD) else value
            if isinstance(word, str):
                inner.told = True
                form = code_form(value) if isinstance(value, CD) else None
                times = read_times(inner)
                return word.lower(), (form or {"display": word}) | times.form()
    return None, None


def status_word(code: CD) -> str | None:
    """The status a code stands for, else the word written beside it."""
    return _WORDS.get(code.code or "") or name_of(code) or code.code
