"""What ITI-38 lists: which of it is fetched, and what is said of the rest."""

from datetime import date
from pathlib import Path

import pytest

from ihe.registry_response import (
    ErrorCode,
    ResponseStatus,
    Severity,
)
from tests.gateway.clients.asking_house import (
    asking_house,
    retrieve,
)
from tests.gateway.clients.scripted_partner import (
    NAME,
    an_entry,
    scripted,
)
from tests.gateway.exchange.one_partner import FIRST, SECOND, an_error, asked, listing


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


def test_a_warning_beside_an_empty_list_is_no_failure(tmp_path: Path) -> None:
    warning = an_error(ErrorCode.EXTRA_METADATA_NOT_SAVED, Severity.WARNING)
    with asked(tmp_path, ITI_38=listing(errors=(warning,))) as found:
        assert (found.row.outcome, found.row.detail) == ("matched", None)
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
