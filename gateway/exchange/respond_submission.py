"""Partners submit documents: ITI-41 and ITI-80 taken where a rule says so, and answered.

A submission is taken whole or not at all. Each document goes the way of every other (`ingest`): it
is filed with a member whom both it and its metadata name, else it is held. Of a PDF or a picture
its metadata alone can say whose it is (`submitted_scans`). All of that is ours to settle: the
partner hears the same success whether or not we know the person (DECISIONS 11).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from gateway.exchange.asker import Asker, Effect, takers
from gateway.exchange.demographics import person_of
from gateway.exchange.ingest import Ingested, Received, ingest
from gateway.exchange.matching import Found, best_match, read_person
from gateway.exchange.on_demand import MadeMeanwhile
from gateway.exchange.policy import Refused
from gateway.exchange.submitted_scans import is_scan, keep_scan
from gateway.model.community import Community
from gateway.model.document import Blob, Document, Replaced, Source
from gateway.model.identity import MemberId
from gateway.model.member import Plan
from gateway.model.partner import Partner
from gateway.store import documents, links, members, submitted_entries
from gateway.store.database import Transaction
from ihe.discovery import Demographics
from ihe.identifiers import HomeCommunityId, PatientId
from ihe.metadata import Association, AssociationType, DocumentEntry
from ihe.registry_response import ErrorCode, RegistryError, RegistryRefusal, Severity
from ihe.source_patient import read_source_patient
from ihe.xdr import ProvideAndRegisterRequest
from ihe.xdr_headers import AddressBlock

_REPLACES: Final = frozenset({AssociationType.RPLC, AssociationType.XFRM_RPLC})
# ITI TF-3: 4.2.4.1, table 4.2.4.1-2: what a Document Recipient does not process, it says.
_NOT_PROCESSED: Final = {
    AssociationType.APND: ErrorCode.PARTIAL_APPEND_CONTENT,
    AssociationType.XFRM: ErrorCode.PARTIAL_TRANSFORM,
    AssociationType.SIGNS: ErrorCode.PARTIAL_RELATIONSHIP_CONTENT,
}


@dataclass(frozen=True, slots=True)
class Addressed:
    """A submission that may be taken: for which plan, from whom, and whom its metadata names."""

    request: ProvideAndRegisterRequest
    plan: Plan
    partner: Partner
    member: MemberId | None = None
    person: Demographics | None = None
    edge: AddressBlock | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A submission whose documents are safe and read, in the order of its entries."""

    addressed: Addressed
    received: tuple[Received, ...]
    warnings: tuple[RegistryError, ...] = ()


# ---- before its documents are let in ---------------------------------------------------------


def require_target(
    request: ProvideAndRegisterRequest, stated: HomeCommunityId | None, community: Community
) -> None:
    """ITI TF-2: 3.80.4.1.3: ITI-80 names the community that it is for, and that must be ours.

    Raises:
        RegistryRefusal: it does not, or names another.
    """
    home = request.home_community_id or stated
    if home is None:
        context = "The submission names no home community."
        raise RegistryRefusal(ErrorCode.MISSING_HOME_COMMUNITY_ID, context)
    if home != community.home_community_id:
        context = "The home community id is not that of this gateway."
        raise RegistryRefusal(ErrorCode.UNKNOWN_COMMUNITY, context)


def who_takes(
    transaction: Transaction, plans: Iterable[Plan], asker: Asker
) -> tuple[tuple[Plan, Partner], ...] | Refused:
    """The plans that take what this partner submits, and as whom it speaks to each."""
    found = tuple(takers(transaction, plans, asker))
    reason = "No rule lets this community submit documents for this purpose."
    return found or Refused("not_taken", reason, True)


def address(
    transaction: Transaction,
    request: ProvideAndRegisterRequest,
    taking: Sequence[tuple[Plan, Partner]],
    community: Community,
    edge: AddressBlock | None,
) -> Addressed:
    """For which plan it is: whose member its metadata names, else the first that takes it."""
    person = _person(request)
    for name in (_by_id, _by_person):
        for plan, partner in taking:
            member = name(transaction, request, plan, partner, community, person)
            if member is not None:
                return Addressed(request, plan, partner, member, person, edge)
    plan, partner = taking[0]
    return Addressed(request, plan, partner, None, person, edge)


def _person(request: ProvideAndRegisterRequest) -> Demographics | None:
    stated = (read_source_patient(each.source_patient_info) for each in request.entries)
    return next((each for each in stated if each is not None), None)


def _by_id(
    transaction: Transaction,
    request: ProvideAndRegisterRequest,
    plan: Plan,
    partner: Partner,
    community: Community,
    person: Demographics | None,
) -> MemberId | None:
    """Whom an identifier names: one of ours, the plan's own number, or one of the partner's that
    discovery has linked to a member."""
    for each in _patient_ids(request, person):
        if each.authority == community.patient_authority:
            member = members.get(transaction, plan=plan.id, member=MemberId(each.id))
        elif str(each.authority) == plan.member_id_root:
            member = members.get_by_member_id(transaction, plan=plan.id, member_id=each.id)
        else:
            home = partner.home_community_id
            linked = links.by_patient(
                transaction, plan=plan.id, home_community_id=home, patient_id=each
            )
            known = {link.member for link in linked if link.state == "confirmed"}
            if len(known) == 1:
                return known.pop()
            continue
        if member is not None:
            return member.id
    return None


def _patient_ids(
    request: ProvideAndRegisterRequest, person: Demographics | None
) -> Iterator[PatientId]:
    for each in (request.submission_set.patient_id, *(one.patient_id for one in request.entries)):
        if each is not None:
            yield each
    stated = [one.source_patient_id for one in request.entries if one.source_patient_id]
    stated += [f"{one.extension}^^^&{one.root}&ISO" for one in (person.ids if person else ())]
    for text in dict.fromkeys(stated):
        try:
            yield PatientId.parse(text)
        except ValueError:
            continue


def _by_person(
    transaction: Transaction,
    _request: ProvideAndRegisterRequest,
    plan: Plan,
    _partner: Partner,
    _community: Community,
    person: Demographics | None,
) -> MemberId | None:
    if person is None:
        return None
    asked = read_person(person)
    known = members.resembling(transaction, plan=plan.id, person=asked)
    match best_match(((one.id, person_of(one, plan)) for one in known), asked):
        case Found(member=found):
            return found
        case _:
            return None


# ---- once they are safe ----------------------------------------------------------------------


def check_blobs(pairs: Iterable[tuple[DocumentEntry, Blob]]) -> None:
    """ITI TF-2: 3.41.4.1.3: hash and size, where they are stated, are those of the bytes.

    Raises:
        RegistryRefusal: a document is empty, or not the one that its entry describes.
    """
    for entry, blob in pairs:
        if not blob.size_bytes:
            context = f"the document {entry.unique_id} has no content"
            raise RegistryRefusal(ErrorCode.MISSING_DOCUMENT, context)
        if entry.size_bytes not in (None, blob.size_bytes):
            context = f"the size of {entry.unique_id} is not the one of its metadata"
            raise RegistryRefusal(ErrorCode.REPOSITORY_METADATA_ERROR, context)
        if entry.hash is not None and entry.hash.strip().lower() != blob.sha1:
            context = f"the hash of {entry.unique_id} is not the one of its metadata"
            raise RegistryRefusal(ErrorCode.REPOSITORY_METADATA_ERROR, context)


def check_known(
    transaction: Transaction, given: Addressed, pairs: Iterable[tuple[DocumentEntry, Blob]]
) -> None:
    """The same document again is no error; other bytes under a known id are.

    Raises:
        RegistryRefusal: a uniqueId or an entry UUID stands for another document of this partner.
    """
    plan, partner = given.plan.id, given.partner.id
    for entry, blob in pairs:
        unique_id = str(entry.unique_id)
        known = documents.by_unique_id(transaction, plan=plan, unique_id=unique_id)
        if any(one.source.partner == partner and one.blob != blob for one in known):
            context = f"{unique_id} was submitted before with another content"
            raise RegistryRefusal(ErrorCode.NON_IDENTICAL_HASH, context)
        before = submitted_entries.get(
            transaction, plan=plan, partner=partner, entry_uuid=entry.entry_uuid
        )
        if before is not None and before.blob != blob:
            context = f"the entry UUID of {unique_id} stands for another document"
            raise RegistryRefusal(ErrorCode.DUPLICATE_UNIQUE_ID, context)


def source_of(given: Addressed, entry: DocumentEntry) -> Source:
    """Where the document came from."""
    partner = given.partner
    return Source(
        door="ITI-41",
        partner=partner.id,
        partner_name=partner.name,
        home_community_id=str(partner.home_community_id),
        document_unique_id=str(entry.unique_id),
    )


def take(
    transaction: Transaction, given: Addressed, received: Iterable[tuple[DocumentEntry, Received]]
) -> Taken:
    """The documents with what their submission says of them, and what of it we pass over."""
    warnings = list(_passed_over(given.request))
    done = []
    for entry, one in received:
        replaced = []
        for association in _replacing(given.request, entry):
            target = submitted_entries.get(
                transaction,
                plan=given.plan.id,
                partner=given.partner.id,
                entry_uuid=association.target,
            )
            if target is None:
                code = ErrorCode.PARTIAL_REPLACE_CONTENT
                context = f"what {entry.unique_id} replaces was not submitted here"
                warnings.append(RegistryError(code, context, Severity.WARNING))
            else:
                replaced.append(_as_replaced(target))
        done.append(
            replace(
                one,
                named_member=given.member,
                named_person=given.person,
                replaced=tuple(replaced),
            )
        )
    return Taken(given, tuple(done), tuple(warnings))


def _as_replaced(target: Document) -> Replaced:
    """By the id that stands in it; a PDF or a picture has none, nor what nobody could read."""
    if target.clinical_id is None:
        return Replaced(document=target.id)
    return Replaced(clinical_id=target.clinical_id)


def _replacing(request: ProvideAndRegisterRequest, entry: DocumentEntry) -> Iterator[Association]:
    for one in request.associations:
        if one.source == entry.entry_uuid and one.type in _REPLACES:
            yield one


def _passed_over(request: ProvideAndRegisterRequest) -> Iterator[RegistryError]:
    codes = {
        _NOT_PROCESSED.get(AssociationType(one.type))
        for one in request.associations
        if isinstance(one.type, AssociationType)
    }
    codes |= {ErrorCode.PARTIAL_FOLDER_CONTENT} if request.folders else set()
    for code in sorted(each for each in codes if each is not None):
        context = "The documents are taken; this of their submission is not kept."
        yield RegistryError(code, context, Severity.WARNING)


def file_submission(
    transaction: Transaction, taken: Taken, *, community: Community, now: datetime
) -> tuple[Effect, ...]:
    """Files, holds or quarantines each document; what the records say of it, one a member.

    Raises:
        MadeMeanwhile: another submission of the partner used the same ids since this was checked.
    """
    given = taken.addressed
    pairs = tuple(zip(given.request.entries, taken.received, strict=True))
    try:
        check_known(transaction, given, ((entry, one.blob) for entry, one in pairs))
    except RegistryRefusal as refusal:
        raise MadeMeanwhile from refusal
    done = _kept(transaction, taken, pairs, community, now)
    for (entry, _), one in zip(pairs, done, strict=True):
        if _is_uuid(entry.entry_uuid):
            submitted_entries.put(
                transaction,
                plan=given.plan.id,
                partner=given.partner.id,
                entry_uuid=entry.entry_uuid,
                document=one.document.id,
            )
    return tuple(_effects(given, done))


def _effects(given: Addressed, done: Iterable[Ingested]) -> Iterator[Effect]:
    """One for each member whose documents they are, and one for those that are nobody's yet."""
    by_member: dict[MemberId | None, list[Ingested]] = {}
    for one in done:
        by_member.setdefault(one.document.member, []).append(one)
    for member, theirs in (by_member or {None: []}).items():
        yield Effect(
            "success",
            plan=given.plan.id,
            member=member,
            documents=tuple(one.document.id for one in theirs),
            reason="; ".join((*_told(theirs), *edge_in_words(given.edge))) or None,
        )


def _kept(
    transaction: Transaction,
    taken: Taken,
    pairs: Sequence[tuple[DocumentEntry, Received]],
    community: Community,
    now: datetime,
) -> tuple[Ingested, ...]:
    """What became of each, in the order of the entries; scans last, for what they came beside."""
    given = taken.addressed
    others = [one for one in taken.received if not is_scan(one)]
    ingested = ingest(transaction, others, plan=given.plan, community=community, now=now)
    told = iter(ingested)
    return tuple(
        keep_scan(
            transaction,
            entry,
            one,
            ingested,
            member=given.member,
            plan=given.plan,
            now=now,
        )
        if is_scan(one)
        else next(told)
        for entry, one in pairs
    )


def _is_uuid(text: str) -> bool:
    """An id that means the same in a later submission; a symbolic one does not."""
    try:
        return text[:9].lower() == "urn:uuid:" and bool(UUID(text[9:]))
    except ValueError:
        return False


def _told(done: Sequence[Ingested]) -> Iterator[str]:
    for state, words in (
        ("held", "held for a person to decide"),
        ("quarantined", "could not be read as a clinical document"),
    ):
        number = sum(one.document.state == state for one in done)
        if number:
            yield f"{number} {words}"
    again = sum(one.outcome == "duplicate" for one in done)
    if again:
        yield f"{again} had come before"


def edge_in_words(edge: AddressBlock | None) -> Iterator[str]:
    """That a HISP passed it on, from whom to whom, and how full its metadata is."""
    if edge is not None:
        level = f", {edge.metadata_level} metadata" if edge.metadata_level else ""
        shown = ", ".join(edge.recipients) or "nobody named"
        yield f"by Direct edge from {edge.sender or 'nobody named'} to {shown}{level}"[:1000]
