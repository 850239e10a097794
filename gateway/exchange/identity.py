"""What a statement says beside its code of which person or thing it speaks.

All members of a care team share one code and so do all pacemakers: there it is the person, or the
unique device identifier, that tells one from another.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ccda.hl7v3 import CD
from ccda.model import Interval, Kind
from gateway.exchange.adt import VISIT
from gateway.exchange.courses import course_marks
from gateway.exchange.statements import Statement, code_key

_LOINC: Final = "2.16.840.1.113883.6.1"
NPI: Final = "2.16.840.1.113883.4.6"

Marks = Mapping[str, frozenset[str]]
"""From who gives an identifier to the identifiers; `name` where it is a name."""

# Details without which a code does not say what it is, and which must be the same.
_PART_OF_IDENTITY: Final[dict[Kind, tuple[str, ...]]] = {
    "coverage": ("member_ids",),
    "result": ("panel",),
    "vital_sign": ("panel",),
}
# A run of digits is tried once, from its start: a name may be a megabyte of them.
_STRENGTH: Final = re.compile(
    r"(?<![\d.,])[.,]*+(\d[\d.,]*+)\s*+(mg|mcg|ug|g|ml|unt|units?|meq|mmol|%)(?![a-z])",
    re.IGNORECASE,
)
# Kinds of which many are told by one code, and each in words alone.
_IN_WORDS: Final[frozenset[Kind]] = frozenset({"concern", "goal", "note", "plan"})
_TITLES: Final = frozenset("dr md do np pa rn phd mr mrs ms".split())


def same_details(one: Statement, other: Statement) -> bool:
    """Whether the details that are part of what they are do not differ."""
    keys = _PART_OF_IDENTITY.get(one.entry.kind, ())
    return all(one.details.get(key) == other.details.get(key) for key in keys)


def marks_of(one: Statement) -> Marks:
    """What identifies the person, device or visit; nothing for all other kinds."""
    marks: dict[str, set[str]] = defaultdict(set)
    if one.entry.kind == "care_team":
        for person in _forms(one.details.get("performer")):
            for text in person.get("ids", ()):
                root, _, extension = str(text).partition("^")
                if root == NPI and extension:
                    marks[NPI].add(extension)
        marks["name"] |= {name for text in people_named(one) if (name := _plain(text))}
    elif one.entry.kind == "device":
        for device in _forms(one.details.get("device")):
            for text in device.get("ids", ()):
                root, _, extension = str(text).partition("^")
                if extension:
                    marks[root].add(extension)
    elif one.entry.kind == "encounter" and VISIT in one.details:
        # Only an ADT notice has one; other ids of encounters are given anew with each document.
        # What has no number is no other notice's visit: it might cancel what it is not about.
        marks[VISIT].add(str(one.details[VISIT] or one.document.id))
    return {source: frozenset(found) for source, found in marks.items()}


def is_one_identity(kind: Kind, one: Marks, other: Marks) -> bool:
    """Whether identifiers keep two apart: those of one giver decide, before any name."""
    shared = [source for source in one if other.get(source) and one[source] and source != "name"]
    if shared:
        return any(one[source] & other[source] for source in shared)
    if kind == "care_team":
        mine, theirs = one.get("name", frozenset()), other.get("name", frozenset())
        return bool(mine & theirs) or not (mine or theirs)
    return True


def shares_mark(one: Marks, other: Marks) -> bool:
    """Whether an identifier, no name, shows that they are one."""
    return any(one[source] & other.get(source, frozenset()) for source in one if source != "name")


def people_named(one: Statement) -> list[str]:
    """Who is in the care team, by name; organizations where no person is named."""
    people = list(_forms(one.details.get("performer")))
    for key in ("name", "organization"):
        if names := [str(person[key]) for person in people if person.get(key)]:
            return names
    return []


def concerned_about(one: Statement) -> list[str]:
    """The conditions that a concern is about, by name."""
    forms = _forms(one.details.get("concerns"))
    return [str(form["display"]) for form in forms if form.get("display")]


def strengths(one: Statement) -> frozenset[str]:
    """The strengths that a drug's own name tells: 20 MG."""
    code = one.entry.code
    names = (code.display, code.original_text) if code else ()
    texts = [text for text in (*names, one.entry.text) if text]
    found = (match for text in texts for match in _STRENGTH.finditer(text))
    return frozenset(f"{match[1]} {match[2].casefold()}" for match in found)


def findings_of(one: Statement) -> frozenset[tuple[str, str]]:
    """What was found, is feared, planned or to be reached, where the code alone does not say it."""
    found = _value_of(one)
    if one.entry.kind == "concern" and (told := _concerns(one)):
        # All of it is one finding: who fears one of two things says something else.
        return frozenset({("concerns", " ".join(sorted(told | {" ".join(f) for f in found})))})
    if not found and one.entry.kind in _IN_WORDS and (words := _words(one)):
        return frozenset({("words", words)})
    return found


def _value_of(one: Statement) -> frozenset[tuple[str, str]]:
    match one.entry.value:
        case CD() as value:
            named = value.code or value.display or value.original_text
            return frozenset({(value.system or "", named)} if named else ())
        case Interval(low=low, high=high):
            return frozenset({("interval", f"{low} {high} {one.entry.unit}")})
        case str() as value:
            return frozenset({("text", f"{value.casefold()} {one.entry.unit or ''}")})
        case _:
            return frozenset()


def _concerns(one: Statement) -> set[str]:
    """The conditions that a concern is about: its own code is the same for all."""
    forms = _forms(one.details.get("concerns"))
    keys = (
        " ".join(code_key(str(form.get("system") or ""), str(form["code"])))
        if form.get("code")
        else str(form.get("display") or "").casefold()
        for form in forms
    )
    return {key for key in keys if key}


def _words(one: Statement) -> str:
    """What it says in words, unless that only names its code."""
    content = one.details.get("content")
    text = content if isinstance(content, str) else one.entry.text
    code = one.entry.code
    # What a note's code points to as its words is mostly the note itself.
    original = code.original_text if code and one.entry.kind != "note" else None
    names = (code.display if code else None, original)
    said = _folded(text)
    return "" if said in {_folded(name) for name in names} else said


def _folded(text: str | None) -> str:
    return " ".join((text or "").casefold().split()).rstrip(".")


def told_of(one: Statement) -> dict[str, set[str]]:
    """What one document tells of one thing in one way only, by the document and what it is.

    How a drug is taken, from which lot a vaccine was, whether what was begun was done; of a
    concern that says nothing of what is feared, which one it is.
    """
    told: list[tuple[str, str]] = []
    if one.entry.kind == "medication":
        told += course_marks(one.details)
    elif one.entry.kind == "immunization" and (lot := one.details.get("lot_number")):
        told.append(("lot", str(lot).casefold()))
    if (done := was_done(one)) is not None:
        told.append(("done", str(done)))
    if (_LOINC, _ANY_CONCERN) in one.codes and one.entry.ids and not findings_of(one):
        told.append(("id", " ".join(sorted(str(id_) for id_ in one.entry.ids))))
    return {f"{one.document.id} {what}": {f"{what} {value}"} for what, value in told}


_ANY_CONCERN: Final = "75310-3"
_DONE_KINDS: Final[frozenset[Kind]] = frozenset({"immunization", "procedure", "encounter"})
_NOT_DONE: Final = frozenset({"stopped", "cancelled", "nullified"})


def was_done(one: Statement) -> bool | None:
    """Whether an event came to its end or came to nothing; None where that is not told."""
    if one.entry.kind not in _DONE_KINDS or one.status not in _NOT_DONE | {"completed"}:
        return None
    return one.status == "completed"


def _plain(name: str) -> str:
    words = re.findall(r"[^\W\d_]+", name.casefold().replace(".", ""))
    return " ".join(word for word in words if word not in _TITLES)


def _forms(value: Any) -> Iterator[Mapping[str, Any]]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, Mapping):
            yield each
