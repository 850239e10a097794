"""What a document says of its own sensitivity: substance use disorder records (42 CFR part 2)."""

import re
from typing import Final

from ccda.model import ClinicalDocument

PART_2_NOTICE: Final = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
"""The short notice of 42 CFR 2.32(a)(2): it accompanies each such disclosure."""

_PART_2_CODES: Final = frozenset({"ETH", "ETHUD", "OPIOIDUD", "SUD", "42CFRPART2"})
"""HL7 ActCode sensitivity and privacy-law codes of substance use disorder records."""

_ACT_CODES: Final = b"2.16.840.1.113883.5.4"
_LABEL: Final = re.compile(
    rb"""\scode\s*=\s*["'](?:%b)["']"""
    % b"|".join(code.encode() for code in sorted(_PART_2_CODES)),
    re.IGNORECASE,
)
_OF_ACT_CODES: Final = re.compile(rb"""\scodeSystem\s*=\s*["']2\.16\.840\.1\.113883\.5\.4["']""")
_PART_2: Final = re.compile(r"\b42\s+C\.?F\.?R\.?\s*,?\s*(part|§+)?\s*2\b", re.IGNORECASE)
"""A disclosure under the rule is accompanied by a notice that names it (42 CFR 2.32)."""


def is_part_2(clinical: ClinicalDocument, content: bytes) -> bool:
    """Whether it says that the rule covers it: by the notice in its text, or by a label's code.

    Labels are looked for in the bytes, `content`: they stand inside any statement (DS4P), also
    inside those that we do not read.
    """
    texts = (text for section in clinical.sections for text in (section.title, section.text))
    return any(text and _PART_2.search(text) for text in texts) or _has_label(content)


def _has_label(content: bytes) -> bool:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        content = content.decode("utf-16", errors="replace").encode()
    # One tag at a time, with the text behind it: linear, whatever somebody fills a document with.
    return _LABEL.search(content) is not None and any(
        _ACT_CODES in tag and _OF_ACT_CODES.search(tag) and _LABEL.search(tag)
        for tag in content.split(b"<")
    )
