"""What the page calls things: kinds, code systems, nullFlavors, and values in plain words."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from ccda.hl7v3 import AD, CD, II, PN, TEL, TS
from ccda.model import Interval

SYSTEMS: Final[Mapping[str, str]] = {
    "2.16.840.1.113883.6.1": "LOINC",
    "2.16.840.1.113883.6.96": "SNOMED CT",
    "2.16.840.1.113883.6.88": "RxNorm",
    "2.16.840.1.113883.12.292": "CVX",
    "2.16.840.1.113883.6.59": "CVX",
    "2.16.840.1.113883.6.12": "CPT",
    "2.16.840.1.113883.6.90": "ICD-10-CM",
    "2.16.840.1.113883.6.4": "ICD-10-PCS",
    "2.16.840.1.113883.6.103": "ICD-9-CM",
    "2.16.840.1.113883.6.104": "ICD-9-CM procedures",
    "2.16.840.1.113883.6.69": "NDC",
    "2.16.840.1.113883.3.26.1.1": "NCI Thesaurus",
    "2.16.840.1.113883.3.26.1.5": "NDF-RT",
    "2.16.840.1.113883.4.9": "UNII",
    "2.16.840.1.113883.6.285": "HCPCS",
    "2.16.840.1.113883.6.13": "CDT",
    "2.16.840.1.113883.6.238": "CDC race and ethnicity",
    "2.16.840.1.113883.5.4": "HL7 ActCode",
    "2.16.840.1.113883.5.83": "HL7 interpretation",
}

ABSENCES: Final[Mapping[str, str]] = {
    "NI": "no information",
    "UNK": "unknown",
    "NA": "not applicable",
    "NASK": "not asked",
    "ASKU": "asked but unknown",
    "NAV": "not available now",
    "MSK": "withheld",
    "OTH": "other",
    "PINF": "without end",
    "NINF": "without beginning",
}
"""HL7 V3 nullFlavors that mean something to people; others are shown as written."""

GENDERS: Final[Mapping[str, str]] = {"F": "Female", "M": "Male", "UN": "Undifferentiated"}
CONFIDENTIALITIES: Final[Mapping[str, str]] = {
    "N": "Normal",
    "R": "Restricted",
    "V": "Very restricted",
}
INTERPRETATIONS: Final[Mapping[str, str]] = {
    "N": "normal",
    "H": "high",
    "L": "low",
    "HH": "critically high",
    "LL": "critically low",
    "A": "abnormal",
    "AA": "critically abnormal",
}
"""HL7 ObservationInterpretation, as far as people know it by a word."""

HAPPENS: Final = frozenset(
    ("procedure", "immunization", "medication", "encounter", "device", "plan", "goal")
)
"""Kinds that are done; of the others a negation says that something is not so."""

_PLAIN_UNITS: Final[Mapping[str, str]] = {
    "[lb_av]": "lb", "[in_i]": "in", "[degF]": "°F", "Cel": "°C", "mm[Hg]": "mmHg",
    "mL/min/{1.73_m2}": "mL/min/1.73 m²", "kg/m2": "kg/m²", "10*3/uL": "10³/µL", "a": "years",
}  # fmt: skip
"""UCUM spellings that nobody reads; every other unit stands as written."""

MOODS: Final[Mapping[str, str]] = {
    "INT": "intended",
    "RQO": "ordered",
    "PRP": "proposed",
    "PRMS": "promised",
    "APT": "appointment",
    "ARQ": "appointment asked for",
    "GOL": "goal",
    "DEF": "definition",
    "EXPEC": "expected",
    "RSK": "risk",
    "OPT": "option",
}


def sentence_case(name: str) -> str:
    """`lot_number` as people write it."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def plain_unit(unit: str | None) -> str | None:
    """A unit as people write it; UCUM's braces hold words already."""
    if unit is None:
        return None
    return _PLAIN_UNITS.get(unit) or unit.removeprefix("{").removesuffix("}")


def absence(null_flavor: str | None) -> str | None:
    return None if null_flavor is None else ABSENCES.get(null_flavor, null_flavor)


def name_of(code: CD | None) -> str | None:
    """What people would call it; a bare code before nothing at all."""
    if code is None:
        return None
    translated = next((t.display for t in code.translations if t.display), None)
    named = code.display or code.original_text or translated or code.code
    return named or absence(code.null_flavor)


def code_words(code: CD | None) -> str | None:
    """A code with its system."""
    if code is None or not code.code:
        return None
    return _coded(code.code, code.system, code.system_name)


def _coded(code: str, system: str | None, system_name: str | None = None) -> str:
    named = SYSTEMS.get(system or "") or system_name or system
    return f"{code} ({named})" if named else code


def named_code(code: CD | None) -> str | None:
    """What it is called, and its code."""
    name, coded = name_of(code), code_words(code)
    if name is None or coded is None or (code is not None and name == code.code):
        return coded or name
    return f"{name}, {coded}"


def time_words(time: TS | None) -> str | None:
    """ISO 8601 with a blank for the T, as precise as written."""
    if time is None:
        return None
    iso = time.iso
    if iso is None:
        return absence(time.null_flavor)
    return iso.replace("T", " ") if iso[:4].isdigit() else iso


def moment(iso: str | None) -> str:
    """Date and minute of an ISO 8601 time, as precise as written, for the eye alone."""
    return (iso or "")[:16].replace("T", " ")


def period_words(start: TS | None, end: TS | None) -> str | None:
    """From when to when; a bound that was left open on purpose is told apart from one not given."""
    if start is not None and start.value and end is not None and end.value:
        return f"{time_words(start)} to {time_words(end)}"
    bounds = (_bound(start, "from", "start"), _bound(end, "until", "end"))
    return ", ".join(bound for bound in bounds if bound) or None


def _bound(time: TS | None, known: str, missing: str) -> str | None:
    words = time_words(time)
    if time is None or words is None:
        return None
    return f"{known} {words}" if time.value else f"{missing}: {words}"


def value_words(
    value: str | CD | Interval | None, unit: str | None, exclusive: Collection[str] = ()
) -> str | None:
    """A value with its unit. `exclusive` names the bounds that are not part of an interval."""
    match value:
        case CD():
            words = named_code(value)
        case Interval(low=low, high=high):
            words = _bounds(low, high, exclusive)
        case _:
            words = value
    return f"{words} {unit}" if words and unit else words


def _bounds(low: str | None, high: str | None, exclusive: Collection[str] = ()) -> str | None:
    least = low and f"{'above' if 'low' in exclusive else 'at least'} {low}"
    most = high and f"{'below' if 'high' in exclusive else 'at most'} {high}"
    if least and most:
        return f"{least} and {most}" if exclusive else f"{low} to {high}"
    return least or most or None


def name_words(name: PN) -> str | None:
    return str(name) or absence(name.null_flavor)


def address_words(address: AD) -> str | None:
    place = " ".join(part for part in (address.state, address.postal_code) if part)
    parts = (*address.lines, address.city, place, address.country)
    return ", ".join(part for part in parts if part) or None


def telecom_words(telecom: TEL) -> str | None:
    """Without the scheme, which people do not dial."""
    value = (telecom.value or "").strip()
    scheme, colon, rest = value.partition(":")
    return (rest if colon and scheme.lower() in ("tel", "mailto", "fax") else value) or None


def id_words(identifier: II | None) -> str | None:
    """The number, then who gave it."""
    if identifier is None or (identifier.root is None and identifier.extension is None):
        return None
    owner = identifier.assigning_authority or identifier.root
    if identifier.extension is None:
        return owner
    return f"{identifier.extension} ({owner})" if owner else identifier.extension


def detail_words(form: Any) -> str | None:
    """A value of an entry's details, whatever its shape."""
    match form:
        case None | "":
            return None
        case bool():
            return "yes" if form else "no"
        case list() | tuple():
            return "; ".join(words for item in form if (words := detail_words(item))) or None
        case dict():
            return _form_words(form)
        case _:
            return str(form)


def _form_words(form: dict[str, Any]) -> str | None:
    """A quantity, an interval and a code as such; what stands beside them after a comma."""
    rest = dict(form)
    parts: list[str | None] = []
    if "value" in rest and not isinstance(rest["value"], dict | list):
        unit = rest.pop("unit", None)
        value = detail_words(rest.pop("value"))
        parts.append(f"{value} {unit}" if value and unit else value)
    elif "low" in rest or "high" in rest:
        parts.append(_bounds(detail_words(rest.pop("low", None)),
                             detail_words(rest.pop("high", None))))  # fmt: skip
    if "display" in rest or "system" in rest:
        parts.append(_coded_form(rest))
    parts += [_named(key, value) for key, value in rest.items()]
    return ", ".join(part for part in parts if part) or None


def code_form_words(form: Mapping[str, Any]) -> str | None:
    """A code in its JSON form: what it is called, and the code."""
    return _coded_form(dict(form))


def _coded_form(rest: dict[str, Any]) -> str | None:
    code, system = detail_words(rest.pop("code", None)), detail_words(rest.pop("system", None))
    display = detail_words(rest.pop("display", None)) or detail_words(rest.pop("text", None))
    coded = None if code is None else _coded(code, system)
    return f"{display}, {coded}" if display and coded else display or coded


def _named(key: str, value: Any) -> str | None:
    words = detail_words(value)
    return None if words is None else f"{key.replace('_', ' ')}: {words}"
