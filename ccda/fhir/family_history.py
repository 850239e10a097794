"""FamilyMemberHistory: one a relative, with what he or she had (C-CDA R2.1: 3.31)."""

from collections.abc import Sequence
from typing import Any, Final

from ccda.fhir.datatypes import concept, form_concept, form_quantity, notes, of_system, stated
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.systems import ROLE_CODE
from ccda.fhir.times import Json, absent, day, when

_RELATIVE: Final = of_system(ROLE_CODE, "FAMMEMB")
_SEXES: Final = {"M": "male", "F": "female", "UN": "other"}
_GENDER: Final = "http://hl7.org/fhir/administrative-gender"
_AGE_UNITS: Final = frozenset(("a", "mo", "wk", "d", "h", "min"))


def add_family_history(statements: Sequence[Statement], resources: Resources) -> None:
    """A condition whose relative nobody names is that of a family member."""
    for statement in statements:
        if _is_relative(statement):
            conditions = [part for part in statement.parts if not part.entry.no_information]
            made = _add(statement, conditions, resources)
            for part in conditions:
                resources.link(part, made)
    for statement in statements:
        if not _is_relative(statement) and statement.position not in resources.links:
            _add(statement, [statement], resources)


def _is_relative(statement: Statement) -> bool:
    """Whether it tells of somebody; a summary's condition names its relative by the same detail."""
    return statement.one("relative") is True


def _add(relative: Statement, conditions: Sequence[Statement], resources: Resources) -> Json:
    told = relative.entry if _is_relative(relative) else None
    # FHIR has no status for one condition alone.
    conditions = [one for one in conditions if relative.is_in_error or not one.is_in_error]
    denied = [f"Denied: {_name(part)}" for part in conditions if part.entry.negated]
    held = [part for part in conditions if not part.entry.negated]
    gender = relative.one("gender") if told else None
    form = {
        "status": _status(relative),
        "patient": resources.patient,
        **stated(date=when(told.time) if told else None),
        "relationship": (concept(told.code, told.text) if told else _whose(relative)) or _RELATIVE,
        **stated(
            sex=_sex(gender),
            bornDate=day(relative.one("birth_time" if told else "relative_birth_time")),
            **(_deceased(relative) if told else {}),
            note=notes(denied, relative.conflict, *(part.conflict for part in held)),
            condition=[_condition(part) for part in held],
        ),
    }
    return resources.state(relative, "FamilyMemberHistory", form)


def _status(relative: Statement) -> str:
    if relative.is_in_error:
        return "entered-in-error"
    return "completed" if relative.entry.status == "completed" else "partial"


def _whose(condition: Statement) -> Json | None:
    """The relative that a condition names itself, where no organizer does."""
    subject = condition.one("subject")
    named = form_concept(subject.get("relationship")) if isinstance(subject, dict) else None
    return named or form_concept(condition.one("relative"))


def _condition(statement: Statement) -> Json:
    entry = statement.entry
    age = form_quantity(statement.one("age"))
    is_age = age is not None and age.get("code") in _AGE_UNITS
    return {
        "code": concept(entry.code, entry.text) or absent(),
        **stated(
            contributedToDeath=True if statement.one("cause_of_death") else None,
            onsetAge=age if is_age else None,
            note=notes(entry.details.get("comment")),
        ),
    }


def _deceased(relative: Statement) -> Json:
    """deceasedDate where it is told; else whether."""
    died = day(relative.one("deceased_time"))
    if died is not None:
        return {"deceasedDate": died}
    word = relative.one("deceased")
    return {"deceasedBoolean": word == "true"} if word in ("true", "false") else {}


def _sex(form: Any) -> Json | None:
    code = _SEXES.get(form.get("code") or "") if isinstance(form, dict) else None
    return of_system(_GENDER, code) if code else form_concept(form)


def _name(statement: Statement) -> str:
    said = concept(statement.entry.code, statement.entry.text) or {}
    text: str = said.get("text") or said.get("coding", [{}])[0].get("code", "a condition")
    return text
