"""ITI-56 at a partner that is a Health Data Locator: which other communities know our member.

What it tells is used for discovery alone: a community that it names is asked by ITI-55, and its
match looked at as every other. A patient id that somebody else gave is not asked with.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.clients.failures import NotCalled, PartnerFailed
from gateway.exchange.asking import Answered, Asking, Call, explain
from gateway.exchange.calling import put
from gateway.exchange.question import AnswerAwaited, Question
from gateway.exchange.visit import Visit
from gateway.model.link import Link
from gateway.model.partner import Partner
from gateway.model.retrieval import NOT_LOCATED
from gateway.store import locations, partners, retrievals
from gateway.store.database import Transaction
from ihe.errors import IheError, SoapFault
from ihe.identifiers import HomeCommunityId
from ihe.patient_location import (
    PatientLocations,
    read_location_response,
    write_location_request,
)
from ihe.soap import ITI_56_REQUEST
from ihe.wire import OpenedAnswer

_NOT_LISTED: Final = (
    "Add the communities that it names to the directory (`gateway partners add` or `import`),"
    " then retrieve again"
)
_AFTER: Final = timedelta(minutes=1)
"""How long after its last answer was due a locator is given up."""


class LocationAwaited(AnswerAwaited):
    """Whether the partner is to be asked depends on a locator that has not answered yet."""

    @property
    def said(self) -> str:
        return (
            "it is asked if a Health Data Locator names it; that is awaited until"
            f" {self.expires:%Y-%m-%d %H:%M} UTC"
        )


async def locate(visit: Visit, link: Link) -> None:
    """Asks the partner who else knows the patient of that match, if it is to be asked and can say.

    What becomes of it is remarked: nothing that it fails in costs the member's documents.

    Raises:
        AnswerAwaited: the answer comes later.
    """
    partner = visit.partner
    if not partner.profile.health_data_locator:
        return
    if link.home_community_id != partner.home_community_id:
        return
    if not link.is_locator:
        visit.remarks.append("it says that it is no Health Data Locator")
        return
    try:
        await _ask(visit, link)
    except SoapFault as fault:
        visit.remarks.append(
            f"it tells of no other community that knows the member: {explain(fault)}"
        )
    except (PartnerFailed, IheError) as error:
        visit.remarks.append(
            f"which other communities know the member is not known: {explain(error)}"
        )


async def _ask(visit: Visit, link: Link) -> None:
    asking, partner = visit.asking, visit.partner
    address = partner.endpoints.iti56 or partner.endpoints.iti55
    if address is None:
        raise NotCalled("it has no address for patient locations")

    async def read(answer: OpenedAnswer) -> PatientLocations:
        return read_location_response(answer.body, asked=link.patient_id)

    def effect(transaction: Transaction, told: PatientLocations) -> Answered:
        locations.put(
            transaction,
            told.locations,
            plan=asking.plan.id,
            member=asking.member.id,
            locator=partner.id,
            now=datetime.now(UTC),
        )
        return Answered(reason="; ".join(_all_said(visit, told)))

    body = write_location_request(link.patient_id)
    call = Call(partner, ITI_56_REQUEST, address, body, visit.patience)
    told = await put(visit, Question(call, f"ITI-56 {link.patient_id.cx}"), read, effect)
    if told is None:  # never: what it tells is read again
        return
    visit.remarks.extend(_all_said(visit, told))
    await _remark_unlisted(visit, _homes(visit, told))


def _all_said(visit: Visit, told: PatientLocations) -> Iterator[str]:
    yield _said(_homes(visit, told))
    if told.unreadable:
        yield f"{told.unreadable} of the locations that it tells cannot be used"


def _homes(visit: Visit, told: PatientLocations) -> tuple[HomeCommunityId, ...]:
    """The others: neither itself, nor us."""
    known = (visit.partner.home_community_id, visit.asking.community.home_community_id)
    homes = dict.fromkeys(one.home_community_id for one in told.locations)
    return tuple(home for home in homes if home not in known)


def _said(homes: tuple[HomeCommunityId, ...]) -> str:
    if not homes:
        return "it names no other community that knows the member"
    return f"it says that the member is known to {', '.join(map(str, homes))}"


async def _remark_unlisted(visit: Visit, homes: tuple[HomeCommunityId, ...]) -> None:
    plan = visit.asking.plan.id

    def unit(transaction: Transaction) -> list[str]:
        return [
            str(home)
            for home in homes
            if not partners.by_home_community(transaction, plan=plan, home_community_id=home)
        ]

    unlisted = await visit.asking.archive.database.read_async(unit)
    if unlisted:
        visit.remarks.append(f"of these {', '.join(unlisted)} are not in the directory: not asked")
        visit.steps.append(_NOT_LISTED)


# ---- whom a locator names --------------------------------------------------------------------


async def is_located(visit: Visit) -> bool:
    """Whether the partner is to be asked: always, or if a locator names it in this retrieval.

    Raises:
        LocationAwaited: a locator has not answered yet.
    """
    if not visit.partner.profile.only_where_located or visit.progress.step != "discovery":
        return True

    asking = visit.asking

    def unit(transaction: Transaction) -> bool:
        named = locations.locators_of(
            transaction,
            plan=asking.plan.id,
            member=asking.member.id,
            home_community_id=visit.partner.home_community_id,
            since=asking.retrieval.created,
        )
        return bool(named)

    found = await asking.archive.database.read_async(unit)
    if not found and visit.locators_due is not None:
        raise LocationAwaited(max(visit.locators_due, datetime.now(UTC) + _AFTER))
    if not found:
        visit.remarks.append(NOT_LOCATED)
    return found


def locators_due(transaction: Transaction, asking: Asking) -> datetime | None:
    """When the last of the locators has answered, or is given up, that have not ended yet. Looked
    up once for all whom they may name: these can be thousands."""
    retrieval = asking.retrieval
    listed = partners.list_all(transaction, plan=asking.plan.id)
    locators = {one.id: one for one in listed if one.profile.health_data_locator}
    asked = retrievals.progress(
        transaction, plan=retrieval.plan, retrieval=retrieval.id, of=locators
    )
    # One that waits for other partners has told what it knows.
    open_still = (one for one in asked if one.outcome is None and one.step != "left")
    slow = [locators[one.partner] for one in open_still]
    return max((_due(one, retrieval.created) for one in slow), default=None)


def _due(locator: Partner, since: datetime) -> datetime:
    profile = locator.profile
    later = profile.asynchronous or profile.deferred_discovery
    # Each of discovery, location and query may take that long.
    seconds = 3 * profile.answer_within_seconds if later else profile.timeout_seconds
    return since + timedelta(seconds=seconds) + _AFTER
