"""Partners ask what there is: ITI-38 answered from what rules allow, and nothing else.

The door writes the answer and the exchange record. What depends on the patient (consent,
sensitivity, an unknown id) looks exactly like no documents, so that nobody learns from a refusal
whom we know (DECISIONS 10, 11). Folders we have none: whoever asks for them hears so.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, assert_never

from ccda.safe_xml import parse_xml
from gateway.exchange.asker import Asker, Effect, Way, no_way, ways
from gateway.exchange.metadata import patient_id
from gateway.exchange.on_demand import may_be_summarized, on_demand
from gateway.exchange.open_documents import effects_of, open_documents, shelves_of
from gateway.exchange.shelf import (
    Shelf,
    Shown,
    as_it_stands,
    current,
    documents_of,
    given_of,
    is_kept,
    open_shelf,
)
from gateway.model.community import Community
from gateway.model.document import Document, OfferedDocument
from gateway.model.identity import MemberId, PlanId
from gateway.model.member import Member, Plan
from gateway.store import members, offers
from gateway.store.brief import leave
from gateway.store.database import Transaction
from ihe.ebrim import read_document_entry
from ihe.identifiers import HomeCommunityId, PatientId
from ihe.metadata import Association, Code, SubmissionSet
from ihe.query_filter import matches, matches_submission_set
from ihe.registry_response import ErrorCode, RegistryRefusal
from ihe.stored_query import (
    AdhocQuery,
    FindDocumentsQuery,
    FindFoldersQuery,
    FindSubmissionSetsQuery,
    GetAllQuery,
    GetContentsQuery,
    GetDocumentsQuery,
    GetObjectsQuery,
    GetRelatedDocumentsQuery,
    StoredQuery,
)

_ByPatient = FindDocumentsQuery | FindSubmissionSetsQuery | FindFoldersQuery | GetAllQuery
_ById = GetDocumentsQuery | GetObjectsQuery | GetContentsQuery | GetRelatedDocumentsQuery
_NOBODY: Final = "no member of this patient id is open to this partner"
_NOTHING_FITS: Final = "no document that fits is offered to this partner"
_NOTHING_OF_THESE: Final = "no document of these ids is offered to this partner"
_BRIEF_DOCUMENTS: Final = 25
"""To look through more takes long enough for a thread."""
_CODES_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Listed:
    """What an answer lists, in its order, and what to record."""

    shown: tuple[Shown, ...]
    effects: tuple[Effect, ...]


def query(
    transaction: Transaction,
    asked: AdhocQuery,
    *,
    asker: Asker,
    plans: Iterable[Plan],
    community: Community,
    most: int,
) -> Listed:
    """What fits the query and a rule offers to this partner, at most `most` whole entries.

    Raises:
        RegistryRefusal: the query is meant for another community, or its answer would be too
            long or of several patients.
    """
    _check_home(asked.home_community_id, community)
    match asked:
        case FindDocumentsQuery() | FindSubmissionSetsQuery() | FindFoldersQuery() | GetAllQuery():
            listed = _by_patient(transaction, asked, asker, plans, community)
        case _:
            leave()
            listed = _by_id(transaction, asked, asker, plans, community)
    if asked.return_type == "LeafClass" and len(listed.shown) > most:
        context = f"More than {most} objects fit the query. Ask for their ids (ObjectRef), or less."
        raise RegistryRefusal(ErrorCode.TOO_MANY_RESULTS, context)
    return listed


def _check_home(home: HomeCommunityId | None, community: Community) -> None:
    if home is not None and home != community.home_community_id:
        raise RegistryRefusal(
            ErrorCode.UNKNOWN_COMMUNITY, "The home community id is not that of this gateway."
        )


# ---- by patient ------------------------------------------------------------------------------


def _by_patient(
    transaction: Transaction,
    asked: _ByPatient,
    asker: Asker,
    plans: Iterable[Plan],
    community: Community,
) -> Listed:
    found = _member(transaction, asked.patient_id, asker, plans, community)
    if found is None:
        is_open = next(ways(transaction, plans, asker), None) is not None
        return Listed((), (Effect(reason=_NOBODY if is_open else no_way(asker)),))
    way, member = found
    if isinstance(asked, FindDocumentsQuery):
        given = tuple(_find_documents(transaction, asked, way, member, community))
        kept = [one.document for one in given if is_kept(one)]
        return Listed(given, (_effect(way, member, kept, is_empty=not given),))
    leave()
    shelf = open_shelf(transaction, way, member, community)
    shown = tuple(_of_shelf(shelf, asked))
    told = [document for one in shown for document in documents_of(one, shelf)]
    return Listed(shown, (_effect(way, member, told, is_empty=not shown),))


def _effect(way: Way, member: Member, told: Iterable[Document], *, is_empty: bool) -> Effect:
    ids = tuple(dict.fromkeys(document.id for document in told))
    reason = way.why_withheld() or (_NOTHING_FITS if is_empty else None)
    return Effect("success", member.plan, member.id, ids, reason)


def _member(
    transaction: Transaction,
    asked: PatientId,
    asker: Asker,
    plans: Iterable[Plan],
    community: Community,
) -> tuple[Way, Member] | None:
    if asked.authority != community.patient_authority:
        raise RegistryRefusal(
            ErrorCode.UNKNOWN_PATIENT_ID, "The patient id is of another assigning authority."
        )
    for way in ways(transaction, plans, asker):
        member = members.get(transaction, plan=way.plan.id, member=MemberId(asked.id))
        if member is not None:
            return way, member
    return None


def _find_documents(
    transaction: Transaction,
    asked: FindDocumentsQuery,
    way: Way,
    member: Member,
    community: Community,
) -> Iterator[OfferedDocument]:
    wants_summary = "on-demand" in asked.entry_types and may_be_summarized(way)
    # A summary is made of all that is open, whatever else the query asks for.
    narrowed = not wants_summary
    if wants_summary:
        leave()
    registered = offers.of_member(
        transaction,
        plan=member.plan,
        member=member.id,
        replaced="Deprecated" in asked.statuses,
        class_codes=_few(asked.class_codes) if narrowed else (),
        type_codes=_few(asked.type_codes) if narrowed else (),
    )
    if len(registered) > _BRIEF_DOCUMENTS:
        leave()
    given = tuple(given_of(transaction, registered, way, member))
    found = [as_it_stands(one) for one in given] if "stable" in asked.entry_types else []
    summary = on_demand(current(given), way, member, community) if wants_summary else None
    if summary is not None:
        found.append(summary.offered)
    wants_any = _wants_any(asked)
    for one in found:
        if _has_status(one, asked) and (wants_any or _matches(one, asked)):
            yield one


def _few(codes: tuple[Code, ...]) -> Iterable[str]:
    """What the database is asked for: of more codes than it takes, each entry is compared here."""
    return (code.value for code in codes) if len(codes) <= _CODES_AT_ONCE else ()


def _wants_any(asked: FindDocumentsQuery) -> bool:
    """Whether kind and status are all that is asked, as in most queries: reading entries back
    costs most."""
    bare = FindDocumentsQuery(
        patient_id=asked.patient_id,
        statuses=asked.statuses,
        home_community_id=asked.home_community_id,
        return_type=asked.return_type,
        entry_types=asked.entry_types,
    )
    return asked == bare


def _has_status(offered: OfferedDocument, asked: FindDocumentsQuery) -> bool:
    is_current = offered.document.superseded_by is None
    return ("Approved" if is_current else "Deprecated") in asked.statuses


def _matches(offered: OfferedDocument, asked: FindDocumentsQuery) -> bool:
    return matches(read_document_entry(parse_xml(offered.entry_xml.encode())), asked)


def _of_shelf(
    shelf: Shelf, asked: FindSubmissionSetsQuery | FindFoldersQuery | GetAllQuery
) -> Iterator[Shown]:
    match asked:
        case FindFoldersQuery():
            return
        case FindSubmissionSetsQuery():
            yield from (one for one in _sets(shelf) if matches_submission_set(one, asked))
        case GetAllQuery():
            narrow = FindDocumentsQuery(
                patient_id=asked.patient_id,
                statuses=asked.document_statuses,
                entry_types=asked.entry_types,
                format_codes=asked.format_codes,
                confidentiality_codes=asked.confidentiality_codes,
            )
            fitting = [one for one in _listable(shelf) if _matches(one, narrow)]
            sets = list(_sets(shelf)) if "Approved" in asked.submission_set_statuses else []
            shown: list[Shown] = [*fitting, *sets]
            yield from shown
            ids = {one.entry_uuid for one in shown}
            yield from (one for one in shelf.associations if {one.source, one.target} <= ids)
        case _:
            assert_never(asked)


def _sets(shelf: Shelf) -> Iterator[SubmissionSet]:
    for one in shelf.documents:
        if (registering := shelf.submission_set(one)) is not None:
            yield registering


def _listable(shelf: Shelf) -> tuple[OfferedDocument, ...]:
    """The documents that lists tell of: snapshots would repeat them."""
    return (*shelf.documents, *(() if shelf.summary is None else (shelf.summary.offered,)))


# ---- by id -----------------------------------------------------------------------------------


def _by_id(
    transaction: Transaction,
    asked: _ById,
    asker: Asker,
    plans: Iterable[Plan],
    community: Community,
) -> Listed:
    ids = (*map(str.lower, asked.entry_uuids), *map(str, asked.unique_ids))
    shown: list[Shown] = []
    told: list[Document] = []
    why: dict[PlanId, str | None] = {}
    if isinstance(asked, GetDocumentsQuery):
        # Most ids are those of documents; a whole shelf is opened only for what is none.
        known, withheld = open_documents(transaction, ids, asker, plans)
        why |= withheld
        shown += known
        told += (one.document for one in known)
        found_ids = {each for one in known for each in (one.entry_uuid, one.unique_id)}
        ids = tuple(each for each in ids if each not in found_ids)
    patients = {(document.plan, document.member) for document in told}
    _check_patients(asked, len(patients))
    unmade: dict[tuple[PlanId, MemberId], None] = {}
    for shelf in shelves_of(transaction, ids, asker, plans, community) if ids else ():
        found = {one.entry_uuid: one for one in _found_on(shelf, asked, ids)}
        if found:
            patients.add((shelf.member.plan, shelf.member.id))
            shown += found.values()
            kept = [document for one in found.values() for document in documents_of(one, shelf)]
            told += kept
            if not kept:  # the summary alone, which is no document yet: but hers it is
                unmade[shelf.member.plan, shelf.member.id] = None
        _check_patients(asked, len(patients))
        why[shelf.way.plan.id] = shelf.way.why_withheld(ids)
    alone = [each for each in unmade if each not in {(one.plan, one.member) for one in told}]
    giving = {one.plan for one in told}
    of_summaries = [
        Effect("success", plan, member, (), None if plan in giving else why.pop(plan, None))
        for plan, member in alone
    ]
    effects = (*effects_of(told, why), *of_summaries)
    return Listed(tuple(shown), effects or (Effect(reason=_NOTHING_OF_THESE),))


def _check_patients(asked: _ById, number: int) -> None:
    """Whole entries are those of one patient (ITI TF-2: 3.18.4.1.2.3.1)."""
    if asked.return_type == "LeafClass" and number > 1:
        context = "The ids are those of several patients: ask for each by itself."
        raise RegistryRefusal(ErrorCode.RESULT_NOT_SINGLE_PATIENT, context)


def _found_on(shelf: Shelf, asked: _ById, ids: tuple[str, ...]) -> Iterator[Shown]:
    match asked:
        case GetDocumentsQuery():
            yield from _documents(shelf, ids)
        case GetObjectsQuery():
            yield from _OBJECTS[asked.query](shelf, ids)
        case GetContentsQuery():
            if asked.query is StoredQuery.GET_SUBMISSION_SET_AND_CONTENTS:
                yield from _set_and_contents(shelf, asked, ids)
        case GetRelatedDocumentsQuery():
            yield from _related(shelf, asked, ids)
        case _:
            assert_never(asked)


def _documents(shelf: Shelf, ids: Iterable[str]) -> Iterator[OfferedDocument]:
    yield from (found for each in ids if (found := shelf.by_id.get(each)))


def _associations(shelf: Shelf, ids: Iterable[str]) -> Iterator[Association]:
    """Those that have one of the objects at one of their ends."""
    ends = frozenset(ids)
    yield from (one for one in shelf.associations if one.source in ends or one.target in ends)


def _documents_and_associations(shelf: Shelf, ids: Iterable[str]) -> Iterator[Shown]:
    found = tuple(_documents(shelf, ids))
    yield from found
    yield from _associations(shelf, (one.entry_uuid for one in found))


def _sets_of_documents(shelf: Shelf, ids: Iterable[str]) -> Iterator[Shown]:
    """The sets that registered the documents, and the associations that say so."""
    for one in tuple(_documents(shelf, ids)):
        if (registering := shelf.submission_set(one)) is not None:
            yield registering
            yield from _associations(shelf, (registering.entry_uuid,))


def _no_folders(_shelf: Shelf, _ids: Iterable[str]) -> Iterator[Shown]:
    return iter(())


_OBJECTS: Final[dict[StoredQuery, Callable[[Shelf, tuple[str, ...]], Iterator[Shown]]]] = {
    StoredQuery.GET_ASSOCIATIONS: _associations,
    StoredQuery.GET_DOCUMENTS_AND_ASSOCIATIONS: _documents_and_associations,
    StoredQuery.GET_SUBMISSION_SETS: _sets_of_documents,
    StoredQuery.GET_FOLDERS: _no_folders,
    StoredQuery.GET_FOLDERS_FOR_DOCUMENT: _no_folders,
}


def _set_and_contents(
    shelf: Shelf, asked: GetContentsQuery, ids: tuple[str, ...]
) -> Iterator[Shown]:
    for one in (*shelf.documents, *shelf.snapshots):
        registering = shelf.submission_set(one)
        if registering is None or not {registering.entry_uuid, str(registering.unique_id)} & {*ids}:
            continue
        yield registering
        narrow = FindDocumentsQuery(
            patient_id=patient_id(shelf.member, shelf.community),
            statuses=("Approved", "Deprecated"),
            entry_types=asked.entry_types,
            format_codes=asked.format_codes,
            confidentiality_codes=asked.confidentiality_codes,
        )
        if _matches(one, narrow):
            yield one
            yield from _associations(shelf, (registering.entry_uuid,))


def _related(
    shelf: Shelf, asked: GetRelatedDocumentsQuery, ids: tuple[str, ...]
) -> Iterator[Shown]:
    """Nothing for a document without a relative of the kinds that are asked for."""
    for one in tuple(_documents(shelf, ids)):
        relatives: dict[str, OfferedDocument] = {}
        joining: list[Association] = []
        for each in _associations(shelf, (one.entry_uuid,)):
            other = each.target if each.source == one.entry_uuid else each.source
            relative = shelf.by_id.get(other)
            is_asked = each.type in asked.association_types
            if relative is not None and is_asked and _kind(relative) in asked.entry_types:
                relatives[other] = relative
                joining.append(each)
        if relatives:
            yield one
            yield from relatives.values()
            yield from joining


def _kind(offered: OfferedDocument) -> str:
    return "stable" if is_kept(offered) else "on-demand"
