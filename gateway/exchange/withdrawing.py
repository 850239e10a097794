"""A document that was filed wrongly is taken out again (DECISIONS 14).

What it had superseded is decided anew, and the summary no longer rests on it.
"""

from datetime import datetime

from gateway.exchange.summaries import hold_summary, renew_summary
from gateway.exchange.superseding import settle_versions, tied_documents
from gateway.model.document import Document
from gateway.store import documents
from gateway.store.database import Transaction


def withdraw(transaction: Transaction, filed: Document, *, reason: str, now: datetime) -> Document:
    """The document as withdrawn; the caller's record of it stands in the same transaction."""
    member = filed.member
    if member is not None:
        hold_summary(transaction, plan=filed.plan, member=member, now=now)
    tied = tied_documents(transaction, filed)
    done = documents.withdraw(transaction, plan=filed.plan, document=filed.id, reason=reason)
    # Without it the others may fall apart into several families.
    for other in tied:
        settle_versions(transaction, other)
    if member is not None:
        renew_summary(transaction, plan=filed.plan, member=member, now=now)
    return done
