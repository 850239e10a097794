"""HL7 v2 ADT notices: who came, went or moved, read into values (HL7 V2.5.1: 3, ONC CoP notices).

Liberal: any segment order, any line end, fields that are not there; strict only in that the
message must say that it is an ADT. Nothing is guessed: what is empty is None.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from direct.encoded_words import printable

MEDIA_TYPE: Final = "x-application/hl7-v2+er7"
VISIT: Final = "visit_number"
"""The detail of the encounter that a notice tells of; None where it gives no number."""
_MOST_BYTES: Final = 1024 * 1024
_MOST_SEGMENTS: Final = 2000
_SEGMENT: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_LINES: Final = re.compile(r"[\r\n]+")


@dataclass(frozen=True, slots=True)
class AdtId:
    """An identifier (CX): the OID or name of who gave it, and its type (MR, MB, SS …)."""

    value: str
    authority: str | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class AdtPatient:
    """PID, as written; `birth_date` is HL7 DTM."""

    ids: tuple[AdtId, ...] = ()
    family: str | None = None
    given: tuple[str, ...] = ()
    birth_date: str | None = None
    gender: str | None = None
    address: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    phone: str | None = None
    ssn: str | None = None


@dataclass(frozen=True, slots=True)
class AdtVisit:
    """PV1, as written; times are HL7 DTM. `patient_class` is table 0004 (E, I, O …)."""

    id: AdtId | None = None
    patient_class: str | None = None
    location: str | None = None
    facility: str | None = None
    attending: str | None = None
    admitted: str | None = None
    discharged: str | None = None
    disposition: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class AdtNotice:
    """One ADT message. `event` is A01, A03 …; `policies` are member ids with payers.

    They are IN1-36, whose issuer is the company of IN1-3, and IN1-49, which has its own.
    """

    event: str | None
    control_id: str | None
    sent: str | None
    sending_facility: str | None
    happened: str | None
    patient: AdtPatient
    visit: AdtVisit
    policies: tuple[AdtId, ...] = ()
    diagnoses: tuple[tuple[str | None, str | None, str | None], ...] = ()
    """Code, text and coding system of each DG1."""
    is_alone: bool = True
    """False where the bytes hold a further message or patient, of whom nothing is read."""


def is_hl7v2(content: bytes) -> bool:
    """Whether the bytes begin as an HL7 v2 message does, framed for MLLP or not."""
    return re.match(rb"[\x0b\s]*(?:FHS|BHS|MSH) ?[^A-Za-z0-9\s]", content) is not None


def read_adt(content: bytes) -> AdtNotice | None:
    """The notice; None when the bytes are no ADT message that can be read."""
    if len(content) > _MOST_BYTES or not is_hl7v2(content):
        return None
    segments = _segments(content)
    header = next((each for each in segments if each.name == "MSH"), None)
    if header is None:
        return None
    kind = header.components(9)
    if not kind or kind[0] != "ADT":
        return None
    event = _first(segments, "EVN")
    return AdtNotice(
        event=(kind[1] if len(kind) > 1 else None) or event.text(1),
        control_id=header.text(10),
        sent=header.component(7, 1),
        sending_facility=header.component(4, 1),
        happened=event.component(6, 1) or event.component(2, 1),
        patient=_patient(_first(segments, "PID")),
        visit=_visit(_first(segments, "PV1"), _first(segments, "PV2")),
        policies=tuple(
            dict.fromkeys(one for each in segments if each.name == "IN1" for one in _policies(each))
        ),
        diagnoses=tuple(
            (each.component(3, 1), each.component(3, 2), each.component(3, 3))
            for each in segments
            if each.name == "DG1"
        ),
        is_alone=all(sum(each.name == name for each in segments) < 2 for name in ("MSH", "PID")),
    )


# ---- segments --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Segment:
    """Fields by their number; `marks` are component, repetition, escape, subcomponent."""

    name: str
    fields: Sequence[str]
    marks: str

    def repetitions(self, number: int) -> list[str]:
        return self._field(number).split(self.marks[1])

    def components(self, number: int) -> list[str | None]:
        return self._split(self.repetitions(number)[0])

    def component(self, number: int, place: int) -> str | None:
        parts = self.components(number)
        return parts[place - 1] if len(parts) >= place else None

    def text(self, number: int) -> str | None:
        return self._clean(self._field(number))

    def identifiers(self, number: int) -> tuple[AdtId, ...]:
        found = []
        for each in self.repetitions(number):
            parts = each.split(self.marks[0])
            value = self._clean(parts[0])
            if value is not None:
                authority = parts[3] if len(parts) > 3 else ""
                kind = self._clean(parts[4]) if len(parts) > 4 else None
                found.append(AdtId(value, self._authority(authority), kind))
        return tuple(found)

    def _authority(self, text: str) -> str | None:
        """Of `name&oid&ISO` the OID, else the name."""
        parts = [self._clean(each) for each in text.split(self.marks[3])]
        return next((each for each in (*parts[1:2], *parts[:1]) if each), None)

    def _field(self, number: int) -> str:
        return self.fields[number] if number < len(self.fields) else ""

    def _split(self, text: str) -> list[str | None]:
        return [self._clean(each) for each in text.split(self.marks[0])]

    def _clean(self, text: str) -> str | None:
        """Escapes resolved, printable; `""` is HL7's word for deleted, so it says nothing."""
        escape = re.escape(self.marks[2])
        meanings = {"F": "|", "S": self.marks[0], "R": self.marks[1], "T": self.marks[3]}
        meanings["E"] = self.marks[2]
        resolved = re.sub(
            f"{escape}([FSRTE]|\\\\.br\\\\?){escape}",
            lambda found: meanings.get(found[1], " "),
            text,
        )
        shown = printable(resolved)
        return None if shown in ("", '""') else shown


def _segments(content: bytes) -> list[_Segment]:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    found: list[_Segment] = []
    separator, marks = "|", "^~\\&"
    for line in _LINES.split(text.strip("\x0b\x1c\r\n\t "))[:_MOST_SEGMENTS]:
        name = line[:3]
        if _SEGMENT.fullmatch(name) is None:
            continue
        if name == "MSH":
            # Quirk: a blank in front of the separator, from a system that pads its delimiters.
            rest = line[3:].lstrip(" ")
            separator = rest[:1] or "|"
            stated = rest[1:].partition(separator)[0].replace(" ", "")
            marks = (stated + "^~\\&"[len(stated) :])[:4]
            fields = ["MSH", separator, *rest[1:].split(separator)]
        else:
            fields = line.split(separator)
        found.append(_Segment(name, fields, marks))
    return found


def _first(segments: Sequence[_Segment], name: str) -> _Segment:
    empty = _Segment(name, (), "^~\\&")
    return next((each for each in segments if each.name == name), empty)


# ---- what they say ---------------------------------------------------------------------------


def _patient(pid: _Segment) -> AdtPatient:
    names = pid.components(5)
    given = (each for each in names[1:3] if each)
    return AdtPatient(
        ids=pid.identifiers(3) + pid.identifiers(2),
        family=names[0],
        given=tuple(given),
        birth_date=pid.component(7, 1),
        gender=pid.component(8, 1),
        address=pid.component(11, 1),
        city=pid.component(11, 3),
        state=pid.component(11, 4),
        postal_code=pid.component(11, 5),
        phone=pid.component(13, 1),
        ssn=pid.component(19, 1),
    )


def _policies(insurance: _Segment) -> Iterator[AdtId]:
    company = next(iter(insurance.identifiers(3)), None)
    number = insurance.component(36, 1)
    if number is not None:
        yield AdtId(number, company.authority if company is not None else None)
    yield from insurance.identifiers(49)


def _visit(pv1: _Segment, pv2: _Segment) -> AdtVisit:
    return AdtVisit(
        id=next(iter(pv1.identifiers(19)), None),
        patient_class=pv1.component(2, 1),
        location=pv1.component(3, 1),
        facility=pv1.component(3, 4),
        attending=_person(pv1),
        admitted=pv1.component(44, 1),
        discharged=pv1.component(45, 1),
        disposition=pv1.component(36, 1),
        reason=pv2.component(3, 2) or pv2.component(3, 1),
    )


def _person(pv1: _Segment) -> str | None:
    """The attending doctor's name (XCN) as a person says it."""
    names = [pv1.component(7, 3), pv1.component(7, 2)]
    return " ".join(each for each in names if each) or None
