"""The names the standards give: template OIDs, section codes, code systems.

A template is known by its root alone; the extension is only a version (C-CDA R2.1: 1.8), and
R2.1 documents repeat a root without one for readers of R1.1. Roots that replaced one another
over CCD 1.0, HITSP C32, IHE PCC and C-CDA stand in one set.
"""

from typing import Final, Literal

LOINC: Final = "2.16.840.1.113883.6.1"
SNOMED_CT: Final = "2.16.840.1.113883.6.96"
# Both OIDs that senders write for the vaccines administered (CVX).
CVX: Final = frozenset(("2.16.840.1.113883.12.292", "2.16.840.1.113883.6.59"))

_HL7: Final = "2.16.840.1.113883.10.20."
_HITSP: Final = "2.16.840.1.113883.3.88.11.83."
_IHE: Final = "1.3.6.1.4.1.19376.1.5.3.1."


def _oids(hl7: str, hitsp: str = "", ihe: str = "") -> frozenset[str]:
    """Roots of one template in the three families, each given by what follows its arc."""
    families = ((_HL7, hl7), (_HITSP, hitsp), (_IHE, ihe))
    return frozenset(arc + tail for arc, tails in families for tail in tails.split())


def is_standard(root: str) -> bool:
    """Whether a template is of HL7, HITSP or IHE, and not a sender's own."""
    return root.startswith((_HL7, _HITSP, _IHE))


# ---- entries ---------------------------------------------------------------------------------

PROBLEM_OBSERVATION: Final = _oids("22.4.4 1.28", "7", "4.5")
PROBLEM_STATUS: Final = _oids("22.4.6 1.50 1.57", "", "4.1.1")
ALLERGY_OBSERVATION: Final = _oids("22.4.7 24.3.90 1.18", "6", "4.6")
ALLERGY_STATUS: Final = _oids("22.4.28 1.39")
REACTION_OBSERVATION: Final = _oids("22.4.9 1.54")
SEVERITY_OBSERVATION: Final = _oids("22.4.8 1.55", "", "4.1")
CRITICALITY_OBSERVATION: Final = _oids("22.4.145")
AGE_OBSERVATION: Final = _oids("22.4.31 1.38")
DEATH_OBSERVATION: Final = _oids("22.4.47 1.42")
MEDICATION_ACTIVITY: Final = _oids("22.4.16 1.24", "8", "4.7")
MEDICATION_STATUS: Final = _oids("1.47")
MEDICATION_SIG: Final = _oids("22.4.147")
SUPPLY_ORDER: Final = _oids("22.4.17", "8.3", "4.7.3")
DISPENSE: Final = _oids("22.4.18", "", "4.7.3.1")
INDICATION: Final = _oids("22.4.19")
INSTRUCTION: Final = _oids("22.4.20 1.49", "", "4.3")
IMMUNIZATION_ACTIVITY: Final = _oids("22.4.52", "13", "4.12")
REFUSAL_REASON: Final = _oids("22.4.53")
RESULT_OBSERVATION: Final = _oids("22.4.2 1.31", "15")
RESULT_ORGANIZER: Final = _oids("22.4.1 1.32")
VITAL_SIGN_OBSERVATION: Final = _oids("22.4.27", "14", "4.13.2")
VITAL_SIGNS_ORGANIZER: Final = _oids("22.4.26 1.35", "", "4.13.1")
PROCEDURE_ACTIVITY: Final = _oids("22.4.12 22.4.13 22.4.14 1.29", "17", "4.19")
ENCOUNTER_ACTIVITY: Final = _oids("22.4.49 1.21", "16", "4.14")
SMOKING_STATUS: Final = _oids("22.4.78 22.4.85 22.4.511")
SOCIAL_HISTORY_OBSERVATION: Final = _oids("22.4.38 22.4.200 22.4.507 1.33", "19", "4.13.4")
FAMILY_HISTORY_ORGANIZER: Final = _oids("22.4.45 1.23", "18", "4.15")
FAMILY_HISTORY_OBSERVATION: Final = _oids("22.4.46 1.22", "", "4.13.3")
FUNCTIONAL_STATUS: Final = _oids("22.4.66 22.4.67 22.4.68 22.4.69 1.44")
MENTAL_STATUS: Final = _oids("22.4.73 22.4.74 22.4.75")
DEVICE_SUPPLY: Final = _oids("22.4.50 1.34", "20")
COVERAGE_ACTIVITY: Final = _oids("22.4.60 1.20", "5", "4.17")
POLICY_ACTIVITY: Final = _oids("22.4.61 1.26", "5.1", "4.18")
ADVANCE_DIRECTIVE: Final = _oids("22.4.48 22.4.108 1.17", "12", "4.13.7")
GOAL_OBSERVATION: Final = _oids("22.4.121")
PLANNED: Final = _oids("22.4.39 22.4.40 22.4.41 22.4.42 22.4.43 22.4.44 22.4.120 1.25")
HEALTH_CONCERN: Final = _oids("22.4.132 22.4.136")
CARE_TEAM: Final = _oids("22.4.500")
CARE_TEAM_MEMBER: Final = _oids("22.4.500.1")
NOTE_ACTIVITY: Final = _oids("22.4.202")
NOTE: Final = "34109-9"
SPECIMEN_COLLECTION: Final = _oids("22.4.415")
ENTRY_REFERENCE: Final = _oids("22.4.122")
COMMENT: Final = _oids("22.4.64 1.40", "11", "4.2")
SECTION_TIME_RANGE: Final = _oids("22.4.201")

# Statements that stand inside another one and are told in its entry's details under these names.
# Where a kind tells one in a shape of its own (`reaction`), any other is an `…_observation`.
PARTS: Final[dict[str, frozenset[str]]] = {
    "comment": COMMENT,
    "instruction": INSTRUCTION | _oids("22.4.515 1.43", "", "4.3.1"),
    "reaction_observation": REACTION_OBSERVATION,
    "severity_observation": SEVERITY_OBSERVATION,
    "criticality_observation": CRITICALITY_OBSERVATION,
    "age_observation": AGE_OBSERVATION,
    "death": DEATH_OBSERVATION,
    "status_observation": PROBLEM_STATUS | ALLERGY_STATUS | MEDICATION_STATUS | _oids("1.37"),
    "entry_reference": ENTRY_REFERENCE,
    "medication_type": _oids("", "8.1"),
    "indication_observation": INDICATION | _oids("24.3.88"),
    "supply_order": SUPPLY_ORDER,
    "dispense": DISPENSE,
    "allergy": ALLERGY_OBSERVATION,
    "problem": PROBLEM_OBSERVATION,
    "medication": MEDICATION_ACTIVITY,
    "immunization": IMMUNIZATION_ACTIVITY,
    "procedure": PROCEDURE_ACTIVITY,
    "encounter": ENCOUNTER_ACTIVITY,
    "result": RESULT_OBSERVATION,
    "vital_sign": VITAL_SIGN_OBSERVATION,
    "device_supply": DEVICE_SUPPLY,
    "coverage": COVERAGE_ACTIVITY,
    "goal": GOAL_OBSERVATION,
    "health_concern": _oids("22.4.132"),
    "risk_concern": _oids("22.4.136"),
    "specimen_collection": SPECIMEN_COLLECTION,
    "section_time_range": SECTION_TIME_RANGE,
    **{
        name: _oids(arcs)
        for name, arcs in (
            ("priority_preference", "22.4.143"),
            ("prognosis", "22.4.113"),
            ("health_status", "22.4.5 1.51"),
            ("date_of_diagnosis", "22.4.502"),
            ("episode", "1.41"),
            ("patient_awareness", "1.48"),
            ("progress", "22.4.110"),
            ("outcome", "22.4.144"),
            ("intervention", "22.4.131"),
            ("planned_intervention", "22.4.146"),
            ("planned_act", "22.4.39"),
            ("planned_encounter", "22.4.40"),
            ("planned_procedure", "22.4.41"),
            ("planned_medication", "22.4.42"),
            ("planned_supply", "22.4.43"),
            ("planned_observation", "22.4.44"),
            ("planned_immunization", "22.4.120"),
            ("planned_coverage", "22.4.129"),
            ("authorization", "1.19"),
            ("handoff", "22.4.141"),
            ("adherence", "22.4.508"),
            ("drug_monitoring", "22.4.123"),
            ("substance_administered", "22.4.118"),
            ("assessment_scale", "22.4.69"),
            ("scale_item", "22.4.86"),
            ("functional_status", "22.4.67"),
            ("mental_status", "22.4.74"),
            ("self_care", "22.4.128"),
            ("sensory_status", "22.4.127"),
            ("caregiver", "22.4.72"),
            ("home_environment", "22.4.109"),
            ("nutritional_status", "22.4.124"),
            ("nutrition_assessment", "22.4.138"),
            ("nutrition_recommendation", "22.4.130"),
            ("estimated_delivery_date", "15.3.1"),
            ("industry", "22.4.504"),
            ("care_team_type", "22.4.500.2"),
            ("schedule", "22.4.500.3"),
            ("wound_measurement", "22.4.133"),
            ("wound_characteristic", "22.4.134"),
            ("number_of_pressure_ulcers", "22.4.76"),
            ("highest_pressure_ulcer_stage", "22.4.77"),
            ("specimen_condition", "22.4.421"),
            ("deceased", "22.4.79"),
            ("age_range", "22.4.516"),
            ("udi", "22.4.311"),
        )
    },
}
# The same where a statement has no template: what its code says it is.
PART_BY_CODE: Final = {
    "48767-8": "comment",
    "48766-0": "information_source",
    "33999-4": "status_observation",
    "445518008": "age_observation",
    "397659008": "age_observation",
    "11323-3": "health_status",
    "SEV": "severity_observation",
    "82606-5": "criticality_observation",
    "75328-5": "prognosis",
    "77975-1": "date_of_diagnosis",
    "11778-8": "estimated_delivery_date",
    "86188-0": "industry",
    "225773000": "priority_preference",
}
# The parts of a unique device identifier, each an observation in a UDI Organizer (4.311).
UDI_PARTS: Final[dict[str, frozenset[str]]] = {
    name: _oids(f"22.4.{number}")
    for name, number in (
        ("brand_name", 301),
        ("catalog_number", 302),
        ("company_name", 303),
        ("device_identifier", 304),
        ("implantable_device_status", 305),
        ("distinct_identification_code", 308),
        ("expiration_date", 309),
        ("latex_safety", 314),
        ("lot_number", 315),
        ("manufacturing_date", 316),
        ("model_number", 317),
        ("mri_safety", 318),
        ("serial_number", 319),
    )
}

# What only qualifies the statement it stands in: statuses, severities, ages, comments,
# priorities, prognoses. Met where a problem or an allergy may stand, it is neither.
QUALIFIERS: Final = (
    PROBLEM_STATUS
    | ALLERGY_STATUS
    | REACTION_OBSERVATION
    | SEVERITY_OBSERVATION
    | CRITICALITY_OBSERVATION
    | AGE_OBSERVATION
    | SECTION_TIME_RANGE
    | COMMENT
    | _oids("22.4.5 22.4.72 22.4.113 22.4.119 22.4.143 1.41 1.51", "", "4.1.2")
)
QUALIFIER_CODES: Final = frozenset(
    "33999-4 SEV 11323-3 448951000124107 82606-5 397659008 445518008 105480006 263490005".split()
)
SMOKING_CODES: Final = frozenset("72166-2 11367-0 229819007 365980008 266918002".split())
# How much is smoked, which is no status: cigarettes and packs a day, pack-years.
SMOKED_AMOUNT_CODES: Final = frozenset("63640-7 8663-7 8664-5 401201003 782516008".split())
# LOINC codes that only one kind of statement has: VitalSignResultType and its panels, …
VITAL_SIGN_CODES: Final = frozenset(
    "8310-5 8867-4 9279-1 8480-6 8462-4 8478-0 2708-6 59408-5 8302-2 8306-3 8287-5 9843-4 29463-7 "
    "3141-9 3142-7 39156-5 3140-1 8289-8 59576-9 77606-2 74728-7 85353-1 85354-9 96607-7".split()
)
# … and what social history asks: sex, gender identity, pregnancy, occupation, tribe, tobacco.
SOCIAL_HISTORY_CODES: Final = SMOKED_AMOUNT_CODES | frozenset(
    "76689-9 46098-0 76690-7 76691-5 82810-3 11341-5 95370-3 63504-5 86645-9".split()
)
# Acts that hold a diagnosis: of an encounter, at discharge, on admission, around an operation.
DIAGNOSIS_ACTS: Final = frozenset(
    "29308-4 11535-2 78375-3 46241-6 42347-5 10219-4 10218-6 59769-0".split()
)
# Problem Type (2.16.840.1.113883.3.88.12.3221.7.2), its LOINC twins and the bare assertion: a code
# that says which sort of thing was observed, and not what.
PROBLEM_TYPES: Final = frozenset(
    "404684003 409586006 282291009 64572001 248536006 418799008 55607006 373930000 75326-9 "
    "75325-1 75318-6 75323-6 29308-4 75322-8 75275-8 75321-0 75319-4 75312-9 75314-5 75315-2 "
    "75317-8 ASSERTION".split()
)
# RxNorm, NDC and CVX: codes that name nothing but drugs and vaccines.
DRUGS: Final = CVX | {"2.16.840.1.113883.6.88", "2.16.840.1.113883.6.69"}
ICD: Final = frozenset(f"2.16.840.1.113883.6.{arc}" for arc in (2, 3, 42, 90, 103))
CONDITION_SYSTEMS: Final = ICD | {SNOMED_CT}

# ---- sections --------------------------------------------------------------------------------

SectionKind = Literal[
    "problems", "allergies", "medications", "immunizations", "results", "vital_signs",
    "procedures", "encounters", "social_history", "family_history", "functional_status",
    "mental_status", "devices", "payers", "advance_directives", "goals", "outcomes", "plan",
    "interventions", "health_concerns", "care_teams", "diagnoses", "narrative",
]  # fmt: skip

# LOINC section codes, then template roots (HL7, HITSP, IHE) of each kind of section.
# C-CDA R2.1: 2; HITSP C83: 2.2.1; CCD 1.0: 3; IHE PCC TF-2: 6.3.3.
_SECTIONS: Final[tuple[tuple[SectionKind, str, frozenset[str]], ...]] = (
    (
        "problems",
        "11450-4 11348-0",
        _oids("22.2.5 22.2.5.1 22.2.20 1.11", "103 104", "3.6 3.8"),
    ),
    ("allergies", "48765-2", _oids("22.2.6 22.2.6.1 1.2", "102", "3.13")),
    (
        "medications",
        "10160-0 29549-3 10183-2 75311-1 42346-7",
        _oids(
            "22.2.1 22.2.1.1 22.2.38 22.2.11 22.2.11.1 22.2.44 1.8",
            "112 113 114 115",
            "3.19 3.20 3.21 3.22",
        ),
    ),
    ("immunizations", "11369-6", _oids("22.2.2 22.2.2.1 1.6", "117", "3.23")),
    ("results", "30954-2", _oids("22.2.3 22.2.3.1 1.14", "122", "3.27 3.28")),
    ("vital_signs", "8716-3", _oids("22.2.4 22.2.4.1 1.16", "119", "3.25 1.5.3.2")),
    ("procedures", "47519-4", _oids("22.2.7 22.2.7.1 1.12", "108 145", "3.11 3.12")),
    ("encounters", "46240-8", _oids("22.2.22 22.2.22.1 1.3", "127", "1.5.3.3")),
    ("social_history", "29762-2", _oids("22.2.17 1.15", "126", "3.16")),
    ("family_history", "10157-6", _oids("22.2.15 1.4", "125", "3.14 3.15")),
    ("functional_status", "47420-5", _oids("22.2.14 1.5", "109", "3.17")),
    ("mental_status", "10190-7", _oids("22.2.56")),
    ("devices", "46264-8", _oids("22.2.23 1.7", "128", "1.5.3.5")),
    ("payers", "48768-6", _oids("22.2.18 1.9", "101", "1.5.3.7")),
    ("advance_directives", "42348-3", _oids("22.2.21 22.2.21.1 1.1", "116", "3.34 3.35")),
    ("goals", "61146-7", _oids("22.2.60")),
    ("outcomes", "11383-7", _oids("22.2.61")),
    ("plan", "18776-5 59772-4", _oids("22.2.10 22.2.30 1.10", "124", "3.31 3.36")),
    ("interventions", "62387-6", _oids("21.2.3")),
    ("health_concerns", "75310-3", _oids("22.2.58")),
    ("care_teams", "85847-2", _oids("22.2.500")),
    (
        "diagnoses",
        "11535-2 78375-3 46241-6 42347-5 10219-4 10218-6 59769-0 55109-3 51848-0 51847-2",
        _oids(
            "22.2.24 22.2.43 22.2.34 22.2.35 22.2.36 22.2.37 22.2.8 22.2.9",
            "111",
            "3.3 3.7",
        ),
    ),
    # Sections the standards name whose statements are of no kind we index: operative and
    # imaging findings, indications, instructions, outcomes, nutrition.
    (
        "narrative",
        "59776-5 59768-2 59770-8 59771-6 59773-2 59775-7 69730-0 8653-8 10164-2 10154-3 "
        "46239-0 29299-5 42349-1 29545-1 10187-3 8648-8 10210-3 10184-0 11493-4 61144-2 "
        "11329-0 121070 121072 121109 121181 26436-6 57017-6 48764-5",
        _oids("22.2.45 22.2.57 22.2.29 22.2.28 22.2.27 2.10 1.13"),
    ),
)

SECTION_BY_LOINC: Final[dict[str, SectionKind]] = {
    code: kind for kind, codes, _ in _SECTIONS for code in codes.split()
}
SECTION_BY_TEMPLATE: Final[dict[str, SectionKind]] = {
    root: kind for kind, _, roots in _SECTIONS for root in roots
}
