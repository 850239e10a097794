"""ITI-56 at our door: where else a member is known, for whom a rule says so."""

from gateway.api.partner_means import PartnerMeans
from gateway.api.soap_replied import Replied
from gateway.exchange.asker import Asker
from gateway.exchange.respond_location import locate
from ihe.patient_location import read_location_request, write_location_response
from ihe.soap import ITI_56_ANSWER
from ihe.wire import OpenedRequest


def tell_locations(opened: OpenedRequest, asker: Asker, means: PartnerMeans) -> Replied:
    """The communities that know the patient.

    Raises:
        MalformedMessage: its body is not what the transaction demands.
        NotPermitted: nothing is told.
    """
    asked = read_location_request(opened.body)
    located = means.archive.database.read(
        lambda tx: locate(tx, asked, asker=asker, plans=means.plans, community=means.community)
    )
    body = write_location_response(located.locations, asked=asked)
    return Replied(ITI_56_ANSWER, body, (located.effect,))
