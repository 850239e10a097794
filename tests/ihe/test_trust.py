"""Pinned or chained and bound by name: nothing else is believed."""

from datetime import timedelta

import pytest
from cryptography import x509

from ihe.errors import SecurityRefused
from ihe.key_info import KeyInfo, public_key
from ihe.trust import Believed, Trust, believed_certificates, is_in_force, names_in
from tests.certificates import NOW, authority, leaf
from tests.ihe_messages import partner

ANCHORED = Trust(anchors=(authority().certificate,), name="partner.example")


def believe(trust: Trust, *certificates: x509.Certificate) -> tuple[Believed, ...]:
    return believed_certificates(KeyInfo(certificates), trust, now=NOW)


def reason(trust: Trust, *certificates: x509.Certificate) -> str:
    with pytest.raises(SecurityRefused) as refusal:
        believe(trust, *certificates)
    return refusal.value.reason


def test_a_pinned_certificate_is_believed() -> None:
    certificate = partner().certificate
    assert believe(Trust(pinned=(certificate,)), certificate) == (Believed(certificate),)


def test_a_certificate_of_the_network_is_believed_if_it_names_the_partner() -> None:
    certificate = partner().certificate
    assert believe(ANCHORED, certificate) == (
        Believed(certificate, (certificate, authority().certificate)),
    )


def test_another_members_certificate_is_not() -> None:
    other = leaf("Other member", host="other.example").certificate
    assert reason(ANCHORED, other) == "the signing certificate does not name this partner"


def test_a_certificate_of_another_authority_is_not() -> None:
    stranger = leaf("Stranger", issuer="Other Authority", host="partner.example").certificate
    why = "the signing certificate does not chain to the network's anchors"
    assert reason(ANCHORED, stranger) == why
    assert reason(ANCHORED, stranger, authority("Other Authority").certificate) == why


@pytest.mark.parametrize(
    "certificate",
    [
        leaf("partner.example", host="other.example"),
        leaf("Wild", host="*.example"),
        leaf("Upper", host="sub.partner.example"),
    ],
    ids=lambda issued: issued.certificate.subject.rfc4514_string(),
)
def test_a_name_must_be_the_partners_to_the_letter(certificate: object) -> None:
    found = certificate.certificate  # type: ignore[attr-defined]
    assert reason(ANCHORED, found) == "the signing certificate does not name this partner"


def test_a_common_name_counts_only_where_there_is_no_other() -> None:
    assert names_in(leaf("partner.example", host="other.example").certificate) == {"other.example"}
    assert names_in(leaf("plain.example").certificate) == {"plain.example"}


def test_a_certificate_that_may_not_sign_is_not_believed() -> None:
    silent = leaf("Silent", host="partner.example", may_sign=False).certificate
    assert reason(ANCHORED, silent).startswith("the signing certificate does not chain")


def test_a_certificate_must_be_in_force() -> None:
    old = leaf("Expired", host="partner.example", not_after=NOW - timedelta(days=1)).certificate
    young = leaf("Young", host="partner.example", not_before=NOW + timedelta(days=1)).certificate
    for certificate in (old, young):
        assert not is_in_force(certificate, now=NOW)
        assert reason(Trust(pinned=(certificate,)), certificate) == (
            "the partner's signing certificate is not in force"
        )
        assert reason(ANCHORED, certificate).startswith("the signing certificate does not chain")


def test_no_hint_means_all_that_are_pinned_and_in_force() -> None:
    old = leaf("Expired", host="partner.example", not_after=NOW - timedelta(days=1)).certificate
    certificate = partner().certificate
    assert believe(Trust(pinned=(old, certificate))) == (Believed(certificate),)
    assert reason(Trust(pinned=(old,))) == "the partner's signing certificate is not in force"


def test_no_hint_and_nothing_pinned_is_refused() -> None:
    assert reason(ANCHORED) == "the signing key is none that is registered for this partner"
    assert reason(Trust()) == "the signing key is none that is registered for this partner"


def test_a_bare_key_is_only_a_hint_at_a_pinned_certificate() -> None:
    certificate = partner().certificate
    hint = KeyInfo((), public_key(certificate))
    other = leaf("Other").certificate
    found = believed_certificates(hint, Trust(pinned=(other, certificate)), now=NOW)
    assert found == (Believed(certificate),)
    with pytest.raises(SecurityRefused):
        believed_certificates(hint, Trust(pinned=(other,)), now=NOW)
    with pytest.raises(SecurityRefused):
        believed_certificates(hint, ANCHORED, now=NOW)


def test_anchors_without_a_name_are_no_trust() -> None:
    with pytest.raises(ValueError, match="everyone"):
        Trust(anchors=(authority().certificate,))
