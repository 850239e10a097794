"""What ITI-39 brings: all of it is filed, held, or counted as missing."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ccda.hl7v3 import PN
from gateway.exchange.workers import WorkerFailed
from gateway.model.partner import PartnerProfile
from gateway.store import members
from ihe.document_content import ContentId
from ihe.identifiers import HomeCommunityId, UniqueId
from ihe.mtom_writing import Part
from ihe.registry_response import (
    ErrorCode,
    RegistryResponse,
    ResponseStatus,
)
from ihe.soap import ITI_39_ANSWER
from ihe.stored_query import GetDocumentsQuery
from ihe.xca_query import read_adhoc_query_request
from ihe.xca_retrieve import (
    RetrieveDocumentSetResponse,
    read_retrieve_request,
    write_retrieve_response,
)
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import (
    MEMBER,
    asking_house,
    calls,
    new_retrieval,
    retrieval_of,
    retrieve,
    run_retrieval,
)
from tests.gateway.clients.scripted_partner import (
    HOME,
    NAME,
    Answer,
    Heard,
    Reply,
    a_document,
    an_entry,
    packaged,
    retrieved,
    scripted,
)
from tests.gateway.exchange.one_partner import (
    CCD,
    DISCHARGE,
    FIRST,
    SECOND,
    an_error,
    asked,
    giving,
    listing,
)

# ---- ITI-39 ----------------------------------------------------------------------------------


LEFT_OUT = "it reported success without 1 of the documents that it lists, asked twice"


def first_alone(heard: Heard, *, outcome: RegistryResponse | None = None, **more: bytes) -> Reply:
    """Of what is asked only the first, and what nobody asked for."""
    asked_for = {one.unique_id for one in read_retrieve_request(heard.body).documents}
    contents = {FIRST: CCD} if FIRST in asked_for else {}
    others = {UniqueId(one): given for one, given in more.items()}
    return retrieved(heard, contents | others, outcome)


def test_success_with_fewer_documents_than_asked_is_partial(tmp_path: Path) -> None:
    with asked(tmp_path, ITI_39=first_alone) as found:
        assert (found.row.outcome, found.counts) == ("matched", (2, 1, 1))
        assert found.row.detail == f"partial: 1 missing; {LEFT_OUT}"
        first, second = calls(found.house)[2:]
        assert (first.outcome, first.reason) == ("partial", "partial: 1 missing")
        assert (second.outcome, second.reason) == ("failed", "partial: 1 missing")
        assert (len(first.documents), second.documents) == (1, ())
        (retrieval,) = lakeshore.rows_of(found.house, "retrieval")
        assert retrieval["state"] == "partial"


def test_a_failure_says_by_which_code_nothing_came(tmp_path: Path) -> None:
    errors = (an_error(ErrorCode.REPOSITORY_ERROR),)
    failure = RegistryResponse(ResponseStatus.FAILURE, errors)
    with asked(tmp_path, ITI_39=giving({}, outcome=failure)) as found:
        reported = "it reported XDSRepositoryError: it had a fault of its own"
        assert found.row.detail == f"partial: 2 missing; {reported}"
        assert found.counts == (2, 0, 2)
        assert [(one.outcome, one.reason) for one in calls(found.house)[2:]] == [
            ("failed", "it gave none of 2 documents at once"),
            ("failed", f"partial: 1 missing; {reported}"),
            ("failed", f"partial: 1 missing; {reported}"),
        ]


def test_documents_nobody_asked_for_are_not_kept(tmp_path: Path) -> None:
    unasked = {"2.999.666": DISCHARGE}
    with asked(tmp_path, ITI_39=lambda heard: first_alone(heard, **unasked)) as found:
        assert (found.counts, found.states) == ((2, 1, 1), ["filed"])
        said = "partial: 1 missing; 1 came that nobody asked for: not taken"
        assert (found.row.detail, found.last.reason) == (f"{said}; {LEFT_OUT}", said)


ELSEWHERE = HomeCommunityId.parse("2.999.666")


def of_elsewhere(heard: Heard) -> Reply:
    return retrieved(heard, home_community_id=ELSEWHERE)


def test_documents_of_another_community_than_asked_are_not_kept(tmp_path: Path) -> None:
    with asked(tmp_path, ITI_39=of_elsewhere) as found:
        assert (found.counts, found.states) == ((2, 0, 2), [])
        said = "partial: 2 missing; 2 came from another community than was asked: not taken"
        assert (found.row.detail, found.last.outcome) == (said, "failed")
        assert found.last.reason == said


def test_a_partner_known_to_name_another_community_is_believed(tmp_path: Path) -> None:
    profile = PartnerProfile(timeout_seconds=20, other_home_accepted=True)
    with asked(tmp_path, profile=profile, ITI_39=of_elsewhere) as found:
        assert (found.counts, found.states) == ((2, 2, 0), ["filed", "filed"])
        homes = {one.source.home_community_id for one in lakeshore.documents(found.house)}
        assert homes == {str(HOME)}


def test_errors_beside_a_success_without_documents_are_a_failure_in_words(
    tmp_path: Path,
) -> None:
    errors = (an_error(ErrorCode.UNKNOWN_REPOSITORY_ID),)
    outcome = RegistryResponse(ResponseStatus.SUCCESS, errors)
    with asked(tmp_path, ITI_39=giving({}, outcome=outcome)) as found:
        said = (
            "partial: 2 missing; it reported XDSUnknownRepositoryId:"
            " it does not know a repository that it named"
        )
        assert (found.row.detail, found.last.reason, found.counts) == (said, said, (2, 0, 2))


def test_a_batch_that_is_too_much_is_asked_for_one_by_one(tmp_path: Path) -> None:
    refused = RegistryResponse(ResponseStatus.FAILURE, (an_error(ErrorCode.REPOSITORY_ERROR),))

    def one_at_a_time(heard: Heard) -> Reply:
        several = len(read_retrieve_request(heard.body).documents) > 1
        return retrieved(heard, {}, outcome=refused) if several else retrieved(heard)

    with asked(tmp_path, ITI_39=one_at_a_time) as found:
        assert (found.row.outcome, found.row.detail) == ("matched", None)
        assert (found.counts, found.states) == ((2, 2, 0), ["filed", "filed"])
        assert found.heard.count("ITI_39") == 3


def test_documents_of_no_stated_community_are_the_asked_partners(tmp_path: Path) -> None:
    def unstated(heard: Heard) -> Reply:
        reply = Reply(_inline(heard))
        named = rb"<(\S*HomeCommunityId)>[^<]*</\1>"
        return replace(reply, content=re.sub(named, b"", reply.content))

    with asked(tmp_path, ITI_39=unstated) as found:
        assert (found.counts, found.states) == ((2, 2, 0), ["filed", "filed"])


@pytest.mark.parametrize(
    "stated, code",
    [
        ({"size_bytes": 7}, "XDSNonIdenticalSize"),
        ({"hash": "0" * 40}, "XDSNonIdenticalHash"),
        ({"hash": "0" * 40, "object_type": "on-demand"}, None),
        ({"hash": "base64=="}, None),
        ({"hash": "0" * 40, "size_bytes": None}, "XDSNonIdenticalHash"),
        ({}, None),
    ],
)
def test_a_document_that_is_not_the_listed_one_is_held_and_counts_as_missing(
    stated: dict[str, Any], code: str | None, tmp_path: Path
) -> None:
    digest = hashlib.sha1(CCD, usedforsecurity=False).hexdigest().upper()
    entry = an_entry(FIRST, **{"hash": digest, "size_bytes": len(CCD), **stated})
    with asked(tmp_path, ITI_38=listing(entry, an_entry(SECOND))) as found:
        if code is None:
            assert (found.counts, found.states) == ((2, 2, 0), ["filed", "filed"])
            return
        reason = f"it is not the document that was listed ({code})"
        assert (found.counts, sorted(found.states)) == ((2, 1, 1), ["filed", "held"])
        assert found.row.detail == f"partial: 1 missing; {reason}"
        (held,) = (one for one in lakeshore.documents(found.house) if one.state == "held")
        assert (held.reason, held.candidate) == (reason, MEMBER.id)
        assert found.last.outcome == "partial"


def test_a_document_that_was_not_the_listed_one_is_fetched_again(tmp_path: Path) -> None:
    entry = an_entry(FIRST, size_bytes=len(CCD))
    contents = iter([CCD + b"<!-- -->", CCD])
    with (
        scripted(
            ITI_38=listing(entry), ITI_39=lambda heard: retrieved(heard, {FIRST: next(contents)})
        ) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        counts = [
            (row.documents_new, row.documents_missing)
            for row in (retrieve(house)[NAME], retrieve(house)[NAME], retrieve(house)[NAME])
        ]
        assert counts == [(0, 1), (1, 0), (0, 0)]
        assert script.heard.count("ITI_39") == 2


def test_an_attachment_of_no_bytes_is_missing(tmp_path: Path) -> None:
    with asked(tmp_path, ITI_39=giving({FIRST: CCD, SECOND: b""})) as found:
        assert (found.counts, found.states) == ((2, 1, 1), ["filed"])


def test_a_document_given_twice_under_one_id_is_taken_once(tmp_path: Path) -> None:
    def twice(heard: Heard) -> Reply:
        documents = (
            a_document(FIRST, ContentId("a@northfield")),
            a_document(FIRST, ContentId("b@northfield")),
            a_document(SECOND, ContentId("b@northfield")),
        )
        outcome = RegistryResponse(ResponseStatus.SUCCESS)
        body = write_retrieve_response(RetrieveDocumentSetResponse(outcome, documents))
        parts = [
            Part("a@northfield", "text/xml", [CCD]),
            Part("b@northfield", "text/xml", [DISCHARGE]),
        ]
        return packaged(heard.seal(body, ITI_39_ANSWER), parts)

    with asked(tmp_path, ITI_39=twice) as found:
        assert (found.counts, found.states) == ((2, 2, 0), ["filed", "filed"])


def _inline(heard: Heard) -> bytes:
    outcome = RegistryResponse(ResponseStatus.SUCCESS)
    documents = (a_document(FIRST, CCD), a_document(SECOND, DISCHARGE))
    body = write_retrieve_response(RetrieveDocumentSetResponse(outcome, documents))
    return heard.seal(body, ITI_39_ANSWER)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda heard: Reply(_inline(heard)), id="plain SOAP"),
        pytest.param(lambda heard: packaged(_inline(heard), []), id="a package of one part"),
    ],
)
def test_documents_inline_in_base64_are_kept_to_the_byte(answer: Answer, tmp_path: Path) -> None:
    with asked(tmp_path, ITI_39=answer) as found:
        assert (found.row.outcome, found.counts) == ("matched", (2, 2, 0))
        held = {
            found.house.archive.load(one.plan, one.blob) for one in lakeshore.documents(found.house)
        }
        assert held == {CCD, DISCHARGE}


@pytest.mark.parametrize(
    "spoil, detail",
    [
        (lambda r: replace(r, content=r.content[:-60]), "the message ends before its closing"),
        (lambda r: replace(r, content=r.content[: len(r.content) // 2]), "the message ends before"),
        (
            lambda r: replace(r, content=r.content[: len(r.content) // 2], cut=True),
            "it broke the connection off before its answer was whole",
        ),
        (lambda r: replace(r, content_type="multipart/related"), "no usable boundary"),
        (
            lambda r: replace(r, content_type="multipart/related; boundary=x"),
            "does not begin with its boundary",
        ),
        (lambda r: replace(r, content_type="application/soap+xml"), "the envelope cannot be read"),
    ],
)
def test_a_package_that_is_not_whole_is_not_taken_at_all(
    spoil: Callable[[Reply], Reply], detail: str, tmp_path: Path
) -> None:
    with asked(tmp_path, ITI_39=lambda heard: spoil(retrieved(heard))) as found:
        assert found.row.outcome == "failed"
        assert detail in (found.row.detail or "")
        assert (found.counts, found.states) == ((2, 0, 2), [])
        assert (found.last.transaction, found.last.outcome) == ("ITI-39", "failed")
        assert not list(tmp_path.rglob("*.new"))


def test_an_include_of_no_part_is_a_missing_document(tmp_path: Path) -> None:
    def empty(heard: Heard) -> Reply:
        outcome = RegistryResponse(ResponseStatus.SUCCESS)
        documents = (a_document(FIRST, ContentId("nowhere@northfield")),)
        body = write_retrieve_response(RetrieveDocumentSetResponse(outcome, documents))
        return packaged(heard.seal(body, ITI_39_ANSWER), [])

    with asked(tmp_path, ITI_39=empty) as found:
        assert (found.counts, found.states) == ((2, 0, 2), [])


def test_a_batch_that_fails_does_not_cost_the_others(tmp_path: Path) -> None:
    def second_fails(heard: Heard) -> Reply:
        (wanted,) = read_retrieve_request(heard.body).documents
        if wanted.unique_id == FIRST:
            return Reply(b"", status=500)
        return retrieved(heard)

    profile = PartnerProfile(timeout_seconds=20, documents_per_retrieve=1)
    with asked(tmp_path, profile=profile, ITI_39=second_fails) as found:
        assert (found.row.outcome, found.counts) == ("matched", (2, 1, 1))
        assert found.row.detail == ("partial: 1 missing; it answered HTTP 500 with an empty body")
        outcomes = [one.outcome for one in calls(found.house) if one.transaction == "ITI-39"]
        assert sorted(outcomes) == ["failed", "success"]


def test_what_a_late_partner_listed_and_did_not_give_is_missing(tmp_path: Path) -> None:
    def second_is_late(heard: Heard) -> Reply:
        (wanted,) = read_retrieve_request(heard.body).documents
        return replace(retrieved(heard), delay_seconds=0.0 if wanted.unique_id == FIRST else 60.0)

    profile = PartnerProfile(timeout_seconds=4.0, documents_per_retrieve=1)
    with asked(tmp_path, profile=profile, ITI_39=second_is_late) as found:
        assert (found.row.outcome, found.counts) == ("late", (2, 1, 1))
        assert found.row.detail == "partial: 1 missing; no answer within 4 s"


# ---- whose documents they are ----------------------------------------------------------------


def test_a_document_of_another_person_is_held_and_not_filed(tmp_path: Path) -> None:
    other = CCD.replace(b"Rosalind", b"Marguerite").replace(b"19580314", b"19711102")
    with asked(tmp_path, ITI_39=giving({FIRST: other, SECOND: DISCHARGE})) as found:
        assert (found.row.outcome, found.counts) == ("matched", (2, 2, 0))
        said = "1 held for a person to decide: not surely the member's"
        assert found.row.detail == said
        assert "`held file`" in (found.row.next_step or "")
        assert (found.last.outcome, found.last.reason) == ("partial", said)
        assert sorted(found.states) == ["filed", "held"]
        (held,) = [one for one in lakeshore.documents(found.house) if one.state == "held"]
        assert (held.member, held.candidate) == (None, MEMBER.id)
        assert held.reason is not None
        assert held.reason.startswith("the person it names is not surely the member it was asked")


async def test_what_is_held_or_cannot_be_read_is_said_each_time_until_somebody_decides(
    tmp_path: Path,
) -> None:
    other = CCD.replace(b"Rosalind", b"Marguerite").replace(b"19580314", b"19711102")
    with (
        scripted(ITI_39=giving({FIRST: other, SECOND: b"<a"})) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        await run_retrieval(house, new_retrieval(house))
        again = new_retrieval(house)
        await run_retrieval(house, again)
        (row,) = retrieval_of(house, again).partners
        assert script.heard.count("ITI_39") == 1
        assert (row.outcome, row.documents_found, row.documents_new) == ("matched", 2, 0)
        said = "1 held for a person to decide: not surely the member's"
        assert row.detail == f"{said}; 1 could not be read as a clinical document"
        assert "`held file`" in (row.next_step or "")


def test_what_is_no_clinical_document_is_quarantined_with_its_reason(tmp_path: Path) -> None:
    with asked(tmp_path, ITI_39=giving({FIRST: b"%PDF-1.7 x", SECOND: b"<a"})) as found:
        assert found.counts == (2, 2, 0)
        assert found.states == ["quarantined", "quarantined"]
        assert found.row.detail == "2 could not be read as a clinical document"
        reasons = {one.reason for one in lakeshore.documents(found.house)}
        assert "it is application/pdf, not a clinical document in XML" in reasons


async def test_an_on_demand_document_is_new_each_retrieval_and_once_in_each(
    tmp_path: Path,
) -> None:
    fresh = iter(range(100))

    def made_now(heard: Heard) -> Reply:
        number = next(fresh)
        return retrieved(heard, {FIRST: CCD + f"<!-- {number} -->".encode()})

    query = listing(an_entry(FIRST, object_type="on-demand"))
    with (
        scripted(ITI_38=query, ITI_39=made_now) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        await run_retrieval(house, new_retrieval(house))
        second = new_retrieval(house)
        await run_retrieval(house, second)
        assert [row.documents_new for row in retrieval_of(house, second).partners] == [1]
        assert len(lakeshore.documents(house)) == 2


def test_an_on_demand_document_is_known_by_the_id_it_got(tmp_path: Path) -> None:
    """Listed as a stable document later, under that id, it is not fetched again."""
    made = UniqueId("2.999.7301.1.4.77")
    queries = iter(
        [
            listing(an_entry(FIRST, object_type="on-demand", hash="0" * 40, size_bytes=1)),
            listing(an_entry(made)),
        ]
    )

    def given(heard: Heard) -> Reply:
        return retrieved(heard, {FIRST: CCD}, new_unique_id=made)

    with (
        scripted(ITI_38=lambda heard: next(queries)(heard), ITI_39=given) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        assert retrieve(house)[NAME].documents_new == 1
        (document,) = lakeshore.documents(house)
        assert (document.source.document_unique_id, document.source.on_demand_unique_id) == (
            str(made),
            str(FIRST),
        )
        again = retrieve(house)[NAME]
        assert (again.documents_found, again.documents_new, again.outcome) == (1, 0, "matched")
        assert script.heard.count("ITI_39") == 1


EMPTY = "da39a3ee5e6b4b0d3255bfef95601890afd80709"


@pytest.mark.parametrize(
    "listed_as, known_later, states, missing",
    [
        ({"size_bytes": 0}, {"size_bytes": len(CCD)}, ["filed"], 0),
        ({"size_bytes": 0, "hash": EMPTY}, {"size_bytes": len(CCD)}, ["filed"], 0),
        ({"size_bytes": 0}, {"size_bytes": 7}, ["held"], 1),
        ({"hash": EMPTY}, {"hash": "0" * 40}, ["held"], 1),
        ({"size_bytes": 0}, {"size_bytes": 0}, ["filed"], 0),
        ({"size_bytes": 0}, None, ["filed"], 0),
    ],
)
def test_what_was_assembled_when_it_was_asked_for_is_looked_up_again(
    listed_as: dict[str, Any],
    known_later: dict[str, Any] | None,
    states: list[str],
    missing: int,
    tmp_path: Path,
) -> None:
    before = an_entry(FIRST, **listed_as)

    def registry(heard: Heard) -> Reply:
        if not isinstance(read_adhoc_query_request(heard.body), GetDocumentsQuery):
            return listing(before)(heard)
        if known_later is None:
            error = an_error(ErrorCode.UNKNOWN_STORED_QUERY)
            return listing(status=ResponseStatus.FAILURE, errors=(error,))(heard)
        return listing(an_entry(FIRST, **known_later))(heard)

    with asked(tmp_path, ITI_38=registry, ITI_39=giving({FIRST: CCD})) as found:
        assert (found.states, found.counts) == (states, (1, 1 - missing, missing))
        assert found.heard == ["ITI_55", "ITI_38", "ITI_39", "ITI_38"]
        if missing:
            assert "it is not the document that was listed" in (found.row.detail or "")
        if known_later is None:
            assert "what it assembled could not be checked" in (found.row.detail or "")


def test_a_stable_document_is_fetched_once(tmp_path: Path) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        again = retrieve(house)[NAME]
        assert (again.documents_found, again.documents_new, again.outcome) == (2, 0, "matched")
        assert script.heard.count("ITI_39") == 1


def test_a_held_document_is_filed_once_the_member_fits_and_is_not_fetched_again(
    tmp_path: Path,
) -> None:
    other = CCD.replace(b"Rosalind", b"Marguerite")
    with (
        scripted(ITI_39=giving({FIRST: other, SECOND: DISCHARGE})) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        retrieve(house)
        assert sorted(one.state for one in lakeshore.documents(house)) == ["filed", "held"]
        assert retrieve(house)[NAME].documents_new == 0
        known = MEMBER.demographics
        both = replace(known, names=(*known.names, PN("Sampleton", ("Marguerite",), use="L")))
        house.database.write(lambda tx: members.put(tx, replace(MEMBER, demographics=both)))
        assert retrieve(house)[NAME].documents_new == 1
        assert {one.state for one in lakeshore.documents(house)} == {"filed"}
        assert script.heard.count("ITI_39") == 1


async def test_what_the_reader_failed_on_is_read_again_and_not_fetched(tmp_path: Path) -> None:
    class Failing:
        async def run_async(self, *_given: object) -> object:
            raise WorkerFailed("deadline")

    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        broken = replace(house.archive, workers=Failing())  # type: ignore[arg-type]
        await run_retrieval(house, new_retrieval(house), archive=broken)
        assert [one.state for one in lakeshore.documents(house)] == ["quarantined"] * 2
        again = new_retrieval(house)
        await run_retrieval(house, again)
        assert [row.documents_new for row in retrieval_of(house, again).partners] == [2]
        assert [one.state for one in lakeshore.documents(house)] == ["filed"] * 2
        assert script.heard.count("ITI_39") == 1
