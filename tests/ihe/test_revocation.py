"""Revocation: only the issuer's own word counts, and only while it holds."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import ocsp

from ihe.revocation import (
    Answer,
    Decision,
    Good,
    Needs,
    NotThere,
    Question,
    Revoked,
    Undecided,
    decide,
)
from tests.certificates import NOW
from tests.issuers import DAY, HOUR, Authority, Issued

CA = Authority("Test CA", NOW)
OTHER = Authority("Other CA", NOW)
NAMESAKE = Authority("Test CA", NOW)
LISTED = CA.issue("Listed", crl=True)
RESPONDED = CA.issue("Responded", responder=True)
BOTH = CA.issue("Both", crl=True, responder=True)


def decided(
    leaf: Issued,
    *answers: Answer,
    issuers: tuple[x509.Certificate, ...] = (CA.certificate,),
) -> Decision:
    """What is decided once these are the answers to the questions, in the order asked."""
    given: dict[Question, Answer] = {}
    for answer in answers:
        needs = decide(leaf.certificate, issuers, given, now=NOW)
        assert isinstance(needs, Needs)
        given[needs.question] = answer
    return decide(leaf.certificate, issuers, given, now=NOW)


def undecided(leaf: Issued, *answers: Answer, **how: object) -> str:
    found = decided(leaf, *answers, **how)  # type: ignore[arg-type]
    assert isinstance(found, Undecided), found
    return found.reason


def revoking(leaf: Issued) -> Authority:
    """The authority after it has taken the certificate back."""
    later = Authority.__new__(Authority)
    later.__dict__.update(CA.__dict__, revoked={leaf.certificate.serial_number})
    return later


# ---- questions -------------------------------------------------------------------------------


def test_a_certificate_that_names_nothing_is_good_for_all_anyone_knows() -> None:
    assert decided(CA.issue("Plain")) == Good(None)


def test_the_responder_is_asked_before_the_list() -> None:
    first = decided(BOTH)
    assert isinstance(first, Needs)
    assert (first.question.kind, first.question.url) == ("ocsp", CA.ocsp_url)
    request = ocsp.load_der_ocsp_request(first.question.body or b"")
    assert request.serial_number == BOTH.certificate.serial_number
    second = decided(BOTH, None)
    assert second == Needs(Question("crl", CA.crl_url))


def test_a_list_that_cannot_be_fetched_is_not_the_same_as_none() -> None:
    point = x509.DistributionPoint(
        [x509.UniformResourceIdentifier("ldap://ca.example/cn=x")], None, None, None
    )
    leaf = CA.issue("LDAP", more=((x509.CRLDistributionPoints([point]), False),))
    assert undecided(leaf) == "it names no list that can be fetched"


# ---- lists -----------------------------------------------------------------------------------


def test_who_is_not_on_the_list_is_good_until_the_next_one() -> None:
    assert decided(LISTED, CA.crl()) == Good(NOW - HOUR + DAY)
    pem = x509.load_der_x509_crl(CA.crl()).public_bytes(Encoding.PEM)
    assert decided(LISTED, pem) == Good(NOW - HOUR + DAY)


def test_who_is_on_the_list_is_revoked_even_if_it_is_old() -> None:
    assert decided(LISTED, revoking(LISTED).crl()) == Revoked()
    assert decided(LISTED, revoking(LISTED).crl(at=NOW - 9 * DAY)) == Revoked()


def partial_list(**changes: object) -> bytes:
    given: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    point = x509.IssuingDistributionPoint(**{**given, **changes})  # type: ignore[arg-type]
    return CA.crl(more=((point, True),))


def url(text: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(text)]


ELSE = "is about other certificates"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda: None, "cannot be reached"),
        (lambda: NotThere(404), "is not at its address (HTTP 404)"),
        (lambda: b"", "cannot be read"),
        (lambda: b"<html>", "cannot be read"),
        (lambda: CA.crl(at=NOW - DAY), "is out of date"),
        (lambda: CA.crl(lifetime=HOUR), "is out of date"),
        (lambda: CA.crl(at=NOW + 2 * HOUR), "is of the future"),
        (lambda: CA.crl(by=OTHER.issued), "is not one of the issuer's"),
        (lambda: OTHER.crl(), "is not one of the issuer's"),
        (lambda: NAMESAKE.crl(), "is not one of the issuer's"),
        (lambda: CA.crl(more=((x509.DeltaCRLIndicator(1), True),)), "is of a kind"),
        (lambda: CA.crl(more=((x509.DeltaCRLIndicator(1), False),)), "is of a kind"),
        (lambda: partial_list(only_contains_ca_certs=True), ELSE),
        (lambda: partial_list(only_contains_attribute_certs=True), ELSE),
        (lambda: partial_list(indirect_crl=True), ELSE),
        (
            lambda: partial_list(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise])),
            ELSE,
        ),
        (lambda: partial_list(full_name=url("http://ca.example/other.crl")), ELSE),
    ],
)
def test_a_list_that_says_nothing_of_the_certificate_decides_nothing(
    answer: Callable[[], bytes | None], why: str
) -> None:
    assert undecided(LISTED, answer()).startswith(f"its revocation list {why}")


def test_a_list_in_parts_counts_where_it_is_the_certificates_part() -> None:
    assert isinstance(decided(LISTED, partial_list(only_contains_user_certs=True)), Good)
    assert isinstance(decided(LISTED, partial_list(full_name=url(CA.crl_url))), Good)


def test_an_issuer_that_may_sign_no_lists_has_made_none() -> None:
    silent = CA.issue("Leaf as issuer")
    given = {Question("crl", CA.crl_url): CA.crl(by=silent)}
    # A leaf in the place of the issuer: it has not issued the certificate, so it is not even asked.
    answer = decide(LISTED.certificate, [silent.certificate], given, now=NOW)
    assert answer == Undecided("the certificate of its issuer is not known")


# ---- responders ------------------------------------------------------------------------------


def test_a_responders_good_holds_until_it_says() -> None:
    leaf = RESPONDED.certificate
    assert decided(RESPONDED, CA.ocsp(leaf)) == Good(NOW - HOUR + DAY)
    assert decided(RESPONDED, CA.ocsp(leaf, at=NOW + HOUR, lifetime=None)) == Good(NOW + HOUR)


def test_a_responders_revoked_is_believed() -> None:
    answer = revoking(RESPONDED).ocsp(RESPONDED.certificate)
    assert decided(RESPONDED, answer) == Revoked()


def test_a_delegated_responder_is_believed() -> None:
    delegate = CA.delegate()
    assert isinstance(decided(RESPONDED, CA.ocsp(RESPONDED.certificate, by=delegate)), Good)


def tampered() -> bytes:
    good = bytearray(CA.ocsp(RESPONDED.certificate))
    good[-8] ^= 1
    return bytes(good)


def not_successful() -> bytes:
    builder = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    return builder.public_bytes(Encoding.DER)


STRANGERS = "is not one of the issuer's"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda leaf: None, "cannot be reached"),
        (lambda leaf: b"<html>", "gives no answer that can be read"),
        (lambda leaf: not_successful(), "gives no answer"),
        (lambda leaf: tampered(), STRANGERS),
        (lambda leaf: CA.ocsp(leaf, at=NOW - DAY), "is out of date"),
        (lambda leaf: CA.ocsp(leaf, lifetime=None), "is out of date"),
        (lambda leaf: CA.ocsp(leaf, at=NOW + 2 * HOUR), "is of the future"),
        (lambda leaf: CA.ocsp(leaf, unknown=True), "does not know the certificate"),
        (lambda leaf: CA.ocsp(LISTED.certificate), "answers about another certificate"),
        (lambda leaf: CA.ocsp(leaf, issuer=OTHER.certificate), "answers about another"),
        (lambda leaf: CA.ocsp(leaf, by=OTHER.issued), STRANGERS),
        (lambda leaf: CA.ocsp(leaf, by=OTHER.delegate()), STRANGERS),
        (lambda leaf: CA.ocsp(leaf, by=CA.delegate(for_ocsp=False)), STRANGERS),
        (lambda leaf: CA.ocsp(leaf, by=CA.delegate(nocheck=False)), STRANGERS),
        (lambda leaf: CA.ocsp(leaf, by=CA.delegate(), attached=False), STRANGERS),
        (lambda leaf: CA.ocsp(leaf, by=LISTED), STRANGERS),
    ],
)
def test_a_response_that_says_nothing_of_the_certificate_decides_nothing(
    answer: Callable[[x509.Certificate], bytes | None], why: str
) -> None:
    reason = undecided(RESPONDED, answer(RESPONDED.certificate))
    assert reason.startswith(f"its OCSP responder {why}")


def test_a_delegate_counts_only_while_its_own_certificate_is_in_force() -> None:
    delegate = CA.delegate()
    later = NOW + 40 * DAY
    answer = CA.ocsp(RESPONDED.certificate, by=delegate, at=later)
    given = {decided_question(RESPONDED): answer}
    assert isinstance(decide(RESPONDED.certificate, [CA.certificate], given, now=later), Undecided)


def decided_question(leaf: Issued) -> Question:
    needs = decided(leaf)
    assert isinstance(needs, Needs)
    return needs.question


def test_the_list_is_looked_at_where_the_responder_fails() -> None:
    assert isinstance(decided(BOTH, None, CA.crl()), Good)
    assert decided(BOTH, not_successful(), revoking(BOTH).crl()) == Revoked()
    reason = undecided(BOTH, None, None)
    assert reason == "its OCSP responder cannot be reached; its revocation list cannot be reached"


# ---- the issuer ------------------------------------------------------------------------------

FETCHED = CA.issue("Fetched", crl=True, issuer=True)


@pytest.mark.parametrize(
    "bag",
    [
        CA.certificate.public_bytes(Encoding.DER),
        CA.certificate.public_bytes(Encoding.PEM),
        pkcs7.serialize_certificates([OTHER.certificate, CA.certificate], Encoding.DER),
    ],
)
def test_the_issuer_is_fetched_where_the_certificate_says(bag: bytes) -> None:
    needs = decided(FETCHED, issuers=())
    assert needs == Needs(Question("issuer", CA.issuer_url))
    assert isinstance(decided(FETCHED, bag, CA.crl(), issuers=(OTHER.certificate,)), Good)


STRANGER_CERTIFICATES = [ca.certificate.public_bytes(Encoding.DER) for ca in (OTHER, NAMESAKE)]


@pytest.mark.parametrize("bag", [None, b"", b"junk", *STRANGER_CERTIFICATES])
def test_nobody_else_becomes_the_issuer_by_being_fetched(bag: bytes | None) -> None:
    assert undecided(FETCHED, bag, issuers=()) == "the certificate of its issuer is not known"


def test_without_an_issuer_nothing_is_asked() -> None:
    assert undecided(LISTED, issuers=(OTHER.certificate, NAMESAKE.certificate)) == (
        "the certificate of its issuer is not known"
    )


def test_times_are_compared_to_the_moment() -> None:
    end = NOW - HOUR + DAY
    question = Question("crl", CA.crl_url)
    for now, kind in ((end - timedelta(seconds=1), Good), (end, Undecided)):
        found = decide(LISTED.certificate, [CA.certificate], {question: CA.crl()}, now=now)
        assert isinstance(found, kind)
