"""Family history: a relative, and what he or she had (C-CDA R2.1: 3.31, 4.45 and 4.46)."""

from collections.abc import Iterator
from typing import Final

from ccda import templates
from ccda.hl7v3 import CD, SDTC, iso_time
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import Form, code_form, read_code, without_none
from ccda.sections.participants import id_texts
from ccda.sections.problems import is_age
from ccda.sections.statement import Statement, first, walk
from ccda.sections.subjects import subject_of
from ccda.sections.value import read_value, value_form

_OUTSIDE_OBSERVATIONS: Final = frozenset("act organizer".split())
_SDTC_ID: Final = f"{{{SDTC}}}id"
_ASSERTS: Final = templates.PROBLEM_TYPES | {None}


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """The relative is an entry of its own; each of the conditions names it as parent."""
    for statement in walk(top, _OUTSIDE_OBSERVATIONS):
        if statement.name == "organizer":
            yield read_relative(statement, narrative)
        elif statement.name == "observation":
            yield read_condition(statement, narrative)


def read_relative(statement: Statement, narrative: Narrative) -> Entry:
    related = first(statement.one("subject"), "relatedSubject")
    relation = first(related, "code")
    code = statement.one("code") if relation is None else relation
    return make_entry(
        statement,
        "family_history",
        narrative,
        code=narrative.code(code),
        no_information=False if statement.inner and not statement.get("nullFlavor") else None,
        details=_relative(statement, narrative),
    )


def read_condition(statement: Statement, narrative: Narrative) -> Entry:
    found = statement.one("value")
    value = read_value(found, narrative).value
    asked = narrative.code(statement.one("code"))
    code = value if isinstance(value, CD) else asked
    if value is None and found is not None and statement.code_of("code") in _ASSERTS:
        code = narrative.code(found)  # a nullFlavor: that there is a condition is not told
    details = without_none(type=code_form(asked) if code is not asked else None)
    details |= _whose(statement)
    for inner in statement.inner:
        if is_age(inner):
            inner.told = True
            age = value_form(read_value(inner.one("value"), narrative))
            details |= without_none(age=age)
        elif inner.is_a(templates.DEATH_OBSERVATION) and not inner.is_negated:
            details["cause_of_death"] = True
    return make_entry(
        statement,
        "family_history",
        narrative,
        code=code,
        name=value if isinstance(value, str) else None,
        details=details,
    )


def _whose(statement: Statement) -> Form:
    """`relative_ids` and `relative_birth_time`, which tell two brothers apart."""
    person = first(subject_of(statement), "subject")
    if person is None:
        return {}
    birth = first(person, "birthTime")
    return without_none(
        relative_ids=id_texts({"id": list(person.iterchildren(_SDTC_ID))}),
        relative_birth_time=None if birth is None else iso_time(birth.get("value")),
    )


def _relative(statement: Statement, narrative: Narrative) -> Form:
    related = first(statement.one("subject"), "relatedSubject")
    person = first(related, "subject")
    if person is None:
        return {"relative": True}
    birth = first(person, "birthTime")
    deceased = next(person.iterchildren(f"{{{SDTC}}}deceasedInd"), None)
    died = next(person.iterchildren(f"{{{SDTC}}}deceasedTime"), None)
    return without_none(
        relative=True,
        gender=read_code(first(person, "administrativeGenderCode"), narrative),
        birth_time=None if birth is None else iso_time(birth.get("value")),
        deceased=None if deceased is None else deceased.get("value"),
        deceased_time=None if died is None else iso_time(died.get("value")),
    )
