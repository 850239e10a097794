"""Why a record is asked for, in the code systems of the networks (ihe-wire 2.10).

NHIN and Carequality speak nhin-purpose. TEFCA speaks its exchange purposes, and before them it
spoke `RCE-purpose`: NHIN's plain codes under TEFCA's OID. All are read; each network is written to
in its own.
"""

from dataclasses import dataclass
from typing import Final, Literal

NHIN: Final = "2.16.840.1.113883.3.18.7.1"
TEFCA: Final = "2.16.840.1.113883.3.7204.1.5.2.1"

PurposeSystem = Literal["nhin", "tefca", "rce"]
"""The purposes that a network speaks."""

NHIN_CODES: Final = frozenset(
    "TREATMENT PAYMENT OPERATIONS COVERAGE PUBLICHEALTH EMERGENCY RESEARCH REQUEST FRAUD "
    "PSYCHOTHERAPY TRAINING LEGAL MARKETING DIRECTORY FAMILY PRESENT DISASTER ABUSE OVERSIGHT "
    "JUDICIAL LAW DECEASED DONATION THREAT GOVERNMENT WORKERSCOMP SYSADMIN".split()
)
TEFCA_CODES: Final = frozenset(
    "T-TREAT T-TRTMNT T-PYMNT T-HCO T-HCO-CC T-HCO-HED T-HCO-QAI T-HCO-POP T-HCO-PTSAFETY "
    "T-HCO-PERF T-PH T-PH-ECR T-PH-ELR T-IAS T-GOVDTRM T-GOVDTRM-SSD T-GOVDTRM-ACP".split()
)
RETIRED_CODES: Final = frozenset({"T-HCO-QM"})
"""TEFCA codes that nobody may state any more, and some still do."""
TREATMENT_CODES: Final = frozenset({"TREATMENT", "T-TREAT", "T-TRTMNT", "EMERGENCY"})

# What a purpose of one network is called in the other. A TEFCA code loses its precision on the
# way to NHIN, which has no finer one; the way back never invents any.
_IN_TEFCA: Final = {
    "TREATMENT": "T-TRTMNT",
    "EMERGENCY": "T-TRTMNT",
    "PAYMENT": "T-PYMNT",
    "COVERAGE": "T-PYMNT",
    "OPERATIONS": "T-HCO",
    "PUBLICHEALTH": "T-PH",
    "REQUEST": "T-IAS",
    "GOVERNMENT": "T-GOVDTRM",
}
_IN_NHIN: Final = {
    "T-TREAT": "TREATMENT",
    "T-TRTMNT": "TREATMENT",
    "T-PYMNT": "PAYMENT",
    "T-HCO": "OPERATIONS",
    "T-PH": "PUBLICHEALTH",
    "T-IAS": "REQUEST",
    "T-GOVDTRM": "GOVERNMENT",
}
_SYSTEM_NAMES: Final = {
    "nhin": "nhin-purpose",
    "tefca": "TEFCA exchange purpose",
    "rce": "RCE-purpose",
}


@dataclass(frozen=True, slots=True)
class PurposeOfUse:
    """A code in its system: NHIN's for an RCE-purpose, too, whose codes are the same."""

    code: str
    system: str

    @classmethod
    def parse(cls, code: str) -> "PurposeOfUse":
        """The purpose of that code, as one that we may state.

        Raises:
            ValueError: neither NHIN nor TEFCA has such a code.
        """
        wanted = code.strip().upper()
        for codes, system in ((NHIN_CODES, NHIN), (TEFCA_CODES, TEFCA)):
            if wanted in codes:
                return cls(wanted, system)
        raise ValueError(f"unknown purpose of use; known are {', '.join(sorted(NHIN_CODES))}")

    @classmethod
    def code_of(cls, text: str) -> str | None:
        """The code; None of whatever else was written there, which is for no record."""
        try:
            return cls.parse(text).code
        except ValueError:
            return None

    @classmethod
    def read(cls, code: str, system: str | None) -> "PurposeOfUse":
        """The purpose that a partner states; `system` is an OID with or without `urn:oid:`.

        Raises:
            ValueError: no network has such a code, or not in that system.
        """
        wanted = code.strip().upper()
        if wanted in RETIRED_CODES:
            found = cls(wanted, TEFCA)
        else:
            found = cls.parse(wanted)
        stated = (system or "").strip().removeprefix("urn:oid:")
        # A code of TEFCA's list under NHIN's OID says two things; neither is believed. NHIN's
        # codes under TEFCA's OID are RCE-purpose.
        if stated == NHIN and found.system != NHIN:
            raise ValueError("a purpose of use is not of the system it names")
        return found

    @property
    def is_treatment(self) -> bool:
        """Whether it claims treatment, which a plan may not without an agreement (DECISIONS 8)."""
        return self.code in TREATMENT_CODES

    def is_within(self, code: str) -> bool:
        """Whether it is `code`, or one of the finer codes under it: T-HCO-CC is within T-HCO."""
        return self.code == code or (
            self.system == TEFCA and self.code.startswith(f"{code.upper()}-")
        )

    def stated_in(self, system: PurposeSystem) -> "StatedPurpose | None":
        """The most specific code that the network has for it; None if it has none."""
        if system == "tefca":
            code = self.code if self.system == TEFCA else _IN_TEFCA.get(self.code)
            oid = TEFCA
        else:
            code = self.code if self.system == NHIN else _general(self.code)
            oid = TEFCA if system == "rce" else NHIN
        return None if code is None else StatedPurpose(code, oid, _SYSTEM_NAMES[system])


@dataclass(frozen=True, slots=True)
class StatedPurpose:
    """A purpose as an assertion codes it."""

    code: str
    system: str
    system_name: str


def _general(code: str) -> str | None:
    """NHIN's code for a TEFCA purpose, or for the one that it is a part of."""
    while code:
        if code in _IN_NHIN:
            return _IN_NHIN[code]
        code = code.rpartition("-")[0]
    return None
