"""Observation, as results, vital signs, social history and findings share it.

C-CDA on FHIR: results, vital signs, social history. A value is what its type says: a quantity,
a range or a bound, a code, a time, or text; where there is none FHIR is told why.
"""

import re
from typing import Any, Final

from ccda.fhir.actors import performers
from ccda.fhir.concept_maps import RESULT
from ccda.fhir.datatypes import (
    concept,
    concepts,
    form_concept,
    is_negated,
    media_type,
    notes,
    ordered_range,
    quantity,
    stated,
    text_identifiers,
    words,
)
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.systems import DATA_ABSENT, OBSERVATION_CATEGORY
from ccda.fhir.times import (
    Json,
    absent,
    absent_concept,
    date_time,
    in_order,
    period,
    period_of,
    when,
)
from ccda.hl7v3 import CD
from ccda.model import Interval

ATTACHMENT: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value"
_MEASURED: Final = frozenset(("result", "vital_sign"))
_NOT_PERFORMED: Final = {"coding": [{"system": DATA_ABSENT, "code": "not-performed"}]}
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(T.*)?")
_PLAIN_NUMBER: Final = re.compile(r"\s*-?(0|[1-9][0-9]*)(\.[0-9]+)?\s*")
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def observation(
    statement: Statement,
    resources: Resources,
    *,
    category: str | None,
    more_categories: tuple[Json, ...] = (),
    code: Json | None = None,
) -> Json:
    """All but the identity; `code` where it is not simply the entry's."""
    entry = statement.entry
    said = code or concept(entry.code, entry.text) or absent()
    form: Json = {
        "status": result_status(statement),
        **stated(category=[*_category(category), *more_categories]),
        "code": said,
        **resources.about(statement),
        **focus(statement),
        **effective(statement),
        **stated(performer=performers(statement, resources)),
        **value_of(statement),
        **stated(
            interpretation=concepts(entry.details.get("interpretation")),
            note=notes(entry.details.get("comment"), statement.conflict),
            bodySite=form_concept(statement.one("target_site")),
            method=form_concept(statement.one("method")),
            specimen=specimen(statement, resources),
            referenceRange=reference_ranges(statement),
        ),
    }
    return form


def result_status(statement: Statement) -> str:
    """CF-ResultStatus; what the document says was not done was cancelled."""
    entry = statement.entry
    is_undone = entry.negated and (statement.is_panel or _is_not_done(statement))
    if is_undone and not statement.is_in_error:
        return "cancelled"
    return RESULT.get(entry.status or "", "unknown")


def _is_not_done(statement: Statement) -> bool:
    """A measurement is denied by that it was not made; it has no value then."""
    entry = statement.entry
    return entry.negated and entry.kind in _MEASURED and entry.value is None


def _category(code: str | None) -> list[Json]:
    return [{"coding": [{"system": OBSERVATION_CATEGORY, "code": code}]}] if code else []


def needs_value(form: Json) -> bool:
    """Whether nothing says what was found, nor why that is not said."""
    held = ("hasMember", "component", "dataAbsentReason", "extension")
    return not any(name in form for name in held) and not any(n.startswith("value") for n in form)


def with_reason(form: Json) -> Json:
    """An observation that found nothing we are told of says that it is unknown what."""
    return {**form, "dataAbsentReason": absent_concept(None)} if needs_value(form) else form


# ---- when ------------------------------------------------------------------------------------


def effective(statement: Statement) -> Json:
    """Its own time, else that of the panel around it."""
    moment = statement.moment
    if moment is not None:
        return {"effectiveDateTime": moment}
    whole = period(statement.entry.start, statement.entry.end)
    if whole is not None:
        return {"effectivePeriod": whole}
    if statement.parent is not None and statement.parent.is_panel:
        return effective(statement.parent)
    return {}


def panel_effective(statement: Statement) -> Json:
    """Its own time, else the earliest and latest of what was measured (C-CDA on FHIR)."""
    own = effective(statement)
    found = (part.moment or when(part.entry.start) for part in statement.parts)
    moments = in_order(moment for moment in found if moment)
    if own or not moments:
        return own
    if moments[0] == moments[-1]:
        return {"effectiveDateTime": moments[0]}
    return stated(effectivePeriod=period_of(moments[0], moments[-1]))


# ---- what was found --------------------------------------------------------------------------


def value_of(statement: Statement) -> Json:
    """value[x] or dataAbsentReason; nothing where nothing was written."""
    entry = statement.entry
    found = _value(statement, entry.value, entry.unit)
    if _is_not_done(statement):
        return {"dataAbsentReason": _NOT_PERFORMED}
    if entry.negated and not statement.is_panel:
        return denied(found)
    if not found and (reason := statement.one("value_null_flavor")):
        return {"dataAbsentReason": absent_concept(reason)}
    return found


def denied(found: Json) -> Json:
    """FHIR has no negated observation: what is not so is false, or is said in words.

    Of a measurement false would be read as a negative result.
    """
    coded = found.get("valueCodeableConcept")
    text = None if coded is None else coded.get("text") or coded.get("coding", [{}])[0].get("code")
    text = text or found.get("valueString")
    if text:
        return {"valueString": f"Not: {text}"}
    # A denied quantity stays out: what it would have been is not what was found.
    return {"dataAbsentReason": absent_concept(None)} if found else {"valueBoolean": False}


def _value(statement: Statement, value: str | CD | Interval | None, unit: str | None) -> Json:
    match value:
        case CD():
            return _coded(value)
        case Interval():
            return _interval(value, unit, statement.entry.details.get("exclusive") or ())
        case str():
            return _text(statement, value, unit)
        case _:
            return {}


def _coded(value: CD) -> Json:
    said = concept(value)
    if said is not None:
        return {"valueCodeableConcept": said}
    return {"dataAbsentReason": absent_concept(value.null_flavor)} if value.null_flavor else {}


def _text(statement: Statement, value: str, unit: str | None) -> Json:
    if statement.one("representation") == "B64":
        return _attachment(statement, value)
    amount = amount_of(value, unit)
    if amount is not None:
        return {"valueQuantity": amount}
    if _DATE.fullmatch(value) and unit is None and (moment := date_time(value)):
        return {"valueDateTime": moment}
    said = words(value)
    if said is None:
        return {}
    return {"valueString": f"{said} {unit}" if words(unit) else said}


def amount_of(value: str | None, unit: str | None) -> Json | None:
    """A quantity; without a unit only what is plainly a number: 0012 is a name, +3 a grade."""
    if not words(unit) and not _PLAIN_NUMBER.fullmatch(value or ""):
        return None
    return quantity(value, unit)


def _attachment(statement: Statement, value: str) -> Json:
    """An enclosed file, which an Observation of R4 holds in the extension of R5's element."""
    data = "".join(value.split())
    kind = media_type(statement.one("media_type"))
    if not data or kind is None or not _BASE64.fullmatch(data):
        return {"valueString": value} if words(value) else {}
    content = {"contentType": kind, "data": data}
    return {"extension": [{"url": ATTACHMENT, "valueAttachment": content}]}


def _interval(value: Interval, unit: str | None, exclusive: Any) -> Json:
    """Two bounds are a range, one is a comparator (C-CDA on FHIR: ranges of quantities)."""
    low, high = quantity(value.low, unit), quantity(value.high, unit)
    if low is None and high is not None:
        return {"valueQuantity": quantity(value.high, unit, "<" if "high" in exclusive else "<=")}
    if high is None and low is not None:
        return {"valueQuantity": quantity(value.low, unit, ">" if "low" in exclusive else ">=")}
    if low is not None and high is not None:
        whole = ordered_range({"low": low, "high": high})
        return {"valueRange": whole} if whole else _bounds_in_words(value, unit)
    span = period_of(date_time(value.low), date_time(value.high))
    return {"valuePeriod": span} if span else _bounds_in_words(value, unit)


def _bounds_in_words(value: Interval, unit: str | None) -> Json:
    """Bounds that are no numbers, or stand the wrong way round: as they were written."""
    said = " - ".join(bound for bound in (value.low, value.high) if bound)
    said = f"{said} {unit}" if unit else said
    return {"valueString": said} if words(said) else {}


def reference_ranges(statement: Statement) -> list[Json]:
    """Normal ranges only: FHIR reads every range it is given as one (C-CDA on FHIR)."""
    ranges = []
    for form in statement.all("reference_range"):
        meaning = form.get("interpretation") or {}
        if is_negated(form) or meaning.get("code") not in (None, "N"):
            continue
        value = form.get("value") or {}
        bounds = stated(
            low=quantity(value.get("low"), value.get("unit")),
            high=quantity(value.get("high"), value.get("unit")),
        )
        text = words(form.get("text")) or (None if bounds else _range_text(value))
        if exclusive := form.get("exclusive"):
            # A bound of FHIR's lies in its range: one that does not is said in words alone.
            text = text or _exclusive_text(value, exclusive)
            bounds = {name: bound for name, bound in bounds.items() if name not in exclusive}
        if bounds or text:
            ranges.append(stated(**bounds, text=text))
    return ranges


def _exclusive_text(value: Json, exclusive: Any) -> str | None:
    low = value.get("low") and f"{'>' if 'low' in exclusive else '>='} {value['low']}"
    high = value.get("high") and f"{'<' if 'high' in exclusive else '<='} {value['high']}"
    said = " and ".join(bound for bound in (low, high) if bound)
    return words(f"{said} {value.get('unit') or ''}")


def _range_text(value: Json) -> str | None:
    parts = (value.get(name) for name in ("value", "low", "high", "unit", "display"))
    return words(" ".join(part for part in parts if isinstance(part, str)))


# ---- of what ---------------------------------------------------------------------------------


def focus(statement: Statement) -> Json:
    """Whom it is about who is not the patient of the record (FHIR R4: Observation.focus).

    By ids and words: nobody else of the family is a resource of the bundle.
    """
    whose = statement.about_other
    if whose is None:
        return {}
    ids = text_identifiers(whose.get("ids"))
    related = form_concept(whose.get("relationship")) or {}
    coded: Json = next(iter(related.get("coding", ())), {})
    relationship = words(related.get("text") or coded.get("display") or coded.get("code"))
    said = ": ".join(word for word in (relationship, words(whose.get("name"))) if word)
    identifier = ids[0] if ids else None
    display = said or "someone else than the patient"
    return {"focus": [stated(type="RelatedPerson", identifier=identifier, display=display)]}


def specimen(statement: Statement, resources: Resources) -> Json | None:
    """The Specimen it was found in: its own, else the panel's."""
    form = statement.one("specimen")
    if not isinstance(form, dict):
        around = statement.parent
        return specimen(around, resources) if around is not None and around.is_panel else None
    kind = form_concept(form)
    ids = text_identifiers(form.get("ids"))
    if kind is None and not ids:
        return None
    whose = resources.patient if statement.about_other is None else None
    body = stated(identifier=ids, type=kind, subject=whose)
    return resources.add("Specimen", statement.key, body, statement.documents)


def members(statement: Statement, resources: Resources) -> list[Json]:
    """What a panel holds, each an Observation."""
    told = [part for part in statement.parts if not part.entry.no_information]
    references = (
        {"reference": url} for part in told for url in resources.links.get(part.position, ())
    )
    return list({one["reference"]: one for one in references}.values())
