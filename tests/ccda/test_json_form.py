import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccda import ClinicalDocument, parse_document
from ccda.hl7v3 import CD, II, TS
from ccda.json_form import document_json, entry_from_json, entry_json
from ccda.model import Author, Entry, Interval, Kind

words = st.text(max_size=6)
maybe = st.none() | words
times = st.none() | st.builds(
    TS,
    st.none() | words | st.sampled_from(["2010", "20100203", "201002030405-0500", "2010-02"]),
    maybe,
)
codes = st.recursive(
    st.builds(CD, maybe, maybe, maybe, maybe, maybe, maybe, maybe),
    lambda inner: st.builds(CD, maybe, translations=st.lists(inner, max_size=2).map(tuple)),
    max_leaves=4,
)
ids = st.lists(st.builds(II, maybe, maybe, maybe, maybe), max_size=2).map(tuple)
authors = st.builds(Author, maybe, maybe, maybe, times, ids)
details = st.dictionaries(words, st.recursive(maybe | st.integers(), st.lists, max_leaves=3))
entries = st.builds(
    Entry,
    kind=st.sampled_from(get_args(Kind)),
    path=words,
    line=st.none() | st.integers(1),
    code=st.none() | codes,
    start=times,
    end=times,
    time=times,
    status=maybe,
    value=maybe | codes | st.builds(Interval, maybe, maybe),
    unit=maybe,
    text=maybe,
    negated=st.booleans(),
    no_information=st.booleans(),
    mood=maybe,
    ids=ids,
    authors=st.lists(authors, max_size=2).map(tuple),
    details=details,
    parent=st.none() | st.integers(0),
)


@given(entries)
def test_an_entry_comes_back_the_same(entry: Entry) -> None:
    assert entry_from_json(json.loads(json.dumps(entry_json(entry)))) == entry


def test_every_entry_of_a_document_comes_back_the_same(whole_record: ClinicalDocument) -> None:
    for section in whole_record.sections:
        for entry in section.entries:
            assert entry_from_json(json.loads(json.dumps(entry_json(entry)))) == entry


@pytest.fixture
def form(whole_record: ClinicalDocument) -> dict[str, Any]:
    return document_json(whole_record)


def test_the_document_form_has_the_fixed_keys(form: dict[str, Any]) -> None:
    assert list(form) == ["document", "sections", "issues"]
    assert set(form["document"]) >= {
        "id", "set_id", "version", "related", "type", "title", "effective_time", "templates",
        "confidentiality", "language", "patient", "authors", "custodian", "encounter",
    }  # fmt: skip
    assert set(form["document"]["patient"]) >= {
        "ids", "names", "birth_time", "gender", "addresses", "telecoms", "race", "ethnicity",
        "language",
    }  # fmt: skip
    assert {"code", "system", "title", "templates", "text", "entries"} <= set(form["sections"][0])


def test_an_entry_has_the_fixed_keys(form: dict[str, Any]) -> None:
    problem = form["sections"][0]["entries"][0]
    assert {
        "kind", "code", "translations", "start", "end", "time", "status", "value", "unit", "text",
        "negated", "no_information", "mood", "ids", "authors", "details", "parent", "path", "line",
    } == set(problem)  # fmt: skip
    assert problem["code"]["code"] == "59621000"
    assert problem["translations"][0]["system"] == "2.16.840.1.113883.6.90"
    assert problem["ids"] == ["1.3.6.1.4.1.99999.4^p1"]


def test_the_header_is_said_in_plain_values(form: dict[str, Any]) -> None:
    header = form["document"]
    assert header["id"] == "1.3.6.1.4.1.99999.1^CCD-7"
    assert header["effective_time"] == "2024-03-12T10:15:00-05:00"
    assert header["patient"]["birth_time"] == "1959-07-12"
    assert header["patient"]["names"][0]["family"] == "Quill"
    assert header["related"] == [
        {
            "type": "RPLC",
            "id": "1.3.6.1.4.1.99999.1^CCD-6",
            "set_id": "1.3.6.1.4.1.99999.1^SET-7",
            "version": "2",
        }
    ]
    assert header["authors"][0]["time"] == "2024-03-12"
    assert header["encounter"]["location"] == "Elm Clinic East"


def test_what_is_absent_is_null() -> None:
    form = document_json(parse_document(b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>'))
    header = form["document"]
    assert (header["id"], header["type"], header["encounter"]) == (None, None, None)
    assert header["patient"]["birth_time"] is None
    assert form["issues"][0] == {
        "severity": "warning",
        "section": None,
        "line": None,
        "text": "the document has no id",
    }


def test_a_null_flavor_stands_beside_the_time(form: dict[str, Any]) -> None:
    allergy = form["sections"][1]["entries"][0]
    assert (allergy["start"], allergy["null_flavors"]) == (None, {"start": "UNK"})


def test_a_recovered_document_and_its_body_are_said() -> None:
    data = (
        b'<ClinicalDocument xmlns="urn:hl7-org:v3"><component><nonXMLBody>'
        b'<text mediaType="text/plain">abc</nonXMLBody>'
    )
    header = document_json(parse_document(data))["document"]
    assert header["recovered"] is True
    assert header["body"] == {"media_type": "text/plain", "size_bytes": 3, "reference": None}
