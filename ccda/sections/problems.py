"""Problems, past history, encounter, admission and discharge diagnoses.

C-CDA R2.1: 3.78 Problem Observation (2.16.840.1.113883.10.20.22.4.4) within 3.77 Problem
Concern Act (4.3). Each observation is one condition, whatever the number of acts around it.

Details: `type`, `clinical_status` (the status observation whole), `age`, `severity`,
`target_site`, `performer`, `other_values`, `value_null_flavor`, and `concern` with `status`,
times, `negated`, `ids`, `code`, `text` and `author` of the act around it.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from ccda import templates
from ccda.hl7v3 import CD
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import Form, code_form, read_code, without_none
from ccda.sections.participants import author_forms, id_texts, read_performers
from ccda.sections.particulars import read_particulars
from ccda.sections.statement import Statement, walk
from ccda.sections.status import read_status
from ccda.sections.times import read_times
from ccda.sections.value import read_value, value_form

# The codes that only say that an act tracks a concern, or holds a diagnosis.
_TRACKING: Final = frozenset(("CONC", "48765-2", "29308-4"))
_CONTAINERS: Final = frozenset(("act", "organizer"))
_HOLDS_A_DIAGNOSIS: Final = templates.DIAGNOSIS_ACTS | {"CONC"}
_ASSERTS: Final = templates.PROBLEM_TYPES | {None}


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """Every condition in an entry of a problem list: what is observed, not what qualifies it."""
    for statement in walk(top, _CONTAINERS):
        if statement.name == "observation" and is_problem(statement):
            yield read_problem(statement, narrative)


def read_diagnoses(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """Every Problem Observation in an entry of any other section."""
    for statement in walk(top, _CONTAINERS):
        if is_diagnosis(statement):
            yield read_problem(statement, narrative)


def is_problem(statement: Statement) -> bool:
    """Known by template; else an observation of something that qualifies no other."""
    if statement.is_a(templates.PROBLEM_OBSERVATION):
        return True
    names = statement.one("value") is not None or _code_is_a_condition(statement)
    return names and not is_qualifier(statement)


def is_diagnosis(statement: Statement) -> bool:
    """Known by template; else an observation that asserts a condition, alone or as a diagnosis."""
    if statement.is_a(templates.PROBLEM_OBSERVATION):
        return True
    if statement.name != "observation" or statement.code_of("code") not in _ASSERTS:
        return False
    if any(map(templates.is_standard, statement.templates)):
        return False  # a smoking status or a pregnancy is asserted alike
    value, above = statement.one("value"), statement.above
    if value is None or value.get("codeSystem") not in templates.CONDITION_SYSTEMS:
        return False
    return above is None or above.code_of("code") in _HOLDS_A_DIAGNOSIS


def _code_is_a_condition(statement: Statement) -> bool:
    """An ICD code names one; of SNOMED CT one that is no sort of problem, and asks for no value."""
    code = statement.one("code")
    if code is None or not code.get("code"):
        return False
    system = code.get("codeSystem")
    if system == templates.SNOMED_CT and statement.one("value") is None:
        return code.get("code") not in templates.PROBLEM_TYPES
    return system in templates.ICD


def is_qualifier(statement: Statement) -> bool:
    """Whether it only says more about the statement around it: a status, a severity, an age."""
    code = statement.code_of("code")
    return code in templates.QUALIFIER_CODES or statement.is_a(templates.QUALIFIERS)


def read_problem(statement: Statement, narrative: Narrative) -> Entry:
    concern = concern_of(statement)
    code = _condition(statement, narrative)
    status, status_form = clinical_status(statement, concern, templates.PROBLEM_STATUS, narrative)
    return make_entry(
        statement,
        "problem",
        narrative,
        code=code,
        status=status,
        negated=concern is not None and concern.is_negated,
        details=without_none(
            type=_type(statement, code, narrative),
            clinical_status=status_form,
            concern=concern_form(concern, narrative),
            age=_age(statement, narrative),
            severity=inner_value(statement.inner, templates.SEVERITY_OBSERVATION, narrative, "SEV"),
            target_site=read_code(statement.one("targetSiteCode"), narrative),
            performer=read_performers(statement, narrative),
            value_null_flavor=None if code is None else code.null_flavor,
            other_values=_other_values(statement, narrative),
        ),
    )


def concern_of(statement: Statement) -> Statement | None:
    """The act that tracks the observation as a concern."""
    return next((above for above in statement.ancestors() if above.name == "act"), None)


def clinical_status(
    statement: Statement,
    concern: Statement | None,
    template: frozenset[str],
    narrative: Narrative,
) -> tuple[str | None, Form | None]:
    """The status observation, in a word and whole; without one the concern's statusCode."""
    stated, form = read_status(statement, template, narrative)
    if stated is None and concern is not None:
        stated, form = _status_of_concern(concern, template, narrative)
        if stated is None and not _tells_only_that_it_was_made(concern):
            stated = concern.status
    return stated, form


def _tells_only_that_it_was_made(concern: Statement) -> bool:
    """A diagnosis that is completed may be of what goes on (C-CDA R2.1: 3.28, 4.80)."""
    is_diagnosis = concern.code_of("code") in templates.DIAGNOSIS_ACTS
    return is_diagnosis and concern.status == "completed"


def _status_of_concern(
    concern: Statement, template: frozenset[str], narrative: Narrative
) -> tuple[str | None, Form | None]:
    """Looked for once: each of a concern's observations asks, and there may be thousands."""
    if concern.answers is None:
        concern.answers = {}
    if template not in concern.answers:
        concern.answers[template] = read_status(concern, template, narrative)
    return concern.answers[template]


def concern_form(concern: Statement | None, narrative: Narrative) -> Form | None:
    """When the condition was tracked, which is not when it was present (C-CDA R2.1: 3.77)."""
    if concern is None:
        return None
    concern.told = True
    code = concern.one("code")
    made = _tells_only_that_it_was_made(concern)
    form = without_none(
        status=None if made else concern.status,
        status_code=concern.status if made else None,
        **read_times(concern).form(),
        negated=True if concern.is_negated else None,
        ids=id_texts(concern.children),
        code=None if concern.code_of("code") in _TRACKING else read_code(code, narrative),
        text=narrative.text(concern.one("text")),
        author=author_forms(concern.all("author")),
    )
    return (form | read_particulars(concern, narrative, "concern", form)) or None


def inner_value(
    among: Iterable[Statement],
    template: frozenset[str],
    narrative: Narrative,
    code: str | None = None,
) -> Form | None:
    """The coded value of the first observation among those of that template or with that code."""
    for inner in among:
        if inner.is_a(template) or (code is not None and inner.code_of("code") == code):
            value = read_value(inner.one("value"), narrative).value
            form = code_form(value) if isinstance(value, CD) else _text_form(value)
            if form is not None:
                inner.told = True
                no = True if inner.is_negated else None
                more = without_none(ids=id_texts(inner.children), negated=no)
                return form | more | read_particulars(inner, narrative, "part", form)
    return None


def _text_form(value: object) -> Form | None:
    return {"code": None, "system": None, "display": value} if isinstance(value, str) else None


def _condition(statement: Statement, narrative: Narrative) -> CD | None:
    """The value; where it is text the condition has words and no code."""
    found = statement.all("value")
    value = read_value(found[0] if found else None, narrative)
    if isinstance(value.value, CD):
        return value.value
    if isinstance(value.value, str):
        return CD(None, original_text=value.value)
    if _code_is_a_condition(statement):
        return narrative.code(statement.one("code"))
    if not found:
        return None
    # A nullFlavor that has no words of its own still says why there is no code.
    return narrative.code(found[0])


def _type(statement: Statement, condition: CD | None, narrative: Narrative) -> Form | None:
    """The sort of problem; nothing where the code is the condition itself."""
    asked = narrative.code(statement.one("code"))
    return None if asked == condition else code_form(asked)


def _other_values(statement: Statement, narrative: Narrative) -> list[Form]:
    values = (read_value(element, narrative).value for element in statement.all("value")[1:])
    forms = (code_form(value) for value in values if isinstance(value, CD))
    return [form for form in forms if form is not None]


def is_age(statement: Statement) -> bool:
    """An Age Observation (C-CDA R2.1: 3.5), by its template or its code."""
    code = statement.code_of("code") or ""
    is_coded = templates.PART_BY_CODE.get(code) == "age_observation"
    return is_coded or statement.is_a(templates.AGE_OBSERVATION)


def _age(statement: Statement, narrative: Narrative) -> Form | None:
    for inner in statement.inner:
        if is_age(inner):
            inner.told = True
            return value_form(read_value(inner.one("value"), narrative))
    return None
