"""What a summary and a document say, in a form in which the one can be held against the other."""

import re
from collections import Counter
from typing import Final

from ccda import ClinicalDocument
from ccda.hl7v3 import CD
from ccda.model import Entry, Interval
from ccda.summary import Summary, SummaryLine

Fact = tuple[object, ...]

_UID: Final = re.compile(
    r"[0-2](\.(0|[1-9][0-9]*))+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE
)

_SYSTEMS = {
    "2.16.840.1.113883.6.59": "2.16.840.1.113883.12.292",
    "2.16.840.1.113883.6.4": "2.16.840.1.113883.6.90",
    "cvx": "2.16.840.1.113883.12.292",
    "cpt": "2.16.840.1.113883.6.12",
    "cpt4": "2.16.840.1.113883.6.12",
    "cpt-4": "2.16.840.1.113883.6.12",
}
_STATUSES = {
    "aborted": "stopped",
    "suspended": "on hold",
    "held": "on hold",
    "obsolete": "inactive",
}


_GROUPED = frozenset(
    "result vital_sign functional_status mental_status care_team advance_directive goal".split()
)
_WRITTEN = frozenset(("active", "inactive", "resolved", "stopped", "on hold"))


def codes(code: CD | None) -> frozenset[tuple[str, str]]:
    """The code and its translations, without their order."""
    if code is None:
        return frozenset()
    told = [one for one in (code, *code.translations) if one.code and not one.null_flavor]
    systems = [(one.system or "").strip().casefold().removeprefix("urn:oid:") for one in told]
    return frozenset(
        (_SYSTEMS.get(system, system), (one.code or "").strip().upper())
        for one, system in zip(told, systems, strict=True)
    )


def value_of(value: str | CD | Interval | None) -> object:
    match value:
        case CD():
            return codes(value) or value.display or value.original_text
        case Interval(low=low, high=high):
            return f"{low}–{high}" if low and high else f"≥ {low}" if low else f"≤ {high}"
        case _:
            return value


def fact_of_line(line: SummaryLine) -> Fact:
    status = None if line.negated else line.status
    value = value_of(line.value)
    about = line.kind, codes(line.code), status, line.start, line.end
    return *about, value, line.unit, line.negated


def fact_of_entry(entry: Entry) -> Fact:
    status = None if entry.negated else _STATUSES.get(entry.status or "", entry.status)
    when = next((time.iso for time in (entry.time, entry.start) if time and time.value), None)
    end = entry.end.iso if entry.end and entry.end.value else None
    about = entry.kind, codes(entry.code), status, when, end
    return *about, value_of(entry.value), entry.unit, entry.negated


def lines_of(summary: Summary) -> list[SummaryLine]:
    held = (line for section in summary.sections for line in section.lines if not line.withdrawn)
    return list(held)


def facts(summary: Summary) -> Counter[Fact]:
    return Counter(map(fact_of_line, lines_of(summary)))


def certain_facts(summary: Summary) -> set[Fact]:
    """What a document can tell of any summary whatever.

    Not the name of a code system that is no OID, a code with white space in it (CDA's cs has
    none), what is no number apart from its unit, a status that is none, the value of what is no
    observation, nor that an encounter, a supply or a group did not happen: there CDA has no place
    for them. Templates fix `completed` where nothing is said.
    """
    found = set()
    for line in lines_of(summary):
        if line.negated and _is_undeniable(line):
            continue
        kind, _, status, *when, value, unit, negated = fact_of_line(line)
        known = _certain_codes(line.code)
        if isinstance(line.value, CD):
            value = _certain_codes(line.value) or line.value.display or line.value.original_text
        if _has_no_value(line):
            value = unit = None
        if isinstance(value, str) and unit:
            value, unit = f"{value} {unit}", None
        found.add(
            (kind, known, status if status in _WRITTEN else None, *when, value, unit, negated)
        )
    return found


def _is_undeniable(line: SummaryLine) -> bool:
    is_group = line.kind in _GROUPED and line.details.get("panel") is True
    return is_group or line.kind == "encounter" or line.details.get("statement") == "supply"


def _has_no_value(line: SummaryLine) -> bool:
    """A planned gift or encounter, or an appointment: no observation can stand in for these."""
    told = line.details.get("statement")
    if line.kind == "plan" and told in ("encounter", "supply", "substanceAdministration"):
        return True
    return line.kind in ("plan", "procedure") and line.mood in ("APT", "ARQ")


def _certain_codes(code: CD | None) -> frozenset[tuple[str, str]]:
    known = codes(code)
    return frozenset((s if _UID.fullmatch(s) else "", c) for s, c in known if len(c.split()) == 1)


def entries_of(document: ClinicalDocument) -> list[Entry]:
    """What is stated; groups and words that there is nothing aside."""
    return [
        entry
        for section in document.sections
        for entry in section.entries
        if not entry.no_information
        and not (_is_group(entry) and any(one.parent is not None for one in section.entries))
    ]


def _is_group(entry: Entry) -> bool:
    return entry.details.get("panel") is True or entry.details.get("relative") is True
