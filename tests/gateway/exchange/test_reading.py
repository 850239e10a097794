"""The bytes decide what a document is, whatever it was called."""

import pytest

from gateway.exchange.reading import read_document, sniff

XML = '<ClinicalDocument xmlns="urn:hl7-org:v3"><title>A</title></ClinicalDocument>'


@pytest.mark.parametrize(
    "content, mime_type",
    [
        (b"<a/>", "text/xml"),
        (b"\n  <a/>", "text/xml"),
        (b"\xef\xbb\xbf<a/>", "text/xml"),
        ("<a/>".encode("utf-16"), "text/xml"),
        ("<a/>".encode("utf-16-be"), "text/xml"),
        (b"%PDF-1.4\n%\xe2\xe3", "application/pdf"),
        (b"II*\x00\x08", "image/tiff"),
        (b"MM\x00*\x00", "image/tiff"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"{\\rtf1\\ansi}", "text/rtf"),
        (b"PK\x03\x04\x14", "application/zip"),
        (b"MSH|^~\\&|", "text/plain"),
        (b"Dear colleague", "text/plain"),
        (b"\x00\x01\x02", "application/octet-stream"),
        (b"", "application/octet-stream"),
        (b"  \r\n", "application/octet-stream"),
    ],
)
def test_the_first_bytes_say_what_it_is(content: bytes, mime_type: str) -> None:
    assert sniff(content) == mime_type


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_clinical_document_is_read_in_whatever_encoding(encoding: str) -> None:
    reading = read_document(XML.encode(encoding))
    assert reading.clinical is not None and reading.clinical.title == "A"
    assert reading.reason is None


@pytest.mark.parametrize("content", [b"<", b"<html/>", b"<!DOCTYPE a><a/>", b"%PDF-"])
def test_what_cannot_be_read_says_why(content: bytes) -> None:
    reading = read_document(content)
    assert reading.clinical is None
    assert reading.reason
