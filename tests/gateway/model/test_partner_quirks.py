"""What is known of communities is matched by OID, address or name, and is harmless."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from gateway.model.partner import Endpoints, PartnerProfile
from gateway.model.partner_quirks import Quirk, known_quirks, quirks_of
from ihe.identifiers import HomeCommunityId


def who(home: str, name: str = "Somebody", url: str | None = None) -> list[str]:
    found = quirks_of(name, HomeCommunityId.parse(home), Endpoints(iti55=url))
    return [one.who for one in found]


def test_a_community_is_known_by_its_oid_and_everything_under_it() -> None:
    assert who("1.2.840.114350.1.13.99.3") == ["Epic"]
    assert who("1.2.840.114350.1.131.99") == []
    assert who("2.16.840.1.113883.3.6147") == ["Redox"]
    assert who("2.999.1", "The eHealth Exchange Hub") == ["eHealth Exchange hub"]


def test_a_community_is_known_by_its_address() -> None:
    quirk = Quirk("Sender", urls=("https://gw.sender.example/",))
    home = HomeCommunityId.parse("2.999.1")
    assert quirk.concerns("x", home, Endpoints(iti38="https://GW.sender.example/xca"))
    assert not quirk.concerns("x", home, Endpoints(iti38="https://other.example/"))


def test_every_quirk_is_a_profile_or_advice_for_a_person() -> None:
    for quirk in known_quirks():
        assert quirk.profile or quirk.advice
        assert PartnerProfile(**quirk.profile) != PartnerProfile() or quirk.advice


@pytest.mark.parametrize("key", ["bearer_accepted", "confirmation_required", "mtom"])
def test_a_quirk_cannot_weaken_security(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        Quirk("Sender", profile={key: True})


def test_every_key_of_a_profile_is_explained_once_with_its_default() -> None:
    page = (Path(__file__).parents[3] / "docs/partners.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| ([^|]+) \|", page, re.MULTILINE)
    assert sorted(key for key, _ in rows) == sorted(one.name for one in fields(PartnerProfile))
    default, words = PartnerProfile(), {"none": (None, ()), "true": (True,), "false": (False,)}
    for key, stated in rows:
        value = getattr(default, key)
        if stated in words:
            assert value in words[stated], key
        elif stated.isdigit():
            assert value == int(stated), key
