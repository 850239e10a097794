"""What an allergies section says in words alone, as an entry to be indexed with the others.

Many write "NKDA" in the narrative and no entry, or one that says nothing. It stays words: no code
is made of it, and whoever reads the summary sees that somebody said it, and who.
"""

from typing import Final

from ccda.model import Entry, Section
from ccda.sections.no_information import says_nothing_is_known
from gateway.exchange.nothing_known import says_none

_ALLERGIES: Final = "48765-2"


def denial_in_words(section: Section) -> Entry | None:
    """The entry, where the whole narrative is that none is known and no entry says anything."""
    is_of_allergies = section.code is not None and section.code.code == _ALLERGIES
    text = (section.text or "").strip()
    if not is_of_allergies or not text or any(map(_says_something, section.entries)):
        return None
    is_marker = says_nothing_is_known(None, text, negated=False, null_flavor=None)
    if not (is_marker and says_none(text)):
        return None
    path = f"{section.path}/*[local-name()='text']"
    return Entry(kind="allergy", path=path, text=text, no_information=True)


def _says_something(entry: Entry) -> bool:
    named = entry.code is not None and (entry.code.display or entry.code.original_text)
    return not entry.no_information or entry.negated or bool(entry.text or named)
