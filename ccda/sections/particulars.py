"""What any statement may carry beside code, value and times (CDA R2: 4.3.6, 4.3.8).

Most statements carry none of it and cost one comparison of sets. A kind that reads one of these
itself has it in its details already, and keeps it as it reads it.

Details: `informant`, `performer`, `participant`, `subject`, `specimen`, `reference`,
`precondition`, `priority`, `interpretation`, `method`, `target_site`, `site`, `repeat_number`,
`language` …, and `extension`: elements of other namespaces, as they are written.
"""

from collections.abc import Callable
from typing import Any, Final

from ccda.hl7v3 import CD, SDTC, XSI_TYPE
from ccda.narrative import Narrative
from ccda.safe_xml import Element
from ccda.sections.form import Form, code_form, person_name, read_code, without_none, xml_of
from ccda.sections.participants import (
    id_texts,
    read_informants,
    read_participants,
    read_performers,
    read_subject,
)
from ccda.sections.statement import Statement, children_of, first, local_name
from ccda.sections.value import read_value

# What every reader looks at, and what only orders or names the rest.
READ_BY_KIND: Final = frozenset(
    "realmCode typeId templateId id code text statusCode effectiveTime value author "
    "entryRelationship component consumable product doseQuantity rateQuantity maxDoseQuantity "
    "routeCode administrationUnitCode quantity referenceRange".split()
)
_TOLD_PARTICIPANTS: Final = {
    "allergy": frozenset(("CSM",)),
}
_DEVICE: Final = frozenset(("DEV", "PRD"))
_LOCATION: Final = frozenset(("LOC",))
_DEEPEST: Final = 16
"""Levels of an element of another namespace that are told one by one."""


def read_particulars(
    statement: Statement, narrative: Narrative, kind: str, told: Form | None
) -> Form:
    """The details the kind's own reader did not give: `told` is what it did."""
    if READ_BY_KIND.issuperset(statement.children):
        return {}
    more: Form = {}
    told = told or {}
    for name in statement.children:
        if name in READ_BY_KIND:
            continue
        if name in _READERS:
            key, reader = _READERS[name]
            if key not in told and (found := reader(statement, narrative)):
                more[key] = found
        elif name == "participant":
            if found := _participants(statement, narrative, kind, told):
                more["participant"] = found
        elif name[0] == "{" and name not in _READ_EXTENSIONS:
            more.setdefault("extension", {})[name.rpartition("}")[2]] = [
                element_form(element) for element in statement.all(name)
            ]
    return more


def read_preconditions(statement: Statement, narrative: Narrative) -> list[Form]:
    """As needed for: criterion value, else its code or text (C-CDA R2.1: 3.76)."""
    forms = []
    for element in statement.all("precondition"):
        criterion = first(element, "criterion")
        value = read_value(first(criterion, "value"), narrative).value
        code = value if isinstance(value, CD) else narrative.code(first(criterion, "code"))
        text = value if isinstance(value, str) else narrative.text(first(criterion, "text"))
        form = code_form(code)
        if text:
            form = {**(form or {}), "text": text}
        if form:
            forms.append(form)
    return forms


def read_references(statement: Statement, narrative: Narrative) -> list[Form]:
    """External documents, acts and procedures (C-CDA R2.1: 3.29, template 4.115)."""
    forms = []
    for element in statement.all("reference"):
        for external in element:
            parts = children_of(external)
            text = parts.get("text", [None])[0]
            where = first(text, "reference")
            version = first(external, "versionNumber")
            form = without_none(
                type=element.get("typeCode"),
                what=local_name(external),
                ids=id_texts(parts),
                set_id=next(iter(id_texts({"id": parts.get("setId", [])})), None),
                version=None if version is None else version.get("value"),
                code=read_code(first(external, "code"), narrative),
                text=narrative.text(text),
                media_type=None if text is None else text.get("mediaType"),
                url=None if where is None else where.get("value"),
            )
            if set(form) - {"type", "what"}:
                forms.append(form)
    return forms


def read_specimens(statement: Statement, narrative: Narrative) -> list[Form]:
    """CDA R2: 4.3.8.3: what was taken, by code or by name, with the specimen's own ids."""
    forms = []
    for element in statement.all("specimen"):
        role = first(element, "specimenRole")
        if role is None:
            continue
        entity = first(role, "specimenPlayingEntity")
        form = read_code(first(entity, "code"), narrative) or {}
        name = person_name(first(entity, "name"))
        if not form and name:
            form = {"code": None, "system": None, "display": name}
        if form and (ids := id_texts(children_of(role))):
            form["ids"] = ids
        if form:
            forms.append(form)
    return forms


def element_form(element: Element, *, level: int = 0) -> Form:
    """An element no standard we read describes: its attributes, text and children.

    What stands deeper in it than `_DEEPEST` levels is one text, `xml`.
    """
    if level > _DEEPEST:
        return {"xml": xml_of(element)}
    form: Form = {
        "type" if key == XSI_TYPE else key.rpartition("}")[2]: value
        for key, value in sorted(element.attrib.items())
    }
    if text := " ".join((element.text or "").split()):
        form["text"] = text
    children: Form = {}
    for child in element:
        name = local_name(child).rpartition("}")[2]
        children.setdefault(name, []).append(element_form(child, level=level + 1))
    # A child may have the name of an attribute, or of what stands for the text.
    return form | {f"{name}_element" if name in form else name: children[name] for name in children}


def _participants(statement: Statement, narrative: Narrative, kind: str, told: Form) -> list[Form]:
    if "parties" in told:
        return []
    known = _TOLD_PARTICIPANTS.get(kind, frozenset())
    known |= _DEVICE if told.get("device") else frozenset()
    elements = [e for e in statement.all("participant") if e.get("typeCode") not in known]
    if "location" in told:
        # The first place is the location; another one is still a participant.
        places = [e for e in elements if e.get("typeCode") in _LOCATION]
        elements = [e for e in elements if e not in places[:1]]
    return read_participants(elements, narrative)


def _codes(name: str) -> Callable[[Statement, Narrative], list[Form]]:
    def read(statement: Statement, narrative: Narrative) -> list[Form]:
        found = (read_code(element, narrative) for element in statement.all(name))
        return [form for form in found if form is not None]

    return read


def _one_code(name: str) -> Callable[[Statement, Narrative], Form | None]:
    return lambda statement, narrative: read_code(statement.one(name), narrative)


def _attribute(name: str) -> Callable[[Statement, Narrative], str | None]:
    def read(statement: Statement, narrative: Narrative) -> str | None:
        element = statement.one(name)
        return None if element is None else element.get("value") or element.get("code")

    return read


_Reader = Callable[[Statement, Narrative], Any]
_READERS: Final[dict[str, tuple[str, _Reader]]] = {
    "informant": ("informant", read_informants),
    "performer": ("performer", read_performers),
    "reference": ("reference", read_references),
    "specimen": ("specimen", read_specimens),
    "subject": ("subject", lambda s, n: read_subject(s.one("subject"), n)),
    "precondition": ("precondition", read_preconditions),
    "priorityCode": ("priority", _one_code("priorityCode")),
    "interpretationCode": ("interpretation", _codes("interpretationCode")),
    "methodCode": ("method", _codes("methodCode")),
    "targetSiteCode": ("target_site", _codes("targetSiteCode")),
    "approachSiteCode": ("site", _codes("approachSiteCode")),
    "dischargeDispositionCode": ("discharge_disposition", _one_code("dischargeDispositionCode")),
    "repeatNumber": ("repeat_number", _attribute("repeatNumber")),
    "languageCode": ("language", _attribute("languageCode")),
    "derivationExpr": ("derivation", lambda s, n: n.text(s.one("derivationExpr"))),
    "independentInd": ("independent", _attribute("independentInd")),
    "uncertaintyCode": ("uncertainty", _one_code("uncertaintyCode")),
    "expectedUseTime": (
        "expected_use_time",
        lambda s, n: element_form(s.all("expectedUseTime")[0]),
    ),
    "availabilityTime": ("availability_time", _attribute("availabilityTime")),
    "confidentialityCode": ("confidentiality", _attribute("confidentialityCode")),
}
_READ_EXTENSIONS: Final = frozenset((f"{{{SDTC}}}dischargeDispositionCode", f"{{{SDTC}}}text"))
