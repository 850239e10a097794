"""Partners fetch documents: ITI-39 answered from what rules allow, and nothing else.

A document that is not given, for whatever reason, is one that we do not have (DECISIONS 11).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gateway.exchange.archive import Archive
from gateway.exchange.asker import Asker, Effect, no_way
from gateway.exchange.on_demand import OnDemand, take_snapshot
from gateway.exchange.open_documents import WhyWithheld, effects_of, open_documents, shelves_of
from gateway.model.community import Community
from gateway.model.document import OfferedDocument, Snapshot
from gateway.model.exchange import Outcome
from gateway.model.member import Plan
from gateway.store.brief import leave
from gateway.store.database import Transaction
from ihe.registry_response import ErrorCode, RegistryError
from ihe.xca_retrieve import DocumentRequest, RetrieveDocumentSetRequest, document_error

_DOCUMENTS_AT_ONCE: Final = 100
_TOO_MANY_DOCUMENTS: Final = f"At most {_DOCUMENTS_AT_ONCE} documents are given in one answer."
_BRIEF_DOCUMENTS: Final = 10
"""To find more takes long enough for a thread."""
_LOOKED_FOR_AT_ONCE: Final = 100
"""Ids for which summaries are looked through: no answer holds more, and an id costs a partner
nothing. Ids are counted, not the patients behind them: that there is one must not show."""
_SUMMARIES_AT_ONCE: Final = 5
"""Each is made while the partner waits."""
_TOO_MANY_SUMMARIES: Final = f"At most {_SUMMARIES_AT_ONCE} summaries are made for one answer."

_Found = OfferedDocument | OnDemand


@dataclass(frozen=True, slots=True)
class Given:
    """One document that leaves the house, and the request it answers."""

    asked: DocumentRequest
    offered: OfferedDocument

    @property
    def is_new(self) -> bool:
        """Whether it was made on demand, so that it is known by an id of its own from now on."""
        return self.offered.unique_id != str(self.asked.unique_id)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The documents that are given, an error for each that is not, and what to record.

    `made` are summaries among them that are kept with the record, and nowhere before.
    """

    given: tuple[Given, ...]
    errors: tuple[RegistryError, ...]
    effects: tuple[Effect, ...]
    made: tuple[Snapshot, ...] = ()


def retrieve(
    archive: Archive,
    request: RetrieveDocumentSetRequest,
    *,
    asker: Asker,
    plans: Sequence[Plan],
    community: Community,
    now: datetime,
) -> Retrieved:
    """What may be given of the request; summaries are made now."""
    if len(request.documents) > _BRIEF_DOCUMENTS:
        leave()
    found, why = archive.database.read(lambda tx: _find(tx, request, asker, plans, community))
    given: list[Given] = []
    errors: list[RegistryError] = list(request.refused)
    made = 0
    new: list[Snapshot] = []
    # Asked for twice, a document comes once: a small request must not draw an endless answer.
    for asked in dict.fromkeys(request.documents):
        one = found.get(str(asked.unique_id))
        refusal = _refuse(asked, community) or _unavailable(asked, one, len(given), made)
        if refusal is not None:
            errors.append(refusal)
        elif isinstance(one, OnDemand):
            leave()
            made += 1
            taken = take_snapshot(archive, one, community, now=now)
            given.append(Given(asked, taken.snapshot.offered))
            new.extend([taken.snapshot] if taken.is_new else ())
        elif one is not None:
            given.append(Given(asked, one))
    # Of each plan that is open, `why` says something, be it that nothing was withheld.
    closed = None if why else no_way(asker)
    effects = _effects(given, errors, why, closed)
    return Retrieved(tuple(given), tuple(errors), effects, tuple(new))


def _find(
    transaction: Transaction,
    request: RetrieveDocumentSetRequest,
    asker: Asker,
    plans: Sequence[Plan],
    community: Community,
) -> tuple[dict[str, _Found], WhyWithheld]:
    """What is open of it, by unique id, and why the rest is not."""
    wanted = [str(asked.unique_id) for asked in request.documents]
    documents, why = open_documents(transaction, wanted, asker, plans)
    found: dict[str, _Found] = {one.unique_id: one for one in documents}
    others = [each for each in dict.fromkeys(wanted) if each not in found]
    looked_for = others[:_LOOKED_FOR_AT_ONCE]
    if looked_for:
        leave()
    shelves = shelves_of(transaction, looked_for, asker, plans, community) if looked_for else ()
    for shelf in shelves:
        found |= {one.unique_id: one for one in shelf.snapshots}
        if shelf.summary is not None:
            found[shelf.summary.offered.unique_id] = shelf.summary
    return found, why


def _refuse(asked: DocumentRequest, community: Community) -> RegistryError | None:
    """What the request itself has wrong."""
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


def _unavailable(
    asked: DocumentRequest, found: _Found | None, given: int, made: int
) -> RegistryError | None:
    """Why what it rightly asks for is not given."""
    if given == _DOCUMENTS_AT_ONCE:
        code = ErrorCode.REPOSITORY_OUT_OF_RESOURCES
        return document_error(asked, code, _TOO_MANY_DOCUMENTS)
    if found is None:
        context = "No document of this unique id is available to this community."
        return document_error(asked, ErrorCode.DOCUMENT_UNIQUE_ID, context)
    if isinstance(found, OnDemand) and made == _SUMMARIES_AT_ONCE:
        code = ErrorCode.REPOSITORY_OUT_OF_RESOURCES
        return document_error(asked, code, _TOO_MANY_SUMMARIES)
    return None


def _effects(
    given: Iterable[Given], errors: Sequence[RegistryError], why: WhyWithheld, closed: str | None
) -> tuple[Effect, ...]:
    documents = [one.offered.document for one in given]
    outcome: Outcome = "success" if not errors else "partial" if documents else "refused"
    told = "; ".join(sorted({error.context for error in errors})) or None
    effects = effects_of(documents, why) or (Effect(reason=closed),)
    # What the partner hears, and what it does not: a rule tells of a document that is there.
    return tuple(
        replace(
            effect,
            outcome=outcome,
            reason="; ".join(text for text in (told, effect.reason) if text) or None,
        )
        for effect in effects
    )
