"""Documents and entries as JSON values: what `gateway parse` prints and the store keeps.

Times are ISO 8601 as precise as they were written, ids `root^extension`. What that spelling
cannot hold (a nullFlavor beside a value, an odd time) stands under a key of its own that is
there only when needed, so that `entry_from_json(entry_json(entry)) == entry`.
"""

from typing import Final, cast

from ccda.header_json import header_json
from ccda.model import ClinicalDocument, Entry, Issue, Kind, RawEntry, Section
from ccda.value_json import (
    Json,
    author_json,
    code_json,
    codes_json,
    put_identifiers,
    put_time,
    read_author,
    read_code,
    read_identifiers,
    read_time,
    read_value,
    value_json,
    whole_code_json,
)

_TIMES: Final = ("start", "end", "time")


def document_json(document: ClinicalDocument) -> Json:
    """The object `gateway parse` prints for a document, without `file` and `sha256`."""
    return {
        "document": header_json(document),
        "sections": [_section_json(section) for section in document.sections],
        "issues": [_issue_json(issue) for issue in document.issues],
    }


def entry_json(entry: Entry) -> Json:
    """One entry; `entry_from_json` gives the same entry back."""
    form: Json = {
        "kind": entry.kind,
        "code": None if entry.code is None else code_json(entry.code),
        "translations": [] if entry.code is None else codes_json(entry.code.translations),
        "start": None,
        "end": None,
        "time": None,
        "status": entry.status,
        "value": value_json(entry.value),
        "unit": entry.unit,
        "text": entry.text,
        "negated": entry.negated,
        "no_information": entry.no_information,
        "mood": entry.mood,
        "ids": [str(identifier) for identifier in entry.ids],
        "authors": [author_json(author) for author in entry.authors],
        "details": dict(entry.details),
        "parent": entry.parent,
        "path": entry.path,
        "line": entry.line,
    }
    for name, time in zip(_TIMES, (entry.start, entry.end, entry.time), strict=True):
        put_time(form, name, time)
    put_identifiers(form, entry.ids)
    return form


def entry_from_json(form: Json) -> Entry:
    """The entry that `entry_json` wrote."""
    code = form["code"]
    return Entry(
        kind=cast(Kind, form["kind"]),
        path=form["path"],
        line=form["line"],
        code=None if code is None else read_code(code, form["translations"]),
        start=read_time(form, "start"),
        end=read_time(form, "end"),
        time=read_time(form, "time"),
        status=form["status"],
        value=read_value(form["value"]),
        unit=form["unit"],
        text=form["text"],
        negated=form["negated"],
        no_information=form["no_information"],
        mood=form["mood"],
        ids=read_identifiers(form),
        authors=tuple(read_author(author) for author in form["authors"]),
        details=form["details"],
        parent=form["parent"],
    )


# ---- sections and issues ---------------------------------------------------------------------


def _section_json(section: Section) -> Json:
    form: Json = {
        "code": None if section.code is None else section.code.code,
        "system": None if section.code is None else section.code.system,
        "title": section.title,
        "templates": list(section.templates),
        "text": section.text,
        "entries": [entry_json(entry) for entry in section.entries],
        "line": section.line,
        "path": section.path,
    }
    if section.null_flavor is not None:
        form["null_flavor"] = section.null_flavor
    if section.authors:
        form["authors"] = [author_json(author) for author in section.authors]
    if section.details:
        form["details"] = dict(section.details)
    if section.raw_entries:
        form["raw_entries"] = [_raw_entry_json(raw) for raw in section.raw_entries]
    return form


def _raw_entry_json(raw: RawEntry) -> Json:
    return {
        "statement": raw.statement,
        "templates": list(raw.templates),
        "code": None if raw.code is None else whole_code_json(raw.code),
        "text": raw.text,
        "details": dict(raw.details),
        "path": raw.path,
        "line": raw.line,
        "xml": raw.xml,
    }


def _issue_json(issue: Issue) -> Json:
    return {
        "severity": issue.severity,
        "section": issue.section,
        "line": issue.line,
        "text": issue.text,
    }
