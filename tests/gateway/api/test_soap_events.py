"""What is kept of an exchange at our doors, and what ATNA is told of it (ITI TF-2: 3.55.5)."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ccda.safe_xml import Element, parse_xml, serialize_xml
from gateway.exchange.contents import read_contents
from gateway.store.evidence import Evidence, evidence
from ihe.identifiers import Oid, PatientId, UniqueId
from ihe.saml import CodedAttribute
from ihe.soap import ANONYMOUS, ITI_55_REQUEST
from ihe.stored_query import (
    FindDocumentsQuery,
    FindFoldersQuery,
    FindSubmissionSetsQuery,
    GetAllQuery,
)
from ihe.xca_query import write_adhoc_query_request
from ihe.xca_retrieve import DocumentRequest
from ihe.xcpd import NoMatch
from tests.gateway.asking import ask, discovery, fault_of, retrieve, wanted
from tests.gateway.exchange.atna_told import HOST, PROCESS, kept, local, told
from tests.gateway.house import HOME, MEMBER, a_partner, a_rule, records, rows_of
from tests.gateway.visiting import Visitor, visiting

FIND_DOCUMENTS = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
SOURCE, DESTINATION = "110153", "110152"
OURS = {"NetworkAccessPointID": HOST, "NetworkAccessPointTypeCode": "1"}
THEIRS = {"NetworkAccessPointID": "127.0.0.1", "NetworkAccessPointTypeCode": "2"}


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Visitor]:
    with visiting(tmp_path, rules=[a_rule()]) as visitor:
        yield visitor


def test_both_envelopes_are_kept_as_they_crossed_the_wire(visitor: Visitor) -> None:
    sealed = ask(discovery(), ITI_55_REQUEST)
    reply = visitor.door.post("/ihe/xcpd", sealed.envelope)
    (record,) = records(visitor.house)[-1:]
    assert kept(visitor.house, record.request_hash, record.answer_hash) == sealed.envelope
    assert kept(visitor.house, record.answer_hash) == reply.body
    # Answered at once, both are kept as one.
    assert len(rows_of(visitor.house, "wire_message")) == 1
    assert visitor.house.database.read(lambda tx: evidence(tx, ())) == Evidence((), 0)
    assert list(read_contents(visitor.house.archive)) == []
    assert record.answer_hash == hashlib.sha256(reply.body).hexdigest()


def test_a_fault_to_a_known_partner_is_kept_as_well(visitor: Visitor) -> None:
    sealed = ask(discovery(), ITI_55_REQUEST, purpose_of_use=None)
    reply = visitor.door.post("/ihe/xcpd", sealed.envelope)
    assert fault_of(reply)
    (record,) = records(visitor.house)[-1:]
    assert record.outcome == "refused"
    assert kept(visitor.house, record.request_hash) == sealed.envelope
    assert kept(visitor.house, record.answer_hash) == reply.body


def test_a_match_is_a_query_that_names_the_patient_found(visitor: Visitor) -> None:
    visitor.discover()
    (event,) = told(visitor.house, visitor.recorded())
    assert event.event == ("110112", "E", "ITI-55", "0")
    assert event.purposes == ["PAYMENT"]
    assert event.patients == [f"{MEMBER.id}^^^&{HOME}.1&ISO"]
    kind, _, query = event.asked
    assert (kind, local(query)) == ("ITI-55", "queryByParameter")
    assert event.details() == {"ihe:homeCommunityID": HOME.urn}
    asks = {"UserID": "127.0.0.1", "UserIsRequestor": "true"}
    assert event.participant(SOURCE) == asks | THEIRS
    answers = {"UserID": "https://gateway.example/ihe", "UserIsRequestor": "false"}
    assert event.participant(DESTINATION) == answers | {"AlternativeUserID": PROCESS} | OURS
    (nurse,) = event.people
    assert (nurse["UserID"], nurse["UserIsRequestor"]) == ("Nora Nurse", "true")
    assert "AlternativeUserID" not in nurse


@pytest.mark.parametrize("to", [ANONYMOUS, None])
def test_of_a_message_to_whoever_takes_it_our_door_is_the_endpoint(
    visitor: Visitor, to: str | None
) -> None:
    envelope = parse_xml(ask(discovery(), ITI_55_REQUEST).envelope)
    stated = envelope[0].find("{http://www.w3.org/2005/08/addressing}To")
    assert stated is not None
    if to is None:
        envelope[0].remove(stated)
    else:
        stated.text = to
    assert visitor.door.post("/ihe/xcpd", serialize_xml(envelope)).status == 200
    (event,) = told(visitor.house, records(visitor.house)[-1])
    assert event.participant(DESTINATION)["UserID"] == "https://gateway.example/ihe/xcpd"


def test_who_states_no_name_is_known_by_the_subject_of_the_assertion(visitor: Visitor) -> None:
    """ITI TF-2: 3.40.4.1.2: the user is the assertion's subject; subject-id is an attribute that
    not everybody states."""
    visitor.discover(subject=None, subject_name="nora@northfield.example")
    assert visitor.recorded().person == "nora@northfield.example"
    (event,) = told(visitor.house, visitor.recorded())
    (nurse,) = event.people
    assert nurse["UserID"] == "nora@northfield.example"


def test_each_role_that_is_stated_is_on_record_and_told(visitor: Visitor) -> None:
    second = CodedAttribute("clerk", None, display="Clerk")
    visitor.discover(further_roles=(second,))
    assert visitor.recorded().role == "Administrative; Clerk"
    (event,) = told(visitor.house, visitor.recorded())
    assert event.roles == ["224608005", "clerk"]


def test_no_match_is_a_query_without_a_patient(visitor: Visitor) -> None:
    stranger = MEMBER.demographics
    found = visitor.discover(
        type(stranger)(names=(type(stranger.names[0])("Newcomer", ("Nova",)),),
                       birth_time=stranger.birth_time, gender=stranger.gender,
                       addresses=stranger.addresses, telecoms=stranger.telecoms)
    )  # fmt: skip
    assert isinstance(found, NoMatch)
    (event,) = told(visitor.house, visitor.recorded())
    assert event.event == ("110112", "E", "ITI-55", "0")
    assert event.patients == []


def test_a_query_carries_its_id_encoding_and_home(visitor: Visitor) -> None:
    visitor.find()
    (event,) = told(visitor.house, visitor.recorded())
    assert event.event == ("110112", "E", "ITI-38", "0")
    assert event.patients == [f"{MEMBER.id}^^^&{HOME}.1&ISO"]
    kind, identity, query = event.asked
    assert (kind, identity) == ("ITI-38", FIND_DOCUMENTS)
    assert local(query) == "AdhocQueryRequest"
    assert event.details() == {
        "QueryEncoding": "UTF-8",
        "urn:ihe:iti:xca:2010:homeCommunityId": HOME.urn,
    }
    assert event.participant(DESTINATION)["AlternativeUserID"] == PROCESS
    assert "AlternativeUserID" not in event.participant(SOURCE)


@pytest.mark.parametrize(
    "kind", [FindDocumentsQuery, FindSubmissionSetsQuery, FindFoldersQuery, GetAllQuery]
)
@pytest.mark.parametrize("authority", [f"{HOME}.1", "2.999.1"])
def test_a_query_by_patient_names_whom_it_asks_about_whether_or_not_we_know_them(
    visitor: Visitor, kind: Any, authority: str
) -> None:
    nobody = PatientId("11111111-2222-4333-8444-555555555555", Oid(authority))
    visitor.find(write_adhoc_query_request(kind(nobody)))
    event, *_ = told(visitor.house, visitor.recorded())
    assert event.patients == [nobody.cx]


def test_a_retrieve_is_an_export_of_which_we_are_the_source(visitor: Visitor) -> None:
    document = visitor.held("34133-9")
    visitor.get(document)
    (event,) = told(visitor.house, visitor.recorded())
    assert event.event == ("110106", "R", "ITI-39", "0")
    assert event.documents == [str(wanted(document).unique_id)]
    assert event.patients == [f"{MEMBER.id}^^^&{HOME}.1&ISO"]
    assert event.details() == {
        "Repository Unique Id": f"{HOME}.2",
        "ihe:homeCommunityID": HOME.urn,
    }
    gives = {"UserID": "https://gateway.example/ihe", "UserIsRequestor": "false"}
    assert event.participant(SOURCE) == gives | {"AlternativeUserID": PROCESS} | OURS
    takes = {"UserID": "127.0.0.1", "UserIsRequestor": "true"}
    assert event.participant(DESTINATION) == takes | THEIRS


def test_a_retrieve_in_part_is_an_event_for_what_came_and_one_for_what_did_not(
    visitor: Visitor,
) -> None:
    document = visitor.held("34133-9")
    unknown = DocumentRequest(Oid(f"{HOME}.2"), UniqueId("2.999.404"), HOME)
    visitor.get(document, unknown)
    came, missing = told(visitor.house, visitor.recorded())
    assert came.event == ("110106", "R", "ITI-39", "0")
    assert came.documents == [str(wanted(document).unique_id)]
    assert missing.event == ("110106", "R", "ITI-39", "8")
    assert missing.documents == ["2.999.404"]


def test_a_document_that_is_asked_for_wrongly_is_told_of_as_it_is_written(
    visitor: Visitor,
) -> None:
    """Beside one that comes, and by itself; each once, however often it stands there."""
    document, wrong = visitor.held("34133-9"), UniqueId("2.999.7.7")
    good = wanted(document)

    def asked_for(*ids: UniqueId) -> Element:
        body = retrieve(*(replace(good, unique_id=one) for one in ids))
        for each in body:
            if each[2].text == str(wrong):
                each[1].text = "not an OID"
        return body

    visitor.get_by(asked_for(good.unique_id, wrong, good.unique_id))
    came, missing = told(visitor.house, visitor.recorded())
    assert (came.event[3], came.documents) == ("0", [str(good.unique_id)])
    assert (missing.event[3], missing.documents) == ("8", [str(wrong)])
    assert missing.details() == {
        "Repository Unique Id": "not an OID",
        "ihe:homeCommunityID": HOME.urn,
    }
    visitor.get_by(asked_for(wrong))
    refused, _alert = told(visitor.house, visitor.recorded())
    assert (refused.event[3], refused.documents) == ("4", [str(wrong)])


def test_a_refusal_is_a_minor_failure_with_its_reason(visitor: Visitor) -> None:
    sealed = ask(discovery(), ITI_55_REQUEST, purpose_of_use=None)
    visitor.door.post("/ihe/xcpd", sealed.envelope, by=a_partner().name)
    (record,) = records(visitor.house)[-1:]
    event, denial = told(visitor.house, record)
    assert denial.event == ("110113", "E", "110147", "4")
    assert event.event == ("110112", "E", "ITI-55", "4")
    assert event.message.findtext("EventIdentification/EventOutcomeDescription") == record.reason
    assert event.patients == []
    assert local(event.asked[2]) == "queryByParameter"
