"""Which of a member's documents is current: older versions give way (DECISIONS 14).

The answer is the same in whatever order documents came: with each one filed, all that are tied to
it by versions of one set or by RPLC are decided anew.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ccda.hl7v3 import TS
from gateway.exchange.moments import sort_key
from gateway.model.document import Document
from gateway.model.identity import DocumentId, PartnerId, PlanId
from gateway.store import documents, replacements
from gateway.store.database import Transaction

_DEPRECATED: Final = "its source lists it as deprecated since"
_Claim = tuple[DocumentId, DocumentId]
"""The newer document, and the one that gives way to it."""


def settle_versions(transaction: Transaction, filed: Document) -> frozenset[DocumentId]:
    """Says of the filed document, and of all that are tied to it, what supersedes them.

    Of those that are returned it need not be said again.

    Documents that claim to replace each other never all give way: the later one's claim counts,
    by effectiveTime and then by when it was received. A set's versions count before any claim.
    """
    family, said = _family(transaction, filed)
    claims = [*_by_version(family.values()), *_plausible_first(said, family)]
    superseded: dict[DocumentId, DocumentId] = {}
    for newer, older in claims:
        if older not in superseded and older not in _line(superseded, newer):
            superseded[older] = newer
    for one in family.values():
        by = superseded.get(one.id)
        if by != one.superseded_by:
            documents.supersede(transaction, plan=one.plan, document=one.id, by=by)
    return frozenset(family)


def say_deprecated(
    transaction: Transaction, *, plan: PlanId, partner: PartnerId, unique_ids: Iterable[str]
) -> None:
    """Tells whoever decides about one that is held that its source lists it as deprecated now."""
    for unique_id in unique_ids:
        for one in documents.by_unique_id(transaction, plan=plan, unique_id=unique_id):
            is_its = one.source.partner == partner and one.state == "held"
            if is_its and not (one.reason or "").endswith(_DEPRECATED):
                reason = "; ".join(part for part in (one.reason, _DEPRECATED) if part)
                documents.hold(
                    transaction,
                    plan=plan,
                    document=one.id,
                    reason=reason,
                    candidate=one.candidate,
                )


def tied_documents(transaction: Transaction, filed: Document) -> tuple[Document, ...]:
    """Those of the member that are decided together with this one, itself left out."""
    family, _ = _family(transaction, filed)
    return tuple(one for one in family.values() if one.id != filed.id)


def _family(
    transaction: Transaction, filed: Document
) -> tuple[dict[DocumentId, Document], set[_Claim]]:
    """The member's filed documents that are tied to this one, and who of them replaces whom."""
    current = documents.get(transaction, plan=filed.plan, document=filed.id) or filed
    found, said, waiting = {current.id: current}, set[_Claim](), [current]
    seen_sets: set[str] = set()

    def tied(one: Document, others: Iterable[Document]) -> Iterator[Document]:
        for other in others:
            if other.id == one.id or other.state != "filed" or other.member != filed.member:
                continue
            if other.id not in found:
                found[other.id] = other
                waiting.append(other)
            yield other

    while waiting:
        one = waiting.pop()
        replaced = replacements.replaced_by(transaction, one)
        replacing = replacements.replacing(transaction, one)
        said.update((one.id, other.id) for other in tied(one, replaced))
        said.update((other.id, one.id) for other in tied(one, replacing))
        if one.set_id is not None and one.set_id not in seen_sets:
            seen_sets.add(one.set_id)
            versions = documents.by_set(transaction, plan=one.plan, set_id=one.set_id)
            list(tied(one, versions))
    return found, said


def _by_version(family: Iterable[Document]) -> Iterator[_Claim]:
    sets: dict[str, list[tuple[int, Document]]] = defaultdict(list)
    for one in family:
        if one.set_id is not None and one.version is not None:
            sets[one.set_id].append((one.version, one))
    for versions in sets.values():
        latest, newest = max(versions, key=lambda pair: (pair[0], pair[1].received))
        yield from ((newest.id, one.id) for version, one in versions if version < latest)


def _plausible_first(said: Iterable[_Claim], family: Mapping[DocumentId, Document]) -> list[_Claim]:
    """Those by which the later document wins; of the others, the latest one's end comes last."""

    def age(document: DocumentId) -> tuple[str, str, DocumentId]:
        one = family[document]
        effective = sort_key(TS(one.effective_time)) if one.effective_time else ""
        return effective, one.received.isoformat(), one.id

    latest_first = sorted(said, key=lambda claim: age(claim[0]), reverse=True)
    return sorted(latest_first, key=lambda claim: (age(claim[0]) < age(claim[1]), age(claim[1])))


def _line(superseded: Mapping[DocumentId, DocumentId], one: DocumentId) -> Iterator[DocumentId]:
    """The document, what supersedes it, what supersedes that, and so on; it ends, for no claim
    that would close a circle was taken."""
    following: DocumentId | None = one
    while following is not None:
        yield following
        following = superseded.get(following)
