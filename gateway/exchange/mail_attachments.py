"""PDFs and pictures of a message, kept as documents beside its clinical ones.

No program reads in them whose they are. What came beside a clinical document belongs to whom that
was filed with, unless its metadata names another person; what came alone waits for a person, with
the member as candidate whom the message names, unless metadata of the document itself matched a
member as a clinical document's header must (`member`). None of them is evidence, and none is
offered to partners.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from gateway.exchange.demographics import demographics, person_of
from gateway.exchange.ingest import Ingested
from gateway.exchange.mail_carried import Kept
from gateway.exchange.matching import (
    Ambiguous,
    Found,
    Judged,
    MatchResult,
    NotFound,
    choose,
    contradicts,
    judge,
    read_person,
)
from gateway.model.document import Blob, Document, Source
from gateway.model.identity import DocumentId, MemberId
from gateway.model.member import Plan
from gateway.store import documents, members
from gateway.store.database import Transaction
from gateway.store.errors import UnknownId
from ihe.xcpd import Demographics

_NAMES_ANOTHER: Final = "its metadata names another person than what it came beside"
_ONLY_SAID: Final = "only the message that brought it says whose it is"


@dataclass(frozen=True, slots=True)
class Attachment:
    """One whose bytes are safe; `named` is whom the message says that it is about."""

    blob: Blob
    media_type: str
    title: str | None = None
    type_code: str | None = None
    type_system: str | None = None
    type_display: str | None = None
    named: Demographics | None = None
    member: MemberId | None = None
    """Whom its own metadata surely names."""


def attachment(kept: Kept, blob: Blob) -> Attachment:
    """What is known of it: what a package's metadata says, else the name of its file."""
    found = kept.found
    entry = found.entry
    code = entry.type_code if entry is not None else None
    return Attachment(
        blob=blob,
        media_type=found.media_type,
        title=(entry.title if entry is not None else None) or found.filename,
        type_code=code.value if code is not None else None,
        type_system=code.scheme if code is not None else None,
        type_display=code.display if code is not None else None,
        named=kept.named,
    )


def keep_attachments(
    transaction: Transaction,
    attachments: Sequence[Attachment],
    beside: Sequence[Ingested],
    source: Source,
    *,
    plan: Plan,
    now: datetime,
) -> tuple[Ingested, ...]:
    """Files or holds each; `beside` are the clinical documents of the same message."""
    return tuple(
        _keep(transaction, one, _whose(transaction, one, beside, plan), source, plan, now)
        for one in attachments
    )


@dataclass(frozen=True, slots=True)
class _Whose:
    """`member` where it is certain, else `reason` and perhaps whose it could be."""

    member: MemberId | None = None
    reason: str = ""
    candidate: MemberId | None = None


def _whose(
    transaction: Transaction, one: Attachment, beside: Sequence[Ingested], plan: Plan
) -> _Whose:
    filed = _members_of(beside)
    waiting = [each.document for each in beside if each.document.state != "filed"]
    if len(filed) == 1 and not waiting:
        (member,) = filed
        return _another(transaction, one, member, plan) or _Whose(member)
    if waiting:
        likely = {*filed, *(each.candidate for each in waiting)}
        only = likely.pop() if len(likely) == 1 else None
        return _Whose(reason="it came beside a document that waits", candidate=only)
    if filed:
        return _Whose(reason="it came beside documents of several members")
    if one.member is not None:
        return _Whose(one.member)
    candidate = None if one.named is None else _likely(_judged(transaction, one.named, plan))
    if candidate is None:
        return _Whose(reason="nothing that came with it says surely whose it is")
    return _Whose(reason=_ONLY_SAID, candidate=candidate)


def _members_of(beside: Sequence[Ingested]) -> set[MemberId]:
    documents = (each.document for each in beside if each.document.state == "filed")
    return {each.member for each in documents if each.member is not None}


def _another(
    transaction: Transaction, one: Attachment, member: MemberId, plan: Plan
) -> _Whose | None:
    """Why it is not filed with the member beside whose document it came; None if nothing is said
    against it. Metadata that says too little of its patient says nothing against it."""
    if one.member not in (None, member):
        return _Whose(reason=_NAMES_ANOTHER, candidate=one.member)
    if one.named is None:
        return None
    judged = _judged(transaction, one.named, plan, member)
    own = dict(judged)[member]
    fits_better = any(_fits(result) > _fits(own) for _, result in judged)
    if fits_better or (own.decision != "match" and contradicts(own)):
        return _Whose(reason=_NAMES_ANOTHER, candidate=_likely(judged))
    return None


def _fits(result: MatchResult) -> tuple[bool, int]:
    """How well; who is no match does not fit at all, whatever the score."""
    return result.decision == "match", 0 if result.decision == "no_match" else result.score


def _judged(
    transaction: Transaction, named: Demographics, plan: Plan, member: MemberId | None = None
) -> tuple[Judged, ...]:
    """Who resembles the person that is named, best first; and `member`, who may not."""
    person = read_person(named)
    known = members.resembling(transaction, plan=plan.id, person=person)
    people = {one.id: person_of(one, plan) for one in known}
    if member is not None and member not in people:
        its = members.get(transaction, plan=plan.id, member=member)
        if its is None:
            raise UnknownId("member", member)
        people[member] = read_person(demographics(its, plan))
    return judge(people.items(), person)


def _likely(judged: Sequence[Judged]) -> MemberId | None:
    """Who is most likely meant, for a person to say so."""
    match choose(judged):
        case Found(member=found):
            return found
        case NotFound(possible=possible):
            return possible[0][0] if possible else None
        case Ambiguous():
            return None


def _keep(
    transaction: Transaction,
    one: Attachment,
    whose: _Whose,
    source: Source,
    plan: Plan,
    now: datetime,
) -> Ingested:
    new = _document(one, source, plan, now)
    document = documents.insert(transaction, new)
    before = None if document.id == new.id else document.state
    if before in ("filed", "withdrawn"):
        return Ingested(document, "duplicate")
    if before == "held" and _named_another(document, whose):
        whose = _Whose(reason=_NAMES_ANOTHER, candidate=document.candidate or whose.candidate)
    if whose.member is not None:
        filed = documents.file(transaction, plan=plan.id, document=document.id, member=whose.member)
        return Ingested(filed, "filed")
    held = documents.hold(
        transaction,
        plan=plan.id,
        document=document.id,
        reason=whose.reason,
        candidate=whose.candidate or document.candidate,
    )
    return Ingested(held, "duplicate" if before == "held" else "held")


def _named_another(document: Document, whose: _Whose) -> bool:
    """Whether it came before and was then said to be another's: that is for a person to settle."""
    if document.reason == _NAMES_ANOTHER:
        return True
    return (
        document.reason == _ONLY_SAID
        and whose.member is not None
        and document.candidate not in (None, whose.member)
    )


def _document(one: Attachment, source: Source, plan: Plan, now: datetime) -> Document:
    return Document(
        id=DocumentId(str(uuid4())),
        plan=plan.id,
        state="held",
        blob=one.blob,
        source=source,
        received=now,
        mime_type=one.media_type,
        title=one.title,
        type_code=one.type_code,
        type_system=one.type_system,
        type_display=one.type_display,
    )


def told_of(kept: Sequence[Ingested], beside: Sequence[Ingested]) -> tuple[Ingested, ...]:
    """Those that the message's records name. Bytes that another message brought for a member, as a
    practice's logo, make this one no message about that member."""
    filed = _members_of(beside)
    return tuple(
        one for one in kept if one.outcome != "duplicate" or one.document.member in (None, *filed)
    )


def misplaced(kept: Sequence[Ingested], beside: Sequence[Ingested]) -> Iterator[str]:
    """What a person should know: the same bytes were filed with somebody else before."""
    filed = _members_of(beside)
    for one in kept:
        if one.document.state == "filed" and filed and one.document.member not in filed:
            yield "an attachment came before, and is filed with another member"
