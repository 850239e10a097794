"""Which requests are answered on the event loop, and which leave it for a thread."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ccda.hl7v3 import PN
from ccda.safe_xml import Element
from gateway.api import soap
from gateway.exchange import respond_discovery, respond_query, respond_retrieve
from gateway.model.identity import MemberId
from gateway.store import members
from gateway.store.database import Transaction
from ihe.namespaces import name
from ihe.soap import (
    ITI_38_REQUEST,
    ITI_39_REQUEST,
    ITI_55_DEFERRED_REQUEST,
    ITI_55_REQUEST,
    MessageKind,
)
from ihe.stored_query import GetAllQuery
from ihe.xca_query import write_adhoc_query_request
from ihe.xca_retrieve import DocumentRequest
from tests.gateway.asking import (
    REPOSITORY,
    ask,
    discovery,
    find_documents,
    patient_id,
    retrieve,
)
from tests.gateway.house import HOME, MEMBER, a_rule, demo_document, file, records
from tests.gateway.visiting import Visitor, visiting

LOOP, THREAD = "loop", "thread"
STRANGER = replace(
    MEMBER.demographics, names=(PN(family="Nobody", given=("Nowhere",)),), ids=(), telecoms=()
)


@dataclass
class Watched:
    """A house that has answered once, and where each step of an answer was done since."""

    visitor: Visitor
    steps: list[str] = field(default_factory=list)

    def places(
        self, body: Element, kind: MessageKind, path: str = "/ihe/xca", *, recorded: int = 1
    ) -> list[str]:
        return self.places_of(ask(body, kind).envelope, path, recorded=recorded)

    def places_of(self, envelope: bytes, path: str = "/ihe/xca", *, recorded: int = 1) -> list[str]:
        self.steps.clear()
        before = len(records(self.visitor.house))
        assert self.visitor.door.post(path, envelope).status == 200
        assert len(records(self.visitor.house)) == before + recorded
        return list(self.steps)


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    with visiting(tmp_path, rules=[a_rule(on_demand=True)]) as visitor:
        visitor.find(find_documents())
        watched = Watched(visitor)
        _watch(monkeypatch, watched.steps)
        yield watched


def _watch(monkeypatch: pytest.MonkeyPatch, steps: list[str]) -> None:
    answered: Callable[[Any], Any] = soap._reply

    def noting(visit: Any) -> Any:
        steps.append(LOOP if threading.current_thread().name == "listener" else THREAD)
        return answered(visit)

    monkeypatch.setattr(soap, "_reply", noting)


def test_documents_are_listed_and_given_on_the_loop(watched: Watched) -> None:
    document = file(watched.visitor.house, demo_document("lakeshore_ccd.xml")).document
    assert watched.places(find_documents(), ITI_38_REQUEST) == [LOOP]
    assert watched.places(retrieve(document), ITI_39_REQUEST) == [LOOP]


def test_a_person_is_looked_for_on_the_loop_and_in_a_thread_where_many_resemble_them(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = discovery(STRANGER)
    watched.places(nobody, ITI_55_REQUEST, "/ihe/xcpd")  # the first of a month, of no plan
    for asked in (discovery(), nobody):
        assert watched.places(asked, ITI_55_REQUEST, "/ihe/xcpd") == [LOOP]
    monkeypatch.setattr(respond_discovery, "_BRIEF_PLANS", 0)
    assert watched.places(discovery(), ITI_55_REQUEST, "/ihe/xcpd") == [LOOP, THREAD]
    monkeypatch.undo()
    _watch(monkeypatch, watched.steps)
    _enroll_again(watched)
    again = watched.places(
        discovery(), ITI_55_REQUEST, "/ihe/xcpd", recorded=1 + respond_discovery._BRIEF_COMPARISONS
    )
    assert again == [LOOP, THREAD]


def _enroll_again(watched: Watched) -> None:
    """The same person under more numbers than are compared on the loop."""

    def unit(transaction: Transaction) -> None:
        for number in range(respond_discovery._BRIEF_COMPARISONS):
            id = MemberId(f"again-{number}")
            members.put(transaction, replace(MEMBER, id=id, member_id=f"LS-77{number}"))

    watched.visitor.house.database.write(unit)


def test_a_deferred_question_is_taken_in_a_thread(watched: Watched) -> None:
    deferred = discovery(deferred=True, respond_to="https://elsewhere.example/")
    assert watched.places(deferred, ITI_55_DEFERRED_REQUEST, "/ihe/xcpd") == [LOOP, THREAD]
    only_by_priority = discovery(deferred=True, respond_to="https://elsewhere.example/")
    assert watched.places(only_by_priority, ITI_55_REQUEST, "/ihe/xcpd") == [LOOP, THREAD]


def test_other_queries_and_summaries_are_answered_in_a_thread(watched: Watched) -> None:
    everything = write_adhoc_query_request(GetAllQuery(patient_id=patient_id()))
    assert watched.places(everything, ITI_38_REQUEST) == [LOOP, THREAD]
    of_summaries = find_documents(entry_types=("on-demand",))
    assert watched.places(of_summaries, ITI_38_REQUEST) == [LOOP, THREAD]
    (entry,) = watched.visitor.find(of_summaries).entries
    summary = retrieve(DocumentRequest(REPOSITORY, entry.unique_id, HOME))
    assert watched.places(summary, ITI_39_REQUEST) == [LOOP, THREAD]


def test_many_documents_are_listed_and_given_in_a_thread(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = file(watched.visitor.house, demo_document("lakeshore_ccd.xml")).document
    for module in (respond_query, respond_retrieve):
        monkeypatch.setattr(module, "_BRIEF_DOCUMENTS", 0)
    assert watched.places(find_documents(), ITI_38_REQUEST) == [LOOP, THREAD]
    assert watched.places(retrieve(document), ITI_39_REQUEST) == [LOOP, THREAD]


def test_a_large_envelope_is_opened_in_a_thread(watched: Watched) -> None:
    envelope = etree.fromstring(ask(find_documents(), ITI_38_REQUEST).envelope)
    header = envelope.find(name("soap:Header"))
    assert header is not None
    etree.SubElement(header, "{urn:example}padding").text = "x" * soap._BRIEF_BYTES
    assert watched.places_of(etree.tostring(envelope)) == [THREAD]


def test_the_first_of_a_month_makes_its_key_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with visiting(tmp_path, rules=[a_rule()]) as visitor:
        watched = Watched(visitor)
        _watch(monkeypatch, watched.steps)
        assert watched.places(find_documents(), ITI_38_REQUEST) == [LOOP, THREAD]
        assert watched.places(find_documents(), ITI_38_REQUEST) == [LOOP]
