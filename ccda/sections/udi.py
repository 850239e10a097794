"""Unique device identifiers as documents give them, whole or in parts (C-CDA R2.1: 4.311).

Only what is written is told: a device identifier is never computed from the whole string.
"""

from typing import Final

from ccda import templates
from ccda.hl7v3 import CD
from ccda.narrative import Narrative
from ccda.safe_xml import Element
from ccda.sections.form import Form, code_form, without_none
from ccda.sections.participants import id_texts
from ccda.sections.statement import Statement, walk
from ccda.sections.value import read_value, value_form

FDA: Final = "2.16.840.1.113883.3.3719"
_PARTS: Final = {root: name for name, roots in templates.UDI_PARTS.items() for root in roots}


def udi_form(organizer: Statement, narrative: Narrative) -> Form:
    """A UDI Organizer: each of its parts under its name, the text or code that was written."""
    form = without_none(ids=id_texts(organizer.children), text=narrative.text(organizer.text))
    for statement in walk(organizer):
        statement.told = True
        value = read_value(statement.one("value"), narrative)
        told = value.value if isinstance(value.value, str) else None
        for template in statement.all("templateId"):
            name = _PARTS.get(template.get("root") or "")
            if name is not None:
                said = told or (
                    code_form(value.value) if isinstance(value.value, CD) else value_form(value)
                )
                form |= without_none(**{name: said})
    return form


def whole_udi(ids: list[Element]) -> str | None:
    """The identifier as it is printed on the device: the id whose root is the FDA's."""
    found = (i.get("extension") for i in ids if i.get("root") == FDA)
    return next((text for text in found if text), None)
