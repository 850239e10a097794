"""A member's accounting of disclosures, from the log, the partner directory and the index."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import chain
from typing import Any, Final

from gateway.exchange import accounting
from gateway.exchange.accounting import (
    after,
    broken_answers,
    documents_that_left,
    link_to,
    read_findings,
    what_left,
    window,
)
from gateway.exchange.disclosures_envelopes import listed_anything, told_besides
from gateway.exchange.spreadsheet import write_csv
from gateway.exchange.summarize import member_json
from gateway.model.disclosure import (
    FINDING,
    Accounting,
    Disclosure,
    Exclusion,
    Finding,
    FindingKind,
    NamedDocument,
    Recipient,
)
from gateway.model.exchange import Exchange, ExchangeFilter, RecordedExchange
from gateway.model.identity import DocumentId, PlanId
from gateway.model.member import Member
from gateway.store import documents, exchange_log, partners
from gateway.store.keys import KeyRing
from gateway.store.transaction import Transaction

COLUMNS: Final = (
    "date", "recipient", "address", "community", "what", "documents", "purpose", "certain",
    "listed", "exclusion", "record",
)  # fmt: skip
_PAGE: Final = 1000
_BROKEN_WITHIN: Final = timedelta(days=7)
"""How long after an answer its record may be followed by the one that says that it broke off."""


def account(
    transaction: Transaction,
    keys: KeyRing,
    *,
    member: Member,
    asked: date,
    since: date | None = None,
    until: date | None = None,
) -> Accounting:
    """What left the house of the member in those days, both inclusive and in UTC.

    Findings count whenever they were made: they are about what happened, not when it was seen. What
    a partner was told that asked for more, and whether a list told anything, stands in the
    envelopes that are kept; `keys` open them.

    Raises:
        NoSuchWindow: no day is asked for that an accounting may be of.
    """
    first, last = window(asked, since, until)
    findings = read_findings(_records(transaction, member, ExchangeFilter(transaction=FINDING)))
    end = _midnight(after(last))
    wanted = ExchangeFilter(since=_midnight(first), until=end)
    records = {one.sequence: one for one in _records(transaction, member, wanted)}
    for sequence in findings.keys() - records.keys():
        # A message that was misdirected may name nobody, or somebody else.
        record = exchange_log.get(transaction, plan=member.plan, sequence=sequence)
        if record is not None and first <= record.exchange.time.date() <= last:
            records[sequence] = record
    late = ExchangeFilter(since=end, until=end + _BROKEN_WITHIN, outcome="failed")
    failed = chain(records.values(), _records(transaction, member, late))
    broken = broken_answers(record.exchange for record in failed)
    disclosure = partial(_disclosure, transaction, keys, member.plan, broken=broken)
    disclosures = (
        disclosure(records[sequence], findings.get(sequence)) for sequence in sorted(records)
    )
    found = [one for one in disclosures if one is not None]
    return Accounting(
        member=member,
        plan=member.plan,
        rules=accounting.RULES,
        asked=asked,
        since=first,
        until=last,
        listed=tuple(one for one in found if one.exclusion is None),
        excluded=tuple(one for one in found if one.exclusion is not None),
    )


def new_finding(
    about: RecordedExchange, *, kind: FindingKind, member: Member | None, by: Exchange
) -> Exchange:
    """The record that says so; `by` is who says it and when."""
    told = about.exchange
    return replace(
        by,
        transaction=FINDING,
        plan=told.plan,
        partner=told.partner,
        purpose=told.purpose,
        member=told.member if member is None else member.id,
        documents=told.documents,
        reason=kind,
        conversation=told.conversation,
        message_id=link_to(about.sequence),
    )


def _told(exchange: Exchange, finding: Finding | None) -> str | None:
    """What left; of a record with a finding whatever it holds, since somebody has looked."""
    left = what_left(exchange)
    if left is None and finding is not None:
        return "what the record names"
    return left


def _records(
    transaction: Transaction, member: Member, wanted: ExchangeFilter
) -> Iterator[RecordedExchange]:
    """All of the member's records that fit, oldest first."""
    wanted, place = replace(wanted, member=member.id), None
    while True:
        page = exchange_log.search(
            transaction,
            plan=member.plan,
            wanted=wanted,
            descending=False,
            limit=_PAGE,
            after=place,
        )
        yield from page
        if len(page) < _PAGE:
            return
        place = page[-1].sequence


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _disclosure(
    transaction: Transaction,
    keys: KeyRing,
    plan: PlanId,
    record: RecordedExchange,
    finding: Finding | None,
    *,
    broken: Collection[object],
) -> Disclosure | None:
    """What the record disclosed; None if nothing."""
    told = record.exchange
    what = _told(told, finding)
    if what is None:
        return None
    is_listed = listed_anything(transaction, keys, told)
    if is_listed is False and finding is None:
        return None
    excluded = accounting.exclusion(told.purpose, finding)
    more = told_besides(transaction, keys, told) if excluded is None else None
    return Disclosure(
        sequence=record.sequence,
        time=told.time,
        transaction=told.transaction,
        recipient=_recipient(transaction, plan, told),
        what=what if more is None else f"{what}; besides that {more}",
        documents=tuple(_named(transaction, plan, each) for each in documents_that_left(told)),
        purpose=told.purpose,
        basis=accounting.basis(told.purpose, finding),
        is_certain=bool(is_listed) and accounting.is_certain(told, broken),
        finding=finding,
        exclusion=excluded,
    )


def _recipient(transaction: Transaction, plan: PlanId, told: Exchange) -> Recipient:
    """As the directory names it now; of one that is no longer there, what the record says."""
    known = None
    if told.partner is not None:
        known = partners.get(transaction, plan=plan, partner=told.partner)
    if known is None:
        return Recipient(told.partner or told.peer or "unknown")
    return Recipient(known.name, known.profile.postal_address, str(known.home_community_id))


def _named(transaction: Transaction, plan: PlanId, id: DocumentId) -> NamedDocument:
    known = documents.get(transaction, plan=plan, document=id)
    return NamedDocument(id, known.title if known else None)


# ---- as it is handed out ---------------------------------------------------------------------


def accounting_json(account: Accounting, *, everything: bool) -> dict[str, Any]:
    """As JSON; with `everything` also each exchange that is excluded, not only how many."""
    form = {
        "member": member_json(account.member),
        "plan": account.plan,
        "rules": account.rules,
        "asked": account.asked.isoformat(),
        "from": account.since.isoformat(),
        "to": account.until.isoformat(),
        "disclosures": [_json(one) for one in account.listed],
        "excluded": [
            {"exclusion": why.words, "paragraph": why.paragraph, "exchanges": number}
            for why, number in exclusions(account)
        ],
    }
    if everything:
        form["excluded_exchanges"] = [_json(one) for one in account.excluded]
    return form


def exclusions(account: Accounting) -> list[tuple[Exclusion, int]]:
    """How many exchanges each exclusion keeps out, in the order of the law."""
    counts = Counter(one.exclusion for one in account.excluded)
    return [(why, counts[why]) for why in accounting.EXCLUSIONS if counts[why]]


def _json(one: Disclosure) -> dict[str, Any]:
    return {
        "record": one.sequence,
        "time": one.time.isoformat(),
        "transaction": one.transaction,
        "recipient": {
            "name": one.recipient.name,
            "address": one.recipient.address,
            "community": one.recipient.community,
        },
        "what": one.what,
        "documents": [{"id": each.id, "title": each.title} for each in one.documents],
        "purpose": one.purpose,
        "basis": one.basis,
        "certain": one.is_certain,
        "finding": None
        if one.finding is None
        else {"kind": one.finding.kind, "record": one.finding.sequence},
        "exclusion": None if one.exclusion is None else one.exclusion.words,
        "paragraph": None if one.exclusion is None else one.exclusion.paragraph,
    }


def accounting_csv(account: Accounting, *, everything: bool) -> str:
    """One line a disclosure; with `everything` also the excluded, each with its reason."""
    told = sorted(
        (*account.listed, *(account.excluded if everything else ())), key=lambda one: one.sequence
    )
    return write_csv(COLUMNS, (_cells(one) for one in told))


def _cells(one: Disclosure) -> tuple[object, ...]:
    why = one.exclusion
    return (
        one.time.date().isoformat(),
        one.recipient.name,
        one.recipient.address,
        one.recipient.community,
        one.what,
        "; ".join(each.title or each.id for each in one.documents),
        one.basis,
        "yes" if one.is_certain else "nothing says so",
        "yes" if why is None else "no",
        None if why is None else f"{why.words} ({why.paragraph})",
        one.sequence,
    )
