"""Dosage and Timing: how much, how often, by which route (C-CDA on FHIR: medications)."""

from collections.abc import Mapping
from typing import Any, Final

from ccda.fhir.datatypes import (
    concepts,
    form_concept,
    form_quantity,
    form_range,
    stated,
    words,
)
from ccda.fhir.numbers import Number, number, whole
from ccda.fhir.statement import Statement
from ccda.fhir.times import Json, period, when
from ccda.fhir.units import ucum

_EVENTS: Final = frozenset(
    "MORN AFT EVE NIGHT PHS HS WAKE C CM CD CV AC ACM ACD ACV PC PCM PCD PCV".split()
)
_MEALS: Final = frozenset(("C", "CM", "CD", "CV"))
_TIME_UNITS: Final = frozenset("s min h d wk mo a".split())
_MINUTES: Final = {"min": 1, "h": 60, "d": 1440, "s": 0}


def dosage(statement: Statement) -> Json | None:
    """One Dosage; None where nothing is said of how it is to be taken."""
    details = statement.entry.details
    dose, rate = details.get("dose"), details.get("rate")
    given = stated(
        doseQuantity=form_quantity(dose),
        doseRange=None if form_quantity(dose) else form_range(dose),
        rateQuantity=form_quantity(rate),
        rateRange=None if form_quantity(rate) else form_range(rate),
    )
    reasons = concepts(details.get("precondition"))
    instructions = [text for one in statement.all("instruction") if (text := words(one))]
    return (
        stated(
            text=words(details.get("sig")),
            patientInstruction="\n".join(instructions) or None,
            timing=timing(statement),
            # Text is no code to ask for; a coded criterion is (FHIR R4: asNeeded[x]).
            **_as_needed(statement, reasons),
            site=form_concept(statement.one("site")),
            route=form_concept(statement.one("route")),
            doseAndRate=[given] if given else None,
            maxDosePerPeriod=_most(details.get("max_dose")),
        )
        or None
    )


def _as_needed(statement: Statement, reasons: list[Json]) -> Json:
    """A precondition says: as needed (C-CDA on FHIR); for what, where that is said."""
    if reasons:
        return {"asNeededCodeableConcept": reasons[0]}
    return {"asNeededBoolean": True} if statement.all("precondition") else {}


def timing(statement: Statement) -> Json | None:
    """A single time is the event; an interval the bounds; PIVL and EIVL how often and when."""
    entry = statement.entry
    moment = when(entry.time)
    bounds = None if moment else period(entry.start, entry.end)
    repeat = stated(boundsPeriod=bounds)
    for form in statement.all("frequency"):
        for name, part in _repeat(form).items():
            if name == "when":
                repeat["when"] = list(dict.fromkeys([*repeat.get("when", []), *part]))
            else:
                repeat.setdefault(name, part)
    return stated(event=[moment] if moment else None, repeat=repeat or None) or None


def _repeat(form: Mapping[str, Any]) -> Json:
    event = form.get("event")
    if event in _EVENTS:
        offset = None if event in _MEALS else _offset(form.get("offset"))
        return stated(when=[event], offset=offset)
    every: Mapping[str, Any] = form.get("period") or {}
    low, high = every.get("low"), every.get("high")
    least: Mapping[str, Any] = low if isinstance(low, dict) else every
    most: Mapping[str, Any] = high if isinstance(high, dict) else {}
    amount, unit = _positive(least.get("value")), _time_unit(least.get("unit"))
    if amount is None or unit is None:
        return {}
    longest = _positive(most.get("value")) if _time_unit(most.get("unit")) == unit else None
    return stated(frequency=1, period=amount, periodMax=longest, periodUnit=unit)


def _positive(text: Any) -> Number | None:
    found = number(text) if isinstance(text, str) else None
    return found if found is not None and found > 0 else None


def _time_unit(unit: Any) -> str | None:
    found = ucum(unit) if isinstance(unit, str) else None
    return found if found in _TIME_UNITS else None


def _offset(form: Any) -> int | None:
    """In minutes; FHIR counts none before the event but by the event's own code."""
    if not isinstance(form, dict):
        return None
    low = form.get("low")
    form = low if isinstance(low, dict) else form
    count, minutes = whole(form.get("value")), _MINUTES.get(_time_unit(form.get("unit")) or "")
    return count * minutes if count and count > 0 and minutes else None


def _most(form: Any) -> Json | None:
    if not isinstance(form, dict):
        return None
    numerator = form_quantity(form.get("numerator"))
    denominator = form_quantity(form.get("denominator"))
    if numerator is None or denominator is None:
        return None
    return {"numerator": numerator, "denominator": denominator}
