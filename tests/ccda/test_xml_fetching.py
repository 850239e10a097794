"""Whatever a document points to, reading it and showing it fetches nothing (SSRF, XXE)."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccda import CcdaError, parse_document
from ccda.html import render_html
from ccda.json_form import document_json
from tests.fuzz.sealed import nothing_outside
from tests.fuzz.sealed_reading import read_sealed

SECRET = "a-word-that-stands-in-a-file-alone"
XI = "http://www.w3.org/2001/XInclude"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XLINK = "http://www.w3.org/1999/xlink"

# Before the root, on the root, and inside its narrative; {0} is the address.
POINTERS = {
    "stylesheet": ('<?xml-stylesheet type="text/xsl" href="{0}"?>', "", ""),
    "catalog": ('<?oasis-xml-catalog catalog="{0}"?>', "", ""),
    "schema location": ("", f'xmlns:xsi="{XSI}" xsi:schemaLocation="urn:hl7-org:v3 {{0}}"', ""),
    "no namespace schema": ("", f'xmlns:xsi="{XSI}" xsi:noNamespaceSchemaLocation="{{0}}"', ""),
    "base": ("", 'xml:base="{0}"', '<linkHtml href="x">x</linkHtml>'),
    "inclusion as text": ("", "", f'<i:include xmlns:i="{XI}" href="{{0}}" parse="text"/>'),
    "inclusion as xml": ("", "", f'<i:include xmlns:i="{XI}" href="{{0}}"/>'),
    "inclusion by fallback": (
        "",
        "",
        f'<i:include xmlns:i="{XI}" href="gone"><i:fallback>'
        f'<i:include href="{{0}}" parse="text"/></i:fallback></i:include>',
    ),
    "link": ("", "", f'<content xmlns:k="{XLINK}" k:href="{{0}}" k:show="embed">x</content>'),
    "narrative reference": ("", "", '<reference value="{0}"/>'),
    "picture": ("", "", '<renderMultiMedia referencedObject="{0}"/><img src="{0}"/>'),
    "external entity": ('<!DOCTYPE ClinicalDocument [<!ENTITY x SYSTEM "{0}">]>', "", "&x;"),
    "external dtd": ('<!DOCTYPE ClinicalDocument SYSTEM "{0}">', "", ""),
    "damaged external entity": (
        'x<!DOCTYPE ClinicalDocument [<!ENTITY x SYSTEM "{0}">]>',
        "",
        "&x;",
    ),
}
BODY = """{0}<ClinicalDocument xmlns="urn:hl7-org:v3" {1}><component><structuredBody><component>
<section><title>Test</title><text>{2}</text><entry><observationMedia classCode="OBS" moodCode="EVN">
<value mediaType="image/png"><reference value="{3}"/></value></observationMedia></entry></section>
</component></structuredBody></component></ClinicalDocument>"""
NON_XML = """<ClinicalDocument xmlns="urn:hl7-org:v3"><component><nonXMLBody>
<text mediaType="text/plain"><reference value="{0}"/></text></nonXMLBody></component>
</ClinicalDocument>"""


def pointing_to(address: str) -> dict[str, bytes]:
    documents = {
        name: BODY.format(*(part.replace("{0}", address) for part in parts), address).encode()
        for name, parts in POINTERS.items()
    }
    return {**documents, "body elsewhere": NON_XML.format(address).encode()}


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret.xml"
    file.write_text(f"<a>{SECRET}</a>", encoding="utf-8")
    return file


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.mark.parametrize("name", pointing_to(""))
def test_a_file_that_a_document_points_to_is_not_read(name: str, secret_file: Path) -> None:
    for address in (secret_file.as_uri(), str(secret_file)):
        data = pointing_to(address)[name]
        try:
            with nothing_outside():
                said = str(document_json(parse_document(data))) + render_html(data)
        except CcdaError:
            continue
        assert SECRET not in said


@pytest.mark.parametrize("name", pointing_to(""))
def test_an_address_that_a_document_points_to_is_not_asked(
    name: str, listener: socket.socket
) -> None:
    host, port = listener.getsockname()
    data = pointing_to(f"http://{host}:{port}/x")[name]
    try:
        with nothing_outside():
            parse_document(data)
            render_html(data)
    except CcdaError as error:
        assert "entity" in name or "dtd" in name, error
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_the_kernel_sees_no_attempt_either(secret_file: Path, listener: socket.socket) -> None:
    """The hook hears Python alone; libxml2 opens files without it."""
    host, port = listener.getsockname()
    addresses = (secret_file.as_uri(), str(secret_file), f"http://{host}:{port}/x")
    documents = [data for address in addresses for data in pointing_to(address).values()]
    assert len(read_sealed(documents)) == len(documents)
