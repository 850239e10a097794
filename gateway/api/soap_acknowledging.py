"""MCCI_IN000002UV01 as a SOAP door answers with it: a deferred message was taken, or why not."""

from datetime import UTC, datetime
from uuid import uuid4

from ccda.hl7v3 import II
from gateway.api.partner_means import PartnerMeans
from gateway.api.soap_replied import Noted, Replied, Result, as_they_are
from gateway.exchange.asker import Effect
from gateway.exchange.moments import written
from gateway.model.community import Community
from gateway.model.later import DEFERRAL
from ihe.acknowledgement import Acknowledgement, write_acknowledgement
from ihe.identifiers import HomeCommunityId
from ihe.soap import ITI_55_ACKNOWLEDGEMENT


def acknowledge(
    message_id: II,
    sender: HomeCommunityId | None,
    effect: Effect,
    means: PartnerMeans,
    *,
    problem: str | None = None,
    noted: Noted = as_they_are,
    result: Result | None = None,
) -> Replied:
    """The answer to the deferred message of that id; with `problem` it was not taken
    (ITI TF-2: 3.55.4.2.3)."""
    acknowledgement = Acknowledgement(
        message_id=new_message_id(means.community),
        creation_time=written(datetime.now(UTC)),
        sender=means.community.home_community_id,
        receiver=sender,
        request_id=message_id,
        accepted=problem is None,
        problem=problem,
    )
    body = write_acknowledgement(acknowledgement)
    return Replied(
        ITI_55_ACKNOWLEDGEMENT,
        body,
        (effect,),
        noted=noted,
        is_noted_briefly=noted is as_they_are,
        transaction=DEFERRAL,
        result=result,
    )


def new_message_id(community: Community) -> II:
    """A fresh id for an HL7 V3 message of ours."""
    return II(str(community.messages), str(uuid4()))
