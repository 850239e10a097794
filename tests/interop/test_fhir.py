"""Our FHIR R4 is valid for both validators: of every document at hand, and of a merged summary."""

import json
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.interop.bundles import FOLDERS, demo_member_bundle, document_bundles
from tests.interop.validators import VALIDATORS, Problem, Problems

Bundles = Mapping[str, tuple[tuple[str, bytes], ...]]
SUMMARY = "the demo member's summary"


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
    assert grouped(mine) == {}


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
