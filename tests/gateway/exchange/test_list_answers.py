"""What a list of documents is believed to say: its status, whose documents they are, and which."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.exchange.list_answers import is_of, problem_of
from ihe.identifiers import Oid, PatientId
from ihe.metadata import ObjectRef
from ihe.registry_response import ErrorCode, ResponseStatus, Severity
from ihe.stored_query import GetDocumentsQuery
from ihe.xca_query import (
    AdhocQueryResponse,
    read_adhoc_query_request,
    read_adhoc_query_response,
    write_adhoc_query_response,
)
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import asking_house, retrieve
from tests.gateway.clients.scripted_partner import (
    HOME,
    PATIENT,
    Heard,
    Reply,
    an_entry,
    listed,
    scripted,
)
from tests.gateway.exchange.one_partner import FIRST, SECOND, an_error, asked, listing

FAILURE, PARTIAL = ResponseStatus.FAILURE, ResponseStatus.PARTIAL_SUCCESS
WARNING = an_error(ErrorCode.REGISTRY_BUSY, Severity.WARNING)

# ---- how it went -----------------------------------------------------------------------------


def test_a_failure_without_an_error_is_no_empty_list(tmp_path: Path) -> None:
    with asked(tmp_path, ITI_38=listing(status=FAILURE)) as found:
        assert (found.row.outcome, found.counts) == ("failed", (0, 0, 0))
        assert found.row.detail == "its document query failed: a failure without a reason"
        assert found.row.next_step is not None
        assert (found.last.outcome, found.last.reason) == (
            "failed",
            "it reported a failure without a reason",
        )
        (retrieval,) = lakeshore.rows_of(found.house, "retrieval")
        assert retrieval["state"] == "failed"


def test_a_partial_success_without_an_error_is_called_incomplete(tmp_path: Path) -> None:
    with asked(tmp_path, ITI_38=listing(an_entry(FIRST), status=PARTIAL)) as found:
        assert (found.row.outcome, found.counts) == ("matched", (1, 1, 0))
        assert found.row.detail == (
            "its list of documents may be incomplete:"
            " it reported a partial success without a reason"
        )
        assert found.last.transaction == "ITI-39"


@pytest.mark.parametrize(
    ("status", "errors", "said"),
    [
        (ResponseStatus.SUCCESS, (), None),
        (ResponseStatus.SUCCESS, (WARNING,), None),
        (FAILURE, (), "a failure without a reason"),
        (
            FAILURE,
            (WARNING,),
            "a failure with warnings alone: XDSRegistryBusy: it was too busy; ask again later",
        ),
        (
            FAILURE,
            (an_error(ErrorCode.REGISTRY_ERROR), WARNING),
            "XDSRegistryError: it had a fault of its own",
        ),
    ],
)
def test_a_status_is_believed_where_no_error_says_why(
    status: ResponseStatus, errors: tuple[object, ...], said: str | None
) -> None:
    assert problem_of(AdhocQueryResponse(status, errors=errors)) == said  # type: ignore[arg-type]


# ---- whose documents they are ----------------------------------------------------------------


def as_read(patient_id: str) -> AdhocQueryResponse:
    """The answer with an entry of that patient id, as it is written."""
    answer = AdhocQueryResponse(ResponseStatus.SUCCESS, entries=(an_entry(FIRST),))
    element = write_adhoc_query_response(answer)
    for each in element.iter("{*}ExternalIdentifier"):
        if each.get("value") == PATIENT.cx:
            each.set("value", patient_id)
    return read_adhoc_query_response(element)


@pytest.mark.parametrize(
    ("written", "is_theirs"),
    [
        (PATIENT.cx, True),
        (f" {PATIENT.cx}", True),
        ("", True),
        ("NF-220871", True),
        ("NF-220871^^^NORTHFIELD", True),
        (" NF-220871 ^^^&&ISO", True),
        ("NF-999999", False),
        ("NF-999999^^^NORTHFIELD", False),
        ("^^^&2.999.7301.1.2&ISO", False),
        ("NF-999999^^^&2.999.7301.1.2&ISO", False),
        ("NF-220871^^^&2.999.7301.1.9&ISO", False),
    ],
)
def test_an_id_that_is_no_cx_names_a_patient_all_the_same(written: str, is_theirs: bool) -> None:
    answer = as_read(written)
    (entry,) = answer.entries
    assert is_of(PATIENT, entry, answer) == is_theirs


@pytest.mark.parametrize("given", [" NF-1", "NF-1 ", " NF-1 "])
def test_blanks_around_an_id_make_nobody_else_of_a_patient(given: str) -> None:
    asked_for = PatientId(given, PATIENT.authority)
    for written in ("NF-1", " NF-1", "NF-1 "):
        answer = as_read(replace(asked_for, id=written).cx)
        assert is_of(asked_for, answer.entries[0], answer)
    other = replace(asked_for, authority=Oid("2.999.1"))
    assert not is_of(other, answer.entries[0], answer)


def test_documents_listed_for_another_without_an_authority_are_not_fetched(tmp_path: Path) -> None:
    def for_another(heard: Heard) -> Reply:
        well = listed(heard)
        other = well.replace(PATIENT.cx.replace("&", "&amp;").encode(), b"NF-999999")
        assert other != well
        return Reply(other)

    with asked(tmp_path, ITI_38=for_another) as found:
        assert (found.row.outcome, found.counts, found.states) == ("failed", (2, 0, 2), [])
        assert found.heard == ["ITI_55", "ITI_38"]


# ---- what is current -------------------------------------------------------------------------


def test_documents_listed_as_deprecated_are_not_fetched(tmp_path: Path) -> None:
    query = listing(an_entry(FIRST, availability="Deprecated"), an_entry(SECOND))
    with asked(tmp_path, ITI_38=query) as found:
        assert (found.row.outcome, found.counts) == ("matched", (1, 1, 0))
        assert found.row.detail == "1 of its documents are listed as deprecated: not retrieved"


def test_a_list_of_deprecated_documents_has_no_current_ones(tmp_path: Path) -> None:
    with asked(tmp_path, ITI_38=listing(an_entry(FIRST, availability="Deprecated"))) as found:
        assert (found.row.outcome, found.counts) == ("matched", (0, 0, 0))
        assert found.row.detail == (
            "1 of its documents are listed as deprecated: not retrieved;"
            " it lists no current documents"
        )
        assert found.heard == ["ITI_55", "ITI_38"]


def test_a_deprecated_document_that_is_referred_to_is_neither_fetched_nor_missing(
    tmp_path: Path,
) -> None:
    entries = (an_entry(FIRST), an_entry(SECOND, availability="Deprecated"))

    def by_reference(heard: Heard) -> Reply:
        wanted = read_adhoc_query_request(heard.body)
        if isinstance(wanted, GetDocumentsQuery):
            answer = AdhocQueryResponse(ResponseStatus.SUCCESS, entries=entries)
        else:
            references = tuple(ObjectRef(one.entry_uuid, HOME) for one in entries)
            answer = AdhocQueryResponse(ResponseStatus.SUCCESS, object_refs=references)
        return Reply(listed(heard, answer))

    with asked(tmp_path, ITI_38=by_reference) as found:
        assert (found.row.outcome, found.counts) == ("matched", (1, 1, 0))
        assert found.row.detail == "1 of its documents are listed as deprecated: not retrieved"


def test_a_document_listed_once_as_deprecated_and_once_as_approved_is_fetched(
    tmp_path: Path,
) -> None:
    for_both = (an_entry(FIRST, availability="Deprecated"), an_entry(FIRST))
    with asked(tmp_path, ITI_38=listing(*for_both)) as found:
        assert (found.counts, found.row.detail) == ((1, 1, 0), None)


def test_who_decides_about_a_held_document_hears_that_it_is_listed_as_deprecated_since(
    tmp_path: Path,
) -> None:
    """Once, however often it is listed so; what is filed or another's stays as it is."""
    status = "Approved"

    def listing_one_wrongly(heard: Heard) -> Reply:
        wrong = an_entry(FIRST, availability=status, hash="0" * 40)
        answer = AdhocQueryResponse(ResponseStatus.SUCCESS, entries=(wrong, an_entry(SECOND)))
        return Reply(listed(heard, answer))

    with (
        scripted(ITI_38=listing_one_wrongly) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        retrieve(house)
        before = {one.state: one for one in lakeshore.documents(house)}
        status = "Deprecated"
        for _ in range(2):
            retrieve(house)
            after = {one.state: one for one in lakeshore.documents(house)}
            assert after["held"].reason == (
                f"{before['held'].reason}; its source lists it as deprecated since"
            )
            assert after["held"].candidate == before["held"].candidate is not None
            assert after["filed"] == before["filed"]
