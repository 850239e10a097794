import base64
from collections.abc import Callable

import pytest

from ccda import ClinicalDocument, parse_document
from ccda.model import NonXmlBody

Sample = Callable[[str], bytes]


def unstructured(content: str) -> ClinicalDocument:
    head = '<id root="1"/><code code="2"/><effectiveTime value="2024"/><recordTarget/>'
    return parse_document(
        f'<ClinicalDocument xmlns="urn:hl7-org:v3">{head}<component><nonXMLBody>{content}'
        "</nonXMLBody></component></ClinicalDocument>".encode()
    )


def test_a_file_in_base64_is_unwrapped(sample: Sample) -> None:
    document = parse_document(sample("unstructured_pdf.xml"))
    assert document.body == NonXmlBody("application/pdf", b"%PDF-1.4\n% a tiny file\n")
    assert (document.sections, document.issues) == ((), ())


def test_plain_text_is_kept(sample: Sample) -> None:
    body = parse_document(sample("unstructured_text.xml")).body
    assert body == NonXmlBody("text/plain", b"Seen today; < 5 minutes.")


def test_a_body_elsewhere_names_its_place(sample: Sample) -> None:
    document = parse_document(sample("unstructured_elsewhere.xml"))
    assert document.body == NonXmlBody("application/pdf", b"", "scan.pdf")
    assert [issue.severity for issue in document.issues] == ["information"]


def test_a_structured_document_has_no_body(whole_record: ClinicalDocument) -> None:
    assert whole_record.body is None


@pytest.mark.parametrize(
    ("written", "data"), [("JVBERi0x", b"%PDF-1"), ("{\\rtf1 JVBERi0x}", b"{\\rtf1 JVBERi0x}")]
)
def test_base64_that_does_not_say_so_is_unwrapped(written: str, data: bytes) -> None:
    document = unstructured(f'<text mediaType="application/any">{written}</text>')
    assert document.body == NonXmlBody("application/any", data)
    assert document.issues == ()


def test_text_that_could_be_base64_stays_text() -> None:
    document = unstructured('<text mediaType="text/plain">Fine</text>')
    assert document.body == NonXmlBody("text/plain", b"Fine")


def test_broken_base64_is_kept_as_it_came() -> None:
    document = unstructured('<text representation="B64">JVBER*</text>')
    assert document.body == NonXmlBody(None, b"JVBER*")
    assert document.issues[0].severity == "error"


@pytest.mark.parametrize(
    ("wrapped", "noted"),
    [
        (b"<?xml version='1.0'?><ClinicalDocument/>", "the body is itself a ClinicalDocument"),
        (b"\xef\xbb\xbf <html></html>", "the body is itself XML or HTML"),
    ],
)
def test_a_document_inside_the_body_is_noted(wrapped: bytes, noted: str) -> None:
    text = base64.b64encode(wrapped).decode()
    document = unstructured(f'<text representation="B64">{text}</text>')
    assert document.body is not None and document.body.data == wrapped
    assert [issue.text for issue in document.issues] == [noted]


def test_compression_is_said_and_not_undone() -> None:
    document = unstructured('<text representation="B64" compression="GZ">H4sI</text>')
    assert document.body is not None and document.body.data == b"\x1f\x8b\x08"
    assert "compressed" in document.issues[0].text


@pytest.mark.parametrize("content", ["", "<text/>"])
def test_an_empty_body_is_an_issue(content: str) -> None:
    document = unstructured(content)
    assert [issue.severity for issue in document.issues] == ["warning"]
