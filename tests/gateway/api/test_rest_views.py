"""A document as a page: safe headers, one record, and a reason where there is no page."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from ccda.html import CONTENT_SECURITY_POLICY
from gateway.model.caller import ROLES
from tests.gateway.api.doors import CLINICAL, PROBLEM, Doors, open_doors
from tests.gateway.house import MEMBER, OTHER_PLAN, PLAN, demo_document

DOCUMENT: Final = demo_document("northfield_ccd.xml")


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with open_doors(tmp_path_factory.mktemp("views")) as opened:
        yield opened


def view(doors: Doors, content: bytes) -> tuple[str, Any]:
    """The id of a document that is handed in, and the answer to who asks for its page."""
    document = doors.give(content)["id"]
    return document, doors.get(f"/api/v1/documents/{document}/view", doors.token(PLAN, "staff"))


def test_a_document_is_shown_as_a_page_under_its_own_policy(doors: Doors) -> None:
    _, answer = view(doors, DOCUMENT)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.text.startswith("<!DOCTYPE html>")
    assert "Northfield Health: Continuity of Care Document" in answer.text
    assert "Sampleton" in answer.text


def test_a_look_is_on_record_with_its_member_and_document(doors: Doors) -> None:
    document = doors.give(DOCUMENT)["id"]
    last = doors.last()
    doors.get(f"/api/v1/documents/{document}/view", doors.token(PLAN, "staff"))
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["outcome"]) == ("REST-DOCUMENT-VIEW", "success")
    assert (record["member"], record["documents"]) == (MEMBER.id, f'["{document}"]')


def test_only_clinical_roles_see_a_page(doors: Doors) -> None:
    document = doors.give(DOCUMENT)["id"]
    for role in ROLES:
        answer = doors.get(f"/api/v1/documents/{document}/view", doors.token(PLAN, role))
        assert answer.status_code == (200 if role in CLINICAL else 403)


def test_another_plan_hears_that_there_is_no_such_document(doors: Doors) -> None:
    document = doors.give(DOCUMENT)["id"]
    answer = doors.get(f"/api/v1/documents/{document}/view", doors.token(OTHER_PLAN, "staff"))
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
    assert answer.json()["detail"] == "There is no such document in your plan."


def test_a_file_that_no_browser_shows_is_a_415_that_says_where_it_is(doors: Doors) -> None:
    document, answer = view(doors, b"just words")
    assert (answer.status_code, answer.headers["content-type"]) == (415, PROBLEM)
    form = answer.json()
    assert (form["mime_type"], form["content"]) == (
        "text/plain",
        f"/api/v1/documents/{document}/content",
    )
    kept = doors.get(form["content"], doors.token(PLAN, "staff"))
    assert kept.content == b"just words"
    assert kept.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'<!DOCTYPE x [<!ENTITY e "e">]><ClinicalDocument/>', "DOCTYPE"),
        (b"<html><script>alert(1)</script></html>", "ClinicalDocument"),
    ],
)
def test_a_quarantined_document_has_a_reason_and_no_page(
    doors: Doors, content: bytes, reason: str
) -> None:
    last = doors.last()
    _, answer = view(doors, content)
    assert (answer.status_code, answer.headers["content-type"]) == (409, PROBLEM)
    assert reason in answer.json()["reason"]
    assert "alert(1)" not in answer.text
    record = doors.recorded(last)[-1]
    assert (record["transaction"], record["outcome"]) == ("REST-DOCUMENT-VIEW", "refused")


def test_a_hostile_document_is_shown_without_its_script(doors: Doors) -> None:
    script = (
        b'<text><content onclick="evil()">words</content><linkHtml href="javascript:evil()">x'
        b"</linkHtml>"
    )
    _, answer = view(doors, DOCUMENT.replace(b"<text>", script, 1))
    assert answer.status_code == 200
    assert "words" in answer.text
    assert "evil()" not in answer.text


# ---- PDFs, pictures and notices ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "mime_type"),
    [
        (b"%PDF-1.7 a scan", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
    ],
)
def test_a_pdf_or_picture_is_shown_as_it_is_under_a_policy_that_runs_nothing(
    doors: Doors, content: bytes, mime_type: str
) -> None:
    document, answer = view(doors, content)
    assert (answer.status_code, answer.content) == (200, content)
    headers = answer.headers
    assert (headers["content-type"], headers["content-disposition"]) == (mime_type, "inline")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "script-src" not in policy
    assert ("sandbox" in policy) == mime_type.startswith("image/")
    kept = doors.get(f"/api/v1/documents/{document}/content", doors.token(PLAN, "staff"))
    assert kept.headers["content-disposition"].startswith("attachment")


def test_html_that_calls_itself_anything_is_never_shown_as_it_is(doors: Doors) -> None:
    _, answer = view(doors, b"GIF89a<script>alert(1)</script>")
    assert answer.status_code == 415
    _, answer = view(doors, b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    assert answer.status_code == 409


ADT: Final = (
    b"MSH|^~\\&|EHR|General Hospital|||20261126||ADT^A01|c1|P|2.5.1\r"
    b"PID|1||7^^^&2.999.5&ISO^MR||Samp<script>ton^Rosalind||19580314|F\r"
    b"PV1|1|I|ICU||||||||||||||||v1^^^&2.999.31&ISO|" + b"|" * 24 + b"20261125"
)


def test_an_adt_notice_is_shown_as_a_page_with_its_segments(doors: Doors) -> None:
    _, answer = view(doors, ADT)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "Notice of admission (ADT A01)" in answer.text
    assert "Inpatient" in answer.text
    assert "PV1|1|I|ICU" in answer.text
    assert "Samp&lt;script&gt;ton" in answer.text and "<script>" not in answer.text
