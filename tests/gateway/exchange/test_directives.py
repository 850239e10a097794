"""Advance directives: who answers one question otherwise than another organization."""

from ccda.hl7v3 import CD
from ccda.model import Entry
from gateway.model.document import Document
from tests.gateway.exchange.records import SNOMED, A, B, Pairs, document, entry, holding, lines

ASKED = CD("304251008", SNOMED, "Resuscitation")
OTHER = CD("71388002", SNOMED, "Other directive")
NOT_TO_BE = CD("304253006", SNOMED, "Not for resuscitation")
TO_BE = CD("304252001", SNOMED, "For resuscitation")
LATER = document("a later", "20240601", partner="a")


def directive(value: CD | str | None, code: CD = ASKED, **told: str) -> Entry:
    return entry("advance_directive", code, value=value, status="completed", **told)  # type: ignore[arg-type]  # times


def conflicts(*pairs: Pairs) -> set[str | None]:
    return {line.conflict for line in lines("advance_directive", *pairs)}


def test_two_organizations_with_two_answers_disagree_on_both_lines() -> None:
    pairs = holding(A, directive(NOT_TO_BE)), holding(B, directive(TO_BE))
    assert len(lines("advance_directive", *pairs)) == 2
    assert conflicts(*pairs) == {
        "sources disagree: B says For resuscitation (2024-01-01); "
        "A says Not for resuscitation (2023-01-01)"
    }


def test_an_answer_in_words_or_as_true_is_an_answer() -> None:
    (said,) = conflicts(holding(A, directive("false")), holding(B, directive("true")))
    assert said == "sources disagree: B says true (2024-01-01); A says false (2023-01-01)"


def test_a_change_of_mind_within_one_organization_is_none() -> None:
    pairs = holding(A, directive(NOT_TO_BE)), holding(LATER, directive(TO_BE))
    assert conflicts(*pairs) == {None}
    assert conflicts(*pairs, holding(B, directive(TO_BE))) == {None}


def test_two_answers_of_one_document_are_no_conflict_with_who_gives_one_of_them() -> None:
    both = holding(A, directive(NOT_TO_BE), directive(TO_BE))
    assert conflicts(both, holding(B, directive(NOT_TO_BE))) == {None}


def test_what_was_over_before_contradicts_nothing() -> None:
    old = holding(A, directive(NOT_TO_BE, start="2011", end="2012"))
    assert conflicts(old, holding(B, directive(TO_BE, start="2023"))) == {None}


def test_what_asks_nothing_in_particular_has_no_other_answer() -> None:
    one, other = (directive(value, OTHER) for value in (NOT_TO_BE, TO_BE))
    assert conflicts(holding(A, one), holding(B, other)) == {None}


def test_who_does_not_answer_and_what_was_replaced_are_no_party() -> None:
    assert conflicts(holding(A, directive(None)), holding(B, directive(TO_BE))) == {None}
    replaced: Document = document("old", partner="x", superseded_by="new")
    pairs = holding(replaced, directive(NOT_TO_BE)), holding(B, directive(TO_BE))
    assert conflicts(*pairs) == {None}
