"""ITI-55 at one partner: whom it returns for our member, each looked at a second time.

A partner that asks for more demographics is asked again, once, with what it asked for. One that
then still names nobody is asked once more with what other communities know of the member.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from ccda.hl7v3 import II
from gateway.clients.failures import NotCalled
from gateway.exchange.asking import Answered, Call
from gateway.exchange.calling import put
from gateway.exchange.demographics import demographics
from gateway.exchange.disclosing import first_set, fuller_set
from gateway.exchange.linking import in_words, judge, linked, still_fits
from gateway.exchange.metadata import patient_id
from gateway.exchange.moments import written
from gateway.exchange.question import Question
from gateway.exchange.visit import Visit
from gateway.exchange.widening import Wider, widen
from gateway.model.link import Link
from gateway.model.retrieval import Retrieval
from gateway.store import links, partners
from gateway.store.database import Transaction
from ihe.acknowledgement import correlation_key
from ihe.soap import ITI_55_DEFERRED_REQUEST, ITI_55_REQUEST
from ihe.wire import OpenedAnswer
from ihe.xcpd import (
    Demographics,
    Discovery,
    Matched,
    MoreDemographicsRequested,
    NoMatch,
    PatientDiscoveryRequest,
    read_discovery_response,
    write_discovery_request,
)


async def discover(visit: Visit, address: str) -> tuple[Link, ...]:
    """Whom the partner knows as our member; asked once a retrieval, also when it is resumed.

    Not at all while its last answer may still be used (CorrelationTimeToLive).

    Raises:
        AnswerAwaited: the answer comes later.
        PartnerFailed, IheError: there is none.
    """
    if visit.progress.step != "discovery":
        return await visit.asking.archive.database.read_async(lambda tx: found_before(tx, visit))
    if kept := await _kept(visit):
        until = max(link.valid_until for link in kept if link.valid_until)
        visit.remarks.append(
            f"asked by the patient id it gave before, valid until {until:%Y-%m-%d}"
        )
        return kept
    known = visit.asking.member.demographics
    told = first_set(known)
    first = await _ask(visit, address, told, "first")
    if isinstance(first.discovery, Matched):
        return first.links
    if isinstance(first.discovery, MoreDemographicsRequested):
        fuller = _fuller(visit, first.discovery)
        if fuller is not None:
            told, second = fuller, await _ask(visit, address, fuller, "with what it asked for")
            if not isinstance(second.discovery, MoreDemographicsRequested):
                visit.remarks.append("it was asked again with that")
            if isinstance(second.discovery, Matched):
                return second.links
            if isinstance(second.discovery, MoreDemographicsRequested):
                visit.remarks.append("and asks for more still")
    return await _ask_with_what_others_know(visit, address, told)


def _fuller(visit: Visit, requested: MoreDemographicsRequested) -> Demographics | None:
    """What it asked for, as far as there is any of it to tell."""
    known = visit.asking.member.demographics
    ssn_allowed = visit.partner.profile.ssn_on_request
    fuller = fuller_set(known, requested, ssn_allowed=ssn_allowed)
    visit.remarks.append(_wanted(requested))
    if fuller.not_given is not None:
        visit.remarks.append(fuller.not_given)
    return fuller.demographics


async def _ask_with_what_others_know(
    visit: Visit, address: str, told: Demographics
) -> tuple[Link, ...]:
    """Former names, addresses and telephone numbers that other communities have on record for the
    person they know as our member (user-asks 11), with whose they are in the record."""
    if not visit.partner.profile.told_what_others_know:
        return ()
    known = await visit.asking.archive.database.read_async(lambda tx: _elsewhere(tx, visit))
    wider = widen(told, known)
    if wider is None:
        return ()
    visit.remarks.append(wider.said)
    return (await _ask(visit, address, wider.demographics, "with what others know", wider)).links


def _elsewhere(transaction: Transaction, visit: Visit) -> tuple[tuple[str, Demographics], ...]:
    """What other partners have said of the member, by their names; of confirmed links alone."""
    plan = visit.asking.plan.id
    known = links.of_member(transaction, plan=plan, member=visit.asking.member.id)
    found = []
    for link in known:
        if link.partner == visit.partner.id or link.state != "confirmed" or link.known is None:
            continue
        partner = partners.get(transaction, plan=plan, partner=link.partner)
        if partner is not None:
            found.append((partner.name, link.known))
    return tuple(found)


# ---- one request -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    discovery: Discovery
    links: tuple[Link, ...]


async def _ask(
    visit: Visit, address: str, told: Demographics, which: str, wider: Wider | None = None
) -> _Found:
    found: list[Link] = []

    async def read(answer: OpenedAnswer) -> tuple[Discovery, timedelta | None]:
        read = read_discovery_response(answer.body, asked=visit.partner.home_community_id)
        return read.discovery, answer.time_to_live

    def effect(transaction: Transaction, answer: tuple[Discovery, timedelta | None]) -> Answered:
        discovery, time_to_live = answer
        asking = visit.asking
        # What it said before counts no longer, whether or not it may still be used.
        links.forget(
            transaction, plan=asking.plan.id, member=asking.member.id, partner=visit.partner.id
        )
        judged = judge(visit, discovery, wider)
        found.extend(linked(transaction, visit, judged, time_to_live))
        for link in found:
            links.put(transaction, link)
        if found:
            visit.note(transaction, step="query")
        asked_with = None if wider is None else wider.said
        remarks = (_remark(visit, discovery), asked_with, *in_words(discovery, judged))
        return Answered(reason="; ".join(text for text in remarks if text) or None)

    question = _question(visit, address, told, f"ITI-55 {which}")
    answer = await put(visit, question, read, effect)
    if answer is None:  # never: what a discovery says is read again
        return _Found(NoMatch(), ())
    discovery, _ = answer
    if isinstance(discovery, Matched) and (remark := _remark(visit, discovery)):
        visit.remarks.append(remark)
    return _Found(discovery, tuple(found))


async def _kept(visit: Visit) -> tuple[Link, ...]:
    """The last answer's links, if they may be used without asking again and one is the member.

    Not if the roster has come to describe another person than it did when they were confirmed.
    """

    def unit(transaction: Transaction) -> tuple[Link, ...]:
        now = datetime.now(UTC)
        ours = demographics(visit.asking.member, visit.asking.plan)
        kept = tuple(
            link
            for link in _of_visit(transaction, visit)
            if link.valid_until is not None and link.valid_until > now
        )
        confirmed = [link for link in kept if link.state == "confirmed"]
        if not confirmed or not all(still_fits(link, ours) for link in confirmed):
            return ()
        visit.note(transaction, step="query")
        return kept

    return await visit.asking.archive.database.write_async(unit)


def _of_visit(transaction: Transaction, visit: Visit) -> tuple[Link, ...]:
    retrieval = visit.asking.retrieval
    return links.of_member(
        transaction, plan=retrieval.plan, member=retrieval.member, partner=visit.partner.id
    )


def found_before(transaction: Transaction, visit: Visit) -> tuple[Link, ...]:
    """What an attempt that died has learned: the demographics need not leave the house again."""
    retrieval = visit.asking.retrieval
    return tuple(link for link in _of_visit(transaction, visit) if is_of_retrieval(link, retrieval))


def is_of_retrieval(link: Link, retrieval: Retrieval) -> bool:
    """Whether the retrieval has found it, or may use it without having asked."""
    began = retrieval.created
    return link.found >= began or (link.valid_until is not None and link.valid_until > began)


def _question(visit: Visit, address: str, told: Demographics, name: str) -> Question:
    """It is answered at once, on a connection of its own, or deferred, as the profile says."""
    request, base = _request(visit, told), visit.asking.replies_at
    if not visit.partner.profile.deferred_discovery:
        body = write_discovery_request(request)
        return Question(Call(visit.partner, ITI_55_REQUEST, address, body, visit.patience), name)
    if base is None:
        raise NotCalled("it answers later, and our own address for that is not set")
    body = write_discovery_request(replace(request, deferred=True, respond_to=f"{base}/xcpd"))
    call = Call(visit.partner, ITI_55_DEFERRED_REQUEST, address, body, visit.patience)
    return Question(call, name, request_id=correlation_key(request.message_id))


def _request(visit: Visit, told: Demographics) -> PatientDiscoveryRequest:
    asking = visit.asking
    root = str(asking.community.messages)
    return PatientDiscoveryRequest(
        message_id=II(root, str(uuid4())),
        creation_time=written(datetime.now(UTC)),
        sender=asking.community.home_community_id,
        receiver=visit.partner.home_community_id,
        query_id=II(root, str(uuid4())),
        demographics=told,
        patient_id=patient_id(asking.member, asking.community),
        sender_authority=asking.community.patient_authority,
        minimum_degree_match=visit.partner.profile.minimum_degree_match or None,
    )


def _remark(visit: Visit, discovery: Discovery) -> str | None:
    match discovery:
        case MoreDemographicsRequested():
            return _wanted(discovery)
        case Matched(matches=matches, unreadable=unreadable):
            unread = f"{unreadable} of its matches could not be read" if unreadable else None
            own = visit.asking.community.home_community_id
            is_ours = any(one.home_community_id == own for one in matches)
            ours = "it names our own community, too: not asked" if is_ours else None
            return "; ".join(text for text in (unread, ours) if text) or None
        case _:
            return None


def _wanted(requested: MoreDemographicsRequested) -> str:
    return f"it asks for more: {', '.join(requested.attributes) or 'unnamed attributes'}"
