"""Results and vital signs (C-CDA R2.1: 3.92 Result Observation 4.2, 3.109 Vital Sign 4.27).

A panel is an entry of its own; what was measured in it names the panel as its parent.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.safe_xml import Element
from ccda.sections.entry import make_entry
from ccda.sections.form import Form, name_of, read_code, read_quantity, without_none
from ccda.sections.no_information import names_nothing
from ccda.sections.participants import read_performers
from ccda.sections.particulars import read_specimens
from ccda.sections.parts import is_comment
from ccda.sections.statement import Statement, children_of, first, is_denied, walk
from ccda.sections.value import Value, read_value, value_form

_OUTSIDE_OBSERVATIONS: Final = frozenset(
    "act organizer encounter procedure substanceAdministration supply".split()
)
_Kind = Literal["result", "vital_sign", "functional_status", "mental_status"]


def read_results(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    return _read("result", top, narrative)


def read_vital_signs(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    return _read("vital_sign", top, narrative)


def _read(kind: _Kind, top: Statement, narrative: Narrative) -> Iterator[Entry]:
    for statement in walk(top, _OUTSIDE_OBSERVATIONS):
        if statement.name == "organizer":
            yield read_panel(kind, statement, narrative)
        elif statement.name == "observation" and (
            "value" in statement.children or not is_comment(statement)
        ):
            yield read_observation(kind, statement, narrative)


def read_panel(kind: _Kind, statement: Statement, narrative: Narrative) -> Entry:
    """An organizer: what was ordered, its state and specimen; its parts hold the values."""
    code = narrative.code(statement.one("code"))
    groups = statement.inner and not all(map(_has_no_information, (statement, *statement.inner)))
    return make_entry(
        statement,
        kind,
        narrative,
        code=code,
        # A panel without a code of its own still groups what it holds.
        no_information=False if groups and names_nothing(code, name_of(code)) else None,
        details=without_none(
            panel=True,
            specimen=_specimen(statement, narrative),
            performer=read_performers(statement, narrative),
        ),
    )


def _has_no_information(statement: Statement) -> bool:
    return statement.get("nullFlavor") is not None


def read_observation(kind: _Kind, statement: Statement, narrative: Narrative) -> Entry:
    values = statement.all("value")
    value = read_value(values[0], narrative) if values else Value()
    return make_entry(
        statement,
        kind,
        narrative,
        code=narrative.code(statement.one("code")),
        value=value,
        details=observation_details(statement, value, narrative),
    )


def observation_details(statement: Statement, value: Value, narrative: Narrative) -> Form:
    """What an observation adds to its value: how it compares, how and on what it was taken."""
    form: Form = {}
    for name in statement.children:
        if name in _DETAILS:
            key, reader = _DETAILS[name]
            if found := reader(statement, narrative):
                form[key] = found
    if value.null_flavor is not None:
        form["value_null_flavor"] = value.null_flavor
    values = statement.children.get("value")
    if values is not None:
        form |= _value_attributes(values[0])
        if len(values) > 1:
            others = (value_form(read_value(element, narrative)) for element in values[1:])
            if rest := [other for other in others if other]:
                form["other_values"] = rest
    return form


def _value_attributes(element: Element) -> Form:
    """What qualifies a value: a bound not included, a width, other units, an enclosed file."""
    form: Form = {}
    if len(element):
        bounds = ((name, first(element, name)) for name in ("low", "high"))
        exclusive = [
            name
            for name, bound in bounds
            if bound is not None and bound.get("inclusive") == "false"
        ]
        if exclusive:
            form["exclusive"] = exclusive
        if width := read_quantity(first(element, "width")):
            form["value_width"] = width
        if element.get("value") and (others := (read_quantity(element) or {}).get("translations")):
            form["value_translations"] = others
    elif element.get("representation"):
        form |= without_none(
            media_type=element.get("mediaType"), representation=element.get("representation")
        )
    return form


def _codes(statement: Statement, name: str, narrative: Narrative) -> list[Form]:
    found = [read_code(element, narrative) for element in statement.all(name)]
    return [form for form in found if form is not None]


def _reference_ranges(statement: Statement, narrative: Narrative) -> list[Form]:
    """Each range as bounds or as text, with what lying in it means and which bound does not."""
    forms = []
    for element in statement.all("referenceRange"):
        part = first(element, "observationRange")
        parts = {} if part is None else children_of(part)
        value = parts.get("value")
        bounds = None if value is None else value_form(read_value(value[0], narrative))
        form = without_none(
            value=bounds,
            **({} if value is None else _value_attributes(value[0])),
            text=narrative.text(parts["text"][0]) if "text" in parts else None,
            code=_first_code(parts.get("code"), narrative),
            interpretation=_first_code(parts.get("interpretationCode"), narrative),
        )
        if form:
            # CDA's schema has no negationInd here, HL7's RIM has: that this is not the range.
            denied = part is not None and is_denied(part)
            forms.append(form | {"negated": True} if denied else form)
    return forms


def _first_code(elements: list[Element] | None, narrative: Narrative) -> Form | None:
    return None if elements is None else read_code(elements[0], narrative)


def _specimen(statement: Statement, narrative: Narrative) -> Form | None:
    """The first specimen; how it was taken is a part (Specimen Collection Procedure, 4.415)."""
    if "specimen" not in statement.children:
        return None
    return next(iter(read_specimens(statement, narrative)), None)


_Reader = Callable[[Statement, Narrative], Any]
_DETAILS: Final[dict[str, tuple[str, _Reader]]] = {
    "interpretationCode": ("interpretation", lambda s, n: _codes(s, "interpretationCode", n)),
    "referenceRange": ("reference_range", _reference_ranges),
    "methodCode": ("method", lambda s, n: read_code(s.one("methodCode"), n)),
    "targetSiteCode": ("target_site", lambda s, n: read_code(s.one("targetSiteCode"), n)),
    "specimen": ("specimen", _specimen),
    "performer": ("performer", read_performers),
}
