"""What no rule could decide, a person does: whose a document is, whether a match is one.

Each decision can be undone: then the document or the match waits again, as if nobody had looked.
The caller's record of who decided, and why, stands in the same transaction (DECISIONS 12, 14, 16).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from gateway.exchange.archive import Archive
from gateway.exchange.filing import file_document
from gateway.exchange.ingest import Received, receive
from gateway.exchange.summaries import hold_summary, renew_summary
from gateway.exchange.superseding import settle_versions
from gateway.exchange.withdrawing import withdraw
from gateway.model.community import Community
from gateway.model.document import Document
from gateway.model.identity import DocumentId, PlanId
from gateway.model.link import Link
from gateway.model.member import Member, Plan
from gateway.store import documents, links
from gateway.store.database import Transaction
from gateway.store.errors import UnknownId

Verdict = Literal["confirmed", "rejected"]
_TAKEN_BACK = "what was decided of it was taken back"


class NothingToDecide(Exception):
    """What it is now leaves nothing to decide; the text says what it is."""


# ---- documents -------------------------------------------------------------------------------


async def read_held(archive: Archive, document: Document, plan: Plan) -> Received:
    """What a held document's bytes say; outside any transaction.

    Raises:
        NothingToDecide: it does not wait.
    """
    _require_held(document)
    return await receive(archive, document.blob, plan=plan, source=document.source)


def file_as(
    received: Received,
    document: DocumentId,
    *,
    member: Member,
    community: Community,
    now: datetime,
) -> Callable[[Transaction], Document]:
    """The unit of work that makes the held document the member's, whomever it resembles.

    It raises UnknownId, or NothingToDecide when somebody else was faster.
    """

    def unit(transaction: Transaction) -> Document:
        plan = member.plan
        held = _the_document(transaction, plan, document)
        _require_held(held)
        filed = file_document(
            transaction, held, received.reading, member=member, community=community
        )
        hold_summary(transaction, plan=plan, member=member.id, now=now)
        settle_versions(transaction, filed)
        renew_summary(transaction, plan=plan, member=member.id, now=now)
        return filed

    return unit


def reject_document(
    transaction: Transaction, *, plan: PlanId, document: DocumentId, reason: str
) -> Document:
    """The held document is of nobody here; when its bytes come again it stays so.

    Raises:
        UnknownId
        NothingToDecide: it does not wait.
    """
    _require_held(_the_document(transaction, plan, document))
    return documents.withdraw(transaction, plan=plan, document=document, reason=reason)


def unfile(
    transaction: Transaction, *, plan: PlanId, document: DocumentId, reason: str, now: datetime
) -> Document:
    """Takes a wrongly filed document out of its member's summary, exports and offers.

    Raises:
        UnknownId
        NothingToDecide: it is not filed.
    """
    filed = _the_document(transaction, plan, document)
    if filed.state != "filed":
        raise NothingToDecide(f"the document is {filed.state}, not filed")
    return withdraw(transaction, filed, reason=reason, now=now)


def undo_document(
    transaction: Transaction, *, plan: PlanId, document: DocumentId, now: datetime
) -> Document:
    """The filed or withdrawn document waits again, for whoever it was filed with or held for.

    Raises:
        UnknownId
        NothingToDecide: it waits already, or was never read.
    """
    decided = _the_document(transaction, plan, document)
    if decided.state not in ("filed", "withdrawn"):
        raise NothingToDecide(f"the document is {decided.state}: there is nothing to undo")
    if decided.state == "filed":
        withdraw(transaction, decided, reason=_TAKEN_BACK, now=now)
    return documents.hold(
        transaction,
        plan=plan,
        document=document,
        reason=_TAKEN_BACK,
        candidate=decided.member or decided.candidate,
    )


def _the_document(transaction: Transaction, plan: PlanId, document: DocumentId) -> Document:
    # Of two people who decide at once the second must see what the first decided.
    found = documents.get(transaction, plan=plan, document=document, to_change=True)
    if found is None:
        raise UnknownId("document", document)
    return found


def _require_held(document: Document) -> None:
    if document.state != "held":
        raise NothingToDecide(f"the document is {document.state}: it does not wait")


# ---- matches ---------------------------------------------------------------------------------


def find_match(transaction: Transaction, *, plan: PlanId, match: str) -> Link | None:
    """The match of this id: one that waits, or that a person or a comparison has decided."""
    return links.find(transaction, plan=plan, id=match)


def decide_match(transaction: Transaction, *, plan: PlanId, match: str, verdict: Verdict) -> Link:
    """Whether the community's patient is our member; no later comparison changes it.

    Raises:
        UnknownId
        NothingToDecide: somebody has decided it already, so or otherwise: that is undone first.
    """
    link = _the_match(transaction, plan, match)
    if link.is_decided and link.state == verdict:
        raise NothingToDecide(f"the match is {verdict} already")
    if link.is_decided:
        raise NothingToDecide(f"the match is {link.state}: undo that before it is decided anew")
    links.decide(transaction, link, state=verdict)
    return _the_match(transaction, plan, match)


def undo_match(transaction: Transaction, *, plan: PlanId, match: str) -> Link:
    """The match waits again: it is used for nothing until somebody decides anew.

    Raises:
        UnknownId
        NothingToDecide: nobody has decided it.
    """
    link = _the_match(transaction, plan, match)
    if not link.is_decided:
        raise NothingToDecide("nobody has decided this match: there is nothing to undo")
    links.decide(transaction, link, state="held")
    return _the_match(transaction, plan, match)


def _the_match(transaction: Transaction, plan: PlanId, match: str) -> Link:
    found = find_match(transaction, plan=plan, match=match)
    if found is None:
        raise UnknownId("match", match)
    # Of two people who decide at once the second must see what the first decided.
    return links.to_change(transaction, found)
