"""Each refusal is of a kind by which it is counted, and none that the code can say is forgotten."""

import re

import pytest

from gateway.exchange.asking import explain
from gateway.exchange.error_words import in_words
from gateway.exchange.policy import Refused, refusals_in_words
from gateway.exchange.refusal_kinds import SENTENCES, refusal_kind
from ihe.errors import SecurityRefused, SoapFault
from ihe.registry_response import ErrorCode, RegistryError
from tests.gateway.exchange.refusing_sentences import sentences

SAID_OF_US = {"soap_fault", "reported", "answer_not_trusted"}
"""Kinds of what partners refuse: said by `explain` and by the codes they report."""


def is_known(sentence: str) -> bool:
    """Whether it stands in the table, or begins and ends as one there: what begins with whatever
    there is would cover too much."""
    listed = [one for sentences in SENTENCES.values() for one in sentences]
    return sentence in listed or any(
        re.fullmatch(pattern(one), sentence)
        for one in listed
        if one.startswith("{}") == sentence.startswith("{}")
    )


def pattern(sentence: str) -> str:
    return re.escape(sentence).replace(r"\{\}", ".+")


def test_every_sentence_of_the_code_has_a_kind() -> None:
    forgotten = sorted(
        f"{one.place}: {one.sentence}" for one in sentences() if not is_known(one.sentence)
    )
    assert len(sentences()) > 200
    assert not forgotten, "give them a kind in gateway/exchange/refusal_kinds.py"


def test_no_kind_holds_a_sentence_that_nobody_says() -> None:
    said = {one.sentence for one in sentences()}
    idle = {
        sentence
        for kind, listed in SENTENCES.items()
        if kind not in SAID_OF_US
        for sentence in listed
        if not any(re.fullmatch(pattern(sentence), one) for one in said)
    }
    assert idle == set()


@pytest.mark.parametrize("kind", SENTENCES)
def test_a_sentence_is_of_the_kind_under_which_it_stands(kind: str) -> None:
    for sentence in SENTENCES[kind]:  # type: ignore[index]
        assert refusal_kind(sentence.replace("{}", "X-1")) == kind, sentence


def test_what_is_in_no_kind_is_other() -> None:
    assert refusal_kind("a reason of tomorrow") == "other"
    assert refusal_kind(None) == "other"


def test_of_a_long_reason_the_beginning_is_looked_at() -> None:
    """A submission's names the HISP's addresses, at the sender's choice."""
    assert refusal_kind("x; " * 100_000) == "other"
    rules = "; ".join(f"rule {number} is for class {number}" for number in range(1000))
    assert refusal_kind(f"No rule offers it for PAYMENT: {rules}.") == "no_rule"


def test_what_kept_documents_out_tells_more_than_that_there_are_none() -> None:
    """ITI-39: what the partner hears comes first in the record, the rule behind it."""
    heard = "No document of this unique id is available to this community."
    no_rule = Refused("no_rule", "No rule offers it for PAYMENT: rule A is for class C; rule B.")
    opted_out = Refused("opted_out", "The member has opted out of exchange.")
    assert refusal_kind(heard) == "not_known"
    for rules, kind in (((no_rule,), "no_rule"), ((no_rule, opted_out), "opted_out")):
        assert refusal_kind(f"{heard}; {refusals_in_words(rules)}") == kind


def test_a_submission_that_came_by_a_hisp_is_of_the_kind_of_its_error() -> None:
    said = "the document is missing of 2.25.1; by Direct edge from a@b.example to nobody named"
    assert refusal_kind(said) == "metadata"


def test_what_partners_refuse_is_told_by_what_they_answered() -> None:
    reported = in_words([RegistryError(ErrorCode.UNKNOWN_PATIENT_ID, "")])
    for reason, kind in (
        (explain(SoapFault("Sender", "anything")), "soap_fault"),
        (explain(SoapFault("Sender", "no MTOM here")), "soap_fault"),
        (f"it reported {reported}", "reported"),
        (explain(SecurityRefused("the Timestamp has expired")), "clock"),
        (explain(SecurityRefused("a check of tomorrow")), "answer_not_trusted"),
    ):
        assert refusal_kind(reason) == kind
