"""Security that fails at the partner doors, and what is refused of a partner that is known."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from gateway.model.exchange import Exchange
from ihe.identifiers import HomeCommunityId
from ihe.namespaces import name
from ihe.saml import CodedAttribute
from ihe.soap import ITI_55_REQUEST
from ihe.wire import SealedRequest
from tests.gateway.api.soap_place import (
    ASSERTION,
    NOT_VERIFIED,
    SECURITY,
    Place,
    a_place,
    a_request,
    at,
    nothing_but_a_count,
    nothing_but_a_record,
    says_nothing,
    with_text,
    without,
)
from tests.gateway.asking import answer_to, ask, discovery, fault_of
from tests.gateway.house import (
    a_partner,
    client_context,
    contents,
    records,
    refusals,
    signing_key,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with a_place(tmp_path_factory.mktemp("house")) as place:
        yield place


# ---- security: one sentence for all, the reason for our auditor ------------------------------


def wrapped(envelope: bytes) -> bytes:
    """Mallory's assertion, with the genuine one inside to lend its signature."""
    root = etree.fromstring(envelope)
    genuine = at(root, ASSERTION)
    evil = deepcopy(genuine)
    evil.set("ID", "_evil")
    at(evil, "saml2:Subject/saml2:NameID").text = "CN=Mallory"
    parent = genuine.getparent()
    assert parent is not None
    parent.replace(genuine, evil)
    holder = etree.SubElement(at(evil, "ds:Signature"), name("ds:Object"))
    holder.append(genuine)
    return etree.tostring(root)


def forged() -> bytes:
    return ask(discovery(), ITI_55_REQUEST, key=signing_key("Mallory")).envelope


def an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


@pytest.mark.parametrize(
    ("envelope", "reason", "subcode"),
    [
        pytest.param(
            lambda: without(SECURITY)(a_request().envelope),
            "there is not exactly one wsse:Security header",
            "wsse:InvalidSecurity",
            id="no security header",
        ),
        pytest.param(
            lambda: without(f"{SECURITY}/ds:Signature")(a_request().envelope),
            "Security has not exactly one ds:Signature",
            "wsse:InvalidSecurity",
            id="the Timestamp is not signed",
        ),
        pytest.param(
            lambda: without(f"{ASSERTION}/ds:Signature")(a_request().envelope),
            "Assertion has not exactly one ds:Signature",
            "wsse:InvalidSecurity",
            id="the assertion is not signed",
        ),
        pytest.param(
            forged,
            "the signing certificate is not one pinned for this partner",
            "wsse:FailedCheck",
            id="forged",
        ),
        pytest.param(
            lambda: wrapped(a_request().envelope),
            "an assertion stands where none may",
            "wsse:FailedCheck",
            id="wrapped",
        ),
        pytest.param(
            lambda: with_text(f"{ASSERTION}/saml2:Subject/saml2:NameID", "CN=Mallory")(
                a_request().envelope
            ),
            "the signed element was changed after signing",
            "wsse:FailedCheck",
            id="tampered",
        ),
        pytest.param(
            lambda: (
                ask(
                    discovery(),
                    ITI_55_REQUEST,
                    issue_instant=an_hour_ago(),
                    not_before=an_hour_ago(),
                    not_on_or_after=an_hour_ago() + timedelta(minutes=5),
                ).envelope
            ),
            "the assertion has expired",
            "wsse:FailedCheck",
            id="expired assertion",
        ),
        pytest.param(
            lambda: ask(discovery(), ITI_55_REQUEST, now=an_hour_ago()).envelope,
            "the Timestamp has expired",
            "wsu:MessageExpired",
            id="expired Timestamp",
        ),
        pytest.param(
            lambda: ask(discovery(), ITI_55_REQUEST, audiences=("https://else.example",)).envelope,
            "the assertion is meant for another audience",
            "wsse:FailedCheck",
            id="another audience",
        ),
    ],
)
def test_security_that_fails_says_one_sentence_and_is_counted_with_its_reason(
    place: Place, envelope: Callable[[], bytes], reason: str, subcode: str
) -> None:
    sent = envelope()
    with nothing_but_a_count(place, reason):
        reply = place.door.post("/ihe/xcpd", sent)
    fault = fault_of(reply)
    assert (reply.status, fault.code, fault.subcode) == (400, "soap:Sender", subcode)
    assert fault.sentence == NOT_VERIFIED
    says_nothing(reply)


def test_a_fault_relates_to_and_confirms_what_it_refuses(place: Place) -> None:
    """WSS4J throws away a fault that does not, and its sentence with it."""
    sealed = ask(discovery(), ITI_55_REQUEST, key=signing_key("Mallory"))
    fault = fault_of(place.door.post("/ihe/xcpd", sealed.envelope))
    assert fault.relates_to == sealed.message_id
    assert fault.confirmed == (sealed.signature_values[0],)


def test_a_fault_to_what_cannot_be_read_confirms_nothing(place: Place) -> None:
    fault = fault_of(place.door.post("/ihe/xcpd", b"hello"))
    assert (fault.relates_to, fault.confirmed) == (None, ())


def test_whoever_is_in_the_network_and_no_partner_is_not_heard(place: Place) -> None:
    stranger = "CN=Stranger,O=Gateway demo at 127.0.0.1"
    sealed = ask(discovery(), ITI_55_REQUEST, key=signing_key("Stranger"))
    reason = "the client certificate belongs to no partner"
    with nothing_but_a_count(place, reason, peer=stranger):
        reply = place.door.post("/ihe/xcpd", sealed.envelope, by="Stranger")
    assert (reply.status, fault_of(reply).sentence) == (400, NOT_VERIFIED)
    says_nothing(reply)


def test_strangers_cannot_fill_the_log(place: Place) -> None:
    rows = sum(contents(place.house)[table] for table in ("refusal", "exchange"))
    before = refusals(place.house)
    for _ in range(20):
        place.door.post("/ihe/xcpd", b"", by="Insistent stranger")
    assert (refusals(place.house) - before).total() == 20
    # Two rows if a minute ended between them.
    assert sum(contents(place.house)[table] for table in ("refusal", "exchange")) <= rows + 2


# ---- refused once the sender is known: one record that names it ------------------------------


def refused(
    place: Place, sealed: SealedRequest, sentence: str, path: str = "/ihe/xcpd"
) -> Exchange:
    found: list[Exchange] = []
    with nothing_but_a_record(place, found):
        reply = place.door.post(path, sealed.envelope)
    fault = fault_of(reply)
    assert (reply.status, fault.code, fault.sentence) == (400, "soap:Sender", sentence)
    assert fault.relates_to == sealed.message_id
    assert fault.confirmed == (sealed.signature_values[0],)
    says_nothing(reply)
    (record,) = found
    assert (record.outcome, record.direction, record.partner) == ("refused", "in", a_partner().id)
    assert (record.person, record.role) == ("Nora Nurse", "Administrative")
    assert (record.member, record.documents) == (None, ())
    assert record.message_id == sealed.message_id
    return record


def test_a_transaction_at_the_wrong_door_is_refused(place: Place) -> None:
    sentence = "ITI-55 is not answered at this address"
    record = refused(place, a_request(), sentence, "/ihe/xca")
    assert (record.transaction, record.reason) == ("ITI-55", sentence)


def test_an_assertion_of_another_community_is_refused(place: Place) -> None:
    other = HomeCommunityId.parse("2.999.6666")
    sentence = "The assertion states another home community than the certificate's."
    record = refused(place, ask(discovery(), ITI_55_REQUEST, home_community_id=other), sentence)
    assert record.reason == sentence


@pytest.mark.parametrize(
    ("purpose", "sentence"),
    [
        (None, "The assertion states no purpose of use."),
        (CodedAttribute("CURIOSITY", None), "The assertion's purpose of use is not a known one."),
        (
            CodedAttribute("T-PYMNT", "2.16.840.1.113883.3.18.7.1"),
            "The assertion's purpose of use is not a known one.",
        ),
    ],
)
def test_a_purpose_that_is_missing_or_unknown_is_refused_and_said(
    place: Place, purpose: CodedAttribute | None, sentence: str
) -> None:
    record = refused(place, ask(discovery(), ITI_55_REQUEST, purpose_of_use=purpose), sentence)
    assert record.reason == sentence
    assert record.purpose == (purpose.code if purpose else None)


@pytest.mark.emits_invalid("a query without its parameters")
def test_a_body_that_is_not_what_the_transaction_demands_is_refused(place: Place) -> None:
    body = discovery()
    for parameters in list(body.iter("{urn:hl7-org:v3}parameterList")):
        parent = parameters.getparent()
        assert parent is not None
        parent.remove(parameters)
    record = refused(place, ask(body, ITI_55_REQUEST), "parameterList is missing")
    assert record.transaction == "ITI-55"


def test_a_replayed_message_is_refused_and_recorded(place: Place) -> None:
    sealed = a_request()
    assert place.door.post("/ihe/xcpd", sealed.envelope).status == 200
    record = refused(place, sealed, NOT_VERIFIED)
    assert record.reason == "the message was received before"


def test_a_replay_is_one_wherever_it_comes_from(place: Place) -> None:
    sealed = a_request()
    assert place.door.post("/ihe/xcpd", sealed.envelope).status == 200
    connection = http.client.HTTPSConnection(
        place.door.host,
        place.door.port,
        source_address=("127.0.0.2", 0),
        context=client_context("Northfield Health"),
    )
    with closing(connection):
        connection.request("POST", "/ihe/xcpd", sealed.envelope, {"Content-Type": "text/xml"})
        assert connection.getresponse().status == 400
    record = records(place.house)[-1]
    assert record.peer == "CN=Northfield Health,O=Gateway demo at 127.0.0.2"
    assert (record.outcome, record.reason) == ("refused", "the message was received before")


def test_a_record_keeps_what_a_sender_says_of_itself_at_a_bounded_length(place: Place) -> None:
    long = "x" * 50_000
    sealed = ask(
        discovery(),
        ITI_55_REQUEST,
        message_id=f"urn:{long}",
        subject=long,
        role=CodedAttribute("1", None, None, long),
        access_consent_policies=(long,),
    )
    reply = place.door.post("/ihe/xcpd", sealed.envelope)
    assert reply.status == 200
    assert answer_to(sealed, reply.body) is not None
    record = records(place.house)[-1]
    texts = (record.person, record.role, record.authority, record.message_id)
    # What is searched by stands in an index, and PostgreSQL's entries are short.
    assert [len(text or "") for text in texts] == [512, 1000, 1000, 1000]
