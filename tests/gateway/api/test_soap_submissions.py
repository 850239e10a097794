"""Partners submit documents at /ihe/xdr: ITI-41, ITI-80, and a HISP's Direct edge."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ccda.hl7v3 import PN, TS
from ccda.safe_xml import parse_xml
from gateway.exchange.deciding import file_as, read_held
from gateway.exchange.metadata import source_patient_info
from gateway.model.document import Document
from gateway.model.exchange import Exchange
from gateway.model.identity import MemberId, PlanId
from gateway.model.member import Member
from gateway.store import members, offers
from gateway.store.documents import list_page
from ihe.discovery import Demographics
from ihe.identifiers import HomeCommunityId, Oid, PatientId
from ihe.metadata import Association, AssociationType
from ihe.registry_response import (
    ErrorCode,
    RegistryResponse,
    ResponseStatus,
    Severity,
    read_registry_response,
)
from ihe.soap import ITI_41_REQUEST, ITI_55_REQUEST, ITI_80_REQUEST, MessageKind
from tests.gateway.api.soap_place import Place, elsewhere
from tests.gateway.asking import answer_to, ask, discovery, fault_of, patient_id
from tests.gateway.exchange.atna_told import HOST, PROCESS, told
from tests.gateway.house import (
    HOME,
    MEMBER,
    OTHER_PLAN,
    PLAN,
    SOAP,
    a_partner,
    a_rule,
    contents,
    documents,
    open_house,
    records,
    refusals,
    serving,
)
from tests.gateway.submitting import (
    a_submission,
    a_take_rule,
    an_entry,
    package,
    parts_of,
    post,
    sealed,
    submit,
    the_ccd,
)

CONTENT = the_ccd()
SUCCESS = RegistryResponse(ResponseStatus.SUCCESS)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with open_house(tmp_path, rules=[a_take_rule()]) as house, serving(house) as door:
        yield Place(house, door)


def submitted(place: Place) -> list[Document]:
    return [one for one in documents(place.house) if one.source.door == "ITI-41"]


def of_partner(place: Place) -> list[Exchange]:
    return [one for one in records(place.house) if one.partner is not None]


def codes(response: RegistryResponse) -> list[object]:
    return [error.code for error in response.errors]


# ---- what is taken ---------------------------------------------------------------------------


@pytest.mark.parametrize("inline", [False, True])
def test_a_document_is_filed_with_the_member_whom_it_names(place: Place, inline: bool) -> None:
    entry = an_entry(CONTENT)
    request = a_submission((entry, CONTENT), inline=inline)
    assert submit(place.door, request, CONTENT) == SUCCESS
    (document,) = submitted(place)
    assert (document.state, document.member) == ("filed", MEMBER.id)
    assert document.source.document_unique_id == str(entry.unique_id)
    assert document.source.partner_name == "Northfield Health"
    assert place.house.archive.load(PLAN, document.blob) == CONTENT
    (record,) = of_partner(place)
    assert (record.transaction, record.direction, record.outcome) == ("ITI-41", "in", "success")
    assert (record.member, record.documents) == (MEMBER.id, (document.id,))
    assert (record.person, record.purpose, record.plan) == ("Nora Nurse", "PAYMENT", PLAN)
    assert record.request_hash and record.answer_hash and record.reason is None


def test_an_envelope_without_attachments_may_come_bare(place: Place) -> None:
    request = a_submission((an_entry(CONTENT), CONTENT), inline=True)
    reply = place.door.post("/ihe/xdr", sealed(request).envelope, content_type=SOAP)
    assert reply.status == 200
    assert [one.state for one in submitted(place)] == ["filed"]


def test_the_same_again_changes_nothing_and_is_a_success(place: Place) -> None:
    request = a_submission((an_entry(CONTENT), CONTENT))
    assert submit(place.door, request, CONTENT) == SUCCESS
    assert submit(place.door, request, CONTENT) == SUCCESS
    assert len(submitted(place)) == 1
    assert [one.reason for one in of_partner(place)] == [None, "1 had come before"]


@pytest.mark.parametrize("how", ["our id", "the plan's number", "demographics"])
def test_metadata_that_names_the_member_as_the_document_does_is_believed(
    place: Place, how: str
) -> None:
    named = {
        "our id": {"patient_id": patient_id()},
        "the plan's number": {"source_patient_id": "LS-0093345^^^&2.999.7302.1.2&ISO"},
        "demographics": {"source_patient_info": source_patient_info(MEMBER.demographics)},
    }
    entry = an_entry(CONTENT, **named[how])
    assert submit(place.door, a_submission((entry, CONTENT)), CONTENT) == SUCCESS
    assert [one.member for one in submitted(place)] == [MEMBER.id]


# ---- what is held, which the partner does not hear -------------------------------------------


def test_a_document_of_nobody_we_know_is_held_and_the_answer_is_the_same(place: Place) -> None:
    stranger = CONTENT.replace(b"Sampleton", b"Elsewhere").replace(b"Rosalind", b"Quentin")
    request = a_submission((an_entry(stranger), stranger))
    assert submit(place.door, request, stranger) == SUCCESS
    (document,) = submitted(place)
    assert (document.state, document.member) == ("held", None)
    (record,) = of_partner(place)
    assert (record.outcome, record.member) == ("success", None)
    assert record.reason == "1 held for a person to decide"


def test_metadata_that_names_another_person_than_the_document_has_it_held(place: Place) -> None:
    other = Demographics((PN("Elsewhere", ("Quentin",)),), TS("19990101"), "M")
    entry = an_entry(CONTENT, source_patient_info=source_patient_info(other))
    assert submit(place.door, a_submission((entry, CONTENT)), CONTENT) == SUCCESS
    (document,) = submitted(place)
    assert (document.state, document.candidate) == ("held", MEMBER.id)
    assert document.reason == "its metadata names another person than it does"


def test_metadata_of_a_member_does_not_make_another_persons_document_the_members(
    place: Place,
) -> None:
    stranger = CONTENT.replace(b"Sampleton", b"Elsewhere").replace(b"Rosalind", b"Quentin")
    entry = an_entry(stranger, patient_id=patient_id())
    assert submit(place.door, a_submission((entry, stranger)), stranger) == SUCCESS
    (document,) = submitted(place)
    assert (document.state, document.candidate) == ("held", MEMBER.id)


def test_what_nobody_can_read_is_kept_aside(place: Place) -> None:
    scan = b"PK\x03\x04 something packed"
    entry = an_entry(scan, mime_type="application/pdf", patient_id=patient_id())
    assert submit(place.door, a_submission((entry, scan)), scan) == SUCCESS
    assert [one.state for one in submitted(place)] == ["quarantined"]


# ---- several plans that take from one partner ------------------------------------------------


@pytest.mark.parametrize("named", [PLAN, OTHER_PLAN])
def test_of_several_plans_that_take_it_is_for_the_one_whose_member_it_names(
    tmp_path: Path, named: PlanId
) -> None:
    theirs = Member(
        MemberId("00000000-0000-4000-8000-00000000000b"),
        OTHER_PLAN,
        "O-1",
        replace(MEMBER.demographics, ids=()),
    )
    rules = [a_take_rule(), a_take_rule(plan=OTHER_PLAN)]
    with open_house(tmp_path, rules=rules) as house, serving(house) as door:
        house.database.write(lambda tx: members.put(tx, theirs))
        whose = MEMBER if named == PLAN else theirs
        entry = an_entry(CONTENT, patient_id=replace(patient_id(), id=whose.id))
        assert submit(door, a_submission((entry, CONTENT)), CONTENT) == SUCCESS
        (document,) = [
            one
            for plan in (PLAN, OTHER_PLAN)
            for one in house.database.read(lambda tx, plan=plan: list_page(tx, plan=plan))
            if one.source.door == "ITI-41"
        ]
        assert (document.plan, document.state, document.member) == (named, "filed", whose.id)
        (record,) = [one for one in records(house) if one.transaction == "ITI-41"]
        assert (record.plan, record.member) == (named, whose.id)


# ---- scans, of which metadata alone says whose they are --------------------------------------

SCAN = b"%PDF-1.7 a scan"
HERS = source_patient_info(MEMBER.demographics)
OTHERS = source_patient_info(Demographics((PN("Elsewhere", ("Quentin",)),), TS("19990101"), "M"))
ONLY_NAMED = ("PID-5|Sampleton^Rosalind^^^",)


def a_scan(**changes: Any) -> Any:
    return an_entry(SCAN, mime_type="application/pdf", title="Consent, signed", **changes)


@pytest.mark.parametrize("ids", [{}, {"patient_id": patient_id()}], ids=["no id", "our id"])
def test_a_scan_is_filed_when_its_metadata_match_as_a_document_must(
    place: Place, ids: dict[str, Any]
) -> None:
    entry = a_scan(source_patient_info=HERS, **ids)
    assert submit(place.door, a_submission((entry, SCAN)), SCAN) == SUCCESS
    (document,) = submitted(place)
    assert (document.state, document.member, document.title) == (
        "filed",
        MEMBER.id,
        "Consent, signed",
    )
    (record,) = of_partner(place)
    assert (record.member, record.documents, record.reason) == (MEMBER.id, (document.id,), None)
    offered = place.house.database.read(
        lambda tx: offers.of_member(tx, plan=PLAN, member=MEMBER.id, replaced=True)
    )
    assert document.id not in {one.document.id for one in offered}
    # The same again is the same document.
    assert submit(place.door, a_submission((entry, SCAN)), SCAN) == SUCCESS
    assert len(submitted(place)) == 1


@pytest.mark.parametrize(
    ("said", "candidate"),
    [
        ({"patient_id": patient_id()}, MEMBER.id),
        ({"source_patient_info": ONLY_NAMED}, None),
        ({"source_patient_info": ONLY_NAMED, "patient_id": patient_id()}, None),
        ({"source_patient_info": OTHERS, "patient_id": patient_id()}, None),
        ({"source_patient_info": OTHERS}, None),
        ({}, None),
    ],
    ids=["an id alone", "a name alone", "name and id", "another person", "stranger", "nothing"],
)
def test_a_scan_without_a_match_waits_for_a_person(
    place: Place, said: dict[str, Any], candidate: MemberId | None
) -> None:
    assert submit(place.door, a_submission((a_scan(**said), SCAN)), SCAN) == SUCCESS
    (document,) = submitted(place)
    assert (document.state, document.member, document.candidate) == ("held", None, candidate)
    (record,) = of_partner(place)
    assert (record.member, record.reason) == (None, "1 held for a person to decide")


def test_a_scan_beside_a_document_that_waits_waits_too(place: Place) -> None:
    stranger = CONTENT.replace(b"Sampleton", b"Elsewhere").replace(b"Rosalind", b"Quentin")
    scan = a_scan(source_patient_info=HERS)
    request = a_submission((scan, SCAN), (an_entry(stranger), stranger))
    assert submit(place.door, request, SCAN, stranger) == SUCCESS
    assert {one.state for one in submitted(place)} == {"held"}


def test_a_scan_beside_a_document_goes_where_that_goes(place: Place) -> None:
    request = a_submission((a_scan(), SCAN), (an_entry(CONTENT), CONTENT))
    assert submit(place.door, request, SCAN, CONTENT) == SUCCESS
    assert {(one.state, one.member) for one in submitted(place)} == {("filed", MEMBER.id)}


# ---- versions --------------------------------------------------------------------------------


def replacing(new: str, old: str, kind: AssociationType = AssociationType.RPLC) -> Association:
    return Association("urn:uuid:00000000-0000-4000-8000-00000000000e", kind, new, old)


def test_a_replacement_supersedes_what_was_submitted_before(place: Place) -> None:
    first = an_entry(CONTENT)
    submit(place.door, a_submission((first, CONTENT)), CONTENT)
    newer = CONTENT.replace(b"lisinopril", b"Lisinopril")
    assert newer != CONTENT
    second = an_entry(newer)
    replaces = replacing(second.entry_uuid, first.entry_uuid)
    request = a_submission((second, newer), associations=[replaces])
    assert submit(place.door, request, newer) == SUCCESS
    old, new = submitted(place)
    assert (old.superseded_by, new.superseded_by) == (new.id, None)


NEWER_SCAN = b"%PDF-1.7 the same scan, all pages"


@pytest.mark.parametrize("first", [SCAN, CONTENT], ids=["a scan", "a clinical document"])
def test_a_scan_supersedes_what_it_replaces_and_nobody_is_warned(
    place: Place, first: bytes
) -> None:
    before = a_scan(source_patient_info=HERS) if first is SCAN else an_entry(first)
    submit(place.door, a_submission((before, first)), first)
    newer = an_entry(NEWER_SCAN, mime_type="application/pdf", source_patient_info=HERS)
    replaces = replacing(newer.entry_uuid, before.entry_uuid)
    request = a_submission((newer, NEWER_SCAN), associations=[replaces])
    assert submit(place.door, request, NEWER_SCAN) == SUCCESS
    old, new = submitted(place)
    assert (old.superseded_by, new.superseded_by) == (new.id, None)


def test_a_clinical_document_supersedes_a_scan(place: Place) -> None:
    before = a_scan(source_patient_info=HERS)
    submit(place.door, a_submission((before, SCAN)), SCAN)
    newer = an_entry(CONTENT)
    replaces = replacing(newer.entry_uuid, before.entry_uuid)
    request = a_submission((newer, CONTENT), associations=[replaces])
    assert submit(place.door, request, CONTENT) == SUCCESS
    old, new = submitted(place)
    assert (old.superseded_by, new.superseded_by) == (new.id, None)


def test_a_scan_that_waits_supersedes_once_a_person_files_it(place: Place) -> None:
    before = a_scan(source_patient_info=HERS)
    submit(place.door, a_submission((before, SCAN)), SCAN)
    newer = an_entry(NEWER_SCAN, mime_type="application/pdf", patient_id=patient_id())
    replaces = replacing(newer.entry_uuid, before.entry_uuid)
    request = a_submission((newer, NEWER_SCAN), associations=[replaces])
    assert submit(place.door, request, NEWER_SCAN) == SUCCESS
    old, new = submitted(place)
    assert (new.state, old.superseded_by) == ("held", None)
    house = place.house
    (plan,) = (one for one in house.plans if one.id == PLAN)
    received = asyncio.run(read_held(house.archive, new, plan))
    now = datetime.now(UTC)
    house.database.write(
        file_as(received, new.id, member=MEMBER, community=house.community, now=now)
    )
    old, new = submitted(place)
    assert (new.state, old.superseded_by) == ("filed", new.id)


def test_what_replaces_nothing_of_the_partners_own_is_taken_with_a_warning(place: Place) -> None:
    (ours, *_) = [one for one in documents(place.house) if one.source.door == "FILE"]
    entry = an_entry(CONTENT)
    replaces = replacing(entry.entry_uuid, f"urn:uuid:{ours.id}")
    request = a_submission((entry, CONTENT), associations=[replaces])
    response = submit(place.door, request, CONTENT)
    assert response.status is ResponseStatus.SUCCESS
    (warning,) = response.errors
    assert warning.code is ErrorCode.PARTIAL_REPLACE_CONTENT
    assert warning.severity is Severity.WARNING
    still = {one.id: one.superseded_by for one in documents(place.house)}
    assert still[ours.id] == ours.superseded_by


def test_what_is_not_kept_of_a_submission_is_said(place: Place) -> None:
    entry = an_entry(CONTENT)
    target = "urn:uuid:00000000-0000-4000-8000-0000000000ff"
    appends = replacing(entry.entry_uuid, target, AssociationType.APND)
    response = submit(place.door, a_submission((entry, CONTENT), associations=[appends]), CONTENT)
    assert codes(response) == [ErrorCode.PARTIAL_APPEND_CONTENT]
    assert [one.state for one in submitted(place)] == ["filed"]


# ---- errors by name --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"hash": "0" * 40}, ErrorCode.REPOSITORY_METADATA_ERROR),
        ({"size_bytes": 1}, ErrorCode.REPOSITORY_METADATA_ERROR),
    ],
)
def test_a_document_that_is_not_the_described_one_is_not_taken(
    place: Place, changes: dict[str, Any], code: ErrorCode
) -> None:
    before = contents(place.house)["blob"]
    response = submit(place.door, a_submission((an_entry(CONTENT, **changes), CONTENT)), CONTENT)
    assert (response.status, codes(response)) == (ResponseStatus.FAILURE, [code])
    assert submitted(place) == [] and contents(place.house)["blob"] == before
    (record,) = of_partner(place)
    assert (record.transaction, record.outcome, record.plan) == ("ITI-41", "refused", PLAN)


def test_a_plain_envelope_that_names_a_part_hears_that_mtom_is_required(place: Place) -> None:
    asked = sealed(a_submission((an_entry(CONTENT), CONTENT)))
    reply = place.door.post("/ihe/xdr", asked.envelope, content_type=SOAP)
    (error,) = read_registry_response(answer_to(asked, reply.body)).errors
    assert error.code is ErrorCode.MISSING_DOCUMENT
    assert error.context.endswith("which has no attachments: MTOM required")
    assert submitted(place) == []


def test_a_part_that_does_not_come_is_a_missing_document(place: Place) -> None:
    response = submit(place.door, a_submission((an_entry(CONTENT), CONTENT)))
    assert codes(response) == [ErrorCode.MISSING_DOCUMENT]
    assert submitted(place) == []


def test_nothing_of_a_submission_is_taken_if_one_document_is_wrong(place: Place) -> None:
    wrong = an_entry(CONTENT, hash="0" * 40)
    other = CONTENT.replace(b"lisinopril", b"Lisinopril")
    request = a_submission((an_entry(other), other), (wrong, CONTENT))
    assert codes(submit(place.door, request, other, CONTENT)) == [
        ErrorCode.REPOSITORY_METADATA_ERROR
    ]
    assert submitted(place) == []


def test_other_bytes_under_a_known_unique_id_are_not_identical(place: Place) -> None:
    entry = an_entry(CONTENT)
    submit(place.door, a_submission((entry, CONTENT)), CONTENT)
    other = CONTENT.replace(b"lisinopril", b"Lisinopril")
    again = an_entry(other, unique_id=entry.unique_id)
    response = submit(place.door, a_submission((again, other)), other)
    assert codes(response) == [ErrorCode.NON_IDENTICAL_HASH]
    assert str(entry.unique_id) in response.errors[0].context
    assert len(submitted(place)) == 1


def test_an_entry_uuid_stands_for_one_document(place: Place) -> None:
    entry = an_entry(CONTENT)
    submit(place.door, a_submission((entry, CONTENT)), CONTENT)
    other = CONTENT.replace(b"lisinopril", b"Lisinopril")
    again = an_entry(other, entry_uuid=entry.entry_uuid)
    response = submit(place.door, a_submission((again, other)), other)
    assert codes(response) == [ErrorCode.DUPLICATE_UNIQUE_ID]


# ---- who may not -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        a_rule(),
        a_take_rule(purpose="TREATMENT"),
        a_take_rule(partner=a_partner(home="2.999.7399").id),
    ],
    ids=["that gives", "for another purpose", "for another partner"],
)
def test_without_a_rule_to_take_nothing_is_taken(tmp_path: Path, rule: Any) -> None:
    with open_house(tmp_path, rules=[rule]) as house, serving(house) as door:
        place = Place(house, door)
        before = elsewhere(place)
        _, reply = post(door, a_submission((an_entry(CONTENT), CONTENT)), CONTENT)
        fault = fault_of(reply)
        assert fault.code == "soap:Sender"
        assert fault.sentence == "No rule lets this community submit documents for this purpose."
        assert elsewhere(place) == before
        (record,) = of_partner(place)
        assert (record.outcome, record.reason) == ("refused", fault.sentence)


def test_a_rule_to_take_gives_nothing(place: Place) -> None:
    asked = ask(discovery(), ITI_55_REQUEST)
    reply = place.door.post("/ihe/xcpd", asked.envelope)
    assert b"NF" in reply.body and MEMBER.id.encode() not in reply.body


def test_a_stranger_is_only_counted_and_leaves_nothing(place: Place) -> None:
    before = elsewhere(place)
    request = a_submission((an_entry(CONTENT), CONTENT))
    content_type, content = package(sealed(request).envelope, parts_of(request, [CONTENT]))
    reply = place.door.post("/ihe/xdr", content, content_type=content_type, by="Somebody else")
    assert fault_of(reply).sentence == "The security of the message could not be verified."
    assert of_partner(place) == [] and elsewhere(place) == before
    assert len(refusals(place.house)) == 1


def test_a_replayed_submission_is_refused(place: Place) -> None:
    request = a_submission((an_entry(CONTENT), CONTENT))
    content_type, content = package(sealed(request).envelope, parts_of(request, [CONTENT]))
    first = place.door.post("/ihe/xdr", content, content_type=content_type)
    second = place.door.post("/ihe/xdr", content, content_type=content_type)
    assert (first.status, second.status) == (200, 400)
    assert len(submitted(place)) == 1
    assert [one.outcome for one in of_partner(place)] == ["success", "refused"]


def test_another_transaction_is_not_answered_here(place: Place) -> None:
    reply = place.door.post("/ihe/xdr", ask(discovery(), ITI_55_REQUEST).envelope)
    assert fault_of(reply).sentence == "ITI-55 is not answered at this address"


# ---- ITI-80 ----------------------------------------------------------------------------------


def test_iti_80_is_taken_for_our_community(place: Place) -> None:
    request = a_submission((an_entry(CONTENT), CONTENT), home=HOME)
    assert submit(place.door, request, CONTENT, kind=ITI_80_REQUEST) == SUCCESS
    (record,) = of_partner(place)
    assert (record.transaction, record.outcome) == ("ITI-80", "success")


@pytest.mark.parametrize(
    ("home", "code"),
    [
        (None, ErrorCode.MISSING_HOME_COMMUNITY_ID),
        (HomeCommunityId.parse("2.999.1234"), ErrorCode.UNKNOWN_COMMUNITY),
    ],
)
def test_iti_80_for_nobody_or_somebody_else_is_an_error(
    place: Place, home: HomeCommunityId | None, code: ErrorCode
) -> None:
    request = a_submission((an_entry(CONTENT), CONTENT), home=home)
    assert codes(submit(place.door, request, CONTENT, kind=ITI_80_REQUEST)) == [code]
    assert submitted(place) == []


def test_the_community_may_stand_in_the_header(place: Place) -> None:
    block = etree.fromstring(
        '<x:homeCommunityBlock xmlns:x="urn:ihe:iti:xdr:2014">'
        f"<x:homeCommunityId>{HOME.urn}</x:homeCommunityId></x:homeCommunityBlock>"
    )
    request = a_submission((an_entry(CONTENT), CONTENT))
    response = submit(place.door, request, CONTENT, kind=ITI_80_REQUEST, header=block)
    assert response == SUCCESS


# ---- a HISP's edge ---------------------------------------------------------------------------


def test_a_direct_edge_is_recorded_with_from_to_and_level(place: Place) -> None:
    block = etree.fromstring(
        '<d:addressBlock xmlns:d="urn:direct:addressing"'
        ' xmlns:s="http://www.w3.org/2003/05/soap-envelope" s:mustUnderstand="1">'
        "<d:from>mailto:dr@clinic.example</d:from><d:to>mailto:intake@plan.example</d:to>"
        "<d:metadata-level>minimal</d:metadata-level></d:addressBlock>"
    )
    request = a_submission((an_entry(CONTENT), CONTENT))
    assert submit(place.door, request, CONTENT, header=block) == SUCCESS
    (record,) = of_partner(place)
    edge = "by Direct edge from dr@clinic.example to intake@plan.example, minimal metadata"
    assert record.reason == edge


# ---- ATNA ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), [(ITI_41_REQUEST, "ITI-41"), (ITI_80_REQUEST, "ITI-80")])
def test_a_submission_is_an_import_of_which_we_are_the_destination(
    place: Place, kind: MessageKind, name: str
) -> None:
    request = a_submission((an_entry(CONTENT), CONTENT), home=HOME)
    assert submit(place.door, request, CONTENT, kind=kind) == SUCCESS
    (event,) = told(place.house, of_partner(place)[-1])
    assert event.event == ("110107", "C", name, "0")
    assert event.patients == [f"{MEMBER.id}^^^&{HOME}.1&ISO"]
    (given,) = event.message.xpath("ParticipantObjectIdentification[@ParticipantObjectTypeCode=2]")
    assert given.get("ParticipantObjectTypeCodeRole") == "20"
    assert given.get("ParticipantObjectID") == str(request.submission_set.unique_id)
    kind_of_id = given.find("ParticipantObjectIDTypeCode")
    assert kind_of_id.get("csd-code") == "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
    gives, takes = event.participant("110153"), event.participant("110152")
    assert (gives["UserIsRequestor"], gives["NetworkAccessPointID"]) == ("true", "127.0.0.1")
    assert (takes["AlternativeUserID"], takes["NetworkAccessPointID"]) == (PROCESS, HOST)
    assert takes["UserID"] == "https://gateway.example/ihe"


def test_a_refused_submission_is_an_event_and_an_alert(place: Place) -> None:
    entry = an_entry(CONTENT, hash="0" * 40, patient_id=PatientId("X-1", Oid("2.999.5")))
    submit(place.door, a_submission((entry, CONTENT)), CONTENT)
    event, alert = told(place.house, of_partner(place)[-1])
    assert event.event == ("110107", "C", "ITI-41", "4")
    assert event.patients == ["X-1^^^&2.999.5&ISO"]
    assert alert.event[0] == "110113"


# ---- the WSDL --------------------------------------------------------------------------------


def test_the_door_shows_its_wsdl(place: Place) -> None:
    reply = place.door.request("GET", "/ihe/xdr?wsdl")
    definitions = parse_xml(reply.body)
    names = {one.get("name") for one in definitions.iter("{*}operation")}
    assert names >= {"DocumentRecipient_ProvideAndRegisterDocumentSet-b"}
    (address,) = definitions.iter("{http://schemas.xmlsoap.org/wsdl/soap12/}address")
    assert address.get("location", "").endswith("/ihe/xdr")


def test_a_patient_of_another_authority_is_nobody_of_ours(place: Place) -> None:
    stated = PatientId(MEMBER.id, HomeCommunityId.parse("2.999.7301.1.2").oid)
    entry = replace(an_entry(CONTENT), patient_id=stated)
    assert submit(place.door, a_submission((entry, CONTENT)), CONTENT) == SUCCESS
    # The document says whose it is.
    assert [one.member for one in submitted(place)] == [MEMBER.id]
