"""Both validators are awake: each refuses what is wrong, and nothing else."""

import json
from collections.abc import Mapping

import pytest

from tests.installs import Unavailable
from tests.interop import validators
from tests.interop.resources import DEFECTS, DEFECTS_BEYOND_ONE_RESOURCE, VALID
from tests.interop.validators import VALIDATORS, Problem

CASES = {"valid": VALID, **DEFECTS, **DEFECTS_BEYOND_ONE_RESOURCE}
Judgements = Mapping[str, Mapping[str, tuple[Problem, ...]]]


@pytest.fixture(scope="module")
def judged(validators_built: None) -> Judgements:
    """What each validator has against each case, warnings left out."""
    resources = [json.dumps(case).encode() for case in CASES.values()]
    return {
        name: {
            case: tuple(problem for problem in problems if problem.refuses)
            for case, problems in zip(CASES, validate(resources), strict=True)
        }
        for name, validate in VALIDATORS.items()
    }


def test_a_machine_without_the_tools_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match="a JDK, 17 or newer"):
        validators.build()


@pytest.mark.parametrize("validator", VALIDATORS)
def test_a_valid_bundle_is_passed(judged: Judgements, validator: str) -> None:
    assert judged[validator]["valid"] == ()


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("validator", VALIDATORS)
def test_a_planted_defect_is_refused(judged: Judgements, validator: str, defect: str) -> None:
    assert judged[validator][defect] != ()


@pytest.mark.parametrize("defect", DEFECTS_BEYOND_ONE_RESOURCE)
def test_what_one_resource_does_not_show_is_refused_too(judged: Judgements, defect: str) -> None:
    assert judged["HAPI FHIR"][defect] != ()


def test_a_resource_that_was_not_read_is_no_resource_without_problems() -> None:
    with pytest.raises(ValueError, match="on one line"):
        VALIDATORS["medplum"]([b'{"resourceType":\n"Patient"}'])
