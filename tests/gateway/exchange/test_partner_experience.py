"""What partners teach us, and how those that fail are kept from costing others."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.app.house import House
from gateway.clients.restraint import Restraint
from gateway.model.partner import PartnerProfile
from gateway.model.retrieval import PartnerProgress
from gateway.store import partner_health, partner_lessons
from ihe.namespaces import name
from ihe.saml_writing import AssertionStyle
from ihe.soap import parse_envelope, read_envelope
from ihe.stored_query import FindDocumentsQuery, TimeRange
from ihe.xca_query import read_adhoc_query_request
from ihe.xca_retrieve import read_retrieve_request
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import asking_house, assert_sound, calls, retrieve
from tests.gateway.clients.scripted_partner import (
    Heard,
    Reply,
    discovered,
    listed,
    retrieved,
    scripted,
)
from tests.gateway.demo.simulating import simulated


def _batches(house: House) -> list[str]:
    return [one.outcome for one in calls(house) if one.transaction == "ITI-39"]


def _lessons(house: House) -> list[Any]:
    return list(house.database.read(partner_lessons.list_all))


def test_a_failing_batch_is_split_and_the_lesson_kept(tmp_path: Path) -> None:
    with simulated("one-per-retrieve") as partner, asking_house(tmp_path, [partner]) as house:
        (row,) = retrieve(house).values()
        assert (row.outcome, row.documents_new, row.detail) == ("matched", 3, None)
        assert sorted(_batches(house)) == ["failed", "failed", "success", "success", "success"]
        (lesson,) = _lessons(house)
        assert (lesson.kind, lesson.value) == ("documents_per_retrieve", 1)
        assert lesson.why == "it gave none of 2 documents at once, and then gave 1"
        assert_sound(house)


def test_what_was_learned_is_done_from_then_on_until_it_is_revoked(tmp_path: Path) -> None:
    with simulated("one-per-retrieve") as partner, asking_house(tmp_path, [partner]) as house:

        def learn(tx: Any) -> bool:
            return partner_lessons.learn(
                tx,
                partner=partner.id,
                plan=None,
                kind="documents_per_retrieve",
                value=1,
                why="as before",
                now=datetime.now(UTC),
            )

        assert house.database.write(learn)
        retrieve(house)
        assert _batches(house) == ["success"] * 3


def test_a_partner_that_gives_all_teaches_nothing(tmp_path: Path) -> None:
    with simulated() as partner, asking_house(tmp_path, [partner]) as house:
        retrieve(house)
        assert _lessons(house) == []


def test_a_partner_that_fails_each_time_is_left_alone_and_says_until_when(tmp_path: Path) -> None:
    with simulated("html@ITI-55") as partner, asking_house(tmp_path, [partner]) as house:
        for _ in range(3):
            (row,) = retrieve(house).values()
            assert row.outcome == "failed"
        (row,) = retrieve(house).values()
        assert row.outcome == "not_asked"
        assert row.detail is not None and row.detail.startswith("it failed 3 times in a row since")
        assert row.next_step is not None and "gateway partners list" in row.next_step
        assert len(calls(house)) == 3
        (health,) = house.database.read(partner_health.list_all)
        assert health.reason == "it answered with an HTML page instead of SOAP"
        assert_sound(house)


def test_a_fault_or_a_refusal_is_an_answer_and_leaves_nobody_alone(tmp_path: Path) -> None:
    with simulated("fault-1.2-400@ITI-55") as partner, asking_house(tmp_path, [partner]) as house:
        for _ in range(4):
            (row,) = retrieve(house).values()
            assert row.outcome == "refused"
        assert house.database.read(partner_health.list_all) == ()


def test_ids_are_asked_for_as_the_partner_spells_them(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def note(heard: Heard) -> Reply:
        asked.append(heard.envelope)
        read_retrieve_request(heard.body)
        return retrieved(heard)

    with scripted(ITI_39=note) as script:
        profile = replace(script.partner.profile, repository_id_urn=True, mtom="never")
        partner = replace(script.partner, profile=profile)
        with asking_house(tmp_path, [partner]) as house:
            (row,) = retrieve(house).values()
            assert (row.outcome, row.documents_new) == ("matched", 2)
            assert len(lakeshore.documents(house)) == 2
    assert b"RepositoryUniqueId>urn:oid:2.999.7301.1.3<" in asked[0]
    assert script.packages[-1][0].startswith("application/soap+xml")


async def test_no_more_visits_at_once_than_the_profile_says() -> None:
    restraint, inside, most = Restraint(), 0, 0
    partner = lakeshore.a_partner(profile=_profile(members_at_once=2))

    async def visit() -> None:
        nonlocal inside, most
        async with restraint.visiting(partner) as back_in:
            assert back_in is None
            inside += 1
            most = max(most, inside)
            for _ in range(3):
                await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(visit() for _ in range(6)))
    assert (most, inside) == (2, 0)


async def test_requests_begin_with_the_pause_that_the_profile_demands() -> None:
    restraint = Restraint()
    partner = lakeshore.a_partner(profile=_profile(pause_seconds=0.02))
    began: list[float] = []

    async def ask() -> None:
        await restraint.turn(partner)
        began.append(asyncio.get_running_loop().time())

    await asyncio.gather(*(ask() for _ in range(3)))
    # However late each is woken, it is not before its turn.
    assert began[2] - began[0] > 0.0 and len(set(began)) == 3


def _profile(**changes: Any) -> Any:
    return PartnerProfile(**changes)


def _heard_with(tmp_path: Path, **profile: Any) -> tuple[PartnerProgress, list[bytes]]:
    """The row, and every envelope that the partner got."""
    envelopes: list[bytes] = []

    def discovery(heard: Heard) -> Reply:
        envelopes.append(heard.envelope)
        return Reply(discovered(heard))

    with (
        scripted(ITI_55=discovery, profile=_profile(**profile)) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        (row,) = retrieve(house).values()
        assert_sound(house)
        return row, envelopes


@pytest.mark.parametrize("audience", ["urn:oid:2.999.7301.1", "endpoint"])
def test_our_assertions_are_meant_for_whom_the_profile_says(tmp_path: Path, audience: str) -> None:
    row, (envelope,) = _heard_with(tmp_path, audience=audience)
    assert row.outcome == "matched"
    header = read_envelope(parse_envelope(envelope)).header
    path = "wsse:Security/saml2:Assertion/saml2:Conditions/saml2:AudienceRestriction/saml2:Audience"
    (found,) = header.findall("/".join(name(step) for step in path.split("/")))
    to = header.findtext(name("wsa:To"))
    assert found.text == (to if audience == "endpoint" else audience)


def test_a_partner_may_get_bearer_assertions_and_answers_them(tmp_path: Path) -> None:
    style = AssertionStyle(confirmation="bearer")
    row, (envelope,) = _heard_with(tmp_path, assertion=style)
    assert row.outcome == "matched"
    assert b"cm:bearer" in envelope and b"cm:holder-of-key" not in envelope


def test_once_an_exception_for_sha1_has_ended_nothing_is_sent(tmp_path: Path) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    row, envelopes = _heard_with(tmp_path, sha1_until=yesterday)
    assert envelopes == []
    assert row.outcome == "failed"
    assert row.detail == f"the exception by which we signed with SHA-1 for it ended on {yesterday}"


def test_an_exception_for_sha1_that_our_key_cannot_follow_sends_nothing(tmp_path: Path) -> None:
    row, envelopes = _heard_with(tmp_path, sha1_until=datetime.now(UTC).date())
    assert envelopes == []
    assert row.detail is not None and row.detail.endswith("needs an RSA key of ours")


def _lists(house: House) -> list[str]:
    return [one.outcome for one in calls(house) if one.transaction == "ITI-38"]


def test_a_time_that_is_too_long_is_split_and_the_lesson_kept_until_revoked(
    tmp_path: Path,
) -> None:
    with simulated("long-time") as partner, asking_house(tmp_path, [partner]) as house:
        (row,) = retrieve(house).values()
        assert (row.outcome, row.documents_new, row.detail) == ("matched", 3, None)
        # All time, then five windows of five years, and what is made on demand.
        assert _lists(house) == ["failed"] + ["success"] * 6
        (lesson,) = _lessons(house)
        assert (lesson.kind, lesson.value) == ("query_window_days", 1826)
        assert "XDSRegistryOutOfResources" in lesson.why and lesson.why.endswith("1826 days")
        retrieve(house)
        assert _lists(house)[7:] == ["success"] * 6
        now = datetime.now(UTC)
        house.database.write(
            lambda tx: partner_lessons.revoke(tx, number=lesson.number, by="me", now=now)
        )
        retrieve(house)
        assert _lists(house)[13] == "failed"
        assert_sound(house)


def _late_over_all_time(heard: Heard) -> Reply:
    asked = read_adhoc_query_request(heard.body)
    assert isinstance(asked, FindDocumentsQuery)
    is_long = asked.creation_time == TimeRange() and "stable" in asked.entry_types
    return Reply(listed(heard), delay_seconds=60 if is_long else 0)


def test_a_list_that_is_late_over_all_time_and_comes_in_windows_teaches_that(
    tmp_path: Path,
) -> None:
    with (
        scripted(ITI_38=_late_over_all_time, timeout_seconds=3) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        (row,) = retrieve(house).values()
        assert (row.outcome, row.documents_new, row.detail) == ("matched", 2, None)
        assert _lists(house) == ["failed"] + ["success"] * 6
        (lesson,) = _lessons(house)
        assert (lesson.kind, lesson.value) == ("query_window_days", 1826)
        assert "no answer within" in lesson.why and lesson.why.endswith("listed 1826 days")
        retrieve(house)
        assert _lists(house)[7:] == ["success"] * 6


def test_a_partner_that_is_late_with_any_list_teaches_nothing(tmp_path: Path) -> None:
    with (
        scripted(ITI_38=lambda heard: Reply(b"", delay_seconds=60), timeout_seconds=1) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        (row,) = retrieve(house).values()
        assert row.outcome == "late"
        assert _lessons(house) == []
        assert_sound(house)


def test_a_partner_that_fails_for_any_time_teaches_nothing(tmp_path: Path) -> None:
    with (
        simulated("success-with-errors@ITI-38") as partner,
        asking_house(tmp_path, [partner]) as house,
    ):
        (row,) = retrieve(house).values()
        assert row.outcome == "failed"
        assert row.detail is not None and "XDSRegistryError" in row.detail
        assert _lists(house) == ["failed"] * 3
        assert _lessons(house) == []
