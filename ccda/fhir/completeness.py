"""OperationOutcome: who was asked for a member's records, and how each answered (FHIR R4: 2.28).

A bundle that leaves it out reads as if there were nothing more to know.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from ccda.fhir.datatypes import stated, words
from ccda.fhir.resources import Resources
from ccda.fhir.times import Json
from ccda.summary import Completeness

_OUTCOMES: Final[Mapping[str, str]] = {
    "matched": "answered", "no_match": "knows no such patient", "refused": "refused to answer",
    "failed": "could not be asked", "late": "did not answer in time",
    "held": "gave an answer that is held for review", "not_asked": "was not asked",
}  # fmt: skip
_ANSWERED: Final = frozenset(("matched", "no_match"))


def add_completeness(answers: Sequence[Completeness], resources: Resources) -> None:
    """After the provenance: no document says who was asked."""
    if answers:
        body = {"issue": [_issue(answer) for answer in answers]}
        resources.add("OperationOutcome", f"{resources.scope} completeness", body, ())


def _issue(answer: Completeness) -> Json:
    """A warning where something may be missing."""
    is_whole = answer.outcome in _ANSWERED and not answer.missing
    return {
        "severity": "information" if is_whole else "warning",
        "code": "informational" if is_whole else "incomplete",
        "details": {"text": _said(answer)},
        **stated(diagnostics=words(answer.detail)),
    }


def _said(answer: Completeness) -> str:
    parts = [f"{answer.partner} {_OUTCOMES.get(answer.outcome, answer.outcome)}"]
    if answer.documents:
        parts.append(_counted(answer.documents))
    if answer.missing:
        parts.append(f"{_counted(answer.missing)} missing")
    if answer.at:
        parts.append(f"asked {answer.at[:10]}")
    return ", ".join(parts)


def _counted(number: int) -> str:
    return f"{number} document" if number == 1 else f"{number} documents"
