"""What must be so of any bytes whatever: `look(data)` reads them, and judges."""

import json
import time
from dataclasses import dataclass
from typing import Final

from ccda import CcdaError, ClinicalDocument, parse_document
from ccda.html import render_html
from ccda.json_form import document_json, entry_from_json
from ccda.safe_xml import parse_xml
from tests.fuzz.sealed import nothing_outside

MOST_SECONDS: Final = 2.0
"""A document that takes longer holds up those behind it."""

_PATHS_TRIED: Final = 5
# Deeper than any reader goes; such an entry is an issue by design.
_ALLOWED: Final = "an entry could not be read (RecursionError)"


@dataclass(frozen=True, slots=True)
class Look:
    """`outcome` is `read`, `recovered` or the error's name; processor seconds for the parse."""

    outcome: str
    seconds: float
    entries: int = 0


def look(data: bytes, *, page: bool = True) -> Look:
    """What reading `data` comes to; with `page`, the page for people is written too.

    Raises:
        AssertionError: a claim does not hold.
        Exception: anything but a CcdaError left a library.
    """
    started = time.process_time()
    try:
        with nothing_outside():
            document = parse_document(data)
    except CcdaError as error:
        return Look(type(error).__name__, time.process_time() - started)
    seconds = time.process_time() - started
    entries = _judge(document)
    _follow_paths(data, document)
    if page:
        with nothing_outside():
            render_html(data)
    return Look("recovered" if document.recovered else "read", seconds, entries)


def _judge(document: ClinicalDocument) -> int:
    """No entry broke, and each comes back from JSON as it was."""
    broken = [
        i.text for i in document.issues if "could not be read" in i.text and i.text != _ALLOWED
    ]
    assert not broken, broken
    form = json.loads(json.dumps(document_json(document)))
    count = 0
    for section, section_form in zip(document.sections, form["sections"], strict=True):
        entries = tuple(entry_from_json(entry) for entry in section_form["entries"])
        assert entries == section.entries, "an entry differs after JSON"
        count += len(entries)
    return count


def _follow_paths(data: bytes, document: ClinicalDocument) -> None:
    entries = [entry for section in document.sections for entry in section.entries]
    if entries:
        root = parse_xml(data, recover=document.recovered)
        for entry in entries[:: max(1, len(entries) // _PATHS_TRIED)]:
            (found,) = root.xpath(entry.path)
            assert found.get("moodCode") == entry.mood, "a path selects another element"
