"""CDA's status words and FHIR R4's (HL7 C-CDA on FHIR 2.0.0, its ConceptMaps, named CF-…).

A word in no table is a code that says unknown, where the value set has one; else it is left out.
The words of a merged summary (stopped, on hold, done) stand beside CDA's.
"""

from collections.abc import Mapping
from typing import Final

# CF-ConditionClinicalStatus (statusCode of the concern) and CF-ProblemStatus (status observation).
CONDITION_CLINICAL: Final[Mapping[str, str]] = {
    "active": "active", "aborted": "inactive", "completed": "inactive", "suspended": "inactive",
    "stopped": "inactive", "on hold": "inactive", "inactive": "inactive", "resolved": "resolved",
    "recurrence": "recurrence", "relapse": "relapse", "remission": "remission",
    "chronic": "active", "history of": "inactive",
}  # fmt: skip
ABATED: Final = frozenset(("inactive", "resolved", "remission"))
# What a status observation says of how sure the condition is.
CONDITION_VERIFICATION: Final[Mapping[str, str]] = {
    "rule out": "differential", "ruled out": "refuted", "absent": "refuted",
    "nullified": "entered-in-error",
}  # fmt: skip
# CF-AllergyStatus.
ALLERGY_CLINICAL: Final[Mapping[str, str]] = {
    "active": "active", "aborted": "inactive", "completed": "inactive", "suspended": "inactive",
    "stopped": "inactive", "on hold": "inactive", "inactive": "inactive", "resolved": "resolved",
}  # fmt: skip
ALLERGY_VERIFICATION: Final[Mapping[str, str]] = {
    "nullified": "entered-in-error", "ruled out": "refuted",
}  # fmt: skip
# CF-AllergyIntoleranceType and CF-AllergyIntoleranceCategory, and two kinds of the environment.
ALLERGY_TYPE: Final[Mapping[str, str]] = {
    "235719002": "intolerance", "59037007": "intolerance", "414285001": "allergy",
    "416098002": "allergy", "419199007": "allergy", "426232007": "allergy", "232347008": "allergy",
}  # fmt: skip
ALLERGY_CATEGORY: Final[Mapping[str, str]] = {
    "235719002": "food", "414285001": "food", "418471000": "food", "416098002": "medication",
    "419511003": "medication", "59037007": "medication", "426232007": "environment",
    "232347008": "environment",
}  # fmt: skip
# CF-NoKnownAllergies, with the propensities that deny the same class.
NO_KNOWN_ALLERGY: Final[Mapping[str, tuple[str, str]]] = {
    **dict.fromkeys(("414285001", "418471000"), ("429625007", "No known food allergy")),
    **dict.fromkeys(("416098002", "419511003"), ("409137002", "No known drug allergy")),
    **dict.fromkeys(("419199007", "418038007", "420134006"), ("716186003", "No known allergy")),
    "426232007": ("428607008", "No known environmental allergy"),
}
CRITICALITY: Final[Mapping[str, str]] = {
    "CRITH": "high", "CRITL": "low", "CRITU": "unable-to-assess",
}  # fmt: skip
# CF-Severity; what lies between two grades is the graver, what is fatal is severe.
SEVERITY: Final[Mapping[str, str]] = {
    "255604002": "mild", "371923003": "moderate", "6736007": "moderate", "371924009": "severe",
    "24484000": "severe", "399166001": "severe",
}  # fmt: skip

# CF-MedActivityMood; the other moods as their names in HL7 V3.
INTENT: Final[Mapping[str, str]] = {
    "EVN": "plan", "INT": "order", "RQO": "order", "PRMS": "plan", "PRP": "proposal",
}  # fmt: skip
PLANNED_INTENT: Final[Mapping[str, str]] = {
    "INT": "plan", "RQO": "order", "PRMS": "plan", "PRP": "proposal", "ARQ": "proposal",
    "APT": "order",
}  # fmt: skip
# CF-MedicationStatus.
MEDICATION_REQUEST: Final[Mapping[str, str]] = {
    "active": "active", "suspended": "on-hold", "held": "on-hold", "on hold": "on-hold",
    "aborted": "stopped", "stopped": "stopped", "inactive": "stopped", "completed": "completed",
    "nullified": "entered-in-error", "cancelled": "cancelled", "new": "draft",
}  # fmt: skip
ADMINISTRATION: Final[Mapping[str, str]] = {
    "active": "in-progress", "suspended": "on-hold", "held": "on-hold", "on hold": "on-hold",
    "aborted": "stopped", "stopped": "stopped", "completed": "completed",
    "administered": "completed", "nullified": "entered-in-error", "cancelled": "not-done",
}  # fmt: skip
SERVICE_REQUEST: Final[Mapping[str, str]] = {
    "active": "active", "new": "active", "suspended": "on-hold", "held": "on-hold",
    "on hold": "on-hold", "aborted": "revoked", "stopped": "revoked", "cancelled": "revoked",
    "completed": "completed", "nullified": "entered-in-error", "obsolete": "revoked",
}  # fmt: skip
# CF-ImmunizationStatus: an event that did not come to be completed was not done.
IMMUNIZATION: Final[Mapping[str, str]] = {
    "completed": "completed", "active": "completed", "nullified": "entered-in-error",
    **dict.fromkeys(
        ("aborted", "cancelled", "held", "new", "obsolete", "suspended", "refused", "not done",
         "stopped", "on hold"), "not-done"),
}  # fmt: skip
# CF-ProcedureStatus.
PROCEDURE: Final[Mapping[str, str]] = {
    "aborted": "stopped", "stopped": "stopped", "active": "in-progress", "cancelled": "not-done",
    "completed": "completed", "held": "on-hold", "suspended": "on-hold", "on hold": "on-hold",
    "new": "preparation", "nullified": "entered-in-error", "not done": "not-done",
    "refused": "not-done",
}  # fmt: skip
# CF-ResultStatus and CF-ResultReportStatus.
RESULT: Final[Mapping[str, str]] = {
    "aborted": "cancelled", "active": "registered", "cancelled": "cancelled", "completed": "final",
    "held": "registered", "suspended": "registered", "nullified": "entered-in-error",
    "stopped": "cancelled", "on hold": "registered",
}  # fmt: skip
# CF-EncounterStatus.
ENCOUNTER: Final[Mapping[str, str]] = {
    "aborted": "unknown", "active": "in-progress", "cancelled": "cancelled",
    "completed": "finished", "held": "planned", "new": "unknown", "suspended": "onleave",
    "nullified": "entered-in-error", "on hold": "onleave", "stopped": "unknown",
}  # fmt: skip
GOAL: Final[Mapping[str, str]] = {
    "active": "active", "new": "proposed", "suspended": "on-hold", "held": "on-hold",
    "on hold": "on-hold", "completed": "completed", "aborted": "cancelled", "stopped": "cancelled",
    "cancelled": "cancelled", "nullified": "entered-in-error",
}  # fmt: skip
CARE_TEAM: Final[Mapping[str, str]] = {
    "active": "active", "completed": "inactive", "suspended": "suspended", "new": "proposed",
    "nullified": "entered-in-error", "aborted": "inactive", "inactive": "inactive",
}  # fmt: skip

# CF-ProblemCategory, by the LOINC code of the section; diagnoses of a stay are of its encounter.
CONDITION_CATEGORY: Final[Mapping[str, str]] = {
    "11450-4": "problem-list-item",
    **dict.fromkeys(
        ("46240-8", "11535-2", "78375-3", "46241-6", "42347-5", "10219-4", "10218-6"),
        "encounter-diagnosis",
    ),
    "75310-3": "health-concern",
}
GENDER: Final[Mapping[str, str]] = {"M": "male", "F": "female", "UN": "other"}
