"""The records of an AuditEvent search: whose id it was that was asked by, and a page of them."""

import re
from dataclasses import dataclass, replace
from typing import Final

from gateway.exchange.fhir_audit import Observer
from gateway.exchange.fhir_audit_search import AnyOf, AuditSearch, BadSearch, Token
from gateway.model.exchange import ExchangeFilter, RecordedExchange
from gateway.model.identity import DocumentId, MemberId, PartnerId, PlanId
from gateway.model.member import Plan
from gateway.model.retention import PlanMonth
from gateway.store import disposals, exchange_log, exchange_search, members
from gateway.store.transaction import Transaction

_OUR_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """A page, and the member whom it was asked for; of a page of none how many there are in all.

    Of `hidden` months nobody can say any more which records are of what was asked for, nor how
    many.
    """

    records: tuple[RecordedExchange, ...]
    member: MemberId | None
    total: int | None = None
    hidden: tuple[PlanMonth, ...] = ()


class _Nothing(Exception):
    """No record can fit."""


def find_events(
    transaction: Transaction,
    search: AuditSearch,
    *,
    plan: Plan,
    observer: Observer,
    after: int | None,
    is_in_url: bool,
) -> FoundEvents:
    """The page that follows the record `after`, or the first.

    Raises:
        BadSearch: a number of the plan's stands in a URL (DECISIONS 20), or several values where
            one can be searched for.
        NoSuchRecord: the plan has no record `after`.
    """
    wanted = ExchangeFilter(
        since=search.since, until=search.until, among=search.among, outcomes=search.outcomes
    )
    hidden = _hidden(transaction, search, plan.id)
    seek = _Seeking(transaction, plan, observer, is_in_url)
    try:
        for token in _single("patient.identifier", search.patients):
            wanted = seek.patient(wanted, token)
        for token in _single("entity.identifier", search.entities):
            wanted = seek.entity(wanted, token)
        for token in _single("agent.identifier", search.agents):
            wanted = seek.agent(wanted, token)
        for tokens in search.sources:
            if not any(_names_us(token, observer) for token in tokens):
                raise _Nothing
    except _Nothing:
        return FoundEvents((), None, None if search.count or hidden else 0, hidden)
    if search.count == 0:
        total = None if hidden else exchange_search.number(transaction, plan=plan.id, wanted=wanted)
        return FoundEvents((), wanted.member, total, hidden)
    records = exchange_log.search(
        transaction,
        plan=plan.id,
        wanted=wanted,
        order="time" if search.order else "sequence",
        descending=search.order != "date",
        limit=search.count,
        after=after,
    )
    return FoundEvents(records, wanted.member, hidden=hidden)


def _hidden(transaction: Transaction, search: AuditSearch, plan: PlanId) -> tuple[PlanMonth, ...]:
    """The disposed months, if somebody or something is asked for.

    What is no document's id now may have been one then.
    """
    asked = [token.code for tokens in (*search.patients, *search.entities) for token in tokens]
    document = DocumentId(asked[0]) if asked else None
    span = ExchangeFilter(since=search.since, until=search.until, document=document)
    return disposals.hidden(transaction, plan, span)


def _single(name: str, given: tuple[AnyOf, ...]) -> tuple[Token, ...]:
    if any(len(tokens) != 1 for tokens in given):
        raise BadSearch(name, "Only one value at a time is searched for.", "not-supported")
    return tuple(token for tokens in given for token in tokens)


def _number_in_url(name: str) -> BadSearch:
    why = "A member's number stands in no URL: ask by POST to AuditEvent/_search."
    return BadSearch(name, why, "security")


def _names_us(token: Token, observer: Observer) -> bool:
    return token.fits(observer.id, "") or token.fits(f"urn:oid:{observer.id}", "urn:ietf:rfc:3986")


@dataclass(frozen=True, slots=True)
class _Seeking:
    """What a token stands for; each narrows what is wanted already."""

    transaction: Transaction
    plan: Plan
    observer: Observer
    is_in_url: bool

    def patient(self, wanted: ExchangeFilter, token: Token) -> ExchangeFilter:
        member = self._member(token)
        if member is None or wanted.member not in (None, member):
            raise _Nothing
        return replace(wanted, member=member)

    def _member(self, token: Token) -> MemberId | None:
        numbers = self.plan.member_id_root and f"urn:oid:{self.plan.member_id_root}"
        is_number = token.system is not None and token.system == numbers
        is_ours = token.system in (None, "", self.observer.patients)
        # Of no system it may be a number: in a URL only what is written as our ids are is none.
        if self.is_in_url and (is_number or (is_ours and not _OUR_ID.fullmatch(token.code))):
            raise _number_in_url("patient.identifier")
        given = {"plan": self.plan.id}
        if token.system in (None, self.observer.patients):
            found = members.get(self.transaction, member=MemberId(token.code), **given)
            if found is not None:
                return found.id
        if is_number or (token.system is None and not self.is_in_url):
            named = members.get_by_member_id(self.transaction, member_id=token.code, **given)
            return None if named is None else named.id
        return None

    def entity(self, wanted: ExchangeFilter, token: Token) -> ExchangeFilter:
        """Of no system: a document if one of that id was ever named, else a message."""
        if token.system not in (None, ""):
            return self.patient(wanted, token)
        document = DocumentId(token.code)
        if self._is_known(ExchangeFilter(document=document)):
            if wanted.document not in (None, document):
                raise BadSearch("entity.identifier", "One document at a time.", "not-supported")
            return replace(wanted, document=document)
        if token.system is None and self._is_member(token):
            return self.patient(wanted, token)
        if self.is_in_url and self._is_number(token):
            raise _number_in_url("entity.identifier")
        if wanted.message_id not in (None, token.code):
            raise _Nothing  # a record is of one message
        return replace(wanted, message_id=token.code)

    def _is_member(self, token: Token) -> bool:
        found = members.get(self.transaction, plan=self.plan.id, member=MemberId(token.code))
        return found is not None

    def _is_number(self, token: Token) -> bool:
        plan, number = self.plan.id, token.code
        found = members.get_by_member_id(self.transaction, plan=plan, member_id=number)
        return found is not None

    def agent(self, wanted: ExchangeFilter, token: Token) -> ExchangeFilter:
        """We take part in all; else a partner or a person if one of that name is known, or the
        address of one who is not."""
        if _names_us(token, self.observer):
            return wanted
        if token.system not in (None, ""):
            raise _Nothing
        for narrowed in (
            ExchangeFilter(partner=PartnerId(token.code)),
            ExchangeFilter(person=token.code),
        ):
            if self._is_known(narrowed):
                partner, person = narrowed.partner, narrowed.person
                if partner is not None and wanted.partner not in (None, partner):
                    raise _Nothing
                if person is not None and wanted.person not in (None, person):
                    raise _Nothing
                return replace(
                    wanted, partner=partner or wanted.partner, person=person or wanted.person
                )
        if wanted.peer not in (None, token.code):
            raise _Nothing
        return replace(wanted, peer=token.code)

    def _is_known(self, wanted: ExchangeFilter) -> bool:
        found = exchange_log.search(self.transaction, plan=self.plan.id, wanted=wanted, limit=1)
        return bool(found)
