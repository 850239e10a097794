"""Revocation looked up in earnest: over HTTP, remembered until it is out of date."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.clients.fetch import Fetcher
from gateway.clients.revocation import RevocationChecks, Strictness
from gateway.demo.certificates import Issued
from gateway.settings_addresses import PrivateAddresses
from ihe.errors import SecurityRefused
from tests.issuers import DAY, HOUR, Answering, Authority, answering

NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass
class Place:
    """An authority that answers over HTTP, and whoever asks it; `now` is its clock."""

    served: Answering
    authority: Authority
    checks: RevocationChecks
    now: datetime = NOW

    def require(
        self, leaf: Issued, *, pinned: bool = False, strictness: Strictness = "required"
    ) -> None:
        self.checks.require(
            [leaf.certificate],
            anchors=[self.authority.certificate],
            pinned=pinned,
            strictness=strictness,
        )

    def refused(self, leaf: Issued, **how: Any) -> str:
        with pytest.raises(SecurityRefused) as refusal:
            self.require(leaf, **how)
        return refusal.value.reason


@pytest.fixture
def place() -> Iterator[Place]:
    with answering() as served:
        authority = Authority("CA", NOW, served.base)
        fetcher = Fetcher(PrivateAddresses.of([served.address]), seconds=2)
        place = Place(served, authority, RevocationChecks(fetcher, clock=lambda: place.now))
        served.answer = lambda path, body: authority.answer(path, body, {})
        yield place


def responding(place: Place, leaf: Issued) -> None:
    known = {leaf.certificate.serial_number: leaf.certificate}
    place.served.answer = lambda path, body: place.authority.answer(path, body, known)


UNKNOWN = "whether the certificate was revoked is unknown: "


def test_a_list_is_fetched_once_for_all_certificates_and_refuses_the_revoked(place: Place) -> None:
    good, also, bad = (place.authority.issue(name, crl=True) for name in ("A", "B", "C"))
    place.authority.revoke(bad)
    for _ in range(3):
        place.require(good)
    place.require(also)
    assert place.refused(bad) == "the certificate was revoked"
    assert place.served.asked == ["/list.crl"]


def test_a_responder_is_asked_once_until_its_answer_is_out_of_date(place: Place) -> None:
    leaf = place.authority.issue("A", responder=True)
    responding(place, leaf)
    place.require(leaf)
    place.require(leaf)
    assert place.served.asked == ["/ocsp"]
    place.authority.revoke(leaf)
    place.now += 13 * HOUR
    assert place.refused(leaf) == "the certificate was revoked"
    assert place.served.asked == ["/ocsp"] * 2


def test_a_list_outlives_its_server_until_its_next_update_and_no_longer(place: Place) -> None:
    leaf = place.authority.issue("A", crl=True)
    place.require(leaf)
    place.served.answer = lambda _path, _body: 503
    place.now = NOW + 20 * HOUR
    place.require(leaf)
    place.now = NOW + DAY
    assert place.refused(leaf) == f"{UNKNOWN}its revocation list is out of date"


@pytest.mark.parametrize("pinned", [True, False])
def test_whoever_cannot_be_reached_refuses_and_is_left_alone_for_a_minute(
    place: Place, pinned: bool
) -> None:
    leaf = place.authority.issue("A", crl=True)
    place.served.answer = lambda _path, _body: 503
    for _ in range(3):
        reason = place.refused(leaf, pinned=pinned)
        assert reason == f"{UNKNOWN}its revocation list cannot be reached"
    assert place.served.asked == ["/list.crl"]
    place.served.answer = lambda path, body: place.authority.answer(path, body, {})
    place.now += timedelta(minutes=1)
    place.require(leaf)


@pytest.mark.parametrize("status", [404, 410])
def test_a_list_that_is_not_at_its_address_refuses_and_is_said_to_be_gone(
    place: Place, status: int
) -> None:
    leaf = place.authority.issue("A", crl=True)
    place.served.answer = lambda _path, _body: status
    gone = f"{UNKNOWN}its revocation list is not at its address (HTTP {status})"
    assert place.refused(leaf) == gone
    assert place.refused(leaf) == gone  # asked no second time within a minute
    assert place.served.asked == ["/list.crl"]
    place.served.answer = lambda path, body: place.authority.answer(path, body, {})
    place.now += timedelta(minutes=1)
    place.require(leaf)


def test_a_list_that_is_taken_away_holds_until_it_is_out_of_date(place: Place) -> None:
    leaf = place.authority.issue("A", crl=True)
    place.require(leaf)
    place.served.answer = lambda _path, _body: 404
    place.now = NOW + 20 * HOUR
    place.require(leaf)
    place.now = NOW + DAY
    assert place.refused(leaf) == f"{UNKNOWN}its revocation list is out of date"


def test_a_laxer_network_takes_what_cannot_be_found_out_and_refuses_the_revoked(
    place: Place,
) -> None:
    leaf = place.authority.issue("A", crl=True)
    place.served.answer = lambda _path, _body: 503
    place.require(leaf, strictness="when_reachable")
    place.served.answer = lambda path, body: place.authority.answer(path, body, {})
    place.authority.revoke(leaf)
    place.now += timedelta(minutes=1)
    assert place.refused(leaf, strictness="when_reachable") == "the certificate was revoked"
    place.require(leaf, strictness="off")


def test_only_a_pinned_certificate_may_name_no_list(place: Place) -> None:
    leaf = place.authority.issue("A")
    place.require(leaf, pinned=True)
    assert place.refused(leaf) == f"{UNKNOWN}it names no list in which that could be seen"


def test_a_forged_list_refuses(place: Place) -> None:
    leaf = place.authority.issue("A", crl=True)
    forger = Authority("CA", NOW, place.served.base)
    place.served.answer = lambda path, body: forger.answer(path, body, {})
    assert place.refused(leaf) == f"{UNKNOWN}its revocation list is not one of the issuer's"


def test_a_pinned_certificates_issuer_is_fetched(place: Place) -> None:
    leaf = place.authority.issue("A", crl=True, issuer=True)
    place.checks.require([leaf.certificate], anchors=[], pinned=True, strictness="required")
    assert place.served.asked == ["/ca.cer", "/list.crl"]


def test_every_certificate_of_a_chain_is_looked_up_but_for_the_anchor(place: Place) -> None:
    anchor = place.authority.certificate
    middle = place.authority.issue("Middle", crl=True)
    leaf = place.authority.issue("A", crl=True)
    place.authority.revoke(middle)
    with pytest.raises(SecurityRefused, match="was revoked"):
        place.checks.require(
            [leaf.certificate, middle.certificate, anchor],
            anchors=[anchor],
            pinned=False,
            strictness="required",
        )


def test_without_an_allowed_address_loopback_is_not_asked(place: Place) -> None:
    leaf = place.authority.issue("A", crl=True)
    place.checks = RevocationChecks(Fetcher(), clock=lambda: place.now)
    assert place.refused(leaf) == f"{UNKNOWN}its revocation list cannot be reached"
    assert place.served.asked == []
