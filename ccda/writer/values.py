"""Codes, times and quantities as CDA's schema admits them (CDA R2: datatypes R1).

Codes, units and times come from many hands. What the schema admits is written as given; what it
does not (a code with a space, a date in words) gets a nullFlavor and stays in the narrative.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from ccda.hl7v3 import CD, II, NUMBER, hl7_time
from ccda.model import Interval
from ccda.writer.elements import Element, add, set_type

NAMES_OF_SYSTEMS: Final = {
    "2.16.840.1.113883.6.1": "LOINC",
    "2.16.840.1.113883.6.96": "SNOMED CT",
    "2.16.840.1.113883.6.88": "RxNorm",
    "2.16.840.1.113883.6.90": "ICD-10-CM",
    "2.16.840.1.113883.6.103": "ICD-9-CM",
    "2.16.840.1.113883.6.12": "CPT",
    "2.16.840.1.113883.12.292": "CVX",
    "2.16.840.1.113883.6.69": "NDC",
    "2.16.840.1.113883.4.9": "UNII",
    "2.16.840.1.113883.5.4": "ActCode",
}
UNKNOWN: Final = "UNK"

_OID: Final = re.compile(r"[0-2](\.(0|[1-9][0-9]*))*")
_UUID: Final = re.compile(r"[0-9a-zA-Z]{8}(-[0-9a-zA-Z]{4}){3}-[0-9a-zA-Z]{12}")
_RUID: Final = re.compile(r"[A-Za-z][A-Za-z0-9\-]*")
_TOKEN: Final = re.compile(r"\S+")
_TIME: Final = re.compile(r"(\d{4,8}|\d{9,14}|\d{14}\.\d+)([+-]\d{1,4})?")
_INTEGER: Final = re.compile(r"[+-]?\d+")
_COUNT: Final = re.compile(r"[0-9]{1,9}")
_RANGE: Final = re.compile(r"(?P<low>\S+)–(?P<high>\S+)|≥ (?P<least>\S+)|≤ (?P<most>\S+)")
_DATE: Final = re.compile(r"\d{4}(-\d\d(-\d\d(T.*)?)?)?")
_NULL_FLAVORS: Final = frozenset("NI OTH NINF PINF UNK ASKU NAV NASK TRC MSK NA QS".split())

# ---- identifiers and codes -------------------------------------------------------------------


def as_uid(text: str | None) -> str | None:
    """`text` as the schema's uid (an OID, a UUID or a reserved name), or None."""
    bare = (text or "").strip().removeprefix("urn:oid:")
    known = any(form.fullmatch(bare) for form in (_OID, _UUID, _RUID))
    return bare if known else None


def write_id(parent: Element, identifier: II | None, name: str = "id") -> Element:
    """An id; one that is unknown, or whose root is no uid, as nullFlavor UNK."""
    root = as_uid(identifier.root) if identifier is not None else None
    if identifier is None or root is None:
        extension = identifier.extension if identifier is not None else None
        return add(parent, name, nullFlavor=UNKNOWN, extension=extension)
    return add(parent, name, root=root, extension=identifier.extension)


def as_token(text: str | None) -> str | None:
    """`text` as the schema's cs, which has no white space, or None."""
    bare = (text or "").strip()
    return bare if _TOKEN.fullmatch(bare) else None


def id_of_text(text: str) -> II:
    """The id that was written as `root^extension`."""
    root, _, extension = text.partition("^")
    return II(root or None, extension or None)


def as_null_flavor(text: str | None, otherwise: str = UNKNOWN) -> str:
    return text if text in _NULL_FLAVORS else otherwise


def code_of(form: object) -> CD | None:
    """The code that stands in the details as `{"code", "system", "display"}`.

    Of a whole statement it is what the statement says: its coded value, else its words, else
    its own code, which may only be the question.
    """
    if not isinstance(form, Mapping):
        return None
    if isinstance(form.get("value"), Mapping) and "code" in form["value"]:
        return code_of(form["value"])
    if isinstance(form.get("code"), Mapping):
        words = form.get("text")
        return code_of(form["code"]) if not words else CD(None, None, words, original_text=words)
    code, system, display, text = (
        told if isinstance(told, str) and told else None
        for told in map(form.get, ("code", "system", "display", "text"))
    )
    if code is None and display is None and text is None:
        return None
    return CD(code, system, display or text, original_text=text)


def list_of(detail: object) -> list[Any]:
    """What stands in a detail that is one thing or a list of them."""
    return detail if isinstance(detail, list) else [] if detail is None else [detail]


def is_coded(code: CD | None) -> bool:
    """Whether its code can stand in a `code` attribute."""
    return code is not None and as_token(code.code) is not None


def write_code(
    parent: Element,
    name: str,
    code: CD | None,
    *,
    words: str | None = None,
    type_name: str | None = None,
    null_flavor: str = UNKNOWN,
) -> Element:
    """A coded value with its translations; `words` is the narrative ID where it is named."""
    element = _write_bare(parent, name, code, null_flavor)
    if type_name is not None:
        set_type(element, type_name)
    if words is not None:
        add(add(element, "originalText"), "reference", value=f"#{words}")
    elif code is not None and code.original_text:
        add(element, "originalText", code.original_text)
    if code is not None and type_name == "CD":  # of the coded types CD alone can be narrowed
        _write_qualifiers(element, code)
    for translation in code.translations if code is not None else ():
        _write_bare(element, "translation", translation, UNKNOWN)
    return element


def _write_qualifiers(element: Element, code: CD) -> None:
    for name, value in code.qualifiers:
        if value is not None and is_coded(value):
            qualifier = add(element, "qualifier")
            _write_bare(qualifier, "name", name, UNKNOWN)
            _write_bare(qualifier, "value", value, UNKNOWN)


def _write_bare(parent: Element, name: str, code: CD | None, null_flavor: str) -> Element:
    if code is None:
        return add(parent, name, nullFlavor=null_flavor)
    system = as_uid(code.system)
    known_as = NAMES_OF_SYSTEMS.get(system or "") or code.system_name
    coded = is_coded(code)
    is_null = not coded or code.null_flavor is not None  # a code that its author put in doubt
    return add(
        parent,
        name,
        nullFlavor=as_null_flavor(code.null_flavor, null_flavor) if is_null else None,
        code=(code.code or "").strip() if coded else None,
        codeSystem=system,
        codeSystemName=known_as or (code.system if system is None else None) or None,
        displayName=code.display or None,
    )


# ---- times -----------------------------------------------------------------------------------


def as_time(iso: str | None) -> str | None:
    """HL7 TS of an ISO time, as precise as it is; None for what is no time."""
    written = hl7_time(iso) if iso else ""
    return written if _TIME.fullmatch(written) else None


def write_time(parent: Element, name: str, iso: str | None, null_flavor: str = UNKNOWN) -> Element:
    value = as_time(iso)
    return add(parent, name, value=value, nullFlavor=None if value else null_flavor)


def write_moment(parent: Element, start: str | None, end: str | None) -> Element:
    """effectiveTime of an event: a point, or an interval where its end is told."""
    if end is None:
        return write_time(parent, "effectiveTime", start)
    return write_interval(parent, start, end)


def write_interval(
    parent: Element, start: str | None, end: str | None, *, has_ended: bool = False
) -> Element:
    """effectiveTime with low, and with high where an end is told or known to be past."""
    element = add(parent, "effectiveTime")
    write_time(element, "low", start)
    if end is not None or has_ended:
        write_time(element, "high", end)
    return element


# ---- quantities and values -------------------------------------------------------------------


def as_number(value: object) -> str | None:
    text = value.strip() if isinstance(value, str) else ""
    return text if NUMBER.fullmatch(text) else None


def as_count(value: object) -> str | None:
    """`value` as the schema's int, as far as any reader counts; None for what is none."""
    text = value.strip() if isinstance(value, str) else ""
    return text if _COUNT.fullmatch(text) else None


def as_unit(unit: object) -> str | None:
    """A unit as given, where the schema admits it: UCUM has no spaces."""
    return as_token(unit) if isinstance(unit, str) else None


def write_quantity(parent: Element, name: str, form: object) -> Element | None:
    """PQ or IVL_PQ of `{"value", "unit"}` or `{"low", "high"}`; None where it is no number."""
    if not isinstance(form, Mapping):
        return None
    value = as_number(form.get("value"))
    if value is not None:
        return add(parent, name, value=value, unit=as_unit(form.get("unit")))
    bounds = {bound: form.get(bound) for bound in ("low", "high")}
    numbers = {
        bound: (as_number(part.get("value")), as_unit(part.get("unit")))
        for bound, part in bounds.items()
        if isinstance(part, Mapping)
    }
    if not any(number for number, _ in numbers.values()):
        return None
    element = add(parent, name)
    for bound, (number, unit) in numbers.items():
        if number is not None:
            add(element, bound, value=number, unit=unit)
    return element


def write_value(
    parent: Element,
    value: str | CD | Interval | None,
    unit: str | None = None,
    *,
    null_flavor: str = UNKNOWN,
    exclusive: object = (),
) -> Element:
    """observation/value in the type that its content has."""
    match value:
        case None:
            return _typed(parent, "ST", nullFlavor=null_flavor)
        case CD():
            return write_code(parent, "value", value, type_name="CD")
        case Interval(low=low, high=high):
            return _write_range(parent, low, high, unit, exclusive)
        case str():
            return _write_text(parent, value, unit, exclusive)


def _write_text(parent: Element, value: str, unit: str | None, exclusive: object) -> Element:
    number = as_number(value)
    if number is not None:
        return _write_number(parent, number, unit)
    found = _RANGE.fullmatch(value.strip())
    if found is not None:
        low, high = found["low"] or found["least"], found["high"] or found["most"]
        if all(as_number(bound) for bound in (low, high) if bound):
            return _write_range(parent, low, high, unit, exclusive)
    element = _typed(parent, "ST")
    element.text = value if unit is None else f"{value} {unit}"  # no number: 37,2 Cel
    return element


def _write_number(parent: Element, number: str, unit: str | None) -> Element:
    if unit is None:
        return _typed(parent, "INT" if _INTEGER.fullmatch(number) else "REAL", value=number)
    if as_unit(unit) is not None:
        return _typed(parent, "PQ", value=number, unit=as_unit(unit))
    # A unit that is no code: CDA R2 datatypes, PQR.
    element = _typed(parent, "PQ", nullFlavor="OTH")
    translation = add(element, "translation", value=number, nullFlavor="OTH")
    add(translation, "originalText", unit)
    return element


def _write_range(
    parent: Element, low: str | None, high: str | None, unit: str | None, exclusive: object
) -> Element:
    bounds = {"low": low, "high": high}
    told = {name: bound for name, bound in bounds.items() if bound is not None}
    outside = exclusive if isinstance(exclusive, list | tuple) else ()
    if all(as_number(bound) for bound in told.values()):
        element = _typed(parent, "IVL_PQ")
        for name, bound in told.items():
            inclusive = "false" if name in outside else None
            add(element, name, value=as_number(bound), unit=as_unit(unit), inclusive=inclusive)
    elif all(_DATE.fullmatch(bound) for bound in told.values()):
        element = _typed(parent, "IVL_TS")
        for name, bound in told.items():
            write_time(element, name, bound)
    else:
        element = _typed(parent, "ST")
        element.text = "–".join(bound or "" for bound in bounds.values())
    return element


def _typed(parent: Element, type_name: str, **attributes: str | None) -> Element:
    element = add(parent, "value", **attributes)
    set_type(element, type_name)
    return element
