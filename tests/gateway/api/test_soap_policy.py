"""What a rule refuses is told to our auditor in words, and to the partner not at all."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.exchange.metadata import unique_id
from gateway.exchange.sensitivity import PART_2_NOTICE
from gateway.model.policy import Rule
from gateway.model.purpose import NHIN
from ihe.registry_response import ResponseStatus
from ihe.saml import CodedAttribute
from ihe.stored_query import GetDocumentsQuery
from ihe.xca_query import write_adhoc_query_request
from ihe.xcpd import Matched, NoMatch
from tests.gateway.house import HOME, MEMBER, PLAN, a_rule, demo_document, file
from tests.gateway.visiting import Visitor, visiting


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[Callable[..., Visitor]]:
    with ExitStack() as stack:
        yield lambda *rules: stack.enter_context(visiting(tmp_path, rules=rules))


def test_a_purpose_without_a_rule_is_told_to_the_auditor_alone(
    visit: Callable[..., Visitor],
) -> None:
    visitor = visit(a_rule(purpose="TREATMENT"))
    assert isinstance(visitor.discover(), NoMatch)
    assert visitor.recorded().reason == "no rule lets this partner ask for PAYMENT"
    assert visitor.find().entries == ()
    assert visitor.recorded().reason == "no rule lets this partner ask for PAYMENT"


def test_a_purpose_is_recorded_as_it_is_understood_however_it_is_written(
    visit: Callable[..., Visitor],
) -> None:
    """What one purpose let out stands together, and is found by its code."""
    visitor = visit(a_rule())
    for written in ("PAYMENT", "payment", " Payment "):
        stated = CodedAttribute(written, NHIN)
        assert isinstance(visitor.discover(purpose_of_use=stated), Matched)
        assert visitor.recorded().purpose == "PAYMENT"


def test_which_rule_refused_a_document_is_in_the_record(visit: Callable[..., Visitor]) -> None:
    own = Rule("own", PLAN, None, "PAYMENT", class_code="34133-9")
    restricted = Rule("restricted", PLAN, None, "PAYMENT", confidentiality=("R",))
    visitor = visit(own, restricted)
    assert isinstance(visitor.discover(), Matched)
    answer = visitor.find()
    assert answer.status is ResponseStatus.SUCCESS
    assert len(answer.entries) == 1
    assert answer.errors == ()
    record = visitor.recorded()
    assert record.member == MEMBER.id
    assert record.reason == (
        "2 not given: Its confidentiality is not offered (N): rule restricted covers R. "
        "1 not given: No rule offers it for PAYMENT: rule own is for class 34133-9; "
        "rule restricted is for the plan's own documents. "
        "1 not given: No rule offers it for PAYMENT: rule own is for the plan's own documents; "
        "rule restricted is for the plan's own documents."
    )


def test_a_document_that_a_rule_withholds_looks_like_none(visit: Callable[..., Visitor]) -> None:
    visitor = visit(a_rule(class_code="no such class"))
    wanted = visitor.held("34133-9")
    got = visitor.get(wanted)
    (error,) = got.response.outcome.errors
    assert error.context == (
        "No document of this unique id is available to this community."
        f" ({unique_id(wanted)} {HOME.urn})"
    )
    record = visitor.recorded()
    assert (record.outcome, record.plan, record.documents) == ("refused", PLAN, ())
    assert record.reason is not None
    assert "rule a rule is for class no such class" in record.reason


def test_a_document_asked_for_by_its_id_is_withheld_in_words(
    visit: Callable[..., Visitor],
) -> None:
    visitor = visit(a_rule(class_code="no such class"))
    wanted = GetDocumentsQuery(HOME, unique_ids=(unique_id(visitor.held("34133-9")),))
    assert visitor.find(write_adhoc_query_request(wanted)).entries == ()
    record = visitor.recorded()
    assert (record.plan, record.documents) == (PLAN, ())
    assert record.reason == (
        "1 not given: No rule offers it for PAYMENT: rule a rule is for class no such class."
    )


def test_a_document_under_part_2_is_told_of_with_its_notice(
    visit: Callable[..., Visitor],
) -> None:
    visitor = visit(a_rule())
    assert {entry.comments for entry in visitor.find().entries} == {None}
    content = demo_document("lakeshore_ccd.xml")
    notice = b"<paragraph>Protected by 42 C.F.R. part 2; do not pass it on.</paragraph>"
    content = re.sub(rb'(<id [^>]*extension=")', rb"\1P2-", content, count=1)
    file(visitor.house, content.replace(b"<text>", b"<text>" + notice, 1))
    told = [entry for entry in visitor.find().entries if entry.comments is not None]
    assert [entry.comments for entry in told] == [PART_2_NOTICE]
