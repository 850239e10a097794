"""The encounter that a document's header states, as an entry to be indexed with the others.

A visit note often has no Encounters section: that the visit happened, and which document tells
of it, stands only in componentOf. Its id joins it to the same visit in a later summary of care.
"""

from typing import Final

from ccda.model import ClinicalDocument, Entry

_PATH: Final = "/*/*[local-name()='componentOf']/*[local-name()='encompassingEncounter']"


def header_encounter(document: ClinicalDocument) -> Entry | None:
    """The entry, or None where the header states no encounter by id, code or time."""
    stated = document.encounter
    if stated is None or not (stated.ids or stated.code or stated.start or stated.end):
        return None
    return Entry(
        kind="encounter",
        path=_PATH,
        code=stated.code,
        start=None if stated.is_moment else stated.start,
        end=stated.end,
        time=stated.start if stated.is_moment else None,
        ids=stated.ids,
        details={"location": {"name": stated.location}} if stated.location else {},
    )
