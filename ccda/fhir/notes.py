"""DocumentReference: clinical notes as entries, and the source documents themselves.

C-CDA on FHIR: notes; US Core: document reference.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ccda.fhir.actors import author_reference
from ccda.fhir.datatypes import concept, identifier, media_type, of_system, stated, words
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.systems import LOINC, US_CORE_DOCUMENT_CATEGORY
from ccda.fhir.times import Json, absent, instant, period
from ccda.hl7v3 import CD, II

_NOTE: Final = "34109-9"
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_CATEGORY: Final = of_system(US_CORE_DOCUMENT_CATEGORY, "clinical-note")


def add_notes(statements: Sequence[Statement], resources: Resources) -> None:
    for statement in statements:
        resources.state(statement, "DocumentReference", _note(statement, resources))


def _note(statement: Statement, resources: Resources) -> Json:
    entry = statement.entry
    encounter = resources.encounter_of(statement)
    span = period(entry.start or entry.time, entry.end or entry.time)
    context = stated(encounter=[encounter] if encounter else None, period=span)
    authors = [author_reference(one, statement.documents, resources)[0] for one in entry.authors]
    times = [one.time.iso for one in entry.authors if one.time is not None]
    return {
        "status": "entered-in-error" if entry.status == "nullified" else "current",
        "type": _type(entry.code),
        "category": [_CATEGORY],
        "subject": resources.patient,
        **stated(
            date=next((found for time in times if (found := instant(time))), None),
            author=[one for one in authors if one is not None],
        ),
        "content": [{"attachment": _attachment(statement)}],
        **stated(context=context or None),
    }


def _type(code: CD | None) -> Json:
    """The root code says only that it is a note: what kind stands in the translations."""
    if code is not None and code.code == _NOTE and code.translations:
        first, *others = code.translations
        said = replace(first, translations=tuple(others), original_text=code.original_text)
        return concept(said) or absent()
    return concept(code) or of_system(LOINC, _NOTE)


def _attachment(statement: Statement) -> Json:
    """The enclosed file as it stands, or the words of the narrative as plain text."""
    entry = statement.entry
    text = entry.details.get("content") or entry.text or ""
    kind = media_type(entry.details.get("media_type"))
    packed = "".join(text.split())
    if entry.details.get("representation") == "B64" and _BASE64.fullmatch(packed) and packed:
        return {"contentType": kind or "application/octet-stream", "data": packed}
    if not text.strip():
        return absent()
    return {"contentType": "text/plain", "data": b64encode(text.encode()).decode("ascii")}


# ---- where it all comes from -----------------------------------------------------------------


def source_key(document: str) -> str:
    return f"{document} source"


def add_source(
    document: str,
    resources: Resources,
    *,
    own_id: II | None,
    type_code: CD | None = None,
    title: str | None = None,
    written: str | None = None,
    superseded: bool = False,
    authors: Sequence[Json] = (),
    custodian: Json | None = None,
    context: Json | None = None,
) -> Json:
    """The clinical document that other resources are made of, by the id it is held under."""
    master = None if own_id is None else identifier(own_id)
    body = {
        **stated(masterIdentifier=master, identifier=[{"value": document}]),
        "status": "superseded" if superseded else "current",
        **stated(type=concept(type_code), subject=resources.patient, date=instant(written)),
        **stated(author=list(authors), custodian=custodian, description=words(title)),
        "content": [{"attachment": stated(contentType="text/xml", title=words(title))}],
        **stated(context=context),
    }
    return resources.add("DocumentReference", source_key(document), body, (document,))
