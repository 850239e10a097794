"""What is registered of one member and open to one asker: documents, sets, associations.

All of it follows from the documents that rules give (DECISIONS 10). A document that was replaced
is given as Deprecated (14). A snapshot of a summary is found by its id or by association from the
summary; no list of documents repeats it beside the summary and its sources.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import assert_never

from gateway.exchange.asker import Way, Withheld
from gateway.exchange.on_demand import OnDemand, on_demand
from gateway.exchange.policy import Refused
from gateway.exchange.registered import association, registered_by, submission_set
from gateway.model.community import Community
from gateway.model.document import Document, OfferedDocument, Snapshot
from gateway.model.identity import DocumentId
from gateway.model.member import Member
from gateway.store import offers, snapshots
from gateway.store.database import Transaction
from ihe.metadata import Association, AssociationType, SubmissionSet
from ihe.rim import STATUS


@dataclass(frozen=True)
class Shelf:
    """One member's documents as the asker may see them, the replaced ones too."""

    way: Way
    member: Member
    community: Community
    documents: tuple[OfferedDocument, ...]
    summary: OnDemand | None
    snapshots: tuple[OfferedDocument, ...]

    @cached_property
    def by_id(self) -> dict[str, OfferedDocument]:
        """Every document by its entry UUID and by its unique id."""
        summary = () if self.summary is None else (self.summary.offered,)
        every = (*self.documents, *summary, *self.snapshots)
        return {key: one for one in every for key in (one.entry_uuid, one.unique_id)}

    def submission_set(self, offered: OfferedDocument) -> SubmissionSet | None:
        """The set by which the document was registered; what is not made yet never was."""
        if not is_kept(offered):
            return None
        return submission_set(offered.document, self.member, self.community)

    @cached_property
    def associations(self) -> tuple[Association, ...]:
        return (*self._memberships(), *self._replacements(), *self._copies())

    def _memberships(self) -> Iterator[Association]:
        for one in (*self.documents, *self.snapshots):
            registering = submission_set(one.document, self.member, self.community)
            yield self._joined(AssociationType.HAS_MEMBER, registering.entry_uuid, one.entry_uuid)

    def _replacements(self) -> Iterator[Association]:
        kept = {one.document.id: one for one in self.documents}
        for one in self.documents:
            newer = one.document.superseded_by
            if newer is not None and newer in kept:
                yield self._joined(AssociationType.RPLC, kept[newer].entry_uuid, one.entry_uuid)

    def _copies(self) -> Iterator[Association]:
        if self.summary is not None:
            of = self.summary.offered.entry_uuid
            for one in self.snapshots:
                yield self._joined(AssociationType.IS_SNAPSHOT_OF, one.entry_uuid, of)

    def _joined(self, kind: AssociationType, source: str, target: str) -> Association:
        return association(kind, source, target, self.community)


def open_shelf(transaction: Transaction, way: Way, member: Member, community: Community) -> Shelf:
    """All that the way opens of the member."""
    registered = offers.of_member(transaction, plan=member.plan, member=member.id, replaced=True)
    given = tuple(given_of(transaction, registered, way, member))
    taken = snapshots.of_member(
        transaction, plan=member.plan, member=member.id, partner=way.partner.id
    )
    open_ids = frozenset(one.document.id for one in given)
    return Shelf(
        way=way,
        member=member,
        community=community,
        documents=tuple(map(as_it_stands, given)),
        summary=on_demand(current(given), way, member, community),
        snapshots=tuple(
            one.offered
            for one in taken
            if _is_open(one, open_ids) and way.gives(one.offered, member)
        ),
    )


def given_of(
    transaction: Transaction, registered: Iterable[OfferedDocument], way: Way, member: Member
) -> Iterator[OfferedDocument]:
    """Those of the member's documents that a rule gives; what was replaced, only with what stands
    in its place.

    What a correction has marked as restricted would else go on being given as it was before, and
    would tell that something in its place is withheld.
    """
    known = {one.document.id: one for one in registered}
    for one in known.values():
        if one.document.superseded_by is None:
            if way.gives(one, member):
                yield one
        elif (refusal := _line_refused(transaction, one, known, way, member)) is None:
            yield one
        else:
            way.withheld.append(Withheld(one, refusal))


def _line_refused(
    transaction: Transaction,
    one: OfferedDocument,
    known: dict[DocumentId, OfferedDocument],
    way: Way,
    member: Member,
) -> Refused | None:
    """Why the document is not given, or one of those that replaced it, one after the other."""
    while way.gives(one, member):
        by = one.document.superseded_by
        if by is None:
            return None
        newer = known.get(by) or offers.of_document(transaction, plan=member.plan, document=by)
        if newer is None:
            return Refused("no_rule", "What replaced it is offered to nobody.")
        one = newer
    return way.withheld[-1].refusal


def _is_open(snapshot: Snapshot, open_ids: frozenset[DocumentId]) -> bool:
    """Whether all that it was made of may still be given: what was unfiled is not."""
    return open_ids.issuperset(snapshot.sources)


def current(given: tuple[OfferedDocument, ...]) -> tuple[OfferedDocument, ...]:
    """Those that no other replaced."""
    return tuple(one for one in given if one.document.superseded_by is None)


def is_kept(offered: OfferedDocument) -> bool:
    """Whether there is a document of it yet."""
    return bool(offered.document.blob.address)


def as_it_stands(offered: OfferedDocument) -> OfferedDocument:
    """A document that another replaced is deprecated (DECISIONS 14), whenever it was described."""
    if offered.document.superseded_by is None:
        return offered
    # The entry's own status stands in its first tag, before any text that could hold the same.
    now = offered.entry_xml.replace(f'"{STATUS}Approved"', f'"{STATUS}Deprecated"', 1)
    return replace(offered, entry_xml=now)


Shown = OfferedDocument | SubmissionSet | Association


def documents_of(shown: Shown, shelf: Shelf) -> tuple[Document, ...]:
    """Those of our documents that the object tells of, for the record."""
    match shown:
        case OfferedDocument():
            ids = [shown.entry_uuid]
        case SubmissionSet():
            ids = [registered_by(shown.entry_uuid) or ""]
        case Association():
            ids = [shown.source, shown.target]
        case _:
            assert_never(shown)
    found = (one for each in ids if (one := shelf.by_id.get(each)))
    return tuple(one.document for one in found if is_kept(one))
