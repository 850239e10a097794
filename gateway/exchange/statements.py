"""Indexed entries made ready for merging: what each says, when, and on whose word."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Final

from ccda.condition_status import condition_status
from ccda.hl7v3 import CD, II, TS
from ccda.model import Entry
from ccda.summary import LineSource
from ccda.values import quickly_made
from gateway.exchange.meaning import as_meant, only_groups
from gateway.exchange.moments import date_digits, sort_key
from gateway.model.document import Document, IndexedEntry

CodeKey = tuple[str, str]
"""System and code, aliases of the system folded into one."""

# A code system that is written in more than one way.
_SYSTEMS: Final = {
    "2.16.840.1.113883.6.59": "2.16.840.1.113883.12.292",
    "cvx": "2.16.840.1.113883.12.292",
    "cpt": "2.16.840.1.113883.6.12",
    "cpt4": "2.16.840.1.113883.6.12",
    "cpt-4": "2.16.840.1.113883.6.12",
    "2.16.840.1.113883.6.4": "2.16.840.1.113883.6.90",
}
_NDC: Final = "2.16.840.1.113883.6.69"
_NDC_PARTS: Final = (5, 4, 2)
_LONGEST_REMEMBERED: Final = 100
"""Characters; hardly a code is longer, and what is none may be a megabyte."""

_ENDED_WORDS: Final = {
    "aborted": "stopped", "suspended": "on hold", "held": "on hold", "obsolete": "inactive",
}  # fmt: skip
ENDED: Final = frozenset(
    "stopped completed resolved inactive cancelled nullified remission".split()
) | {"on hold", "history of", "ruled out"}
_UNKNOWN_END: Final = TS(None, "UNK")
_ENDS_AS: Final = {"problem": "resolved", "medication": "completed", "concern": "completed"}


@quickly_made
@dataclass(frozen=True, slots=True)
class Statement:
    """One entry with its document. `voice` is who speaks: one organization, however often."""

    document: Document
    ordinal: int
    entry: Entry
    codes: frozenset[CodeKey]
    primary: CodeKey | None
    """The code itself, translations aside."""
    ids: frozenset[str]
    status: str | None
    recorded: str
    """When it was recorded, as a sort key."""
    recorded_iso: str | None
    voice: str
    superseded: bool
    details: Mapping[str, Any]
    order: tuple[str, int]
    """Its place among all statements, by what its document is and never by when it came."""
    rank: tuple[str, str, tuple[str, int]]
    """What orders statements by how much they count: the later the more."""
    when: TS | None
    """The clinical time: of the event, or the onset."""
    group: str | None = None
    """Where what it was folded out of stands in the document: a relative, a panel."""
    section: str | None = None
    """The LOINC code of the section that it stands in."""

    @property
    def name(self) -> str:
        """What it is about, in plain words; made when asked for: few are joined by it."""
        return _name(_identity(self.entry), self.entry.text)

    def source(self, joined_by: str | None = None) -> LineSource:
        return LineSource(
            document=self.document.id,
            partner=self.speaker,
            entry=self.ordinal,
            path=self.entry.path,
            time=self.recorded_iso,
            superseded=self.superseded,
            joined_by=joined_by,
        )

    @property
    def speaker(self) -> str | None:
        """Who speaks, by name."""
        return self.document.source.partner_name or self.document.custodian


def read_statements(
    indexed: Iterable[tuple[Document, IndexedEntry]],
    documents: Iterable[Document],
    *,
    as_of: date,
) -> list[Statement]:
    """All statements in one order, whatever order they were given in.

    Entries that only group others (a panel of tests, a relative with conditions) are folded into
    their members: what they add stands in the members' details.
    """
    pairs = list(indexed)
    unique = {document.id: document for document, _ in pairs}
    old = superseded_documents([*documents, *unique.values()])
    written = {id: _Written.of(document, id in old) for id, document in unique.items()}
    inside: dict[str, list[IndexedEntry]] = defaultdict(list)
    for _, item in pairs:
        inside[item.document].append(item)
    today = as_of.strftime("%Y%m%d")
    return [
        _statement(by, item, parent, today)
        for by in sorted(written.values(), key=lambda one: one.order)
        for item, parent in _unfolded(sorted(inside[by.document.id], key=lambda one: one.ordinal))
    ]


@dataclass(frozen=True, slots=True)
class _Written:
    """What all statements of a document share, found out once."""

    document: Document
    order: str
    time: TS | None
    sort_key: str
    voice: str
    superseded: bool

    @staticmethod
    def of(document: Document, superseded: bool) -> "_Written":
        time = TS(document.effective_time) if document.effective_time else None
        return _Written(
            document=document,
            order=document_order(document),
            time=time,
            sort_key=sort_key(time),
            voice=_voice(document),
            superseded=superseded,
        )


def document_order(document: Document) -> str:
    """A document's place among others: by its own id and content, which no arrival changes."""
    source = document.source.partner or document.source.door
    return " ".join((document.clinical_id or "", document.blob.sha256, source, document.id))


def superseded_documents(documents: Iterable[Document]) -> frozenset[str]:
    """Documents of which a newer version is held (DECISIONS 14)."""
    newest: dict[tuple[str, str], int] = {}
    unique = {document.id: document for document in documents}
    for document in unique.values():
        if document.set_id and document.version is not None:
            key = (_voice(document), document.set_id)
            newest[key] = max(newest.get(key, document.version), document.version)
    return frozenset(
        document.id
        for document in unique.values()
        if document.superseded_by is not None
        or (
            document.set_id
            and document.version is not None
            and document.version < newest[_voice(document), document.set_id]
        )
    )


def _unfolded(items: Sequence[IndexedEntry]) -> Iterator[tuple[IndexedEntry, Entry | None]]:
    """A document's entries, each with the one that it stands inside: its path begins with that's.

    Without those that only group others, and have some.
    """
    parents: dict[str, IndexedEntry] = {}
    if any(item.entry.parent is not None for item in items):
        paths = {item.entry.path: item for item in items}
        for item in items:
            if item.entry.parent is not None:
                parent = _nearest(item.entry.path, paths)
                if parent is not None:
                    parents[item.entry.path] = parent
    with_members = {parent.ordinal for parent in parents.values()}
    for item in items:
        if not (item.ordinal in with_members and only_groups(item.entry)):
            found = parents.get(item.entry.path)
            yield item, found.entry if found else None


def _nearest(path: str, paths: Mapping[str, IndexedEntry]) -> IndexedEntry | None:
    while "/" in path:
        path = path.rpartition("/")[0]
        if path in paths:
            return paths[path]
    return None


def _statement(by: _Written, item: IndexedEntry, parent: Entry | None, today: str) -> Statement:
    entry = as_meant(item.entry, parent)
    time = _recorded(by.time, entry, parent)
    recorded, order = sort_key(time), (by.order, item.ordinal)
    identity = _identity(entry)
    codes = tuple(code_keys(identity))
    return Statement(
        document=by.document,
        ordinal=item.ordinal,
        entry=entry,
        codes=frozenset(codes),
        primary=codes[0] if codes and identity and identity.code else None,
        ids=frozenset(_ids(by.document, item)),
        status=_status(entry, parent, today),
        recorded=recorded,
        recorded_iso=time.iso if time else None,
        voice=by.voice,
        superseded=by.superseded,
        details=_details(entry, parent),
        order=order,
        rank=(recorded, by.sort_key, order),
        when=entry.time if entry.time and sort_key(entry.time) else entry.start or entry.time,
        group=parent.path if parent is not None and only_groups(parent) else None,
        section=item.section,
    )


def code_keys(code: CD | None) -> Iterable[CodeKey]:
    """The code and its translations; what has no code gives none."""
    if code is None:
        return
    for one in (code, *code.translations):
        if one.code and not one.null_flavor:
            yield code_key(one.system, one.code)


def code_key(system: str | None, code: str) -> CodeKey:
    """One code by which all its spellings are known."""
    if len(system or "") + len(code) > _LONGEST_REMEMBERED:
        return _code_key.__wrapped__(system, code)
    return _code_key(system, code)


@lru_cache(maxsize=1 << 12)  # records of one house repeat their codes
def _code_key(system: str | None, code: str) -> CodeKey:
    system = (system or "").strip().casefold().removeprefix("urn:oid:")
    text = code.strip().upper()
    return _SYSTEMS.get(system, system), _billed(text) if system == _NDC else text


def _billed(ndc: str) -> str:
    """A National Drug Code in its eleven digits: what hyphens part is filled up with zeros."""
    parts = ndc.split("-")
    if len(parts) != len(_NDC_PARTS):
        return ndc
    return "".join(part.zfill(width) for part, width in zip(parts, _NDC_PARTS, strict=True))


def _recorded(written: TS | None, entry: Entry, parent: Entry | None) -> TS | None:
    """When the statement was made: its author's time, else its document's.

    A diagnosis under an encounter is as old as that encounter, however new the document. An end
    that was written down was known later than the author of the beginning wrote.
    """
    times = [author.time for author in entry.authors if author.time and author.time.value]
    if not times and parent is not None and parent.kind == "encounter":
        times = [time for time in (parent.end, parent.start) if time and time.value]
    if not times:
        return written
    if entry.end and sort_key(entry.end) and (not written or _ended_by(entry.end, written)):
        times.append(entry.end)
    return max(times, key=sort_key)


def _ended_by(end: TS, written: TS) -> bool:
    return sort_key(end) <= sort_key(written)


def _status(entry: Entry, parent: Entry | None, today: str) -> str | None:
    """The stated status in one vocabulary; what has ended is not active (con-4 of FHIR).

    What a panel that was entered in error holds was so itself.
    """
    if parent is not None and only_groups(parent) and parent.status == "nullified":
        return parent.status
    stated = (condition_status(entry) or "").strip().casefold()
    status = _ENDED_WORDS.get(stated, stated) or None
    # C-CDA R2.1: 3.78, an end that nobody knows says that it is over, unless more is said.
    if status is None and entry.kind == "problem" and entry.end == _UNKNOWN_END:
        return "resolved"
    end = date_digits(entry.end)
    ends_as = _ENDS_AS.get(entry.kind)
    if ends_as is None or not end:
        return status
    is_past = end < today[: len(end)]
    if status == "active" and is_past:
        return ends_as
    # A course that was entered as completed but runs on is one being taken.
    if entry.kind == "medication" and status == "completed" and end > today[: len(end)]:
        return "active"
    return status


def _details(entry: Entry, parent: Entry | None) -> Mapping[str, Any]:
    if entry.kind == "family_history":
        return {**entry.details, **_relative(entry, parent)}
    if parent is None:
        return entry.details
    # Whom a panel is about, its members are about; so is what a visit found.
    told = {"subject": parent.details.get("subject")}
    if entry.kind == "result":
        told["specimen"] = parent.details.get("specimen")
    added = {key: value for key, value in told.items() if value and key not in entry.details}
    return {**entry.details, **added} if added else entry.details


def _relative(entry: Entry, parent: Entry | None) -> Mapping[str, Any]:
    """Who has or had the condition: the relative that it stands under, or that it names itself."""
    above = parent is not None and parent.details.get("relative") is True
    subject = (parent if above and parent is not None else entry).details.get("subject")
    person = subject if isinstance(subject, Mapping) else {}
    relation = person.get("relationship")
    if above and parent is not None and (code := parent.code) is not None:
        relation = {"code": code.code, "system": code.system, "display": code.display}
    if not relation:
        return {}
    own = {"relative_ids": person.get("ids"), "relative_birth_time": person.get("birth_time")}
    told = {key: value for key, value in own.items() if value and key not in entry.details}
    # Of whom nothing is told but who it is, that is no condition of his own.
    return told if entry.details.get("relative") is True else {"relative": relation, **told}


_ASSERTION: Final = "ASSERTION"
# What C-CDA R1.1 asserts of smoking, later releases answer (C-CDA R2.1: 3.99).
_SMOKING: Final = CD("72166-2", "2.16.840.1.113883.6.1", "Tobacco smoking status")
_WORDS: Final = re.compile(r"[^\W_]+")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _ids(document: Document, item: IndexedEntry) -> Iterable[str]:
    """Its own ids, and its place in the bytes: those that came twice say everything twice."""
    yield from (str(id_) for id_ in item.entry.ids if _is_identifying(id_))
    if document.blob.sha256:
        yield f"{document.blob.sha256} {item.ordinal}"


def _is_identifying(id_: II) -> bool:
    """A bare OID names an issuer, not a statement."""
    if not id_.root or id_.null_flavor:
        return False
    return bool(id_.extension) or _UUID.fullmatch(id_.root) is not None


def _identity(entry: Entry) -> CD | None:
    """What the statement is about. Of a smoking status that is the question, not the answer.

    An assertion asks nothing: what is asserted is what it is about.
    """
    question = entry.details.get("question")
    if entry.kind == "social_history" and isinstance(question, Mapping):
        if question.get("code") == _ASSERTION:
            return _SMOKING
        return CD(question.get("code"), question.get("system"), question.get("display"))
    if is_assertion(entry) and isinstance(entry.value, CD):
        return entry.value
    return entry.code


def is_assertion(entry: Entry) -> bool:
    return entry.code is not None and entry.code.code == _ASSERTION


def _name(code: CD | None, text: str | None) -> str:
    name = (code.display or code.original_text if code else None) or text or ""
    return " ".join(_WORDS.findall(name.casefold()))


def _voice(document: Document) -> str:
    source = document.source
    known = source.partner or source.home_community_id or document.custodian
    return known or document.blob.sha256 or document.id
