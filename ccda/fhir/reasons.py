"""Why something was done: a condition of the same document by its id, else a code.

C-CDA on FHIR: an Indication (C-CDA R2.1: 4.19) that has the id of a problem is that problem.
"""

from ccda.fhir.datatypes import form_concept, is_negated, many, stated
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.times import Json


def reasons(statement: Statement, resources: Resources) -> Json:
    """reasonCode and reasonReference, each as far as there are any."""
    codes: list[Json] = []
    references: list[Json] = []
    for form in statement.all("indication"):
        if is_negated(form):
            continue
        ids = many(form.get("ids")) if isinstance(form, dict) else []
        known = next((resources.problems[one] for one in ids if one in resources.problems), None)
        code = form_concept(form)
        if known is not None and known not in references:
            references.append(known)
        elif known is None and code is not None:
            codes.append(code)
    return stated(reasonCode=codes, reasonReference=references)


def reason_codes(statement: Statement) -> list[Json]:
    """The codes alone, for what was not done."""
    told = (form for form in statement.all("indication") if not is_negated(form))
    return [code for form in told if (code := form_concept(form))]
