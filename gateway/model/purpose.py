"""Why a record is asked for, in the code systems of the networks (ihe-wire 2.10)."""

from dataclasses import dataclass
from typing import Final

NHIN: Final = "2.16.840.1.113883.3.18.7.1"
TEFCA: Final = "2.16.840.1.113883.3.7204.1.5.2.1"

NHIN_CODES: Final = frozenset(
    "TREATMENT PAYMENT OPERATIONS COVERAGE PUBLICHEALTH EMERGENCY RESEARCH REQUEST FRAUD "
    "PSYCHOTHERAPY TRAINING LEGAL MARKETING DIRECTORY FAMILY PRESENT DISASTER ABUSE OVERSIGHT "
    "JUDICIAL LAW DECEASED DONATION THREAT GOVERNMENT WORKERSCOMP SYSADMIN".split()
)
TEFCA_CODES: Final = frozenset(
    "T-TREAT T-TRTMNT T-PYMNT T-HCO T-HCO-CC T-HCO-HED T-HCO-QAI T-HCO-POP T-HCO-PTSAFETY "
    "T-HCO-PERF T-PH T-PH-ECR T-PH-ELR T-IAS T-GOVDTRM T-GOVDTRM-SSD T-GOVDTRM-ACP".split()
)
TREATMENT_CODES: Final = frozenset({"TREATMENT", "T-TREAT", "T-TRTMNT", "EMERGENCY"})


@dataclass(frozen=True, slots=True)
class PurposeOfUse:
    """A code in its system."""

    code: str
    system: str

    @classmethod
    def parse(cls, code: str) -> "PurposeOfUse":
        """The purpose of that code.

        Raises:
            ValueError: neither NHIN nor TEFCA has such a code.
        """
        wanted = code.strip().upper()
        for codes, system in ((NHIN_CODES, NHIN), (TEFCA_CODES, TEFCA)):
            if wanted in codes:
                return cls(wanted, system)
        raise ValueError(f"unknown purpose of use; known are {', '.join(sorted(NHIN_CODES))}")

    @property
    def system_name(self) -> str:
        return "nhin-purpose" if self.system == NHIN else "TEFCA exchange purpose"

    @property
    def is_treatment(self) -> bool:
        """Whether it claims treatment, which a plan may not without an agreement (DECISIONS 8)."""
        return self.code in TREATMENT_CODES
