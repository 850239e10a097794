"""Neither of two plans sees anything of the other's, by whatever door, id and role.

The routes are found, not listed: a new one fails here until it is said what its parameters mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import product
from typing import Any, Final
from uuid import NAMESPACE_DNS, uuid5

import httpx
import orjson
import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from direct.message import OutgoingPart
from gateway.model.caller import ROLES, Role
from gateway.model.document import Source
from gateway.model.identity import MailId, MemberId, PartnerId, PlanId, RetrievalId
from gateway.model.link import Link
from gateway.model.partner import Endpoints
from gateway.store import (
    links,
    mail_received,
    members,
    partners,
    policy_rules,
    retrievals,
    tokens,
)
from ihe.identifiers import Oid, PatientId
from tests.gateway.api.doors import PURPOSE, Doors, names_in, open_doors, routes_of
from tests.gateway.api.test_rest_access import trusted_message
from tests.gateway.house import MEMBER, OTHER_PLAN, PLAN, a_partner, a_rule, demo_document

MARKER: Final = "Zanzibarson"
"""Stands somewhere in every kind of thing that the other plan has."""
DOCUMENT: Final = demo_document("northfield_ccd.xml")

WHY: Final = {"reason": "of the test"}
KINDS: Final[dict[str, tuple[str, ...]]] = {
    "member_id": ("member", "document"),
    "document_id": ("document", "member"),
    "retrieval_id": ("retrieval", "conversation"),
    "sequence": ("sequence",),
    "member": ("member",),
    "partner": ("partner",),
    "person": ("person",),
    "document": ("document",),
    "conversation": ("conversation",),
    "item_id": ("document", "message"),
    "message_id": ("message",),
    "sent_id": ("sent",),
    "submission_id": ("submission", "conversation"),
    "held_id": ("document", "match"),
    "match_id": ("match",),
    "trusted_id": ("trusted", "message"),
    "filed_id": ("document",),
    "after_message": ("message",),
    "after_match": ("match",),
    "after": ("member", "document", "message", "sent"),
    "before": ("retrieval",),
}
"""Of which kinds the ids are that a parameter is given."""
HARMLESS: Final = {"format", "limit", "offset", "state", "purpose", "transaction", "outcome",
                   "since", "until", "mail_from", "rcpt_to", "from", "to",
                   "all", "direction", "order", "descending"}  # fmt: skip
"""Parameters that name nothing that a plan could own."""
BODIES: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("POST", "/api/v1/member-search"): {"json": {"member_id": MEMBER.member_id}},
    ("POST", "/api/v1/members/{member_id}/retrievals"): {"json": PURPOSE},
    ("POST", "/api/v1/members/{member_id}/submissions"): {
        "json": {"partner": "partner-of-other", **PURPOSE}
    },
    ("POST", "/api/v1/documents"): {"content": DOCUMENT},
    ("POST", "/api/v1/held/{held_id}/file"): {"json": {"member": MEMBER.id, **WHY}},
    ("POST", "/api/v1/held/{match_id}/confirm"): {"json": WHY},
    ("POST", "/api/v1/held/{held_id}/reject"): {"json": WHY},
    ("POST", "/api/v1/held/{held_id}/undo"): {"json": WHY},
    ("POST", "/api/v1/documents/{filed_id}/unfile"): {"json": WHY},
    ("PUT", "/api/v1/members/{member_id}/consent"): {"json": {"opted_out": False, **WHY}},
    ("POST", "/api/v1/quarantine/{item_id}/replay"): {},
    ("POST", "/api/v1/direct/messages"): {
        "json": {"from": "desk@direct.acme.example", "to": ["anne@clinic.example"], **PURPOSE}
    },
    ("POST", "/api/v1/direct/checks"): {"json": {"address": "anne@clinic.example"}},
    ("POST", "/fhir/r4/AuditEvent/_search"): {"data": {"date": "ge2000-01-01"}},
    ("POST", "/direct/messages"): {"content": b"Message-ID: <1@clinic.example>\r\n\r\nsealed\r\n"},
}
EVENTS: Final = "/fhir/r4/AuditEvent"
SEARCHED: Final = {
    "patient.identifier": ("member",),
    "entity.identifier": ("document", "member", "message"),
    "agent.identifier": ("partner", "person"),
}
"""What a FHIR search, which reads its parameters itself, is asked by, and of which kinds it is."""
EVER: Final = {"date": "ge2000-01-01"}
ENVELOPE: Final = {"mail_from": "a@clinic.example", "rcpt_to": "b@direct.acme.example"}
"""What the relay door is told in its query."""


@dataclass(frozen=True, slots=True)
class Twins:
    """Two plans with the same person under the same number, and the same bytes."""

    doors: Doors
    ids: dict[PlanId, dict[str, tuple[str, ...]]]

    def foreign(self, kind: str, plan: PlanId = OTHER_PLAN) -> tuple[str, ...]:
        return self.ids[plan][kind]

    def secrets_of(self, plan: PlanId) -> tuple[str, ...]:
        """What no answer to the other plan may hold. A sequence is only a number."""
        owned = {kind: texts for kind, texts in self.ids[plan].items() if kind != "sequence"}
        return (MARKER, *(text for texts in owned.values() for text in texts))

    def belongings(self, plan: PlanId) -> list[list[dict[str, Any]]]:
        """Every row of the plan."""
        tables = self.doors.rows(
            "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'plan'"
            " WHERE m.type = 'table' ORDER BY m.name"
        )
        return [
            self.doors.rows(f'SELECT * FROM "{table["name"]}" WHERE plan = ?', plan)  # noqa: S608
            for table in tables
        ]


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    with open_doors(tmp_path_factory.mktemp("twins")) as doors:
        ids = {plan: _furnish(doors, plan) for plan in (PLAN, OTHER_PLAN)}
        yield Twins(doors, ids)


def _id_of(whom: str, plan: PlanId) -> MemberId:
    return MemberId(str(uuid5(NAMESPACE_DNS, f"{whom}.{plan}")))


def _furnish(doors: Doors, plan: PlanId) -> dict[str, tuple[str, ...]]:
    word = MARKER if plan == OTHER_PLAN else "Own"
    database = doors.house.database
    person = replace(MEMBER, id=_id_of("person", plan), plan=plan)
    stray = replace(
        MEMBER,
        id=_id_of("stray", plan),
        plan=plan,
        member_id=f"{word}-2",
        demographics=replace(MEMBER.demographics, names=(), ids=(), birth_time=None),
        coverage_start=date(2020, 1, 1),
    )
    partner = a_partner(
        f"{word} Clinic",
        "2.999.8.1",
        id=PartnerId(f"partner-of-{plan}"),
        plan=plan,
        endpoints=Endpoints(iti41="https://localhost:1/ihe/xdr"),
    )
    rule = a_rule(partner, name=f"{word} rule", plan=plan, third_party=True)
    database.write(lambda tx: policy_rules.put(tx, rule))
    stored = database.write(lambda tx: members.put(tx, person))
    database.write(lambda tx: members.put(tx, stray))
    database.write(lambda tx: partners.put(tx, partner))
    given = [
        doors.give(content, plan)
        for content in (
            DOCUMENT,
            DOCUMENT.replace(b"Sampleton", word.encode()),
            f"{word}: no document".encode(),
        )
    ]
    assert [one["outcome"] for one in given[1:]] == ["held", "quarantined"]
    for role in ("staff", "auditor"):
        doors.get("/api/v1/partners", doors.token(plan, role))
    match = Link(
        plan,
        stored.id,
        partner.id,
        partner.home_community_id,
        PatientId(f"{word}-9", Oid("2.999.8.1.5")),
        "held",
        datetime.now(UTC),
        detail=f"{word} is not surely the same",
    )
    database.write(lambda tx: links.put(tx, match))
    started = doors.start(stored.id, plan, requester={"person": f"{word} Nurse", "role": "nurse"})
    submitted = doors.call(
        "POST",
        f"/api/v1/members/{stored.id}/submissions",
        doors.token(plan, "staff"),
        json={"partner": partner.id, **PURPOSE},
    )
    assert submitted.status_code == 202, submitted.text
    found = database.read(lambda tx: tokens.list_all(tx, plan=plan))
    message, sent = _correspond(doors, plan, word)
    trusted = trusted_message(doors, OutgoingPart(word.encode(), "text/plain"), number=7, plan=plan)
    sequences = doors.rows("SELECT sequence FROM exchange WHERE plan = ?", plan)
    retrieval = started.json()
    return {
        "member": (stored.id, stray.id),
        "document": tuple(one["id"] for one in given),
        "match": (match.id,),
        "retrieval": (retrieval["id"],),
        "conversation": (retrieval["conversation"],),
        "partner": (partner.id,),
        "person": tuple(token.caller.name for token in found),
        "token": tuple(token.id for token in found),
        "message": (message,),
        "trusted": (trusted,),
        "sent": (sent,),
        "submission": (submitted.json()["id"],),
        "sequence": tuple(str(row["sequence"]) for row in sequences[-3:]),
    }


def _correspond(doors: Doors, plan: PlanId, word: str) -> tuple[str, str]:
    """A message that came and lies in quarantine, and one that is sent."""
    domain = f"direct.{plan}.example"
    given = doors.call(
        "POST",
        "/direct/messages",
        doors.token(plan, "system"),
        params={"mail_from": f"{word}@clinic.example", "rcpt_to": f"b@{domain}"},
        content=f"Message-ID: <{word}@clinic.example>\r\n\r\nsealed\r\n".encode(),
    )
    assert given.status_code == 202, given.text
    message = MailId(given.json()["id"])
    verdict = mail_received.seal_verdict(
        doors.house.archive.blobs.keys,
        orjson.dumps({"at": "now", "recipients": []}),
        plan=plan,
        message=message,
    )
    doors.house.database.write(
        lambda tx: mail_received.settle(
            tx,
            plan=plan,
            message=message,
            state="quarantined",
            reason=f"{word} is not trusted",
            now=datetime.now(UTC),
            verdict=verdict,
        )
    )
    form = {"from": f"desk@{domain}", "to": [f"{word}@clinic.example"], **PURPOSE, "text": word}
    sent = doors.call("POST", "/api/v1/direct/messages", doors.token(plan, "staff"), json=form)
    assert sent.status_code == 202, sent.text
    return message, sent.json()["id"]


# ---- the walk --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    params: dict[str, str]
    body: dict[str, Any]
    names_foreign: bool


def calls(twins: Twins, route: APIRoute, owner: PlanId) -> Iterator[Call]:
    """The route with each id of `owner` in each of its parameters, and once without any."""
    if route.path.startswith(EVENTS) and not names_in(route.path):
        yield from searches(twins, route, owner)
        return
    for method in sorted(route.methods or ()):
        body = BODIES.get((method, route.path), {})
        path_names = names_in(route.path)
        choices = [[id for kind in KINDS[name] for id in twins.foreign(kind, owner)]
                   for name in path_names]  # fmt: skip
        for chosen in product(*choices):
            path = route.path.format(**dict(zip(path_names, chosen, strict=True)))
            told = ENVELOPE if route.path == "/direct/messages" else {}
            yield Call(method, path, told, body, bool(path_names))
            for query in route.dependant.query_params:
                for kind in KINDS.get(query.alias, ()):
                    for id in twins.foreign(kind, owner):
                        yield Call(method, path, {query.alias: id}, body, True)


def searches(twins: Twins, route: APIRoute, owner: PlanId) -> Iterator[Call]:
    """The search of AuditEvents, by form or in the URL: for all, and by each id of `owner`."""
    (method,) = route.methods or ()
    given = [(name, id) for name, kinds in SEARCHED.items() for kind in kinds
             for id in twins.foreign(kind, owner)]  # fmt: skip
    for asked in ({}, *({name: id} for name, id in given)):
        params = EVER | asked
        if method == "GET":
            yield Call(method, route.path, params, {}, bool(asked))
        else:
            yield Call(method, route.path, {}, {"data": params}, bool(asked))


def all_routes(twins: Twins) -> list[APIRoute]:
    return list(routes_of(twins.doors.application))


def test_every_parameter_of_every_route_is_known_to_this_test(twins: Twins) -> None:
    known = set(KINDS) | HARMLESS
    for route in all_routes(twins):
        named = {one.alias for one in route.dependant.query_params} | set(names_in(route.path))
        assert named <= known, f"say what the parameters of {route.path} mean: {named - known}"
        assert not route.dependant.body_params, f"{route.path} reads a body before it asks who"
        for method in route.methods or ():
            if method in ("POST", "PUT", "PATCH"):
                assert (method, route.path) in BODIES, f"give {method} {route.path} a body"


def test_the_walk_finds_every_route_that_is_described(twins: Twins) -> None:
    described = {
        (method.upper(), path)
        for path, methods in twins.doors.application.openapi()["paths"].items()
        for method in methods
    }
    walked = {(method, route.path) for route in all_routes(twins) for method in route.methods or ()}
    assert described <= walked
    assert len(walked) >= 16


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("caller", "owner"), [(PLAN, OTHER_PLAN), (OTHER_PLAN, PLAN)])
def test_no_route_shows_or_touches_anything_of_another_plan(
    twins: Twins, caller: PlanId, owner: PlanId, role: Role
) -> None:
    if caller == OTHER_PLAN and role not in ("staff", "auditor"):
        return  # the other way round, the two roles that see most say enough
    before = twins.belongings(owner)
    for route in all_routes(twins):
        for call in calls(twins, route, owner):
            _call_and_judge(twins, call, caller, role, owner)
    assert twins.belongings(owner) == before


def _call_and_judge(twins: Twins, call: Call, caller: PlanId, role: Role, owner: PlanId) -> None:
    doors, last = twins.doors, twins.doors.last()
    answer = doors.call(
        call.method, call.path, doors.token(caller, role), params=call.params, **call.body
    )
    where = f"{role} of {caller}: {call.method} {call.path} {call.params}"
    assert answer.status_code < 500, where
    if owner == OTHER_PLAN:
        shown = answer.text + str(answer.headers)
        assert [text for text in twins.secrets_of(owner) if text in shown] == [], where
    if call.names_foreign:
        assert answer.status_code in (403, 404, 422) or _is_empty(answer), where
    (record,) = doors.recorded(last)
    assert record["plan"] == caller, where
    assert record["person"] == f"{caller} {role}", where
    written = f"{record['member']} {record['documents']} {record['conversation']}"
    foreign = (*twins.foreign("member", owner), *twins.foreign("document", owner),
               *twins.foreign("conversation", owner))  # fmt: skip
    assert [id for id in foreign if id in written] == [], where


def _is_empty(answer: httpx.Response) -> bool:
    if answer.status_code == 200 and answer.json().get("resourceType") == "Bundle":
        return "entry" not in answer.json()
    return answer.status_code == 200 and not any(answer.json().values())


def test_a_plan_reaches_its_own_by_the_same_calls(twins: Twins) -> None:
    """Without this, a door that is shut to everyone would pass."""
    (retrieval,) = twins.foreign("retrieval", PLAN)
    twins.doors.house.database.write(  # whoever follows one that goes on waits for its end
        lambda tx: retrievals.set_state(
            tx, plan=PLAN, retrieval=RetrievalId(retrieval), state="done"
        )
    )
    # What they take away is there for no other door; and what is decided is undone first.
    taking = ("/unfile", "/undo", "/reject")

    def place(route: APIRoute) -> int:
        return next((at for at, end in enumerate(taking) if route.path.endswith(end)), -1)

    for route in sorted(all_routes(twins), key=place):
        statuses = (
            twins.doors.call(
                call.method,
                call.path,
                twins.doors.token(PLAN, role),
                params=call.params,
                **_to_own_partner(call.body),
            ).status_code
            for call in calls(twins, route, PLAN)
            for role in ROLES
        )
        assert any(status in (200, 201, 202) for status in statuses), route.path


def _to_own_partner(body: dict[str, Any]) -> dict[str, Any]:
    """The walk over the other plan's things names its partner."""
    form = body.get("json", {})
    if "partner" not in form:
        return body
    return {"json": {**form, "partner": f"partner-of-{PLAN}"}}


# ---- at random -------------------------------------------------------------------------------


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_choice_of_ids_and_parameters_shows_anything_of_another_plan(
    twins: Twins, data: st.DataObject
) -> None:
    route = data.draw(st.sampled_from(all_routes(twins)), label="route")
    method = data.draw(st.sampled_from(sorted(route.methods or ())), label="method")
    role: Role = data.draw(st.sampled_from(ROLES), label="role")
    foreign = st.sampled_from([id for ids in twins.ids[OTHER_PLAN].values() for id in ids])
    names = names_in(route.path)
    path = route.path.format(**{name: data.draw(foreign, label=name) for name in names})
    params = {}
    for query in route.dependant.query_params:
        if query.alias in KINDS and data.draw(st.booleans()):
            params[query.alias] = data.draw(foreign, label=query.alias)
    call = Call(method, path, params, BODIES.get((method, route.path), {}), bool(names or params))
    _call_and_judge(twins, call, PLAN, role, OTHER_PLAN)


def test_the_same_bytes_in_both_plans_are_two_documents(twins: Twins) -> None:
    rows = twins.doors.rows(
        "SELECT d.plan, b.address, b.sha256 FROM document d JOIN blob b"
        " ON b.plan = d.plan AND b.address = d.blob_address"
        " WHERE d.id IN (?, ?)",
        twins.foreign("document", PLAN)[0],
        twins.foreign("document", OTHER_PLAN)[0],
    )
    assert len({row["plan"] for row in rows}) == 2
    assert len({row["sha256"] for row in rows}) == 1
    assert len({row["address"] for row in rows}) == 2, "an address would say who else has it"


def test_the_source_of_a_document_given_in_is_the_caller(twins: Twins) -> None:
    id = twins.foreign("document", PLAN)[1]
    answer = twins.doors.get(f"/api/v1/documents/{id}", twins.doors.token(PLAN, "staff")).json()
    assert answer["source"]["door"] == Source(door="REST").door
    assert answer["source"]["partner"] == f"{PLAN} staff"
