"""A simulated partner that answers later (ITI TF-2: 3.55, Deferred Response): what it acknowledges,
and what it brings when to whom.

It brings a result to whatever respondTo says: nobody but the gateway that it is made for is let in.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import uuid4

from ccda.hl7v3 import II, TS
from ccda.safe_xml import Element, parse_xml
from gateway.demo.simulator.holdings import Holdings
from gateway.demo.simulator.replies import Brought, Reply, Seal
from gateway.exchange.moments import written
from ihe.acknowledgement import Acknowledgement, write_acknowledgement
from ihe.discovery import Discovery, PatientDiscoveryRequest
from ihe.identifiers import HomeCommunityId
from ihe.saml import Assertion, CodedAttribute
from ihe.soap import ITI_55_ACKNOWLEDGEMENT, ITI_55_DEFERRED_RESULT
from ihe.wire import seal_request
from ihe.xcpd import write_discovery_response

SOON_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Result:
    """What is brought, after how long, and as which community it is signed."""

    body: Element
    home: HomeCommunityId
    after_seconds: float = SOON_SECONDS


@dataclass(frozen=True, slots=True)
class Deferral:
    """Whether the question is taken, else why not, and what is brought then."""

    results: tuple[Result, ...]
    problem: str | None = None


OfDeferral = Callable[[Deferral], Deferral]


def deferral_reply(
    discovery: Discovery,
    asked: PatientDiscoveryRequest,
    held: Holdings,
    seal: Seal,
    changes: Sequence[OfDeferral],
) -> Reply:
    """The acknowledgement of a deferred question, and what is brought after it."""
    answer = write_discovery_response(
        discovery,
        request=replace(asked, deferred=True),
        message_id=_message_id(held),
        creation_time=_ts(seal),
        sender=held.home,
    )
    deferral = Deferral((Result(parse_xml(answer.xml), held.home),))
    for change in changes:
        deferral = change(deferral)
    said = Acknowledgement(
        message_id=_message_id(held),
        creation_time=_ts(seal),
        sender=held.home,
        receiver=asked.sender,
        request_id=asked.message_id,
        accepted=deferral.problem is None,
        problem=deferral.problem,
    )
    content = seal(write_acknowledgement(said), ITI_55_ACKNOWLEDGEMENT)
    address = asked.respond_to
    if address is None or deferral.problem is not None:
        return Reply(content)
    return Reply(content, then=tuple(_brought(one, address, seal) for one in deferral.results))


def _brought(result: Result, address: str, seal: Seal) -> Brought:
    issuer = seal.key.certificate.subject.rfc4514_string()
    sealed = seal_request(
        deepcopy(result.body),
        kind=ITI_55_DEFERRED_RESULT,
        to=address,
        message_id=f"urn:uuid:{uuid4()}",
        assertion=Assertion(
            id=f"_{uuid4().hex}",
            issuer=issuer,
            issue_instant=seal.now,
            not_before=seal.now,
            not_on_or_after=seal.now + timedelta(minutes=10),
            subject_name=issuer,
            subject="Simulated records office",
            organization="Simulated partner",
            organization_id=result.home.urn,
            home_community_id=result.home,
            role=CodedAttribute("responding gateway", None),
            purpose_of_use=None,
        ),
        signing_key=seal.key,
        now=seal.now,
    )
    return Brought(result.after_seconds, address, sealed.envelope, ITI_55_DEFERRED_RESULT.action)


def _message_id(held: Holdings) -> II:
    return II(f"{held.home}.9", str(uuid4()))


def _ts(seal: Seal) -> TS:
    return written(seal.now)
