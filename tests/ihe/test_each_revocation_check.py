"""Each check of a list or a response alone keeps something out, as in `test_each_check`."""

from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

import ihe.revocation
from ihe.revocation import Decision, Good, Needs, Question, Undecided, decide
from tests.certificates import NOW
from tests.checks import Check, checks_in, without
from tests.issuers import DAY, HOUR, Authority, Issued

CA = Authority("Test CA", NOW)
SILENT = Authority("Silent CA", NOW, may_sign_lists=False)
OTHER = Authority("Other CA", NOW)
LISTED = CA.issue("Listed", crl=True)
RESPONDED = CA.issue("Responded", responder=True)
CHECKS = checks_in(ihe.revocation, "_Unusable")


def decided(leaf: Issued, answer: bytes, by: Authority = CA) -> Decision:
    needs = decide(leaf.certificate, [by.certificate], {}, now=NOW)
    assert isinstance(needs, Needs)
    given: dict[Question, bytes | None] = {needs.question: answer}
    return decide(leaf.certificate, [by.certificate], given, now=NOW)


def respond(**how: object) -> Decision:
    return decided(RESPONDED, CA.ocsp(RESPONDED.certificate, **how))  # type: ignore[arg-type]


def scope(**changes: object) -> bytes:
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


CASES: dict[tuple[str, str], Callable[[], Decision]] = {
    ("_read_response", "is not one of the issuer's"): lambda: respond(by=OTHER.delegate()),
    ("_read_response", "does not know the certificate"): lambda: respond(unknown=True),
    ("_demand_signed", "is signed with a key that may sign none"): lambda: decided(
        SILENT.issue("S", crl=True), SILENT.crl(), SILENT
    ),
    ("_demand_signed", "is signed with an algorithm that we do not take"): lambda: decided(
        LISTED, CA.crl(algorithm=hashes.SHA224())
    ),
    ("_demand_signed", "is not one of the issuer's"): lambda: decided(
        LISTED, CA.crl(by=OTHER.issued)
    ),
    ("_demand_scope", "is of a kind that we do not take"): lambda: decided(
        LISTED, CA.crl(more=((x509.DeltaCRLIndicator(1), True),))
    ),
    ("_demand_scope", "is about other certificates"): lambda: decided(
        LISTED, scope(only_contains_ca_certs=True)
    ),
    ("_demand_current", "is of the future"): lambda: decided(LISTED, CA.crl(at=NOW + 2 * HOUR)),
    ("_demand_current", "is out of date"): lambda: decided(LISTED, CA.crl(at=NOW - DAY)),
}
BACKED = {
    ("_read_response", "gives no answer"): "such a response has no parts to read",
    ("_read_response", "answers about another certificate"): "shown below, by its own condition",
    ("_read_list", "does not say until when it holds"): "nothing here can make such a list",
}


def test_every_check_has_its_answer() -> None:
    assert {(one.function, one.reason) for one in CHECKS} == CASES.keys() | BACKED.keys()


@pytest.mark.parametrize(
    "check",
    [one for one in CHECKS if (one.function, one.reason) in CASES],
    ids=lambda one: f"{one.function}: {one.reason}",
)
def test_without_the_check_its_answer_is_believed(check: Check) -> None:
    case = CASES[check.function, check.reason]
    before = case()
    assert isinstance(before, Undecided) and check.reason in before.reason
    with without(ihe.revocation, check):
        assert isinstance(case(), Good)


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        ("_is_about", lambda: respond(issuer=OTHER.certificate)),
        ("_has_signed", lambda: respond(by=OTHER.issued)),
    ],
)
def test_without_it_its_answer_is_believed(
    monkeypatch: pytest.MonkeyPatch, function: str, answer: Callable[[], Decision]
) -> None:
    assert isinstance(answer(), Undecided)
    monkeypatch.setattr(ihe.revocation, function, lambda *_: True)
    assert isinstance(answer(), Good)


@pytest.mark.parametrize("without_it", ["for_ocsp", "nocheck"])
def test_a_delegates_certificate_must_say_both_that_it_is_one_and_that_it_needs_no_look(
    without_it: str,
) -> None:
    assert isinstance(respond(by=CA.delegate()), Good)
    assert isinstance(respond(by=CA.delegate(**{without_it: False})), Undecided)


def test_without_the_issuers_signature_anybody_were_the_issuer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forger = Authority("Test CA", NOW)
    given: dict[Question, bytes | None] = {Question("crl", CA.crl_url): forger.crl()}
    answer = decide(LISTED.certificate, [forger.certificate], given, now=NOW)
    assert answer == Undecided("the certificate of its issuer is not known")
    monkeypatch.setattr(ihe.revocation, "_has_issued", lambda *_: True)
    assert isinstance(decide(LISTED.certificate, [forger.certificate], given, now=NOW), Good)
