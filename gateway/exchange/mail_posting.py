"""Sending by Direct: whether it may be sent (DECISIONS 8 to 10), and what is attached.

To send is to disclose: a purpose, a person and an authority are stated or nothing leaves; a
member who has opted out, or is not covered, is not sent about; and of a member's record goes what
a rule gives to that domain, nothing else. A domain that is no partner's of the directory is given
what rules give to every partner.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import NAMESPACE_DNS, uuid5

from direct.addresses import Mailbox, each_once
from direct.message import OutgoingPart
from gateway.exchange.asker import Way
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.ingest import read
from gateway.exchange.mail_composing import Draft, write_draft
from gateway.exchange.mail_packing import File, Given, Load, Packed, Packing, pack
from gateway.exchange.mail_partners import partner_of_domain
from gateway.exchange.on_demand import kept_snapshot
from gateway.exchange.policy import Refused, may_ask, requester_stated
from gateway.exchange.reading import sniff
from gateway.exchange.shelf import Shelf, open_shelf
from gateway.model.document import OfferedDocument
from gateway.model.exchange import Exchange
from gateway.model.identity import DocumentId, MemberId, PartnerId
from gateway.model.member import Plan
from gateway.model.partner import Endpoints, Partner
from gateway.model.purpose import PurposeOfUse
from gateway.model.retrieval import Requester
from gateway.model.sent_mail import SentMail
from gateway.settings_mail_out import Package
from gateway.store import members, policy_rules
from gateway.store.database import Transaction
from ihe.identifiers import HomeCommunityId


class NotSent(Exception):
    """It may not, or cannot, be sent; the text is a sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants to send: a member's summary or documents, files of their own, text."""

    sender: str
    to: tuple[str, ...]
    purpose: str
    person: str
    role: str | None = None
    authority: str | None = None
    member: MemberId | None = None
    summary: bool = False
    documents: tuple[DocumentId, ...] = ()
    files: tuple[OutgoingPart, ...] = ()
    subject: str | None = None
    text: str = ""
    wants_dispatched: bool = True
    package: Package | None = None
    """As the domain's route says if left out; so is `context`."""
    context: bool | None = None


async def prepare(means: DirectMeans, plan: Plan, order: Order, *, now: datetime) -> SentMail:
    """The message, ready for `mail_delivering.enqueue_message`; nothing has been queued yet.

    Raises:
        NotSent: it may not be sent, or an address or attachment cannot be.
    """
    requester, purpose = _stated(plan, order)
    _check_addresses(means, plan, order)
    shelf: Shelf | None = None
    given: tuple[Given, ...] = ()
    if order.member is not None:
        shelf = await means.archive.database.read_async(
            lambda tx: _given(tx, means, plan, order, requester, purpose, now)
        )
        # Making the summary and reading blobs take longer than the loop may be held up.
        given = await asyncio.to_thread(_documents, means, shelf, order, now)
    elif order.summary or order.documents:
        raise NotSent("a summary or document is a member's; say whose")
    packed = await _packed(means, order, shelf, given, purpose, now)
    record = Exchange(
        time=now,
        direction="out",
        transaction="DIRECT-SEND",
        outcome="unknown",
        plan=plan.id,
        partner=await _partner_id(means, plan, order),
        person=requester.person,
        role=requester.role,
        purpose=purpose.code,
        authority=requester.authority,
        member=order.member,
        documents=tuple(one.offered.document.id for one in given),
    )
    draft = Draft(
        sender=order.sender,
        to=order.to,
        parts=packed.parts,
        record=record,
        text="\n\n".join(filter(None, (order.text, packed.notice))),
        subject=order.subject,
        wants_dispatched=order.wants_dispatched,
        fields=packed.fields,
    )
    try:
        return await write_draft(means.archive, plan.id, draft, now=now)
    except ValueError as error:
        raise NotSent(f"the message cannot be written: {error}") from None


# ---- whether -----------------------------------------------------------------------------------


def _stated(plan: Plan, order: Order) -> tuple[Requester, PurposeOfUse]:
    try:
        purpose = PurposeOfUse.parse(order.purpose)
    except ValueError as error:
        raise NotSent(f"the purpose is not usable: {error}") from None
    requester = requester_stated(
        plan, person=order.person, role=order.role, authority=order.authority
    )
    if isinstance(requester, Refused):
        raise NotSent(requester.reason)
    return requester, purpose


def _check_addresses(means: DirectMeans, plan: Plan, order: Order) -> None:
    if not order.to:
        raise NotSent("there is no recipient")
    for address in (order.sender, *order.to):
        try:
            Mailbox.parse(address)
        except ValueError as error:
            raise NotSent(f"{address} is no address: {error}") from None
    if means.domains.plan_of(order.sender) != plan.id:
        raise NotSent("the sender is no address of this plan's domains")
    if order.member is not None and len({_domain(one) for one in order.to}) > 1:
        raise NotSent("about a member, one domain is written to at a time: rules differ by domain")


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


async def _partner_id(means: DirectMeans, plan: Plan, order: Order) -> PartnerId | None:
    """None where several domains are written to: each delivery's record names its own."""
    domain, *others = {_domain(one) for one in order.to}
    if others:
        return None
    known = await means.archive.database.read_async(
        lambda tx: partner_of_domain(tx, plan.id, domain)
    )
    return None if known is None else known.id


def _given(
    transaction: Transaction,
    means: DirectMeans,
    plan: Plan,
    order: Order,
    requester: Requester,
    purpose: PurposeOfUse,
    now: datetime,
) -> Shelf:
    """All of the member's record that rules give to the recipients' domain for this purpose."""
    member = members.get(transaction, plan=plan.id, member=order.member or MemberId(""))
    if member is None:
        raise NotSent("there is no such member in this plan")
    verdict = may_ask(
        member,
        purpose=purpose,
        requester=requester.person,
        treatment_agreed=plan.treatment_agreement is not None,
        on=now.date(),
    )
    if isinstance(verdict, Refused):
        raise NotSent(verdict.reason)
    domain = _domain(order.to[0])
    partner = partner_of_domain(transaction, plan.id, domain) or _stranger(domain)
    rules = policy_rules.list_all(transaction, plan=plan.id)
    return open_shelf(transaction, Way(plan, partner, purpose, rules), member, means.community)


def _stranger(domain: str) -> Partner:
    """A domain that is nobody's of the directory: only rules for every partner reach it."""
    number = uuid5(NAMESPACE_DNS, domain).int
    home = HomeCommunityId.parse(f"2.25.{number}")
    return Partner(PartnerId(str(home)), domain, home, Endpoints(direct_domain=domain))


# ---- what --------------------------------------------------------------------------------------


def _documents(means: DirectMeans, shelf: Shelf, order: Order, now: datetime) -> tuple[Given, ...]:
    """What goes along of the member's record, with its bytes."""
    load = means.archive.load
    return tuple(
        Given(one, load(one.document.plan, one.document.blob))
        for one in _offered(means, shelf, order, now)
    )


def _offered(
    means: DirectMeans, shelf: Shelf, order: Order, now: datetime
) -> Iterator[OfferedDocument]:
    if order.summary:
        if shelf.summary is None:
            raise NotSent("no rule gives this domain the member's summary for this purpose")
        yield kept_snapshot(means.archive, shelf.summary, means.community, now=now).offered
    known = {one.document.id: one for one in shelf.documents}
    for wanted in order.documents:
        if wanted not in known:
            raise NotSent("no rule gives this domain one of the documents for this purpose")
        yield known[wanted]


async def _packed(
    means: DirectMeans,
    order: Order,
    shelf: Shelf | None,
    given: tuple[Given, ...],
    purpose: PurposeOfUse,
    now: datetime,
) -> Packed:
    packing = _packing(means, order)
    load = Load(
        sender=order.sender,
        to=each_once(order.to),
        given=given,
        files=tuple([await _file(means, one, packing) for one in order.files]),
        member=None if shelf is None else shelf.member,
        community=means.community,
        purpose=purpose,
    )
    try:
        return await asyncio.to_thread(pack, load, packing, now=now)
    except ValueError as error:
        raise NotSent(f"the message cannot be written: {error}") from None


def _packing(means: DirectMeans, order: Order) -> Packing:
    """As the order says, else as the recipients' domain is written to, else what all can read."""
    stated = {means.packing(_domain(one)) for one in order.to}
    packing = stated.pop() if len(stated) == 1 else Packing()
    return replace(
        packing,
        package=order.package or packing.package,
        context=packing.context if order.context is None else order.context,
    )


async def _file(means: DirectMeans, part: OutgoingPart, packing: Packing) -> File:
    """With what it says of itself, where the package has a place for that."""
    if packing.package == "attachments" or sniff(part.content) != "text/xml":
        return File(part)
    return File(part, await read(means.archive, part.content))
