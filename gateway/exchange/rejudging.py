"""A kept ITI-55 as it would be judged today: whom a partner named, or whom we would name to it.

Today's roster, rules and code judge what crossed the wire, with the same functions as then, and
nothing is changed by it: no question is counted, nobody is alarmed. Who the partner was, and that
its assertion was its own, was judged when the message came.
"""

from collections.abc import Iterable
from typing import Final, assert_never

from ccda.safe_xml import Element
from gateway.exchange.asker import Asker
from gateway.exchange.conversation import Crossed, Reread
from gateway.exchange.delegating import refuse_delegates
from gateway.exchange.demographics import demographics
from gateway.exchange.judging import answer_in_words, judge_matches, judged_then
from gateway.exchange.policy import Refused, purpose_stated
from gateway.exchange.respond_discovery import whom_we_know
from gateway.model.community import Community
from gateway.model.exchange import Exchange
from gateway.model.member import Plan
from gateway.store import members, partners
from gateway.store.database import Transaction
from gateway.store.scope import ALL_PLANS
from ihe.discovery import Discovery, Matched, MoreDemographicsRequested, NoMatch
from ihe.errors import CommunityCouldNotAnswer, IheError, MalformedMessage
from ihe.identifiers import HomeCommunityId
from ihe.namespaces import name
from ihe.saml import Assertion, read_assertion
from ihe.soap import find_fault, parse_envelope, read_envelope
from ihe.xcpd import read_discovery_request, read_discovery_response

_ASSERTION: Final = f"{name('soap:Header')}/{name('wsse:Security')}/{name('saml2:Assertion')}"
_OUR_ANSWER: Final = "would be answered with"
_GONE: Final = "the partner is in no directory any more, or has left its network"
_Answer = Discovery | CommunityCouldNotAnswer


def rejudged(
    transaction: Transaction, one: Crossed, *, plans: Iterable[Plan], community: Community
) -> tuple[Reread, ...]:
    """Today's judgement beside that of then; nothing of what is no ITI-55, or cannot be read."""
    told = one.record.exchange
    if told.transaction != "ITI-55":
        return ()
    judge = _their_answer if told.direction == "out" else _their_question
    try:
        found = judge(transaction, one, tuple(plans), community)
    except IheError:  # that is told of the envelope itself
        return ()
    return () if found is None else (found,)


# ---- whom a partner named to us --------------------------------------------------------------


def _their_answer(
    transaction: Transaction, one: Crossed, plans: tuple[Plan, ...], community: Community
) -> Reread | None:
    """By the roster alone: what other communities knew of the member then is on no record."""
    told = one.record.exchange
    plan = next((each for each in plans if each.id == told.plan), None)
    if one.answer is None or plan is None or told.member is None or told.outcome == "refused":
        return None
    member = members.get(transaction, plan=plan.id, member=told.member)
    if member is None:
        return None
    discovery = _answered(one.answer, _community_of(transaction, told))
    if discovery is None:
        return None
    judged = judge_matches(discovery, demographics(member, plan), community.home_community_id)
    today = answer_in_words(discovery, [result for _, result in judged])
    then = judged_then(told.reason)
    if today is None and then is None:
        return None
    differs = then is not None and then != today
    text = today or _in_words(discovery)
    return Reread("by today's roster", f"{text} (then {then})" if differs else text, differs)


def _community_of(transaction: Transaction, told: Exchange) -> HomeCommunityId | None:
    """The community that was asked, of answers that do not say whose patient it is."""
    if told.partner is None:
        return None
    partner = partners.get(transaction, plan=ALL_PLANS, partner=told.partner)
    return None if partner is None else partner.home_community_id


# ---- whom we would name ----------------------------------------------------------------------


def _their_question(
    transaction: Transaction, one: Crossed, plans: tuple[Plan, ...], community: Community
) -> Reread | None:
    if one.request is None:
        return None
    root = parse_envelope(one.request)
    request = read_discovery_request(read_envelope(root).payload)
    then = None if one.answer is None else _answered(one.answer, None)
    asker = _asker(transaction, one.record.exchange, _assertion(root))
    if isinstance(asker, str):
        return _beside(then, NoMatch(), f"nothing: {asker}")
    found = whom_we_know(transaction, request, asker=asker, plans=plans, community=community)
    text = _in_words(found.answer)
    why = f": {found.effects[0].reason}" if isinstance(found.answer, NoMatch) else ""
    return _beside(then, found.answer, text + why)


def _beside(then: Discovery | None, today: _Answer, text: str) -> Reread:
    if then is None or _told(then) == _told(today):
        return Reread(_OUR_ANSWER, text)
    return Reread(_OUR_ANSWER, f"{text} (then {_in_words(then)})", True)


def _assertion(root: Element) -> Assertion:
    element = root.find(_ASSERTION)
    if element is None:
        raise MalformedMessage("the envelope has no assertion")
    return read_assertion(element)


def _asker(transaction: Transaction, told: Exchange, assertion: Assertion) -> Asker | str:
    """As whom the partner would be heard, for the purpose it stated; or why it would not."""
    home = _community_of(transaction, told)
    known = (
        partners.by_home_community(transaction, plan=ALL_PLANS, home_community_id=home)
        if home is not None
        else ()
    )
    if not known:
        return _GONE
    purpose = purpose_stated(assertion)
    delegated = refuse_delegates(transaction, known, assertion)
    if isinstance(purpose, Refused):
        return purpose.reason
    return delegated.reason if isinstance(delegated, Refused) else Asker(delegated, purpose)


# ---- answers ---------------------------------------------------------------------------------


def _answered(envelope: bytes, asked: HomeCommunityId | None) -> Discovery | None:
    """What it says of persons; None of a fault or a problem."""
    root = parse_envelope(envelope)
    if find_fault(root) is not None:
        return None
    try:
        return read_discovery_response(read_envelope(root).payload, asked=asked).discovery
    except CommunityCouldNotAnswer:
        return None


def _told(discovery: _Answer) -> tuple[object, ...]:
    """Whom it names, and how surely."""
    named = discovery.matches if isinstance(discovery, Matched) else ()
    return type(discovery), frozenset((one.patient_id.id, one.degree) for one in named)


def _in_words(discovery: _Answer) -> str:
    match discovery:
        case Matched(matches=matches):
            number = "one match" if len(matches) == 1 else f"{len(matches)} matches"
            scores = ", ".join(str(one.degree) for one in matches)
            return f"{number} (score {scores})"
        case MoreDemographicsRequested():
            return "a request for more demographics"
        case NoMatch():
            return "no match"
        case CommunityCouldNotAnswer():
            return "that we cannot say now"
        case _:
            assert_never(discovery)
