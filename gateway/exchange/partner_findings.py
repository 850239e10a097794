"""What a walk of a partner's endpoints finds, each thing with its place in the standard."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from hashlib import sha1
from typing import Any, Final

from ccda.safe_xml import Element
from gateway.clients.answer_reading import Crossing
from gateway.clients.soap_client import Looked
from gateway.exchange.matching import compare
from ihe.answer_rules import FAULT, Asked, answer_deviations, fragment
from ihe.discovery import Demographics, Match
from ihe.document_content import ContentId
from ihe.identifiers import PatientId, UniqueId
from ihe.metadata import DocumentEntry
from ihe.xca_retrieve import RetrieveDocumentSetResponse

_SKEW: Final = timedelta(seconds=60)
_SOON: Final = timedelta(days=30)
_TLS: Final = "ITI TF-2: 3.19 (node authentication)"
_TIME: Final = "ITI TF-2: 3.1 (consistent time)"
_ENTRIES: Final = "ITI TF-3: 4.2.3.2 (DocumentEntry)"
_QUERY: Final = "ITI TF-2: 3.18.4.1.2.3.7.1 (FindDocuments)"
_DISCOVERY: Final = "ITI TF-2: 3.55.4.2.3"
_FAULT_STATUS: Final = "SOAP 1.2 Part 2: 7.5.2.2; SOAP 1.1: 6.2"
_RETRIEVE: Final = "ITI TF-2: 3.43.4.2 (documents)"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `level` says whether the book is broken, whether it is only
    harder than it need be, or whether all is well."""

    level: str
    place: str
    text: str
    section: str | None = None
    fragment: str | None = None
    message_id: str | None = None


@dataclass(slots=True)
class Report:
    """What the walk found, in its order."""

    partner: str
    home_community_id: str
    checked: datetime
    by: str
    findings: list[Finding] = field(default_factory=list)

    @property
    def deviations(self) -> list[Finding]:
        return [one for one in self.findings if one.level == "deviation"]

    @property
    def answers(self) -> bool:
        """Whether it gave one answer at least that is one."""
        return any(one.level == "answered" for one in self.findings)


# ---- what is measured ------------------------------------------------------------------------


@dataclass(slots=True)
class Measure:
    """Size and SHA-1 of a document that passes, and is not kept."""

    size_bytes: int = 0
    _digest: Any = field(default_factory=partial(sha1, usedforsecurity=False))

    def write(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._digest.update(piece)
            self.size_bytes += len(piece)

    def finish(self) -> None:
        """Nothing is kept."""

    @property
    def hash(self) -> str:
        return str(self._digest.hexdigest())


def measure(content: bytes) -> Measure:
    measure = Measure()
    measure.write(content)
    return measure


@dataclass(slots=True)
class Sizes:
    """The attachments of one answer."""

    by_cid: dict[str | None, Measure] = field(default_factory=dict)

    def open(self, cid: str | None, _content_type: str | None) -> Measure:
        measure = Measure()
        self.by_cid[cid] = measure
        return measure

    def of(self, content: ContentId) -> Measure | None:
        return self.by_cid.get(content.value)


# ---- findings --------------------------------------------------------------------------------


def of_answer(crossing: Crossing, asked: Asked) -> Iterator[Finding]:
    now, broken = datetime.now(UTC), []
    if crossing.answer is not None and crossing.answer.strip():
        broken = list(answer_deviations(crossing.answer, asked, now=now, skew=_SKEW))
    for one in broken:
        yield Finding("deviation", "", one.text, one.section, one.fragment)
    if crossing.status == 200 and FAULT in (one.text for one in broken):
        text = "a SOAP fault comes with HTTP status 200"
        yield Finding("deviation", "", text, _FAULT_STATUS, http_line(crossing))
    yield from _clock("", crossing.date, now)


def _clock(place: str, date: str | None, now: datetime) -> Iterator[Finding]:
    """RFC 9110: 6.6.1: an origin server with a clock says the time."""
    try:
        stated = parsedate_to_datetime(date or "")
    except (TypeError, ValueError):
        return
    off = (stated.replace(tzinfo=stated.tzinfo or UTC) - now).total_seconds()
    if abs(off) > _SKEW.total_seconds():
        way = "ahead of" if off > 0 else "behind"
        text = f"its clock is {abs(off):.0f} s {way} ours (Date header)"
        yield Finding("deviation", place, text, _TIME, f"Date: {date}")


def of_door(door: str, looked: Looked, now: datetime) -> Iterator[Finding]:
    yield Finding("passed", door, f"TLS: {looked.tls_version}, its certificate is trusted")
    ends = looked.certificate.not_valid_after_utc
    if ends - now < _SOON:
        text = f"its TLS certificate ends on {ends:%Y-%m-%d}"
        yield Finding("limitation", door, text, _TLS)
    if looked.status == 200 and b"definitions" in looked.content:
        yield Finding("passed", door, "?wsdl gives a WSDL")
    else:
        text = f"?wsdl gives no WSDL (HTTP {looked.status})"
        yield Finding("limitation", door, text, "WSDL 1.1; ITI TF-2: Appendix V.2")
    yield from _clock(door, looked.date, now)


def http_line(crossing: Crossing) -> str | None:
    """How the answer came, where nothing of it can be shown; None if there was none."""
    if crossing.status is None:
        return None
    kind = (crossing.content_type or "").partition(";")[0].strip()
    shown = kind[:80] if kind.isprintable() else "…"
    return f"HTTP {crossing.status}, Content-Type: {shown}"


def of_match(known: Demographics, match: Match, message: Element) -> Iterator[Finding]:
    """Whom it names for that person; `message` is the body that it was read from."""
    if compare(known, match.demographics).decision == "no_match":
        text = "what it tells of its match is another person than was asked for"
        shown = fragment(message.find(".//{*}registrationEvent/{*}subject1/{*}patient"))
        yield Finding("deviation", "ITI-55", text, _DISCOVERY, shown)


def of_list(
    entries: Sequence[DocumentEntry], patient: PatientId, message: Element
) -> Iterator[Finding]:
    """What a list breaks; `message` is the body that it was read from."""

    def where(wrong: Sequence[DocumentEntry]) -> str | None:
        ids = {one.entry_uuid for one in wrong}
        found = (one for one in message.iter("{*}ExtrinsicObject") if one.get("id") in ids)
        return fragment(next(found, message))

    others = [one for one in entries if one.patient_id not in (None, patient)]
    if others:
        text = f"{len(others)} entries name another patient id than was asked for"
        yield Finding("deviation", "ITI-38", text, _QUERY, where(others))
    stable = [one for one in entries if one.object_type == "stable"]
    for what, missing in (
        ("repositoryUniqueId", [one for one in entries if one.repository_unique_id is None]),
        ("patientId", [one for one in entries if one.patient_id is None]),
        ("hash", [one for one in stable if one.hash is None]),
        ("size", [one for one in stable if one.size_bytes is None]),
    ):
        if missing:
            text = f"{len(missing)} entries have no {what}"
            yield Finding("deviation", "ITI-38", text, _ENTRIES, where(missing))


def of_documents(
    came: RetrieveDocumentSetResponse,
    asked: Mapping[UniqueId, DocumentEntry],
    sizes: Sizes,
    message: Element,
) -> Iterator[Finding]:
    """What a retrieve of these entries breaks; `message` is the body that it was read from."""
    elements = {
        (one.findtext("{*}DocumentUniqueId") or "").strip(): one
        for one in message.iter("{*}DocumentResponse")
    }
    given = [one.unique_id for one in came.documents]
    if foreign := [one for one in given if one not in asked]:
        text = f"{len(foreign)} documents came under ids that nobody asked for"
        shown = fragment(elements.get(str(foreign[0]), message))
        yield Finding("deviation", "ITI-39", text, _RETRIEVE, shown)
    if missing := len(asked.keys() - set(given)):
        how = (
            "that it lists are not given"
            if came.outcome.errors
            else "are left out without an error"
        )
        text = f"{missing} of {len(asked)} documents {how}"
        shown = fragment(message.find("{*}RegistryResponse"))
        yield Finding("deviation", "ITI-39", text, _RETRIEVE, shown)
    for document in came.documents:
        content, entry = document.content, asked.get(document.unique_id)
        got = sizes.of(content) if isinstance(content, ContentId) else measure(content)
        if entry is not None and got is not None:
            shown = fragment(elements.get(str(document.unique_id), message))
            yield from _of_document(entry, got, shown)


def _of_document(entry: DocumentEntry, got: Measure, shown: str | None) -> Iterator[Finding]:
    if entry.object_type != "stable":
        return
    if entry.size_bytes not in (None, got.size_bytes):
        text = f"a document has {got.size_bytes} bytes, and {entry.size_bytes} in the list"
        yield Finding("deviation", "ITI-39", text, _ENTRIES, shown)
    if entry.hash is not None and entry.hash.lower() != got.hash:
        text = "a document's SHA-1 is not the hash of the list"
        yield Finding("deviation", "ITI-39", text, _ENTRIES, shown)
