"""How documents are asked for, where, and once more: what becomes of those that are left out."""

from pathlib import Path

import pytest

from gateway.model.partner import PartnerProfile
from ihe.identifiers import HomeCommunityId, UniqueId
from ihe.registry_response import ErrorCode, RegistryResponse, ResponseStatus, Severity
from ihe.soap import ITI_38_ANSWER
from ihe.xca_query import AdhocQueryResponse, write_adhoc_query_response
from ihe.xca_retrieve import read_retrieve_request
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import calls
from tests.gateway.clients.scripted_partner import HOME, Heard, Reply, an_entry, retrieved
from tests.gateway.exchange.one_partner import (
    CCD,
    DISCHARGE,
    FIRST,
    an_error,
    asked,
    giving,
    listing,
)
from tests.gateway.exchange.test_retrieving import ELSEWHERE, LEFT_OUT, first_alone

# ---- what is left out ------------------------------------------------------------------------


def test_a_failure_without_an_error_is_not_called_a_success(tmp_path: Path) -> None:
    failure = RegistryResponse(ResponseStatus.FAILURE)
    with asked(tmp_path, ITI_39=giving({}, outcome=failure)) as found:
        said = "a failure and no error for 2 of the documents that it lists, asked twice"
        assert found.row.detail == f"partial: 2 missing; it reported {said}"
        assert found.counts == (2, 0, 2)


WARNED = RegistryResponse(
    ResponseStatus.SUCCESS, (an_error(ErrorCode.REPOSITORY_BUSY, Severity.WARNING),)
)


def test_a_warning_does_not_explain_what_is_left_out(tmp_path: Path) -> None:
    """It comes with whole answers too: what is missing is asked for once more all the same."""

    def at_second(heard: Heard) -> Reply:
        asked_for = {one.unique_id for one in read_retrieve_request(heard.body).documents}
        return first_alone(heard, outcome=WARNED) if FIRST in asked_for else retrieved(heard)

    with asked(tmp_path, ITI_39=at_second) as found:
        assert found.heard == ["ITI_55", "ITI_38", "ITI_39", "ITI_39"]
        assert (found.row.outcome, found.counts) == ("matched", (2, 2, 0))
        assert found.row.detail is None
        assert calls(found.house)[2].reason == (
            "partial: 1 missing; it reported XDSRepositoryBusy: it was too busy; ask again later"
        )


def test_a_warning_is_told_where_a_document_stays_left_out(tmp_path: Path) -> None:
    with asked(tmp_path, ITI_39=lambda heard: first_alone(heard, outcome=WARNED)) as found:
        assert (found.row.outcome, found.counts) == ("matched", (2, 1, 1))
        reported = "it reported XDSRepositoryBusy: it was too busy; ask again later"
        assert found.row.detail == f"partial: 1 missing; {reported}; {LEFT_OUT}"


# ---- at which home --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listed_at", "accepted"), [(ELSEWHERE, True), (None, True), (HOME, False)]
)
def test_a_document_is_asked_for_at_the_home_that_is_listed_where_that_is_known(
    listed_at: HomeCommunityId | None, accepted: bool, tmp_path: Path
) -> None:
    homes: list[HomeCommunityId | None] = []

    def give(heard: Heard) -> Reply:
        homes.extend(one.home_community_id for one in read_retrieve_request(heard.body).documents)
        return retrieved(heard, home_community_id=listed_at or HOME)

    def at_that_home(heard: Heard) -> Reply:
        body = write_adhoc_query_response(
            AdhocQueryResponse(
                ResponseStatus.SUCCESS,
                entries=(an_entry(FIRST, home_community_id=listed_at or HOME),),
            )
        )
        if listed_at is None:
            del next(body.iter("{*}ExtrinsicObject")).attrib["home"]
        return Reply(heard.seal(body, ITI_38_ANSWER))

    profile = PartnerProfile(timeout_seconds=20, other_home_accepted=accepted)
    with asked(tmp_path, profile=profile, ITI_38=at_that_home, ITI_39=give) as found:
        assert (found.counts, found.states) == ((1, 1, 0), ["filed"])
    assert homes == [listed_at or HOME]


def test_the_home_that_is_listed_is_not_believed_of_everybody(tmp_path: Path) -> None:
    homes: list[HomeCommunityId | None] = []

    def give(heard: Heard) -> Reply:
        homes.extend(one.home_community_id for one in read_retrieve_request(heard.body).documents)
        return retrieved(heard)

    query = listing(an_entry(FIRST, home_community_id=ELSEWHERE))
    with asked(tmp_path, ITI_38=query, ITI_39=give) as found:
        assert found.states == ["filed"]
    assert homes == [HOME]


# ---- under which id --------------------------------------------------------------------------


UPPER = UniqueId("urn:uuid:ABCDEF00-1111-4222-8333-444455556666")
LOWER = UniqueId(str(UPPER).lower())


@pytest.mark.parametrize(
    ("listed_as", "given_as"),
    [
        (UPPER, str(LOWER)),
        (UPPER, "ABCDEF00-1111-4222-8333-444455556666"),
        (LOWER, "ABCDEF00-1111-4222-8333-444455556666"),
        (FIRST, f"urn:oid:{FIRST}"),
        (UniqueId(f"urn:oid:{FIRST}"), str(FIRST)),
    ],
)
def test_an_id_that_is_written_otherwise_is_the_one_asked_for(
    listed_as: UniqueId, given_as: str, tmp_path: Path
) -> None:
    given = giving({UniqueId(given_as): CCD})
    with asked(tmp_path, ITI_38=listing(an_entry(listed_as)), ITI_39=given) as found:
        assert (found.row.outcome, found.counts) == ("matched", (1, 1, 0))
        (document,) = lakeshore.documents(found.house)
        assert document.source.document_unique_id == str(listed_as)


def test_two_ids_that_differ_in_case_alone_are_each_what_is_written_alike(tmp_path: Path) -> None:
    query = listing(an_entry(UPPER), an_entry(LOWER))
    given = giving({LOWER: CCD, UPPER: DISCHARGE})
    with asked(tmp_path, ITI_38=query, ITI_39=given) as found:
        assert (found.counts, found.row.detail) == ((2, 2, 0), None)
        titles = {
            one.source.document_unique_id: one.title for one in lakeshore.documents(found.house)
        }
        assert "Discharge" in (titles[str(UPPER)] or "")
