"""Details in JSON form: what a kind of statement adds, under the standard's names.

A code is `{"code", "system", "display"}` (and `text`, `translations`, `qualifiers` where it has
them), a quantity
`{"value", "unit"}` (and `translations`) or `{"low": …, "high": …}`. What is absent is left out.
"""

from typing import Any, Final

from lxml import etree

from ccda.hl7v3 import CD, II, iso_time, read_pn, text_of, v3
from ccda.narrative import Narrative
from ccda.safe_xml import Element
from ccda.sections.statement import first

Form = dict[str, Any]
_TRANSLATION: Final = v3("translation")


def without_none(**parts: Any) -> Form:
    """The parts that say something."""
    return {name: part for name, part in parts.items() if part or (part is not None and part != [])}


def code_form(code: CD | None) -> Form | None:
    """A code as an object; None when it says nothing."""
    if code is None:
        return None
    form: Form = {"code": code.code, "system": code.system, "display": name_of(code)}
    if code.original_text and code.original_text != form["display"]:
        form["text"] = code.original_text
    if form["code"] is None and code.translations:
        return code_form(code.translations[0])
    if code.translations:
        form["translations"] = [t for each in code.translations if (t := code_form(each))]
    if code.qualifiers:
        form["qualifiers"] = [
            without_none(name=code_form(name), value=code_form(value))
            for name, value in code.qualifiers
        ]
    return form if form["code"] or form["display"] else None


def name_of(code: CD | None) -> str | None:
    """What people would call it: displayName, a translation's, or the original text."""
    if code is None:
        return None
    if code.display:
        return code.display
    translated = next((t.display for t in code.translations if t.display), None)
    return translated or code.original_text


def read_code(element: Element | None, narrative: Narrative) -> Form | None:
    return None if element is None else code_form(narrative.code(element))


def read_quantity(element: Element | None) -> Form | None:
    """PQ with the same in other units, or the IVL_PQ that stands in its place."""
    if element is None:
        return None
    if not len(element):
        # Quirk: <doseQuantity>2 tablets</doseQuantity>, the quantity in words.
        value = element.get("value") or text_of(element)
        return without_none(value=value, unit=stated(element, "unit")) if value else None
    others = [form for each in element.iterfind(_TRANSLATION) if (form := _translated(each))]
    if value := element.get("value"):
        return without_none(value=value, unit=stated(element, "unit"), translations=others)
    bounds = without_none(
        low=read_quantity(first(element, "low")), high=read_quantity(first(element, "high"))
    )
    return bounds or read_quantity(first(element, "center")) or next(iter(others), None)


def stated(element: Element, name: str) -> str | None:
    """The attribute of that name; a blank one is none."""
    value = element.get(name)
    return None if value is None or value.isspace() else value or None


def _translated(element: Element) -> Form | None:
    value = element.get("value")
    return without_none(value=value, unit=translated_unit(element)) if value else None


def translated_unit(element: Element) -> str | None:
    """The unit of a PQR: a code, or words where the unit has none (CDA R2 datatypes: PQR)."""
    written = stated(element, "unit") or element.get("code") or element.get("displayName")
    return written or text_of(first(element, "originalText"))


def read_ratio(element: Element | None) -> Form | None:
    """RTO_PQ_PQ: the most in a period, a rate of dispensing."""
    if element is None:
        return None
    numerator = read_quantity(first(element, "numerator"))
    denominator = read_quantity(first(element, "denominator"))
    if numerator is None or denominator is None:
        return read_quantity(element)
    return {"numerator": numerator, "denominator": denominator}


def read_time(element: Element | None) -> str | Form | None:
    """TS as ISO 8601 text, IVL_TS as an object of such texts."""
    if element is None:
        return None
    if element.get("value"):
        return iso_time(element.get("value"))
    bounds = without_none(
        low=read_time(first(element, "low")),
        high=read_time(first(element, "high")),
        width=read_quantity(first(element, "width")),
    )
    return bounds or None


def id_text(identifier: II) -> str | None:
    return str(identifier) or None


def person_name(element: Element | None) -> str | None:
    """A name as one line, its parts in order where it has parts."""
    if element is None:
        return None
    if len(element) == 0:
        return text_of(element)
    return str(read_pn(element)) or text_of(element)


def xml_of(element: Element) -> str:
    """The element as XML of its own."""
    return etree.tostring(element, encoding="unicode", with_tail=False)
