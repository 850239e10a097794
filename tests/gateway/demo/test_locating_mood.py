"""A simulated Health Data Locator, well behaved and not: what a retrieval and a check say of it."""

from pathlib import Path

import pytest

from gateway.demo.simulator.holdings import ELSEWHERE
from tests.gateway.clients.asking_house import MEMBER, asking_house, assert_sound, calls, retrieve
from tests.gateway.demo.simulating import simulated
from tests.gateway.demo.walking import walk


@pytest.mark.parametrize("mood", [(), ("other-location",)])
def test_what_a_locator_tells_is_said_and_what_is_wrong_named(
    tmp_path: Path, mood: tuple[str, ...]
) -> None:
    is_wrong = mood == ("other-location",)
    with (
        simulated(*mood, health_data_locator=True) as partner,
        asking_house(tmp_path, [partner]) as house,
    ):
        (row,) = retrieve(house).values()
        detail = row.detail or ""
        assert (f"the member is known to {ELSEWHERE}" in detail) != is_wrong
        assert ("1 of the locations that it tells cannot be used" in detail) == is_wrong
        (record,) = [one for one in calls(house) if one.transaction == "ITI-56"]
        assert ("1 of the locations" in (record.reason or "")) == is_wrong
        found = [one for one in walk(house, partner, member=MEMBER) if one.place == "ITI-56"]
        wrong = [one for one in found if one.level == "deviation"]
        assert [one.text for one in wrong] == (
            ["RequestedPatientId is not the one that was asked for"] if is_wrong else []
        )
        if is_wrong:
            assert "3.56.4.2.2" in (wrong[0].section or "") and wrong[0].fragment is not None
        else:
            assert "it tells of 1 locations" in [one.text for one in found]
        assert_sound(house)
