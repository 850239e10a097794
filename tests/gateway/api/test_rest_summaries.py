"""The summary's agreed shape, the record's, and how the doors describe themselves."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
from pypdf import PdfReader

from ccda.html import CONTENT_SECURITY_POLICY
from ccda.summary import SECTION_KEYS
from gateway.model.caller import ROLES
from gateway.model.identity import MemberId
from gateway.store import members
from tests.ccda.html_page import read_page
from tests.gateway.api.doors import CLINICAL, Doors, open_doors, routes_of
from tests.gateway.house import MEMBER, OTHER_PLAN, PLAN

OUTCOMES: Final = {"matched", "no_match", "refused", "failed", "late", "held", "not_asked"}
NAME: Final = str(MEMBER.demographics.names[0])
STR: Final = (str,)
MAYBE: Final = (str, type(None))


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with open_doors(tmp_path_factory.mktemp("summaries")) as opened:
        new = replace(MEMBER, id=MemberId("new"), member_id="N-1")
        opened.house.database.write(lambda tx: members.put(tx, new))
        yield opened


def summary_of(doors: Doors, member: str) -> dict[str, Any]:
    answer = doors.get(f"/api/v1/members/{member}/summary", doors.token(PLAN, "staff"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    form: dict[str, Any] = answer.json()
    return form


def assert_shape(form: dict[str, Any], **types: tuple[type, ...]) -> None:
    for key, allowed in types.items():
        assert key in form, key
        assert isinstance(form[key], allowed), f"{key}: {form[key]!r}"


@pytest.mark.parametrize("member", [MEMBER.id, "new"])
def test_a_summary_has_exactly_the_agreed_shape(doors: Doors, member: str) -> None:
    form = summary_of(doors, member)
    assert_shape(form, member=(dict,), as_of=STR, completeness=(list,), sections=(dict,))
    assert form["member"]["id"] == member
    assert set(form["sections"]) == set(SECTION_KEYS.values()), "every kind, in every summary"
    for answer in form["completeness"]:
        assert_shape(
            answer, partner=STR, outcome=STR, documents=(int,), missing=(int,), at=MAYBE,
            detail=MAYBE,
        )  # fmt: skip
        assert answer["outcome"] in OUTCOMES
    for lines in form["sections"].values():
        for line in lines:
            _assert_line(line)


def _assert_line(line: dict[str, Any]) -> None:
    assert_shape(
        line, code=(dict, type(None)), display=STR, status=MAYBE, start=MAYBE,
        value=(str, dict, type(None)), unit=MAYBE, negated=(bool,), conflict=MAYBE,
        withdrawn=(bool,), sources=(list,),
    )  # fmt: skip
    assert line["sources"], "a line without a source is nobody's word"
    for source in line["sources"]:
        assert_shape(source, document=STR, partner=MAYBE, entry=(int,), path=STR, time=MAYBE)


def test_each_source_of_a_line_is_a_document_that_can_be_read(doors: Doors) -> None:
    form, staff = summary_of(doors, MEMBER.id), doors.token(PLAN, "staff")
    named = {
        source["document"]
        for lines in form["sections"].values()
        for line in lines
        for source in line["sources"]
    }
    assert len(named) >= 4
    for id in named:
        assert doors.get(f"/api/v1/documents/{id}/content", staff).status_code == 200


def test_a_member_without_documents_has_an_empty_summary_that_says_who_was_not_asked(
    doors: Doors,
) -> None:
    form = summary_of(doors, "new")
    assert all(lines == [] for lines in form["sections"].values())
    assert [answer["outcome"] for answer in form["completeness"]] == ["not_asked"]


@pytest.mark.parametrize("member", [MEMBER.id, "new"])
def test_a_summary_can_be_had_as_text(doors: Doors, member: str) -> None:
    answer = doors.get(
        f"/api/v1/members/{member}/summary", doors.token(PLAN, "staff"), format="text"
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Sampleton" in answer.text


@pytest.mark.parametrize("member", [MEMBER.id, "new"])
def test_a_summary_can_be_had_as_a_page_under_a_policy(doors: Doors, member: str) -> None:
    answer = doors.get(
        f"/api/v1/members/{member}/summary", doors.token(PLAN, "staff"), format="html"
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert f"Summary of {NAME}" in read_page(answer.text).words
    assert "Was not asked" in answer.text


@pytest.mark.parametrize("member", [MEMBER.id, "new"])
def test_a_summary_can_be_had_as_a_pdf(doors: Doors, member: str) -> None:
    answer = doors.get(
        f"/api/v1/members/{member}/summary", doors.token(PLAN, "staff"), format="pdf"
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == 'inline; filename="summary.pdf"'
    metadata = PdfReader(io.BytesIO(answer.content)).metadata
    assert metadata is not None
    assert metadata.title == f"Summary of {NAME}"


@pytest.mark.parametrize("form", ["json", "text", "html", "pdf"])
def test_every_form_of_a_summary_is_for_clinical_roles_and_one_plan(
    doors: Doors, form: str
) -> None:
    path = f"/api/v1/members/{MEMBER.id}/summary"
    for role in ROLES:
        answer = doors.get(path, doors.token(PLAN, role), format=form)
        assert answer.status_code == (200 if role in CLINICAL else 403)
    assert doors.get(path, doors.token(OTHER_PLAN, "staff"), format=form).status_code == 404


@pytest.mark.parametrize("form", ["json", "text", "html", "pdf"])
def test_a_look_in_any_form_is_recorded_with_its_member(doors: Doors, form: str) -> None:
    last = doors.last()
    path = f"/api/v1/members/{MEMBER.id}/summary"
    assert doors.get(path, doors.token(PLAN, "staff"), format=form).status_code == 200
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["outcome"]) == ("REST-SUMMARY", "success")
    assert record["member"] == MEMBER.id


def test_a_look_at_a_summary_is_recorded_with_its_member(doors: Doors) -> None:
    last = doors.last()
    summary_of(doors, MEMBER.id)
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["member"]) == ("REST-SUMMARY", MEMBER.id)
    assert record["duration_ms"] >= 0


def test_a_record_has_exactly_the_agreed_shape_and_the_look_makes_another(doors: Doors) -> None:
    summary_of(doors, MEMBER.id)
    auditor, sequence = doors.token(PLAN, "auditor"), doors.last()
    form = doors.get(f"/api/v1/exchanges/{sequence}", auditor).json()
    assert_shape(
        form, sequence=(int,), time=STR, direction=STR, transaction=STR, partner=MAYBE, peer=MAYBE,
        person=MAYBE, role=MAYBE, purpose=MAYBE, authority=MAYBE, member=MAYBE, documents=(list,),
        outcome=STR, reason=MAYBE, conversation=MAYBE, message_id=MAYBE,
        duration_ms=(int, type(None)), hash=STR, previous_hash=STR,
    )  # fmt: skip
    assert form["member"] == MEMBER.id
    (look,) = doors.recorded(sequence)
    assert (look["transaction"], look["role"]) == ("REST-EXCHANGE", "auditor")
    assert look["member"] == MEMBER.id, "a look at a record of a member is a look at the member"
    assert look["previous_hash"] == form["hash"]


@pytest.mark.parametrize(
    ("params", "is_found"),
    [
        ({"member": MEMBER.id}, True),
        ({"member": "nobody"}, False),
        ({"transaction": "REST-SUMMARY"}, True),
        ({"person": f"{PLAN} staff"}, True),
        ({"outcome": "success"}, True),
        ({"since": "2020-01-01"}, True),
        ({"since": "2999-01-01T00:00:00Z"}, False),
        ({"until": "2020-01-01T00:00:00+05:00"}, False),
        ({"since": "0001-01-01T00:00:00+14:00"}, True),
        ({"until": "9999-12-31T23:59:59-14:00"}, True),
        ({"partner": "nobody"}, False),
        ({"document": "100%_nothing"}, False),
        ({"conversation": "none"}, False),
        ({"purpose": "PAYMENT"}, False),
    ],
)
def test_the_log_can_be_asked_by_who_what_and_when(
    doors: Doors, params: dict[str, str], is_found: bool
) -> None:
    summary_of(doors, MEMBER.id)
    last = doors.last()
    answer = doors.get("/api/v1/exchanges", doors.token(PLAN, "auditor"), **params)
    assert answer.status_code == 200
    assert bool(answer.json()["exchanges"]) == is_found
    (record,) = doors.recorded(last)
    assert record["member"] == (MEMBER.id if params.get("member") == MEMBER.id else None)


# ---- how the doors describe themselves -------------------------------------------------------


def test_openapi_describes_every_route_and_all_its_parameters(doors: Doors) -> None:
    answer = doors.get("/openapi.json", None)
    assert answer.status_code == 200
    paths = answer.json()["paths"]
    for route in routes_of(doors.application):
        for method in route.methods or ():
            described = paths[route.path][method.lower()]
            assert described["summary"], route.path
            assert described["description"], route.path
            assert described["security"], f"{route.path} does not say that it needs a token"
            assert "application/problem+json" in described["responses"]["4XX"]["content"]
            assert "422" not in described["responses"], "FastAPI's own form of errors is not ours"
            for parameter in described.get("parameters", ()):
                assert parameter["schema"], parameter["name"]
            if method == "POST" and not route.path.endswith("/replay"):
                assert described["requestBody"]["content"], route.path


def test_the_description_of_a_retrieval_shows_what_must_be_stated(doors: Doors) -> None:
    paths = doors.get("/openapi.json", None).json()["paths"]
    body = paths["/api/v1/members/{member_id}/retrievals"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert schema["required"] == ["purpose", "requester"]
    assert schema["properties"]["requester"]["required"] == ["person"]
    assert "$ref" not in str(schema)


def test_the_pages_of_documentation_open_and_leave_no_record(doors: Doors) -> None:
    last = doors.last()
    answer = doors.get("/docs", None)
    assert answer.status_code == 200
    assert "text/html" in answer.headers["content-type"]
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "http" not in policy + answer.text, "nothing is loaded from elsewhere"
    for asset in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        loaded = doors.get(asset, None)
        assert (loaded.status_code, loaded.headers["content-security-policy"]) == (200, policy)
    assert doors.last() == last


def test_every_answer_forbids_caching_sniffing_and_framing(doors: Doors) -> None:
    staff = doors.token(PLAN, "staff")
    for path, token in (
        (f"/api/v1/members/{MEMBER.id}/summary", staff),
        ("/api/v1/members", staff),
        ("/api/v1/documents", staff),
        ("/api/v1/exchanges", staff),
        ("/api/v1/members", None),
        ("/nowhere", None),
    ):
        headers = doors.get(path, token).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "strict-transport-security" not in headers, "plain HTTP on loopback has no such word"
    secure = doors.call("GET", "https://plan/api/v1/members", staff)
    assert secure.headers["strict-transport-security"]
