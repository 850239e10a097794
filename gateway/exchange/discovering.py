"""ITI-55 at one partner: whom it returns for our member, each looked at a second time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from ccda.hl7v3 import II, TS
from ccda.safe_xml import Element
from gateway.exchange.asking import Answered, Call, ask
from gateway.exchange.ingest import demographics
from gateway.exchange.matching import MatchResult, compare
from gateway.exchange.metadata import patient_id
from gateway.exchange.visit import Visit
from gateway.model.link import Link, LinkState
from gateway.store import links, partners
from gateway.store.database import Transaction
from ihe.soap import ITI_55_REQUEST
from ihe.xcpd import (
    DiscoveryResponse,
    Match,
    Matched,
    MoreDemographicsRequested,
    PatientDiscoveryRequest,
    read_discovery_response,
    write_discovery_request,
)

_LINK_STATES: Final[dict[str, LinkState]] = {
    "match": "confirmed",
    "possible": "held",
    "no_match": "rejected",
}


async def discover(visit: Visit, address: str) -> tuple[Link, ...]:
    """Whom the partner knows as our member; asked once a retrieval, also when it is resumed."""
    if visit.progress.step != "discovery":
        return await visit.asking.archive.database.read_async(lambda tx: _found_before(tx, visit))
    found: list[Link] = []

    async def read(body: Element) -> DiscoveryResponse:
        return read_discovery_response(body, asked=visit.partner.home_community_id)

    def effect(transaction: Transaction, answer: DiscoveryResponse) -> Answered:
        found.extend(_settled(transaction, link) for link in _links(visit, answer))
        for link in found:
            links.put(transaction, link)
        remark = _remark(answer)
        visit.note(transaction, step="query" if found else "discovery", detail=remark)
        return Answered(reason=remark)

    request = write_discovery_request(_request(visit))
    call = Call(visit.partner, ITI_55_REQUEST, address, request, visit.patience)
    answer = await ask(visit.asking, call, read, effect)
    if remark := _remark(answer):
        visit.remarks.append(remark)
    return tuple(found)


def _found_before(transaction: Transaction, visit: Visit) -> tuple[Link, ...]:
    """What an attempt that died has learned: the demographics need not leave the house again."""
    retrieval = visit.asking.retrieval
    known = links.of_member(
        transaction, plan=retrieval.plan, member=retrieval.member, partner=visit.partner.id
    )
    return tuple(link for link in known if link.found >= retrieval.created)


def _request(visit: Visit) -> PatientDiscoveryRequest:
    asking = visit.asking
    root = str(asking.community.messages)
    return PatientDiscoveryRequest(
        message_id=II(root, str(uuid4())),
        creation_time=TS(datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")),
        sender=asking.community.home_community_id,
        receiver=visit.partner.home_community_id,
        query_id=II(root, str(uuid4())),
        demographics=asking.member.demographics,
        patient_id=patient_id(asking.member, asking.community),
        sender_authority=asking.community.patient_authority,
    )


def _remark(answer: DiscoveryResponse) -> str | None:
    match answer.discovery:
        case MoreDemographicsRequested(attributes=attributes):
            return f"it asks for more: {', '.join(attributes) or 'unnamed attributes'}"
        case Matched(unreadable=unreadable) if unreadable:
            return f"{unreadable} of its matches could not be read"
        case _:
            return None


# ---- links -----------------------------------------------------------------------------------


def _links(visit: Visit, answer: DiscoveryResponse) -> Iterator[Link]:
    if not isinstance(answer.discovery, Matched):
        return
    ours = demographics(visit.asking.member, visit.asking.plan)
    for match in answer.discovery.matches:
        yield _link(visit, match, compare(ours, match.demographics))


def _link(visit: Visit, match: Match, result: MatchResult) -> Link:
    state = _LINK_STATES[result.decision]
    against = "; ".join(reason.text for reason in result.reasons if reason.points < 0)
    return Link(
        plan=visit.asking.plan.id,
        member=visit.asking.member.id,
        partner=visit.partner.id,
        home_community_id=match.home_community_id,
        patient_id=match.patient_id,
        state=state,
        found=datetime.now(UTC),
        score=float(result.score),
        detail=against or ("too little agrees to be sure" if state == "held" else None),
    )


def _settled(transaction: Transaction, link: Link) -> Link:
    """The link as it counts, beside what the directory says and a person has decided."""
    known = links.of_member(transaction, plan=link.plan, member=link.member, partner=link.partner)
    before = next((one for one in known if _is_same(one, link)), None)
    # Whoever looked at this very link knew more than the comparison does.
    if before is not None and before.is_decided:
        return replace(link, state=before.state, is_decided=True)
    # An answer that tells less than the one before it takes nothing back.
    if link.state == "held":
        return link if before is None else replace(link, state=before.state)
    if link.state == "confirmed" and not _is_listed(transaction, link):
        home = link.home_community_id
        detail = f"the community that holds the records ({home}) is not in the directory"
        return replace(link, state="held", detail=detail)
    return link


def _is_same(one: Link, other: Link) -> bool:
    return (one.home_community_id, one.patient_id) == (other.home_community_id, other.patient_id)


def _is_listed(transaction: Transaction, link: Link) -> bool:
    known = partners.by_home_community(
        transaction, plan=link.plan, home_community_id=link.home_community_id
    )
    return bool(known)
