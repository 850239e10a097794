"""What is found in a message, whatever the parts call themselves; ETT's receive cases by name."""

import gzip
import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from direct.addresses import Mailbox
from direct.context import Context, write_context
from direct.message import DirectMessage, OutgoingPart, read_message, write_message
from gateway.exchange.mail_content import (
    ContentLimits,
    Found,
    MailContent,
    classify,
    find_content,
    root_name,
)
from ihe.identifiers import UniqueId
from ihe.metadata import DocumentEntry, SubmissionSet
from ihe.xdm import XdmSubmission, write_xdm

SAMPLES = Path(__file__).resolve().parents[3].parent / "shared/samples/direct/nhin-d/java"
shared = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples are not here")
BOX = Mailbox("a", "x.test")
NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
CDA = b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><title/></ClinicalDocument>'
STYLED = CDA.replace(b"?>", b'?><?xml-stylesheet type="text/xsl" href="missing.xsl"?>', 1)
PDF = b"%PDF-1.7\n1 0 obj"
TEXT = OutgoingPart(b"Please see the attached summary.", "text/plain")
ADT = b"MSH|^~\\&|EHR|CLINIC|||20261126||ADT^A01|1|P|2.5.1\rPID|1||1^^^X"


def message(*parts: OutgoingPart, fields: Sequence[tuple[str, str]] = ()) -> DirectMessage:
    raw = write_message(
        from_=BOX, to=[BOX], message_id="1@x.test", date=NOW, parts=parts, fields=fields
    )
    return read_message(raw)


def content_of(*parts: OutgoingPart) -> MailContent:
    return find_content(message(*parts))


def kinds(found: Sequence[Found]) -> list[str]:
    return [each.kind for each in found]


def attached(content: bytes, media_type: str, name: str = "a.bin") -> OutgoingPart:
    return OutgoingPart(content, media_type, filename=name)


def xdm(mime_type: str = "text/xml") -> bytes:
    entry = DocumentEntry("urn:uuid:1", UniqueId("2.999.1"), mime_type=mime_type)
    given = SubmissionSet("urn:uuid:2", UniqueId("2.999.2"))
    return write_xdm([XdmSubmission(given, ((entry, CDA),))], organization="x", now=NOW)


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


# ---- ETT, what an edge or HISP must be able to receive ---------------------------------------

CCDA = attached(CDA, "text/xml", "ccda.xml")
XDM = attached(xdm(), "application/zip", "xdm.zip")
REPORT = attached(PDF, "application/pdf", "report.pdf")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param((TEXT, CCDA), ["text", "cda"], id="a_text_and_ccda"),
        pytest.param((REPORT, CCDA), ["pdf", "cda"], id="b_pdf_and_ccda"),
        pytest.param((TEXT, XDM), ["text", "cda"], id="c_text_and_xdm"),
        pytest.param((CCDA, TEXT), ["cda", "text"], id="d_ccda_and_text"),
        pytest.param((CCDA, REPORT), ["cda", "pdf"], id="e_ccda_and_pdf"),
        pytest.param((XDM, TEXT), ["cda", "text"], id="f_xdm_and_text"),
    ],
)
def test_ett_smtp_25_and_imap_pop_28_attachments_in_any_order(
    parts: tuple[OutgoingPart, ...], expected: list[str]
) -> None:
    content = content_of(*parts)
    assert kinds(content.found) == expected
    assert content.documents[0].content == CDA
    assert content.problems == ()


@pytest.mark.parametrize("sheet", [b"missing.xsl", b"http://127.0.0.1/x.xsl", b"<&"])
def test_ett_smtp_26_and_imap_pop_29_a_broken_stylesheet_keeps_no_document_out(
    sheet: bytes,
) -> None:
    styled = STYLED.replace(b"missing.xsl", sheet)
    assert content_of(attached(styled, "text/xml")).documents[0].content == styled


def test_ett_smtp_27_and_imap_pop_30_bad_xhtml_keeps_no_document_out() -> None:
    package = zipped({"INDEX.HTM": b"<html><p></html", "IHE_XDM/SUBSET01/DOC.XML": CDA})
    assert kinds(content_of(attached(package, "application/zip")).found) == ["cda"]


@pytest.mark.parametrize(
    "declared",
    ["application/octet-stream", "application/zip", "application/xml", "text/plain", "image/png"],
)
def test_ett_smtp_28_and_imap_pop_27_xdm_under_any_mime_type(declared: str) -> None:
    (found,) = content_of(attached(xdm(), declared, "data")).found
    assert (found.kind, found.content) == ("cda", CDA)
    assert found.where == ("part 1", "IHE_XDM/SUBSET01/DOC00001.XML") or found.where[1].endswith(
        "DOC00001.BIN"
    )
    assert found.entry is not None
    assert found.submission_set is not None


@pytest.mark.parametrize("declared", ["application/xml", "text/xml", "application/octet-stream"])
def test_ett_smtp_29_any_mime_type_in_metadata_xml(declared: str) -> None:
    (found,) = content_of(attached(xdm(declared), "application/zip")).found
    assert (found.kind, found.declared) == ("cda", declared)


def test_ett_imap_pop_31_different_attachment_types_are_all_found() -> None:
    parts = [
        attached(PDF, "application/pdf"),
        attached(b"\x89PNG\r\n\x1a\n", "image/png"),
        attached(b"\xff\xd8\xff\xe0", "image/jpeg"),
        attached(b"GIF89a", "image/gif"),
        attached(b"<html><body/></html>", "text/html"),
        attached(b"<other/>", "text/xml"),
        attached(ADT, "text/plain"),
        attached(b"\x00\x01\x02", "application/x-unknown"),
        attached(CDA, "text/xml"),
    ]
    expected = ["pdf", "image", "image", "image", "html", "xml", "hl7v2", "other", "cda"]
    assert kinds(content_of(*parts).found) == expected


# ---- by content ------------------------------------------------------------------------------


@pytest.mark.parametrize("declared", ["text/plain", "application/pdf", "application/octet-stream"])
@pytest.mark.parametrize("name", ["a.pdf", "noname", "x.zip"])
def test_a_document_is_found_whatever_its_type_and_name(declared: str, name: str) -> None:
    assert kinds(content_of(attached(CDA, declared, name)).found) == ["cda"]


@pytest.mark.parametrize(
    "content",
    [
        CDA,
        b"\xef\xbb\xbf" + CDA,
        b"\r\n  " + CDA,
        CDA.replace(b"<Clin", b"<!-- <html> --><Clin"),
        b"<!DOCTYPE ClinicalDocument [<!ELEMENT a ANY>]>" + CDA.partition(b"?>")[2],
        CDA.replace(b"<Clin", b"<cda:Clin").replace(b"</Clin", b"</cda:Clin"),
        CDA.decode().replace('<?xml version="1.0"?>', "").encode("utf-16"),
        CDA.decode().encode("utf-16-le"),
    ],
)
def test_the_root_tells_a_document(content: bytes) -> None:
    assert root_name(content) == "ClinicalDocument"
    assert classify(content)[0] == "cda"


def test_a_style_sheet_that_speaks_of_documents_is_none() -> None:
    assert classify(b"<xsl:stylesheet><xsl:template match='ClinicalDocument'/>")[0] == "xml"


def test_empty_parts_are_tolerated_and_are_nothing() -> None:
    empty = OutgoingPart(b"", "text/plain"), OutgoingPart(b"\r\n \r\n", "text/html")
    assert kinds(content_of(*empty, CCDA).found) == ["cda"]


def test_the_message_text_is_known_from_an_attached_text() -> None:
    found = content_of(TEXT, attached(b"hello", "text/plain", "note.txt")).found
    assert [each.is_body for each in found] == [True, False]


def test_a_document_in_a_message_in_a_message_is_found() -> None:
    inner = message(CCDA).root.raw
    outer = message(OutgoingPart(inner, "message/rfc822"), TEXT)
    found = find_content(outer).found
    assert kinds(found) == ["cda", "text"]
    assert found[0].where == ("part 1.1.1",)


@pytest.mark.parametrize(
    "wrapped",
    [gzip.compress(CDA), zipped({"a/b.txt": CDA}), zipped({"x.zip": xdm()}), gzip.compress(xdm())],
    ids=["gzip", "zip", "xdm_in_zip", "xdm_in_gzip"],
)
def test_a_document_is_found_in_whatever_packs_it(wrapped: bytes) -> None:
    assert kinds(content_of(attached(wrapped, "application/octet-stream")).found) == ["cda"]


@shared
@pytest.mark.parametrize("room", ["xdmail", "xd-common"])
def test_packages_of_the_reference_agent_give_their_document(room: str) -> None:
    raw = (SAMPLES / room / "src/test/resources/samplexdm.zip").read_bytes()
    (found,) = content_of(attached(raw, "application/octet-stream")).found
    assert found.kind == "cda"
    assert found.entry is not None


def test_a_context_part_is_read_and_is_no_document() -> None:
    part, named = write_context(Context(version="1.0", id="1@x.test", content_id="2@x.test"))
    content = find_content(message(TEXT, part, CCDA, fields=[named]))
    assert content.context is not None
    assert kinds(content.found) == ["text", "cda"]


def test_an_office_file_is_one_thing_and_not_a_bag_of_xml() -> None:
    office = zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>"})
    (found,) = content_of(attached(office, "application/vnd.openxmlformats")).found
    assert (found.kind, found.content) == ("other", office)


# ---- dangers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bomb",
    [
        zipped({"a": bytes(60_000_000)}),
        gzip.compress(bytes(60_000_000)),
        zipped({"../a": CDA}),
        zipped({"a": CDA})[:-10],
        gzip.compress(CDA)[:-10],
    ],
    ids=["zip_bomb", "gzip_bomb", "zip_slip", "cut_zip", "cut_gzip"],
)
def test_zip_bomb_and_slip_leave_the_other_parts_alone(bomb: bytes) -> None:
    content = content_of(attached(bomb, "application/zip"), CCDA)
    assert kinds(content.found) == ["other", "cda"]
    assert content.found[0].content == bomb
    assert len(content.problems) == 1


def test_archives_inside_archives_are_opened_only_so_deep() -> None:
    packed = CDA
    for _ in range(6):
        packed = zipped({"a.zip": packed})
    content = content_of(attached(packed, "application/zip"))
    assert kinds(content.found) == ["other"]
    assert "any deeper" in content.problems[0]


def test_all_archives_of_a_message_share_one_budget() -> None:
    part = attached(zipped({"a": b"x" * 1000}), "application/zip")
    content = find_content(message(part, part, part), limits=ContentLimits(total_bytes=2500))
    assert kinds(content.found) == ["text", "text", "other"]


def test_what_is_sealed_inside_the_seal_is_said_to_be_unopened() -> None:
    """RFC 2634: 1.1: who signs, encrypts and signs again."""
    content = content_of(attached(b"0\x82\0\1\0", "application/pkcs7-mime"), CCDA)
    assert kinds(content.found) == ["other", "cda"]
    assert content.problems == ("part 1: it is sealed once more, and was not opened",)


def test_problems_hold_no_names_of_files() -> None:
    """They are told in the records of the exchange log."""
    inner = {"Jane_Doe.xml.gz": gzip.compress(CDA)[:-10], "Jane_Doe.zip": zipped({"a": CDA})[:-10]}
    content = content_of(attached(zipped(inner), "application/zip"))
    assert [one.filename for one in content.found] == list(inner)
    assert len(content.problems) == 2
    for told in content.problems:
        assert "Jane" not in told and ", inside its archive: " in told


def test_problems_hold_no_content() -> None:
    content = content_of(attached(zipped({"a": b"secret"})[:-10], "application/zip"))
    assert "secret" not in str(content.problems)
