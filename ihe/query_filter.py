"""Whether a document or a submission set fits a query (ITI TF-2: 3.18.4.1.2.3.3 to .5)."""

from collections.abc import Iterable

from ihe.dtm import first_moment, utc_time
from ihe.metadata import Author, Code, DocumentEntry, SubmissionSet
from ihe.stored_query import FindDocumentsQuery, FindSubmissionSetsQuery, TimeRange


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
        and _author_matches(entry.authors, query.author_persons)
    )


def matches_submission_set(given: SubmissionSet, query: FindSubmissionSetsQuery) -> bool:
    """Whether the submission set is among what `query` asks for."""
    content_type, wanted = given.content_type, query.content_type_codes
    sources = tuple(map(_bare, query.source_ids))
    return (
        given.patient_id == query.patient_id
        and given.availability in query.statuses
        and (not sources or str(given.source_id) in sources)
        and _within(given.submission_time, query.submission_time)
        and _author_matches(given.authors, query.author_persons)
        and (not wanted or (content_type is not None and _coded_as(content_type, wanted)))
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
    """Quirk: coding schemes with and without `urn:oid:` mean the same. RFC 8141: 3.1: in capitals
    it is the same prefix."""
    bare = (scheme or "").strip()
    return bare[8:] if bare[:8].lower() == "urn:oid:" else bare


def _times_match(entry: DocumentEntry, query: FindDocumentsQuery) -> bool:
    asked = (
        (entry.creation_time, query.creation_time),
        (entry.service_start_time, query.service_start_time),
        (entry.service_stop_time, query.service_stop_time),
    )
    # What is made when it is retrieved has no times yet: that cannot speak against it.
    made_later = entry.object_type == "on-demand"
    return all((time is None and made_later) or _within(time, wanted) for time, wanted in asked)


def _within(time: str | None, wanted: TimeRange) -> bool:
    if wanted.start is None and wanted.end is None:
        return True
    moment = utc_time(time or "")
    if moment is None:
        return False
    second = first_moment(moment)
    return (wanted.start is None or first_moment(wanted.start) <= second) and (
        wanted.end is None or second < first_moment(wanted.end)
    )


def _one_of(values: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return any(value in wanted for value in values)


def _author_matches(authors: tuple[Author, ...], patterns: tuple[str, ...]) -> bool:
    persons = [author.person for author in authors if author.person]
    return not patterns or any(
        _like(person.casefold(), pattern.casefold()) for pattern in patterns for person in persons
    )


_ANY_TEXT, _ONE_CHARACTER = object(), object()


def _like(text: str, pattern: str) -> bool:
    """SQL LIKE: `%` any text, `_` one character. A regular expression could be made to hang."""
    wanted = _pieces(pattern)
    at = tried = mark = 0
    star = -1
    while at < len(text):
        piece = wanted[tried] if tried < len(wanted) else None
        if piece is _ANY_TEXT:
            star, mark, tried = tried, at, tried + 1
        elif piece is _ONE_CHARACTER or piece == text[at]:
            at, tried = at + 1, tried + 1
        elif star >= 0:
            mark += 1
            at, tried = mark, star + 1
        else:
            return False
    return all(piece is _ANY_TEXT for piece in wanted[tried:])


def _pieces(pattern: str) -> list[object]:
    r"""Its characters and wildcards. After a backslash a wildcard is itself, as most databases
    have it; any other backslash is one: names hold HL7's own escapes, `\T\`."""
    found: list[object] = []
    wild = {"%": _ANY_TEXT, "_": _ONE_CHARACTER}
    for character in pattern:
        if character in wild and found and found[-1] == "\\":
            found[-1] = character
        else:
            found.append(wild.get(character, character))
    return found
