"""What ITI-38 lists: which of it is fetched, and what is said of the rest."""

from datetime import date
from pathlib import Path

import pytest

from gateway.exchange.error_words import in_words
from gateway.model.partner import PartnerProfile
from ihe.identifiers import UniqueId
from ihe.metadata import DocumentEntry, ObjectRef
from ihe.registry_response import (
    ErrorCode,
    RegistryError,
    ResponseStatus,
    Severity,
)
from ihe.soap import ITI_38_ANSWER
from ihe.stored_query import AdhocQuery, FindDocumentsQuery, GetDocumentsQuery, TimeRange
from ihe.xca_query import (
    AdhocQueryResponse,
    read_adhoc_query_request,
    write_adhoc_query_response,
)
from ihe.xca_retrieve import read_retrieve_request
from tests.gateway.clients.asking_house import (
    asking_house,
    calls,
    retrieve,
)
from tests.gateway.clients.scripted_partner import (
    HOME,
    NAME,
    Answer,
    Heard,
    Reply,
    an_entry,
    listed,
    retrieved,
    scripted,
)
from tests.gateway.exchange.one_partner import CCD, FIRST, SECOND, an_error, asked, listing


def test_a_query_that_fails_says_by_which_code(tmp_path: Path) -> None:
    error = an_error(ErrorCode.REGISTRY_BUSY)
    query = listing(status=ResponseStatus.FAILURE, errors=(error,))
    with asked(tmp_path, ITI_38=query) as found:
        assert found.row.outcome == "failed"
        assert found.row.detail == (
            "its document query failed: XDSRegistryBusy: it was too busy; ask again later"
        )
        assert (found.last.transaction, found.last.outcome) == ("ITI-38", "failed")
        assert found.last.reason == (
            "it reported XDSRegistryBusy: it was too busy; ask again later"
        )
        assert "ITI_39" not in found.heard


def test_a_code_of_the_partners_own_is_counted_and_not_repeated(tmp_path: Path) -> None:
    errors = (an_error("Sampleton, Rosalind"), an_error(ErrorCode.REGISTRY_ERROR))
    query = listing(status=ResponseStatus.FAILURE, errors=errors)
    with asked(tmp_path, ITI_38=query) as found:
        assert found.row.detail == (
            "its document query failed: XDSRegistryError: it had a fault of its own,"
            " 1 of codes unknown to us"
        )


def test_a_list_with_an_error_is_used_and_called_incomplete(tmp_path: Path) -> None:
    error = an_error(ErrorCode.UNAVAILABLE_COMMUNITY)
    query = listing(an_entry(FIRST), status=ResponseStatus.PARTIAL_SUCCESS, errors=(error,))
    with asked(tmp_path, ITI_38=query) as found:
        assert (found.row.outcome, found.counts) == ("matched", (1, 1, 0))
        assert found.row.detail == (
            "its list of documents may be incomplete: it reported XDSUnavailableCommunity:"
            " a community behind it could not be reached; ask again later"
        )


def of_seven(*entries: DocumentEntry) -> Answer:
    """A page of a longer list, by ebRS 3.0: 6.2: `totalResultCount` says how long it is."""

    def answer(heard: Heard) -> Reply:
        body = write_adhoc_query_response(
            AdhocQueryResponse(ResponseStatus.SUCCESS, entries=entries)
        )
        body.set("totalResultCount", "7")
        return Reply(heard.seal(body, ITI_38_ANSWER))

    return answer


def test_a_success_that_lists_less_than_it_says_there_is_may_be_incomplete(
    tmp_path: Path,
) -> None:
    with asked(tmp_path, ITI_38=of_seven(an_entry(FIRST), an_entry(SECOND))) as found:
        assert (found.row.outcome, found.counts) == ("matched", (2, 2, 0))
        assert found.row.detail == (
            "its list of documents may be incomplete: it reported 7 objects and listed 2 of them"
        )
        assert [one.outcome for one in calls(found.house)] == ["success", "partial", "success"]


def test_a_list_of_seven_that_lists_none_has_failed(tmp_path: Path) -> None:
    with asked(tmp_path, ITI_38=of_seven()) as found:
        assert (found.row.outcome, found.row.detail) == (
            "failed",
            "its document query failed: 7 objects and listed 0 of them",
        )


@pytest.mark.parametrize("is_first", [True, False])
def test_of_a_document_listed_twice_the_entry_that_can_be_asked_for_counts(
    tmp_path: Path, is_first: bool
) -> None:
    entries = [an_entry(FIRST), an_entry(FIRST, repository_unique_id=None)]
    query = listing(*(entries if is_first else reversed(entries)))
    with asked(tmp_path, ITI_38=query) as found:
        assert (found.counts, found.row.detail) == ((1, 1, 0), None)


def test_a_warning_beside_an_empty_list_is_no_failure(tmp_path: Path) -> None:
    warning = an_error(ErrorCode.EXTRA_METADATA_NOT_SAVED, Severity.WARNING)
    with asked(tmp_path, ITI_38=listing(errors=(warning,))) as found:
        assert (found.row.outcome, found.row.detail) == ("matched", "it lists no documents")
        assert found.last.outcome == "success"


def test_a_document_without_a_repository_is_missing(tmp_path: Path) -> None:
    query = listing(an_entry(FIRST), an_entry(SECOND, repository_unique_id=None))
    with asked(tmp_path, ITI_38=query) as found:
        assert (found.row.outcome, found.counts) == ("matched", (2, 1, 1))
        assert found.row.detail == "partial: 1 missing; some of its documents name no repository"


def test_a_document_listed_twice_is_fetched_once(tmp_path: Path) -> None:
    with asked(tmp_path, ITI_38=listing(an_entry(FIRST), an_entry(FIRST))) as found:
        assert (found.row.outcome, found.counts) == ("matched", (1, 1, 0))


@pytest.mark.parametrize(
    "start, stop, is_retrieved",
    [
        (None, None, True),
        ("20181201", "20181215120000", False),
        ("201811", "201811", False),
        ("20181201", "20190101", True),
        ("2018", None, True),
        (None, "2017", False),
        ("20181201", "2019", True),
        ("29990101", None, False),
        ("yesterday", "once", True),
    ],
)
def test_a_document_of_service_dates_outside_coverage_is_not_retrieved(
    start: str | None, stop: str | None, is_retrieved: bool, tmp_path: Path
) -> None:
    """The member is covered from 2019 on."""
    dated = an_entry(SECOND, service_start_time=start, service_stop_time=stop)
    with asked(tmp_path, ITI_38=listing(an_entry(FIRST), dated)) as found:
        assert (found.row.outcome, found.counts) == ("matched", (2, 1 + is_retrieved, 0))
        said = "1 of its documents are of dates that may not be asked for: not retrieved"
        assert found.row.detail == (None if is_retrieved else said)


def test_a_retrieval_since_a_date_narrows_the_service_dates(tmp_path: Path) -> None:
    dated = an_entry(SECOND, service_start_time="20230101", service_stop_time="20230102")
    query = listing(an_entry(FIRST), dated)
    with scripted(ITI_38=query) as script, asking_house(tmp_path, [script.partner]) as house:
        row = retrieve(house, since=date(2024, 1, 1))[NAME]
        assert (row.documents_found, row.documents_new) == (2, 1)


# ---- more than is listed at once -------------------------------------------------------------


class Registry:
    """Lists at most so many documents at once; on-demand ones have no creation time."""

    def __init__(self, entries: list[DocumentEntry], most: int) -> None:
        self.entries, self.most = entries, most
        self.asked: list[AdhocQuery] = []

    def __call__(self, heard: Heard) -> Reply:
        asked = read_adhoc_query_request(heard.body)
        self.asked.append(asked)
        found = [entry for entry in self.entries if self._fits(entry, asked)]
        if len(found) > self.most:
            error = an_error(ErrorCode.TOO_MANY_RESULTS)
            answer = AdhocQueryResponse(ResponseStatus.FAILURE, errors=(error,))
        else:
            answer = AdhocQueryResponse(ResponseStatus.SUCCESS, entries=tuple(found))
        return Reply(listed(heard, answer))

    def _fits(self, entry: DocumentEntry, asked: AdhocQuery) -> bool:
        assert isinstance(asked, FindDocumentsQuery)
        start, end = asked.creation_time.start, asked.creation_time.end
        if entry.object_type not in asked.entry_types:
            return False
        if start is None and end is None:
            return True
        made = entry.creation_time
        return made is not None and (start or "") <= made and (end is None or made < end)


def a_history(number: int) -> list[DocumentEntry]:
    """One document each second month, and one on demand."""
    made = [f"{2024 - n // 6}{1 + 2 * (n % 6):02}15" for n in range(number)]
    stable = [
        an_entry(UniqueId(f"2.999.7301.1.9.{n}"), creation_time=day) for n, day in enumerate(made)
    ]
    on_demand = an_entry(
        UniqueId("2.999.7301.1.9.999"), object_type="on-demand", creation_time=None
    )
    return [*stable, on_demand]


def any_document(heard: Heard) -> Reply:
    asked = read_retrieve_request(heard.body).documents
    return retrieved(
        heard,
        {one.unique_id: CCD + f"<!-- {one.unique_id} -->".encode() for one in asked},
    )


def test_what_is_too_much_at_once_is_asked_for_in_windows(tmp_path: Path) -> None:
    registry = Registry(a_history(12), most=4)
    with asked(tmp_path, ITI_38=registry, ITI_39=any_document) as found:
        assert (found.row.outcome, found.counts) == ("matched", (13, 13, 0))
        assert found.row.detail is None
        first, second, *rest = registry.asked
        assert isinstance(first, FindDocumentsQuery) and isinstance(second, FindDocumentsQuery)
        assert set(first.entry_types) == {"stable", "on-demand"}
        assert first.statuses == ("Approved",)
        assert (second.entry_types, second.creation_time) == (("on-demand",), TimeRange())
        assert all(
            isinstance(one, FindDocumentsQuery) and one.entry_types == ("stable",) for one in rest
        )
        assert len(registry.asked) < 30


def test_a_day_of_more_than_is_listed_is_said_to_be_incomplete(tmp_path: Path) -> None:
    day = [an_entry(UniqueId(f"2.999.7301.1.9.{n}"), creation_time="20240115") for n in range(3)]
    older = an_entry(UniqueId("2.999.7301.1.9.9"), creation_time="20140115")
    registry = Registry([*day, older], most=2)
    with asked(tmp_path, ITI_38=registry, ITI_39=any_document) as found:
        assert (found.row.outcome, found.counts) == ("matched", (1, 1, 0))
        assert found.row.detail == (
            "its list of documents may be incomplete: it reported XDSTooManyResults:"
            " it has more documents than it lists at once"
        )
        assert len(registry.asked) <= 62


def test_a_partner_may_always_be_asked_in_windows(tmp_path: Path) -> None:
    registry = Registry(a_history(4), most=100)
    profile = PartnerProfile(timeout_seconds=60, query_window_days=5 * 365)
    with asked(tmp_path, profile=profile, ITI_38=registry, ITI_39=any_document) as found:
        assert (found.row.outcome, found.counts) == ("matched", (5, 5, 0))
        assert 5 <= len(registry.asked) <= 7


def test_since_a_date_on_demand_documents_are_asked_for_all_the_same(tmp_path: Path) -> None:
    registry = Registry(a_history(12), most=100)
    with (
        scripted(ITI_38=registry, ITI_39=any_document) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        row = retrieve(house, since=date(2024, 1, 1))[NAME]
        assert (row.documents_found, row.documents_new) == (7, 7)


def test_references_are_followed_to_their_entries(tmp_path: Path) -> None:
    entries = [an_entry(FIRST), an_entry(SECOND)]
    missing = ObjectRef("urn:uuid:00000000-0000-4000-8000-000000000009", HOME)

    def by_reference(heard: Heard) -> Reply:
        wanted = read_adhoc_query_request(heard.body)
        if isinstance(wanted, GetDocumentsQuery):
            given = tuple(one for one in entries if one.entry_uuid in wanted.entry_uuids)
            return Reply(listed(heard, AdhocQueryResponse(ResponseStatus.SUCCESS, entries=given)))
        references = (*(ObjectRef(one.entry_uuid, HOME) for one in entries), missing)
        answer = AdhocQueryResponse(ResponseStatus.SUCCESS, object_refs=references)
        return Reply(listed(heard, answer))

    with asked(tmp_path, ITI_38=by_reference) as found:
        assert (found.row.outcome, found.counts) == ("matched", (3, 2, 1))
        assert found.row.detail == "partial: 1 missing"
        assert found.heard == ["ITI_55", "ITI_38", "ITI_38", "ITI_39"]


def test_the_community_that_an_error_names_is_told_wherever_it_stands() -> None:
    code = ErrorCode.UNAVAILABLE_COMMUNITY
    by_the_book = RegistryError(code, "no answer", location="urn:oid:2.999.7")
    as_text = RegistryError(code, "community 'urn:oid:2.999.7' is down")
    of_a_document = RegistryError(code, "", location="1.2.3 urn:oid:2.999.7")
    words = "a community behind it could not be reached; ask again later (community 2.999.7)"
    for error in (by_the_book, as_text, of_a_document):
        assert in_words([error]) == f"XDSUnavailableCommunity: {words}"
