"""Results and vital signs: an organizer for each time (C-CDA R2.1: 3.92 and 3.109).

A summary holds tests, not the panels they came in, so what was measured at one time stands in
one organizer. A vital sign without a unit, or not completed, cannot claim the standard's template.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from ccda.hl7v3 import CD, v3
from ccda.writer.elements import Element, add, set_type, template
from ccda.writer.medications import ACT_STATUSES, write_status_code
from ccda.writer.participants import (
    forms_in,
    spoken,
    write_parties,
    write_performers,
    write_specimens,
)
from ccda.writer.rows import (
    Row,
    is_denied,
    statement,
    write_authors,
    write_own_id,
    write_provenance,
    write_reference,
    write_when,
)
from ccda.writer.values import (
    as_null_flavor,
    as_number,
    as_unit,
    code_of,
    is_coded,
    list_of,
    write_code,
    write_moment,
    write_quantity,
    write_time,
    write_value,
)

_ARC: Final = "2.16.840.1.113883.10.20.22.4."
RESULT_ORGANIZER: Final = f"{_ARC}1"
VITAL_SIGNS_ORGANIZER: Final = f"{_ARC}26"
_SNOMED: Final = "2.16.840.1.113883.6.96"
_LOINC: Final = "2.16.840.1.113883.6.1"
_MOODS: Final = frozenset(("EVN", "INT", "PRMS", "PRP", "RQO", "GOL"))
_VITAL_SIGNS: Final = CD(
    "46680005", _SNOMED, "Vital signs", translations=(CD("74728-7", _LOINC, "Vital signs"),)
)


def write_results(section: Element, rows: Sequence[Row]) -> None:
    for members in by_time(rows):
        panels, others = apart(members)
        for row in panels:
            write_lone_panel(section, row)
        tests = [row for row in others if row.mood(_MOODS) == "EVN"]
        for row in (row for row in others if row.mood(_MOODS) != "EVN"):
            _write_observation(add(section, "entry", typeCode="DRIV"), row)
        if not tests:
            continue
        organizer = _organizer(section, tests[0], "BATTERY")
        template(organizer, RESULT_ORGANIZER, "2015-08-01")
        write_own_id(organizer, tests[0], "-organizer")
        write_code(organizer, "code", CD(None, original_text="Results", null_flavor="UNK"))
        add(organizer, "statusCode", code=_status_of_all(tests))
        if tests[0].start and tests[0].end is None:
            time = add(organizer, "effectiveTime")
            write_time(time, "low", tests[0].start)
            write_time(time, "high", tests[0].start)
        write_authors(organizer, *tests)
        for row in tests:
            _write_result(add(organizer, "component"), row)


def write_vital_signs(section: Element, rows: Sequence[Row]) -> None:
    for members in by_time(rows):
        panels, signs = apart(members)
        for row in panels:
            write_lone_panel(section, row)
        good = [row for row in signs if _is_vital_sign(row)]
        if good:
            _write_vital_signs(section, good)
        for row in signs:
            if not _is_vital_sign(row):
                _write_observation(add(section, "entry", typeCode="DRIV"), row)


def by_time(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of each time, oldest first."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.start or "", []).append(row)
    return [found[time] for time in sorted(found)]


def apart(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Panels of which nothing but the order is known, and what was measured."""
    panels: list[Row] = []
    others: list[Row] = []
    for row in rows:
        (panels if row.line.details.get("panel") is True else others).append(row)
    return panels, others


def write_lone_panel(section: Element, row: Row) -> None:
    """A group that holds nothing: no template admits it. CDA cannot deny one: that is in words."""
    if row.line.negated:
        return
    entry = add(section, "entry", typeCode="DRIV")
    organizer = statement(entry, "organizer", "CLUSTER")
    write_own_id(organizer, row)
    write_code(organizer, "code", row.line.code, words=row.words)
    write_status_code(organizer, row)
    write_when(organizer, row)
    write_authors(organizer, row)


def _organizer(section: Element, row: Row, class_code: str) -> Element:
    return statement(add(section, "entry", typeCode="DRIV"), "organizer", class_code)


def _status_of_all(rows: Sequence[Row]) -> str:
    """Completed only when all are; a group with one that is awaited is active."""
    statuses = {ACT_STATUSES.get(row.status or "", "completed") for row in rows}
    return "active" if "active" in statuses else "completed"


def _write_vital_signs(section: Element, rows: Sequence[Row]) -> None:
    organizer = _organizer(section, rows[0], "CLUSTER")
    template(organizer, VITAL_SIGNS_ORGANIZER, "2015-08-01")
    write_own_id(organizer, rows[0], "-organizer")
    write_code(organizer, "code", _VITAL_SIGNS)
    add(organizer, "statusCode", code="completed")
    write_moment(organizer, rows[0].start, rows[0].end)
    write_authors(organizer, *rows)
    for row in rows:
        component = add(organizer, "component")
        observation = statement(component, "observation", "OBS", negated=row.line.negated or None)
        template(observation, f"{_ARC}27", "2014-06-09")
        _write_content(observation, row)


def _is_vital_sign(row: Row) -> bool:
    """Vital Sign Observation (4.27): a quantity with its unit, of a completed observation."""
    is_quantity = isinstance(row.value, str) and as_number(row.value) and as_unit(row.unit)
    is_done = row.status == "completed" or row.line.negated
    return bool(is_quantity) and is_done and row.mood(_MOODS) == "EVN"


def _write_result(component: Element, row: Row) -> None:
    observation = _observe(component, row)
    template(observation, f"{_ARC}2", "2015-08-01")
    _write_content(observation, row)


def _write_observation(parent: Element, row: Row) -> None:
    _write_content(_observe(parent, row), row)


def _observe(parent: Element, row: Row) -> Element:
    """In its mood: what is to be measured, or reached, was not found."""
    negated = row.line.negated or None
    return statement(parent, "observation", "OBS", row.mood(_MOODS), negated=negated)


def _write_content(observation: Element, row: Row) -> None:
    """What follows the templates of an observation, in CDA's order."""
    write_own_id(observation, row)
    write_code(observation, "code", row.line.code, words=row.words)
    write_reference(observation, row.anchor)
    write_status_code(observation, row)
    write_when(observation, row)
    told = row.detail("value_null_flavor")
    null_flavor = as_null_flavor(told if isinstance(told, str) else None)
    exclusive = row.detail("exclusive")
    write_value(
        observation, row.value, row.unit, null_flavor=null_flavor, exclusive=exclusive or ()
    )
    write_interpretation(observation, row)
    _write_method_and_site(observation, row)
    write_specimens(observation, row)
    write_performers(observation, row)
    write_authors(observation, row)
    write_parties(observation, row, "participant")
    write_provenance(observation, row)
    write_ranges(observation, row)


def write_interpretation(observation: Element, row: Row) -> None:
    """interpretationCode; of an older point its code alone is known."""
    for form in list_of(row.detail("interpretation")):
        code = code_of(form)
        if code is not None and is_coded(code):
            write_code(observation, "interpretationCode", code)
    if not row.is_lines_own and row.point is not None and row.point.interpretation:
        code = CD(row.point.interpretation, "2.16.840.1.113883.5.83")
        if is_coded(code):
            write_code(observation, "interpretationCode", code)


def _write_method_and_site(observation: Element, row: Row) -> None:
    for name, detail in (("methodCode", "method"), ("targetSiteCode", "target_site")):
        code = code_of(row.detail(detail))
        if code is not None and is_coded(code):
            write_code(observation, name, code)


def write_ranges(observation: Element, row: Row) -> None:
    """referenceRange: as bounds, else as text; one that no number or word says by what it means.

    CDA cannot deny a range: that one is not the range is told in the narrative alone.
    """
    for form in forms_in(row.detail("reference_range")):
        if is_denied(form):
            continue
        bounds, words = form.get("value"), form.get("text")
        meaning = code_of(form.get("interpretation"))
        if not (isinstance(bounds, dict) or words or meaning):
            continue
        part = add(add(observation, "referenceRange"), "observationRange")
        if words:
            add(part, "text", words)
        _write_range(part, bounds, form.get("exclusive"))
        if meaning is not None:
            write_code(part, "interpretationCode", spoken(meaning))


def _write_range(part: Element, bounds: object, exclusive: object) -> None:
    """observationRange/value; exactly one is demanded."""
    if isinstance(bounds, dict) and ("low" in bounds or "high" in bounds):
        unit = bounds.get("unit")
        form = {
            name: {"value": bounds[name], "unit": unit}
            for name in ("low", "high")
            if name in bounds
        }
        element = write_quantity(part, "value", form)
        if element is not None:
            set_type(element, "IVL_PQ")
            for name in exclusive if isinstance(exclusive, list) else ():
                for bound in element.iterfind(v3(name)):
                    bound.set("inclusive", "false")
            return
    elif isinstance(bounds, dict) and isinstance(bounds.get("value"), str):
        write_value(part, bounds["value"], bounds.get("unit"))
        return
    coded = code_of(bounds)
    if coded is not None and coded.code is not None:
        write_value(part, coded)
        return
    # The words stand under text; a value that says them again would be one nobody wrote.
    write_value(part, None, null_flavor="NI")
