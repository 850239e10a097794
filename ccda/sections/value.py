"""What an observation found: `value`, whatever its xsi:type (CDA R2 datatypes, ANY).

The type written is looked at first; what carries none, or one not listed, is read by its shape.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ccda.hl7v3 import CD, XSI_TYPE, iso_time, read_ii
from ccda.model import Interval
from ccda.narrative import Narrative
from ccda.safe_xml import Element
from ccda.sections.form import Form, code_form, stated, translated_unit, without_none
from ccda.sections.statement import first
from ccda.values import maker, quickly_made


@quickly_made
@dataclass(frozen=True, slots=True)
class Value:
    """A value and its unit; `null_flavor` says why there is none."""

    value: str | CD | Interval | None = None
    unit: str | None = None
    null_flavor: str | None = None


_value: Final = maker(Value)
NO_VALUE: Final = Value()


def read_value(element: Element | None, narrative: Narrative) -> Value:
    """The value in `element`; never raises, whatever the type says."""
    if element is None:
        return NO_VALUE
    written = element.get(XSI_TYPE)
    if written is None:
        return _by_shape(element, narrative)
    reader = _READERS.get(written) or _READERS.get(written.rpartition(":")[2], _by_shape)
    return reader(element, narrative)


def value_form(value: Value) -> Form | None:
    """A value inside the details: an object whatever its type."""
    if isinstance(value.value, CD):
        return code_form(value.value)
    if isinstance(value.value, Interval):
        return without_none(low=value.value.low, high=value.value.high, unit=value.unit)
    return without_none(value=value.value, unit=value.unit) or None


def _coded(element: Element, narrative: Narrative) -> Value:
    code = narrative.code(element)
    if code is None:
        # Quirk: <value xsi:type="CD">Positive</value>, the words where a code should stand.
        said = narrative.text(element)
        return NO_VALUE if said is None else Value(CD(None, original_text=said))
    says = code.code or code.display or code.original_text or code.translations
    return _value(code if says else None, None, code.null_flavor)


def _quantity(element: Element, narrative: Narrative) -> Value:
    value, null_flavor = stated(element, "value"), element.get("nullFlavor")
    if value is not None:
        return _value(value, stated(element, "unit") or element.get("currency"), null_flavor)
    translation = first(element, "translation")
    if translation is not None and translation.get("value"):
        return Value(translation.get("value"), translated_unit(translation))
    # Quirk: <value xsi:type="PQ">12 mg</value>, the number as text.
    return Value(narrative.text(element), None, null_flavor)


def _text(element: Element, narrative: Narrative) -> Value:
    # Quirk: <value xsi:type="ST" value="Negative"/>, the string as an attribute.
    text = narrative.text(element) or element.get("value")
    return Value(text, stated(element, "unit"), element.get("nullFlavor"))


def _time(element: Element, narrative: Narrative) -> Value:
    return Value(iso_time(element.get("value")), None, element.get("nullFlavor"))


def _identifier(element: Element, narrative: Narrative) -> Value:
    """II, `root^extension`: a device identifier, a policy number."""
    return Value(str(read_ii(element)) or None, None, element.get("nullFlavor"))


def _interval(element: Element, narrative: Narrative) -> Value:
    low, high = first(element, "low"), first(element, "high")
    if low is None and high is None:
        center = first(element, "center")
        return _quantity(element if center is None else center, narrative)
    bounds = [bound for bound in (low, high) if bound is not None]
    units = {unit for bound in bounds if (unit := stated(bound, "unit"))}
    values = [None if bound is None else stated(bound, "value") for bound in (low, high)]
    if values == [None, None]:
        return Value(None, next(iter(units), None), bounds[0].get("nullFlavor"))
    if len(units) > 1:  # 500 mg to 1 g: the unit of one is not that of the other
        return Value(Interval(_quantity_words(low), _quantity_words(high)))
    return Value(Interval(*values), next(iter(units), None), element.get("nullFlavor"))


def _time_interval(element: Element, narrative: Narrative) -> Value:
    interval = _interval(element, narrative)
    if isinstance(interval.value, Interval):
        return Value(Interval(iso_time(interval.value.low), iso_time(interval.value.high)))
    return _time(element, narrative)


def _ratio(element: Element, narrative: Narrative) -> Value:
    """`1:128`, or `5 mg : 1 mL` where the two have units."""
    parts = [_quantity_words(first(element, name)) for name in ("numerator", "denominator")]
    if None in parts:
        return Value(None, None, element.get("nullFlavor"))
    joint = ":" if all(" " not in (part or "") for part in parts) else " : "
    return Value(joint.join(part or "" for part in parts))


def _quantity_words(element: Element | None) -> str | None:
    if element is None or not element.get("value"):
        return None
    unit = stated(element, "unit")
    value = element.get("value") or ""
    return f"{value} {unit}" if unit and unit != "1" else value


def _by_shape(element: Element, narrative: Narrative) -> Value:
    if element.get("code") or first(element, "translation") is not None:
        return _coded(element, narrative)
    if first(element, "numerator") is not None:
        return _ratio(element, narrative)
    if first(element, "low") is not None or first(element, "high") is not None:
        return _interval(element, narrative)
    if element.get("value") is not None:
        return _quantity(element, narrative)
    if first(element, "originalText") is not None:
        return _coded(element, narrative)
    return _text(element, narrative)


_Reader = Callable[[Element, Narrative], Value]
_READERS: Final[dict[str, _Reader]] = {
    **dict.fromkeys(("CD", "CE", "CV", "CO", "CS"), _coded),
    **dict.fromkeys(("PQ", "INT", "REAL", "MO", "BL"), _quantity),
    **dict.fromkeys(("ST", "ED", "SC", "ON", "PN"), _text),
    **dict.fromkeys(("IVL_PQ", "IVL_INT", "IVL_REAL", "IVL_MO"), _interval),
    **dict.fromkeys(("RTO", "RTO_PQ_PQ", "RTO_QTY_QTY", "RTO_MO_PQ"), _ratio),
    "II": _identifier,
    "TS": _time,
    "IVL_TS": _time_interval,
}
