"""What a call did is what its one record says: member, documents, purpose, conversation, outcome.

`test_rest_access` holds who called and with which outcome for every role; here stands, for every
door there is, what it was about. A door without its row here fails.
"""

from collections.abc import Iterator
from typing import Any, Final

import orjson
import pytest

from gateway.model.caller import Role
from tests.gateway.api.doors import PURPOSE, Doors, open_doors, routes_of
from tests.gateway.api.test_rest_access import AUDIT, FHIR, MATRIX, V1, call, prepared
from tests.gateway.house import MEMBER, PLAN

ABOUT: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("GET", f"{V1}/members"): ("member",),  # the only one whom it shows
    ("POST", f"{V1}/member-search"): ("member",),
    ("GET", f"{V1}/members/{{member_id}}"): ("member",),
    ("GET", f"{V1}/members/{{member_id}}/summary"): ("member",),
    ("GET", f"{V1}/members/{{member_id}}/disclosures"): ("member",),
    ("GET", f"{V1}/members/{{member_id}}/retrievals"): ("member",),
    ("POST", f"{V1}/members/{{member_id}}/retrievals"): (
        "member", "purpose", "authority", "conversation",
    ),
    ("POST", f"{V1}/members/{{member_id}}/submissions"): (
        "member", "partner", "purpose", "authority", "conversation",
    ),
    ("GET", f"{V1}/submissions/{{submission_id}}"): ("member", "conversation"),
    ("GET", f"{V1}/retrievals/{{retrieval_id}}"): ("member", "conversation"),
    ("GET", f"{V1}/retrievals/{{retrieval_id}}/events"): ("member", "conversation"),
    ("GET", f"{V1}/documents"): ("member", "documents"),
    ("POST", f"{V1}/documents"): ("documents",),
    ("GET", f"{V1}/documents/{{document_id}}"): ("member", "documents"),
    ("GET", f"{V1}/documents/{{document_id}}/content"): ("member", "documents"),
    ("GET", f"{V1}/documents/{{document_id}}/view"): ("member", "documents"),
    ("GET", f"{V1}/held"): ("documents",),
    ("POST", f"{V1}/held/{{held_id}}/file"): ("member", "documents"),
    ("POST", f"{V1}/held/{{match_id}}/confirm"): ("member", "partner"),
    ("POST", f"{V1}/held/{{held_id}}/reject"): ("documents",),
    ("POST", f"{V1}/held/{{held_id}}/undo"): ("member", "documents"),
    ("POST", f"{V1}/documents/{{filed_id}}/unfile"): ("member", "documents"),
    ("PUT", f"{V1}/members/{{member_id}}/consent"): ("member",),
    ("GET", f"{V1}/quarantine"): ("documents",),
    ("POST", f"{V1}/quarantine/{{item_id}}/replay"): ("documents",),
    ("GET", f"{V1}/direct/messages"): (),
    ("GET", f"{V1}/direct/messages/{{message_id}}"): ("conversation",),
    ("POST", f"{V1}/direct/messages"): ("purpose", "authority", "conversation"),
    ("GET", f"{V1}/direct/messages/{{message_id}}/verdict"): ("conversation",),
    ("GET", f"{V1}/direct/messages/{{trusted_id}}/content"): (
        "member", "documents", "conversation",
    ),
    ("GET", f"{V1}/direct/sent"): (),
    ("GET", f"{V1}/direct/sent/{{sent_id}}"): ("conversation",),
    ("POST", f"{V1}/direct/checks"): (),
    ("POST", "/direct/messages"): ("conversation",),
    ("GET", f"{V1}/exchanges"): (),
    ("GET", f"{V1}/exchanges/{{sequence}}"): (),
    ("GET", f"{V1}/exchanges/outflow"): (),
    ("GET", f"{V1}/exchanges/refusals"): (),
    ("GET", f"{V1}/exchanges/unusual"): (),
    ("GET", f"{V1}/exchanges/export"): (),
    ("GET", f"{FHIR}/AuditEvent"): (),
    ("POST", f"{FHIR}/AuditEvent/_search"): (),
    ("GET", f"{FHIR}/AuditEvent/exchange-{{sequence}}"): (),
    ("GET", f"{V1}/partners"): (),
    ("GET", f"{V1}/partners/ledger"): (),
}  # fmt: skip
"""Which of the facts below the door's record states; the others it must not."""
FACTS: Final = ("member", "documents", "purpose", "authority", "conversation", "partner")


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with open_doors(tmp_path_factory.mktemp("records")) as opened:
        yield opened


def test_every_route_says_what_its_record_is_about(doors: Doors) -> None:
    found = {(method, route.path) for route in routes_of(doors.application)
             for method in route.methods or ()}  # fmt: skip
    assert found == set(ABOUT)
    assert set(ABOUT) == set(MATRIX)


@pytest.fixture(scope="module")
def ids(doors: Doors) -> dict[str, str]:
    listed = doors.get(f"{V1}/documents", doors.token(PLAN, "staff")).json()["documents"]
    filed = next(one for one in listed if one["member"] == MEMBER.id)
    return {**prepared(doors), "document_id": filed["id"]}


@pytest.mark.parametrize("door", ABOUT, ids=" ".join)
def test_the_record_of_a_call_says_what_was_done(
    doors: Doors, ids: dict[str, str], door: tuple[str, str]
) -> None:
    role: Role = "system" if door[1] == "/direct/messages" else "staff"
    role = "auditor" if MATRIX[door][1] == AUDIT else role
    last = doors.last()
    answer = call(doors, door, ids, doors.token(PLAN, role))
    assert answer.status_code in (200, 201, 202), answer.text
    (record,) = doors.recorded(last)
    assert record["transaction"] == MATRIX[door][0]
    assert record["outcome"] == "success"
    stated = {name for name in FACTS if record[name] not in (None, "[]")}
    assert stated == set(ABOUT[door])
    _check_values(doors, record, ids, door, answer)


def _check_values(
    doors: Doors, record: dict[str, Any], ids: dict[str, str], door: tuple[str, str], answer: Any
) -> None:
    assert record["member"] in (None, MEMBER.id)
    if record["purpose"]:
        assert record["purpose"] == PURPOSE["purpose"]
    told = orjson.loads(record["documents"])
    if "{document_id}" in door[1]:
        assert told == [ids["document_id"]]
    for name in ("held_id", "filed_id"):
        if f"{{{name}}}" in door[1]:
            assert told == [ids[name]]
    if "{item_id}" in door[1]:
        assert told == [ids["item_id"]]
    elif door == ("POST", f"{V1}/documents"):
        assert told == [answer.json()["id"]]
    elif door == ("GET", f"{V1}/documents"):
        assert told == [one["id"] for one in answer.json()["documents"]]
    if "{message_id}" in door[1]:
        assert record["conversation"] == ids["message_id"]
    if "{retrieval_id}" in door[1]:
        kept = doors.rows("SELECT conversation FROM retrieval WHERE id = ?", ids["retrieval_id"])
        assert record["conversation"] == kept[0]["conversation"]
