"""Encounter: of the section and of the header, one where both tell of the same (by id).

C-CDA on FHIR: encounters.
"""

from collections.abc import Sequence
from typing import Final

from ccda.fhir import concept_maps
from ccda.fhir.actors import actor, location, location_of, participant
from ccda.fhir.datatypes import (
    address,
    code_of,
    concept,
    concepts,
    form_concept,
    identifiers,
    of_system,
    stated,
    words,
)
from ccda.fhir.reasons import reasons
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.systems import ACT_CODE, PARTICIPATION_TYPE
from ccda.fhir.times import Json, absent, period, when
from ccda.hl7v3 import CD, TS
from ccda.model import Encounter

_ACT_CODE_OID: Final = "2.16.840.1.113883.5.4"
_CPT_OID: Final = "2.16.840.1.113883.6.12"
_PATIENT_CLASS_OID: Final = "2.16.840.1.113883.12.4"
_CLASSES: Final = frozenset(
    "AMB EMER FLD HH IMP ACUTE NONAC OBSENC PRENC SS VR".split()
)  # HL7 V3 ActEncounterCode
# What HL7 table 0004 says of it, in the class of a notice (HL7 V2 to FHIR: v2-0004 to Encounter
# Class). Its other codes have no counterpart: a recurring patient may be in or out.
_PATIENT_CLASSES: Final = {"E": "EMER", "I": "IMP", "O": "AMB", "P": "PRENC"}
# What CPT says of where a visit took place (C-CDA on FHIR: encounters, class).
_PARTICIPATIONS: Final = {
    code: code for code in ("ADM", "ATND", "CON", "DIS", "REF", "PPRF", "SPRF", "PART")
}
_CPT: Final = (
    (99202, 99215, "AMB"), (99221, 99239, "IMP"), (99281, 99285, "EMER"), (99381, 99397, "AMB"),
)  # fmt: skip


def add_encounters(statements: Sequence[Statement], resources: Resources) -> None:
    for statement in statements:
        resources.state(statement, "Encounter", _encounter(statement, resources))


def add_header_encounter(
    header: Encounter, documents: Sequence[str], resources: Resources
) -> Json | None:
    """componentOf. An entry with one of its ids tells of the same: it gains what that lacks."""
    ids = identifiers(header.ids)
    if not ids and header.code is None and not when(header.start) and not when(header.end):
        return None
    disposition = concept(header.disposition)
    place = _place(header, documents, resources)
    form = {
        "status": _status(
            None, header.start, header.end, header.start if header.is_moment else None
        ),
        "class": _class(header.code),
        **stated(
            identifier=ids,
            type=_types(header.code, None),
            subject=resources.patient,
            participant=_header_participants(header, documents, resources),
            period=period(header.start, header.end),
            hospitalization={"dischargeDisposition": disposition} if disposition else None,
            location=[{"location": place}] if place else None,
        ),
    }
    known = _same(ids, resources)
    if known is None:
        return resources.add("Encounter", f"{resources.scope} encompassing", form, documents)
    found = resources.made[known]
    for name, part in form.items():
        found.setdefault(name, part)
    if "code" not in found["class"]:
        found["class"] = form["class"]
    resources.also_said_in({"reference": known}, documents)
    return {"reference": known}


def _place(header: Encounter, documents: Sequence[str], resources: Resources) -> Json | None:
    """healthCareFacility; the name of its organization where the place has none."""
    place = header.place
    if place is None:
        return location(header.location, documents, resources)
    ids = identifiers(place.ids)
    stands = None if place.address is None else address(place.address)
    return location_of(header.location, ids, concept(place.code), stands, documents, resources)


def _header_participants(
    header: Encounter, documents: Sequence[str], resources: Resources
) -> list[Json]:
    """Who is responsible and who took part, each with the role that the schema names."""
    found = []
    for one in header.participants:
        person, _ = participant(one, documents, resources)
        if person is not None:
            role = _PARTICIPATIONS.get(one.type_code or "")
            types = [of_system(PARTICIPATION_TYPE, role)] if role else None
            found.append(stated(type=types, individual=person))
    return found


def _same(ids: Sequence[Json], resources: Resources) -> str | None:
    for url, resource in resources.made.items():
        if resource["resourceType"] == "Encounter" and any(
            one in ids for one in resource.get("identifier", ())
        ):
            return url
    return None


def _encounter(statement: Statement, resources: Resources) -> Json:
    entry = statement.entry
    code = entry.code
    documents = statement.documents
    place = location(statement.one("location"), documents, resources)
    disposition = form_concept(statement.one("discharge_disposition"))
    diagnoses = [part for part in statement.parts if part.entry.kind == "problem"]
    return {
        "status": _entry_status(statement),
        "class": _class(code, code_of(statement.one("class"))),
        **stated(
            type=_types(code, entry.text),
            priority=form_concept(statement.one("priority")),
            subject=resources.patient,
            participant=_participants(statement, resources),
            period=period(entry.start or entry.time, entry.end),
            **reasons(statement, resources),
            diagnosis=[
                {"condition": resources.reference_to(part, "Condition")}
                for part in diagnoses
                if not part.entry.no_information and part.about_other is None
            ],
            hospitalization={"dischargeDisposition": disposition} if disposition else None,
            location=[{"location": place}] if place else None,
        ),
    }


def _entry_status(statement: Statement) -> str:
    """FHIR R4 has no negated encounter: one that did not take place was cancelled."""
    entry = statement.entry
    if statement.is_in_error:
        return concept_maps.ENCOUNTER[entry.status or ""]
    if entry.negated:
        return "cancelled"
    if entry.mood not in (None, "EVN"):
        return "planned"
    return _status(entry.status, entry.start, entry.end, entry.time)


def _participants(statement: Statement, resources: Resources) -> list[Json]:
    """Who saw the patient; an organization alone is no individual (FHIR R4: participant)."""
    found = []
    for form in statement.all("performer"):
        if isinstance(form, dict) and (words(form.get("name")) or form.get("ids")):
            who = actor(form, statement.documents, resources)
            url = "" if who is None else who["reference"]
            if who is not None and resources.made[url]["resourceType"] != "Organization":
                types = concepts(form.get("function"))
                found.append(stated(type=types, individual=who))
    return found


def _status(word: str | None, start: TS | None, end: TS | None, time: TS | None) -> str:
    """A point or an end says that it is over; a start alone that it may not be."""
    stated_word = concept_maps.ENCOUNTER.get(word or "")
    if stated_word is not None and word not in ("completed", "active"):
        return stated_word
    if when(end) or when(time):
        return "finished"
    if word == "completed":
        return "finished"
    if when(start):
        return "in-progress" if word == "active" else "unknown"
    return stated_word or "unknown"


def _class(code: CD | None, of_notice: CD | None = None) -> Json:
    """V3 ActCode, or what a notice or CPT says of it; else FHIR is told that nobody said."""
    if of_notice is not None and of_notice.system == _PATIENT_CLASS_OID:
        found = _PATIENT_CLASSES.get(of_notice.code or "")
        if found is not None:
            return {"system": ACT_CODE, "code": found}
    for one in (code, *code.translations) if code is not None else ():
        if one.system == _ACT_CODE_OID and one.code in _CLASSES:
            return {"system": ACT_CODE, "code": one.code}
        if one.system == _CPT_OID and (found := _of_cpt(one.code or "")):
            return {"system": ACT_CODE, "code": found}
    return absent()


def _of_cpt(code: str) -> str | None:
    if not (code.isascii() and code.isdigit() and len(code) == 5):
        return None
    return next((kind for low, high, kind in _CPT if low <= int(code) <= high), None)


def _types(code: CD | None, text: str | None) -> list[Json]:
    """All codes but those that can be the class."""
    said = concept(code, text)
    if said is None:
        return []
    rest = [c for c in said.get("coding", ()) if not _is_class(c)]
    kept = stated(coding=rest, text=said.get("text"))
    return [kept] if kept else []


def _is_class(found: Json) -> bool:
    return found.get("system") == ACT_CODE and found["code"] in _CLASSES
