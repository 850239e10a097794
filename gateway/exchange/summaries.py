"""The member's merged summary: renewed with each document filed, completed when it is read.

What the documents say is materialised in the transaction that changes it (DECISIONS 28); how each
partner answered is read fresh, since a partner that knows nobody changes no document.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ccda.summary import Completeness, Summary, summary_json
from gateway.exchange.effort import TooMuchToMerge, at_most
from gateway.exchange.summarize import member_json, summarize
from gateway.model.document import Document, IndexedEntry
from gateway.model.identity import MemberId, PlanId
from gateway.model.later import RENEW_SUMMARY
from gateway.model.member import Member
from gateway.model.partner import Partner
from gateway.model.retrieval import PartnerProgress, Retrieval
from gateway.store import clinical, partners, retrievals
from gateway.store.database import Transaction
from gateway.store.job_queue import JobQueue

_RETRIEVALS_LOOKED_AT: Final = 20
"""How far back a partner's last answer is looked for."""


@dataclass(slots=True)
class Allowance:
    """What the documents of one message may take to be merged with what their members have.

    Statements and characters that are read together, all members together, and comparisons of two
    statements, of which each takes three microseconds: half a second with all of them. What takes
    more is left to jobs in `queue`.
    """

    queue: JobQueue
    statements: int = 3000
    characters: int = 4_000_000
    steps: int = 100_000

    def take_extent(self, transaction: Transaction, plan: PlanId, member: MemberId) -> None:
        """
        Raises:
            TooMuchToMerge: the member's documents say more than is left.
        """
        statements, characters = clinical.extent_of_member(
            transaction, plan=plan, member=member, most=self.statements + 1
        )
        if statements > self.statements or characters > self.characters:
            raise TooMuchToMerge
        self.statements -= statements
        self.characters -= characters


def renew_summary(
    transaction: Transaction,
    *,
    plan: PlanId,
    member: MemberId,
    now: datetime,
    indexed: clinical.Statements | None = None,
    allowance: Allowance | None = None,
) -> None:
    """Makes the stored summary say what the member's filed documents say now.

    `indexed` is what this transaction put into the index, so that it need not be read back. What
    takes more than the `allowance` is left to a job, and until that is done the summary is made
    whenever it is asked for.
    """
    hold_summary(transaction, plan=plan, member=member, now=now)
    if allowance is None:
        _renew(transaction, plan, member, now, indexed)
        return
    try:
        allowance.take_extent(transaction, plan, member)
        with at_most(allowance.steps) as left:
            try:
                _renew(transaction, plan, member, now, indexed)
            finally:
                allowance.steps = left()
    except TooMuchToMerge:
        clinical.forget_summary(transaction, plan=plan, member=member)
        allowance.queue.enqueue(
            transaction, kind=RENEW_SUMMARY, plan=plan, payload={"member": member}
        )


def _renew(
    transaction: Transaction,
    plan: PlanId,
    member: MemberId,
    now: datetime,
    indexed: clinical.Statements | None,
) -> None:
    filed = clinical.of_member(
        transaction, plan=plan, member=member, superseded=True, known=indexed
    )
    summary = _merged(filed, now)
    form = summary_json(summary, member={}, completeness=())
    clinical.save_summary(transaction, plan=plan, member=member, summary=form, as_of=now)


def hold_summary(
    transaction: Transaction, *, plan: PlanId, member: MemberId, now: datetime
) -> None:
    """Until COMMIT nobody else changes what the member's documents say together.

    Two that file for one member at once see nothing of each other on PostgreSQL. The second waits
    here for the first, and what it reads after that includes the first one's documents.
    """
    if transaction.is_postgres:
        blank = summary_json(Summary(now.isoformat()), member={}, completeness=())
        clinical.save_summary(transaction, plan=plan, member=member, summary=blank, as_of=now)


def build_summary(
    transaction: Transaction, *, plan: PlanId, member: MemberId, now: datetime
) -> Summary:
    """The merged summary, made anew from the index."""
    filed = clinical.of_member(transaction, plan=plan, member=member, superseded=True)
    return _merged(filed, now)


def _merged(filed: tuple[tuple[Document, tuple[IndexedEntry, ...]], ...], now: datetime) -> Summary:
    return summarize(_pairs(filed), as_of=now, documents=[document for document, _ in filed])


def _pairs(
    filed: tuple[tuple[Document, tuple[IndexedEntry, ...]], ...],
) -> Iterator[tuple[Document, IndexedEntry]]:
    for document, entries in filed:
        for entry in entries:
            yield document, entry


def read_summary(transaction: Transaction, *, member: Member, now: datetime) -> dict[str, Any]:
    """The summary as ARCHITECTURE fixes its JSON, with how complete it is.

    A member without documents has an empty one: that nothing is known is an answer too.
    """
    form = clinical.load_summary(transaction, plan=member.plan, member=member.id)
    if form is None:  # there is no document, or it waits to be renewed
        made = build_summary(transaction, plan=member.plan, member=member.id, now=now)
        form = summary_json(made, member={}, completeness=())
    answers = completeness(transaction, member=member)
    blank = summary_json(Summary(now.isoformat()), member={}, completeness=answers)
    return {**form, "member": member_json(member), "completeness": blank["completeness"]}


def completeness(transaction: Transaction, *, member: Member) -> tuple[Completeness, ...]:
    """How each partner of the plan answered when it was last asked (DECISIONS 13).

    While it is asked again, what it answered before counts. One that is reached by another
    community has that one's answer, unless it was asked itself.
    """
    latest: dict[str, tuple[Retrieval, PartnerProgress]] = {}
    being_asked: set[str] = set()
    asked = retrievals.list_page(
        transaction, plan=member.plan, member=member.id, limit=_RETRIEVALS_LOOKED_AT
    )
    for retrieval in asked:  # newest first
        for progress in retrieval.partners:
            if progress.outcome is not None:
                latest.setdefault(progress.partner, (retrieval, progress))
            elif retrieval.state in ("waiting", "running"):
                being_asked.add(progress.partner)
    everyone = partners.list_all(transaction, plan=member.plan)
    homes = {partner.home_community_id.urn for partner in everyone}
    return tuple(
        _answer(partner, latest.get(partner.id), is_being_asked=partner.id in being_asked)
        for partner in everyone
        if partner.profile.within not in homes or partner.id in latest or partner.id in being_asked
    )


def _answer(
    partner: Partner,
    latest: tuple[Retrieval, PartnerProgress] | None,
    *,
    is_being_asked: bool,
) -> Completeness:
    if latest is None:
        detail = "being asked now" if is_being_asked else None
        return Completeness(partner.name, "not_asked", detail=detail)
    retrieval, progress = latest
    at = retrieval.finished or retrieval.created
    return Completeness(
        partner=partner.name,
        outcome=progress.outcome or "not_asked",
        documents=progress.documents_found,
        missing=progress.documents_missing,
        at=at.isoformat(),
        detail=progress.detail,
    )
