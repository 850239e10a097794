"""Documents given in, read back to the byte, listed, held and quarantined."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.model.identity import MemberId
from gateway.model.link import Link
from gateway.store import links, members
from ihe.identifiers import Oid, PatientId
from tests.gateway.api.doors import PROBLEM, Doors, open_doors
from tests.gateway.house import MEMBER, OTHER_PLAN, PLAN, a_partner, demo_document

DOCUMENT: Final = demo_document("northfield_ccd.xml")
STRANGER: Final = DOCUMENT.replace(b"Sampleton", b"Zanzibarson")
MEGABYTE: Final = 1024 * 1024


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with open_doors(tmp_path_factory.mktemp("documents")) as opened:
        twin = replace(MEMBER, id=MemberId("twin"), plan=OTHER_PLAN)
        opened.house.database.write(lambda tx: members.put(tx, twin))
        yield opened


def post(doors: Doors, content: Any, **headers: str) -> Any:
    token = doors.token(PLAN, "staff")
    return doors.call("POST", "/api/v1/documents", token, content=content, headers=headers)


def changed(number: int) -> bytes:
    """Another document of the same member."""
    return DOCUMENT.replace(b"</ClinicalDocument>", b"<!-- %d --></ClinicalDocument>" % number)


def test_a_document_of_a_member_is_filed_with_them(doors: Doors) -> None:
    content, last = changed(1), doors.last()
    answer = post(doors, content)
    assert answer.status_code == 201
    form = answer.json()
    assert answer.headers["location"] == f"/api/v1/documents/{form['id']}"
    assert (form["outcome"], form["state"], form["member"]) == ("filed", "filed", MEMBER.id)
    assert (form["reason"], form["mime_type"], form["size"]) == (None, "text/xml", len(content))
    assert form["source"]["door"] == "REST"
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["outcome"]) == ("REST-DOCUMENT-IN", "success")
    assert (record["member"], record["documents"]) == (MEMBER.id, f'["{form["id"]}"]')


def test_the_same_bytes_twice_are_one_document(doors: Doors) -> None:
    content = changed(2)
    first, last = post(doors, content).json(), doors.last()
    again = post(doors, content)
    assert again.status_code == 200
    assert again.json()["outcome"] == "duplicate"
    assert again.json()["id"] == first["id"]
    assert again.headers["location"] == f"/api/v1/documents/{first['id']}"
    (record,) = doors.recorded(last)
    assert record["documents"] == f'["{first["id"]}"]'


def test_a_document_of_a_stranger_is_held_with_its_reason(doors: Doors) -> None:
    last = doors.last()
    answer = post(doors, STRANGER)
    assert answer.status_code == 201
    form = answer.json()
    assert (form["outcome"], form["state"], form["member"]) == ("held", "held", None)
    assert form["reason"]
    (record,) = doors.recorded(last)
    assert (record["member"], record["outcome"]) == (None, "success")
    staff = doors.token(PLAN, "staff")
    held = doors.get("/api/v1/held", staff).json()["documents"]
    assert form["id"] in [one["id"] for one in held]
    assert all(one["state"] == "held" and one["reason"] for one in held)


def test_a_members_matches_are_shown_and_one_in_no_doubt_is_rejected(doors: Doors) -> None:
    partner = a_partner()
    patient = PatientId("77", Oid("2.999.8.1.5"))
    link = Link(
        PLAN, MEMBER.id, partner.id, partner.home_community_id, patient, "confirmed",
        datetime.now(UTC),
    )  # fmt: skip
    doors.house.database.write(lambda tx: links.put(tx, link))
    staff, last = doors.token(PLAN, "staff"), doors.last()
    assert doors.get("/api/v1/held", staff).json()["matches"] == []
    shown = doors.get("/api/v1/held", staff, member=MEMBER.id).json()
    (match,) = shown["matches"]
    assert (match["id"], match["state"], match["decided"]) == (link.id, "confirmed", False)
    assert (match["patient_id"], match["known"]) == (patient.cx, None)
    operator = doors.token(PLAN, "operator")
    assert doors.get("/api/v1/held", operator, member=MEMBER.id).status_code == 403
    done = doors.call(
        "POST", f"/api/v1/held/{link.id}/reject", staff, json={"reason": "another person"}
    )
    assert (done.status_code, done.json()["state"]) == (200, "rejected")
    _, looked, refused, decided = doors.recorded(last)
    assert (refused["transaction"], refused["outcome"]) == ("REST-HELD", "refused")
    assert (looked["transaction"], looked["member"]) == ("REST-HELD", MEMBER.id)
    assert (decided["member"], decided["reason"]) == (MEMBER.id, "another person")


def test_what_waits_comes_page_by_page_each_once(tmp_path: Path) -> None:
    with open_doors(tmp_path) as doors:
        documents = {post(doors, STRANGER + b" " * number).json()["id"] for number in range(3)}
        begun = datetime.now(UTC)
        found = [begun] * 4 + [begun - timedelta(days=1), begun + timedelta(days=1)]
        waiting = [a_match(number, time) for number, time in enumerate(found)]
        for link in waiting:
            doors.house.database.write(lambda tx, link=link: links.put(tx, link))
        staff, path = doors.token(PLAN, "staff"), "/api/v1/held?limit=2"
        matches, given = [], []
        while path:
            answer = doors.call("GET", path, staff)
            form = answer.json()
            assert len(form["matches"]) <= 2 and len(form["documents"]) <= 2
            matches += [one["id"] for one in form["matches"]]
            given += [one["id"] for one in form["documents"]]
            if matches == [one["id"] for one in form["matches"]]:
                # Somebody decides where the page ended, and the next begins there all the same.
                decided = next(one for one in waiting if one.id == matches[-1])
                doors.house.database.write(
                    lambda tx, link=decided: links.decide(tx, link, state="confirmed")
                )
            path = answer.links["next"]["url"] if "next" in answer.links else ""
        assert sorted(matches) == sorted(one.id for one in waiting)
        assert (matches[0], matches[-1]) == (waiting[4].id, waiting[5].id)
        assert len(given) == len(documents) and set(given) == documents


def a_match(number: int, found: datetime) -> Link:
    partner = a_partner()
    patient = PatientId(str(number), Oid("2.999.8.1.5"))
    return Link(PLAN, MEMBER.id, partner.id, partner.home_community_id, patient, "held", found)


@pytest.mark.parametrize(
    ("content", "mime_type"),
    [
        (b"not a document at all", "text/plain"),
        (b"<Clinical", "text/xml"),
        (b'<!DOCTYPE x [<!ENTITY y "z">]><x>&y;</x>', "text/xml"),
        (b"<html><script>alert(1)</script></html>", "text/xml"),
        (b"%PDF-1.7 made up", "application/pdf"),
        (b"\x00" * 100, "application/octet-stream"),
        (b"PK\x03\x04", "application/zip"),
        (b" ", "application/octet-stream"),
    ],
)
def test_garbage_is_kept_in_quarantine_and_comes_back_harmless(
    doors: Doors, content: bytes, mime_type: str
) -> None:
    answer = post(doors, content, **{"Content-Type": "text/html"})
    assert answer.status_code == 201
    form = answer.json()
    assert (form["outcome"], form["state"]) == ("quarantined", "quarantined")
    assert form["reason"]
    staff = doors.token(PLAN, "staff")
    kept = doors.get("/api/v1/quarantine", staff).json()["documents"]
    assert form["id"] in [one["id"] for one in kept]
    back = doors.get(f"/api/v1/documents/{form['id']}/content", staff)
    assert back.content == content
    assert back.headers["content-type"] == mime_type
    assert back.headers["content-disposition"].startswith("attachment")
    assert back.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "content",
    [DOCUMENT, "<x>Zoë</x>".encode("latin-1"), b"", bytes(range(256)) * 9000],
    ids=["a document", "latin-1", "one byte", "over a frame"],
)
def test_content_comes_back_to_the_byte_as_a_download(doors: Doors, content: bytes) -> None:
    content = content or b"\n"
    form = post(doors, content).json()
    last = doors.last()
    path = f"/api/v1/documents/{form['id']}"
    answer = doors.get(f"{path}/content", doors.token(PLAN, "staff"))
    assert answer.content == content
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["content-disposition"] == f'attachment; filename="{form["id"]}"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "charset" not in answer.headers["content-type"], "only the bytes know their encoding"
    (record,) = doors.recorded(last)
    assert record["transaction"] == "REST-DOCUMENT-CONTENT"
    assert record["documents"] == f'["{form["id"]}"]'
    assert record["member"] == form["member"]
    shown = doors.get(path, doors.token(PLAN, "staff")).json()
    assert shown == {key: value for key, value in form.items() if key != "outcome"}


# ---- too much and too little -----------------------------------------------------------------


def test_an_empty_body_is_refused_and_recorded(doors: Doors) -> None:
    last = doors.last()
    answer = post(doors, b"")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == PROBLEM
    (record,) = doors.recorded(last)
    assert (record["outcome"], record["documents"]) == ("refused", "[]")


def test_a_body_that_says_it_is_too_large_is_refused_unread(doors: Doors) -> None:
    async def unread() -> Any:
        raise AssertionError("the body was read")
        yield b""

    last = doors.last()
    answer = post(doors, unread(), **{"Content-Length": str(64 * MEGABYTE + 1)})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == PROBLEM
    (record,) = doors.recorded(last)
    assert record["outcome"] == "refused"


def test_a_body_that_does_not_say_so_is_read_no_further_than_the_limit(doors: Doors) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * (8 * MEGABYTE)

    before = len(doors.rows("SELECT * FROM document"))
    assert post(doors, endless()).status_code == 413
    assert sent == 9
    assert len(doors.rows("SELECT * FROM document")) == before


# ---- lists -----------------------------------------------------------------------------------


def pages(doors: Doors, path: str, key: str, limit: int, **params: str) -> list[dict[str, Any]]:
    """Everything that following `next` gives."""
    staff, found = doors.token(OTHER_PLAN, "staff"), []
    after: dict[str, str] = {}
    for _ in range(100):
        page = doors.get(f"/api/v1/{path}", staff, limit=limit, **params, **after).json()
        assert len(page[key]) <= limit
        found += page[key]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}
    raise AssertionError("the pages never end")


@pytest.fixture(scope="module")
def given(doors: Doors) -> dict[str, list[str]]:
    """What the other plan was given: five documents of each state, as they came."""
    made: dict[str, list[str]] = {"filed": [], "held": [], "quarantined": []}
    for number in range(5):
        for content in (
            changed(number),
            changed(number).replace(b"Sampleton", b"Zanzibarson"),
            b"garbage %d" % number,
        ):
            form = doors.give(content, OTHER_PLAN)
            made[form["outcome"]].append(form["id"])
    return made


@pytest.mark.parametrize("limit", [1, 2, 5, 1000])
def test_every_list_is_whole_and_in_order_however_it_is_cut(
    doors: Doors, given: dict[str, list[str]], limit: int
) -> None:
    def ids(path: str, **params: str) -> list[str]:
        return [one["id"] for one in pages(doors, path, "documents", limit, **params)]

    assert ids("held") == given["held"]
    assert ids("quarantine") == given["quarantined"]
    assert ids("documents", state="filed") == given["filed"]
    assert ids("documents", member="twin") == given["filed"]
    assert ids("documents", member="twin", state="held") == []
    assert sorted(ids("documents")) == sorted(id for some in given.values() for id in some)


def test_a_page_names_its_documents_in_its_record(
    doors: Doors, given: dict[str, list[str]]
) -> None:
    last = doors.last()
    doors.get("/api/v1/documents", doors.token(OTHER_PLAN, "staff"), member="twin", limit=2)
    (record,) = doors.recorded(last)
    assert record["member"] == "twin"
    assert record["documents"] == f'["{given["filed"][0]}","{given["filed"][1]}"]'


def test_members_are_listed_by_number_and_followed_by_an_opaque_cursor(doors: Doors) -> None:
    """A member's number has no place in an URL (DECISIONS 20)."""
    for number in ("10", "9", "08"):
        other = replace(
            MEMBER, id=MemberId(f"id-{number}"), plan=OTHER_PLAN, member_id=f"0-{number}"
        )
        doors.house.database.write(lambda tx, other=other: members.put(tx, other))
    found = pages(doors, "members", "members", 1)
    assert [one["member_id"] for one in found] == ["0-08", "0-10", "0-9", MEMBER.member_id]
    page = doors.get("/api/v1/members", doors.token(OTHER_PLAN, "staff"), limit=1).json()
    assert page["next"] == "id-08"


@pytest.mark.parametrize(
    ("number", "member", "reason"),
    [(MEMBER.member_id, MEMBER.id, None), (f" {MEMBER.member_id} ", MEMBER.id, None),
     ("nobody's", None, "0 members"), ("%", None, "0 members")],
)  # fmt: skip
def test_a_member_is_found_by_the_plans_own_number(
    tmp_path: Path, number: str, member: str | None, reason: str | None
) -> None:
    with open_doors(tmp_path) as doors:
        staff, last = doors.token(PLAN, "staff"), doors.last()
        answer = doors.call("POST", "/api/v1/member-search", staff, json={"member_id": number})
        assert answer.status_code == 200
        assert [one["id"] for one in answer.json()["members"]] == ([member] if member else [])
        (record,) = doors.recorded(last)
    assert (record["transaction"], record["member"]) == ("REST-MEMBERS", member)
    assert record["reason"] == reason


@pytest.mark.parametrize(("limit", "member", "reason"), [(1, "id-1", None), (2, None, "2 members")])
def test_a_list_of_members_names_the_one_or_says_how_many_it_shows(
    tmp_path: Path, limit: int, member: str | None, reason: str | None
) -> None:
    """A record names one at the most; what auditors call unusual counts the others by it."""
    with open_doors(tmp_path) as doors:
        for number in "12":
            one = replace(MEMBER, id=MemberId(f"id-{number}"), member_id=f"0-{number}")
            doors.house.database.write(lambda tx, one=one: members.put(tx, one))
        staff, last = doors.token(PLAN, "staff"), doors.last()
        assert len(doors.get("/api/v1/members", staff, limit=limit).json()["members"]) == limit
        (record,) = doors.recorded(last)
    assert (record["member"], record["reason"]) == (member, reason)


def test_a_list_of_documents_says_of_how_many_members_they_are(doors: Doors) -> None:
    last = doors.last()
    doors.get("/api/v1/documents", doors.token(PLAN, "staff"), state="quarantined")
    (record,) = doors.recorded(last)
    assert (record["member"], record["reason"]) == (None, "0 members")


def test_a_cursor_that_names_nothing_is_a_404(doors: Doors) -> None:
    for path in ("members", "documents", "held", "quarantine"):
        answer = doors.get(f"/api/v1/{path}", doors.token(PLAN, "staff"), after="nobody")
        assert answer.status_code == 404, path
    answer = doors.get("/api/v1/held", doors.token(PLAN, "staff"), after_match="20260101-nobody")
    assert answer.status_code == 404


def test_the_log_is_paged_newest_first(doors: Doors) -> None:
    auditor = doors.token(PLAN, "auditor")
    for _ in range(4):
        doors.get("/api/v1/partners", auditor)
    first = doors.get("/api/v1/exchanges", auditor, limit=3).json()
    assert first["next_offset"] == 3
    numbers = [one["sequence"] for one in first["exchanges"]]
    assert numbers == sorted(numbers, reverse=True)
    everything = doors.get("/api/v1/exchanges", auditor, limit=1000).json()
    assert everything["next_offset"] is None
    assert doors.get("/api/v1/exchanges", auditor, offset=10_000).json()["exchanges"] == []
    far = doors.get("/api/v1/exchanges", auditor, offset=10_001)
    assert (far.status_code, far.headers["content-type"]) == (422, PROBLEM)
    assert "go on `after`" in far.json()["detail"]
