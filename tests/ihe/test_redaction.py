"""What is shown of an envelope tells how it is built, and nothing of whom it is about."""

import re
from pathlib import Path

import pytest
from lxml import etree

from ihe.errors import MalformedMessage
from ihe.redaction import MARK, indented, redact
from ihe.soap import ITI_38_REQUEST, ITI_55_REQUEST
from tests.gateway.asking import ask, discovery, find_documents
from tests.gateway.house import MEMBER

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "ihe"
PERSON = MEMBER.demographics
WORDS = [
    PERSON.names[0].family or "",
    *PERSON.names[0].given,
    *(line for address in PERSON.addresses for line in address.lines),
    *(telecom.value or "" for telecom in PERSON.telecoms),
    *(one.extension or "" for one in PERSON.ids),
    (PERSON.birth_time.value if PERSON.birth_time else "") or "",
    "Nora Nurse",
]


@pytest.mark.parametrize("kind", ["discovery", "query"])
def test_no_word_about_a_person_or_of_who_asks_is_shown(kind: str) -> None:
    asked = (
        ask(discovery(), ITI_55_REQUEST)
        if kind == "discovery"
        else ask(find_documents(), ITI_38_REQUEST)
    )
    shown, whole = redact(asked.envelope), indented(asked.envelope)
    told = [word for word in WORDS if len(word) > 2]
    assert [word for word in told if word in shown] == []
    assert [word for word in told if word in whole]
    assert MARK in shown


def test_what_says_how_the_message_is_built_stays() -> None:
    shown = redact(ask(discovery(), ITI_55_REQUEST).envelope)
    for words in (
        "urn:hl7-org:v3:PRPA_IN201305UV02:CrossGatewayPatientDiscovery",
        'extension="PRPA_IN201305UV02"',
        "<livingSubjectName>",
        "ecdsa-sha256",
        'determinerCode="INSTANCE"',
        "urn:uuid:",
    ):
        assert words in shown
    query = redact(ask(find_documents(), ITI_38_REQUEST).envelope)
    assert 'name="$XDSDocumentEntryPatientId"' in query
    assert "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d" in query


def test_the_form_of_the_message_is_kept() -> None:
    envelope = ask(discovery(), ITI_55_REQUEST).envelope
    before = [element.tag for element in etree.fromstring(envelope).iter(etree.Element)]
    after = [element.tag for element in etree.fromstring(redact(envelope)).iter(etree.Element)]
    assert after == before


@pytest.mark.parametrize("content", [b"", b"no XML", b"<a>", b"\xff\xfe"])
def test_what_is_no_xml_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedMessage):
        redact(content)


def test_of_nobodys_message_a_name_or_a_date_is_shown() -> None:
    """Ours, and those of other hands where they are at hand."""
    files = (path for path in SAMPLES.rglob("*") if path.is_file())
    others = (content for path in files if b"Envelope" in (content := path.read_bytes()))
    shown = [_redacted(content) for content in (ask(discovery(), ITI_55_REQUEST).envelope, *others)]
    for text in filter(None, shown):
        root = etree.fromstring(text)
        people = root.iter("{*}given", "{*}family", "{*}streetAddressLine", "{*}city")
        assert {(one.text or MARK) for one in people} <= {MARK}
        births = root.iter("{urn:hl7-org:v3}birthTime")
        assert {one.get("value", MARK) for one in births} <= {MARK}
        assert not re.search(r">\d{3}-\d{2}-\d{4}<", text)


def _redacted(content: bytes) -> str | None:
    try:
        return redact(content)
    except MalformedMessage:
        return None
