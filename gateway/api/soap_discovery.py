"""ITI-55 at our door: answered at once, or acknowledged and answered later (ITI TF-2: 3.55).

A deferred question is acknowledged with MCCI_IN000002UV01 once its answer is computed and durable;
a job brings the result to where the partner has registered that it may be brought, and nowhere
else, whatever the question says.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from gateway.api.partner_means import PartnerMeans
from gateway.api.soap_acknowledging import acknowledge, new_message_id
from gateway.api.soap_replied import Noted, Replied, Result
from gateway.exchange import probing
from gateway.exchange.asker import Asker, Effect
from gateway.exchange.moments import written
from gateway.exchange.respond_discovery import Discovered, could_not_search
from gateway.exchange.respond_discovery import discover as search
from gateway.model.partner import Partner
from gateway.store.brief import leave
from gateway.store.errors import StoreUnavailable
from ihe.acknowledgement import ELEMENT_MISSING, NO_SUCH_DESTINATION
from ihe.soap import ITI_55_ANSWER, ITI_55_DEFERRED_REQUEST, WrittenPayload
from ihe.wire import OpenedRequest
from ihe.xcpd import PatientDiscoveryRequest, read_discovery_request, write_discovery_response


def discover(opened: OpenedRequest, asker: Asker, means: PartnerMeans) -> Replied:
    """Whom we know, or that we shall say so later.

    Raises:
        MalformedMessage: its body is not what the transaction demands.
    """
    request = read_discovery_request(opened.body)
    # Quirk: some say so only in the action, or only in the priority; both mean it.
    if request.deferred or opened.kind is ITI_55_DEFERRED_REQUEST:
        leave()
        return _defer(replace(request, deferred=True), asker, means)
    found = _found(request, asker, means)
    effects = found.discovered.effects
    return Replied(ITI_55_ANSWER, _answer(request, found, means), effects, noted=found.noted)


def _answer(
    request: PatientDiscoveryRequest, found: "_Found", means: PartnerMeans
) -> WrittenPayload:
    return write_discovery_response(
        found.discovered.answer,
        request=request,
        message_id=new_message_id(means.community),
        creation_time=written(datetime.now(UTC)),
        sender=means.community.home_community_id,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    discovered: Discovered
    noted: Noted


def _found(request: PatientDiscoveryRequest, asker: Asker, means: PartnerMeans) -> _Found:
    now = datetime.now(UTC)
    try:
        found = means.archive.database.read(
            lambda tx: search(
                tx,
                request,
                asker=asker,
                plans=means.plans,
                community=means.community,
                limits=means.discovery_limits,
                now=now,
            )
        )
    except StoreUnavailable:
        found = could_not_search()
    noted = partial(
        probing.note,
        community=asker.community,
        asked=request.demographics,
        near=found.near,
        limits=means.discovery_limits,
        now=now,
    )
    return _Found(found, noted)


# ---- deferred --------------------------------------------------------------------------------


def _defer(request: PatientDiscoveryRequest, asker: Asker, means: PartnerMeans) -> Replied:
    """Taken, if the result may be brought where the question says."""
    address = request.respond_to
    if address is None:
        reason = "a deferred question says where to answer (respondTo)"
        effect = Effect("refused", reason=reason)
        return acknowledge(
            request.message_id, request.sender, effect, means, problem=ELEMENT_MISSING
        )
    partner = _registered(asker.partners, address)
    if partner is None:
        reason = "the respondTo address is not registered for this community"
        effect = Effect("refused", reason=reason)
        return acknowledge(
            request.message_id, request.sender, effect, means, problem=NO_SUCH_DESTINATION
        )
    found = _found(request, asker, means)
    body = _answer(request, found, means)
    result = Result(body, partner, address, found.discovered.effects, found.noted)
    plans = {effect.plan for effect in found.discovered.effects}
    # It names nobody: what is told of a member is recorded when it is brought.
    effect = Effect(plan=plans.pop() if len(plans) == 1 else None, reason="it is answered later")
    return acknowledge(request.message_id, request.sender, effect, means, result=result)


def _registered(partners: Iterable[Partner], address: str) -> Partner | None:
    """As whom it has registered the address: we call nobody because a message says so."""
    return next((one for one in partners if one.endpoints.takes_replies_at(address)), None)
