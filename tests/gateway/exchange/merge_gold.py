"""The hand-written members of tests/samples/merge: what they send, and the lines expected of it.

A member is a folder of documents and an `expected.json`: `situation` says in words what is so and
why; `lines` are all lines of the summary, of which an absent key means that there is none. A
source is a file's name, with ` (superseded)` where a newer version is held. Of `conflict` each
word stands in the sentence, or with `!` does not. `held` are documents that are not filed,
`no_source` those filed that count for nothing, `partners` who delivered a document that its
custodian did not.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ccda.hl7v3 import CD
from ccda.summary import LineSource, Summary, SummaryLine

FOLDER: Final = Path(__file__).resolve().parents[2] / "samples" / "merge"
SYSTEMS: Final = {
    "2.16.840.1.113883.6.96": "snomed",
    "2.16.840.1.113883.6.90": "icd10",
    "2.16.840.1.113883.6.88": "rxnorm",
    "2.16.840.1.113883.4.9": "unii",
    "2.16.840.1.113883.6.69": "ndc",
    "2.16.840.1.113883.12.292": "cvx",
    "2.16.840.1.113883.6.1": "loinc",
    "2.16.840.1.113883.6.12": "cpt",
    "2.16.840.1.113883.5.4": "act",
    "2.16.840.1.113883.3.221.5": "sop",
    "2.999.77.1": "local",
    None: "none",
}
_WITH_MOOD: Final = ("procedure", "plan", "goal")

Form = dict[str, Any]
Names = Mapping[str, str]
"""From the id a document was given to the name of its file."""


def gold_members() -> list[str]:
    return sorted(folder.name for folder in FOLDER.iterdir() if folder.is_dir())


def gold_documents(member: str) -> dict[str, bytes]:
    """What the member's documents hold, by the names of their files."""
    return {file.stem: file.read_bytes() for file in sorted((FOLDER / member).glob("*.xml"))}


def gold_expectation(member: str) -> Form:
    found: Form = json.loads((FOLDER / member / "expected.json").read_text())
    return found


def mismatches(summary: Summary, expected: Form, names: Names) -> list[str]:
    """What is missing and what is too much, a sentence each."""
    told = [(_form(line, names), line.conflict) for s in summary.sections for line in s.lines]
    found = []
    for wanted in expected["lines"]:
        words = wanted.get("conflict")
        form = {key: value for key, value in wanted.items() if key != "conflict"}
        same = [one for one in told if one[0] == form]
        right = [one for one in same if _is_said(words, one[1])]
        if right:
            told.remove(right[0])
        elif same:
            told.remove(same[0])
            found.append(f"conflict of {_text(form)}: {same[0][1]!r} for {words}")
        else:
            found.append(f"missing: {_text(form)}")
    found += [f"too much: {_text(form)} conflict={conflict!r}" for form, conflict in told]
    denials = {
        section.key: [[word.text, *_sources(word.sources, names)] for word in section.nothing_known]
        for section in summary.sections
        if section.nothing_known
    }
    if denials != expected["nothing_known"]:
        found.append(f"nothing known: {denials} for {expected['nothing_known']}")
    return found


def _is_said(words: Iterable[str] | None, conflict: str | None) -> bool:
    if words is None or conflict is None:
        return words is None and conflict is None
    return all((word.lstrip("!") in conflict) != word.startswith("!") for word in words)


def _text(form: Form) -> str:
    return json.dumps(form, ensure_ascii=False, sort_keys=True)


def _form(line: SummaryLine, names: Names) -> Form:
    form: Form = {
        "kind": line.kind,
        "code": _code(line.code),
        "also": sorted(filter(None, map(_code, line.code.translations if line.code else ()))),
        "display": line.display,
        "status": line.status,
        "start": line.start,
        "end": line.end,
        "value": line.value,
        "unit": line.unit,
        "negated": line.negated,
        "withdrawn": line.withdrawn,
        "mood": line.mood if line.kind in _WITH_MOOD else None,
        "dose": _dose(line.details.get("dose")),
        "lot": line.details.get("lot_number"),
        "relative": line.details.get("relative", {}).get("display"),
        "trend": [
            [point.time, point.value, point.unit, *_sources(point.sources, names)]
            for point in line.trend
        ],
        "sources": _sources(line.sources, names),
    }
    return {key: value for key, value in form.items() if value not in (None, False, [])}


def _code(code: CD | None) -> str | None:
    if code is None or code.code is None:
        return None
    return f"{SYSTEMS[code.system]}:{code.code}"


def _dose(dose: Form | None) -> str | None:
    return None if dose is None else f"{dose['value']} {dose['unit']}"


def _sources(sources: Iterable[LineSource], names: Names) -> list[str]:
    return sorted(
        names[one.document] + (" (superseded)" if one.superseded else "") for one in sources
    )


def no_sources(summary: Summary, names: Names) -> Iterator[str]:
    """The documents that no line, no point and no denial rests on."""
    used = {s.document for part in summary.sections for line in part.lines for s in line.sources}
    used |= {s.document for p in summary.sections for n in p.nothing_known for s in n.sources}
    yield from sorted(name for document, name in names.items() if document not in used)
