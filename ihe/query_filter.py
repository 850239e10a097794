"""Whether a document fits a query (ITI TF-2: 3.18.4.1.2.3.3 to .5)."""

import re
from collections.abc import Iterable

from ihe.metadata import Code, DocumentEntry
from ihe.stored_query import FindDocumentsQuery, TimeRange

# Of a time written with less precision, the first moment that it covers.
_FIRST_MOMENT = "00000101000000"


def matches(entry: DocumentEntry, query: FindDocumentsQuery) -> bool:
    """Whether `entry` is among what `query` asks for.

    What is asked about and the entry does not say is not met.
    """
    return (
        entry.patient_id == query.patient_id
        and entry.availability in query.statuses
        and entry.object_type in query.entry_types
        and _codes_match(entry, query)
        and _times_match(entry, query)
        and all(_one_of(entry.reference_ids, wanted) for wanted in query.reference_ids)
        and _author_matches(entry, query.author_persons)
    )


def _codes_match(entry: DocumentEntry, query: FindDocumentsQuery) -> bool:
    single = (
        (entry.class_code, query.class_codes),
        (entry.type_code, query.type_codes),
        (entry.format_code, query.format_codes),
        (entry.practice_setting_code, query.practice_setting_codes),
        (entry.healthcare_facility_type_code, query.healthcare_facility_type_codes),
    )
    multiple = (
        (entry.event_codes, query.event_codes),
        (entry.confidentiality_codes, query.confidentiality_codes),
    )
    return all(
        not wanted or (code is not None and _coded_as(code, wanted)) for code, wanted in single
    ) and all(
        any(_coded_as(code, wanted) for code in codes)
        for codes, groups in multiple
        for wanted in groups
    )


def _coded_as(code: Code, wanted: Iterable[Code]) -> bool:
    return any(
        code.value == each.value
        and (each.scheme is None or _bare(code.scheme) == _bare(each.scheme))
        for each in wanted
    )


def _bare(scheme: str | None) -> str:
    """Quirk: coding schemes with and without `urn:oid:` mean the same."""
    return (scheme or "").removeprefix("urn:oid:")


def _times_match(entry: DocumentEntry, query: FindDocumentsQuery) -> bool:
    return (
        _within(entry.creation_time, query.creation_time)
        and _within(entry.service_start_time, query.service_start_time)
        and _within(entry.service_stop_time, query.service_stop_time)
    )


def _within(time: str | None, wanted: TimeRange) -> bool:
    if wanted.start is None and wanted.end is None:
        return True
    if time is None:
        return False
    moment = _moment(time)
    return (wanted.start is None or _moment(wanted.start) <= moment) and (
        wanted.end is None or moment < _moment(wanted.end)
    )


def _moment(time: str) -> str:
    """`time` to the second: DTM is UTC, so text order is time order (ITI TF-3: 4.2.3.1.7)."""
    digits = re.match(r"\d{0,14}", time.strip())
    text = digits.group() if digits else ""
    return text + _FIRST_MOMENT[len(text) :]


def _one_of(values: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return any(value in wanted for value in values)


def _author_matches(entry: DocumentEntry, patterns: tuple[str, ...]) -> bool:
    persons = [author.person for author in entry.authors if author.person]
    return not patterns or any(
        _like(person.casefold(), pattern.casefold()) for pattern in patterns for person in persons
    )


def _like(text: str, pattern: str) -> bool:
    """SQL LIKE: `%` any text, `_` one character. A regular expression could be made to hang."""
    at = tried = mark = 0
    star = -1
    while at < len(text):
        wanted = pattern[tried : tried + 1]
        if wanted == "%":
            star, mark, tried = tried, at, tried + 1
        elif wanted in ("_", text[at]):
            at, tried = at + 1, tried + 1
        elif star >= 0:
            mark += 1
            at, tried = mark, star + 1
        else:
            return False
    return not pattern[tried:].strip("%")
