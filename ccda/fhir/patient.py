"""Patient, with the extensions that US Core gives it (C-CDA on FHIR: patient; US Core 6.1).

Race and ethnicity come from the header; sex, birth sex, gender identity and tribe from the social
history.
"""

import re
from collections.abc import Sequence
from typing import Final

from ccda.fhir.actors import whole_organization
from ccda.fhir.concept_maps import GENDER
from ccda.fhir.datatypes import (
    address,
    coding,
    concept,
    form_concept,
    human_name,
    identifiers,
    of_system,
    stated,
    telecom,
    words,
)
from ccda.fhir.numbers import whole
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.systems import ROLE_CODE
from ccda.fhir.times import Json, absent, day, instant, when
from ccda.hl7v3 import CD
from ccda.model import Language, Participant, Patient

_US_CORE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_RELIGION: Final = "http://hl7.org/fhir/StructureDefinition/patient-religion"
_BIRTHPLACE: Final = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
_BIRTH_TIME: Final = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
# OMB's categories of race and ethnicity (CDC Race and Ethnicity); all others are detailed.
_RACES: Final = frozenset(("1002-5", "2028-9", "2054-5", "2076-8", "2106-3"))
_ETHNICITIES: Final = frozenset(("2135-2", "2186-5"))
_CDC_OID: Final = "2.16.840.1.113883.6.238"
_SEXES: Final = frozenset(("248152002", "248153007"))  # SNOMED CT: female, male
_SEX_CODES: Final = {"F": "F", "M": "M", "UNK": "UNK", "248152002": "F", "248153007": "M"}
_BCP_47: Final = "urn:ietf:bcp:47"
_REGION: Final = re.compile(r"[A-Z]{2}")
_LANGUAGES: Final = frozenset(  # ISO 639-1
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy "
    "da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu "
    "hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb "
    "lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om "
    "or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw "
    "ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu".split()
)
# ISO 639-2, which documents write in place of BCP 47.
_THREE_LETTERS: Final = {
    "ara": "ar", "ben": "bn", "chi": "zh", "zho": "zh", "cze": "cs", "dan": "da", "deu": "de",
    "dut": "nl", "ell": "el", "eng": "en", "fin": "fi", "fra": "fr", "fre": "fr", "ger": "de",
    "gre": "el", "hin": "hi", "hrv": "hr", "ita": "it", "jpn": "ja", "kor": "ko", "nld": "nl",
    "nor": "no", "pan": "pa", "pol": "pl", "por": "pt", "rus": "ru", "spa": "es", "srp": "sr",
    "swe": "sv", "tel": "te",
}  # fmt: skip


def add_patient(
    patient: Patient,
    documents: Sequence[str],
    resources: Resources,
    statements: Sequence[Statement] = (),
) -> None:
    form = stated(
        extension=[
            *_origin("race", _RACES, patient.races or _either(patient.race)),
            *_origin("ethnicity", _ETHNICITIES, patient.ethnicities or _either(patient.ethnicity)),
            *_told(statements),
            *_religion(patient),
            *_birthplace(patient),
        ],
        identifier=identifiers(patient.ids),
        name=[found for name in patient.names if (found := human_name(name))] or [absent()],
        telecom=[found for one in patient.telecoms if (found := telecom(one))],
        gender=GENDER.get(patient.gender or "", "unknown"),
        **_birth(patient),
        address=[found for one in patient.addresses if (found := address(one))],
        maritalStatus=concept(patient.marital_status),
        **_deceased(patient),
        **_multiple_birth(patient),
        contact=[
            found
            for guardian in patient.guardians
            if (found := _contact(guardian, documents, resources)) is not None
        ],
        communication=_communication(patient),
        managingOrganization=whole_organization(patient.provider, documents, resources),
    )
    resources.add("Patient", resources.scope, form, documents)


def _birth(patient: Patient) -> Json:
    """The date; a time of birth as precise as an instant stands in its extension."""
    iso = None if patient.birth_time is None else patient.birth_time.iso
    moment, born = instant(iso), day(iso)
    if born is None:
        return {}
    time = {"extension": [{"url": _BIRTH_TIME, "valueDateTime": moment}]} if moment else None
    return stated(birthDate=born, _birthDate=time)


def _either(code: CD | None) -> tuple[CD, ...]:
    return () if code is None else (code,)


def _origin(name: str, categories: frozenset[str], codes: Sequence[CD]) -> list[Json]:
    """us-core-race or us-core-ethnicity: categories, details, and one text of all."""
    parts: list[Json] = []
    texts: list[str] = []
    for code in codes:
        said = coding(code)
        if said is not None and code.system == _CDC_OID:
            url = "ombCategory" if said["code"] in categories else "detailed"
            part = {"url": url, "valueCoding": said}
            if part not in parts:
                parts.append(part)
        text = words(code.original_text) or words(code.display) or (said or {}).get("code")
        if text is not None and text not in texts:
            texts.append(text)
    if not texts:
        return []
    parts.append({"url": "text", "valueString": ", ".join(texts)})
    return [{"url": f"{_US_CORE}{name}", "extension": parts}]


def _religion(patient: Patient) -> list[Json]:
    said = concept(patient.religion)
    return [{"url": _RELIGION, "valueCodeableConcept": said}] if said else []


def _birthplace(patient: Patient) -> list[Json]:
    place = patient.birthplace
    said = address(place.address) if place is not None and place.address is not None else None
    return [{"url": _BIRTHPLACE, "valueAddress": said}] if said else []


def _deceased(patient: Patient) -> Json:
    """The time where it is told (C-CDA on FHIR); else whether."""
    moment = when(patient.deceased_time)
    if moment is not None:
        return {"deceasedDateTime": moment}
    return {} if patient.deceased is None else {"deceasedBoolean": patient.deceased}


def _multiple_birth(patient: Patient) -> Json:
    order = whole(patient.birth_order)
    if order is not None and patient.multiple_birth is not False:
        return {"multipleBirthInteger": order}
    told = patient.multiple_birth
    return {} if told is None else {"multipleBirthBoolean": told}


def _contact(guardian: Participant, documents: Sequence[str], resources: Resources) -> Json | None:
    """A guardian is one first, and then whatever else he or she is to the patient.

    FHIR R4: pat-1. One of whom nobody says who it is, or where, is no contact.
    """
    kin = concept(guardian.code)
    names = [found for name in guardian.names if (found := human_name(name))]
    found = stated(
        name=names[0] if names else None,
        telecom=[found for one in guardian.telecoms if (found := telecom(one))],
        address=next((found for one in guardian.addresses if (found := address(one))), None),
        organization=whole_organization(guardian.organization, documents, resources),
    )
    relationship = [of_system(ROLE_CODE, "GUARD"), *([kin] if kin else [])]
    return {"relationship": relationship, **found} if found else None


def _told(statements: Sequence[Statement]) -> list[Json]:
    """What observations of the social history say of the person, each by its LOINC code."""
    found: dict[str, Json] = {}
    for one in statements:
        entry = one.entry
        asked = None if entry.code is None else entry.code.code
        value = entry.value
        if entry.no_information or entry.negated or not isinstance(value, CD):
            continue
        if one.about_other is not None:
            continue
        if asked == "76689-9" and (sex := _SEX_CODES.get(value.code or value.null_flavor or "")):
            found["birthsex"] = {"url": f"{_US_CORE}birthsex", "valueCode": sex}
        elif asked == "76691-5" and (identity := form_concept(_form(value))):
            url = f"{_US_CORE}genderIdentity"
            found["identity"] = {"url": url, "valueCodeableConcept": identity}
        elif asked == "46098-0" and value.code in _SEXES:
            found["sex"] = {"url": f"{_US_CORE}sex", "valueCode": value.code}
        elif asked == "95370-3" and (tribe := form_concept(_form(value))):
            part = {"url": "tribalAffiliation", "valueCodeableConcept": tribe}
            url = f"{_US_CORE}tribal-affiliation"
            found[f"tribe {tribe}"] = {"url": url, "extension": [part]}
    return list(found.values())


def _form(value: CD) -> Json:
    return stated(
        code=value.code, system=value.system, display=value.display, text=value.original_text
    )


def _communication(patient: Patient) -> list[Json]:
    """Every language, the preferred one marked."""
    spoken = patient.languages or ((Language(patient.language),) if patient.language else ())
    found = []
    for one in spoken:
        said = _language(one.code)
        if said is not None:
            found.append(stated(language=said, preferred=one.preferred))
    return found


def _language(tag: str | None) -> Json | None:
    """A language of ISO 639-1, with its region; what is no such tag stays in words."""
    written = words(tag)
    if written is None:
        return None
    base, _, region = written.replace("_", "-").partition("-")
    base, region = _THREE_LETTERS.get(base.lower(), base.lower()), region.upper()
    if base not in _LANGUAGES or (region and not _REGION.fullmatch(region)):
        return {"text": written}
    return {"coding": [{"system": _BCP_47, "code": f"{base}-{region}" if region else base}]}
