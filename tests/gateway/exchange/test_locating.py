"""A Health Data Locator is asked who else knows a member, and whom it names is then asked."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from gateway.app.house import House
from gateway.exchange.accounting import what_left
from gateway.model.partner import PartnerProfile
from gateway.model.retrieval import NOT_LOCATED
from ihe.discovery import Matched
from ihe.identifiers import HomeCommunityId, Oid, PatientId
from ihe.patient_location import PatientLocation, read_location_request
from ihe.xcpd import read_discovery_request
from tests.gateway.api.test_soap_results import acknowledged, bring
from tests.gateway.clients.asking_house import (
    HOME as OUR_HOME,
)
from tests.gateway.clients.asking_house import (
    answers,
    asking_house,
    assert_sound,
    calls,
    new_retrieval,
    retrieval_of,
    retrieve,
    run_retrieval,
)
from tests.gateway.clients.later_partner import later
from tests.gateway.clients.scripted_partner import (
    HOME,
    NAME,
    PATIENT,
    Answer,
    Heard,
    Reply,
    Script,
    a_match,
    discovered,
    discovery_body,
    listed,
    located,
    retrieved,
    scripted,
)
from tests.gateway.clients.test_misbehaving_partners import fault
from tests.gateway.exchange.atna_told import PROCESS, local
from tests.gateway.exchange.test_atna import DESTINATION, SOURCE, events_of
from tests.gateway.exchange.test_discovering import links_of

SECOND: Final = HomeCommunityId.parse("2.999.7304.1")
THERE: Final = PatientLocation(SECOND, PatientId("SE-1", Oid(f"{SECOND}.2")))
LOCATOR: Final = PartnerProfile(timeout_seconds=20, health_data_locator=True)
NAMED_ONLY: Final = PartnerProfile(timeout_seconds=20, only_where_located=True)


def a_locator(heard: Heard) -> Reply:
    return Reply(discovered(heard, Matched((a_match(supports_locator=True),))))


def names(*told: PatientLocation) -> Answer:
    return lambda heard: Reply(located(heard, *told))


def known_there(heard: Heard) -> Reply:
    match = a_match(home_community_id=SECOND, patient_id=THERE.patient_id)
    return Reply(discovered(heard, Matched((match,))))


@contextmanager
def two(folder: Path, **answers: Answer) -> Iterator[tuple[House, Script, Script]]:
    """A locator, and a community that is asked only where it is named."""
    told = {"ITI_55": a_locator, "ITI_56": names(THERE), **answers}
    with (
        scripted(profile=LOCATOR, **told) as locator,
        scripted(
            name="Second Clinic", home=SECOND, profile=NAMED_ONLY, ITI_55=known_there
        ) as second,
        asking_house(folder, [locator.partner, second.partner]) as house,
    ):
        yield house, locator, second


def test_whom_a_locator_names_is_asked_after_it_and_looked_at_as_everybody(tmp_path: Path) -> None:
    asked: list[PatientId] = []

    def naming(heard: Heard) -> Reply:
        asked.append(read_location_request(heard.body))
        return Reply(located(heard, THERE))

    with two(tmp_path, ITI_56=naming) as (house, locator, second):
        rows = retrieve(house)
        assert asked == [PATIENT]
        assert f"the member is known to {SECOND}" in (rows[NAME].detail or "")
        assert locator.heard[:2] == ["ITI_55", "ITI_56"]
        assert second.heard[0] == "ITI_55"
        assert rows["Second Clinic"].step != "discovery"
        (link,) = [one for one in links_of(house) if one.partner == second.partner.id]
        assert (link.home_community_id, link.state) == (SECOND, "confirmed")
        (record,) = [one for one in calls(house) if one.transaction == "ITI-56"]
        assert record.reason == f"it says that the member is known to {SECOND}"
        assert (what_left(record) or "").startswith("that the plan asks which communities know")
        assert_sound(house)
        ((event,),) = events_of(house, "ITI-56")
        assert event.event == ("110112", "E", "ITI-56", "0")
        assert event.patients == [PATIENT.cx]
        kind, _, query = event.asked
        assert (kind, local(query)) == ("ITI-56", "PatientLocationQueryRequest")
        assert event.participant(SOURCE)["AlternativeUserID"] == PROCESS
        answers = event.participant(DESTINATION)["UserID"]
        assert answers == locator.partner.endpoints.iti56


def test_whom_no_locator_names_is_not_asked_and_nothing_is_missing_by_that(tmp_path: Path) -> None:
    us = HomeCommunityId.parse(OUR_HOME)
    themselves = tuple(PatientLocation(home, PatientId("x", home.oid)) for home in (HOME, us))
    with two(tmp_path, ITI_56=names(*themselves)) as (house, _, second):
        retrieval = new_retrieval(house)
        run(house, retrieval)
        rows = answers(house, retrieval)
        assert (rows["Second Clinic"].outcome, rows["Second Clinic"].detail) == (
            "not_asked",
            NOT_LOCATED,
        )
        assert second.heard == []
        assert "it names no other community" in (rows[NAME].detail or "")
        assert retrieval_of(house, retrieval).state == "done"


def run(house: House, retrieval: Any) -> None:

    asyncio.run(run_retrieval(house, retrieval))


def test_what_was_told_before_names_nobody_today(tmp_path: Path) -> None:
    told = [THERE]
    with two(tmp_path, ITI_56=lambda heard: names(*told)(heard)) as (house, _, second):
        retrieve(house)
        asked = len(second.heard)
        told[:] = [PatientLocation(HOME, PATIENT)]
        assert retrieve(house)["Second Clinic"].detail == NOT_LOCATED
        assert len(second.heard) == asked


def test_a_locator_that_fails_costs_no_documents(tmp_path: Path) -> None:
    with two(tmp_path, ITI_56=lambda _: Reply(fault("Sender"), status=400)) as (house, _, second):
        rows = retrieve(house)
        assert (rows[NAME].outcome, rows[NAME].documents_new) == ("matched", 2)
        assert "it tells of no other community that knows the member" in (rows[NAME].detail or "")
        assert rows["Second Clinic"].detail == NOT_LOCATED and second.heard == []
        (record,) = [one for one in calls(house) if one.transaction == "ITI-56"]
        assert record.outcome == "refused"


def test_a_community_that_is_in_no_directory_is_named_with_what_to_do(tmp_path: Path) -> None:
    unknown = HomeCommunityId.parse("2.999.7305.1")
    told = PatientLocation(unknown, PatientId("UN-1", unknown.oid))
    with two(tmp_path, ITI_56=names(THERE, told)) as (house, _, second):
        row = retrieve(house)[NAME]
        assert f"of these {unknown} are not in the directory: not asked" in (row.detail or "")
        assert "Add the communities that it names to the directory" in (row.next_step or "")
        assert second.heard[0] == "ITI_55"


def test_only_who_is_told_to_be_one_and_says_that_it_is_gets_the_question(tmp_path: Path) -> None:
    plain = replace(LOCATOR, health_data_locator=False)
    says_no = {"ITI_55": lambda heard: Reply(discovered(heard))}
    for number, (profile, script_of) in enumerate(
        [(plain, {"ITI_55": a_locator}), (LOCATOR, says_no)]
    ):
        with (
            scripted(profile=profile, **script_of) as script,
            asking_house(tmp_path / str(number), [script.partner]) as house,
        ):
            row = retrieve(house)[NAME]
            assert "ITI_56" not in script.heard
            says = "it says that it is no Health Data Locator"
            assert (says in (row.detail or "")) == profile.health_data_locator


def test_whom_a_locator_may_yet_name_waits_for_what_it_says(tmp_path: Path) -> None:
    heard: list[Heard] = []

    def acknowledging(asked: Heard) -> Reply:
        heard.append(asked)
        return acknowledged(asked)

    at_once: dict[str, Answer] = {
        "ITI_55": acknowledging,
        "ITI_56": names(THERE),
        "ITI_38": lambda asked: Reply(listed(asked)),
        "ITI_39": retrieved,
    }
    with (
        scripted(
            name="Second Clinic", home=SECOND, profile=NAMED_ONLY, ITI_55=known_there
        ) as second,
        later(
            tmp_path,
            others=[second.partner],
            at_once=at_once,
            asynchronous=False,
            deferred_discovery=True,
            health_data_locator=True,
        ) as there,
    ):
        there.ask()
        waits = answers(there.house, there.retrieval)["Second Clinic"]
        assert waits.outcome is None
        assert (waits.detail or "").startswith("it is asked if a Health Data Locator names it")
        assert second.heard == []
        request = read_discovery_request(heard[0].body)
        found = Matched((a_match(supports_locator=True),))
        assert bring(there, discovery_body(request, found)).status == 200
        there.work()
        rows = answers(there.house, there.retrieval)
        assert second.heard[0] == "ITI_55"
        assert rows["Second Clinic"].step != "discovery"
        assert all(row.outcome is not None for row in rows.values())
        assert retrieval_of(there.house, there.retrieval).finished is not None
