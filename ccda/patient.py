"""recordTarget: the person a document is about (CDA R2: 4.2.2.11; C-CDA R2.1: 1.1.1)."""

from typing import Final

from ccda.hl7v3 import CD, SDTC, TS, read_ad, read_ii, read_pn, read_tel, text_of
from ccda.model import Language, Patient, Place
from ccda.narrative import Narrative
from ccda.participations import NOTHING, read_guardian, read_organization
from ccda.safe_xml import Element
from ccda.sections.statement import Children, children_of, first

_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}


def sdtc(name: str) -> str:
    """The name under which `children_of` keeps an element of HL7's US extensions."""
    return f"{{{SDTC}}}{name}"


_RACE_MORE, _ETHNICITY_MORE = sdtc("raceCode"), sdtc("ethnicGroupCode")
_DECEASED, _DECEASED_TIME = sdtc("deceasedInd"), sdtc("deceasedTime")
_MULTIPLE_BIRTH, _BIRTH_ORDER = sdtc("multipleBirthInd"), sdtc("multipleBirthOrderNumber")


def read_patient(record_target: Element, narrative: Narrative) -> Patient:
    role = first(record_target, "patientRole")
    if role is None:
        return Patient()
    parts = children_of(role)
    person = parts.get("patient")
    facts = children_of(person[0]) if person else {}
    races = _codes(facts, "raceCode", _RACE_MORE, narrative)
    ethnicities = _codes(facts, "ethnicGroupCode", _ETHNICITY_MORE, narrative)
    languages = tuple([_language(one, narrative) for one in facts.get("languageCommunication", ())])
    gender = _code(facts, "administrativeGenderCode", narrative)
    provider = parts.get("providerOrganization")
    return Patient(
        ids=tuple([read_ii(one) for one in parts.get("id", NOTHING)]),
        names=tuple([read_pn(one) for one in facts.get("name", NOTHING)]),
        birth_time=read_time(facts, "birthTime"),
        gender=None if gender is None else gender.code,
        addresses=tuple([read_ad(one) for one in parts.get("addr", NOTHING)]),
        telecoms=tuple([read_tel(one) for one in parts.get("telecom", NOTHING)]),
        race=_said(races),
        ethnicity=_said(ethnicities),
        language=_spoken(languages),
        gender_code=gender,
        races=races,
        ethnicities=ethnicities,
        languages=languages,
        deceased=_truth(facts, _DECEASED),
        deceased_time=read_time(facts, _DECEASED_TIME),
        multiple_birth=_truth(facts, _MULTIPLE_BIRTH),
        birth_order=_value(facts, _BIRTH_ORDER),
        marital_status=_code(facts, "maritalStatusCode", narrative),
        religion=_code(facts, "religiousAffiliationCode", narrative),
        birthplace=_birthplace(facts),
        guardians=tuple([read_guardian(one, narrative) for one in facts.get("guardian", ())]),
        provider=None if provider is None else read_organization(provider[0], narrative),
    )


def read_time(children: Children, name: str = "effectiveTime") -> TS | None:
    found = children.get(name)
    if found is None:
        return None
    value, null_flavor = found[0].get("value"), found[0].get("nullFlavor")
    return TS(value, null_flavor) if value or null_flavor else None


def _codes(facts: Children, name: str, more: str, narrative: Narrative) -> tuple[CD, ...]:
    """All codes of a kind, first those of the standard, then those of the extension."""
    elements = (*facts.get(name, NOTHING), *facts.get(more, NOTHING))
    return tuple([code for one in elements if (code := narrative.code(one)) is not None])


def _said(codes: tuple[CD, ...]) -> CD | None:
    """The first that says something; a nullFlavor only when there is nothing else."""
    return next((code for code in codes if code.code), codes[0] if codes else None)


def _language(element: Element, narrative: Narrative) -> Language:
    parts = children_of(element)
    code = parts.get("languageCode")
    return Language(
        None if code is None else code[0].get("code"),
        _code(parts, "modeCode", narrative),
        _code(parts, "proficiencyLevelCode", narrative),
        _truth(parts, "preferenceInd"),
    )


def _spoken(languages: tuple[Language, ...]) -> str | None:
    """The preferred language of several, else the first."""
    preferred = [one for one in languages if one.preferred]
    return next((one.code for one in (*preferred, *languages) if one.code), None)


def _birthplace(facts: Children) -> Place | None:
    found = facts.get("birthplace")
    place = first(found[0], "place") if found else None
    if place is None:
        return None
    address = first(place, "addr")
    name = text_of(first(place, "name"))
    return Place(name, None if address is None else read_ad(address))


def _code(parts: Children, name: str, narrative: Narrative) -> CD | None:
    found = parts.get(name)
    return None if found is None else narrative.code(found[0])


def _truth(parts: Children, name: str) -> bool | None:
    return _TRUTHS.get(_value(parts, name) or "")


def _value(parts: Children, name: str) -> str | None:
    found = parts.get(name)
    return None if found is None else found[0].get("value")
