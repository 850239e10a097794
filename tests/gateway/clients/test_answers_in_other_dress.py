"""Answers whose Content-Type is not that of their content: they are read as what they are."""

import quopri
from base64 import encodebytes
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha1
from pathlib import Path

import pytest

from ihe.mtom_writing import Part
from ihe.registry_response import RegistryResponse, ResponseStatus
from ihe.soap import ITI_39_ANSWER
from ihe.xca_retrieve import RetrieveDocumentSetResponse, write_retrieve_response
from tests.gateway import house as lakeshore
from tests.gateway.clients.scripted_partner import (
    Heard,
    Reply,
    a_document,
    listed,
    packaged,
    retrieved,
)
from tests.gateway.exchange.one_partner import CCD, DISCHARGE, FIRST, SECOND, asked

PACKAGE = 'multipart/related; type="application/xop+xml"; start-info="application/soap+xml"'
BOUND = f'{PACKAGE}; boundary="b"'


def alone(heard: Heard) -> bytes:
    """The envelope of an ITI-39 answer with its documents inside."""
    documents = (a_document(FIRST, CCD), a_document(SECOND, DISCHARGE))
    outcome = RegistryResponse(ResponseStatus.SUCCESS)
    body = write_retrieve_response(RetrieveDocumentSetResponse(outcome, documents))
    return heard.seal(body, ITI_39_ANSWER)


@pytest.mark.parametrize(
    ("before", "content_type"),
    [
        (b"", PACKAGE),
        (b"", BOUND),
        (b"\r\n \t", BOUND),
        (b"\xef\xbb\xbf", PACKAGE),
        (b"", "text/html"),
        (b"\n", "text/html; charset=utf-8"),
    ],
)
def test_an_envelope_alone_is_read_whatever_it_is_called(
    before: bytes, content_type: str, tmp_path: Path
) -> None:
    def dressed(heard: Heard) -> Reply:
        return Reply(before + alone(heard), content_type)

    with asked(tmp_path, ITI_39=dressed) as found:
        assert (found.row.outcome, found.counts) == ("matched", (2, 2, 0))
        assert found.row.detail is None


def test_a_list_that_is_called_a_page_is_read(tmp_path: Path) -> None:
    with asked(tmp_path, ITI_38=lambda heard: Reply(listed(heard), "text/html")) as found:
        assert (found.row.outcome, found.counts) == ("matched", (2, 2, 0))


@pytest.mark.parametrize(
    "page",
    [
        b"<html><body><Envelope/></body></html>",
        b"<!DOCTYPE html><html></html>",
        b"Envelope",
        b"<EnvelopeOfOthers/>",
    ],
)
def test_a_page_is_a_page(page: bytes, tmp_path: Path) -> None:
    with asked(tmp_path, ITI_38=lambda _heard: Reply(page, "text/html")) as found:
        assert found.row.detail == "it answered with an HTML page instead of SOAP"


def test_an_empty_answer_that_is_called_a_package_is_empty(tmp_path: Path) -> None:
    with asked(tmp_path, ITI_38=lambda _heard: Reply(b"\r\n", BOUND)) as found:
        assert found.row.detail == "it answered HTTP 200 with an empty body"
        assert found.heard.count("ITI_38") > 1  # it says nothing, and is asked for again


def test_a_package_after_blanks_is_a_package(tmp_path: Path) -> None:
    def package(heard: Heard) -> Reply:
        given = packaged(listed(heard), [Part("a@northfield", "text/xml", [CCD])])
        return Reply(b"\r\n" + given.content, given.content_type)

    with asked(tmp_path, ITI_38=package) as found:
        assert (found.row.outcome, found.counts) == ("matched", (2, 2, 0))


@pytest.mark.parametrize(
    ("name", "encode"), [("base64", encodebytes), ("quoted-printable", quopri.encodestring)]
)
def test_documents_encoded_as_for_mail_are_taken(
    name: str, encode: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    def encoded(heard: Heard) -> Reply:
        given = retrieved(heard, {FIRST: encode(CCD), SECOND: encode(DISCHARGE)})
        stated = f"Content-Transfer-Encoding: {name}".encode()
        root, first, *rest = given.content.split(b"Content-Transfer-Encoding: binary")
        return replace(given, content=root + b"X-Was: binary" + first + stated + stated.join(rest))

    with asked(tmp_path, ITI_39=encoded) as found:
        assert (found.row.outcome, found.counts, found.row.detail) == ("matched", (2, 2, 0), None)
        assert {one.blob.sha1 for one in lakeshore.documents(found.house)} == {
            sha1(CCD, usedforsecurity=False).hexdigest(),
            sha1(DISCHARGE, usedforsecurity=False).hexdigest(),
        }
