"""AuditEvents are searched as ITI-81 says, by auditors alone, and no link says of whom."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from gateway.app.house import log_seal
from gateway.exchange.disposing import dispose
from gateway.model.exchange import Exchange
from gateway.model.identity import DocumentId, MemberId
from gateway.model.retention import DISPOSAL, PlanMonth
from gateway.store import exchange_log, members
from gateway.store.transaction import Transaction
from tests.gateway.api.doors import Doors, open_doors
from tests.gateway.exchange.balp import problems
from tests.gateway.house import MEMBER, NUMBER_ROOT, OTHER_PLAN, PLAN

NUMBER: Final = MEMBER.member_id
TIME: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
FHIR: Final = "/fhir/r4/AuditEvent"
OTHERS: Final = replace(
    MEMBER, id=MemberId("00000000-0000-4000-8000-000000000002"), member_id="another-number"
)
NOBODY: Final = "00000000-0000-4000-8000-000000000003"


def fact(number: int, transaction: str, outcome: str = "success", **changes: Any) -> Exchange:
    given: dict[str, Any] = {
        "time": TIME + timedelta(hours=number),
        "direction": "in",
        "plan": PLAN,
        "partner": "2.999.7",
        "peer": "10.0.0.1",
        "member": MEMBER.id,
        **changes,
    }
    return Exchange(transaction=transaction, outcome=outcome, **given)  # type: ignore[arg-type]


FACTS: Final = (
    fact(0, "ITI-55"),
    fact(1, "ITI-38"),
    fact(2, "ITI-39", documents=(DocumentId("d-1"),)),
    fact(3, "ITI-39", "partial", documents=(DocumentId("d-1"), DocumentId("d-2"))),
    fact(4, "ITI-38", "refused", member=None, partner="2.999.8"),
    fact(5, "ITI-55", "refused", member=None, partner=None, peer="192.0.2.9"),
    fact(6, "REST-SUMMARY", partner=None, person="Nora", role="staff"),
    fact(7, "REST-MEMBERS", partner=None, person="Nora", role="staff", member=None),
    fact(8, "ITI-39", "failed", direction="out", peer="https://hie.test/xca"),
    fact(9, "DIRECT-RECEIVE", "refused", partner=None, peer="a@b.test", message_id="<1@b.test>"),
    fact(10, "ITI-55", member=OTHERS.id),
    fact(11, "ITI-55", plan=OTHER_PLAN, partner="2.999.9", documents=(DocumentId("d-9"),)),
)
"""Their numbers from 1 are their sequences."""
EVER: Final = ("date", "ge2026-03-01"), ("date", "lt2026-03-03")


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with open_doors(tmp_path_factory.mktemp("events"), furnished=False) as opened:

        def furnish(tx: Any) -> None:
            members.put(tx, MEMBER)
            members.put(tx, OTHERS)

        opened.house.database.write(furnish)
        for one in FACTS:
            opened.house.database.write(lambda tx, one=one: exchange_log.append(tx, one))
        yield opened


def asked(doors: Doors, *given: tuple[str, str], by: str = "GET") -> httpx.Response:
    token = doors.token(PLAN, "auditor")
    if by == "GET":
        return doors.call("GET", FHIR, token, params=list(given))
    form = "&".join(f"{name}={httpx.QueryParams({'v': value})!s}".replace("=v=", "=", 1)
                    for name, value in given)  # fmt: skip
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return doors.call("POST", f"{FHIR}/_search", token, headers=headers, content=form.encode())


def found(doors: Doors, *given: tuple[str, str], by: str = "GET") -> list[int]:
    """Which of FACTS are found, by their places from 0, in the order of the answer."""
    answer = asked(doors, *EVER, *given, by=by)
    assert answer.status_code == 200, answer.text
    return places(doors, answer.json())


def places(doors: Doors, bundle: dict[str, Any]) -> list[int]:
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
    entries = bundle.get("entry", [])
    assert all(list(problems(one["resource"])) == [] for one in entries)
    assert all(one["search"] == {"mode": "match"} for one in entries)
    (first,) = doors.rows("SELECT MIN(sequence) AS n FROM exchange WHERE person IS NULL")
    return [int(one["resource"]["id"].removeprefix("exchange-")) - first["n"] for one in entries]


OURS: Final = tuple(range(10, -1, -1))


@pytest.mark.parametrize("by", ["GET", "POST"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), OURS),
        ((("_sort", "date"),), OURS[::-1]),
        ((("_sort", "-date"), ("_count", "2")), (10, 9)),
        ((("type", "110112"),), (10, 4, 1, 0)),
        ((("type", "http://dicom.nema.org/resources/ontology/DCM|110106"),), (3, 2)),
        ((("type", "110106,110107"),), (8, 3, 2)),
        ((("type", "110113"),), (9, 5)),
        ((("type", "http://example.test|110106"),), ()),
        ((("type", ",".join(("110106", *("a" * 49)))), *[("outcome", "0")] * 47), (2,)),
        ((("type", "rest"), ("subtype", "read")), (6,)),
        ((("subtype", "urn:ihe:event-type-code|ITI-55"),), (10, 5, 0)),
        ((("subtype", "110126"), ("subtype", "ITI-55")), (5,)),
        ((("action", "C"),), (8,)),
        ((("action", "R,C"),), (8, 6, 3, 2)),
        ((("outcome", "0"),), (10, 7, 6, 2, 1, 0)),
        ((("outcome", "4"), ("type", "110112")), (4,)),
        ((("outcome", "8,12"),), (8,)),
        ((("outcome", "12"),), ()),
        ((("entity.identifier", "d-1"),), (3, 2)),
        ((("entity.identifier", "d-9"),), ()),
        ((("entity.identifier", "<1@b.test>"),), (9,)),
        ((("entity.identifier", "<1@b.test>"), ("entity.identifier", "<2@b.test>")), ()),
        ((("entity.identifier", "<2@b.test>"), ("entity.identifier", "<1@b.test>")), ()),
        ((("entity.identifier", "<1@b.test>"), ("entity.identifier", "<1@b.test>")), (9,)),
        ((("entity.identifier", MEMBER.id), ("type", "110106")), (3, 2)),
        ((("agent.identifier", "2.999.8"),), (4,)),
        ((("agent", "Nora"),), (7, 6)),
        ((("agent", "Nora"), ("patient.identifier", MEMBER.id)), (6,)),
        ((("agent", "192.0.2.9"),), (5,)),
        ((("agent", "2.999.9"),), ()),
        ((("patient.identifier", OTHERS.id),), (10,)),
        ((("patient.identifier", OTHERS.id), ("patient.identifier", MEMBER.id)), ()),
        ((("patient.identifier", NOBODY),), ()),
        ((("source", "2.999.1234"),), ()),
        ((("date", "ge2026-03-01T20:00:00Z"),), (10, 9, 8)),
        ((("date", "gt2026-03-01T20:00:00Z"),), (10, 9)),
        ((("date", "le2026-03-01T13:00:00Z"),), (1, 0)),
        ((("date", "lt2026-03-01T13:00:00.000Z"),), (0,)),
        ((("date", "2026-03-01T15:00+01:00"),), (2,)),
        ((("date", "2026-03"),), OURS),
        ((("date", "2025"),), ()),
    ],
)  # fmt: skip
def test_a_search_finds_exactly_what_it_asks_for(
    doors: Doors, given: tuple[tuple[str, str], ...], expected: tuple[int, ...], by: str
) -> None:
    assert found(doors, *given, by=by) == list(expected)


def test_we_are_in_every_event_as_agent_and_as_source(doors: Doors) -> None:
    ours = doors.house.settings.home_community_id
    uri = f"urn:ietf:rfc:3986|urn:oid:{ours}"
    assert found(doors, ("agent", ours), ("source.identifier", uri)) == list(OURS)


def test_a_members_number_is_asked_for_in_a_form_and_never_in_a_url(doors: Doors) -> None:
    number = f"urn:oid:{NUMBER_ROOT}|{NUMBER}"
    by_form = found(doors, ("patient.identifier", number), by="POST")
    assert by_form == found(doors, ("patient.identifier", MEMBER.id))
    assert found(doors, ("patient.identifier", NUMBER), by="POST") == by_form
    assert found(doors, ("entity.identifier", NUMBER), by="POST") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patient.identifier", f"urn:oid:{NUMBER_ROOT}|{NUMBER}"),
        ("patient.identifier", NUMBER),
        ("patient.identifier", f"|{NUMBER}"),
        ("patient.identifier", "a number that is nobody's"),
        ("entity.identifier", f"urn:oid:{NUMBER_ROOT}|{NUMBER}"),
        ("entity.identifier", NUMBER),
        ("entity.identifier", f"|{NUMBER}"),
    ],
)
def test_what_may_be_a_members_number_is_refused_in_a_url(
    doors: Doors, name: str, value: str
) -> None:
    last = doors.last()
    refused = asked(doors, *EVER, (name, value))
    assert refused.status_code == 400
    (issue,) = refused.json()["issue"]
    assert (issue["code"], len(issue["expression"])) == ("security", 1)
    assert value not in refused.text + str(doors.recorded(last))


def test_a_members_number_in_the_url_of_a_form_is_refused_too(doors: Doors) -> None:
    token = doors.token(PLAN, "auditor")
    headers = {"content-type": "application/x-www-form-urlencoded"}

    def post(**in_url: str) -> httpx.Response:
        path, form = f"{FHIR}/_search", b"date=ge2026-03-01&date=lt2026-03-03"
        return doors.call("POST", path, token, headers=headers, params=in_url, content=form)

    for name in ("patient.identifier", "entity.identifier"):
        for value in (f"urn:oid:{NUMBER_ROOT}|{NUMBER}", NUMBER):
            refused = post(**{name: value})
            assert refused.status_code == 400
            assert refused.json()["issue"][0]["code"] == "security"
    by_id = post(**{"patient.identifier": MEMBER.id, "_format": "json"})
    assert places(doors, by_id.json()) == found(doors, ("patient.identifier", MEMBER.id))


@pytest.mark.parametrize("by", ["GET", "POST"])
@pytest.mark.parametrize(
    ("given", "total"),
    [
        ((), 11),
        ((("type", "110112"),), 4),
        ((("patient.identifier", MEMBER.id),), 7),
        ((("entity.identifier", "d-1"), ("patient.identifier", MEMBER.id)), 2),
        ((("patient.identifier", NOBODY),), 0),
        ((("agent", "Nora"),), 2),
    ],
)
def test_a_page_of_none_says_how_many_there_are(
    doors: Doors, given: tuple[tuple[str, str], ...], total: int, by: str
) -> None:
    """FHIR R4 3.1.1.5.4: as a summary that counts."""
    assert len(found(doors, *given, by=by)) == total
    bundle = asked(doors, *EVER, *given, ("_count", "0"), by=by).json()
    assert (bundle["total"], "entry" in bundle) == (total, False)
    assert [link["relation"] for link in bundle["link"]] == ["self"]
    again = doors.call("GET", bundle["link"][0]["url"], doors.token(PLAN, "auditor")).json()
    assert again["total"] == total
    assert "total" not in asked(doors, *EVER, *given, by=by).json()


def test_pages_join_without_gap_or_overlap_and_their_links_tell_nothing(doors: Doors) -> None:
    number = f"urn:oid:{NUMBER_ROOT}|{NUMBER}"
    whole = found(doors, ("patient.identifier", number), by="POST")
    assert len(whole) == 7
    answer = asked(doors, *EVER, ("patient.identifier", number), ("_count", "4"), by="POST")
    first = answer.json()
    links = {link["relation"]: link["url"] for link in first["link"]}
    token = doors.token(PLAN, "auditor")
    second = doors.call("GET", links["next"], token).json()
    assert places(doors, first) + places(doors, second) == whole
    assert "next" not in {link["relation"] for link in second["link"]}
    again = doors.call("GET", links["self"], token).json()
    assert places(doors, again) == places(doors, first)
    for url in (*links.values(), *(link["url"] for link in second["link"])):
        assert NUMBER not in url
        assert MEMBER.id not in url
        assert url.startswith(f"http://plan{FHIR}?_page=")
    # Sealed for the plan: no other's auditor can follow it, nor anybody one that was changed.
    stolen = doors.call("GET", links["next"], doors.token(OTHER_PLAN, "auditor"))
    url = links["next"]
    bent = f"{url[:-20]}{'B' if url[-20] == 'A' else 'A'}{url[-19:]}"
    changed = doors.call("GET", bent, token)
    for answer in (stolen, changed, doors.call("GET", f"{FHIR}?_page=AAAA", token)):
        assert answer.status_code == 400
        assert answer.json()["issue"][0]["expression"] == ["_page"]


@pytest.mark.parametrize(
    ("given", "code", "expression"),
    [
        ([], "required", "date"),
        ([("date", "yesterday")], "value", "date"),
        ([("date", "ge2026-02-30")], "value", "date"),
        ([("date", "ap2026-02-01")], "value", "date"),
        ([("date", "ge9999-12-31")], "value", "date"),
        ([*EVER, ("patient", "Patient/1")], "not-supported", None),
        ([*EVER, ("_elements", "id")], "not-supported", None),
        ([*EVER, ("outcome", "1")], "value", "outcome"),
        ([*EVER, ("action", "X")], "value", "action"),
        ([*EVER, ("subtype", "disclose")], "not-supported", "subtype"),
        ([*EVER, ("type", "a|")], "value", "type"),
        ([*EVER, ("agent", "a,b")], "not-supported", "agent.identifier"),
        ([*EVER, ("_count", "-1")], "value", "_count"),
        ([*EVER, ("_count", "many")], "value", "_count"),
        ([*EVER, ("_sort", "agent")], "not-supported", "_sort"),
        ([*EVER, ("_format", "xml")], "not-supported", "_format"),
        ([*EVER, ("_page", "x")], "value", "_page"),
        ([*EVER, ("type", ",".join("a" * 51))], "too-costly", "type"),
        ([*EVER, ("outcome", ",".join("0" * 51))], "too-costly", "outcome"),
        ([*EVER, *[("type", "a")] * 49], "too-costly", None),
    ],
)
def test_what_cannot_be_searched_by_is_refused_by_name_and_recorded(
    doors: Doors, given: list[tuple[str, str]], code: str, expression: str | None
) -> None:
    last = doors.last()
    answer = asked(doors, *given)
    assert answer.status_code == 400, answer.text
    (issue,) = answer.json()["issue"]
    assert (issue["severity"], issue["code"]) == ("error", code)
    assert issue.get("expression") == (None if expression is None else [expression])
    (record,) = doors.recorded(last)
    assert (record["transaction"], record["outcome"]) == ("FHIR-AUDIT-SEARCH", "refused")


def test_a_form_that_is_none_is_refused(doors: Doors) -> None:
    token, form = doors.token(PLAN, "auditor"), {"content-type": "application/json"}
    wrong = doors.call("POST", f"{FHIR}/_search", token, headers=form, content=b"{}")
    assert (wrong.status_code, wrong.json()["issue"][0]["code"]) == (415, "not-supported")
    form = {"content-type": "application/x-www-form-urlencoded"}
    for content in (b"\xff\xfe", b"date=%ff"):
        wrong = doors.call("POST", f"{FHIR}/_search", token, headers=form, content=content)
        assert wrong.status_code == 400, content


def test_the_look_names_whom_it_was_for_and_an_event_is_read_by_its_id(doors: Doors) -> None:
    last = doors.last()
    answer = asked(doors, *EVER, ("patient.identifier", MEMBER.id), ("_count", "1"))
    (entry,) = answer.json()["entry"]
    (record,) = doors.recorded(last)
    assert (record["member"], record["outcome"]) == (MEMBER.id, "success")
    read = doors.get(entry["fullUrl"], doors.token(PLAN, "auditor"))
    assert (read.status_code, read.json()) == (200, entry["resource"])
    assert read.headers["content-type"] == "application/fhir+json"


# ---- months that were disposed of ------------------------------------------------------------


@pytest.fixture(scope="module")
def disposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """With a month that is gone and one that is not, each with a record of the member."""
    with open_doors(tmp_path_factory.mktemp("disposed"), furnished=False) as opened:
        house, march = opened.house, PlanMonth(PLAN, "2014-03")
        now = datetime.now(UTC)
        seal, years_of = log_seal(house.settings), house.settings.retention_years
        by = Exchange(now, "in", DISPOSAL, "success", person="Joe")

        def furnish(tx: Transaction) -> None:
            members.put(tx, MEMBER)
            for month in (3, 4):
                time = datetime(2014, month, 5, tzinfo=UTC)
                told = fact(0, "ITI-39", time=time, documents=(DocumentId(f"d-{month}"),))
                exchange_log.append(tx, told)

        house.database.write(furnish)
        done = house.database.write(
            lambda tx: dispose(tx, march, years_of, seal=seal, by=by, now=now)
        )
        assert done.refusal is None
        yield opened


THEN: Final = ("date", "ge2014-03-01"), ("date", "lt2014-05-01")


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("patient.identifier", MEMBER.id, 1),
        ("patient.identifier", NOBODY, 0),
        ("entity.identifier", "d-3", 0),
        ("entity.identifier", "d-4", 1),
    ],
)
def test_a_page_that_cannot_be_whole_names_the_months_and_is_not_counted(
    disposed: Doors, name: str, value: str, number: int
) -> None:
    page = asked(disposed, *THEN, (name, value)).json()
    *matches, last = page["entry"]
    assert [one["search"]["mode"] for one in matches] == ["match"] * number
    assert last["search"] == {"mode": "outcome"}
    (issue,) = last["resource"]["issue"]
    assert (issue["severity"], issue["code"]) == ("warning", "incomplete")
    assert issue["diagnostics"].endswith(": 2014-03.")
    counted = asked(disposed, *THEN, (name, value), ("_count", "0")).json()
    assert "total" not in counted
    assert [one["search"]["mode"] for one in counted["entry"]] == ["outcome"]
    assert [link["relation"] for link in counted["link"]] == ["self"]


def test_a_page_of_other_months_or_of_no_member_is_whole(disposed: Doors) -> None:
    april = ("date", "ge2014-04-01"), ("date", "lt2014-05-01")
    for given, number in (
        ((*april, ("patient.identifier", MEMBER.id)), 1),
        ((*THEN, ("agent", "2.999.7")), 2),
    ):
        entries = asked(disposed, *given).json()["entry"]
        assert [one["search"]["mode"] for one in entries] == ["match"] * number
        assert asked(disposed, *given, ("_count", "0")).json()["total"] == number
