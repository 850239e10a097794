"""Code systems and identifier systems: the URI that FHIR R4 gives what CDA names by OID.

HL7 C-CDA on FHIR: mapping OID and URI. A system without a URI of its own is `urn:oid:…`; a name
written where an OID should stand is believed only when it is that of a system listed here.
"""

import re
from typing import Final

from ccda.fhir.remembered import remembered

LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
UCUM: Final = "http://unitsofmeasure.org"
URI: Final = "urn:ietf:rfc:3986"
_HL7: Final = "http://terminology.hl7.org/CodeSystem/"
_US_CORE: Final = "http://hl7.org/fhir/us/core/CodeSystem/"

ACT_CODE: Final = _HL7 + "v3-ActCode"
ALLERGY_CLINICAL: Final = _HL7 + "allergyintolerance-clinical"
ALLERGY_VERIFICATION: Final = _HL7 + "allergyintolerance-verification"
CONDITION_CATEGORY: Final = _HL7 + "condition-category"
CONDITION_CLINICAL: Final = _HL7 + "condition-clinical"
CONDITION_VERIFICATION: Final = _HL7 + "condition-ver-status"
COVERAGE_CLASS: Final = _HL7 + "coverage-class"
DATA_ABSENT: Final = _HL7 + "data-absent-reason"
DIAGNOSTIC_SERVICE: Final = _HL7 + "v2-0074"
IMMUNIZATION_FUNCTION: Final = _HL7 + "v2-0443"
INTERPRETATION: Final = _HL7 + "v3-ObservationInterpretation"
OBSERVATION_CATEGORY: Final = _HL7 + "observation-category"
PARTICIPATION_TYPE: Final = _HL7 + "v3-ParticipationType"
PROVENANCE_AGENT: Final = _HL7 + "provenance-participant-type"
ROLE_CODE: Final = _HL7 + "v3-RoleCode"
SUBSCRIBER: Final = _HL7 + "subscriber-relationship"
US_CORE_CATEGORY: Final = _US_CORE + "us-core-category"
US_CORE_CONDITION_CATEGORY: Final = _US_CORE + "condition-category"
US_CORE_DOCUMENT_CATEGORY: Final = _US_CORE + "us-core-documentreference-category"
US_CORE_AGENT: Final = _US_CORE + "us-core-provenance-participant-type"

_SYSTEMS: Final[dict[str, str]] = {
    "2.16.840.1.113883.6.1": LOINC,
    "2.16.840.1.113883.6.96": SNOMED,
    "2.16.840.1.113883.6.88": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "2.16.840.1.113883.6.90": "http://hl7.org/fhir/sid/icd-10-cm",
    "2.16.840.1.113883.6.3": "http://hl7.org/fhir/sid/icd-10",
    "2.16.840.1.113883.6.4": "http://www.cms.gov/Medicare/Coding/ICD10",
    "2.16.840.1.113883.6.103": "http://hl7.org/fhir/sid/icd-9-cm",
    "2.16.840.1.113883.6.104": "http://hl7.org/fhir/sid/icd-9-cm",
    "2.16.840.1.113883.6.12": "http://www.ama-assn.org/go/cpt",
    "2.16.840.1.113883.6.285": "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
    "2.16.840.1.113883.6.13": "http://www.ada.org/cdt",
    "2.16.840.1.113883.12.292": "http://hl7.org/fhir/sid/cvx",
    "2.16.840.1.113883.6.59": "http://hl7.org/fhir/sid/cvx",
    "2.16.840.1.113883.12.227": "http://hl7.org/fhir/sid/mvx",
    "2.16.840.1.113883.6.69": "http://hl7.org/fhir/sid/ndc",
    "2.16.840.1.113883.4.9": "http://fdasis.nlm.nih.gov",
    "2.16.840.1.113883.3.26.1.5": "http://hl7.org/fhir/ndfrt",
    "2.16.840.1.113883.3.26.1.1": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
    "2.16.840.1.113883.6.101": "http://nucc.org/provider-taxonomy",
    "2.16.840.1.113883.6.259": "https://www.cdc.gov/nhsn/cdaportal/terminology/codesystem/hsloc.html",
    "2.16.840.1.113883.6.238": "urn:oid:2.16.840.1.113883.6.238",
    "2.16.840.1.113883.6.8": UCUM,
    "1.2.840.10008.2.16.4": "http://dicom.nema.org/resources/ontology/DCM",
    "2.16.840.1.113883.5.1": _HL7 + "v3-AdministrativeGender",
    "2.16.840.1.113883.5.2": _HL7 + "v3-MaritalStatus",
    "2.16.840.1.113883.5.4": ACT_CODE,
    "2.16.840.1.113883.5.6": _HL7 + "v3-ActClass",
    "2.16.840.1.113883.5.7": _HL7 + "v3-ActPriority",
    "2.16.840.1.113883.5.8": _HL7 + "v3-ActReason",
    "2.16.840.1.113883.5.83": INTERPRETATION,
    "2.16.840.1.113883.5.88": _HL7 + "v3-ParticipationFunction",
    "2.16.840.1.113883.5.110": _HL7 + "v3-RoleClass",
    "2.16.840.1.113883.5.111": ROLE_CODE,
    "2.16.840.1.113883.5.112": _HL7 + "v3-RouteOfAdministration",
    "2.16.840.1.113883.5.1008": _HL7 + "v3-NullFlavor",
    "2.16.840.1.113883.5.1063": _HL7 + "v3-ObservationValue",
    "2.16.840.1.113883.5.1076": _HL7 + "v3-ReligiousAffiliation",
    "2.16.840.1.113883.12.112": _HL7 + "v2-0112",
    "2.16.840.1.113883.12.443": IMMUNIZATION_FUNCTION,
}
_NAMES: Final[dict[str, str]] = {
    "loinc": LOINC,
    "snomed": SNOMED,
    "snomed ct": SNOMED,
    "snomed-ct": SNOMED,
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "cpt": "http://www.ama-assn.org/go/cpt",
    "cpt4": "http://www.ama-assn.org/go/cpt",
    "cpt-4": "http://www.ama-assn.org/go/cpt",
    "cvx": "http://hl7.org/fhir/sid/cvx",
    "icd10": "http://hl7.org/fhir/sid/icd-10-cm",
    "icd-10-cm": "http://hl7.org/fhir/sid/icd-10-cm",
    "icd9": "http://hl7.org/fhir/sid/icd-9-cm",
    "icd-9-cm": "http://hl7.org/fhir/sid/icd-9-cm",
    "ndc": "http://hl7.org/fhir/sid/ndc",
}
# The codes of those HL7 V3 systems that documents use most; of the others only that they are words.
_CODES: Final[dict[str, frozenset[str]]] = {
    INTERPRETATION: frozenset(
        "_GeneticObservationInterpretation CAR Carrier _ObservationInterpretationChange B D U W "
        "_ObservationInterpretationExceptions < > AC IE QCF TOX "
        "_ObservationInterpretationNormality "
        "A AA HH LL H H> HU E L L< LU N I MS NCL NS R SYN-R S SDD SYN-S VS EX HX LX ND NEG IND POS "
        "DET EXP UNE NR RR WR HM MAR HL".split()
    ),
    IMMUNIZATION_FUNCTION: frozenset(
        "AD AI AP AT CM CP DP EP FHCP MDIR OP PH PI PP RO RP RT TN TR VP".split()
    ),
    _HL7 + "v3-ActPriority": frozenset("A CR CS CSP CSR EL EM P PRN R RR S T UD UR".split()),
    _HL7 + "v3-MaritalStatus": frozenset("A C D I L M P S T U W".split()),
}
_LETTERED: Final = frozenset(
    (ACT_CODE, ROLE_CODE, _HL7 + "v3-AdministrativeGender", _HL7 + "v3-ActClass",
     _HL7 + "v3-ActReason", _HL7 + "v3-ParticipationFunction", _HL7 + "v3-RoleClass",
     _HL7 + "v3-RouteOfAdministration", _HL7 + "v3-NullFlavor", _HL7 + "v3-ObservationValue")
)  # fmt: skip
_IDENTIFIERS: Final[dict[str, str]] = {
    "2.16.840.1.113883.4.6": "http://hl7.org/fhir/sid/us-npi",
    "2.16.840.1.113883.4.1": "http://hl7.org/fhir/sid/us-ssn",
    "2.16.840.1.113883.4.572": "http://hl7.org/fhir/sid/us-medicare",
    "2.16.840.1.113883.4.927": "http://hl7.org/fhir/sid/us-mbi",
}
# Below the arcs 0 and 1 there are forty (ITU-T X.660).
_OID: Final = re.compile(r"(?:[01]\.[1-3]?[0-9]|2\.(?:0|[1-9][0-9]*))(?:\.(?:0|[1-9][0-9]*))*")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@remembered
def code_system(written: str | None) -> str | None:
    """The URI of a code system; None where what is written names none."""
    if written is None:
        return None
    known = _SYSTEMS.get(written)
    return known or _NAMES.get(written.strip().lower()) or root_uri(written)


@remembered
def identifier_system(root: str | None) -> str | None:
    """The URI of whoever assigns identifiers."""
    return None if root is None else _IDENTIFIERS.get(root) or root_uri(root)


def root_uri(written: str) -> str | None:
    """An OID or a UUID as a URI; anything else is None."""
    bare = written.strip().removeprefix("urn:oid:").removeprefix("urn:uuid:")
    if _OID.fullmatch(bare):
        return f"urn:oid:{bare}"
    return f"urn:uuid:{bare.lower()}" if _UUID.fullmatch(bare) else None


def holds(system: str | None, code: str) -> bool:
    """Whether a system may have the code; of HL7's own, senders often name the wrong one."""
    if system in _CODES:
        return code in _CODES[system]
    return system not in _LETTERED or code[:1].isalpha()


def is_hl7(system: str | None) -> bool:
    """Whether HL7 itself defines the displays of a system's codes."""
    return system is not None and system.startswith(_HL7)
