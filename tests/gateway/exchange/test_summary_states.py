"""How a line stands: what has ended is not among what holds, what was refused was not given."""

from gateway.exchange.summary_text import summary_text
from tests.gateway.exchange.records import (
    ASTHMA,
    DIABETES,
    FLU,
    PENICILLIN,
    A,
    B,
    entry,
    holding,
    lines,
    merged,
    only,
)


def test_a_diagnosis_whose_statuscode_says_that_it_was_made_is_not_shown_as_over() -> None:
    """C-CDA R2.1 fixes the statusCode of an observation to completed."""
    line = only("problem", holding(A, entry("problem", ASTHMA, status="completed")))
    assert line.status is None


def test_a_concern_that_was_completed_is_over() -> None:
    told = {"concern": {"status": "completed"}}
    problem = entry("problem", ASTHMA, status="completed", details=told)
    assert only("problem", holding(A, problem)).status == "completed"


def test_what_was_ruled_out_or_is_history_stands_after_what_holds() -> None:
    absent = entry("problem", ASTHMA, status="ruled out", start="2024")
    past = entry("problem", DIABETES, status="history of", start="2024")
    active = entry("problem", FLU, status="active", start="2001")
    found = lines("problem", holding(A, absent, past, active))
    assert found[0].status == "active"


def test_what_one_rules_out_and_another_holds_is_a_conflict() -> None:
    found = only(
        "problem",
        holding(A, entry("problem", ASTHMA, status="ruled out", recorded="2023")),
        holding(B, entry("problem", ASTHMA, status="active", recorded="2024")),
    )
    assert found.conflict is not None and "ruled out" in found.conflict


def test_a_vaccine_with_the_reason_of_its_refusal_was_refused_without_a_negation_too() -> None:
    reason = {"refusal_reason": {"code": "PATOBJ", "display": "Patient objection"}}
    refused = entry("immunization", FLU, time="20241008", status="completed", details=reason)
    line = only("immunization", holding(A, refused))
    assert (line.negated, line.status) == (True, "refused")


def test_it_never_merges_with_the_same_vaccine_given_that_day() -> None:
    reason = {"refusal_reason": {"code": "PATOBJ", "display": "Patient objection"}}
    found = lines(
        "immunization",
        holding(A, entry("immunization", FLU, time="20241008", details=reason)),
        holding(B, entry("immunization", FLU, time="20241008", status="completed")),
    )
    assert sorted(line.negated for line in found) == [False, True]


def test_a_reaction_that_was_not_seen_makes_no_allergy_worse_and_is_not_told() -> None:
    severe = {"code": "24484000", "display": "Severe"}
    hives = {"display": "Hives", "severity": severe, "negated": True}
    rash = {"display": "Rash", "severity": {"code": "255604002", "display": "Mild"}}
    summary = merged(
        holding(A, entry("allergy", PENICILLIN, details={"reaction": [hives, rash]})),
        holding(B, entry("allergy", PENICILLIN, details={"reaction": [rash]})),
    )
    (line,) = summary.section("allergy").lines
    assert line.conflict is None
    told = summary_text(summary, member={"name": "A"})
    assert "rash" in told and "hives" not in told


def test_what_nobody_named_is_called_by_what_else_is_told_of_it() -> None:
    policy = entry("coverage", None, details={"payer": {"name": "Acme Health"}})
    seen = entry("encounter", None, time="2020", details={"location": {"name": "Clinic"}})
    model = entry("device", None, details={"device": [{"model": "Model X"}]})
    said = entry("goal", None, value="Walk daily")
    named = [only(one.kind, holding(A, one)).display for one in (policy, seen, model, said)]
    assert named == ["Acme Health", "Clinic", "Model X", "Walk daily"]
