"""What a statement without any known template is, by its name, its code and what it holds.

Only where the CDA model and a standard code leave one answer: a vaccine has a CVX code, a panel
or measurement of vital signs has its LOINC code. A lone observation that no code tells apart
stays raw, for it may be a problem as well as a result.
"""

from collections.abc import Callable, Iterator
from typing import Final

from ccda import templates
from ccda.hl7v3 import XSI_TYPE
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections import (
    allergies,
    care_teams,
    coverage,
    encounters,
    family_history,
    immunizations,
    medications,
    plans,
    problems,
    procedures,
    results,
    social_history,
)
from ccda.sections.products import read_product
from ccda.sections.statement import Statement, walk
from ccda.sections.subjects import names_someone

Reader = Callable[[Statement, Narrative], Iterator[Entry]]

_MEASURED: Final[tuple[Reader, ...]] = (results.read_vital_signs, results.read_results)
_DONE: Final = frozenset(("EVN", "", None))
_ACTS: Final[dict[str, Reader]] = {
    "48768-6": coverage.read,
    "48765-2": allergies.read,
    "CONC": problems.read,
    "29308-4": problems.read,
    "92707-9": care_teams.read,
}


def reader_by_structure(top: Statement, narrative: Narrative) -> Reader | None:
    """The reader of the kind that the statement can only be; None when it may be several."""
    if top.get("moodCode") not in _DONE and top.name not in ("act", "organizer"):
        return plans.read_goals if top.get("moodCode") == "GOL" else plans.read_plan
    if top.name == "substanceAdministration":
        return immunizations.read if _is_vaccine(top, narrative) else medications.read
    if top.name in ("procedure", "encounter"):
        return procedures.read if top.name == "procedure" else encounters.read
    if top.name == "organizer" and names_someone(top.children):
        # Of a relative a history is told; a newborn or a donor is measured.
        measured = next((reader for s in walk(top) if (reader := _by_code(s)) in _MEASURED), None)
        return measured or family_history.read
    # A concern about an allergy and one about a problem differ only in what they hold.
    for statement in sorted(walk(top), key=lambda statement: statement.code_of("code") == "CONC"):
        reader = _by_code(statement)
        if reader is not None:
            return reader
    return _of_what_it_holds(top, narrative)


def _is_vaccine(statement: Statement, narrative: Narrative) -> bool:
    code = read_product(statement, narrative).code
    codes = () if code is None else (code, *code.translations)
    return any(each.system in templates.CVX for each in codes)


def _by_code(statement: Statement) -> Reader | None:
    """A code or a participant that only one kind of statement has."""
    code = statement.code_of("code")
    if statement.name == "act":
        return _ACTS.get(code or "")
    if statement.name not in ("observation", "organizer"):
        return None
    if code in templates.VITAL_SIGN_CODES:
        return results.read_vital_signs
    if code in templates.SMOKING_CODES or code in templates.SOCIAL_HISTORY_CODES:
        return social_history.read
    if any(participant.get("typeCode") == "CSM" for participant in statement.all("participant")):
        return allergies.read
    if _system(statement, "code") == templates.LOINC and _is_measured(statement):
        return results.read_results
    return None


def _is_measured(statement: Statement) -> bool:
    """A LOINC code with a quantity, or with what a result is compared to, is a result's."""
    if "referenceRange" in statement.children or "interpretationCode" in statement.children:
        return True
    value = statement.one("value")
    return value is not None and (value.get(XSI_TYPE) or "").endswith("PQ")


def _of_what_it_holds(top: Statement, narrative: Narrative) -> Reader | None:
    given = next((s for s in walk(top) if s.name == "substanceAdministration"), None)
    if given is not None:
        return immunizations.read if _is_vaccine(given, narrative) else medications.read
    if top.name == "act" and any(_is_condition(inner) for inner in top.inner):
        return problems.read  # an act around an observed condition tracks it as a concern
    return None


def _is_condition(statement: Statement) -> bool:
    return _system(statement, "value") in templates.CONDITION_SYSTEMS and problems.is_problem(
        statement
    )


def _system(statement: Statement, name: str) -> str | None:
    element = statement.one(name)
    return None if element is None else element.get("codeSystem")
