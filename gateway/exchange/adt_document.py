"""An ADT notice as the document it is to the index: whom it names, and the visit it tells of.

The bytes stay as they came. What is derived of them is matched, held, filed and merged as any
document is; notices of one visit number become one encounter, whichever order they come in, in
which the notice sent last speaks. Nothing is said that the notice does not say: an admission
without PV1-44 has no start.
"""

import re
from typing import Final, Literal
from uuid import UUID, uuid5

from ccda.hl7v3 import AD, CD, II, PN, TEL, TS
from ccda.model import Author, ClinicalDocument, Entry, Patient, Section
from gateway.exchange.adt import VISIT, AdtId, AdtNotice, AdtPatient, AdtVisit

_SSN: Final = "2.16.840.1.113883.4.1"
_DISPOSITIONS: Final = "2.16.840.1.113883.12.112"  # HL7 table 0112
_PATIENT_CLASSES: Final = "2.16.840.1.113883.12.4"  # HL7 table 0004
_DIAGNOSES: Final = {
    "I10": "2.16.840.1.113883.6.90",
    "I10C": "2.16.840.1.113883.6.90",
    "ICD-10-CM": "2.16.840.1.113883.6.90",
    "I9": "2.16.840.1.113883.6.103",
    "I9C": "2.16.840.1.113883.6.103",
    "SCT": "2.16.840.1.113883.6.96",
}
_OID: Final = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
_NAMED_ISSUERS: Final = UUID("0d5a3a2e-6e0c-5a0b-9f6e-2f3f6b9d8c11")
"""The namespace of issuers that have a name and no OID; ours, and never to change."""
# HL7 table 0004. E and I are no code of the entry: a patient moves from one to the other, and
# two codes of one system would be two encounters.
_CLASSES: Final = {
    "E": "Emergency",
    "I": "Inpatient",
    "O": "Outpatient",
    "P": "Preadmit",
    "R": "Recurring patient",
    "B": "Obstetrics",
}
_NO_CLASS: Final = frozenset({"N", "U"})
Status = Literal["active", "completed", "cancelled"]
# HL7 table 0003: what the event says of the visit, and how people call it.
_EVENTS: Final[dict[str, tuple[str, Status | None]]] = {
    "A01": ("admission", "active"),
    "A02": ("transfer", "active"),
    "A03": ("discharge", "completed"),
    "A04": ("registration", "active"),
    "A05": ("pre-admission", None),
    "A06": ("change to inpatient", "active"),
    "A07": ("change to outpatient", "active"),
    "A08": ("update", None),
    "A11": ("cancelled admission", "cancelled"),
    "A12": ("cancelled transfer", "active"),
    "A13": ("cancelled discharge", "active"),
    "A14": ("pending admission", None),
    "A27": ("cancelled pending admission", "cancelled"),
    "A38": ("cancelled pre-admission", "cancelled"),
}
_PLANNED: Final = frozenset({"A05", "A14", "A27", "A38"})
# Events about a person or an account and no visit, though some senders give a PV1 with them.
_OF_PERSONS: Final = frozenset(
    "A18 A20 A23 A24 A28 A29 A30 A31 A34 A35 A36 A37 A39 A40 A41 A42 A43 A44 A46 A47 A48 A49"
    " A50 A51".split()
)


def document_of(notice: AdtNotice) -> ClinicalDocument:
    """The notice as a document: its patient, and its visit as one encounter if it tells of one."""
    event = notice.event or ""
    said = _EVENTS.get(event, (None, None))[0]
    title = f"Notice of {said} (ADT {event})" if said else f"ADT notice {event}".rstrip()
    sent = notice.sent or notice.happened
    visit = _encounter(notice)
    section = Section(
        code=None, title=None, templates=(), text=None, entries=(visit,) if visit else ()
    )
    return ClinicalDocument(
        id=None,
        code=None,
        title=title,
        effective_time=TS(sent) if sent else None,
        patient=_patient(notice.patient),
        authors=(Author(organization=notice.sending_facility),) if notice.sending_facility else (),
        custodian=notice.sending_facility,
        sections=(section,) if visit else (),
    )


def _patient(patient: AdtPatient) -> Patient:
    named = patient.family or patient.given
    lines = (patient.address,) if patient.address else ()
    placed = lines or patient.city or patient.state or patient.postal_code
    return Patient(
        ids=tuple(_patient_ids(patient)),
        names=(PN(patient.family, patient.given),) if named else (),
        birth_time=TS(patient.birth_date) if patient.birth_date else None,
        gender=patient.gender,
        addresses=(AD(lines, patient.city, patient.state, patient.postal_code),) if placed else (),
        telecoms=(TEL(f"tel:{patient.phone}"),) if patient.phone else (),
    )


def _patient_ids(patient: AdtPatient) -> list[II]:
    """Those whose issuer is known by an OID: a number alone is anybody's."""
    numbers = [*(one.value for one in patient.ids if one.type == "SS"), patient.ssn]
    found = [II(_SSN, number) for number in numbers if number]
    found += [
        II(one.authority, one.value)
        for one in patient.ids
        if one.type != "SS" and one.authority and _OID.fullmatch(one.authority)
    ]
    return list(dict.fromkeys(found))


def policy_ids(notice: AdtNotice) -> tuple[II, ...]:
    """The member numbers with payers; without a root where no OID says who gave the number."""
    return tuple(
        II(one.authority if one.authority and _OID.fullmatch(one.authority) else None, one.value)
        for one in notice.policies
    )


def _encounter(notice: AdtNotice) -> Entry | None:
    visit, event = notice.visit, notice.event or ""
    says = visit.id or visit.patient_class or visit.admitted or visit.discharged
    if event in _OF_PERSONS or not says:
        return None
    number = _visit_number(visit.id, notice)
    name = None if visit.patient_class in _NO_CLASS else visit.patient_class
    return Entry(
        kind="encounter",
        path="PV1",
        code=CD(None, original_text=_CLASSES.get(name, name)) if name else None,
        start=TS(visit.admitted) if visit.admitted else None,
        end=TS(visit.discharged) if visit.discharged else None,
        status=_status(event, visit),
        text=visit.reason,
        mood="INT" if event in _PLANNED else None,
        ids=(number,) if number else (),
        details=_details(notice, number),
    )


def _status(event: str, visit: AdtVisit) -> Status | None:
    """None where neither the event nor a discharge says how the visit stands."""
    said = _EVENTS.get(event, (None, None))[1]
    return said or ("completed" if visit.discharged else None)


def _visit_number(number: AdtId | None, notice: AdtNotice) -> II | None:
    """PV1-19 with its issuer: the OID, else who is named as such, else who sent the notice.

    A number without any of them is no identifier: another's visit may have the same.
    """
    if number is None:
        return None
    issuer = number.authority
    if issuer and _OID.fullmatch(issuer):
        return II(issuer, number.value)
    if not (issuer or notice.sending_facility):
        return None
    named = f"{notice.sending_facility or ''}\n{issuer or ''}".casefold()
    return II(str(uuid5(_NAMED_ISSUERS, named)), number.value, assigning_authority=issuer)


def _details(notice: AdtNotice, number: II | None) -> dict[str, object]:
    visit = notice.visit
    place = ", ".join(part for part in (visit.facility, visit.location) if part)
    place = place or notice.sending_facility or ""
    told: dict[str, object] = {
        "class": visit.patient_class
        and {
            "code": visit.patient_class,
            "system": _PATIENT_CLASSES,
            "display": _CLASSES.get(visit.patient_class),
        },
        "location": {"name": place} if place else None,
        "performer": [{"name": visit.attending}] if visit.attending else None,
        "discharge_disposition": visit.disposition
        and {"code": visit.disposition, "system": _DISPOSITIONS, "display": None},
        "indication": [
            {"code": code, "system": _DIAGNOSES.get(system or ""), "display": text}
            for code, text, system in notice.diagnoses
            if code or text
        ],
    }
    number_of_visit = {VISIT: str(number) if number else None}
    return number_of_visit | {name: value for name, value in told.items() if value}
