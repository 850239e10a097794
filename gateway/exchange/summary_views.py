"""A member's summary in words, from the index: what its page and its print are made of."""

from datetime import datetime

from ccda.html.sheet import Sheet, write_sheet
from gateway.exchange.summaries import build_summary, completeness
from gateway.exchange.summarize import member_json
from gateway.model.member import Member
from gateway.store.database import Transaction


def read_sheet(transaction: Transaction, *, member: Member, now: datetime) -> Sheet:
    """What all filed documents say, in words, and how complete it is."""
    return write_sheet(
        build_summary(transaction, plan=member.plan, member=member.id, now=now),
        member=member_json(member),
        completeness=completeness(transaction, member=member),
    )
