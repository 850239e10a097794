"""What a document says of its own sensitivity: substance use disorder records (42 CFR part 2)."""

import re
from collections.abc import Iterator
from typing import Final

from ccda.hl7v3 import CD
from ccda.model import ClinicalDocument
from gateway.exchange.policy import PART_2_CODES

_ACT_CODES: Final = "2.16.840.1.113883.5.4"
_PART_2: Final = re.compile(r"\b42\s+C\.?F\.?R\.?\s*,?\s*(part|§+)?\s*2\b", re.IGNORECASE)
"""A disclosure under the rule is accompanied by a notice that names it (42 CFR 2.32)."""


def is_part_2(clinical: ClinicalDocument) -> bool:
    """Whether it says that the rule covers it: by the notice in its text, or by a label's code."""
    texts = (text for section in clinical.sections for text in (section.title, section.text))
    return any(text and _PART_2.search(text) for text in texts) or any(
        code.system == _ACT_CODES and (code.code or "").upper() in PART_2_CODES
        for code in _codes(clinical)
    )


def _codes(clinical: ClinicalDocument) -> Iterator[CD]:
    for section in clinical.sections:
        for entry in section.entries:
            yield from (one for one in (entry.code, entry.value) if isinstance(one, CD))
