"""Partners by name, by community and by the certificate they show; links, rules and tokens."""

import base64
import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.model.identity import MemberId, PartnerId
from gateway.model.link import Link
from gateway.model.partner import PartnerProfile
from gateway.model.policy import Rule
from gateway.store import links, partners, policy_rules, tokens
from gateway.store.database import Database
from gateway.store.errors import UnknownId
from gateway.store.scope import ALL_PLANS
from ihe.identifiers import HomeCommunityId, PatientId
from tests.gateway.store.builders import ACME, NOW, OTHER, a_partner

P1, M1 = PartnerId("p1"), MemberId("m1")
DER = b"not really a certificate"
PEM = (
    "-----BEGIN CERTIFICATE-----\n"
    + base64.b64encode(DER).decode()
    + "\n-----END CERTIFICATE-----\n"
)
FINGERPRINT = hashlib.sha256(DER).hexdigest()


def test_a_partner_comes_back_whole(house: Database) -> None:
    partner = a_partner(
        network="carequality",
        tls_certificates=(PEM,),
        signing_certificates=(PEM, PEM),
        profile=PartnerProfile(timeout_seconds=5.0, bearer_accepted=True),
    )
    house.write(lambda t: partners.put(t, partner))
    assert house.read(lambda t: partners.get(t, plan=ACME, partner=P1)) == partner
    assert house.read(partners.pinned) == (PEM,)


def test_a_changed_partner_is_read_as_it_is_now(house: Database) -> None:
    for profile in (PartnerProfile(), PartnerProfile(same_certificate=True), PartnerProfile()):
        changed = a_partner(tls_certificates=(PEM,), profile=profile)
        house.write(lambda t, changed=changed: partners.put(t, changed))  # type: ignore[misc]
        found = house.read(lambda t: partners.by_certificate(t, fingerprint=FINGERPRINT))
        assert found == (changed,)


def test_a_changed_rule_is_read_as_it_is_now(house: Database) -> None:
    for code in (("N",), ("N", "R"), ("N",)):
        rule = Rule("a rule", ACME, confidentiality=code)
        house.write(lambda t, rule=rule: policy_rules.put(t, rule))  # type: ignore[misc]
        assert house.read(lambda t: policy_rules.list_all(t, plan=ACME)) == (rule,)
    house.write(lambda t: policy_rules.remove(t, plan=ACME, name="a rule"))
    assert house.read(lambda t: policy_rules.list_all(t, plan=ACME)) == ()


def test_a_plan_sees_its_own_partners_and_the_shared_ones(house: Database) -> None:
    shared = a_partner("p2", plan=None)
    house.write(lambda t: partners.put(t, shared))
    assert house.read(lambda t: partners.list_all(t, plan=OTHER)) == (shared,)
    assert [p.id for p in house.read(lambda t: partners.list_all(t, plan=ACME))] == ["p1", "p2"]
    assert len(house.read(lambda t: partners.list_all(t, plan=ALL_PLANS))) == 2
    assert house.read(lambda t: partners.get(t, plan=OTHER, partner=P1)) is None


def test_a_caller_is_known_by_the_certificate_it_shows(house: Database) -> None:
    house.write(lambda t: partners.put(t, a_partner(tls_certificates=(PEM,))))
    found = house.read(lambda t: partners.by_certificate(t, fingerprint=FINGERPRINT.upper()))
    assert [partner.id for partner in found] == ["p1"]
    signing = house.read(
        lambda t: partners.by_certificate(t, fingerprint=FINGERPRINT, usage="signing")
    )
    assert signing == ()


def test_a_certificate_taken_back_no_longer_names_anyone(house: Database) -> None:
    house.write(lambda t: partners.put(t, a_partner(tls_certificates=(PEM,))))
    house.write(lambda t: partners.put(t, a_partner()))
    assert house.read(lambda t: partners.by_certificate(t, fingerprint=FINGERPRINT)) == ()


def test_what_is_no_certificate_is_refused(house: Database) -> None:
    with pytest.raises(ValueError, match="PEM"):
        house.write(lambda t: partners.put(t, a_partner(tls_certificates=("hello",))))


def test_a_community_is_found_in_the_directory(house: Database) -> None:
    home = HomeCommunityId.parse("urn:oid:2.999.7")
    found = house.read(lambda t: partners.by_home_community(t, plan=ACME, home_community_id=home))
    assert [partner.id for partner in found] == ["p1"]


def test_a_removed_partner_is_gone_with_its_links(house: Database) -> None:
    house.write(lambda t: links.put(t, _link()))
    assert house.write(lambda t: partners.remove(t, plan=OTHER, partner=P1)) is False
    assert house.write(lambda t: partners.remove(t, plan=ACME, partner=P1)) is True
    assert house.read(lambda t: links.of_member(t, plan=ACME, member=M1)) == ()


def _link(**changes: object) -> Link:
    values: dict[str, object] = {
        "plan": ACME,
        "member": M1,
        "partner": P1,
        "home_community_id": HomeCommunityId.parse("2.999.7"),
        "patient_id": PatientId.parse("123^^^&2.999.7.1&ISO"),
        "state": "held",
        "found": NOW,
        "score": 0.75,
    }
    return Link(**{**values, **changes})  # type: ignore[arg-type]


def test_a_link_is_found_from_both_ends(house: Database) -> None:
    link = _link()
    house.write(lambda t: links.put(t, link))
    assert house.read(lambda t: links.of_member(t, plan=ACME, member=M1, partner=P1)) == (link,)
    found = house.read(
        lambda t: links.by_patient(
            t, plan=ACME, home_community_id=link.home_community_id, patient_id=link.patient_id
        )
    )
    assert found == (link,)
    assert house.read(lambda t: links.of_member(t, plan=OTHER, member=M1)) == ()


def test_a_held_link_waits_until_a_person_decides(house: Database) -> None:
    link = _link()
    house.write(lambda t: links.put(t, link))
    assert house.read(lambda t: links.held(t, plan=ACME)) == (link,)
    assert house.write(lambda t: links.decide(t, link, state="confirmed")) is True
    assert house.read(lambda t: links.held(t, plan=ACME)) == ()
    (decided,) = house.read(lambda t: links.of_member(t, plan=ACME, member=M1))
    assert (decided.state, decided.is_decided) == ("confirmed", True)
    assert house.write(lambda t: links.decide(t, link, state="held")) is True
    assert house.read(lambda t: links.held(t, plan=ACME)) == (link,)
    assert house.read(lambda t: links.held(t, plan=OTHER)) == ()


def test_held_links_come_page_by_page_the_longest_found_first(house: Database) -> None:
    waiting = [
        _link(
            patient_id=PatientId.parse(f"{number}^^^&2.999.7.1&ISO"),
            found=NOW + timedelta(microseconds=later),
        )
        for number, later in enumerate((2, 1, 1, 1, 0))
    ]
    for link in waiting:
        house.write(lambda t, link=link: links.put(t, link))
    ordered = house.read(lambda t: links.held(t, plan=ACME))
    assert [one.found for one in ordered] == sorted(one.found for one in waiting)
    for size in range(1, 6):
        pages: list[Link] = []
        place: str | None = None
        while page := house.read(
            lambda t, place=place, size=size: links.held(t, plan=ACME, after=place, limit=size)
        ):
            pages += page
            place = links.place(page[-1])
        assert pages == list(ordered)
    # What was passed may be decided meanwhile; what is found anew meanwhile leaves nothing out.
    place = links.place(ordered[1])
    house.write(lambda t: links.decide(t, ordered[1], state="rejected"))
    assert house.read(lambda t: links.held(t, plan=ACME, after=place)) == ordered[2:]
    house.write(lambda t: links.put(t, replace(ordered[1], found=NOW + timedelta(days=1))))
    rest = house.read(lambda t: links.held(t, plan=ACME, after=place))
    assert set(rest) >= set(ordered[2:])
    for nowhere in ("", "x", "20260101T000000-a", "1"):
        with pytest.raises(UnknownId):
            house.read(lambda t, nowhere=nowhere: links.held(t, plan=ACME, after=nowhere))


def test_rules_are_kept_by_name(house: Database) -> None:
    rule = Rule("offer", ACME, partner=P1, purpose="TREATMENT", confidentiality=("N", "R"))
    house.write(lambda t: policy_rules.put(t, Rule("offer", ACME)))
    house.write(lambda t: policy_rules.put(t, rule))
    assert house.read(lambda t: policy_rules.list_all(t, plan=ACME)) == (rule,)
    assert house.read(lambda t: policy_rules.list_all(t, plan=OTHER)) == ()
    assert house.write(lambda t: policy_rules.remove(t, plan=ACME, name="offer")) is True


def test_a_token_names_its_caller_until_it_expires_or_is_revoked(house: Database) -> None:
    later = NOW + timedelta(days=1)
    token, secret = house.write(
        lambda t: tokens.create(t, plan=ACME, name="Ann", role="staff", now=NOW, expires=later)
    )
    assert house.read(lambda t: tokens.verify(t, secret=secret, now=NOW)) == token.caller
    assert house.read(lambda t: tokens.verify(t, secret=secret, now=later)) is None
    assert house.read(lambda t: tokens.verify(t, secret="guess", now=NOW)) is None
    assert house.write(lambda t: tokens.revoke(t, plan=OTHER, token=token.id, now=NOW)) is False
    assert house.write(lambda t: tokens.revoke(t, plan=ACME, token=token.id, now=NOW)) is True
    assert house.read(lambda t: tokens.verify(t, secret=secret, now=NOW)) is None
    (listed,) = house.read(lambda t: tokens.list_all(t, plan=ACME))
    assert (listed.caller.name, listed.revoked) == ("Ann", NOW)
