"""ITI-41 and ITI-80 as written and as read."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from ccda.safe_xml import Element, parse_xml
from ihe.document_content import ContentId
from ihe.errors import MalformedMessage, UnexpectedMessage
from ihe.identifiers import HomeCommunityId, Oid, PatientId
from ihe.metadata import AssociationType
from ihe.mtom import MultipartReader, PartData, RootPart
from ihe.registry_response import ErrorCode, RegistryRefusal, rs
from ihe.rim import rim
from ihe.soap import parse_envelope, read_envelope
from ihe.submission import lcm
from ihe.xca_retrieve import xdsb
from ihe.xdr import SubmittedDocument, read_provide_and_register, write_provide_and_register
from tests.ihe.submissions import APPENDS, ENTRIES, REPLACES, SUBMISSION, SUBMISSION_SET
from tests.ihe_conformance import assert_valid_body

SHARED = Path(__file__).resolve().parents[3] / "shared" / "samples" / "ihe"
HOME = HomeCommunityId(Oid("2.999.20"))
SUBMIT_OBJECTS = lcm("SubmitObjectsRequest")


def refusal_of(element: Element) -> RegistryRefusal:
    with pytest.raises(RegistryRefusal) as raised:
        read_provide_and_register(element)
    return raised.value


# ---- as written ------------------------------------------------------------------------------


@pytest.mark.parametrize("home", [None, HOME])
def test_a_request_written_is_valid_and_reads_back_the_same(home: HomeCommunityId | None) -> None:
    request = replace(SUBMISSION, home_community_id=home)
    written = write_provide_and_register(request)
    assert_valid_body(written)
    assert read_provide_and_register(written) == request


def test_an_attachment_is_named_by_its_escaped_content_id() -> None:
    written = etree.tostring(write_provide_and_register(SUBMISSION))
    assert b'href="cid:one%2B%2F%25@example.org"' in written
    assert b"PGlubGluZS8+" in written


def test_the_community_of_iti_80_stands_in_a_slot_of_the_request() -> None:
    written = write_provide_and_register(replace(SUBMISSION, home_community_id=HOME))
    path = f"{SUBMIT_OBJECTS}/{rs('RequestSlotList')}/{rim('Slot')}"
    (slot,) = written.findall(path)
    assert slot.get("name") == "homeCommunityId"
    assert slot.findtext(f"{rim('ValueList')}/{rim('Value')}") == "urn:oid:2.999.20"


def test_each_entry_comes_with_its_document() -> None:
    pairs = list(read_provide_and_register(write_provide_and_register(SUBMISSION)).submitted)
    assert [(entry.unique_id, document.content) for entry, document in pairs] == [
        (ENTRIES[0].unique_id, ContentId("one+/%@example.org")),
        (ENTRIES[1].unique_id, b"<inline/>"),
    ]


# ---- as others write it ----------------------------------------------------------------------


def test_a_set_that_is_classified_beside_its_package_is_one() -> None:
    written = write_provide_and_register(SUBMISSION)
    objects = next(written.iter(rim("RegistryObjectList")))
    package = next(one for one in objects if one.get("id") == SUBMISSION_SET.entry_uuid)
    kind = next(one for one in package.iter(rim("Classification")) if one.get("classificationNode"))
    objects.append(kind)
    assert read_provide_and_register(written) == SUBMISSION


@pytest.mark.skipif(not SHARED.is_dir(), reason="the samples lie beside the checkout")
@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        # Published without the parts beside them.
        ("iheos-toolkit2/validator_pnr-limited.xml", ErrorCode.MISSING_DOCUMENT),
        ("iheos-toolkit2/validator_pnr.xml", ErrorCode.MISSING_DOCUMENT),
        ("iheos-toolkit2/validator_soap-pnr.xml", ErrorCode.MISSING_DOCUMENT),
        ("CONNECT/soapui_Provide*-b-CCD_*", ErrorCode.MISSING_DOCUMENT),
        # A form whose metadata nobody has filled in.
        ("CONNECT/soapui_Provide*_XDR-Provide-*", ErrorCode.REPOSITORY_METADATA_ERROR),
        ("CONNECT/soapui_Provide*_DocRegistry*", None),
    ],
)
def test_real_submissions_are_read_or_said_to_lack_something(
    name: str, lacking: ErrorCode | None
) -> None:
    (file,) = SHARED.glob(name)
    (body,) = parse_xml(file.read_bytes()).iter(xdsb("ProvideAndRegisterDocumentSetRequest"))
    if lacking is None:
        ((entry, document),) = read_provide_and_register(body).submitted
        assert entry.unique_id and isinstance(document.content, bytes)
    else:
        assert refusal_of(body).error.code is lacking


@pytest.mark.skipif(not SHARED.is_dir(), reason="the samples lie beside the checkout")
def test_a_real_package_is_read_with_its_attachment() -> None:
    content = (SHARED / "iheos-toolkit2" / "mtom_sample_pnr_multipart.txt").read_bytes()
    boundary = content.lstrip().split(b"\n")[0].strip()[2:].decode()
    reader = MultipartReader(f'multipart/related; boundary="{boundary}"')
    events = reader.feed(content.lstrip())
    (root,) = [one.content for one in events if isinstance(one, RootPart)]
    payload = read_envelope(parse_envelope(root)).payload
    ((entry, document),) = read_provide_and_register(payload).submitted
    assert isinstance(document.content, ContentId) and entry.unique_id
    assert b"".join(one.content for one in events if isinstance(one, PartData))


# ---- what is wrong with it, by name ----------------------------------------------------------


def without(tag: str) -> Callable[[Element], None]:
    def change(root: Element) -> None:
        found = next(root.iter(tag))
        parent = found.getparent()
        assert parent is not None
        parent.remove(found)

    return change


def named(tag: str, attribute: str, value: str) -> Callable[[Element], None]:
    def change(root: Element) -> None:
        next(root.iter(tag)).set(attribute, value)

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (without(xdsb("Document")), ErrorCode.MISSING_DOCUMENT),
        (without("{http://www.w3.org/2004/08/xop/include}Include"), ErrorCode.MISSING_DOCUMENT),
        (without(rim("ExtrinsicObject")), ErrorCode.MISSING_DOCUMENT_METADATA),
        (named(xdsb("Document"), "id", ""), ErrorCode.MISSING_DOCUMENT_METADATA),
        (named(rim("ExtrinsicObject"), "id", ""), ErrorCode.REPOSITORY_METADATA_ERROR),
        (
            named(xdsb("Document"), "id", ENTRIES[1].entry_uuid),
            ErrorCode.REPOSITORY_METADATA_ERROR,
        ),
        (without(rim("RegistryPackage")), ErrorCode.REPOSITORY_METADATA_ERROR),
        (named(rim("Association"), "sourceObject", ""), ErrorCode.REPOSITORY_METADATA_ERROR),
        (
            named(rim("Association"), "targetObject", SUBMISSION_SET.entry_uuid),
            ErrorCode.REPOSITORY_METADATA_ERROR,
        ),
    ],
)
def test_each_flaw_has_its_error(change: Callable[[Element], None], code: ErrorCode) -> None:
    written = write_provide_and_register(SUBMISSION)
    change(written)
    assert refusal_of(written).error.code is code


def test_one_unique_id_twice_is_a_duplicate() -> None:
    twice = (ENTRIES[0], replace(ENTRIES[1], unique_id=ENTRIES[0].unique_id))
    refusal = refusal_of(write_provide_and_register(replace(SUBMISSION, entries=twice)))
    assert refusal.error.code is ErrorCode.DUPLICATE_UNIQUE_ID


def test_documents_of_two_patients_do_not_match() -> None:
    other = replace(ENTRIES[1], patient_id=PatientId("B-2", Oid("2.999.5")))
    refusal = refusal_of(
        write_provide_and_register(replace(SUBMISSION, entries=(ENTRIES[0], other)))
    )
    assert refusal.error.code is ErrorCode.PATIENT_ID_DOES_NOT_MATCH
    assert "B-2" not in refusal.reason


def test_minimal_metadata_that_names_no_patient_is_read() -> None:
    entry = replace(ENTRIES[0], patient_id=None, hash=None, size_bytes=None, class_code=None)
    request = replace(
        SUBMISSION,
        submission_set=replace(SUBMISSION_SET, patient_id=None, content_type=None),
        entries=(entry,),
        documents=(SubmittedDocument(entry.entry_uuid, b"<x/>"),),
    )
    assert read_provide_and_register(write_provide_and_register(request)) == request


def test_a_home_community_that_is_none_is_said() -> None:
    written = write_provide_and_register(replace(SUBMISSION, home_community_id=HOME))
    slot = next(one for one in written.iter(rim("Slot")) if one.get("name") == "homeCommunityId")
    slot[0][0].text = "nowhere"
    assert refusal_of(written).error.code is ErrorCode.REPOSITORY_METADATA_ERROR


def test_another_message_is_unexpected() -> None:
    with pytest.raises(UnexpectedMessage):
        read_provide_and_register(etree.Element(rs("RegistryResponse")))
    with pytest.raises(MalformedMessage):
        read_provide_and_register(etree.Element(xdsb("ProvideAndRegisterDocumentSetRequest")))


def test_associations_say_what_replaces_and_what_is_appended() -> None:
    read = read_provide_and_register(write_provide_and_register(SUBMISSION))
    kinds = {one.type: (one.source, one.target) for one in read.associations}
    assert kinds[AssociationType.RPLC] == (REPLACES.source, REPLACES.target)
    assert kinds[AssociationType.APND] == (APPENDS.source, APPENDS.target)
