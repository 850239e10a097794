"""A partner finds a member's summary, has it made, and finds again what it was given."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha1
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from ccda import parse_document
from ccda.hl7v3 import II, PN
from gateway.exchange import respond_retrieve
from gateway.exchange.metadata import entry_uuid, unique_id
from gateway.exchange.sensitivity import PART_2_NOTICE
from gateway.exchange.summaries import build_summary
from gateway.exchange.withdrawing import withdraw
from gateway.model.document import Document, Source
from gateway.model.identity import MemberId
from gateway.model.member import Member
from gateway.model.policy import Rule
from gateway.model.purpose import NHIN
from gateway.store import documents as store
from gateway.store import members
from ihe.identifiers import UniqueId
from ihe.metadata import AssociationType, Code, DocumentEntry
from ihe.registry_response import ErrorCode, ResponseStatus
from ihe.saml import CodedAttribute
from ihe.stored_query import (
    AdhocQuery,
    GetAllQuery,
    GetDocumentsQuery,
    GetObjectsQuery,
    GetRelatedDocumentsQuery,
    StoredQuery,
    TimeRange,
)
from ihe.xca_query import AdhocQueryResponse, write_adhoc_query_request
from ihe.xca_retrieve import DocumentRequest
from tests.gateway.asking import REPOSITORY, find_documents, patient_id
from tests.gateway.house import (
    HOME,
    MEMBER,
    PLAN,
    a_partner,
    a_rule,
    demo_document,
    documents,
    file,
)
from tests.gateway.visiting import Retrieved, Visitor, visiting

Visiting = Callable[..., Visitor]
CCD, NOTE, CONSULT, DISCHARGE = "34133-9", "11506-3", "11488-4", "18842-5"
BOTH: Any = ("stable", "on-demand")
ELSEWHERE = a_partner("Eastgate Clinic", "2.999.7303.1")
TREATMENT = CodedAttribute("TREATMENT", NHIN, "nhin-purpose", "Treatment")
SUMMARY = a_rule(on_demand=True)


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[Visiting]:
    with ExitStack() as held:
        yield lambda *rules, **more: held.enter_context(visiting(tmp_path, rules=rules, **more))


def offered(partner: Visitor, **asserted: Any) -> DocumentEntry | None:
    """The summary's entry, if it is listed."""
    entries = partner.find(find_documents(entry_types=("on-demand",)), **asserted).entries
    assert len(entries) <= 1
    return next(iter(entries), None)


def fetch(partner: Visitor, entry: DocumentEntry | UniqueId | None, **asserted: Any) -> Retrieved:
    assert entry is not None
    unique = entry.unique_id if isinstance(entry, DocumentEntry) else entry
    return partner.get(DocumentRequest(REPOSITORY, unique, HOME), **asserted)


def given(partner: Visitor, **asserted: Any) -> tuple[UniqueId, bytes]:
    """The summary, made: the id that it has now, and its bytes."""
    got = fetch(partner, offered(partner, **asserted), **asserted)
    (document,) = got.response.documents
    assert document.new_unique_id is not None
    return document.new_unique_id, got.contents[str(document.unique_id)]


def find(partner: Visitor, query: AdhocQuery) -> AdhocQueryResponse:
    found = partner.find(write_adhoc_query_request(query))
    assert (found.status, found.errors) == (ResponseStatus.SUCCESS, ())
    return found


def snapshots(partner: Visitor) -> list[Document]:
    return [one for one in documents(partner.house) if one.source.door == "ON-DEMAND"]


def another_note(text: bytes) -> bytes:
    """A consult note of ours, of other bytes."""
    return demo_document("lakeshore_unstructured.xml").replace(b"699305", text)


# ---- offered ---------------------------------------------------------------------------------


def test_a_summary_is_offered_to_whom_a_rule_gives_it(visit: Visiting) -> None:
    partner = visit(SUMMARY)
    entry = offered(partner)
    assert entry is not None
    assert (entry.object_type, entry.availability) == ("on-demand", "Approved")
    assert entry.type_code == Code(CCD, "2.16.840.1.113883.6.1", "Summarization of Episode Note")
    assert (entry.patient_id, entry.repository_unique_id) == (patient_id(), REPOSITORY)
    assert (entry.hash, entry.size_bytes, entry.creation_time) == (None, None, None)
    assert partner.recorded().documents == ()
    assert len(partner.find(find_documents(entry_types=BOTH)).entries) == 4
    assert len(partner.find(find_documents()).entries) == 3


@pytest.mark.parametrize(
    "rules",
    [
        [a_rule()],
        [a_rule(class_code=NOTE, on_demand=True)],
        [a_rule(), a_rule(ELSEWHERE, name="other", on_demand=True)],
        [a_rule(), a_rule(purpose="OPERATIONS", name="other", on_demand=True)],
        [a_rule(class_code="none", name="b"), a_rule(confidentiality=("V",), on_demand=True)],
    ],
    ids=["no rule", "another class", "another partner", "another purpose", "no document"],
)
def test_without_its_rule_or_a_document_there_is_no_summary(
    visit: Visiting, rules: list[Rule]
) -> None:
    partner = visit(*rules)
    assert offered(partner) is None
    got = fetch(partner, UniqueId(str(unique_id_of_summary())))
    assert got.contents == {}
    (error,) = got.response.outcome.errors
    assert error.code == ErrorCode.DOCUMENT_UNIQUE_ID
    assert snapshots(partner) == []


def unique_id_of_summary() -> UniqueId:
    """The member's own id, as a document's."""
    return UniqueId(f"2.25.{int(MEMBER.id.replace('-', ''), 16)}")


def test_what_is_made_later_has_no_time_that_speaks_against_it(visit: Visiting) -> None:
    partner = visit(SUMMARY)
    times = {
        name: TimeRange("20200101", "20200102") for name in ("creation_time", "service_start_time")
    }
    entries = partner.find(find_documents(entry_types=BOTH, **times)).entries
    assert [entry.object_type for entry in entries] == ["on-demand"]
    other = find_documents(entry_types=BOTH, class_codes=(Code("none", None),))
    assert partner.find(other).entries == ()


# ---- given -----------------------------------------------------------------------------------


def test_a_summary_is_made_when_it_is_retrieved_and_kept(visit: Visiting) -> None:
    partner = visit(SUMMARY)
    entry = offered(partner)
    got = fetch(partner, entry)
    assert got.response.outcome.status is ResponseStatus.SUCCESS
    (document,) = got.response.documents
    assert entry is not None and document.unique_id == entry.unique_id
    (kept,) = snapshots(partner)
    assert document.new_unique_id == unique_id(kept) != entry.unique_id
    assert document.new_repository_unique_id == REPOSITORY
    content = got.contents[str(entry.unique_id)]
    assert (kept.blob.sha1, kept.blob.size_bytes) == (sha1(content).hexdigest(), len(content))  # noqa: S324
    assert (kept.state, kept.member, kept.is_derived) == ("filed", MEMBER.id, True)
    record = partner.recorded()
    assert (record.outcome, record.member, record.documents) == ("success", MEMBER.id, (kept.id,))
    clinical = parse_document(content)
    assert clinical.code is not None and clinical.code.code == CCD
    assert str(clinical.id) == kept.clinical_id
    assert any(section.entries for section in clinical.sections)
    assert clinical.patient.ids == (II(f"{HOME}.1", MEMBER.id),)


def test_it_says_what_the_asker_may_have_and_nothing_of_others(visit: Visiting) -> None:
    _, content = given(visit(SUMMARY))
    assert b"Northfield" not in content
    assert sources_of(content) == {"lakeshore"}


def test_it_says_what_others_wrote_where_a_rule_gives_that(visit: Visiting) -> None:
    _, content = given(visit(replace(SUMMARY, third_party=True), partner=ELSEWHERE))
    assert sources_of(content) == {"lakeshore", "northfield"}


def sources_of(content: bytes) -> set[str]:
    """Whose documents it was made of, by the roots of the ids of what it says."""
    roots = {"lakeshore": b'"2.999.7302.1.4"', "northfield": b'"2.999.7301.1.4"'}
    return {name for name, root in roots.items() if root in content}


def test_a_partners_own_documents_are_no_part_of_it(visit: Visiting) -> None:
    partner = visit(replace(SUMMARY, third_party=True))
    without = given(partner)[1]
    known = a_partner()
    source = Source("ITI-39", known.id, known.name, str(known.home_community_id))
    note = demo_document("northfield_ccd.xml").replace(b"CCD-20250318-01", b"CCD-20250318-02")
    assert file(partner.house, note, source=source).outcome == "filed"
    assert given(partner)[1] == without


def test_the_same_facts_are_the_same_snapshot(visit: Visiting) -> None:
    partner = visit(SUMMARY)
    first, again = given(partner), given(partner)
    assert first == again
    assert len(snapshots(partner)) == 1
    file(partner.house, another_note(b"699399"))
    other = given(partner)
    assert other[0] != first[0] and other[1] != first[1]
    assert len(snapshots(partner)) == 2


def test_each_asker_and_purpose_has_snapshots_of_its_own(visit: Visiting) -> None:
    partner = visit(a_rule(purpose=None, on_demand=True), known=[ELSEWHERE])
    other = replace(partner, partner=ELSEWHERE)
    ids = {
        given(partner)[0],
        given(other)[0],
        given(partner, purpose_of_use=TREATMENT)[0],
    }
    kept = snapshots(partner)
    assert ids == {unique_id(one) for one in kept}
    # None of them is taken for a newer version of another, from which it only differs in rules.
    assert len({one.set_id for one in kept}) == 3


def test_documents_more_confidential_than_a_summary_may_be_stay_out(visit: Visiting) -> None:
    rules = [SUMMARY, a_rule(name="restricted", confidentiality=("R",))]
    partner = visit(*rules)
    before = given(partner)[1]
    file(partner.house, restricted())
    assert given(partner)[1] == before
    entry = offered(partner)
    assert entry is not None
    assert [code.value for code in entry.confidentiality_codes] == ["N"]


def test_a_summary_is_as_confidential_as_what_it_is_made_of(visit: Visiting) -> None:
    partner = visit(replace(SUMMARY, confidentiality=("N", "R")))
    file(partner.house, restricted())
    entry = offered(partner)
    assert entry is not None
    assert [code.value for code in entry.confidentiality_codes] == ["R"]
    assert parse_document(given(partner)[1]).confidentiality == "R"


def test_a_summary_of_what_part_2_covers_carries_its_notice(visit: Visiting) -> None:
    partner = visit(SUMMARY)
    entry = offered(partner)
    assert entry is not None and entry.comments is None
    assert PART_2_NOTICE.encode() not in given(partner)[1]
    notice = b"<text><paragraph>Protected by 42 CFR part 2.</paragraph>"
    content = demo_document("lakeshore_ccd.xml").replace(b"<text>", notice, 1)
    file(partner.house, re.sub(rb'(<id [^>]*extension=")', rb"\1P2-", content, count=1))
    entry = offered(partner)
    assert entry is not None and entry.comments == PART_2_NOTICE
    new, made = given(partner)
    assert PART_2_NOTICE in (parse_document(made).title or "")
    (kept,) = find(partner, GetDocumentsQuery(HOME, unique_ids=(new,))).entries
    assert kept.comments == PART_2_NOTICE


def restricted() -> bytes:
    note = another_note(b"699398")
    marked = note.replace(b'<confidentialityCode code="N"', b'<confidentialityCode code="R"', 1)
    assert marked != note
    return marked


def test_a_summary_comes_beside_what_is_missing(visit: Visiting) -> None:
    partner = visit(SUMMARY)
    entry = offered(partner)
    assert entry is not None
    wanted = [
        DocumentRequest(REPOSITORY, each, HOME)
        for each in (entry.unique_id, UniqueId("2.25.1"), unique_id(partner.held(NOTE)))
    ]
    got = partner.get(*wanted)
    assert got.response.outcome.status is ResponseStatus.PARTIAL_SUCCESS
    assert len(got.contents) == 2
    assert (partner.recorded().outcome, len(partner.recorded().documents)) == ("partial", 2)


def test_who_opted_out_has_no_summary(visit: Visiting) -> None:
    partner = visit(SUMMARY)
    entry = offered(partner)
    new, _ = given(partner)
    partner.house.database.write(
        lambda tx: members.set_opted_out(tx, plan=PLAN, member=MEMBER.id, opted_out=True)
    )
    assert offered(partner) is None
    for each in (entry, new):
        assert fetch(partner, each).contents == {}


# ---- found again -----------------------------------------------------------------------------


def test_a_snapshot_is_a_document_that_is_found_by_its_id(visit: Visiting) -> None:
    partner = visit(SUMMARY)
    new, content = given(partner)
    (entry,) = find(partner, GetDocumentsQuery(HOME, unique_ids=(new,))).entries
    assert (entry.object_type, entry.availability) == ("stable", "Approved")
    assert (entry.hash, entry.size_bytes) == (sha1(content).hexdigest(), len(content))  # noqa: S324
    (kept,) = snapshots(partner)
    assert partner.recorded().documents == (kept.id,)
    got = fetch(partner, new)
    assert got.contents == {str(new): content}
    assert got.response.documents[0].new_unique_id is None


def test_a_snapshot_is_associated_with_what_it_is_of(visit: Visiting) -> None:
    partner = visit(SUMMARY)
    summary = offered(partner)
    assert summary is not None
    given(partner)
    copy = entry_uuid(snapshots(partner)[0])
    for one in (summary.entry_uuid, copy):
        query = GetObjectsQuery(StoredQuery.GET_ASSOCIATIONS, HOME, entry_uuids=(one,))
        found = find(partner, query).associations
        assert (copy, summary.entry_uuid) in {
            (each.source, each.target)
            for each in found
            if each.type is AssociationType.IS_SNAPSHOT_OF
        }
    related = GetRelatedDocumentsQuery(
        HOME, (AssociationType.IS_SNAPSHOT_OF,), entry_uuids=(summary.entry_uuid,)
    )
    assert {one.entry_uuid for one in find(partner, related).entries} == {summary.entry_uuid, copy}
    by_copy = replace(related, entry_uuids=(copy,), entry_types=("on-demand",))
    assert {one.entry_uuid for one in find(partner, by_copy).entries} == {summary.entry_uuid, copy}


def test_no_list_repeats_a_snapshot_and_no_summary_counts_it(visit: Visiting) -> None:
    partner = visit(SUMMARY)
    before = problems(partner)
    new, _ = given(partner)
    assert len(partner.find(find_documents(entry_types=BOTH)).entries) == 4
    everything = find(partner, GetAllQuery(patient_id(), entry_types=BOTH))
    assert new not in {entry.unique_id for entry in everything.entries}
    assert len(everything.entries) == 4
    assert problems(partner) == before


def problems(partner: Visitor) -> dict[str, int]:
    summary = partner.house.database.read(
        lambda tx: build_summary(tx, plan=PLAN, member=MEMBER.id, now=datetime.now(UTC))
    )
    return {line.display: len(line.sources) for line in summary.section("problem").lines}


def test_another_partner_does_not_get_it(visit: Visiting) -> None:
    partner = visit(SUMMARY, known=[ELSEWHERE])
    new, _ = given(partner)
    other = replace(partner, partner=ELSEWHERE)
    assert find(other, GetDocumentsQuery(HOME, unique_ids=(new,))).entries == ()
    assert fetch(other, new).contents == {}


def test_a_snapshot_goes_with_what_was_wrongly_filed(visit: Visiting) -> None:
    partner = visit(SUMMARY)
    wrong = file(partner.house, another_note(b"699397")).document
    new, _ = given(partner)
    partner.house.database.write(
        lambda tx: withdraw(tx, wrong, reason="another patient's", now=datetime.now(UTC))
    )
    assert find(partner, GetDocumentsQuery(HOME, unique_ids=(new,))).entries == ()
    assert fetch(partner, new).contents == {}
    assert given(partner)[0] != new


def test_our_summary_that_came_back_is_offered_to_nobody(visit: Visiting) -> None:
    """Our organization keeps it, yet it holds what others wrote."""
    partner = visit(replace(SUMMARY, third_party=True), partner=ELSEWHERE, known=[a_partner()])
    _, content = given(partner)
    back = file(partner.house, content.replace(b"</title>", b" </title>", 1))
    assert (back.outcome, back.document.is_derived) == ("filed", True)
    query = GetDocumentsQuery(HOME, unique_ids=(unique_id(back.document),))
    for one in (partner, replace(partner, partner=a_partner())):
        assert find(one, query).entries == ()
        assert fetch(one, unique_id(back.document)).contents == {}


def test_an_id_that_is_nobodys_is_nothing(visit: Visiting) -> None:
    partner = visit(SUMMARY)
    for each in (UniqueId(f"2.25.{uuid4().int}"), UniqueId("2.25." + "9" * 60), UniqueId("x")):
        assert fetch(partner, each).contents == {}


def test_more_summaries_than_are_made_at_once_are_said_to_be_too_many(visit: Visiting) -> None:
    """Each is made while the partner waits."""
    partner = visit(SUMMARY, a_rule(name="all"))
    hers = []
    for number in range(1, 7):
        member = MemberId(str(UUID(int=(6 << 64) + number)))
        known = replace(MEMBER.demographics, names=(PN(f"Exampler{number}", ("Berta",)),), ids=())
        asked = Member(member, PLAN, f"B-{number}", known)
        note = demo_document("lakeshore_unstructured.xml").replace(b"699305", b"6%05d" % number)
        file_for(partner, asked, note)
        hers.append(UniqueId(f"2.25.{UUID(member).int}"))
    got = partner.get(*(DocumentRequest(REPOSITORY, each, HOME) for each in hers))
    assert len(got.contents) == 5
    (error,) = got.response.outcome.errors
    assert error.code == ErrorCode.REPOSITORY_OUT_OF_RESOURCES
    assert error.location == HOME.urn
    assert f"{hers[5]} {HOME.urn}" in error.context


def test_whoever_opted_out_takes_nobodys_place_in_an_answer(
    visit: Visiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(respond_retrieve, "_LOOKED_FOR_AT_ONCE", 3)
    partner = visit(SUMMARY, a_rule(name="all"))
    hers = [UUID(int=(6 << 64) + number) for number in range(4)]
    for number, each in enumerate(hers):
        known = replace(MEMBER.demographics, names=(PN(f"Exampler{number}", ("Berta",)),), ids=())
        note = demo_document("lakeshore_unstructured.xml").replace(b"699305", b"6%05d" % number)
        file_for(partner, Member(MemberId(str(each)), PLAN, f"B-{number}", known), note)
    gone, *others = hers
    partner.house.database.write(
        lambda tx: members.set_opted_out(tx, plan=PLAN, member=MemberId(str(gone)), opted_out=True)
    )

    def got(first: UUID) -> set[str]:
        ids = [UniqueId(f"2.25.{each.int}") for each in (first, *others)]
        wanted = [DocumentRequest(REPOSITORY, each, HOME) for each in ids]
        return set(partner.get(*wanted).contents)

    assert got(gone) == got(uuid4())
    assert len(got(gone)) == 2


def file_for(partner: Visitor, member: Member, content: bytes) -> None:
    """Files the document as that member's, whomever it names."""
    house = partner.house
    house.database.write(lambda tx: members.put(tx, member))
    done = file(house, content).document
    house.database.write(lambda tx: store.file(tx, plan=PLAN, document=done.id, member=member.id))
