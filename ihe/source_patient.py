"""Whom metadata names: sourcePatientInfo as fields of HL7 V2's PID, read (ITI TF-3: 4.2.3.2)."""

from collections.abc import Iterable, Iterator
from typing import Final

from ccda.hl7v3 import AD, II, PN, TEL, TS, US_SSN
from ihe.discovery import Demographics
from ihe.identifiers import PatientId

_MOST: Final = 100
_ESCAPES: Final = {"|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\\": "\\E\\"}
_MEANINGS: Final = {escape: character for character, escape in _ESCAPES.items()}
_NOBODY: Final = Demographics()


def read_source_patient(values: Iterable[str]) -> Demographics | None:
    """What the values say of the patient; None when that is nothing."""
    names: list[PN] = []
    addresses: list[AD] = []
    telecoms: list[TEL] = []
    ids: list[II] = []
    birth_time: TS | None = None
    gender: str | None = None
    for value in list(values)[:_MOST]:
        field, _, text = value.partition("|")
        for each in text.split("~"):
            parts = [_plain(part) for part in each.split("^")]
            match field.strip().upper():
                case "PID-3":
                    ids += _identifier(each)
                case "PID-5" | "PID-9":
                    names += _name(parts)
                case "PID-7" if parts[0]:
                    birth_time = birth_time or TS(parts[0])
                case "PID-8" if parts[0]:
                    gender = gender or parts[0]
                case "PID-11":
                    addresses += _address(parts)
                case "PID-13" if parts[0]:
                    telecoms.append(TEL(f"tel:{parts[0]}"))
                case "PID-19" if parts[0]:
                    ids.append(II(US_SSN, parts[0]))
    found = Demographics(
        tuple(names), birth_time, gender, tuple(addresses), tuple(telecoms), tuple(ids)
    )
    return None if found == _NOBODY else found


def _identifier(text: str) -> Iterator[II]:
    try:
        read = PatientId.parse(text)
    except ValueError:
        return
    yield II(str(read.authority), read.id)


def _name(parts: list[str]) -> Iterator[PN]:
    family, given = parts[0] or None, tuple(part for part in parts[1:3] if part)
    if family or given:
        suffix = tuple(part for part in parts[3:4] if part)
        yield PN(family, given, suffix=suffix)


def _address(parts: list[str]) -> Iterator[AD]:
    filled = [*parts, *[""] * 6]
    if any(filled[:6]):
        lines = tuple(part for part in filled[:2] if part)
        city, state, postal_code, country = (part or None for part in filled[2:6])
        yield AD(lines, city, state, postal_code, country)


def _plain(text: str) -> str:
    for escape, character in _MEANINGS.items():
        if escape != _ESCAPES["\\"]:
            text = text.replace(escape, character)
    text = text.replace(_ESCAPES["\\"], "\\").strip()
    return "" if text == '""' else text
