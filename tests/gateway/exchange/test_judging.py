"""How a record says what was judged, and how many documents were listed; and both found again."""

from dataclasses import replace

import pytest

from gateway.demo.parties import MEMBER as ROSALIND
from gateway.exchange.judging import answer_in_words, judge_matches, judged_in_words, judged_then
from gateway.exchange.listed import listed_in_words, listed_then, without_number
from gateway.exchange.matching import MatchResult
from ihe.discovery import Matched, MoreDemographicsRequested, NoMatch
from ihe.identifiers import HomeCommunityId
from tests.gateway.clients.scripted_partner import a_match

OWN = HomeCommunityId.parse("2.999.7300")
MATCH, POSSIBLE = MatchResult(96, "match", ()), MatchResult(52, "possible", ())
NO_MATCH = MatchResult(12, "no_match", ())


def test_each_match_is_told_in_the_answers_order() -> None:
    told = judged_in_words([POSSIBLE, MATCH, NO_MATCH])
    assert told == "judged: possible (52), match (96), no match (12)"


def test_of_many_the_first_are_told_and_how_many_more() -> None:
    told = judged_in_words([NO_MATCH] * 23) or ""
    assert told.count("no match (12)") == 20
    assert told.endswith(" and 3 more")


def test_an_answer_without_anybody_says_so_and_one_that_asks_for_more_says_nothing() -> None:
    assert answer_in_words(NoMatch(), []) == "judged: nobody"
    assert answer_in_words(MoreDemographicsRequested(("SSNRequested",)), []) is None
    assert answer_in_words(Matched((a_match(),)), [MATCH]) == "judged: match (96)"


def test_our_own_community_is_nobody_to_be_judged() -> None:
    known = replace(ROSALIND, ids=())
    both = Matched((a_match(home_community_id=OWN), a_match()))
    assert [one for one, _ in judge_matches(both, known, OWN)] == [a_match()]
    assert judge_matches(NoMatch(), known, OWN) == ()


@pytest.mark.parametrize(
    ("reason", "then"),
    [
        (None, None),
        ("it asks for more: SSNRequested", None),
        ("judged: nobody", "judged: nobody"),
        ("it was asked again; judged: possible (52); with what others know judged: match (75)",
         "judged: possible (52)"),
        ("judged: match (91); left out of the comparison: zip, no ZIP code", "judged: match (91)"),
    ],
)  # fmt: skip
def test_what_was_judged_is_found_in_the_record(reason: str | None, then: str | None) -> None:
    assert judged_then(reason) == then


@pytest.mark.parametrize(
    ("reason", "then", "rest"),
    [
        (None, None, None),
        ("0 documents listed", "0 documents listed", None),
        ("it reported XDSRegistryBusy: it was too busy; ask again later; 1 document listed",
         "1 document listed",
         "it reported XDSRegistryBusy: it was too busy; ask again later"),
        ("no answer within 2 s", None, "no answer within 2 s"),
    ],
)  # fmt: skip
def test_the_number_listed_is_found_and_left_out_where_reasons_are_counted(
    reason: str | None, then: str | None, rest: str | None
) -> None:
    assert listed_then(reason) == then
    assert without_number(reason) == rest


def test_one_document_is_one() -> None:
    assert [listed_in_words(number) for number in (0, 1, 2)] == [
        "0 documents listed",
        "1 document listed",
        "2 documents listed",
    ]
