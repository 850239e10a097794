"""Patient, with the extensions that US Core gives it (C-CDA on FHIR: patient; US Core 6.1).

Race and ethnicity come from the header; birth sex and gender identity from the social history.
"""

from collections.abc import Sequence
from typing import Final

from ccda.fhir.concept_maps import GENDER
from ccda.fhir.datatypes import (
    address,
    coding,
    form_concept,
    human_name,
    identifiers,
    stated,
    telecom,
    words,
)
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.times import Json, absent, day, instant
from ccda.hl7v3 import CD
from ccda.model import Patient

_US_CORE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_BIRTH_TIME: Final = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
# OMB's categories of race and ethnicity (CDC Race and Ethnicity); all others are detailed.
_RACES: Final = frozenset(("1002-5", "2028-9", "2054-5", "2076-8", "2106-3"))
_ETHNICITIES: Final = frozenset(("2135-2", "2186-5"))
_CDC_OID: Final = "2.16.840.1.113883.6.238"
_SEX_CODES: Final = {"F": "F", "M": "M", "UNK": "UNK", "248152002": "F", "248153007": "M"}
_BCP_47: Final = "urn:ietf:bcp:47"
# FHIR R4: common languages.
_LANGUAGES: Final = frozenset(
    "ar bn cs da de de-AT de-CH de-DE el en en-AU en-CA en-GB en-IN en-NZ en-SG en-US es es-AR "
    "es-ES es-UY fi fr fr-BE fr-CH fr-FR fy fy-NL hi hr it it-CH it-IT ja ko nl nl-BE nl-NL no "
    "no-NO pa pl pt pt-BR ru ru-RU sr sr-RS sv sv-SE te zh zh-CN zh-HK zh-SG zh-TW".split()
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
            *_origin("race", _RACES, patient.race),
            *_origin("ethnicity", _ETHNICITIES, patient.ethnicity),
            *_told(statements),
        ],
        identifier=identifiers(patient.ids),
        name=[found for name in patient.names if (found := human_name(name))] or [absent()],
        telecom=[found for one in patient.telecoms if (found := telecom(one))],
        gender=GENDER.get(patient.gender or "", "unknown"),
        **_birth(patient),
        address=[found for one in patient.addresses if (found := address(one))],
        communication=_communication(patient.language),
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


def _origin(name: str, categories: frozenset[str], code: CD | None) -> list[Json]:
    """us-core-race or us-core-ethnicity: a category or a detail, and always a text."""
    said = None if code is None else coding(code)
    if code is None or (said is None and not (code.display or code.original_text)):
        return []
    parts: list[Json] = []
    if said is not None and code.system == _CDC_OID:
        url = "ombCategory" if said["code"] in categories else "detailed"
        parts.append({"url": url, "valueCoding": said})
    text = words(code.original_text) or words(code.display) or (said["code"] if said else "")
    parts.append({"url": "text", "valueString": text})
    return [{"url": f"{_US_CORE}{name}", "extension": parts}]


def _told(statements: Sequence[Statement]) -> list[Json]:
    """What observations of the social history say of the person (LOINC 76689-9, 76691-5)."""
    found: dict[str, Json] = {}
    for one in statements:
        entry = one.entry
        asked = None if entry.code is None else entry.code.code
        value = entry.value
        if entry.no_information or entry.negated or not isinstance(value, CD):
            continue
        if asked == "76689-9" and (sex := _SEX_CODES.get(value.code or value.null_flavor or "")):
            found["birthsex"] = {"url": f"{_US_CORE}birthsex", "valueCode": sex}
        elif asked == "76691-5" and (identity := form_concept(_form(value))):
            url = f"{_US_CORE}genderIdentity"
            found["identity"] = {"url": url, "valueCodeableConcept": identity}
    return list(found.values())


def _form(value: CD) -> Json:
    return stated(
        code=value.code, system=value.system, display=value.display, text=value.original_text
    )


def _communication(language: str | None) -> list[Json]:
    """A code of FHIR R4's languages; any other tag in words, as nobody can check it."""
    written = words(language)
    if written is None:
        return []
    base, _, region = written.replace("_", "-").partition("-")
    base = _THREE_LETTERS.get(base.lower(), base.lower())
    tags = (f"{base}-{region.upper()}", base) if region else (base,)
    code = next((tag for tag in tags if tag in _LANGUAGES), None)
    said = {"coding": [{"system": _BCP_47, "code": code}]} if code else {"text": written}
    return [{"language": said}]
