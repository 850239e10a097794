"""Partners ask for documents: ITI-38 and 39 answered from what rules allow, and nothing else.

Each verb reads and decides; the door writes the answer and the exchange record. What depends on
the patient (consent, sensitivity, an unknown id) looks exactly like no documents, so that nobody
learns from a refusal whom we know (DECISIONS 10, 11).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from ccda.safe_xml import parse_xml
from gateway.exchange.asker import Asker, Effect, Way, ways
from gateway.model.community import Community
from gateway.model.document import Document, OfferedDocument
from gateway.model.exchange import Outcome
from gateway.model.identity import DocumentId, MemberId, PlanId
from gateway.model.member import Member, Plan
from gateway.store import members, offers
from gateway.store.database import Transaction
from ihe.ebrim import entry_xml, read_document_entry
from ihe.identifiers import PatientId
from ihe.query_filter import matches
from ihe.registry_response import ErrorCode, RegistryError, RegistryRefusal
from ihe.stored_query import AdhocQuery, FindDocumentsQuery, GetDocumentsQuery, OtherStoredQuery
from ihe.xca_retrieve import DocumentRequest, RetrieveDocumentSetRequest, document_error

_DOCUMENTS_AT_ONCE: Final = 100
_TOO_MANY_DOCUMENTS: Final = f"At most {_DOCUMENTS_AT_ONCE} documents are given in one answer."
_IDS_AT_ONCE: Final = 500
"""Databases bound the parameters of a statement; a peer's list of ids is as long as it likes."""


# ---- ITI-38 ----------------------------------------------------------------------------------


def query(
    transaction: Transaction,
    asked: AdhocQuery,
    *,
    asker: Asker,
    plans: Iterable[Plan],
    community: Community,
) -> tuple[tuple[OfferedDocument, ...], tuple[Effect, ...]]:
    """The documents that fit the query and that a rule offers to this partner.

    Raises:
        RegistryRefusal: the query is not one that XCA answers, or is meant for another community.
    """
    match asked:
        case FindDocumentsQuery():
            return _find_documents(transaction, asked, asker, plans, community)
        case GetDocumentsQuery():
            _ours(asked.home_community_id, community)
            wanted = [*asked.entry_uuids, *(str(unique) for unique in asked.unique_ids)]
            given = _offered_by_ids(transaction, wanted, asker, plans)
            nothing = Effect(reason="no document of these ids is offered to this partner")
            return given, _effects([one.document for one in given]) or (nothing,)
        case OtherStoredQuery():
            raise RegistryRefusal(
                ErrorCode.UNKNOWN_STORED_QUERY, "This stored query is not answered here."
            )


def _find_documents(
    transaction: Transaction,
    asked: FindDocumentsQuery,
    asker: Asker,
    plans: Iterable[Plan],
    community: Community,
) -> tuple[tuple[OfferedDocument, ...], tuple[Effect, ...]]:
    if asked.home_community_id is not None:
        _ours(asked.home_community_id, community)
    found = _member(transaction, asked.patient_id, asker, plans, community)
    if found is None:
        return (), (Effect(reason="no member of this patient id is open to this partner"),)
    way, member = found
    wants_all = _wants_all(asked)
    given = tuple(
        offered
        for offered in offers.of_member(transaction, plan=member.plan, member=member.id)
        if way.gives(offered, member) and (wants_all or _matches(offered, asked))
    )
    nothing = "no document that fits is offered to this partner"
    ids = tuple(offered.document.id for offered in given)
    return given, (Effect("success", member.plan, member.id, ids, None if given else nothing),)


def _wants_all(asked: FindDocumentsQuery) -> bool:
    """Whether every current document fits, as in most queries; reading entries back costs most.

    What is registered and not replaced is stable and Approved.
    """
    bare = FindDocumentsQuery(
        patient_id=asked.patient_id,
        statuses=asked.statuses,
        home_community_id=asked.home_community_id,
        return_type=asked.return_type,
        entry_types=asked.entry_types,
    )
    return asked == bare and "Approved" in asked.statuses and "stable" in asked.entry_types


def _matches(offered: OfferedDocument, asked: FindDocumentsQuery) -> bool:
    return matches(read_document_entry(parse_xml(offered.entry_xml.encode())), asked)


def _ours(home: object, community: Community) -> None:
    if home != community.home_community_id:
        raise RegistryRefusal(
            ErrorCode.UNKNOWN_COMMUNITY, "The home community id is not that of this gateway."
        )


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


# ---- ITI-39 ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Given:
    """One document that leaves the house, and the request it answers."""

    asked: DocumentRequest
    document: Document


def retrieve(
    transaction: Transaction,
    request: RetrieveDocumentSetRequest,
    *,
    asker: Asker,
    plans: Iterable[Plan],
    community: Community,
) -> tuple[tuple[Given, ...], tuple[RegistryError, ...], tuple[Effect, ...]]:
    """The documents that may be given, an error for each that is not, and what to record."""
    given: list[Given] = []
    errors: list[RegistryError] = []
    wanted = [str(asked.unique_id) for asked in request.documents]
    offered = {one.unique_id: one for one in _offered_by_ids(transaction, wanted, asker, plans)}
    # Asked for twice, a document comes once: a small request must not draw an endless answer.
    for asked in dict.fromkeys(request.documents):
        refusal = _refuse(asked, community)
        found = offered.get(str(asked.unique_id))
        if len(given) == _DOCUMENTS_AT_ONCE:
            errors.append(
                document_error(asked, ErrorCode.REPOSITORY_OUT_OF_RESOURCES, _TOO_MANY_DOCUMENTS)
            )
        elif refusal is not None:
            errors.append(refusal)
        elif found is None:
            context = "No document of this unique id is available to this community."
            errors.append(document_error(asked, ErrorCode.DOCUMENT_UNIQUE_ID, context))
        else:
            given.append(Given(asked, found.document))
    return tuple(given), tuple(errors), _retrieve_effects(given, errors)


def _refuse(asked: DocumentRequest, community: Community) -> RegistryError | None:
    if asked.home_community_id is None:
        context = "The document request names no home community."
        return document_error(asked, ErrorCode.MISSING_HOME_COMMUNITY_ID, context)
    if asked.home_community_id != community.home_community_id:
        context = "The home community id is not that of this gateway."
        return document_error(asked, ErrorCode.UNKNOWN_COMMUNITY, context)
    if asked.repository_unique_id != community.repository:
        context = "The repository is not one of this community."
        return document_error(asked, ErrorCode.UNKNOWN_REPOSITORY_ID, context)
    return None


def _retrieve_effects(given: list[Given], errors: list[RegistryError]) -> tuple[Effect, ...]:
    outcome: Outcome = "success" if not errors else "partial" if given else "refused"
    reason = "; ".join(sorted({error.context for error in errors})) or None
    effects = _effects([one.document for one in given]) or (Effect(),)
    return tuple(replace(effect, outcome=outcome, reason=reason) for effect in effects)


# ---- what rules offer ------------------------------------------------------------------------


def _offered_by_ids(
    transaction: Transaction, ids: list[str], asker: Asker, plans: Iterable[Plan]
) -> tuple[OfferedDocument, ...]:
    found: list[OfferedDocument] = []
    wanted = list(dict.fromkeys(ids))
    for way in ways(transaction, plans, asker):
        for start in range(0, len(wanted), _IDS_AT_ONCE):
            some = wanted[start : start + _IDS_AT_ONCE]
            for offered in offers.by_ids(transaction, plan=way.plan.id, ids=some):
                owner = offered.document.member
                member = members.get(transaction, plan=way.plan.id, member=owner) if owner else None
                if member is not None and way.gives(offered, member):
                    found.append(_as_it_stands(offered))
    return tuple(found)


def _as_it_stands(offered: OfferedDocument) -> OfferedDocument:
    """A document that another replaced is deprecated (DECISIONS 14), whenever it was described."""
    if offered.document.superseded_by is None:
        return offered
    entry = read_document_entry(parse_xml(offered.entry_xml.encode()))
    written = entry_xml(replace(entry, availability="Deprecated"))
    return replace(offered, entry_xml=written.decode("utf-8"))


def _effects(given: Iterable[Document]) -> tuple[Effect, ...]:
    """One for each member whose documents were given, in the order they were."""
    found: dict[tuple[PlanId, MemberId | None], tuple[DocumentId, ...]] = {}
    for document in given:
        whose = (document.plan, document.member)
        found[whose] = (*found.get(whose, ()), document.id)
    return tuple(Effect("success", plan, member, ids) for (plan, member), ids in found.items())
