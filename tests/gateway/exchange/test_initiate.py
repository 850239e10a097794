"""Asking every partner: whom each returns, what fails at one, and how a broken-off one resumes."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ccda.hl7v3 import PN
from gateway.app.house import House, open_client
from gateway.clients.soap_client import SoapClient
from gateway.demo.parties import MEMBER as ROSALIND
from gateway.model.community import Community
from gateway.model.identity import PartnerId
from gateway.model.link import Link, LinkState
from gateway.model.partner import Endpoints, Partner, PartnerProfile
from gateway.store import exchange_log, links
from gateway.store.errors import StoreUnavailable
from ihe.discovery import Matched, MoreDemographicsRequested, NoMatch
from ihe.errors import CommunityCouldNotAnswer
from ihe.identifiers import HomeCommunityId, Oid, PatientId
from ihe.xcpd import Demographics
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import (
    MEMBER,
    PLAN,
    answers,
    asking_house,
    assert_sound,
    calls,
    new_retrieval,
    open_rows,
    retrieval_of,
    retrieve,
    run_retrieval,
)
from tests.gateway.clients.scripted_partner import (
    HOME,
    NAME,
    PATIENT,
    Answer,
    Heard,
    Reply,
    a_match,
    discovered,
    listed,
    retrieved,
    scripted,
)

UNSURE = "too little agrees to be sure"
OTHER = HomeCommunityId.parse("2.999.7305.1")
MARGUERITE = replace(ROSALIND, names=(PN("Sampleton", ("Marguerite",)),), ids=())


def finding(discovery: Any) -> Answer:
    return lambda heard: Reply(discovered(heard, discovery))


def of_other(heard: Heard) -> Reply:
    return retrieved(heard, home_community_id=OTHER)


def links_of(house: House) -> tuple[Link, ...]:
    return house.database.read(lambda tx: links.of_member(tx, plan=PLAN, member=MEMBER.id))


# ---- whom the partner returns ----------------------------------------------------------------


def test_no_match_is_an_answer(tmp_path: Path) -> None:
    with (
        scripted(ITI_55=finding(NoMatch())) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        row = retrieve(house)[NAME]
        assert (row.outcome, row.detail, row.step) == ("no_match", None, "discovery")
        (retrieval,) = lakeshore.rows_of(house, "retrieval")
        assert retrieval["state"] == "done"


def test_someone_else_is_no_match_and_is_not_asked_for(tmp_path: Path) -> None:
    with (
        scripted(ITI_55=finding(Matched((a_match(MARGUERITE),)))) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        row = retrieve(house)[NAME]
        assert (row.outcome, row.detail) == ("no_match", "it returned someone else")
        assert script.heard == ["ITI_55"]
        assert [one.state for one in links_of(house)] == ["rejected"]


def test_somebody_who_may_be_the_member_is_held_with_the_reason(tmp_path: Path) -> None:
    vague = Demographics(names=ROSALIND.names, birth_time=ROSALIND.birth_time)
    with (
        scripted(ITI_55=finding(Matched((a_match(vague),)))) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        row = retrieve(house)[NAME]
        assert (row.outcome, row.detail) == ("held", UNSURE)
        assert "`gateway held list`" in (row.next_step or "")
        (retrieval,) = lakeshore.rows_of(house, "retrieval")
        assert retrieval["state"] == "partial", "a person has to decide, and nothing failed"
        assert script.heard == ["ITI_55"]
        assert [(one.state, one.detail) for one in links_of(house)] == [("held", UNSURE)]


def test_what_a_person_decided_of_a_held_match_stands(tmp_path: Path) -> None:
    vague = Demographics(names=ROSALIND.names, birth_time=ROSALIND.birth_time)
    with (
        scripted(ITI_55=finding(Matched((a_match(vague),)))) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        retrieve(house)
        (link,) = links_of(house)
        house.database.write(lambda tx: links.decide(tx, link, state="confirmed"))
        assert retrieve(house)[NAME].outcome == "matched"
        house.database.write(lambda tx: links.decide(tx, link, state="rejected"))
        assert retrieve(house)[NAME].outcome == "no_match"


@pytest.mark.parametrize(
    "returned, decided, outcome",
    [(None, "rejected", "no_match"), (MARGUERITE, "confirmed", "matched")],
)
def test_no_comparison_overrides_what_a_person_decided(
    returned: Demographics | None, decided: LinkState, outcome: str, tmp_path: Path
) -> None:
    with (
        scripted(ITI_55=finding(Matched((a_match(returned),)))) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        retrieve(house)
        (link,) = links_of(house)
        assert link.state != decided
        house.database.write(lambda tx: links.decide(tx, link, state=decided))
        for _ in range(2):
            assert retrieve(house)[NAME].outcome == outcome
            assert [(one.state, one.is_decided) for one in links_of(house)] == [(decided, True)]


def test_of_several_matches_only_the_member_is_asked_for(tmp_path: Path) -> None:
    twin = a_match(MARGUERITE, patient_id=PatientId("NF-2", Oid(f"{HOME}.2")))
    with (
        scripted(ITI_55=finding(Matched((twin, a_match())))) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        assert retrieve(house)[NAME].outcome == "matched"
        states = {one.patient_id: one.state for one in links_of(house)}
        assert states == {PATIENT: "confirmed", twin.patient_id: "rejected"}
        assert script.heard.count("ITI_38") == 1


def test_a_request_for_more_demographics_is_no_match_that_says_what_for(tmp_path: Path) -> None:
    more = MoreDemographicsRequested(("PatientTelecomRequested",), ("Sampleton",))
    with (
        scripted(ITI_55=finding(more)) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        row = retrieve(house)[NAME]
        asked = "it asks for more: PatientTelecomRequested"
        detail = (
            f"{asked}; it had the telephone number in the first request;"
            " we do not know what else it asks for"
        )
        assert (row.outcome, row.detail) == ("no_match", detail)
        assert [one.reason for one in calls(house)] == [asked]


@pytest.mark.parametrize(
    "problem, said",
    [("ResponderBusy", " (ResponderBusy)"), ("Sampleton", ""), (None, "")],
)
def test_a_community_that_cannot_answer_has_failed(
    problem: str | None, said: str, tmp_path: Path
) -> None:
    trouble = finding(CommunityCouldNotAnswer(problem))
    with scripted(ITI_55=trouble) as script, asking_house(tmp_path, [script.partner]) as house:
        row = retrieve(house)[NAME]
        assert (row.outcome, row.detail) == ("failed", f"it reported a problem of its own{said}")


def test_a_person_named_fault_is_a_person(tmp_path: Path) -> None:
    fault = replace(ROSALIND, names=(PN("Fault", ("Rosalind", "June"), use="L"),))
    member = replace(MEMBER, demographics=replace(fault, ids=MEMBER.demographics.ids))

    def documents(heard: Heard) -> Reply:
        reply = retrieved(heard)
        return replace(reply, content=reply.content.replace(b"Sampleton", b"Fault"))

    with (
        scripted(
            ITI_55=finding(Matched((a_match(replace(fault, ids=())),))), ITI_39=documents
        ) as script,
        asking_house(tmp_path, [script.partner], member=member) as house,
    ):
        row = retrieve(house)[NAME]
        assert (row.outcome, row.documents_new, row.detail) == ("matched", 2, None)
        assert {one.state for one in lakeshore.documents(house)} == {"filed"}


# ---- other communities -----------------------------------------------------------------------


def test_records_of_another_community_are_asked_for_there(tmp_path: Path) -> None:
    elsewhere = Matched((a_match(home_community_id=OTHER),))
    with (
        scripted(ITI_55=finding(elsewhere)) as script,
        scripted(home=OTHER, ITI_39=of_other) as holder,
    ):
        hub = script.partner
        known = replace(
            holder.partner,
            name="Holder",
            endpoints=replace(holder.partner.endpoints, iti55=None),
        )
        with asking_house(tmp_path, [hub, known]) as house:
            rows = retrieve(house)
            assert (rows[NAME].outcome, rows["Holder"].outcome) == ("matched", "not_asked")
            (retrieval,) = lakeshore.rows_of(house, "retrieval")
            assert retrieval["state"] == "done", "nothing is missing by whom a hub answers for"
            assert (script.heard, holder.heard) == (["ITI_55"], ["ITI_38", "ITI_39"])
            assert [one.partner for one in calls(house)] == [hub.id, known.id, known.id]


def test_records_of_an_unknown_community_are_held_visibly(tmp_path: Path) -> None:
    elsewhere = Matched((a_match(home_community_id=OTHER),))
    with (
        scripted(ITI_55=finding(elsewhere)) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        row = retrieve(house)[NAME]
        detail = "the community that holds the records (2.999.7305.1) is not in the directory"
        assert (row.outcome, row.detail) == ("held", detail)
        assert "`gateway partners add`" in (row.next_step or "")
        assert script.heard == ["ITI_55"]
        assert [(one.state, one.detail) for one in links_of(house)] == [("held", detail)]


def test_an_unknown_community_beside_a_known_one_is_still_told(tmp_path: Path) -> None:
    both = Matched((a_match(), a_match(home_community_id=OTHER)))
    with (
        scripted(ITI_55=finding(both)) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        row = retrieve(house)[NAME]
        assert (row.outcome, row.documents_new) == ("matched", 2)
        assert "is not in the directory" in (row.detail or "")


def test_a_partner_without_an_address_is_not_asked(tmp_path: Path) -> None:
    partner = lakeshore.a_partner(endpoints=Endpoints())
    with asking_house(tmp_path, [partner]) as house:
        row = retrieve(house)[NAME]
        assert (row.outcome, row.detail) == ("not_asked", "it has no address for patient discovery")
        assert calls(house) == []
        (retrieval,) = lakeshore.rows_of(house, "retrieval")
        assert retrieval["state"] == "failed", "there is nobody else"


# ---- faults of our own -----------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[House, Partner, Partner]]:
    """A house with two partners that both would answer well."""
    there = finding(Matched((a_match(home_community_id=OTHER),)))
    with scripted() as script, scripted(ITI_55=there, ITI_39=of_other) as other:
        second = replace(
            other.partner, id=PartnerId("second"), name="Second", home_community_id=OTHER
        )
        with asking_house(tmp_path, [script.partner, second]) as house:
            yield house, script.partner, second


class Broken:
    """A client whose calls to one partner end in an error that is not the partner's."""

    def __init__(self, client: SoapClient, partner: PartnerId, error: BaseException) -> None:
        self._client, self._partner, self._error = client, partner, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def call(self, *, partner: Partner, **given: Any) -> Any:
        if partner.id == self._partner:
            raise self._error
        return await self._client.call(partner=partner, **given)


async def test_a_fault_of_our_own_at_one_partner_costs_no_other(
    two: tuple[House, Partner, Partner],
) -> None:
    house, _, second = two
    retrieval = new_retrieval(house)
    client = Broken(open_client(house), second.id, ZeroDivisionError("Sampleton"))
    await run_retrieval(house, retrieval, client=client)
    rows = answers(house, retrieval)
    assert (rows[NAME].outcome, rows[NAME].documents_new) == ("matched", 2)
    fault = "a fault of our own (ZeroDivisionError)"
    assert (rows["Second"].outcome, rows["Second"].detail) == ("failed", fault)
    assert [(one.outcome, one.reason) for one in calls(house, second.id)] == [("failed", fault)]
    assert retrieval_of(house, retrieval).state == "partial"
    assert_sound(house)


async def test_a_store_that_is_away_leaves_the_rest_of_the_retrieval_to_the_next_attempt(
    two: tuple[House, Partner, Partner],
) -> None:
    house, first, second = two
    retrieval = new_retrieval(house)
    client = Broken(open_client(house), second.id, StoreUnavailable("full"))
    with pytest.raises(StoreUnavailable):
        await run_retrieval(house, retrieval, client=client)
    assert retrieval_of(house, retrieval).state == "running"
    rows = answers(house, retrieval)
    assert (rows[NAME].outcome, rows["Second"].outcome) == ("matched", None)
    before = len(calls(house, first.id))
    assert_sound(house)
    await run_retrieval(house, retrieval)
    assert retrieval_of(house, retrieval).state == "done"
    assert answers(house, retrieval)["Second"].documents_new == 2
    assert len(calls(house, first.id)) == before  # it was not asked again


class Unregistered(Community):
    """Fails in the transaction of ingest."""

    @property
    def repository(self) -> Oid:
        raise ZeroDivisionError


async def test_an_effect_that_fails_is_undone_and_has_its_record(tmp_path: Path) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieval = new_retrieval(house)
        broken = Unregistered(house.community.home_community_id, "Acme")
        await run_retrieval(house, retrieval, community=broken)
        row = answers(house, retrieval)[NAME]
        assert (row.outcome, row.documents_new) == ("failed", 0)
        assert row.detail == "a fault of our own (ZeroDivisionError)"
        assert lakeshore.documents(house) == ()
        assert [one.outcome for one in calls(house)][-1] == "failed"
        assert_sound(house)


# ---- broken off ------------------------------------------------------------------------------


@pytest.mark.parametrize("transaction", ["ITI_55", "ITI_38", "ITI_39"])
async def test_a_cancelled_retrieval_closes_its_records_and_goes_on_later(
    transaction: str, tmp_path: Path
) -> None:
    waits = iter([60.0, 0.0])
    well: dict[str, Answer] = {
        "ITI_55": lambda heard: Reply(discovered(heard)),
        "ITI_38": lambda heard: Reply(listed(heard)),
        "ITI_39": retrieved,
    }

    def slow_once(heard: Heard) -> Reply:
        return replace(well[transaction](heard), delay_seconds=next(waits))

    with (
        scripted(**{transaction: slow_once}) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        retrieval = new_retrieval(house)
        task = asyncio.create_task(run_retrieval(house, retrieval))
        while transaction not in script.heard:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert open_rows(house) == 0
        assert (calls(house)[-1].outcome, calls(house)[-1].reason) == (
            "unknown",
            exchange_log.INTERRUPTED,
        )
        assert answers(house, retrieval)[NAME].outcome is None
        assert retrieval_of(house, retrieval).state == "running"
        await run_retrieval(house, retrieval)
        row = answers(house, retrieval)[NAME]
        assert (row.outcome, row.documents_found, row.documents_new) == ("matched", 2, 2)
        assert script.heard.count("ITI_55") == (2 if transaction == "ITI_55" else 1)
        assert_sound(house)


async def test_a_retrieval_that_has_ended_asks_nobody_again(tmp_path: Path) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieval = new_retrieval(house)
        await run_retrieval(house, retrieval)
        before = retrieval_of(house, retrieval)
        await run_retrieval(house, retrieval)
        assert retrieval_of(house, retrieval) == before
        assert script.heard == ["ITI_55", "ITI_38", "ITI_39"]


async def test_our_own_work_does_not_use_up_the_partners_time(tmp_path: Path) -> None:
    profile = PartnerProfile(timeout_seconds=2.0)
    with scripted(profile=profile) as script, asking_house(tmp_path, [script.partner]) as house:
        retrieval = new_retrieval(house)

        class Slow:
            def __getattr__(self, name: str) -> Any:
                return getattr(house.archive.workers, name)

            async def run_async(self, *given: Any) -> Any:
                await asyncio.sleep(1.5)
                return await house.archive.workers.run_async(*given)

        archive = replace(house.archive, workers=Slow())  # type: ignore[arg-type]
        await run_retrieval(house, retrieval, archive=archive)
        row = answers(house, retrieval)[NAME]
        assert (row.outcome, row.documents_new) == ("matched", 2)
