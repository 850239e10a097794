"""Documents asked for by id: those a rule opens to the asker, whosever they are."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

from gateway.exchange.asker import Asker, Effect, Way, ways
from gateway.exchange.on_demand import may_be_summarized
from gateway.exchange.registered import registered_by, uuid_of
from gateway.exchange.shelf import Shelf, as_it_stands, given_of, open_shelf
from gateway.model.community import Community
from gateway.model.document import Document, OfferedDocument
from gateway.model.identity import DocumentId, MemberId, PlanId
from gateway.model.member import Plan
from gateway.store import members, offers, snapshots
from gateway.store.database import Transaction

T = TypeVar("T")
WhyWithheld = Mapping[PlanId, str | None]
"""Why a plan's rules gave less than was asked for, in words."""
_IDS_AT_ONCE: Final = 500
"""Databases bound the parameters of a statement; a peer's list of ids is as long as it likes."""


def open_documents(
    transaction: Transaction, ids: Iterable[str], asker: Asker, plans: Iterable[Plan]
) -> tuple[tuple[OfferedDocument, ...], WhyWithheld]:
    """The documents of these entry UUIDs or unique ids; summaries are found by `shelves_of`."""
    found: list[OfferedDocument] = []
    why: dict[PlanId, str | None] = {}
    for way in ways(transaction, plans, asker):
        for some in _portions(ids):
            for offered in offers.by_ids(transaction, plan=way.plan.id, ids=some):
                owner = offered.document.member
                member = members.get(transaction, plan=way.plan.id, member=owner) if owner else None
                if member is not None:
                    given = given_of(transaction, [offered], way, member)
                    found.extend(map(as_it_stands, given))
        why[way.plan.id] = way.why_withheld()
    return tuple(found), why


def shelves_of(
    transaction: Transaction,
    ids: Iterable[str],
    asker: Asker,
    plans: Iterable[Plan],
    community: Community,
) -> Iterator[Shelf]:
    """Of everyone whom one of these ids concerns: a document's, a submission set's, a summary's.

    One after the other, as far as they are wanted: a list may name many people.
    """
    named = list(dict.fromkeys(ids))
    behind = [document for each in named if (document := registered_by(each))]
    for way in ways(transaction, plans, asker):
        owners = dict.fromkeys(_owners(transaction, way, [*named, *behind]))
        for owner in owners:
            member = members.get(transaction, plan=way.plan.id, member=owner)
            if member is not None:
                yield open_shelf(transaction, way, member, community)


def _owners(transaction: Transaction, way: Way, ids: list[str]) -> Iterator[MemberId]:
    """Whom the ids concern; a summary's are its member's own."""
    plan, partner = way.plan.id, way.partner.id
    for some in _portions(ids):
        taken = snapshots.by_ids(transaction, plan=plan, partner=partner, ids=some)
        named = offers.by_ids(transaction, plan=plan, ids=some)
        for one in (*named, *(each.offered for each in taken)):
            if one.document.member is not None:
                yield one.document.member
    for each in ids if may_be_summarized(way) else ():
        if (uuid := uuid_of(each)) is not None:
            yield MemberId(str(uuid))


def _portions(ids: Iterable[T]) -> Iterator[list[T]]:
    every = list(dict.fromkeys(ids))
    for start in range(0, len(every), _IDS_AT_ONCE):
        yield every[start : start + _IDS_AT_ONCE]


def effects_of(given: Iterable[Document], why: WhyWithheld) -> tuple[Effect, ...]:
    """One for each member whose documents were given, in the order they were.

    Why others were not is told in the log of their own plan, whether or not that gave anything.
    """
    found: dict[tuple[PlanId, MemberId | None], dict[DocumentId, None]] = {}
    for document in given:
        found.setdefault((document.plan, document.member), {})[document.id] = None
    giving = {plan for plan, _ in found}
    for plan, reason in why.items():
        if reason is not None and plan not in giving:
            found[plan, None] = {}
    return tuple(
        Effect("success", plan, member, tuple(ids), why.get(plan))
        for (plan, member), ids in found.items()
    )
