"""How a drug is taken, as a source tells it: how much, which way, in which rhythm."""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from gateway.exchange.units import in_least_unit

Details = Mapping[str, Any]

_LONGEST: Final = 20
"""Characters of a number."""
_RHYTHMS: Final = {"1 d": "daily", "1 wk": "weekly", "1 mo": "monthly", "24 h": "daily"}
# HL7 TimingEvent, as far as it is commonly written.
_EVENTS: Final = {
    "HS": "at bedtime", "WAKE": "on waking", "AC": "before meals", "ACM": "before breakfast",
    "ACD": "before lunch", "ACV": "before dinner", "IC": "between meals", "PC": "after meals",
    "PCM": "after breakfast", "PCD": "after lunch", "PCV": "after dinner", "C": "with meals",
    "CM": "with breakfast", "CD": "with lunch", "CV": "with dinner",
}  # fmt: skip


def dose_words(details: Details) -> str:
    """The dose as it is written, a range with both its ends: 1–2 mg."""
    dose = _form(details.get("dose"))
    low, high = _form(dose.get("low")), _form(dose.get("high"))
    if low.get("value") and high.get("value"):
        least = low if low.get("unit") != high.get("unit") else {"value": low["value"]}
        return f"{_amount(least)}–{_amount(high)}"
    if low.get("value"):
        return f"≥ {_amount(low)}"
    return f"≤ {_amount(high)}" if high.get("value") else _amount(dose) if dose.get("value") else ""


def dose_key(details: Details) -> str:
    """What is the same for one dose in two spellings, or in two units: 1 mg, 1000 ug."""
    dose = _form(details.get("dose"))
    low, high = _form(dose.get("low")), _form(dose.get("high"))
    least = _measure({"unit": high.get("unit"), **low})
    most = _measure(high)
    if least and most:
        return f"{least} – {most}"
    return f"≥ {least}" if least else f"≤ {most}" if most else _measure(dose)


def route_words(details: Details) -> str:
    route = _form(details.get("route"))
    return str(route.get("display") or route.get("code") or "")


def route_key(details: Details) -> tuple[str, str] | None:
    """By whom it is coded, and as what; two code systems cannot be compared."""
    route = _form(details.get("route"))
    if route.get("code"):
        return str(route.get("system") or ""), str(route["code"]).upper()
    return ("words", words.casefold()) if (words := route_words(details)) else None


def rhythm_words(details: Details) -> str:
    """every 6 h; before breakfast, at bedtime."""
    told = [*_periods(details), *_events(details)]
    return ", ".join(dict.fromkeys(words for words, _ in told))


def periods(details: Details) -> frozenset[str]:
    """How often, whichever unit it is told in."""
    return frozenset(key for _, key in _periods(details))


def events(details: Details) -> frozenset[str]:
    """At what in the day."""
    return frozenset(key for _, key in _events(details))


def course_marks(details: Details) -> Iterator[tuple[str, str]]:
    """What is one in one course, by what it is: two that differ in one document are two."""
    if dose := dose_key(details):
        yield "dose", dose
    if route := route_key(details):
        yield f"route {route[0]}", route[1]
    for what, keys in (("period", periods(details)), ("event", events(details))):
        if keys:
            yield what, " ".join(sorted(keys))


def _amount(quantity: Mapping[str, Any]) -> str:
    return " ".join(str(part) for part in (quantity.get("value"), quantity.get("unit")) if part)


def _measure(quantity: Mapping[str, Any]) -> str:
    """The amount in the least unit of those that measure the same; nothing where none is told."""
    if not quantity.get("value"):
        return ""
    value, unit = str(quantity["value"]), " ".join(str(quantity.get("unit") or "").split())
    number = _number(value)
    found = None if number is None else in_least_unit(number, unit)
    if found is None:
        return " ".join(part for part in (_plain(value), unit) if part).casefold()
    amount, least = found
    return f"{amount.normalize():f} {least}"


def _periods(details: Details) -> Iterator[tuple[str, str]]:
    for each in _list(details.get("frequency")):
        period = _form(each.get("period"))
        if period.get("value"):
            words = _amount(period)
            yield _RHYTHMS.get(words, f"every {words}"), _measure(period)


def _events(details: Details) -> Iterator[tuple[str, str]]:
    for each in _list(details.get("frequency")):
        if each.get("event"):
            code = str(each["event"]).upper()
            yield _EVENTS.get(code, code), code


def _plain(word: str) -> str:
    """A number without what makes it no other number: 1.50 is 1.5."""
    number = _number(word)
    return word if number is None else f"{number.normalize():f}"


def _number(text: str) -> Decimal | None:
    # What is longer is no dose, and with an exponent a few characters could be of any size.
    if len(text) > _LONGEST or "e" in text.casefold():
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _form(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
