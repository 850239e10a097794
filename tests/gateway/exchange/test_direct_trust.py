"""Trust decided in earnest: intermediates, lists and responders fetched over HTTP."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from direct.chain import Rule
from direct.discovery import Found, NotFound, Records, Services
from direct.trust import Strictness, Verdict
from gateway.clients.fetch import Fetcher
from gateway.clients.revocation import RevocationChecks
from gateway.exchange.direct_discovery import Lookups, find_certificate, why_not_found
from gateway.exchange.direct_trust import DirectTrust
from gateway.model.direct_anchors import Direction, Reach
from tests.certificates import Issued
from tests.gateway.direct_place import Place, a_place
from tests.issuers import DAY, HOUR
from tests.signed_bundles import bag

ADDRESS = "drsmith@direct.clinic.example"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with a_place(tmp_path) as made:
        yield made


def judged(
    trust: DirectTrust,
    leaf: Issued,
    direction: Direction = "incoming",
    domain: str = "plan.example",
) -> Verdict:
    return trust.judge(leaf.certificate, address=ADDRESS, domain=domain, direction=direction)


def test_intermediate_and_lists_are_fetched_and_remembered(place: Place) -> None:
    place.anchor(place.root.certificate)
    leaf = place.issuing.leaf(ADDRESS, issuer=True)
    trust = place.trust
    verdict = judged(trust, leaf)
    assert verdict.trusted, verdict.reasons
    assert verdict.chain == (leaf.certificate, place.issuing.certificate, place.root.certificate)
    assert [one.source.url for one in verdict.revocation] == [
        place.issuing.crl_url,
        place.root.crl_url,
    ]
    asked = ["/ca/issuing/ca.cer", "/ca/issuing/list.crl", "/ca/root/list.crl"]
    assert place.served.asked == asked
    assert judged(trust, leaf).trusted
    assert judged(trust, place.issuing.leaf(ADDRESS, issuer=True)).trusted
    assert place.served.asked == asked
    place.now += 13 * HOUR
    assert judged(trust, leaf).trusted
    assert len(place.served.asked) == 6, "a list that says it holds longer is asked for anew"


@pytest.mark.parametrize("indefinite", [False, True], ids=["der", "ber"])
def test_an_intermediate_comes_as_p7c_in_der_and_ber(place: Place, indefinite: bool) -> None:
    place.anchor(place.root.certificate)
    held = bag([place.issuing.certificate])
    if indefinite:
        inner = held[4:]
        held = b"\x30\x80" + inner + b"\0\0"
    place.files["/ca/issuing/ca.cer"] = held
    assert judged(place.trust, place.issuing.leaf(ADDRESS, issuer=True)).trusted


def test_ocsp_is_asked_over_http(place: Place) -> None:
    place.anchor(place.root.certificate)
    leaf = place.issuing.leaf(ADDRESS, issuer=True, ocsp=True)
    place.known[leaf.certificate.serial_number] = leaf.certificate
    verdict = judged(place.trust, leaf)
    assert verdict.trusted, verdict.reasons
    assert verdict.revocation[0].source.kind == "ocsp"
    place.issuing.revoke(leaf)  # type: ignore[arg-type]
    revoked = judged(place.trust, leaf)
    assert [one.rule for one in revoked.refusals] == [Rule.REVOKED]


def test_a_certificate_revoked_by_list_is_refused_at_the_next_look(place: Place) -> None:
    place.anchor(place.root.certificate)
    leaf = place.issuing.leaf(ADDRESS, issuer=True)
    trust = place.trust
    assert judged(trust, leaf).trusted
    place.issuing.revoke(leaf)  # type: ignore[arg-type]
    place.now += 13 * HOUR
    assert judged(trust, leaf).reasons == ("the certificate was revoked",)


def test_a_list_that_cannot_be_had_refuses_and_a_setting_lets_it_pass(place: Place) -> None:
    place.anchor(place.root.certificate)
    leaf = place.issuing.leaf(ADDRESS, issuer=True)
    place.files["/ca/issuing/list.crl"] = 503
    refused = judged(place.trust, leaf)
    assert [one.rule for one in refused.refusals] == [Rule.REVOCATION_UNKNOWN]
    lax = DirectTrust(
        place.database,
        place.trust.checks,
        strictness=Strictness("when_reachable"),
        clock=lambda: place.now,
    )
    verdict = judged(lax, leaf)
    assert verdict.trusted
    assert "cannot be reached" in verdict.remarks[0]


def test_a_list_kept_from_before_holds_until_it_is_out_of_date(place: Place) -> None:
    place.anchor(place.root.certificate)
    leaf = place.issuing.leaf(ADDRESS, issuer=True)
    trust = place.trust
    assert judged(trust, leaf).trusted
    place.served.answer = lambda _path, _body: 503
    place.now += 14 * HOUR
    assert judged(trust, leaf).trusted
    place.now += DAY
    assert judged(trust, leaf).refusals[0].rule == Rule.REVOCATION_UNKNOWN


@pytest.mark.parametrize("silent", ["list.crl", "ca.cer"])
def test_while_an_issuer_is_silent_a_certificate_is_refused_and_looked_for_again(
    place: Place, silent: str
) -> None:
    place.anchor(place.root.certificate)
    leaf = place.issuing.leaf(ADDRESS, issuer=True)
    place.files[f"/ca/issuing/{silent}"] = 503
    ended = looked_for(place, leaf)
    assert isinstance(ended, NotFound)
    assert not ended.certain
    assert why_not_found(ended).startswith("no certificate of it is trusted: ")
    del place.files[f"/ca/issuing/{silent}"]
    assert isinstance(looked_for(place, leaf), Found)


def test_a_list_that_is_not_at_its_address_is_said_so_and_looked_for_again(place: Place) -> None:
    place.anchor(place.root.certificate)
    leaf = place.issuing.leaf(ADDRESS, issuer=True)
    place.files["/ca/issuing/list.crl"] = 404
    ended = looked_for(place, leaf)
    assert isinstance(ended, NotFound)
    assert not ended.certain
    assert why_not_found(ended) == (
        "no certificate of it is trusted: whether the certificate was revoked is unknown: "
        "its revocation list is not at its address (HTTP 404)"
    )
    del place.files["/ca/issuing/list.crl"]
    assert isinstance(looked_for(place, leaf), Found)


class Published:
    """A DNS that has this one certificate of the address."""

    def __init__(self, issued: Issued) -> None:
        self.der = issued.certificate.public_bytes(Encoding.DER)

    def certificates(self, name: str) -> Records:
        return Records((self.der,) if name == ADDRESS.replace("@", ".") else ())

    def services(self, _name: str) -> Services:
        return Services()


def looked_for(place: Place, leaf: Issued) -> Found | NotFound:
    trust = place.trust

    def judge(one: x509.Certificate, address: str, others: Sequence[x509.Certificate]) -> Verdict:
        return trust.judge(
            one, address=address, domain="plan.example", direction="outgoing", others=others
        )

    lookups = Lookups(Published(leaf), None, place.fetcher)  # type: ignore[arg-type] - no LDAP
    return find_certificate(ADDRESS, lookups=lookups, judge=judge)


def test_anchors_count_for_their_domain_and_direction(place: Place) -> None:
    place.anchor(place.root.certificate, reach=Reach("plan.example", outgoing=False))
    leaf = place.issuing.leaf(ADDRESS, issuer=True)
    assert judged(place.trust, leaf, "incoming").trusted
    for direction, domain in (("outgoing", "plan.example"), ("incoming", "other.example")):
        verdict = judged(place.trust, leaf, direction, domain)  # type: ignore[arg-type]
        assert verdict.reasons == ("there is no anchor to trust in this direction",)


def test_what_goes_out_is_judged_for_encryption(place: Place) -> None:
    place.anchor(place.root.certificate)
    signing = place.issuing.leaf(ADDRESS, issuer=True, usages=["digital_signature"])
    assert judged(place.trust, signing, "incoming").trusted
    assert [one.rule for one in judged(place.trust, signing, "outgoing").refusals] == [Rule.USAGE]


def test_addresses_that_are_not_public_are_not_asked(place: Place) -> None:
    """A certificate may name any address, ours inside the house too."""
    place.anchor(place.root.certificate)
    trust = DirectTrust(place.database, RevocationChecks(Fetcher()))
    verdict = judged(trust, place.issuing.leaf(ADDRESS, issuer=True))
    assert [one.rule for one in verdict.refusals] == [Rule.ANCHOR]
    assert place.served.asked == []


def test_a_certificate_with_a_hundred_lists_costs_no_hundred_questions(place: Place) -> None:
    place.anchor(place.root.certificate)
    points = [
        x509.DistributionPoint(
            [x509.UniformResourceIdentifier(f"{place.served.base}/none/{number}")], None, None, None
        )
        for number in range(100)
    ]
    leaf = place.issuing.leaf(
        ADDRESS, issuer=True, crl=False, more=[(x509.CRLDistributionPoints(points), False)]
    )
    verdict = judged(place.trust, leaf)
    assert [one.rule for one in verdict.refusals] == [Rule.REVOCATION_UNKNOWN] * len(
        verdict.refusals
    )
    assert len(place.served.asked) <= 16


def test_what_lies_at_an_address_and_is_no_certificate_is_refused(place: Place) -> None:
    place.anchor(place.root.certificate)
    leaf = place.issuing.leaf(ADDRESS, issuer=True)
    for content in (b"", b"<html/>", place.root.certificate.public_bytes(Encoding.PEM)):
        place.files["/ca/issuing/ca.cer"] = content
        assert [one.rule for one in judged(place.trust, leaf).refusals] == [Rule.ANCHOR]
