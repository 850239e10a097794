"""Several ways to one community: it is asked once (user-asks 20)."""

import asyncio
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.exchange.deciding import unfile
from gateway.exchange.initiate import once_each
from gateway.model.identity import MemberId, PartnerId, RetrievalId
from gateway.model.partner import Endpoints, Partner, PartnerProfile
from gateway.store import members
from gateway.store import partners as store_partners
from gateway.store import retrievals as store_retrievals
from ihe.discovery import Matched
from ihe.identifiers import HomeCommunityId, UniqueId
from ihe.registry_response import ResponseStatus
from ihe.xca_query import AdhocQueryResponse
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import HOME as ACME
from tests.gateway.clients.asking_house import (
    MEMBER,
    PLAN,
    answers,
    asking_house,
    assert_sound,
    calls,
    new_retrieval,
    retrieval_of,
    retrieve,
    run_retrieval,
)
from tests.gateway.clients.scripted_partner import (
    DOCUMENTS,
    HOME,
    NAME,
    Heard,
    Reply,
    a_match,
    an_entry,
    discovered,
    listed,
    retrieved,
    scripted,
)
from tests.gateway.clients.test_misbehaving_partners import fault

HUB = "Statewide Exchange"
HUB_HOME = HomeCommunityId.parse("2.999.7308.1")
THROUGH = "its records are asked for through "


def test_a_community_that_stands_twice_in_the_directory_is_asked_once(tmp_path: Path) -> None:
    with scripted() as script:
        own = replace(script.partner, id=PartnerId("own"), name="Our Northfield", plan=PLAN)
        with asking_house(tmp_path, [script.partner, own]) as house:
            rows = retrieve(house)
            assert {name: row.outcome for name, row in rows.items()} == {own.name: "matched"}
            assert script.heard == ["ITI_55", "ITI_38", "ITI_39"]
            (retrieval,) = lakeshore.rows_of(house, "retrieval")
            assert retrieval["state"] == "done"


def test_the_entry_that_can_be_asked_is_taken() -> None:
    shared = lakeshore.a_partner(endpoints=Endpoints(iti55="https://a.example/"))
    mute = replace(shared, id=PartnerId("own"), plan=PLAN, endpoints=Endpoints())
    own = replace(mute, endpoints=shared.endpoints)
    other = replace(shared, id=PartnerId("other"), home_community_id=HUB_HOME)
    assert once_each([mute, shared, other]) == (shared, other)
    assert once_each([shared, own, other]) == (own, other)


def test_who_is_reached_by_another_is_asked_with_it_as_long_as_that_one_can_be_asked() -> None:
    hub = lakeshore.a_partner(endpoints=Endpoints(iti55="https://hub.example/"))
    clinic = replace(
        hub,
        id=PartnerId("clinic"),
        home_community_id=HUB_HOME,
        profile=replace(hub.profile, within=hub.home_community_id.urn),
    )
    assert once_each([hub, clinic]) == (hub,)
    assert once_each([clinic]) == (clinic,)
    closed = replace(hub, endpoints=Endpoints())
    assert once_each([closed, clinic]) == (closed, clinic)


def test_records_that_two_partners_name_are_fetched_once(tmp_path: Path) -> None:
    """A hub names the same patient of the same community as the community itself."""
    with (
        scripted() as northfield,
        scripted(name=HUB, home=HUB_HOME) as hub,
        asking_house(tmp_path, [northfield.partner, hub.partner]) as house,
    ):
        rows = retrieve(house)
        assert {row.outcome for row in rows.values()} == {"matched"}
        assert sum(row.documents_new for row in rows.values()) == 2
        assert northfield.heard.count("ITI_38") == northfield.heard.count("ITI_39") == 1
        said = sorted(row.detail or "" for row in rows.values())
        assert said in [["", f"{THROUGH}{name}"] for name in (NAME, HUB)]
        assert_sound(house)


def test_what_was_left_to_a_partner_that_fails_later_is_fetched_after_all(tmp_path: Path) -> None:
    """The hub names the patient first, and is late with its own list until its time is over."""
    retrieval, is_named = RetrievalId(""), threading.Event()
    waiting = "its records are being asked for through another partner"

    def two(heard: Heard) -> Reply:
        found = Matched((a_match(home_community_id=HUB_HOME), a_match()))
        return Reply(discovered(heard, found))

    def second(heard: Heard) -> Reply:
        assert is_named.wait(20), "the hub was never asked for its list"
        return Reply(discovered(heard))

    def late(heard: Heard) -> Reply:
        is_named.set()
        deadline = time.monotonic() + 20
        while answers(house, retrieval)[NAME].detail != waiting:
            assert time.monotonic() < deadline, "nothing was left to the hub"
            time.sleep(0.05)
        return Reply(listed(heard), delay_seconds=30)

    with (
        scripted(ITI_55=second) as northfield,
        scripted(name=HUB, home=HUB_HOME, ITI_55=two, ITI_38=late, timeout_seconds=3) as hub,
        asking_house(tmp_path, [northfield.partner, hub.partner]) as house,
    ):
        retrieval = new_retrieval(house)
        asyncio.run(run_retrieval(house, retrieval))
        rows = answers(house, retrieval)
        assert (rows[HUB].outcome, rows[NAME].outcome) == ("late", "matched")
        assert (rows[NAME].documents_found, rows[NAME].documents_new) == (2, 2)
        assert rows[NAME].detail is None
        assert retrieval_of(house, retrieval).state == "partial"
        assert_sound(house)


def test_the_way_that_is_left_is_taken(tmp_path: Path) -> None:
    """The first partner has failed by the time the second names the same patient."""
    retrieval = RetrievalId("")
    failing = [Reply(fault("Receiver"), status=500)]

    def fail_once(heard: Heard) -> Reply:
        return failing.pop() if failing else well(heard)

    def later(heard: Heard) -> Reply:
        deadline = time.monotonic() + 20
        while answers(house, retrieval)[NAME].outcome is None:
            assert time.monotonic() < deadline, "the first partner never ended"
            time.sleep(0.05)
        return Reply(discovered(heard))

    def well(heard: Heard) -> Reply:
        return Reply(listed(heard))

    with (
        scripted(ITI_38=fail_once) as northfield,
        scripted(name=HUB, home=HUB_HOME, ITI_55=later, timeout_seconds=60) as hub,
        asking_house(tmp_path, [northfield.partner, hub.partner]) as house,
    ):
        retrieval = new_retrieval(house)
        asyncio.run(run_retrieval(house, retrieval))
        rows = answers(house, retrieval)
        assert (rows[NAME].outcome, rows[HUB].outcome) == ("failed", "matched")
        assert rows[HUB].documents_new == 2
        assert retrieval_of(house, retrieval).state == "partial"


def test_we_do_not_ask_ourselves_for_what_a_hub_knows_of_us(tmp_path: Path) -> None:
    ours = HomeCommunityId.parse(ACME)
    found = Matched((a_match(home_community_id=ours), a_match()))

    def both(heard: Heard) -> Reply:
        return Reply(discovered(heard, found))

    ourselves = lakeshore.a_partner("Acme Health Plan", ACME)
    with (
        scripted(ITI_55=both) as script,
        asking_house(tmp_path, [script.partner, ourselves]) as house,
    ):
        rows = retrieve(house)
        assert set(rows) == {NAME}
        said = "it names our own community, too: not asked"
        assert (rows[NAME].outcome, rows[NAME].documents_new, rows[NAME].detail) == (
            "matched", 2, said,
        )  # fmt: skip
        assert calls(house)[0].reason == f"{said}; judged: match (96)"
        assert [one["home_community_id"] for one in lakeshore.rows_of(house, "link")] == [str(HOME)]


def test_who_has_left_the_network_is_asked_nothing_directly_or_through_a_hub(
    tmp_path: Path,
) -> None:
    there = Matched((a_match(home_community_id=HUB_HOME), a_match()))
    with (
        scripted(ITI_55=lambda heard: Reply(discovered(heard, there))) as script,
        scripted(name=HUB, home=HUB_HOME) as left,
    ):
        gone = replace(left.partner, profile=replace(left.partner.profile, retired=True))
        with asking_house(tmp_path, [script.partner, gone]) as house:
            retrieval = new_retrieval(house)
            asyncio.run(run_retrieval(house, retrieval))
            rows = answers(house, retrieval)
            assert set(rows) == {NAME}
            assert (rows[NAME].outcome, rows[NAME].documents_new) == ("matched", 2)
            assert f"({HUB_HOME}) is not in the directory" in (rows[NAME].detail or "")
            assert left.heard == []
            assert retrieval_of(house, retrieval).state == "done"


@pytest.mark.parametrize("has_other_ids", [False, True])
def test_what_is_filed_with_another_member_is_said_and_not_taken_for_the_members(
    has_other_ids: bool, tmp_path: Path
) -> None:
    """A community gives one patient's documents for two members of the plan."""
    twin = replace(MEMBER, id=MemberId("twin"), member_id="DM-7")
    twin = replace(twin, demographics=replace(MEMBER.demographics, ids=()))
    bytes_of = {one: lakeshore.demo_document(file) for one, file in DOCUMENTS.items()}
    ids = dict(zip(DOCUMENTS, DOCUMENTS, strict=True))

    def listing(heard: Heard) -> Reply:
        entries = tuple(map(an_entry, ids))
        return Reply(listed(heard, AdhocQueryResponse(ResponseStatus.SUCCESS, entries=entries)))

    def giving(heard: Heard) -> Reply:
        return retrieved(heard, {id: bytes_of[known] for id, known in ids.items()})

    with (
        scripted(ITI_38=listing, ITI_39=giving) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        retrieve(house)
        house.database.write(lambda tx: members.put(tx, twin))
        if has_other_ids:
            ids = {UniqueId(f"{id}.9"): known for id, known in ids.items()}
        row = retrieve(house, member=twin.id)[NAME]
        assert (row.outcome, row.documents_new) == ("matched", 0)
        assert row.detail == "2 of its documents are filed with another member"
        assert "one person" in (row.next_step or "")
        assert script.heard.count("ITI_39") == 1 + has_other_ids
        assert {one.member for one in lakeshore.documents(house)} == {MEMBER.id}


def test_what_is_held_for_another_member_is_said(tmp_path: Path) -> None:
    """It was fetched for that one, and whose it is nobody has decided."""
    twin = replace(MEMBER, id=MemberId("twin"), member_id="DM-7")
    twin = replace(twin, demographics=replace(MEMBER.demographics, ids=()))
    strange = lakeshore.demo_document("northfield_ccd.xml").replace(b"Rosalind", b"Marguerite")
    known = next(iter(DOCUMENTS))

    def listing(heard: Heard) -> Reply:
        response = AdhocQueryResponse(ResponseStatus.SUCCESS, entries=(an_entry(known),))
        return Reply(listed(heard, response))

    with (
        scripted(ITI_38=listing, ITI_39=lambda heard: retrieved(heard, {known: strange})) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        retrieve(house)
        house.database.write(lambda tx: members.put(tx, twin))
        row = retrieve(house, member=twin.id)[NAME]
        assert script.heard.count("ITI_39") == 1
        assert row.detail == (
            "1 of its documents are held for a person to decide: they were fetched for another"
            " member"
        )
        assert "`held file`" in (row.next_step or "")


def test_what_a_person_has_taken_out_is_said_to_be_not_filed(tmp_path: Path) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        (one, _) = lakeshore.documents(house)
        house.database.write(
            lambda tx: unfile(tx, plan=PLAN, document=one.id, reason="r", now=datetime.now(UTC))
        )
        row = retrieve(house)[NAME]
        assert (row.documents_found, row.documents_new) == (2, 0)
        assert row.detail == "1 of its documents are not filed: a person decided so"


@pytest.mark.parametrize("only_where_located", [False, True])
def test_a_visit_looks_at_its_own_row_however_many_partners_there_are(
    only_where_located: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    made = store_retrievals._progress
    monkeypatch.setattr(store_retrievals, "_progress", lambda row: read.append(row) or made(row))
    listed = store_partners._partner

    def counted(*given: Any) -> Partner:
        read.append(given)
        return listed(*given)

    profile = PartnerProfile(only_where_located=only_where_located)
    many = [
        lakeshore.a_partner(f"Clinic {number}", f"2.999.7310.{number}", profile=profile)
        for number in range(40)
    ]
    with asking_house(tmp_path, many) as house:
        retrieval = new_retrieval(house)
        monkeypatch.setattr(store_partners, "_partner", counted)
        asyncio.run(run_retrieval(house, retrieval))
        assert len(read) < 10 * len(many)
        assert len(answers(house, retrieval)) == len(many)
