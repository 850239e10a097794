"""Our FHIR R4 is valid for both validators: of every document, of a merged summary, of the log."""

import json
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final, get_args
from uuid import NAMESPACE_URL, uuid5

import pytest

from gateway.exchange.atna_acts import ACTS, DIRECT
from gateway.exchange.fhir_audit import IHE_EVENTS, Observer, audit_event
from gateway.model.community import Community
from gateway.model.exchange import Direction, Exchange, RecordedExchange
from ihe.identifiers import HomeCommunityId, Oid
from tests.interop.bundles import FOLDERS, demo_member_bundle, document_bundles
from tests.interop.validators import VALIDATORS, Problem, Problems

Bundles = Mapping[str, tuple[tuple[str, bytes], ...]]
SUMMARY = "the demo member's summary"
TIME: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def bundles() -> Bundles:
    documents = {source: tuple(document_bundles(folder)) for source, folder in FOLDERS.items()}
    return {**documents, SUMMARY: (("summary", demo_member_bundle()),)}


@pytest.fixture(scope="module")
def judged(validators_built: None, bundles: Bundles) -> Mapping[str, Problems]:
    """What each validator says of every bundle, in their order; both judge at the same time."""
    lines = [line for source in bundles.values() for _, line in source]
    with ThreadPoolExecutor(len(VALIDATORS)) as pool:
        tasks = {name: pool.submit(validate, lines) for name, validate in VALIDATORS.items()}
        return {name: task.result() for name, task in tasks.items()}


@pytest.mark.parametrize("source", [*FOLDERS, SUMMARY])
@pytest.mark.parametrize("validator", VALIDATORS)
def test_no_resource_is_invalid(
    bundles: Bundles, judged: Mapping[str, Problems], validator: str, source: str
) -> None:
    every = [(of, name, line) for of, found in bundles.items() for name, line in found]
    told = zip(every, judged[validator], strict=True)
    mine = [(name, line, problems) for (of, name, line), problems in told if of == source]
    assert any(b'"entry"' in line for _, line, _ in mine)
    found = grouped(mine)
    # Said in full, where a comparison would be cut short.
    assert not found, "\n".join(
        f"{count} × {kind}, as in {at}" for kind, (count, at) in found.items()
    )


def grouped(
    judged: Iterable[tuple[str, bytes, tuple[Problem, ...]]],
) -> Mapping[str, tuple[int, str]]:
    """What makes bundles invalid: each kind of problem once, how often, and where for example."""
    groups: dict[str, tuple[int, str]] = {}
    for name, line, problems in judged:
        for problem in problems:
            if problem.refuses:
                kind = f"{_resource_type(line, problem)}: {_pattern(problem.message)}"
                count, example = groups.get(kind, (0, f"{name} {problem.location}"))
                groups[kind] = (count + 1, example)
    return groups


def _resource_type(line: bytes, problem: Problem) -> str:
    found = re.match(r"Bundle\.entry\[(\d+)\]", problem.location)
    if found is None:
        return "Bundle"
    resource_type: str = json.loads(line)["entry"][int(found[1])]["resource"]["resourceType"]
    return resource_type


def _pattern(message: str) -> str:
    """The message without what differs from resource to resource."""
    return re.sub(r"urn:uuid:[0-9a-f-]+|\d+", "…", message)


@pytest.mark.parametrize("validator", VALIDATORS)
def test_the_exchange_log_is_valid_audit_events(validators_built: None, validator: str) -> None:
    """Of each kind of record, each way and each outcome, whole and disposed of."""
    line = audit_event_bundle()
    assert line.count(b'"AuditEvent"') > 500
    (problems,) = VALIDATORS[validator]([line])
    found = grouped([("the log", line, problems)])
    assert not found, "\n".join(
        f"{count} × {kind}, as in {at}" for kind, (count, at) in found.items()
    )


def audit_event_bundle() -> bytes:
    shared = {
        "plan": "acme", "peer": "10.0.0.1", "person": "Ann", "role": "staff", "purpose": "PAYMENT",
        "member": "m-1", "documents": ("d-1", "d-2"), "message_id": "urn:uuid:1",
        "reason": "1 missing",
    }  # fmt: skip
    transactions = sorted({name for _, name in IHE_EVENTS} | {*DIRECT, *ACTS})
    observer = Observer(Community(HomeCommunityId(Oid("2.999.1")), "Acme"), "gateway.test")
    told = [
        Exchange(TIME, direction, name, outcome, partner=partner, **facts)
        for name in transactions
        for direction in get_args(Direction)
        for outcome, partner, facts in (
            ("success", "2.999.7", shared),
            ("refused", None, {}),
            ("unknown", "2.999.7", shared),
        )
    ]
    events = [
        audit_event(RecordedExchange(place, one, "ab" * 32, "cd" * 32, place % 2 == 0), observer)
        for place, one in enumerate(told, 1)
    ]
    entries = [
        {"fullUrl": f"urn:uuid:{uuid5(NAMESPACE_URL, one['id'])}", "resource": one}
        for one in events
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return json.dumps(bundle).encode()
