"""Each rule of the policy alone keeps something in, as in `tests.ihe.test_each_check`.

The rules are found in the source: one that is added without a case here fails
`test_every_rule_has_its_case`. Where another stands behind it, the table says which.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

import gateway.exchange.policy as policy
from gateway.exchange.policy import Refused, may_ask_for, requester_stated
from gateway.model.document import Source
from gateway.model.identity import MemberId, PartnerId, PlanId
from gateway.model.member import Plan
from ihe.identifiers import Oid
from tests.checks import Check, verdicts_in, without
from tests.gateway.exchange.test_policy import (
    ANY,
    DOCUMENT,
    LAKESHORE,
    MEMBER,
    TODAY,
    asked,
    delegated,
    offered,
    stating,
)

_IN_WORDS = ("peer_sentence", "rule_in_words", "refusals_in_words")
"""They say what was decided, and decide nothing."""
CHECKS = [one for one in verdicts_in(policy, "Refused") if one.function not in _IN_WORDS]


@dataclass(frozen=True, slots=True)
class Case:
    """What is refused; `behind` is what refuses it without the rule, if anything does."""

    judge: Callable[[], object]
    behind: str | None = None


def _offered_by(**changes: object) -> Callable[[], object]:
    return lambda: offered(DOCUMENT, replace(ANY, **changes))  # type: ignore[arg-type]


def _for_another() -> object:
    return may_ask_for(
        Oid("2.999.5"), [], partner=LAKESHORE, assertion=delegated("Organization/2.999.5")
    )


CASES = {
    ("requester_stated", "The request names no ……."): Case(
        lambda: requester_stated(
            Plan(PlanId("acme"), "Acme"), person=None, role="nurse", authority="2.999.5"
        )
    ),
    ("may_ask", "The request names no person who asks."): Case(lambda: asked(requester=" ")),
    ("may_ask", "A plan may not state treatment as its purpose; no registered agreement names it."):
        Case(lambda: asked(purpose="TREATMENT")),
    ("may_ask", "The member has opted out of exchange."): Case(
        lambda: asked(replace(MEMBER, opted_out=True))
    ),
    ("may_ask", "The member's coverage is not in force."): Case(
        lambda: asked(on=TODAY.replace(year=2027))
    ),
    ("purpose_stated", "The assertion states no purpose of use."): Case(
        lambda: stating(None), "AttributeError"
    ),
    ("may_ask_for", "The organization of the QueryAuthGrantor has not listed this community as one "
     "that may ask in its name."): Case(_for_another),
    ("offer", "refused"): Case(lambda: offered(replace(DOCUMENT, state="held"), ANY)),
    ("offer", "No rule offers it for ……: ……."): Case(
        lambda: offered(DOCUMENT), "Its confidentiality is not offered (N): ."
    ),
    ("offer", "Its confidentiality is not offered (……): ……."): Case(
        lambda: offered(DOCUMENT, ANY, confidentiality="R"), "ValueError"
    ),
    ("_never", "The document is not filed under this member."): Case(
        lambda: offered(replace(DOCUMENT, member=MemberId("another")), ANY)
    ),
    ("_never", "The member has opted out of exchange."): Case(
        lambda: offered(DOCUMENT, ANY, member=replace(MEMBER, opted_out=True))
    ),
    ("_never", "The document came from this partner."): Case(
        lambda: offered(replace(DOCUMENT, source=Source("ITI-39", LAKESHORE.id)), ANY)
    ),
    ("_why_not", "for what partners submit"): Case(_offered_by(direction="take")),
    ("_why_not", "of another plan"): Case(_offered_by(plan=PlanId("another"))),
    ("_why_not", "for another partner"): Case(_offered_by(partner=PartnerId("another"))),
    ("_why_not", "for "): Case(_offered_by(purpose="OPERATIONS")),
    ("_why_not", "for class "): Case(_offered_by(class_code="11488-4")),
    ("_why_not", "for the plan's own documents"): Case(
        lambda: offered(DOCUMENT, ANY, plan_authored=False)
    ),
}  # fmt: skip


def test_every_rule_has_its_case() -> None:
    assert sorted((one.function, one.reason) for one in CHECKS) == sorted(CASES)


@pytest.mark.parametrize("check", CHECKS, ids=[f"{one.function}-{one.reason}" for one in CHECKS])
def test_without_the_rule_its_case_is_allowed(check: Check) -> None:
    case = CASES[check.function, check.reason]
    assert isinstance(case.judge(), Refused)
    with without(policy, check):
        try:
            verdict = case.judge()
        except Exception as error:
            assert type(error).__name__ == case.behind
        else:
            behind = verdict.reason if isinstance(verdict, Refused) else None
            assert behind == case.behind
