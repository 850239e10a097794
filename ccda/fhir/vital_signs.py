"""Vital signs: one Observation a measurement, a panel an organizer (C-CDA on FHIR: vital signs).

FHIR R4 holds what has one of its vital signs' codes to that vital sign's profile: a quantity in
one of its units at a time known to the day. What cannot be told so is told in words.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from ccda.fhir.datatypes import notes, stated
from ccda.fhir.observations import (
    members,
    observation,
    panel_effective,
    result_status,
    with_reason,
)
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.systems import DATA_ABSENT, LOINC
from ccda.fhir.times import Json, absent

_PANEL: Final = {"coding": [{"system": LOINC, "code": "85353-1"}]}
_BLOOD_PRESSURE: Final = {"coding": [{"system": LOINC, "code": "85354-9"}]}
_LOINC_OID: Final = "2.16.840.1.113883.6.1"
_SYSTOLIC: Final = "8480-6"
_DIASTOLIC: Final = "8462-4"
_SPO2: Final = frozenset(("2708-6", "59408-5"))
# FHIR R4: vital signs profiles; the units each may be in.
_UNITS: Final[Mapping[str, frozenset[str]]] = {
    "9279-1": frozenset(("/min",)),
    "8867-4": frozenset(("/min",)),
    "2708-6": frozenset(("%",)),
    "59408-5": frozenset(("%",)),
    "8310-5": frozenset(("Cel", "[degF]")),
    "8302-2": frozenset(("cm", "[in_i]")),
    "9843-4": frozenset(("cm", "[in_i]")),
    "8287-5": frozenset(("cm", "[in_i]")),
    "29463-7": frozenset(("g", "kg", "[lb_av]")),
    "39156-5": frozenset(("kg/m2",)),
    _SYSTOLIC: frozenset(("mm[Hg]",)),
    _DIASTOLIC: frozenset(("mm[Hg]",)),
}


def add_vital_signs(statements: Sequence[Statement], resources: Resources) -> None:
    pairs = _pairs([one for one in statements if not one.is_panel])
    for statement in statements:
        if not statement.is_panel and statement.position not in resources.links:
            pair = pairs.get(statement.position)
            if pair is None or not _add_blood_pressure(*pair, resources):
                resources.state(statement, "Observation", _vital_sign(statement, resources))
    for statement in reversed(statements):
        if statement.is_panel:
            form = observation(statement, resources, category="vital-signs", code=_PANEL)
            form.pop("effectiveDateTime", None)
            form.pop("effectivePeriod", None)
            held = stated(hasMember=members(statement, resources))
            timed = _timed(panel_effective(statement))
            resources.state(statement, "Observation", with_reason({**form, **timed, **held}))


def _vital_sign(statement: Statement, resources: Resources) -> Json:
    form = observation(statement, resources, category="vital-signs")
    times: Json = {n: form.pop(n) for n in ("effectiveDateTime", "effectivePeriod") if n in form}
    return with_reason(_fitting({**form, **_timed(times)}, statement))


def _timed(times: Json) -> Json:
    """FHIR R4: vs-1. A month or a year is the period in which it was measured."""
    moment = times.get("effectiveDateTime")
    if moment is not None and len(moment) < 10:
        return {"effectivePeriod": {"start": moment, "end": moment}}
    return times or {"_effectiveDateTime": absent()}


def _fitting(form: Json, statement: Statement) -> Json:
    """A value that the profile of its code does not admit stands in a note."""
    units = _UNITS.get(_loinc(statement) or "")
    found = {name: part for name, part in form.items() if name.startswith("value")}
    if units is None or not found or found.get("valueQuantity", {}).get("code") in units:
        return form
    rest = {name: part for name, part in form.items() if name not in found}
    entry = statement.entry
    value = entry.value if isinstance(entry.value, str) else None
    text = f"{value or ''} {entry.unit or ''}".strip() or _in_words(found)
    rest["dataAbsentReason"] = {"coding": [{"system": DATA_ABSENT, "code": "as-text"}]}
    return {**rest, "note": [*rest.get("note", []), *notes(f"Value as written: {text}")]}


def _in_words(found: Json) -> str:
    value = next(iter(found.values()))
    if isinstance(value, dict) and ("low" in value or "high" in value):
        bounds = (value.get(name, {}) for name in ("low", "high"))
        return " - ".join(f"{b.get('value', '')} {b.get('unit', '')}".strip() for b in bounds)
    if isinstance(value, dict):
        parts = (value.get(name) for name in ("comparator", "value", "text", "unit"))
        codes = [one.get("display") or one["code"] for one in value.get("coding", ())]
        return " ".join([*(str(part) for part in parts if part is not None), *codes])
    return str(value)


# ---- blood pressure --------------------------------------------------------------------------


def _pairs(
    statements: Sequence[Statement],
) -> dict[tuple[int, int], tuple[Statement, Statement]]:
    """Each systolic with the diastolic of its organizer, time and status, by both positions."""
    groups: dict[tuple[object, ...], dict[str, list[Statement]]] = defaultdict(dict)
    for one in statements:
        code = _loinc(one)
        if code in (_SYSTOLIC, _DIASTOLIC):
            around = one.parent.position if one.parent is not None else one.documents
            moment = one.moment or (one.parent.moment if one.parent is not None else None)
            # One Observation has one status: a number entered in error takes no other with it.
            alike = (around, moment, repr(one.about_other), result_status(one))
            groups[alike].setdefault(code, []).append(one)
    pairs = {}
    for key, found in groups.items():
        whole = len(found.get(_SYSTOLIC, ())) == len(found.get(_DIASTOLIC, ())) > 0
        # Two without a time or an organizer were not measured together for all we know.
        if whole and (key[1] is not None or isinstance(key[0][0], int)):  # type: ignore[index]
            for pair in zip(found[_SYSTOLIC], found[_DIASTOLIC], strict=True):
                pairs[pair[0].position] = pairs[pair[1].position] = pair
    return pairs


def _add_blood_pressure(systolic: Statement, diastolic: Statement, resources: Resources) -> bool:
    """One Observation of both numbers, where both are in mm[Hg] (FHIR R4: bp profile)."""
    forms = [_vital_sign(one, resources) for one in (systolic, diastolic)]
    if any("valueQuantity" not in form for form in forms):
        return False
    parts = ("code", "valueQuantity", "interpretation", "referenceRange")
    components = [{name: form[name] for name in parts if name in form} for form in forms]
    whole = {name: part for name, part in forms[0].items() if name not in parts}
    whole |= {"code": _BLOOD_PRESSURE, "component": components}
    said = [note for form in forms for note in form.get("note", ())]
    if said:
        whole["note"] = [note for at, note in enumerate(said) if note not in said[:at]]
    made = resources.state(systolic, "Observation", whole, " blood pressure")
    resources.link(diastolic, made)
    resources.also_said_in(made, diastolic.documents)
    return True


def _loinc(statement: Statement) -> str | None:
    """Its vital sign's code, wherever among the translations it stands."""
    code = statement.entry.code
    if code is None:
        return None
    found = [one.code for one in (code, *code.translations) if one.system == _LOINC_OID]
    return next((one for one in found if one in _UNITS), found[0] if found else None)
