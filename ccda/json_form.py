"""Documents and entries as JSON values: what `gateway parse` prints and the store keeps.

Times are ISO 8601 as precise as they were written, ids `root^extension`. What that spelling
cannot hold (a nullFlavor beside a value, an odd time) stands under a key of its own that is
there only when needed, so that `entry_from_json(entry_json(entry)) == entry`.
"""

from typing import Any, Final, cast

from ccda.hl7v3 import AD, CD, II, PN, TEL, TS, hl7_time, iso_time
from ccda.model import (
    Author,
    ClinicalDocument,
    Encounter,
    Entry,
    Interval,
    Issue,
    Kind,
    Patient,
    RawEntry,
    RelatedDocument,
    Section,
)

Json = dict[str, Any]

_TIMES: Final = ("start", "end", "time")
_CODE_EXTRAS: Final = ("system_name", "original_text", "reference", "null_flavor")


def document_json(document: ClinicalDocument) -> Json:
    """The object `gateway parse` prints for a document, without `file` and `sha256`."""
    return {
        "document": _header_json(document),
        "sections": [_section_json(section) for section in document.sections],
        "issues": [_issue_json(issue) for issue in document.issues],
    }


def entry_json(entry: Entry) -> Json:
    """One entry; `entry_from_json` gives the same entry back."""
    form: Json = {
        "kind": entry.kind,
        "code": None if entry.code is None else _code_json(entry.code),
        "translations": [] if entry.code is None else _codes_json(entry.code.translations),
        "start": None,
        "end": None,
        "time": None,
        "status": entry.status,
        "value": _value_json(entry.value),
        "unit": entry.unit,
        "text": entry.text,
        "negated": entry.negated,
        "no_information": entry.no_information,
        "mood": entry.mood,
        "ids": [str(identifier) for identifier in entry.ids],
        "authors": [_author_json(author) for author in entry.authors],
        "details": dict(entry.details),
        "parent": entry.parent,
        "path": entry.path,
        "line": entry.line,
    }
    for name, time in zip(_TIMES, (entry.start, entry.end, entry.time), strict=True):
        _put_time(form, name, time)
    _put_identifiers(form, entry.ids)
    return form


def entry_from_json(form: Json) -> Entry:
    """The entry that `entry_json` wrote."""
    code = form["code"]
    return Entry(
        kind=cast(Kind, form["kind"]),
        path=form["path"],
        line=form["line"],
        code=None if code is None else _read_code(code, form["translations"]),
        start=_read_time(form, "start"),
        end=_read_time(form, "end"),
        time=_read_time(form, "time"),
        status=form["status"],
        value=_read_value(form["value"]),
        unit=form["unit"],
        text=form["text"],
        negated=form["negated"],
        no_information=form["no_information"],
        mood=form["mood"],
        ids=_read_identifiers(form),
        authors=tuple(_read_author(author) for author in form["authors"]),
        details=form["details"],
        parent=form["parent"],
    )


# ---- header and sections ---------------------------------------------------------------------


def _header_json(document: ClinicalDocument) -> Json:
    form: Json = {
        "id": _id_json(document.id),
        "set_id": _id_json(document.set_id),
        "version": document.version,
        "related": [_related_json(related) for related in document.related],
        "type": None if document.code is None else _code_json(document.code),
        "title": document.title,
        "effective_time": _iso(document.effective_time),
        "templates": list(document.templates),
        "confidentiality": document.confidentiality,
        "language": document.language,
        "patient": _patient_json(document.patient),
        "authors": [_author_json(author) for author in document.authors],
        "custodian": document.custodian,
        "encounter": None if document.encounter is None else _encounter_json(document.encounter),
    }
    if document.recovered:
        form["recovered"] = True
    if (body := document.body) is not None:
        form["body"] = {
            "media_type": body.media_type,
            "size_bytes": len(body.data),
            "reference": body.reference,
        }
    return form


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
        form["authors"] = [_author_json(author) for author in section.authors]
    if section.details:
        form["details"] = dict(section.details)
    if section.raw_entries:
        form["raw_entries"] = [_raw_entry_json(raw) for raw in section.raw_entries]
    return form


def _raw_entry_json(raw: RawEntry) -> Json:
    return {
        "statement": raw.statement,
        "templates": list(raw.templates),
        "code": None if raw.code is None else _whole_code_json(raw.code),
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


def _related_json(related: RelatedDocument) -> Json:
    return {
        "type": related.type_code,
        "id": _id_json(related.id),
        "set_id": _id_json(related.set_id),
        "version": related.version,
    }


def _patient_json(patient: Patient) -> Json:
    return {
        "ids": [{"root": i.root, "extension": i.extension} for i in patient.ids],
        "names": [_name_json(name) for name in patient.names],
        "birth_time": _iso(patient.birth_time),
        "gender": patient.gender,
        "addresses": [_address_json(address) for address in patient.addresses],
        "telecoms": [_telecom_json(telecom) for telecom in patient.telecoms],
        "race": None if patient.race is None else _code_json(patient.race),
        "ethnicity": None if patient.ethnicity is None else _code_json(patient.ethnicity),
        "language": patient.language,
    }


def _name_json(name: PN) -> Json:
    form: Json = {
        "family": name.family,
        "given": list(name.given),
        "prefix": list(name.prefix),
        "suffix": list(name.suffix),
        "use": name.use,
    }
    return form if name.text is None else {**form, "text": name.text}


def _address_json(address: AD) -> Json:
    return {
        "lines": list(address.lines),
        "city": address.city,
        "state": address.state,
        "postal_code": address.postal_code,
        "country": address.country,
        "county": address.county,
        "use": address.use,
    }


def _telecom_json(telecom: TEL) -> Json:
    return {"value": telecom.value, "use": telecom.use}


def _encounter_json(encounter: Encounter) -> Json:
    return {
        "ids": [str(identifier) for identifier in encounter.ids],
        "code": None if encounter.code is None else _code_json(encounter.code),
        "start": _iso(encounter.start),
        "end": _iso(encounter.end),
        "location": encounter.location,
    }


def _id_json(identifier: II | None) -> str | None:
    return None if identifier is None else str(identifier) or None


def _iso(time: TS | None) -> str | None:
    return None if time is None else time.iso


# ---- codes and values ------------------------------------------------------------------------


def _code_json(code: CD) -> Json:
    """A code without its translations, which stand beside it."""
    form: Json = {"code": code.code, "system": code.system, "display": code.display}
    for name in _CODE_EXTRAS:
        extra = getattr(code, name)
        if extra is not None:
            form[name] = extra
    return form


def _codes_json(codes: tuple[CD, ...]) -> list[Json]:
    return [_whole_code_json(code) for code in codes]


def _whole_code_json(code: CD) -> Json:
    form = _code_json(code)
    if code.translations:
        form["translations"] = _codes_json(code.translations)
    return form


def _read_code(form: Json, translations: list[Json]) -> CD:
    return CD(
        form["code"],
        form["system"],
        form["display"],
        form.get("system_name"),
        form.get("original_text"),
        form.get("reference"),
        form.get("null_flavor"),
        tuple(_read_code(t, t.get("translations", [])) for t in translations),
    )


def _value_json(value: str | CD | Interval | None) -> str | Json | None:
    if isinstance(value, CD):
        return _whole_code_json(value)
    if isinstance(value, Interval):
        return {"low": value.low, "high": value.high}
    return value


def _read_value(form: str | Json | None) -> str | CD | Interval | None:
    if not isinstance(form, dict):
        return form
    if "low" in form:
        return Interval(form["low"], form["high"])
    return _read_code(form, form.get("translations", []))


# ---- times, ids, authors ---------------------------------------------------------------------


def _put_time(form: Json, name: str, time: TS | None) -> None:
    """The ISO time under `name`; what that loses under `null_flavors` or `written`."""
    if time is None:
        form[name] = None
        return
    iso = form[name] = iso_time(time.value)
    if time.null_flavor is not None:
        form.setdefault("null_flavors", {})[name] = time.null_flavor
    if (iso is None and time.null_flavor is None) or (iso and hl7_time(iso) != time.value):
        form.setdefault("written", {})[name] = time.value


def _read_time(form: Json, name: str) -> TS | None:
    iso = form[name]
    null_flavor = form.get("null_flavors", {}).get(name)
    written = form.get("written", {})
    if name in written:
        return TS(written[name], null_flavor)
    if iso is None and null_flavor is None:
        return None
    return TS(None if iso is None else hl7_time(iso), null_flavor)


def _put_identifiers(form: Json, identifiers: tuple[II, ...]) -> None:
    """`identifiers`, in full, where the texts under `ids` would not give them back."""
    if tuple(_read_id(text) for text in form["ids"]) != identifiers:
        form["identifiers"] = [
            [i.root, i.extension, i.assigning_authority, i.null_flavor] for i in identifiers
        ]


def _read_identifiers(form: Json) -> tuple[II, ...]:
    if "identifiers" in form:
        return tuple(II(*parts) for parts in form["identifiers"])
    return tuple(_read_id(text) for text in form["ids"])


def _read_id(text: str) -> II:
    root, separator, extension = text.partition("^")
    return II(root or None, extension if separator else None)


def _author_json(author: Author) -> Json:
    form: Json = {
        "name": author.name,
        "organization": author.organization,
        "device": author.device,
    }
    _put_time(form, "time", author.time)
    if author.ids:
        form["ids"] = [str(identifier) for identifier in author.ids]
        _put_identifiers(form, author.ids)
    return form


def _read_author(form: Json) -> Author:
    return Author(
        form["name"],
        form["organization"],
        form["device"],
        _read_time(form, "time"),
        _read_identifiers({"ids": [], **form}),
    )
