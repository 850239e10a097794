"""What must be so of any bytes whatever: `look(data)` reads them, and judges."""

import hashlib
import json
import math
import time
from dataclasses import dataclass
from typing import Any, Final

from ccda import CcdaError, ClinicalDocument, parse_document
from ccda.fhir import document_bundle, fhir_json, summary_bundle
from ccda.html import render_html
from ccda.json_form import document_json, entry_from_json
from ccda.safe_xml import parse_xml
from tests.ccda.facts import certain_facts
from tests.ccda.fhir.structure import faults
from tests.ccda.written import summarized, write
from tests.fuzz.sealed import nothing_outside

MOST_SECONDS: Final = 2.0
"""A document that takes longer holds up those behind it."""

_PATHS_TRIED: Final = 5
_SUMMARY_EVERY: Final = 10
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
    with nothing_outside():
        bundle = document_bundle(document, document_id="fuzzed", partner="Example HIE")
        written = fhir_json(bundle)
    judge_json(written)
    if is_chosen(data):
        _judge_bundle(bundle)
        _judge_summary(data)
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


def judge_json(written: bytes) -> None:
    """Strict JSON (RFC 8259), which has neither NaN nor Infinity; its numbers fit a double.

    Raises:
        ValueError: it is none.
    """
    json.loads(written, parse_constant=_no_json, parse_int=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large for its readers")
    return number


def _no_json(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def is_chosen(data: bytes) -> bool:
    """Whether the costly claims are made of these bytes too: of the same bytes always."""
    return int.from_bytes(hashlib.sha256(data).digest()[:8]) % _SUMMARY_EVERY == 0


def _judge_bundle(bundle: dict[str, Any]) -> None:
    found = faults(bundle)
    assert not found, found


def _judge_summary(data: bytes) -> None:
    """As a member's whole record: FHIR as it should be, a document that tells the same facts."""
    summary, patient = summarized([("fuzzed", data)])
    with nothing_outside():
        bundle = summary_bundle(summary, member_id="fuzzed", patient=patient)
        judge_json(fhir_json(bundle))
        written = write(summary, patient)
        derived = parse_document(written)
    _judge_bundle(bundle)
    assert derived.issues == (), derived.issues
    again, _ = summarized([("derived", written)])
    differing = certain_facts(summary) ^ certain_facts(again)
    assert not differing, differing
