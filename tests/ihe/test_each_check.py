"""Each check alone keeps something out: without it, a message that it refuses is taken.

The checks are found in the source, not listed by hand: one that is added without a message here
fails `test_every_check_has_its_message`. Where another check stands behind the one that is taken
out, the table says which: the message is then refused for that reason.
"""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from math import gcd
from types import ModuleType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from lxml import etree
from lxml.etree import _Element as Element

import ihe.key_info
import ihe.saml
import ihe.signature
import ihe.signature_shape
import ihe.strict_signature
import ihe.trust
import ihe.wire
import ihe.ws_verification
from ihe.errors import SecurityRefused
from ihe.key_info import write_key_info
from ihe.namespaces import EXCLUSIVE, name
from ihe.saml import BEARER, write_time
from ihe.signature import Signed
from ihe.soap import ITI_38_ANSWER
from ihe.trust import Trust
from ihe.wire import open_answer, open_request, seal_answer
from tests.certificates import NOW, Issued, authority, leaf
from tests.checks import Check, checks_in, without
from tests.ihe_messages import (
    ASSERTION,
    ENVELOPED,
    SECURITY,
    a_request,
    an_assertion,
    copy_of,
    detach,
    expected,
    find,
    mallory,
    mallorys_request,
    partner,
    replace_assertion,
    resign,
    sign_again,
    sign_timestamp,
    signed_by,
    tree,
    trust,
)

MINUTE = timedelta(minutes=1)
SIGNATURE = f"{ASSERTION}/ds:Signature"
MODULES = (
    ihe.ws_verification, ihe.saml, ihe.trust, ihe.key_info, ihe.signature, ihe.signature_shape,
    ihe.strict_signature, ihe.wire,
)  # fmt: skip
CHECKS = [(module, check) for module in MODULES for check in checks_in(module, "SecurityRefused")]


@dataclass(frozen=True, slots=True)
class Case:
    """A message: how it is opened, and who stands behind the check if anybody does."""

    open: Callable[[], object]
    behind: str | None = None


def request(root: Element, believed: Trust | None = None, **changes: object) -> object:
    data = etree.tostring(root)
    return open_request(data, believed or trust(), replace(expected(), **changes))  # type: ignore[arg-type]


def asserting(change: Callable[[Element], None]) -> Element:
    """A request whose assertion was changed before the partner signed it."""
    root = tree(a_request())
    assertion = find(root, ASSERTION)
    change(assertion)
    replace_assertion(root, signed_by(assertion, partner()))
    sign_timestamp(root, partner().signing_key)
    return root


def stating(**changes: object) -> Element:
    return tree(a_request(assertion=an_assertion(**changes)))


def timed(*times: tuple[str, str]) -> Element:
    root = tree(a_request())
    timestamp = find(root, f"{SECURITY}/wsu:Timestamp")
    for child in list(timestamp):
        timestamp.remove(child)
    for prefixed, text in times:
        etree.SubElement(timestamp, name(prefixed)).text = text
    sign_timestamp(root, partner().signing_key)
    return root


def resigned(**shape: object) -> Element:
    root = tree(a_request())
    resign(find(root, ASSERTION), partner().key, **shape)  # type: ignore[arg-type]
    return root


def twisted(twist: Callable[[Element], object]) -> Element:
    """A request whose assertion's Signature was changed and signed again by the partner."""
    root = tree(a_request())
    signature = find(root, SIGNATURE)
    twist(signature)
    sign_again(signature, partner().key)
    return root


# ---- the messages ----------------------------------------------------------------------------


def no_holder() -> Element:
    return asserting(
        lambda one: find(one, "saml2:Subject/saml2:SubjectConfirmation").set("Method", BEARER)
    )


def second_security() -> Element:
    root = tree(a_request())
    etree.SubElement(find(root, "soap:Header"), name("wsse:Security"))
    return root


def second_timestamp() -> Element:
    root = tree(a_request())
    timestamp = find(root, f"{SECURITY}/wsu:Timestamp")
    extra = copy_of(timestamp)
    extra.set(name("wsu:Id"), "TS-other")
    timestamp.addnext(extra)
    return root


def assertion_in_the_body() -> Element:
    root = tree(a_request())
    extra = copy_of(find(mallorys_request(), ASSERTION))
    find(root, "soap:Body")[0].append(extra)
    return root


def evidence_elsewhere() -> Element:
    def move(assertion: Element) -> None:
        evidence = find(assertion, "saml2:AuthzDecisionStatement/saml2:Evidence/saml2:Assertion")
        etree.SubElement(assertion, name("saml2:Advice")).append(evidence)

    return asserting(move)


def same_id(path: str, attribute: str) -> Element:
    root = tree(a_request())
    find(root, "soap:Body").set("Id", find(root, path).get(attribute, ""))
    return root


def two_keys_named() -> Element:
    def contradict(assertion: Element) -> None:
        path = "saml2:Subject/saml2:SubjectConfirmation/saml2:SubjectConfirmationData"
        info = find(assertion, f"{path}/ds:KeyInfo")
        other = find(write_key_info(mallory().certificate), "ds:X509Data")
        info.replace(find(info, "ds:X509Data"), other)

    return asserting(contradict)


def many_keys_named() -> Element:
    """The holder's own, and eight before it that nobody has."""

    def crowd(assertion: Element) -> None:
        confirmation = find(assertion, "saml2:Subject/saml2:SubjectConfirmation")
        for number in range(8):
            extra = copy_of(confirmation)
            data = find(extra, "saml2:SubjectConfirmationData")
            info = find(data, "ds:KeyInfo")
            data.replace(info, write_key_info(leaf(f"Nobody {number}", kind="p256").certificate))
            confirmation.addprevious(extra)

    return asserting(crowd)


def second_value(attribute: str, value: Element) -> Callable[[Element], None]:
    def add(assertion: Element) -> None:
        found = assertion.find(f".//{name('saml2:Attribute')}[@Name='{attribute}']")
        assert found is not None
        etree.SubElement(found, name("saml2:AttributeValue")).append(value)

    return add


def without_issuer(assertion: Element) -> None:
    # The signer puts its Signature in the second place.
    issuer = find(assertion, "saml2:Issuer")
    issuer.tag = name("saml2:Advice")


def old_version(assertion: Element) -> None:
    assertion.set("Version", "1.1")


def second_conditions(assertion: Element) -> None:
    etree.SubElement(assertion, name("saml2:Conditions"))


def unknown_condition(assertion: Element) -> None:
    etree.SubElement(find(assertion, "saml2:Conditions"), name("saml2:Condition"))


def signed_with(by: Issued) -> Element:
    root = tree(a_request())
    resign(
        find(root, ASSERTION),
        by.key,
        key_info=write_key_info(by.certificate),
        method="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
        if isinstance(by.key, ec.EllipticCurvePrivateKey)
        else "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    )
    return root


def expired() -> Issued:
    return leaf("Expired", host="partner.example", not_after=NOW - timedelta(days=1))


def koblitz() -> Issued:
    """A certificate on a curve that NIST does not know."""
    key = ec.generate_private_key(ec.SECP256K1())
    return Issued(certificate_for(key.public_key()).sign(key, hashes.SHA256()), key)


@cache
def long_winded() -> Issued:
    """A certificate whose public exponent is as long as its modulus, nearly."""
    short = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
    p, q, phi = short.p, short.q, (short.p - 1) * (short.q - 1)
    e = next(one for one in range(2**2000 + 1, 2**2001, 2) if gcd(one, phi) == 1)
    d = pow(e, -1, phi)
    key = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(e, p * q),
    ).private_key()
    return Issued(certificate_for(key.public_key()).sign(key, hashes.SHA256()), key)


@cache
def edwards() -> x509.Certificate:
    key = Ed25519PrivateKey.generate()
    return certificate_for(key.public_key()).sign(key, None)


def certificate_for(key: CertificatePublicKeyTypes) -> x509.CertificateBuilder:
    subject = partner().certificate.subject
    return x509.CertificateBuilder(
        issuer_name=subject,
        subject_name=subject,
        public_key=key,
        serial_number=7,
        not_valid_before=NOW - timedelta(days=1),
        not_valid_after=NOW + timedelta(days=1),
    )


def two_key_values() -> Element:
    root = tree(a_request())
    info = write_key_info(partner().certificate, with_key_value=True)
    other = write_key_info(mallory().certificate, with_key_value=True)
    info.insert(1, find(other, "ds:KeyValue"))
    resign(find(root, ASSERTION), partner().key, key_info=info)
    return root


def short_ecdsa() -> Element:
    root = tree(a_request(by=partner("p256")))
    find(root, f"{SIGNATURE}/ds:SignatureValue").text = b64encode(b"\x00" * 70).decode()
    return root


def empty_digest(signature: Element) -> None:
    find(signature, "ds:SignedInfo/ds:Reference/ds:DigestValue").text = ""


def transform(signature: Element) -> Element:
    return find(signature, "ds:SignedInfo/ds:Reference/ds:Transforms")[1]


def tampered() -> Element:
    root = tree(a_request())
    find(root, f"{ASSERTION}/saml2:Subject/saml2:NameID").text = "UID=mallory"
    return root


def answer(confirm: Callable[[tuple[str, ...]], tuple[str, ...]]) -> object:
    sent = a_request()
    sealed = seal_answer(
        etree.Element(ITI_38_ANSWER.root),
        kind=ITI_38_ANSWER,
        relates_to=sent.message_id,
        message_id="urn:uuid:1",
        confirmations=confirm(sent.signature_values),
        signing_key=partner().signing_key,
        now=NOW,
    )
    return open_answer(sealed, trust(), request=sent, now=NOW)


def commented() -> object:
    data = a_request().envelope.replace(b"</ds:DigestValue>", b"<!-- x --></ds:DigestValue>")
    return open_request(data, trust(), expected())


ANCHORED = Trust(anchors=(authority().certificate,), name="partner.example")
WEAK = leaf("Weak", kind="rsa1024")
KOBLITZ = koblitz()
TWICE = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
PAYMENT = etree.Element("{urn:hl7-org:v3}PurposeOfUse", code="PAYMENT")
created, expires = ("wsu:Created", write_time(NOW)), ("wsu:Expires", write_time(NOW + MINUTE))

CASES: dict[str, list[Case]] = {
    # ---- ws_verification
    "the assertion confirms no holder of a key": [Case(lambda: request(no_holder()))],
    "there is not exactly one wsse:Security header": [Case(lambda: request(second_security()))],
    "has not exactly one": [Case(lambda: request(second_timestamp()))],
    "an assertion stands where none may": [
        Case(lambda: request(assertion_in_the_body())),
        Case(lambda: request(evidence_elsewhere())),
    ],
    "the id of a signed element is empty or not its own": [
        Case(lambda: request(same_id(ASSERTION, "ID"))),
        Case(lambda: request(same_id(f"{SECURITY}/wsu:Timestamp", name("wsu:Id")))),
    ],
    "the assertion confirms more keys than are tried": [Case(lambda: request(many_keys_named()))],
    "a SubjectConfirmationData names two different keys": [Case(lambda: request(two_keys_named()))],
    "the Timestamp has no creation time, or ends twice": [
        Case(lambda: request(timed(created, expires, expires)))
    ],
    "the Timestamp ends before it begins": [
        Case(lambda: request(timed(created, ("wsu:Expires", write_time(NOW)))))
    ],
    "the Timestamp was made in the future": [
        Case(lambda: request(timed(("wsu:Created", write_time(NOW + 10 * MINUTE)))))
    ],
    "the Timestamp has expired": [
        Case(lambda: request(timed(("wsu:Created", write_time(NOW - 20 * MINUTE)))))
    ],
    "the answer confirms a signature that we did not send": [
        Case(lambda: answer(lambda sent: (*sent, "QUJD")))
    ],
    "the answer does not confirm the signature of our request": [
        Case(lambda: answer(lambda sent: sent[1:]))
    ],
    # ---- saml
    "a time in the security header is no xs:dateTime": [
        Case(
            lambda: request(timed(("wsu:Created", "yesterday"))),
            behind="verification failed: AttributeError",
        )
    ],
    "the assertion is not SAML 2.0": [Case(lambda: request(asserting(old_version)))],
    "the assertion lacks its issuer or issue instant": [
        Case(lambda: request(asserting(without_issuer)))
    ],
    "the assertion states what decides on access in two ways": [
        Case(lambda: request(asserting(second_value(TWICE, copy_of(PAYMENT)))))
    ],
    "the assertion is not valid yet": [
        Case(lambda: request(stating(not_before=NOW + 5 * MINUTE))),
        Case(lambda: request(stating(issue_instant=NOW + 5 * MINUTE))),
    ],
    "the assertion has expired": [
        Case(lambda: request(stating(not_on_or_after=NOW - 2 * MINUTE))),
        Case(
            lambda: request(
                stating(not_on_or_after=None, not_before=None, issue_instant=NOW - 90 * MINUTE)
            )
        ),
    ],
    "the assertion has more than one Conditions": [
        Case(lambda: request(asserting(second_conditions)))
    ],
    "the assertion has a condition we do not know": [
        Case(lambda: request(asserting(unknown_condition)))
    ],
    "the assertion names no audience": [
        Case(lambda: request(stating(audiences=()), audience_required=True))
    ],
    "the assertion is meant for another audience": [
        Case(lambda: request(stating(audiences=("https://other.example/",))))
    ],
    # ---- trust
    "the signing key is none that is registered for this partner": [
        Case(
            lambda: request(resigned(), ANCHORED),
            behind="the partner's signing certificate is not in force",
        )
    ],
    "the partner's signing certificate is not in force": [
        Case(
            lambda: request(signed_with(expired()), trust(expired())),
            behind="no key that may have signed is known",
        )
    ],
    "the signing certificate is not one pinned for this partner": [
        Case(lambda: request(mallorys_request()), behind="verification failed: ValueError")
    ],
    "the signing certificate does not name this partner": [
        Case(lambda: request(mallorys_request(), ANCHORED))
    ],
    # ---- key_info
    "a KeyInfo has more than one KeyValue": [Case(lambda: request(two_key_values()))],
    "a value in the security header is empty": [
        Case(
            lambda: request(twisted(empty_digest)),
            behind="the signed element was changed after signing",
        )
    ],
    "a certificate's key is neither RSA nor ECDSA": [
        Case(
            lambda: request(
                resigned(key_info=write_certificate_alone(edwards())), Trust(pinned=(edwards(),))
            ),
            behind="verification failed: AttributeError",
        )
    ],
    "an RSA key has fewer than 2048 bits, or too many": [
        Case(lambda: request(signed_with(WEAK), trust(WEAK)))
    ],
    "an RSA key has a public exponent of more than 256 bits": [
        Case(lambda: request(signed_with(long_winded()), trust(long_winded())))
    ],
    "an ECDSA key is on none of the curves P-256, P-384, P-521": [
        Case(lambda: request(signed_with(KOBLITZ), trust(KOBLITZ)))
    ],
    # ---- signature
    "the signature refers to another element than it stands for": [
        Case(lambda: request(resigned(uri=""))),
        Case(lambda: request(resigned(uri="#_other"))),
    ],
    "is not built as our profile demands": [
        Case(
            lambda: request(
                twisted(
                    lambda one: (
                        transform(one).getprevious().append(etree.Element("{urn:x}Parameter"))
                    )
                )
            )
        ),  # type: ignore[union-attr]
    ],
    "is an algorithm we do not take": [
        Case(lambda: request(resigned(transforms=(ENVELOPED, f"{EXCLUSIVE}WithComments"))))
    ],
    "a canonicalisation has parameters we do not take": [
        Case(
            lambda: request(
                twisted(
                    lambda one: etree.SubElement(
                        transform(one), "{urn:x}Parameter", PrefixList="zz"
                    )
                )
            )
        )
    ],
    "a PrefixList is not a list of names": [
        Case(
            lambda: request(
                twisted(
                    lambda one: etree.SubElement(
                        transform(one), name("ec:InclusiveNamespaces"), PrefixList="zz  zy"
                    )
                )
            )
        )
    ],
    "the signed element was changed after signing": [Case(lambda: request(tampered()))],
    "an ECDSA signature has the wrong length": [
        Case(
            lambda: request(short_ecdsa(), trust(partner("p256"))),
            behind="the signature was not made with the signer's key",
        )
    ],
    # ---- wire
    "a Signature holds a comment": [Case(commented)],
}
NEVER_REACHED = {
    "the signed element has no id": "an element without one is refused for its id before",
    "the signature stands alone": "a Signature that was found stands in something",
}


def write_certificate_alone(certificate: x509.Certificate) -> Element:
    info = etree.Element(name("ds:KeyInfo"))
    data = etree.SubElement(info, name("ds:X509Data"))
    etree.SubElement(data, name("ds:X509Certificate")).text = ihe.key_info.write_certificate(
        certificate
    )
    return info


def reason_of(check: Check) -> str:
    """The text without what names an element in it."""
    return check.reason.strip("… ").rpartition("…")[2].strip()


def refusal(case: Case) -> str | None:
    try:
        case.open()
    except SecurityRefused as refused:
        return refused.reason
    return None


# ---- the checks ------------------------------------------------------------------------------


def test_every_check_has_its_message() -> None:
    found = {reason_of(check) for _, check in CHECKS}
    assert found == CASES.keys() | NEVER_REACHED.keys()
    assert not CASES.keys() & NEVER_REACHED.keys()


@pytest.mark.parametrize(
    ("module", "check"),
    [pytest.param(module, check, id=reason_of(check)) for module, check in CHECKS],
)
def test_without_the_check_its_message_is_taken(module: ModuleType, check: Check) -> None:
    for case in CASES.get(reason_of(check), ()):
        refused = refusal(case)
        assert refused is not None and reason_of(check) in refused
        with without(module, check):
            assert refusal(case) == case.behind
        assert refusal(case) == refused, "the check is back"


# ---- checks that are no `if` -----------------------------------------------------------------


def stolen() -> Element:
    """The genuine assertion, under a Timestamp of Mallory's."""
    root = mallorys_request()
    replace_assertion(root, copy_of(find(tree(a_request()), ASSERTION)))
    return root


def unnamed_signer() -> Element:
    """Mallory's signature, which names no key: any of the pinned may have made it."""
    root = tree(a_request())
    resign(find(root, ASSERTION), mallory().key)
    return root


def late_confirmation() -> Element:
    user = leaf("User", kind="p256")

    def expire(assertion: Element) -> None:
        path = "saml2:Subject/saml2:SubjectConfirmation/saml2:SubjectConfirmationData"
        data = find(assertion, path)
        detach(find(data, "ds:KeyInfo"))
        data.append(write_key_info(user.certificate))
        data.set("NotOnOrAfter", write_time(NOW - 2 * MINUTE))

    root = asserting(expire)
    sign_timestamp(root, user.signing_key)
    return root


def old_holder() -> Element:
    user = leaf("Old user", kind="p256", not_after=NOW - MINUTE)

    def name_it(assertion: Element) -> None:
        path = "saml2:Subject/saml2:SubjectConfirmation/saml2:SubjectConfirmationData"
        data = find(assertion, path)
        detach(find(data, "ds:KeyInfo"))
        data.append(write_key_info(user.certificate))

    root = asserting(name_it)
    sign_timestamp(root, user.signing_key)
    return root


def stranger() -> Issued:
    return leaf("Stranger", issuer="Other Authority", host="partner.example")


def as_it_came(security: Element, timestamp: Element, *_: object) -> Signed:
    return Signed(b"", timestamp, "QUJD")


@pytest.mark.parametrize(
    ("module", "function", "instead", "root", "believed"),
    [
        pytest.param(ihe.ws_verification, "_verify_timestamp", as_it_came, stolen, trust,
                     id="holder of key"),
        pytest.param(ihe.strict_signature, "_check_value", lambda *_: None, unnamed_signer, trust,
                     id="signature value"),
        pytest.param(ihe.ws_verification, "_is_current", lambda *_: True, late_confirmation, trust,
                     id="the confirmation's own time"),
        pytest.param(ihe.ws_verification, "is_in_force", lambda *_, **__: True, old_holder, trust,
                     id="the holder's certificate in force"),
        pytest.param(ihe.trust, "is_in_force", lambda *_, **__: True,
                     lambda: signed_with(expired()), lambda: trust(expired()),
                     id="the pinned certificate in force"),
        pytest.param(ihe.trust, "_chain", lambda *_, **__: (),
                     lambda: signed_with(stranger()), lambda: ANCHORED, id="chain to an anchor"),
        pytest.param(ihe.trust, "same_key", lambda *_: True,
                     lambda: resigned(key_info=bare_key_of_mallory()), trust,
                     id="a bare key is the pinned one's"),
        pytest.param(ihe.ws_verification, "check_conditions", lambda *_, **__: None,
                     lambda: stating(not_on_or_after=NOW - 2 * MINUTE), trust, id="conditions"),
    ],
)  # fmt: skip
def test_without_it_its_message_is_taken(
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    function: str,
    instead: object,
    root: Callable[[], Element],
    believed: Callable[[], Trust],
) -> None:
    with pytest.raises(SecurityRefused):
        request(root(), believed())
    monkeypatch.setattr(module, function, instead)
    request(root(), believed())


def bare_key_of_mallory() -> Element:
    info = write_key_info(mallory().certificate, with_key_value=True)
    detach(find(info, "ds:X509Data"))
    return info
