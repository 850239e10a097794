"""The Security header, made and checked: times, holders, trust, confirmations."""

from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1 as SHA1Hash
from lxml import etree
from lxml.etree import _Element as Element
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from ihe.errors import SecurityRefused
from ihe.key_info import read_certificate, write_key_info
from ihe.namespaces import name
from ihe.saml import BEARER, write_time
from ihe.saml_writing import AssertionStyle
from ihe.signature import sign_detached
from ihe.soap import Addressing, WrittenPayload, write_answer, write_envelope
from ihe.strict_signature import canonical
from ihe.trust import SigningKey, Trust
from ihe.ws_security import answer_security, sign_request
from ihe.ws_verification import (
    LONGEST_LIFETIME,
    CheckedAnswer,
    CheckedRequest,
    Expectations,
    check_answer,
    check_request,
)
from tests.certificates import NOW, Issued, authority, leaf
from tests.ihe_messages import (
    ASSERTION,
    OUR_AUDIENCE,
    RSA_SHA1,
    SECURITY,
    SHA1,
    a_request,
    an_assertion,
    copy_of,
    detach,
    expected,
    find,
    mallory,
    partner,
    replace_assertion,
    sign_timestamp,
    signed_by,
    tree,
    trust,
)

MINUTE = timedelta(minutes=1)
MOMENT = timedelta(milliseconds=1)


def check(root: Element, believed: Trust | None = None, *, now: datetime = NOW) -> CheckedRequest:
    return check_request(
        find(root, "soap:Header"), believed or trust(), replace(expected(), now=now)
    )


def reason(root: Element, believed: Trust | None = None, *, now: datetime = NOW) -> str:
    with pytest.raises(SecurityRefused) as refusal:
        check(root, believed, now=now)
    return refusal.value.reason


# ---- requests --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rsa", "p256", "p384"])
def test_a_request_of_ours_is_taken(kind: str) -> None:
    by = partner(kind)
    sealed = a_request(by=by)
    checked = check(tree(sealed), trust(by))
    assert checked.assertion == an_assertion()
    assert checked.signer == by.certificate
    assert checked.chain == ()
    assert checked.signature_values == sealed.signature_values[:1]
    assert checked.proof == sealed.signature_values[0]
    assert checked.created == NOW


def test_the_header_has_what_wss4j_asks_for() -> None:
    root = tree(a_request())
    security = find(root, SECURITY)
    assert security.get(name("soap:mustUnderstand")) == "1"
    assert [etree.QName(child).localname for child in security] == [
        "Timestamp",
        "Assertion",
        "Signature",
    ]
    reference = find(security, "ds:Signature/ds:KeyInfo/wsse:SecurityTokenReference")
    profile = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#"
    assert reference.get(name("wsse11:TokenType")) == f"{profile}SAMLV2.0"
    identifier = find(reference, "wsse:KeyIdentifier")
    assert identifier.get("ValueType") == f"{profile}SAMLID"
    assert identifier.text == an_assertion().id


@pytest.mark.parametrize("found", [0, 2])
def test_there_is_exactly_one_security_header(found: int) -> None:
    root = tree(a_request())
    security = find(root, SECURITY)
    if found == 0:
        detach(security)
    else:
        security.addnext(copy_of(security))
    assert reason(root) == "there is not exactly one wsse:Security header"


def test_an_expired_assertion_is_refused() -> None:
    root = tree(a_request(assertion=an_assertion(not_on_or_after=NOW - 2 * MINUTE)))
    assert reason(root) == "the assertion has expired"


def test_an_assertion_for_another_audience_is_refused() -> None:
    root = tree(a_request(assertion=an_assertion(audiences=("https://other.example/",))))
    assert reason(root) == "the assertion is meant for another audience"


def test_an_audience_may_be_demanded() -> None:
    root = tree(a_request(assertion=an_assertion(audiences=())))
    check(root)
    strict = Expectations(NOW, audiences=frozenset({OUR_AUDIENCE}), audience_required=True)
    with pytest.raises(SecurityRefused, match="names no audience"):
        check_request(find(root, "soap:Header"), trust(), strict)


def test_what_fails_unforeseen_is_a_refusal() -> None:
    root = tree(a_request())
    header = find(root, "soap:Header")
    header.insert(0, etree.Comment("x"))
    with pytest.raises(SecurityRefused, match="verification failed: TypeError"):
        check_request(header, trust(), Expectations(None))  # type: ignore[arg-type]
    with pytest.raises(SecurityRefused, match="verification failed: "):
        check_answer(header, trust(), sent=("x",), now=None)  # type: ignore[arg-type]


# ---- the Timestamp's times -------------------------------------------------------------------


def test_a_message_is_taken_from_its_making_until_it_expires_give_or_take_the_skew() -> None:
    root = tree(a_request())
    assert check(root, now=NOW - MINUTE).fresh_until == NOW + 11 * MINUTE
    check(root, now=NOW + 11 * MINUTE - MOMENT)
    assert reason(root, now=NOW + 11 * MINUTE) == "the Timestamp has expired"


def test_an_expired_message_is_told_apart_in_its_fault() -> None:
    with pytest.raises(SecurityRefused) as refusal:
        check(tree(a_request()), now=NOW + 12 * MINUTE)
    assert refusal.value.subcode == "wsu:MessageExpired"


def timed(*times: tuple[str, str]) -> Element:
    """A request whose signed Timestamp has these children."""
    root = tree(a_request())
    timestamp = find(root, f"{SECURITY}/wsu:Timestamp")
    for child in list(timestamp):
        timestamp.remove(child)
    for prefixed, text in times:
        etree.SubElement(timestamp, name(prefixed)).text = text
    sign_timestamp(root, partner().signing_key)
    return root


def test_a_message_is_never_fresh_for_more_than_an_hour() -> None:
    root = timed(
        ("wsu:Created", write_time(NOW)), ("wsu:Expires", write_time(NOW + timedelta(days=9)))
    )
    assert check(root).fresh_until == NOW + LONGEST_LIFETIME + MINUTE


def test_a_timestamp_without_an_end_is_fresh_for_ten_minutes() -> None:
    root = timed(("wsu:Created", write_time(NOW)))
    assert check(root).fresh_until == NOW + 11 * MINUTE


@pytest.mark.parametrize(
    ("times", "why"),
    [
        ([], "Timestamp has not exactly one wsu:Created"),
        (
            [("wsu:Created", write_time(NOW)), ("wsu:Created", write_time(NOW))],
            "Timestamp has not exactly one wsu:Created",
        ),
        (
            [("wsu:Created", write_time(NOW))] + [("wsu:Expires", write_time(NOW + MINUTE))] * 2,
            "the Timestamp has no creation time, or ends twice",
        ),
        (
            [("wsu:Created", write_time(NOW)), ("wsu:Expires", write_time(NOW))],
            "the Timestamp ends before it begins",
        ),
        (
            [("wsu:Created", write_time(NOW + MINUTE + MOMENT))],
            "the Timestamp was made in the future",
        ),
        ([("wsu:Created", "now")], "a time in the security header is no xs:dateTime"),
        (
            [("wsu:Created", write_time(NOW)), ("wsu:Expires", "")],
            "a time in the security header is no xs:dateTime",
        ),
    ],
)
def test_a_timestamp_that_says_no_time_is_refused(times: list[tuple[str, str]], why: str) -> None:
    if times and times[-1] == ("wsu:Expires", ""):
        times = [times[0], ("wsu:Expires", " ")]
    assert reason(timed(*times)) == why


# ---- who holds the key -----------------------------------------------------------------------


def confirmed(change: Callable[[Element], None], by: Issued | None = None) -> Element:
    """A request whose assertion has a changed Subject, and is signed anew by the partner."""
    root = tree(a_request())
    assertion = find(root, ASSERTION)
    change(find(assertion, "saml2:Subject/saml2:SubjectConfirmation"))
    replace_assertion(root, signed_by(assertion, partner()))
    sign_timestamp(root, (by or partner()).signing_key)
    return root


def user() -> Issued:
    """A user's key, which the partner's assertion names."""
    return leaf("User", kind="p256")


def name_key(
    holder: Issued, *, bare: bool = False, certificate: bool = True
) -> Callable[[Element], None]:
    def change(confirmation: Element) -> None:
        data = find(confirmation, "saml2:SubjectConfirmationData")
        detach(find(data, "ds:KeyInfo"))
        info = write_key_info(holder.certificate, with_key_value=bare)
        if not certificate:
            detach(find(info, "ds:X509Data"))
        data.append(info)

    return change


@pytest.mark.parametrize(("bare", "certificate"), [(True, False), (False, True), (True, True)])
def test_the_holder_of_the_named_key_may_use_the_assertion(bare: bool, certificate: bool) -> None:
    root = confirmed(name_key(user(), bare=bare, certificate=certificate), user())
    assert check(root).signer == partner().certificate


def test_nobody_else_may() -> None:
    assert (
        reason(confirmed(name_key(user()), mallory()))
        == "the signature was not made with the signer's key"
    )


def test_the_signer_of_the_assertion_needs_no_other_key() -> None:
    check(confirmed(name_key(user()), partner()))


def test_a_holders_certificate_must_be_in_force() -> None:
    old = leaf("Old user", kind="p256", not_after=NOW - MINUTE)
    reason(confirmed(name_key(old), old))


def test_a_confirmation_out_of_its_own_time_names_nobody() -> None:
    def expire(confirmation: Element) -> None:
        name_key(user())(confirmation)
        data = find(confirmation, "saml2:SubjectConfirmationData")
        data.set("NotOnOrAfter", write_time(NOW - MINUTE))

    def begin(confirmation: Element) -> None:
        name_key(user())(confirmation)
        data = find(confirmation, "saml2:SubjectConfirmationData")
        data.set("NotBefore", write_time(NOW + 2 * MINUTE))

    reason(confirmed(expire, user()))
    reason(confirmed(begin, user()))


def test_a_confirmation_that_names_two_keys_is_refused() -> None:
    def contradict(confirmation: Element) -> None:
        name_key(user(), bare=True)(confirmation)
        info = find(confirmation, "saml2:SubjectConfirmationData/ds:KeyInfo")
        info.replace(
            find(info, "ds:X509Data"),
            find(write_key_info(mallory().certificate), "ds:X509Data"),
        )

    assert reason(confirmed(contradict, user())) == (
        "a SubjectConfirmationData names two different keys"
    )


def as_bearer(confirmation: Element) -> None:
    confirmation.set("Method", BEARER)


def bearer_trust() -> Trust:
    return replace(trust(), bearer_accepted=True)


def test_a_bearer_is_refused_unless_the_profile_takes_bearers() -> None:
    root = confirmed(as_bearer)
    assert reason(root) == "the assertion confirms no holder of a key"
    assert check(root, bearer_trust()).assertion == an_assertion()


def test_a_bearers_timestamp_need_not_be_signed_and_the_assertion_is_the_proof() -> None:
    root = confirmed(as_bearer)
    detach(find(root, f"{SECURITY}/ds:Signature"))
    checked = check(root, bearer_trust())
    assert checked.signature_values == ()
    value = find(root, f"{ASSERTION}/ds:Signature/ds:SignatureValue").text or ""
    assert checked.proof == value
    assert reason(root, bearer_trust(), now=NOW + 20 * MINUTE) == "the Timestamp has expired"


@pytest.mark.parametrize(
    ("bound", "minutes"), [("NotOnOrAfter", -2), ("NotBefore", 2)], ids=["over", "not yet"]
)
def test_a_bearer_may_use_an_assertion_as_long_as_its_confirmation_says(
    bound: str, minutes: int
) -> None:
    """SAML Core: 2.4.1.2: it may end before the assertion does."""

    def within(bound: str, moment: datetime) -> Callable[[Element], None]:
        def change(confirmation: Element) -> None:
            as_bearer(confirmation)
            data = find(confirmation, "saml2:SubjectConfirmationData")
            data.set(bound, write_time(moment))

        return change

    now_it_holds = within(bound, NOW - minutes * MINUTE)
    assert check(confirmed(now_it_holds), bearer_trust()).assertion == an_assertion()
    root = confirmed(within(bound, NOW + minutes * MINUTE))
    assert reason(root, bearer_trust()) == "the assertion confirms no holder of a key"


def test_a_signature_that_a_bearer_gives_all_the_same_must_verify() -> None:
    root = confirmed(as_bearer, mallory())
    assert reason(root, bearer_trust()) == "the signature was not made with the signer's key"


def test_a_bearer_still_says_when() -> None:
    root = confirmed(as_bearer)
    detach(find(root, f"{SECURITY}/ds:Signature"))
    detach(find(root, f"{SECURITY}/wsu:Timestamp"))
    assert reason(root, bearer_trust()) == "Security has not exactly one wsu:Timestamp"


def test_taking_bearers_does_not_loosen_a_holder_of_key_assertion() -> None:
    root = tree(a_request())
    detach(find(root, f"{SECURITY}/ds:Signature"))
    assert reason(root, bearer_trust()) == "Security has not exactly one ds:Signature"


@pytest.mark.parametrize("method", ["urn:oasis:names:tc:SAML:2.0:cm:sender-vouches", ""])
def test_other_confirmations_are_refused(method: str) -> None:
    root = confirmed(lambda confirmation: confirmation.set("Method", method))
    assert reason(root, bearer_trust()) == "the assertion confirms no holder of a key"


# ---- making ----------------------------------------------------------------------------------


def envelope(**declared: str) -> Element:
    root = write_envelope(Addressing("urn:x", "urn:uuid:1"), etree.Element("{urn:p}payload"))
    text = etree.tostring(root).decode()
    extra = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in declared.items())
    return etree.fromstring(text.replace("<soap:Envelope", f"<soap:Envelope{extra}", 1))


def signed(root: Element) -> tuple[str, ...]:
    return sign_request(root, assertion=an_assertion(), signing_key=partner().signing_key, now=NOW)


def test_an_envelope_made_elsewhere_is_signed_in_place() -> None:
    root = envelope(other="urn:other", xsi="http://www.w3.org/2001/XMLSchema-instance")
    values = signed(root)
    assert check(root).signature_values == values[:1]
    assert check(etree.fromstring(etree.tostring(root))).signature_values == values[:1]


def test_the_soap_and_addressing_prefixes_are_free() -> None:
    text = etree.tostring(envelope()).decode()
    text = text.replace("soap:", "soap-env:").replace(":soap=", ":soap-env=")
    root = etree.fromstring(text)
    signed(root)
    check(etree.fromstring(etree.tostring(root)))


@pytest.mark.parametrize(
    "namespace",
    [
        "http://www.w3.org/2000/09/xmldsig#",
        "urn:oasis:names:tc:SAML:2.0:assertion",
        "urn:hl7-org:v3",
    ],
)
def test_an_envelope_that_would_rename_signed_prefixes_is_not_signed(namespace: str) -> None:
    with pytest.raises(ValueError, match="another prefix"):
        signed(envelope(other=namespace))


def test_an_envelope_without_a_header_is_not_signed() -> None:
    with pytest.raises(ValueError, match="no header"):
        signed(etree.Element(name("soap:Envelope")))


def test_two_messages_never_share_an_id_or_a_signature() -> None:
    first, second = tree(a_request()), tree(a_request())
    path = f"{SECURITY}/wsu:Timestamp"
    assert find(first, path).get(name("wsu:Id")) != find(second, path).get(name("wsu:Id"))


def test_a_key_and_another_ones_certificate_make_no_signing_key() -> None:
    with pytest.raises(ValueError, match="not that of the private key"):
        SigningKey(partner().key, mallory().certificate)


# ---- answers ---------------------------------------------------------------------------------

SENT = ("QUJD", "REVG")


def answer(
    *, by: Issued | None = None, confirmations: tuple[str, ...] = SENT[:1], unsigned: bool = False
) -> Element:
    key = None if unsigned else (by or partner()).signing_key
    security = answer_security(confirmations=confirmations, signing_key=key, now=NOW)
    payload = WrittenPayload("{urn:p}payload", b'<payload xmlns="urn:p"/>')
    return etree.fromstring(write_answer(Addressing("urn:x", "urn:uuid:1"), security, payload))


def checked(root: Element, believed: Trust | None = None, **how: object) -> CheckedAnswer:
    settings: dict[str, object] = {"sent": SENT, "now": NOW, **how}
    return check_answer(find(root, "soap:Header"), believed or trust(), **settings)  # type: ignore[arg-type]


def answer_reason(root: Element, believed: Trust | None = None, **how: object) -> str:
    with pytest.raises(SecurityRefused) as refusal:
        checked(root, believed, **how)
    return refusal.value.reason


@pytest.mark.parametrize("kind", ["rsa", "p256"])
def test_an_answer_of_ours_is_taken(kind: str) -> None:
    by = partner(kind)
    assert checked(answer(by=by), trust(by)) == CheckedAnswer(by.certificate, NOW)


def test_an_answer_by_a_chained_certificate_is_taken() -> None:
    anchored = Trust(anchors=(authority().certificate,), name="partner.example")
    assert checked(answer(), anchored).signer == partner().certificate
    assert answer_reason(answer(by=mallory()), anchored) == (
        "the signing certificate does not name this partner"
    )


def test_an_answer_signed_by_somebody_else_is_refused() -> None:
    assert answer_reason(answer(by=mallory())) == (
        "the signing certificate is not one pinned for this partner"
    )
    forged = answer(by=mallory())
    detach(find(forged, f"{SECURITY}/wsse:BinarySecurityToken"))
    assert answer_reason(forged) == "the signature was not made with the signer's key"


def test_a_timestamp_that_is_not_signed_is_left_to_the_mutual_tls() -> None:
    assert checked(answer(unsigned=True)) == CheckedAnswer(None, NOW)


def test_an_answer_of_another_time_is_refused() -> None:
    late = NOW + timedelta(hours=1)
    assert answer_reason(answer(), now=late) == "the Timestamp has expired"
    assert answer_reason(answer(unsigned=True), now=late) == "the Timestamp has expired"


def test_a_changed_timestamp_in_an_answer_is_refused() -> None:
    root = answer()
    find(root, f"{SECURITY}/wsu:Timestamp/wsu:Created").text = write_time(NOW + MINUTE)
    assert answer_reason(root) == "the signed element was changed after signing"


def test_an_id_that_stands_twice_in_an_answer_is_refused() -> None:
    root = answer()
    taken = find(root, f"{SECURITY}/wsu:Timestamp").get(name("wsu:Id"), "")
    find(root, "soap:Body").set("Id", taken)
    assert answer_reason(root) == "the id of a signed element is empty or not its own"


def test_an_answer_must_confirm_our_signature() -> None:
    why = "the answer does not confirm the signature of our request"
    assert answer_reason(answer(confirmations=())) == why
    assert answer_reason(answer(confirmations=SENT[1:])) == why
    checked(answer(confirmations=SENT))
    checked(answer(confirmations=()), confirmation_required=False)


def test_an_answer_that_confirms_what_we_never_sent_is_refused() -> None:
    root = answer(confirmations=("QUJD", "WFla"))
    why = "the answer confirms a signature that we did not send"
    assert answer_reason(root) == why
    assert answer_reason(root, confirmation_required=False) == why


def test_a_confirmation_as_a_child_element_counts() -> None:
    root = answer()
    confirmation = find(root, f"{SECURITY}/wsse11:SignatureConfirmation")
    del confirmation.attrib["Value"]
    etree.SubElement(confirmation, "{urn:any}SignatureValue").text = " QU\nJD "
    checked(root)


def test_an_answer_without_the_header_is_refused_unless_the_profile_allows_it() -> None:
    root = answer()
    detach(find(root, SECURITY))
    assert answer_reason(root) == "there is not exactly one wsse:Security header"
    assert checked(root, confirmation_required=False) == CheckedAnswer(None, None)


def test_an_unsigned_request_is_confirmed_as_such() -> None:
    confirmation = find(answer(confirmations=()), f"{SECURITY}/wsse11:SignatureConfirmation")
    assert confirmation.get("Value") is None


# ---- in the dress that a partner wants -------------------------------------------------------


def dressed(**how: object) -> Element:
    addressing = Addressing("urn:x", message_id="urn:uuid:1", to="https://partner.example/xca")
    envelope = write_envelope(addressing, etree.Element("{urn:x}body"))
    sign_request(
        envelope,
        assertion=an_assertion(),
        signing_key=partner().signing_key,
        now=NOW,
        **how,  # type: ignore[arg-type]
    )
    return etree.fromstring(etree.tostring(envelope))


def test_a_bearer_assertion_names_no_key_but_where_and_until_when() -> None:
    root = dressed(style=AssertionStyle(confirmation="bearer"))
    confirmation = find(root, f"{ASSERTION}/saml2:Subject/saml2:SubjectConfirmation")
    (data,) = confirmation
    assert confirmation.get("Method") == BEARER
    assert len(data) == 0
    assert data.get("Recipient") == "https://partner.example/xca"
    assert data.get("NotOnOrAfter") == write_time(NOW + timedelta(minutes=30))
    checked = check(root, replace(trust(), bearer_accepted=True))
    assert len(checked.signature_values) == 1  # the Timestamp is signed all the same
    assert reason(root) == "the assertion confirms no holder of a key"


def test_the_token_beside_a_bearer_assertion_is_what_the_timestamps_signature_names() -> None:
    security = find(dressed(style=AssertionStyle(confirmation="bearer")), SECURITY)
    token = find(security, "wsse:BinarySecurityToken")
    path = "ds:Signature/ds:KeyInfo/wsse:SecurityTokenReference/wsse:Reference"
    assert find(security, path).get("URI") == f"#{token.get(name('wsu:Id'))}"
    assert read_certificate(token.text) == partner().certificate


def test_an_exception_signs_with_sha1_what_signxml_verifies_and_we_never_take() -> None:
    root = dressed(digest="sha1")
    for signature in (
        find(root, f"{ASSERTION}/ds:Signature"),
        find(root, f"{SECURITY}/ds:Signature"),
    ):
        assert find(signature, "ds:SignedInfo/ds:SignatureMethod").get("Algorithm") == RSA_SHA1
        assert (
            find(signature, "ds:SignedInfo/ds:Reference/ds:DigestMethod").get("Algorithm") == SHA1
        )
    assertion = find(root, ASSERTION)
    XMLVerifier().verify(
        etree.tostring(assertion),
        x509_cert=partner().certificate,
        id_attribute="ID",
        expect_config=SignatureConfiguration(
            location="./",
            signature_methods=frozenset({SignatureMethod.RSA_SHA1}),
            digest_algorithms=frozenset({DigestAlgorithm.SHA1}),
            verification_time=NOW,
        ),
    )
    info = find(root, f"{SECURITY}/ds:Signature/ds:SignedInfo")
    value = b64decode(find(root, f"{SECURITY}/ds:Signature/ds:SignatureValue").text or "")
    key = partner().certificate.public_key()
    assert isinstance(key, RSAPublicKey)
    key.verify(value, canonical(info, None), PKCS1v15(), SHA1Hash())  # noqa: S303 - what an exception asks for
    assert reason(root) == "the signature's SignatureMethod is an algorithm we do not take"


def test_only_an_rsa_key_signs_with_sha1() -> None:
    signer = partner("p256").signing_key
    timestamp = etree.Element(name("wsu:Timestamp"), {name("wsu:Id"): "T"})
    with pytest.raises(ValueError, match="RSA"):
        sign_detached(timestamp, signer, write_key_info(signer.certificate), "sha1")
