"""The header of a derived CCD (C-CDA R2.1: 1.1 US Realm Header, 1.1.2 CCD).

The author is a device: who reads the document sees that a program put it together from others,
and it is never counted as evidence of its own (DECISIONS 10).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from ccda.hl7v3 import AD, CD, II, PN, TEL, TS
from ccda.hl7v3_writing import write_ad, write_pn
from ccda.model import Language, Patient
from ccda.writer.elements import Element, add, set_type, template
from ccda.writer.values import UNKNOWN, as_null_flavor, as_time, as_token, write_code, write_id

US_REALM_HEADER: Final = "2.16.840.1.113883.10.20.22.1.1"
CCD: Final = "2.16.840.1.113883.10.20.22.1.2"
R2_1: Final = "2015-08-01"

_LOINC: Final = "2.16.840.1.113883.6.1"
_CONFIDENTIALITY: Final = "2.16.840.1.113883.5.25"
_GENDER: Final = "2.16.840.1.113883.5.1"
_ADDRESS_USES: Final = frozenset("H HP HV WP DIR PUB BAD TMP ABC SYL IDE PHYS PST".split())
_TELECOM_USES: Final = frozenset("H HP HV WP DIR PUB BAD TMP AS EC MC PG".split())
_NAME_USES: Final = frozenset("ABC SYL IDE A ASGN C I L P R S T".split())
_URL: Final = re.compile(r"([\w.~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+", re.ASCII)
_MOST_STREET_LINES: Final = 4


@dataclass(frozen=True, slots=True)
class Organization:
    """Who stands behind the document: as author's organization, or as custodian."""

    name: str
    ids: tuple[II, ...] = ()
    telecoms: tuple[TEL, ...] = ()
    addresses: tuple[AD, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthoringDevice:
    """The program that made the document, and for whom it works."""

    model: str
    software: str
    organization: Organization
    ids: tuple[II, ...] = ()


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says besides the patient. `set_id` and `version` name its replacements."""

    document_id: II
    set_id: II
    version: int
    now: TS
    author: AuthoringDevice
    custodian: Organization
    title: str
    confidentiality: str
    language: str


def write_header(document: Element, header: Header, patient: Patient, period: TS | None) -> None:
    """Everything before the body; `period` is the time of the oldest document summarised."""
    add(document, "realmCode", code="US")
    add(document, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    template(document, US_REALM_HEADER, R2_1)
    template(document, CCD, R2_1)
    write_id(document, header.document_id)
    write_code(document, "code", CD("34133-9", _LOINC, "Summarization of Episode Note"))
    add(document, "title", header.title)
    _write_instant(document, "effectiveTime", header.now)
    write_code(document, "confidentialityCode", CD(header.confidentiality, _CONFIDENTIALITY))
    add(document, "languageCode", code=header.language)
    write_id(document, header.set_id, "setId")
    add(document, "versionNumber", value=str(header.version))
    _write_patient(document, patient)
    _write_author(document, header)
    custodian = add(add(document, "custodian"), "assignedCustodian")
    _write_custodian(custodian, header.custodian)
    _write_care(document, header.now, period)


def _write_instant(parent: Element, name: str, time: TS | None) -> None:
    value = None if time is None or time.value is None else as_time(time.value)
    add(parent, name, value=value, nullFlavor=None if value else UNKNOWN)


def _write_patient(document: Element, patient: Patient) -> None:
    """recordTarget; what is required and not known has a nullFlavor."""
    role = add(add(document, "recordTarget"), "patientRole")
    for identifier in patient.ids or (None,):
        write_id(role, identifier)
    write_addresses(role, patient.addresses)
    write_telecoms(role, patient.telecoms)
    person = add(role, "patient")
    for name in patient.names or (PN(),):
        _write_name(person, name)
    _write_gender(person, patient.gender)
    _write_instant(person, "birthTime", patient.birth_time)
    write_code(person, "maritalStatusCode", patient.marital_status)
    write_code(person, "raceCode", patient.race)
    write_code(person, "ethnicGroupCode", patient.ethnicity)
    for language in patient.languages or (Language(patient.language),):
        _write_language(person, language)


def _write_language(person: Element, language: Language) -> None:
    code = as_token(language.code)
    if code is None:
        return
    spoken = add(person, "languageCommunication")
    add(spoken, "languageCode", code=code)
    for name, said in (
        ("modeCode", language.mode),
        ("proficiencyLevelCode", language.proficiency),
    ):
        if said is not None:
            write_code(spoken, name, said)
    if language.preferred is not None:
        add(spoken, "preferenceInd", value=str(language.preferred).lower())


def _write_gender(person: Element, gender: str | None) -> None:
    known = CD(gender, _GENDER) if gender and gender.strip() not in ("", UNKNOWN) else None
    write_code(person, "administrativeGenderCode", known)


def _write_name(person: Element, name: PN) -> None:
    """US Realm Patient Name (5.1): given and family, each unknown if it is not told."""
    family, use = name.family or name.text, name.use if name.use in _NAME_USES else None
    if not (family or name.given):
        add(person, "name", nullFlavor=as_null_flavor(name.null_flavor))
        return
    whole = PN(given=name.given, prefix=name.prefix, use=use)
    element = write_pn(person, "name", whole)
    if not name.given:
        add(element, "given", nullFlavor=UNKNOWN)
    add(element, "family", family, nullFlavor=None if family else UNKNOWN)
    for suffix in name.suffix:
        add(element, "suffix", suffix)


def write_addresses(parent: Element, addresses: Sequence[AD], *, only_one: bool = False) -> None:
    told = [one for one in addresses if one.lines or one.city or one.state or one.postal_code]
    if not told:
        add(parent, "addr", nullFlavor=UNKNOWN)
    for address in told[:1] if only_one else told:
        _write_address(parent, address)


def _write_address(parent: Element, address: AD) -> None:
    """US Realm Address (5.4): at most four lines; the parts that it demands are there."""
    first = address.lines[: _MOST_STREET_LINES - 1]
    rest = " ".join(address.lines[_MOST_STREET_LINES - 1 :])
    use = address.use if address.use in _ADDRESS_USES else None
    lines = (*first, rest) if rest else first
    fit = AD(
        lines,
        address.city,
        address.state,
        address.postal_code,
        address.country,
        address.county,
        use,
    )
    element = write_ad(parent, "addr", fit)
    for part, told in (
        ("streetAddressLine", lines),
        ("city", address.city),
        ("state", address.state),
        ("postalCode", address.postal_code),
    ):
        if not told:
            add(element, part, nullFlavor=UNKNOWN)


def write_telecoms(parent: Element, telecoms: Sequence[TEL], *, only_one: bool = False) -> None:
    told = [one for one in telecoms if one.value and one.value.strip()]
    if not told:
        add(parent, "telecom", nullFlavor=UNKNOWN)
    for one in told[:1] if only_one else told:
        use = one.use if one.use in _TELECOM_USES else None
        add(parent, "telecom", use=use, value=_as_url(one.value or ""))


def _as_url(text: str) -> str:
    """A URL as the schema has it: what may not stand in one is percent-encoded."""
    bare = "".join(text.split())
    return bare if _URL.fullmatch(bare) else quote(bare, safe=":/?@!$&'()*+,;=~")


def _write_author(document: Element, header: Header) -> None:
    """C-CDA R2.1: 1.1.2, author as assignedAuthoringDevice with its organization."""
    author = add(document, "author")
    _write_instant(author, "time", header.now)
    assigned = add(author, "assignedAuthor")
    device = header.author
    for identifier in device.ids or (None,):
        write_id(assigned, identifier)
    write_addresses(assigned, device.organization.addresses)
    write_telecoms(assigned, device.organization.telecoms)
    program = add(assigned, "assignedAuthoringDevice")
    add(program, "manufacturerModelName", device.model)
    add(program, "softwareName", device.software)
    organization = add(assigned, "representedOrganization")
    for identifier in device.organization.ids or (None,):
        write_id(organization, identifier)
    add(organization, "name", device.organization.name)
    write_telecoms(organization, device.organization.telecoms)
    write_addresses(organization, device.organization.addresses)


def _write_custodian(parent: Element, custodian: Organization) -> None:
    organization = add(parent, "representedCustodianOrganization")
    for identifier in custodian.ids or (None,):
        write_id(organization, identifier)
    add(organization, "name", custodian.name)
    write_telecoms(organization, custodian.telecoms, only_one=True)
    write_addresses(organization, custodian.addresses, only_one=True)


def _write_care(document: Element, now: TS, period: TS | None) -> None:
    """documentationOf: the care that is summarised, from the oldest document to now."""
    event = add(add(document, "documentationOf"), "serviceEvent", classCode="PCPR")
    time = add(event, "effectiveTime")
    set_type(time, "IVL_TS")
    _write_instant(time, "low", period)
    _write_instant(time, "high", now)
