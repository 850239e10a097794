"""Results: DiagnosticReport for each organizer, Observation for each test (C-CDA on FHIR: results).

Of C-CDA's results section the laboratory is the rule. Imaging is told apart by DICOM's codes and
CPT's radiology: the class of a LOINC code is in no table that we may carry.
"""

import re
from collections.abc import Sequence
from typing import Final

from ccda.fhir.actors import performers
from ccda.fhir.datatypes import concept, stated
from ccda.fhir.observations import (
    members,
    observation,
    panel_effective,
    result_status,
    specimen,
    with_reason,
)
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.systems import DIAGNOSTIC_SERVICE
from ccda.fhir.times import Json, absent
from ccda.hl7v3 import CD

_DICOM: Final = "1.2.840.10008.2.16.4"
_CPT: Final = "2.16.840.1.113883.6.12"
_RADIOLOGY: Final = re.compile(r"7[0-9]{4}")


def add_results(statements: Sequence[Statement], resources: Resources) -> None:
    """Tests first: a report refers to the resources that its tests became."""
    for statement in statements:
        if not statement.is_panel:
            _add_test(statement, resources)
    for statement in reversed(statements):
        if statement.is_panel:
            _add_panel(statement, resources)


def _add_test(statement: Statement, resources: Resources) -> None:
    form = with_reason(observation(statement, resources, category=_category(statement)))
    resources.state(statement, "Observation", form)


def _add_panel(statement: Statement, resources: Resources) -> None:
    """A report; an organizer within one is an Observation of its members (FHIR R4: result)."""
    if statement.parent is not None and statement.parent.is_panel:
        form = observation(statement, resources, category=_category(statement))
        inner = stated(hasMember=members(statement, resources))
        resources.state(statement, "Observation", with_reason({**form, **inner}))
        return
    if statement.about_other is not None:
        return  # a report has no focus: its tests say themselves whom they are about
    entry = statement.entry
    sample = specimen(statement, resources)
    form = {
        "status": result_status(statement),
        "category": [_service(statement)],
        "code": concept(entry.code, entry.text) or absent(),
        **resources.about(statement),
        **panel_effective(statement),
        **stated(
            performer=performers(statement, resources),
            specimen=[sample] if sample else None,
            result=members(statement, resources),
        ),
    }
    resources.state(statement, "DiagnosticReport", form)


def _category(statement: Statement) -> str:
    return "imaging" if _is_imaging(statement) else "laboratory"


def _service(statement: Statement) -> Json:
    code = "RAD" if _is_imaging(statement) else "LAB"
    return {"coding": [{"system": DIAGNOSTIC_SERVICE, "code": code}]}


def _is_imaging(statement: Statement) -> bool:
    """By its own codes, else by those of the panel around it."""
    code, around = statement.entry.code, statement.parent
    said = () if code is None else (code, *code.translations)
    if any(one.system == _DICOM or _is_radiology(one) for one in said):
        return True
    return around is not None and around.is_panel and _is_imaging(around)


def _is_radiology(code: CD) -> bool:
    return code.system == _CPT and _RADIOLOGY.fullmatch(code.code or "") is not None
