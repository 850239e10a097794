"""Who may call which door, what a refused caller hears, and that each call makes one record."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from direct.addresses import Mailbox
from direct.message import OutgoingPart, write_message
from gateway.model.caller import ROLES, Role
from gateway.model.exchange import Exchange
from gateway.model.identity import ConversationId, MailId, PlanId
from gateway.model.link import Link
from gateway.model.member import Plan
from gateway.model.partner import Endpoints
from gateway.store import (
    direct_keys,
    exchange_log,
    links,
    mail_received,
    partners,
    plans,
    policy_rules,
    retrievals,
    tokens,
)
from ihe.identifiers import Oid, PatientId
from tests.flows.test_direct import sealed
from tests.gateway.api.doors import CLINICAL, PROBLEM, PURPOSE, Doors, open_doors, routes_of
from tests.gateway.exchange.direct_certificates import certified
from tests.gateway.house import MEMBER, PLAN, a_partner, a_rule, demo_document, file

EVERYONE: Final = frozenset(ROLES)
WAITING: Final[frozenset[Role]] = frozenset({"staff", "system", "operator"})
AUDIT: Final[frozenset[Role]] = frozenset({"auditor"})
M, D, R = "{member_id}", "{document_id}", "{retrieval_id}"
V1: Final = "/api/v1"
FHIR: Final = "/fhir/r4"

MATRIX: Final[dict[tuple[str, str], tuple[str, frozenset[Role]]]] = {
    ("GET", f"{V1}/members"): ("REST-MEMBERS", CLINICAL),
    ("POST", f"{V1}/member-search"): ("REST-MEMBERS", CLINICAL),
    ("GET", f"{V1}/members/{M}"): ("REST-MEMBER", CLINICAL),
    ("GET", f"{V1}/members/{M}/summary"): ("REST-SUMMARY", CLINICAL),
    ("GET", f"{V1}/members/{M}/disclosures"): ("REST-DISCLOSURES", AUDIT),
    ("GET", f"{V1}/members/{M}/retrievals"): ("REST-RETRIEVALS", CLINICAL),
    ("POST", f"{V1}/members/{M}/retrievals"): ("REST-RETRIEVAL", CLINICAL),
    ("GET", f"{V1}/retrievals/{R}"): ("REST-RETRIEVAL-STATE", CLINICAL),
    ("GET", f"{V1}/retrievals/{R}/events"): ("REST-RETRIEVAL-EVENTS", CLINICAL),
    ("POST", f"{V1}/members/{M}/submissions"): ("REST-SUBMISSION", CLINICAL),
    ("GET", f"{V1}/submissions/{{submission_id}}"): ("REST-SUBMISSION-STATE", WAITING),
    ("GET", f"{V1}/documents"): ("REST-DOCUMENTS", CLINICAL),
    ("POST", f"{V1}/documents"): ("REST-DOCUMENT-IN", CLINICAL),
    ("GET", f"{V1}/documents/{D}"): ("REST-DOCUMENT", CLINICAL),
    ("GET", f"{V1}/documents/{D}/content"): ("REST-DOCUMENT-CONTENT", CLINICAL),
    ("GET", f"{V1}/documents/{D}/view"): ("REST-DOCUMENT-VIEW", CLINICAL),
    ("GET", f"{V1}/held"): ("REST-HELD", WAITING),
    ("POST", f"{V1}/held/{{held_id}}/file"): ("REST-HELD-FILE", CLINICAL),
    ("POST", f"{V1}/held/{{match_id}}/confirm"): ("REST-HELD-CONFIRM", CLINICAL),
    ("POST", f"{V1}/held/{{held_id}}/reject"): ("REST-HELD-REJECT", CLINICAL),
    ("POST", f"{V1}/held/{{held_id}}/undo"): ("REST-HELD-UNDO", CLINICAL),
    ("POST", f"{V1}/documents/{{filed_id}}/unfile"): ("REST-DOCUMENT-UNFILE", CLINICAL),
    ("PUT", f"{V1}/members/{M}/consent"): ("REST-MEMBER-CONSENT", CLINICAL),
    ("GET", f"{V1}/quarantine"): ("REST-QUARANTINE", WAITING),
    ("POST", f"{V1}/quarantine/{{item_id}}/replay"): ("REST-REPLAY", WAITING),
    ("GET", f"{V1}/direct/messages"): ("REST-MESSAGES", WAITING),
    ("GET", f"{V1}/direct/messages/{{message_id}}"): ("REST-MESSAGE", WAITING),
    ("POST", f"{V1}/direct/messages"): ("REST-SEND", CLINICAL),
    ("GET", f"{V1}/direct/sent"): ("REST-SENT", WAITING),
    ("GET", f"{V1}/direct/sent/{{sent_id}}"): ("REST-SENT-MESSAGE", WAITING),
    ("GET", f"{V1}/direct/messages/{{message_id}}/verdict"): ("REST-VERDICT", WAITING),
    ("GET", f"{V1}/direct/messages/{{trusted_id}}/content"): ("REST-MESSAGE-CONTENT", CLINICAL),
    ("POST", f"{V1}/direct/checks"): ("REST-CHECK", WAITING),
    ("POST", "/direct/messages"): ("REST-DIRECT-IN", frozenset({"system"})),
    ("GET", f"{V1}/exchanges"): ("REST-EXCHANGES", AUDIT),
    ("GET", f"{V1}/exchanges/{{sequence}}"): ("REST-EXCHANGE", AUDIT),
    ("GET", f"{V1}/exchanges/outflow"): ("REST-OUTFLOW", AUDIT),
    ("GET", f"{V1}/exchanges/refusals"): ("REST-REFUSALS", AUDIT),
    ("GET", f"{V1}/exchanges/unusual"): ("REST-UNUSUAL", AUDIT),
    ("GET", f"{V1}/exchanges/export"): ("REST-LOG-EXPORT", AUDIT),
    ("GET", f"{FHIR}/AuditEvent"): ("FHIR-AUDIT-SEARCH", AUDIT),
    ("POST", f"{FHIR}/AuditEvent/_search"): ("FHIR-AUDIT-SEARCH", AUDIT),
    ("GET", f"{FHIR}/AuditEvent/exchange-{{sequence}}"): ("FHIR-AUDIT-READ", AUDIT),
    ("GET", f"{V1}/partners"): ("REST-PARTNERS", EVERYONE),
    ("GET", f"{V1}/partners/ledger"): ("REST-LEDGER", EVERYONE),
}
"""Each door's name in the record, and whom it admits."""
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with open_doors(tmp_path_factory.mktemp("access")) as opened:
        yield opened


@pytest.fixture(scope="module")
def ids(doors: Doors) -> dict[str, str]:
    return prepared(doors)


def prepared(doors: Doors) -> dict[str, str]:
    """Something behind every door, by the names of the paths' parameters."""
    started = doors.start(MEMBER.id).json()
    doors.house.database.write(
        lambda tx: retrievals.set_state(tx, plan=PLAN, retrieval=started["id"], state="done")
    )
    listed = doors.get(f"{V1}/documents", doors.token(PLAN, "staff")).json()["documents"]
    given = doors.call("POST", "/direct/messages", doors.token(PLAN, "system"), **MESSAGE)
    message = MailId(given.json()["id"])
    verdict = mail_received.seal_verdict(
        doors.house.archive.blobs.keys,
        b'{"at": "now", "recipients": []}',
        plan=PLAN,
        message=message,
    )
    doors.house.database.write(
        lambda tx: mail_received.settle(
            tx,
            plan=PLAN,
            message=message,
            state="quarantined",
            reason="of the test",
            now=datetime.now(UTC),
            verdict=verdict,
        )
    )
    sent = doors.call("POST", f"{V1}/direct/messages", doors.token(PLAN, "staff"), json=SENT)
    doors.house.database.write(lambda tx: partners.put(tx, TAKER))
    doors.house.database.write(lambda tx: policy_rules.put(tx, a_rule(TAKER, name="to the taker")))
    path = f"{V1}/members/{MEMBER.id}/submissions"
    submitted = doors.call("POST", path, doors.token(PLAN, "staff"), json=SUBMITTED)
    trusted = trusted_message(doors, TEXT, number=1)
    brought = Exchange(
        datetime.now(UTC), "in", "DIRECT-RECEIVE", "success", plan=PLAN,
        documents=(next(one["id"] for one in listed if one["member"] == MEMBER.id),),
        conversation=ConversationId(trusted),
    )  # fmt: skip
    doors.house.database.write(lambda tx: exchange_log.append(tx, brought))
    return {
        "submission_id": submitted.json()["id"],
        "message_id": message,
        "trusted_id": trusted,
        "sent_id": sent.json()["id"],
        "item_id": doors.give(b"no document")["id"],
        **undecided(doors),
        "member_id": MEMBER.id,
        "document_id": listed[0]["id"],
        "retrieval_id": started["id"],
        "sequence": str(doors.last()),
    }


def undecided(doors: Doors) -> dict[str, str]:
    """A document and a match that wait, and a document that is filed: each decided but once."""
    end = b"</ClinicalDocument>"
    mark = b"<!--%s-->" % uuid4().hex.encode()
    marked = demo_document("northfield_ccd.xml").replace(end, mark + end)
    match = Link(
        PLAN,
        MEMBER.id,
        a_partner().id,
        a_partner().home_community_id,
        PatientId(uuid4().hex, Oid("2.999.8.1.5")),
        "held",
        datetime.now(UTC),
    )
    doors.house.database.write(lambda tx: links.put(tx, match))
    return {
        "held_id": file(doors.house, marked.replace(b"Sampleton", b"Otherson")).document.id,
        "filed_id": file(doors.house, marked).document.id,
        "match_id": match.id,
    }


TAKER: Final = a_partner(
    "Taker", "2.999.7388", endpoints=Endpoints(iti41="https://localhost:1/ihe/xdr")
)
SUBMITTED: Final[dict[str, Any]] = {"partner": TAKER.id, **PURPOSE}
WHY: Final = {"reason": "of the test"}
_BODIES: Final[dict[str, dict[str, Any]]] = {
    "/file": {"member": MEMBER.id, **WHY},
    "/consent": {"opted_out": False, **WHY},
    "/confirm": WHY,
    "/reject": WHY,
    "/undo": WHY,
    "/unfile": WHY,
}
"""By how the path ends."""
TEXT: Final = OutgoingPart(b"One word.", "text/plain")


def trusted_message(doors: Doors, *parts: OutgoingPart, number: int, plan: PlanId = PLAN) -> str:
    """A message sealed to us that was trusted, and filed."""
    domain, now = f"direct.{plan}.example", datetime.now(UTC)
    key, certificate = certified(domain)
    ring = doors.house.archive.blobs.keys
    own = direct_keys.seal_key(
        ring, plan=plan, owner=domain, key=key, certificates=[certificate], now=now, since=now
    )
    doors.house.database.write(lambda tx: direct_keys.put(tx, own))
    written = write_message(
        from_=Mailbox.parse("anne@direct.clinic.test"),
        to=[Mailbox.parse(f"desk@{domain}")],
        message_id=f"{number}@clinic.test",
        date=now,
        parts=parts,
    )
    given = {
        "params": {"mail_from": "", "rcpt_to": f"desk@{domain}"},
        "content": sealed(written, to=domain),
    }
    spooled = doors.call("POST", "/direct/messages", doors.token(plan, "system"), **given)
    message = MailId(spooled.json()["id"])
    doors.house.database.write(
        lambda tx: mail_received.settle(
            tx, plan=plan, message=message, state="filed", reason=None, now=now
        )
    )
    return message


MESSAGE: Final[dict[str, Any]] = {
    "params": {"mail_from": "a@clinic.example", "rcpt_to": "b@direct.acme.example"},
    "content": b"Message-ID: <1@clinic.example>\r\n\r\nsealed\r\n",
}
SENT: Final[dict[str, Any]] = {
    "from": "desk@direct.acme.example",
    "to": ["anne@clinic.example"],
    **PURPOSE,
    "text": "Hello",
}


def call(
    doors: Doors,
    door: tuple[str, str],
    ids: dict[str, str],
    token: str | None,
    *,
    anew: bool = True,
) -> Any:
    """The door's answer; what can be decided but once is made `anew`, and stands in `ids`."""
    method, path = door
    body: dict[str, Any] = {}
    end = path[path.rindex("/") :]
    if end in _BODIES:
        if anew:
            ids |= undecided(doors)
        if end == "/undo":
            ids["held_id"] = ids["filed_id"]
        body = {"json": _BODIES[end]}
    elif method == "POST":
        body = {"json": PURPOSE} if path.endswith("retrievals") else {"content": b"no document"}
    if path == f"{V1}/member-search":
        body = {"json": {"member_id": MEMBER.member_id}}
    if path == f"{V1}/direct/messages" and method == "POST":
        body = {"json": SENT}
    if path.endswith("/submissions"):
        body = {"json": SUBMITTED}
    if path.endswith("/checks"):
        body = {"json": {"address": "anne@clinic.example"}}
    if path == "/direct/messages":
        body = {**MESSAGE, "content": MESSAGE["content"] + uuid4().bytes}
    if path.startswith(FHIR) and "{" not in path:
        body = {"params" if method == "GET" else "data": {"date": "ge2000-01-01"}}
    return doors.call(method, path.format(**ids), token, **body)


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    form: dict[str, Any] = answer.json()
    if answer.request.url.path.startswith(FHIR):
        assert answer.headers["content-type"] == "application/fhir+json"
        (issue,) = form["issue"]
        assert (form["resourceType"], issue["severity"]) == ("OperationOutcome", "error")
        assert issue["code"]
        return {"detail": issue["diagnostics"]}
    assert answer.headers["content-type"] == PROBLEM
    assert form["status"] == status
    assert form["type"] == "about:blank"
    assert form["title"]
    assert form["detail"]
    return form


# ---- who ------------------------------------------------------------------------------------


def test_every_route_has_its_place_in_the_role_matrix(doors: Doors) -> None:
    found = {(method, route.path) for route in routes_of(doors.application)
             for method in route.methods or ()}  # fmt: skip
    assert found == set(MATRIX)


@pytest.mark.parametrize("door", MATRIX, ids=" ".join)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_passes_the_doors_of_its_work_and_no_others(
    doors: Doors, ids: dict[str, str], door: tuple[str, str], role: Role
) -> None:
    name, admitted = MATRIX[door]
    last = doors.last()
    answer = call(doors, door, ids, doors.token(PLAN, role), anew=role in admitted)
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["direction"]) == (name, "in")
    assert (record["plan"], record["person"], record["role"]) == (PLAN, f"{PLAN} {role}", role)
    assert record["peer"] == "192.0.2.7"
    if role in admitted:
        assert answer.status_code in (200, 201, 202)
        assert record["outcome"] == "success"
        # A report of the log says how much was seen.
        said = (WHY["reason"], "lines", "records as jsonl")
        assert (record["reason"] or WHY["reason"]).endswith(said)
    else:
        assert_problem(answer, 403)
        assert (record["outcome"], record["documents"]) == ("refused", "[]")
        assert record["reason"] == f"The role {role} may not do this."
        assert record["member"] is None


LISTS: Final = [
    door
    for door in MATRIX
    if door[0] == "GET"
    and door[1].startswith(V1)
    and "{" not in door[1]
    and door[1] != f"{V1}/partners"  # of the caller's plan, all of them
]


@pytest.mark.parametrize("door", LISTS, ids=" ".join)
def test_a_filter_that_is_misspelt_is_no_answer_about_everybody(
    doors: Doors, ids: dict[str, str], door: tuple[str, str]
) -> None:
    name, admitted = MATRIX[door]
    last = doors.last()
    answer = doors.get(door[1].format(**ids), doors.token(PLAN, min(admitted)), membr="Zanzibar")
    assert_problem(answer, 422)
    assert "membr" not in answer.text
    assert "Zanzibar" not in answer.text
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["outcome"]) == (name, "refused")
    assert record["reason"] == answer.json()["detail"]


@pytest.mark.parametrize("door", MATRIX, ids=" ".join)
def test_without_a_valid_token_every_door_is_shut_and_the_call_is_only_counted(
    doors: Doors, ids: dict[str, str], door: tuple[str, str]
) -> None:
    last, counted = doors.last(), doors.counted()
    for token in (None, "", "unknown", "x" * 5000, "ein-Tökén"):
        answer = call(doors, door, ids, token, anew=False)
        assert_problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    assert [one for one in doors.recorded(last) if one["plan"] is not None] == []
    assert doors.counted() == counted + 5


def _a_token(doors: Doors, *, lives: timedelta, revoked: bool = False) -> str:
    now = datetime.now(UTC)
    token, secret = doors.house.database.write(
        lambda tx: tokens.create(
            tx, plan=PLAN, name="someone", role="staff", now=now, expires=now + lives
        )
    )
    if revoked:
        doors.house.database.write(lambda tx: tokens.revoke(tx, plan=PLAN, token=token.id, now=now))
    return secret


@pytest.mark.parametrize("door", MATRIX, ids=" ".join)
def test_an_expired_or_revoked_token_opens_nothing(
    doors: Doors, ids: dict[str, str], door: tuple[str, str]
) -> None:
    last, counted = doors.last(), doors.counted()
    expired = _a_token(doors, lives=timedelta(seconds=-1))
    revoked = _a_token(doors, lives=timedelta(hours=1), revoked=True)
    for token in (expired, revoked):
        form = assert_problem(call(doors, door, ids, token, anew=False), 401)
        assert "unknown, expired or revoked" in form["detail"], "which of them is nobody's business"
    assert [one for one in doors.recorded(last) if one["plan"] is not None] == []
    assert doors.counted() == counted + 2


def test_a_token_is_taken_from_the_header_alone(doors: Doors) -> None:
    token = doors.token(PLAN, "staff")
    assert doors.get(f"{V1}/members?token={token}&access_token={token}", None).status_code == 401
    basic = {"Authorization": f"Basic {token}"}
    assert doors.call("GET", f"{V1}/members", None, headers=basic).status_code == 401
    lower = {"Authorization": f"bearer {token}"}
    assert doors.call("GET", f"{V1}/members", None, headers=lower).status_code == 200


def test_who_may_not_call_is_told_before_the_body_is_read(doors: Doors) -> None:
    """A stranger can neither fill our memory nor learn what a body must look like."""

    async def endless() -> Any:
        raise AssertionError("the body was read")
        yield b""

    relay = "/direct/messages?mail_from=&rcpt_to=b@direct.acme.example"
    for path in (f"{V1}/members/{MEMBER.id}/retrievals", f"{V1}/documents", relay):
        assert doors.call("POST", path, None, content=endless()).status_code == 401
        auditor = doors.token(PLAN, "auditor")
        assert doors.call("POST", path, auditor, content=endless()).status_code == 403


def test_strangers_of_one_minute_make_one_record_once_it_is_over(doors: Doors) -> None:
    doors.get(f"{V1}/partners", None)
    last, later = doors.last(), datetime.now(UTC) + timedelta(minutes=2)
    doors.house.database.write(lambda tx: exchange_log.flush_refusals(tx, now=later))
    kept = [one for one in doors.recorded(last) if one["transaction"] == "REST-PARTNERS"]
    assert [one["outcome"] for one in kept] == ["refused"] * len(kept)
    assert {one["peer"] for one in kept} == {"192.0.2.7"}
    assert {one["plan"] for one in kept} == {None}


def test_a_plan_that_is_no_longer_served_takes_no_documents(doors: Doors) -> None:
    gone = PlanId("gone")
    doors.house.database.write(lambda tx: plans.put(tx, Plan(gone, "Gone")))
    now = datetime.now(UTC)
    _, secret = doors.house.database.write(
        lambda tx: tokens.create(tx, plan=gone, name="left", role="staff", now=now)
    )
    last = doors.last()
    assert_problem(doors.call("POST", f"{V1}/documents", secret, content=b"<x/>"), 403)
    (record,) = doors.recorded(last)
    assert (record["plan"], record["outcome"]) == (gone, "refused")


# ---- what else is refused --------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted({path for _, path in MATRIX}))
def test_a_verb_that_a_door_does_not_know_is_a_problem_that_names_those_it_does(
    doors: Doors, ids: dict[str, str], path: str
) -> None:
    known = {method for method, where in MATRIX if where == path}
    last, counted = doors.last(), doors.counted()
    wrong = [method for method in METHODS if method not in known]
    for method in wrong:
        answer = doors.call(method, path.format(**ids), doors.token(PLAN, "staff"))
        assert answer.status_code == 405
        kind = "application/fhir+json" if path.startswith(FHIR) else PROBLEM
        assert answer.headers["content-type"] == kind
        assert set(answer.headers["allow"].replace(" ", "").split(",")) <= known
    assert [one for one in doors.recorded(last) if one["plan"] is not None] == []
    assert doors.counted() == counted + len(wrong)


@pytest.mark.parametrize(
    "path", ["/", "/api/v1", "/api/v1/member", "/api/v1/members/", "/api/v1/members/m1/Zanzibar",
             "/api/v1/../members", "/redoc", "/ihe/xcpd", "/health/live"],
)  # fmt: skip
def test_a_path_that_is_no_door_is_a_problem_that_says_nothing_of_it(
    doors: Doors, path: str
) -> None:
    answer = doors.get(path, doors.token(PLAN, "staff"))
    form = assert_problem(answer, 404)
    assert "Zanzibar" not in answer.text
    assert set(form) == {"type", "title", "status", "detail"}
    assert "location" not in answer.headers


@pytest.mark.parametrize("door", [door for door in MATRIX if "{" in door[1]], ids=" ".join)
def test_an_id_that_is_nobodys_is_a_404_that_is_recorded_without_it(
    doors: Doors, ids: dict[str, str], door: tuple[str, str]
) -> None:
    nobody = dict.fromkeys(ids, "Zanzibarson") | {"sequence": str(10**12)}
    last = doors.last()
    role: Role = "auditor" if MATRIX[door][1] == AUDIT else "staff"
    answer = call(doors, door, nobody, doors.token(PLAN, role), anew=False)
    assert_problem(answer, 404)
    (record,) = doors.recorded(last)
    assert (record["outcome"], record["member"], record["documents"]) == ("refused", None, "[]")
    assert "Zanzibarson" not in answer.text + str(record)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/members", {"limit": "Zanzibarson"}),
        ("/members", {"limit": "0"}),
        ("/members", {"limit": "1001"}),
        ("/members", {"after": "Zanzibar son"}),
        ("/members/Zanzibar%00son", {}),
        ("/members/{member_id}/summary", {"format": "Zanzibarson"}),
        ("/members/{member_id}/retrievals", {"before": "Zanzibar\x00son"}),
        ("/documents", {"state": "Zanzibarson"}),
        ("/documents", {"member": "Zanzibar son"}),
        ("/held", {"limit": "-1"}),
        ("/held", {"member": "Zanzibar\x00son"}),
        ("/quarantine", {"limit": "1e3"}),
        ("/quarantine", {"after_message": "Zanzibar son"}),
        ("/direct/messages", {"state": "Zanzibarson"}),
    ],
)
def test_a_wrong_parameter_is_named_without_its_value_and_recorded(
    doors: Doors, ids: dict[str, str], path: str, params: dict[str, str]
) -> None:
    last = doors.last()
    answer = doors.get(V1 + path.format(**ids), doors.token(PLAN, "staff"), **params)
    form = assert_problem(answer, 422)
    named = next(iter(params), "member_id")
    assert [error["location"].rpartition(".")[2] for error in form["errors"]] == [named]
    (record,) = doors.recorded(last)
    assert record["outcome"] == "refused"
    assert "Zanzibar" not in answer.text + str(record)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/exchanges/0", {}),
        ("/exchanges/-1", {}),
        ("/exchanges/Zanzibarson", {}),
        (f"/exchanges/{2**63}", {}),
        ("/exchanges", {"offset": str(2**63)}),
        ("/exchanges", {"offset": str(2**63 - 1)}),  # with the page it is one too many
        ("/exchanges", {"order": "Zanzibarson"}),
        ("/exchanges", {"after": "0"}),
        ("/exchanges/export", {"after": str(10**12)}),
        ("/exchanges/export", {"format": "Zanzibarson"}),
        ("/exchanges/refusals", {"since": "Zanzibarson"}),
        ("/exchanges", {"after": str(10**12)}),
        (f"/members/{MEMBER.id}/disclosures", {"from": "Zanzibarson"}),
        (f"/members/{MEMBER.id}/disclosures", {"format": "Zanzibarson"}),
        ("/exchanges", {"since": "Zanzibarson"}),
        ("/exchanges", {"outcome": "Zanzibarson"}),
        ("/exchanges", {"person": "Zanzibar\x00son"}),
        ("/exchanges", {"member": "Zanzibar son"}),
    ],
)
def test_a_wrong_question_to_the_log_is_refused_and_recorded(
    doors: Doors, path: str, params: dict[str, str]
) -> None:
    last = doors.last()
    answer = doors.get(V1 + path, doors.token(PLAN, "auditor"), **params)
    assert_problem(answer, 404 if params.get("after") == str(10**12) else 422)
    (record,) = doors.recorded(last)
    assert "Zanzibar" not in answer.text + str(record)
