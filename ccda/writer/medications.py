"""Medications and immunizations (C-CDA R2.1: 3.49 Medication Activity 4.16, 3.41 4.52)."""

from collections.abc import Iterable
from typing import Any, Final

from ccda.hl7v3 import XSI_TYPE
from ccda.writer.elements import Element, add, set_type, template
from ccda.writer.participants import (
    forms_in,
    spoken,
    write_indications,
    write_parties,
    write_performers,
)
from ccda.writer.problems import ASSERTION, write_status
from ccda.writer.rows import (
    Row,
    relation,
    statement,
    write_authors,
    write_own_id,
    write_provenance,
    write_reference,
)
from ccda.writer.values import (
    UNKNOWN,
    as_count,
    as_number,
    as_time,
    as_token,
    as_unit,
    code_of,
    id_of_text,
    is_coded,
    write_code,
    write_id,
    write_interval,
    write_moment,
    write_quantity,
)

_ARC: Final = "2.16.840.1.113883.10.20.22.4."
MEDICATION: Final = f"{_ARC}16"
IMMUNIZATION: Final = f"{_ARC}52"
_TIMING_EVENT: Final = "2.16.840.1.113883.5.139"

_MOODS: Final = frozenset(("EVN", "INT", "RQO", "PRMS", "PRP"))
"""What a substanceAdministration and a supply may be (CDA R2: x_DocumentSubstanceMood)."""
_TAKEN_OR_INTENDED: Final = frozenset(("EVN", "INT"))

# The summary's words as HL7 ActStatus; other words stand in an observation of their own.
ACT_STATUSES: Final = {
    "stopped": "aborted", "on hold": "suspended", "inactive": "obsolete",
    **{word: word for word in "active completed aborted suspended cancelled nullified new normal "
       "held obsolete".split()},
}  # fmt: skip


def write_status_code(parent: Element, row: Row) -> None:
    """statusCode as the summary tells it; what was refused or not done is a completed act."""
    is_denial = row.line.negated and row.status != "nullified"
    code = "completed" if is_denial else ACT_STATUSES.get(row.status or "")
    if code is None and row.status and not any(map(str.isspace, row.status)):
        code = row.status
    add(parent, "statusCode", code=code, nullFlavor=None if code else UNKNOWN)


def write_medications(section: Element, rows: Iterable[Row]) -> None:
    for row in rows:
        _write_medication(add(section, "entry", typeCode="DRIV"), row)


def write_immunizations(section: Element, rows: Iterable[Row]) -> None:
    for row in rows:
        _write_immunization(add(section, "entry", typeCode="DRIV"), row)


def _write_medication(parent: Element, row: Row) -> None:
    negated = row.line.negated or None
    mood = row.mood(_MOODS)
    given = statement(parent, "substanceAdministration", "SBADM", mood, negated=negated)
    if mood in _TAKEN_OR_INTENDED:
        template(given, MEDICATION, "2014-06-09")
    write_own_id(given, row)
    if row.detail("sig"):
        write_reference(given, f"{row.anchor}-sig")
    in_words = row.status is not None and row.status not in ACT_STATUSES
    if in_words and not row.line.negated:
        add(given, "statusCode", nullFlavor="OTH")
    else:
        write_status_code(given, row)
    if row.is_moment:
        write_moment(given, row.start, None)
    else:
        set_type(write_interval(given, row.start, row.end), "IVL_TS")
    _write_frequency(given, row)
    write_administration(given, row)
    write_product(given, row, "23")
    write_performers(given, row)
    write_authors(given, row)
    write_parties(given, row, "participant")
    if in_words:
        write_status(given, row, None, None)
    write_indications(given, row)
    _write_supplies(given, row)
    write_provenance(given, row)
    _write_preconditions(given, row)


def _write_immunization(parent: Element, row: Row) -> None:
    negated, mood = row.line.negated, row.mood(_MOODS)
    given = statement(parent, "substanceAdministration", "SBADM", mood, negated=negated)
    if mood == "EVN":
        template(given, IMMUNIZATION, "2015-08-01")
    write_own_id(given, row)
    if row.detail("sig"):
        write_reference(given, f"{row.anchor}-sig")
    write_status_code(given, row)
    _type_interval(write_moment(given, row.start, row.end))
    write_administration(given, row)
    write_product(given, row, "54")
    write_performers(given, row)
    write_authors(given, row)
    _write_refusal(given, row)
    write_provenance(given, row)


def _type_interval(element: Element) -> None:
    if len(element):
        set_type(element, "IVL_TS")


def _write_frequency(given: Element, row: Row) -> None:
    """effectiveTime[2]: PIVL_TS or EIVL_TS; more than one pattern is told in words alone."""
    patterns = row.detail("frequency")
    if not isinstance(patterns, list) or len(patterns) != 1 or not isinstance(patterns[0], dict):
        return
    pattern = patterns[0]
    if pattern.get("event"):
        element = add(given, "effectiveTime", operator="A")
        set_type(element, "EIVL_TS")
        add(element, "event", code=pattern["event"], codeSystem=_TIMING_EVENT)
        return
    period = pattern.get("period")
    if isinstance(period, dict) and as_number(period.get("value")):
        fixed = pattern.get("institution_specified")
        fixed = fixed if fixed in ("true", "false") else None
        element = add(given, "effectiveTime", operator="A", institutionSpecified=fixed)
        element.set(XSI_TYPE, "PIVL_TS")
        write_quantity(element, "period", period)


def write_administration(given: Element, row: Row) -> None:
    """repeatNumber, routeCode, approachSiteCode, doseQuantity, rateQuantity, in CDA's order."""
    repeat = as_count(row.detail("repeat_number"))
    if repeat is not None:
        add(given, "repeatNumber", value=repeat)
    for name, detail in (("routeCode", "route"), ("approachSiteCode", "site")):
        code = code_of(row.detail(detail))
        if code is not None:
            write_code(given, name, spoken(code))
    if write_quantity(given, "doseQuantity", row.detail("dose")) is None:
        add(given, "doseQuantity", nullFlavor=UNKNOWN)
    rate: Any = row.detail("rate")
    if isinstance(rate, dict) and as_unit(rate.get("unit")):
        write_quantity(given, "rateQuantity", rate)
    _write_most(given, row.detail("max_dose"))
    form = code_of(row.detail("form"))
    if form is not None and is_coded(form):
        write_code(given, "administrationUnitCode", form)


def _write_most(given: Element, form: object) -> None:
    """maxDoseQuantity: so much in such a time."""
    if isinstance(form, dict) and all(
        isinstance(form.get(part), dict) and as_number(form[part].get("value"))
        for part in ("numerator", "denominator")
    ):
        most = add(given, "maxDoseQuantity")
        for part in ("numerator", "denominator"):
            write_quantity(most, part, form[part])


def write_product(given: Element, row: Row, kind: str, holder: str = "consumable") -> None:
    """Medication Information (4.23), Immunization Medication Information (4.54)."""
    product = add(add(given, holder), "manufacturedProduct", classCode="MANU")
    template(product, _ARC + kind, "2014-06-09")
    material = add(product, "manufacturedMaterial")
    write_code(material, "code", row.line.code, words=row.words)
    name, lot, maker = map(row.detail, ("product_name", "lot_number", "manufacturer"))
    if isinstance(name, str):
        add(material, "name", name)
    if isinstance(lot, str):
        add(material, "lotNumberText", lot)
    if isinstance(maker, str):
        add(add(product, "manufacturerOrganization"), "name", maker)


def _write_supplies(given: Element, row: Row) -> None:
    """What was ordered and dispensed of it (CDA R2: 4.3.6.8), claiming no template."""
    for form in forms_in(row.detail("supply")):
        told = form.get("mood")
        mood = told if isinstance(told, str) and told in _MOODS else "EVN"
        supply = statement(relation(given, "REFR"), "supply", "SPLY", mood)
        for text in form.get("ids") or ():
            write_id(supply, id_of_text(text))
        status = as_token(form.get("status"))
        if status is not None:
            add(supply, "statusCode", code=status)
        start, end = form.get("start") or form.get("time"), form.get("end")
        if as_time(start) or as_time(end):
            _type_interval(write_moment(supply, start, end))
        repeat = as_count(form.get("repeat_number"))
        if repeat is not None:
            add(supply, "repeatNumber", value=repeat)
        write_quantity(supply, "quantity", form.get("quantity"))


def _write_preconditions(given: Element, row: Row) -> None:
    """Precondition for Substance Administration (4.25): as needed, for what."""
    for form in forms_in(row.detail("precondition")):
        condition = code_of(form)
        if condition is not None:
            held = add(given, "precondition", typeCode="PRCN")
            criterion = add(held, "criterion")
            template(criterion, f"{_ARC}25", "2014-06-09")
            write_code(criterion, "code", ASSERTION, type_name="CD")
            write_code(criterion, "value", spoken(condition), type_name="CD")


def _write_refusal(given: Element, row: Row) -> None:
    """Immunization Refusal Reason (4.53)."""
    reason = code_of(row.detail("refusal_reason"))
    if reason is not None:
        inner = statement(relation(given, "RSON"), "observation", "OBS")
        template(inner, f"{_ARC}53")
        write_own_id(inner, row, "-refusal")
        write_code(inner, "code", spoken(reason))
        add(inner, "statusCode", code="completed")
