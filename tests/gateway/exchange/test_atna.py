"""What ATNA is told of what we asked, over a real socket (ITI TF-2: 3.55.5.1.1, 3.38, 3.39)."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app.house import House
from gateway.model.exchange import Exchange
from gateway.model.partner import Partner
from gateway.store import partners
from gateway.store.scope import ALL_PLANS
from ihe.identifiers import HomeCommunityId, UniqueId
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import MEMBER, asking_house, calls, retrieve
from tests.gateway.clients.scripted_partner import (
    DOCUMENTS,
    HOME,
    REPOSITORY,
    Heard,
    Reply,
    retrieved,
    scripted,
)
from tests.gateway.exchange.atna_told import HOST, PROCESS, Told, kept, local, told

SOURCE, DESTINATION = "110153", "110152"


@contextmanager
def asking(folder: Path, **script: object) -> Iterator[tuple[House, Partner]]:
    with scripted(**script) as other, asking_house(folder, [other.partner]) as house:  # type: ignore[arg-type]
        retrieve(house)
        yield house, other.partner


def events_of(house: House, transaction: str) -> list[list[Told]]:
    """The events of each record of that transaction."""
    return [
        told(house, record, _home(house, record))
        for record in calls(house)
        if record.transaction == transaction
    ]


def _home(house: House, record: Exchange) -> HomeCommunityId:
    known = house.database.read(lambda tx: partners.list_all(tx, plan=ALL_PLANS))
    (found,) = (one for one in known if one.id == record.partner)
    return found.home_community_id


@pytest.fixture(scope="module")
def round_trip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Partner]]:
    with asking(tmp_path_factory.mktemp("house")) as found:
        yield found


def test_the_envelopes_of_each_call_are_kept(round_trip: tuple[House, Partner]) -> None:
    house, _ = round_trip
    for record in calls(house):
        request, answer = kept(house, record.request_hash), kept(house, record.answer_hash)
        assert request is not None and (record.message_id or "?").encode() in request
        assert answer is not None and (record.message_id or "?").encode() in answer


def test_a_discovery_of_ours_names_no_patient(round_trip: tuple[House, Partner]) -> None:
    house, partner = round_trip
    ((event,),) = events_of(house, "ITI-55")
    assert event.event == ("110112", "E", "ITI-55", "0")
    assert event.patients == []
    assert event.details() == {"ihe:homeCommunityID": HOME.urn}
    kind, _, query = event.asked
    assert (kind, local(query)) == ("ITI-55", "queryByParameter")
    asks = event.participant(SOURCE)
    assert asks["AlternativeUserID"] == PROCESS
    assert (asks["UserIsRequestor"], asks["NetworkAccessPointID"]) == ("true", HOST)
    answers = event.participant(DESTINATION)
    assert (answers["UserID"], answers["UserIsRequestor"]) == (partner.endpoints.iti55, "false")
    assert "AlternativeUserID" not in answers
    assert answers["NetworkAccessPointID"] == "localhost"
    (nurse,) = event.people
    assert nurse["UserID"] == "Nora Nurse"
    assert event.purposes == ["PAYMENT"]


def test_a_query_of_ours_names_the_patient_as_the_partner_does(
    round_trip: tuple[House, Partner],
) -> None:
    house, _ = round_trip
    ((event,),) = events_of(house, "ITI-38")
    assert event.event == ("110112", "E", "ITI-38", "0")
    assert event.patients == ["NF-220871^^^&2.999.7301.1.2&ISO"]
    kind, identity, query = event.asked
    assert (kind, local(query)) == ("ITI-38", "AdhocQueryRequest")
    assert identity == "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
    assert event.details()["urn:ihe:iti:xca:2010:homeCommunityId"] == HOME.urn
    assert event.participant(SOURCE)["AlternativeUserID"] == PROCESS


def test_a_retrieve_of_ours_is_an_import_of_which_we_are_the_destination(
    round_trip: tuple[House, Partner],
) -> None:
    house, partner = round_trip
    found = [event for events in events_of(house, "ITI-39") for event in events]
    assert {event.event for event in found} == {("110107", "C", "ITI-39", "0")}
    assert sorted(id or "" for event in found for id in event.documents) == sorted(
        map(str, DOCUMENTS)
    )
    gives, takes = found[0].participant(SOURCE), found[0].participant(DESTINATION)
    assert (gives["UserID"], gives["UserIsRequestor"]) == (partner.endpoints.iti39, "false")
    assert "AlternativeUserID" not in gives
    assert (takes["AlternativeUserID"], takes["UserIsRequestor"]) == (PROCESS, "true")
    assert found[0].details() == {
        "Repository Unique Id": str(REPOSITORY),
        "ihe:homeCommunityID": HOME.urn,
    }
    assert found[0].patients == [f"{MEMBER.id}^^^&2.999.7300.1&ISO"]


def test_documents_that_do_not_come_are_an_event_of_their_own(tmp_path: Path) -> None:
    def one_of_two(heard: Heard) -> Reply:
        first = next(iter(DOCUMENTS))
        return retrieved(heard, {first: lakeshore.demo_document(DOCUMENTS[first])})

    with asking(tmp_path, ITI_39=one_of_two) as (house, _):
        outcomes = {
            (event.event[3], *event.documents)
            for events in events_of(house, "ITI-39")
            for event in events
        }
    came, missing = map(str, DOCUMENTS)
    assert ("0", came) in outcomes
    assert ("8", missing) in outcomes


def test_a_document_whose_id_is_written_otherwise_came_all_the_same(tmp_path: Path) -> None:
    def given(heard: Heard) -> Reply:
        contents = {
            UniqueId(f"urn:oid:{one}"): lakeshore.demo_document(DOCUMENTS[one]) for one in DOCUMENTS
        }
        return retrieved(heard, contents)

    with asking(tmp_path, ITI_39=given) as (house, _):
        (events,) = events_of(house, "ITI-39")
        assert [(event.event[3], sorted(event.documents)) for event in events] == [
            ("0", sorted(map(str, DOCUMENTS)))
        ]


def test_a_fault_is_a_failed_query_with_what_was_asked(tmp_path: Path) -> None:
    def fault(heard: Heard) -> Reply:
        body = b"<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code></s:Fault>"
        envelope = b'<s:Envelope xmlns:s="%b"><s:Body>%b</s:Body></s:Envelope>'
        return Reply(envelope % (b"http://www.w3.org/2003/05/soap-envelope", body), status=500)

    with asking(tmp_path, ITI_55=fault) as (house, _):
        ((event,),) = events_of(house, "ITI-55")
        (record,) = calls(house)
        assert b"Receiver" in (kept(house, record.answer_hash) or b"")
    assert event.event == ("110112", "E", "ITI-55", "8")
    assert local(event.asked[2]) == "queryByParameter"


def test_a_partner_that_never_answers_leaves_its_event_too(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        with scripted() as other:
            base = f"https://localhost:{taken.getsockname()[1]}"
            deaf = replace(
                other.partner,
                endpoints=replace(other.partner.endpoints, iti55=f"{base}/xcpd"),
                profile=replace(other.partner.profile, attempts=1),
            )
        with asking_house(tmp_path, [deaf]) as house:
            retrieve(house)
            (record,) = calls(house)
            assert record.answer_hash is None
            ((event,),) = events_of(house, "ITI-55")
    assert event.event == ("110112", "E", "ITI-55", "8")
    assert event.message.findtext("EventIdentification/EventOutcomeDescription") == record.reason
    assert local(event.asked[2]) == "queryByParameter"
