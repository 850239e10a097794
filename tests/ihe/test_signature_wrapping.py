"""Forged, moved, wrapped and twisted signatures: each is refused, and nobody becomes Mallory.

The wrapping variants are those of Somorovsky et al. ("On Breaking SAML", 2012), fitted to a
Security header. Where a shape alone is at fault, the partner's own key has signed it, so nothing
but the check of that shape stands in the way.
"""

from base64 import b64encode
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree
from lxml.etree import _Element as Element

from ihe.errors import SecurityRefused
from ihe.key_info import write_key_info
from ihe.namespaces import EXCLUSIVE, name
from ihe.trust import Trust
from tests.certificates import authority, leaf
from tests.ihe_messages import (
    ASSERTION,
    ECDSA_SHA256,
    ENVELOPED,
    HMAC_SHA256,
    INCLUSIVE,
    RSA_SHA1,
    SECURITY,
    SHA1,
    a_request,
    an_assertion,
    copy_of,
    detach,
    find,
    mallory,
    mallorys_request,
    opened,
    partner,
    replace_assertion,
    resign,
    sign_again,
    sign_timestamp,
    signed_by,
    tree,
    trust,
)

SIGNATURE = f"{ASSERTION}/ds:Signature"


def refused(envelope: bytes | Element, believed: Trust | None = None) -> str:
    with pytest.raises(SecurityRefused) as refusal:
        opened(envelope, believed)
    assert refusal.value.said == "The security of the message could not be verified."
    return refusal.value.reason


def genuine() -> Element:
    return tree(a_request())


def evil_and_good() -> tuple[Element, Element, Element, Element]:
    """Mallory's message with her assertion unsigned; the genuine assertion, its signature apart."""
    root = mallorys_request()
    evil = find(root, ASSERTION)
    detach(find(evil, "ds:Signature"))
    good = copy_of(find(genuine(), ASSERTION))
    return root, evil, good, find(good, "ds:Signature")


def test_the_genuine_message_is_taken() -> None:
    assert opened(genuine()).assertion.subject == "Walter Brattain"


# ---- wrapping: a genuine signature, moved so that it seems to vouch for Mallory ---------------


def xsw1() -> Element:
    """The evil assertion first, the genuine one behind it."""
    root, evil, good, _ = evil_and_good()
    evil.addnext(good)
    return root


def xsw2() -> Element:
    """The genuine assertion first, the evil one behind it."""
    root, evil, good, _ = evil_and_good()
    evil.addprevious(good)
    return root


def xsw3() -> Element:
    """The evil assertion inside the genuine one's parent, wrapping it."""
    root, evil, good, _ = evil_and_good()
    evil.append(good)
    return root


def xsw4() -> Element:
    """The genuine signature in the evil assertion, the assertion it signs beside it."""
    root, evil, good, signature = evil_and_good()
    evil.insert(1, detach(signature))
    evil.addnext(good)
    return root


def xsw5() -> Element:
    """The genuine signature in the evil assertion, the assertion it signs inside the signature."""
    root, evil, good, signature = evil_and_good()
    evil.insert(1, detach(signature))
    etree.SubElement(signature, name("ds:Object")).append(good)
    return root


def xsw6() -> Element:
    """As before, and the evil assertion has taken the genuine id."""
    root = xsw5()
    evil = find(root, ASSERTION)
    evil.set("ID", an_assertion().id)
    return root


def xsw7() -> Element:
    """The genuine assertion in a header of its own, its signature in the evil one."""
    root, evil, good, signature = evil_and_good()
    evil.insert(1, detach(signature))
    etree.SubElement(find(root, "soap:Header"), "{urn:example}Wrapper").append(good)
    return root


def xsw8() -> Element:
    """The genuine assertion in the evil one's Advice, its signature in the evil one."""
    root, evil, good, signature = evil_and_good()
    evil.insert(1, detach(signature))
    etree.SubElement(evil, name("saml2:Advice")).append(good)
    return root


def xsw9() -> Element:
    """The genuine assertion as the evil one's Evidence, its signature in the evil one."""
    root, evil, good, signature = evil_and_good()
    evil.insert(1, detach(signature))
    decision = etree.SubElement(evil, name("saml2:AuthzDecisionStatement"))
    etree.SubElement(decision, name("saml2:Evidence")).append(good)
    return root


def xsw10() -> Element:
    """The same, under the genuine id."""
    root = xsw9()
    find(root, ASSERTION).set("ID", an_assertion().id)
    return root


def xsw11() -> Element:
    """The genuine assertion in the body's payload."""
    root, evil, good, signature = evil_and_good()
    evil.insert(1, detach(signature))
    find(root, "soap:Body")[0].append(good)
    return root


def xsw12() -> Element:
    """A whole second Security header, the genuine one, behind the evil one."""
    root = mallorys_request()
    find(root, "soap:Header").append(copy_of(find(genuine(), SECURITY)))
    return root


WRAPPINGS = [xsw1, xsw2, xsw3, xsw4, xsw5, xsw6, xsw7, xsw8, xsw9, xsw10, xsw11, xsw12]


@pytest.mark.parametrize("wrapped", WRAPPINGS)
def test_a_wrapped_signature_vouches_for_nobody(wrapped: Callable[[], Element]) -> None:
    refused(wrapped())


@pytest.mark.parametrize("wrapped", WRAPPINGS)
def test_wrapping_does_not_help_a_colleague_of_the_network(
    wrapped: Callable[[], Element],
) -> None:
    refused(wrapped(), Trust(anchors=(authority().certificate,), name="partner.example"))


# ---- assertions where none may stand ---------------------------------------------------------


@pytest.mark.parametrize("parent", [SECURITY, "soap:Header", "soap:Body/query", "wrapper"])
def test_a_second_assertion_is_refused_wherever_it_stands(parent: str) -> None:
    root = genuine()
    extra = copy_of(find(root, ASSERTION))
    extra.set("ID", "_another")
    if parent == "wrapper":
        etree.SubElement(find(root, SECURITY), "{urn:example}Wrapper").append(extra)
    elif parent == "soap:Body/query":
        find(root, "soap:Body")[0].append(extra)
    else:
        find(root, parent).append(extra)
    assert refused(root) in (
        "an assertion stands where none may",
        "Security has not exactly one saml2:Assertion",
    )


def evidence(assertion: Element, **ids: str) -> Element:
    """An assertion of Mallory's in the assertion's Evidence, and nothing else there."""
    for written in assertion.findall(name("saml2:AuthzDecisionStatement")):
        assertion.remove(written)
    decision = etree.SubElement(assertion, name("saml2:AuthzDecisionStatement"))
    inner = copy_of(find(mallorys_request(), ASSERTION))
    detach(find(inner, "ds:Signature"))
    detach(find(inner, "saml2:AuthzDecisionStatement"))
    inner.set("ID", ids.get("identifier", "_evidence"))
    etree.SubElement(decision, name("saml2:Evidence")).append(inner)
    return assertion


def test_an_assertion_in_the_evidence_is_content_and_never_an_identity() -> None:
    root = genuine()
    replace_assertion(root, signed_by(evidence(copy_of(find(root, ASSERTION))), partner()))
    taken = opened(root).assertion
    assert (taken.subject, taken.subject_name) == ("Walter Brattain", "UID=wbrattain")


def test_an_assertion_deeper_in_the_evidence_is_refused() -> None:
    root = genuine()
    assertion = evidence(copy_of(find(root, ASSERTION)))
    inner = find(assertion, "saml2:AuthzDecisionStatement/saml2:Evidence/saml2:Assertion")
    evidence(inner, identifier="_deeper")
    replace_assertion(root, signed_by(assertion, partner()))
    assert refused(root) == "an assertion stands where none may"


def test_evidence_under_the_identitys_id_is_refused() -> None:
    root = genuine()
    assertion = evidence(copy_of(find(root, ASSERTION)))
    resign(assertion, partner().key)
    inner = find(assertion, "saml2:AuthzDecisionStatement/saml2:Evidence/saml2:Assertion")
    inner.set("ID", an_assertion().id)
    resign(assertion, partner().key)
    replace_assertion(root, assertion)
    assert refused(root) == "the id of a signed element is empty or not its own"


@pytest.mark.parametrize("attribute", ["ID", "Id", "id", name("wsu:Id")])
@pytest.mark.parametrize("which", ["assertion", "timestamp"])
def test_an_id_that_stands_twice_is_refused(which: str, attribute: str) -> None:
    root = genuine()
    timestamp = find(root, f"{SECURITY}/wsu:Timestamp")
    taken = an_assertion().id if which == "assertion" else timestamp.get(name("wsu:Id"), "")
    find(root, "soap:Body").set(attribute, taken)
    assert refused(root) == "the id of a signed element is empty or not its own"


# ---- the signature's shape, signed by the partner's own key ------------------------------------


def reshaped(**shape: object) -> Element:
    root = genuine()
    resign(find(root, ASSERTION), partner().key, **shape)  # type: ignore[arg-type]
    return root


def test_a_signature_of_the_profile_made_elsewhere_is_taken() -> None:
    assert opened(reshaped()).assertion == an_assertion()


def test_a_signed_info_that_is_canonicalised_inclusively_is_taken() -> None:
    assert opened(reshaped(canonicalization=INCLUSIVE)).assertion == an_assertion()


def test_a_tampered_assertion_is_refused_in_the_inclusive_shape_too() -> None:
    root = reshaped(canonicalization=INCLUSIVE)
    find(root, f"{ASSERTION}/saml2:Subject/saml2:NameID").text = "UID=mallory"
    assert refused(root) == "signxml refuses the signature: InvalidDigest"


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"uri": ""}, "the signature refers to another element than it stands for"),
        ({"uri": "#_other"}, "the signature refers to another element than it stands for"),
        (
            {"uri": "#xpointer(id('_0123456789abcdef0123456789abcdef'))"},
            "the signature refers to another element than it stands for",
        ),
        (
            {"uri": "http://mallory.example/assertion"},
            "the signature refers to another element than it stands for",
        ),
        ({"references": 2}, "the signature's SignedInfo is not built as our profile demands"),
        ({"references": 0}, "the signature's SignedInfo is not built as our profile demands"),
        (
            {"transforms": (ENVELOPED,)},
            "the signature's Transforms is not built as our profile demands",
        ),
        ({"transforms": ()}, "the signature's Transforms is not built as our profile demands"),
        (
            {"transforms": (ENVELOPED, INCLUSIVE)},
            "the signature's Transform is an algorithm we do not take",
        ),
        (
            {"transforms": (EXCLUSIVE, ENVELOPED)},
            "the signature's Transform is an algorithm we do not take",
        ),
        (
            {"transforms": (ENVELOPED, EXCLUSIVE, "urn:example:unknown")},
            "the signature's Transforms is not built as our profile demands",
        ),
        (
            {"transforms": (ENVELOPED, "http://www.w3.org/TR/1999/REC-xslt-19991116")},
            "the signature's Transform is an algorithm we do not take",
        ),
        (
            {"transforms": ("http://www.w3.org/TR/1999/REC-xpath-19991116", EXCLUSIVE)},
            "the signature's Transform is an algorithm we do not take",
        ),
        ({"method": RSA_SHA1}, "the signature's SignatureMethod is an algorithm we do not take"),
        ({"digest_method": SHA1}, "the signature's DigestMethod is an algorithm we do not take"),
        (
            {"canonicalization": "urn:example:unknown"},
            "the signature's CanonicalizationMethod is an algorithm we do not take",
        ),
        (
            {"canonicalization": f"{EXCLUSIVE}WithComments"},
            "the signature's CanonicalizationMethod is an algorithm we do not take",
        ),
        ({"method": ECDSA_SHA256}, "the signature's algorithm is not one for the signer's key"),
    ],
)
def test_a_shape_beyond_the_profile_is_refused(shape: dict[str, object], reason: str) -> None:
    assert refused(reshaped(**shape)) == reason


def test_a_public_key_is_no_hmac_secret() -> None:
    """Algorithm confusion: the certificate's bytes, which everyone has, taken as the secret."""
    certificate = partner().certificate
    for secret in (
        certificate.public_bytes(Encoding.PEM),
        certificate.public_bytes(Encoding.DER),
        certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ):
        root = genuine()
        resign(find(root, ASSERTION), secret, method=HMAC_SHA256)
        assert refused(root) == "the signature's SignatureMethod is an algorithm we do not take"


def signed_info_twice(signature: Element) -> None:
    info = find(signature, "ds:SignedInfo")
    info.addnext(copy_of(info))


def two_values(signature: Element) -> None:
    value = find(signature, "ds:SignatureValue")
    value.addnext(copy_of(value))


def an_object(signature: Element) -> None:
    etree.SubElement(signature, name("ds:Object")).text = "content"


def value_first(signature: Element) -> None:
    signature.insert(0, find(signature, "ds:SignatureValue"))


def a_foreign_child(signature: Element) -> None:
    etree.SubElement(signature, "{urn:example}Anything")


def two_key_infos(signature: Element) -> None:
    info = find(signature, "ds:KeyInfo")
    info.addnext(copy_of(info))


def element_in_digest(signature: Element) -> None:
    digest = find(signature, "ds:SignedInfo/ds:Reference/ds:DigestValue")
    etree.SubElement(digest, "{urn:example}Anything").tail = "AAAA"


def element_in_value(signature: Element) -> None:
    etree.SubElement(find(signature, "ds:SignatureValue"), "{urn:example}Anything").tail = "AAAA"


def truncated_hmac(signature: Element) -> None:
    method = find(signature, "ds:SignedInfo/ds:SignatureMethod")
    etree.SubElement(method, name("ds:HMACOutputLength")).text = "8"


def comment_in_digest(signature: Element) -> None:
    digest = find(signature, "ds:SignedInfo/ds:Reference/ds:DigestValue")
    digest.insert(0, etree.Comment("AAAA"))


def comment_in_key_info(signature: Element) -> None:
    find(signature, "ds:KeyInfo").append(etree.Comment("nothing"))


def instruction_in_signed_info(signature: Element) -> None:
    find(signature, "ds:SignedInfo").append(etree.ProcessingInstruction("php", "1"))


@pytest.mark.parametrize(
    "twist",
    [
        signed_info_twice,
        two_values,
        an_object,
        value_first,
        a_foreign_child,
        two_key_infos,
        element_in_digest,
        element_in_value,
        truncated_hmac,
        comment_in_digest,
        comment_in_key_info,
        instruction_in_signed_info,
    ],
)
@pytest.mark.parametrize("which", ["assertion", "timestamp"])
def test_anything_extra_in_a_signature_is_refused(
    which: str, twist: Callable[[Element], None]
) -> None:
    root = genuine()
    signature = find(root, SIGNATURE if which == "assertion" else f"{SECURITY}/ds:Signature")
    twist(signature)
    sign_again(signature, partner().key)
    refused(root)


def test_a_comment_inside_a_signature_is_refused_even_where_it_changes_nothing() -> None:
    assert refused(_with_comment(b"</ds:DigestValue>")) == "a Signature holds a comment"


def _with_comment(before: bytes) -> bytes:
    return a_request().envelope.replace(before, b"<!-- x -->" + before)


def test_a_comment_elsewhere_is_nothing() -> None:
    envelope = a_request().envelope.replace(b"<soap:Body>", b"<!-- x --><soap:Body>")
    assert opened(envelope).assertion.subject == "Walter Brattain"


def test_a_comment_in_a_name_does_not_cut_it() -> None:
    """CVE-2017-11427: the signature stays valid, so the name must stay whole."""
    envelope = a_request().envelope.replace(b"UID=wbrattain", b"UID=w<!-- -->brattain")
    assert opened(envelope).assertion.subject_name == "UID=wbrattain"


def test_an_empty_digest_is_refused() -> None:
    root = genuine()
    signature = find(root, SIGNATURE)
    find(signature, "ds:SignedInfo/ds:Reference/ds:DigestValue").text = ""
    sign_again(signature, partner().key)
    assert refused(root) == "a value in the security header is empty"


@pytest.mark.parametrize("text", ["", "****", "AA AA=", "QUJD\x85RA=="])
def test_a_value_that_is_no_base64_is_refused(text: str) -> None:
    root = genuine()
    find(root, f"{SIGNATURE}/ds:SignatureValue").text = text
    refused(root)


@pytest.mark.parametrize("prefixes", ["", " ", "xs  xsi", " xs"])
def test_a_prefix_list_that_two_readers_may_split_differently_is_refused(prefixes: str) -> None:
    root = genuine()
    signature = find(root, SIGNATURE)
    transform = find(signature, "ds:SignedInfo/ds:Reference/ds:Transforms")[1]
    etree.SubElement(transform, name("ec:InclusiveNamespaces"), PrefixList=prefixes)
    sign_again(signature, partner().key)
    assert refused(root) == "a PrefixList is not a list of names"


def test_a_parameter_of_a_canonicalisation_that_we_do_not_know_is_refused() -> None:
    root = genuine()
    signature = find(root, SIGNATURE)
    method = find(signature, "ds:SignedInfo/ds:CanonicalizationMethod")
    etree.SubElement(method, "{urn:example}Parameter")
    sign_again(signature, partner().key)
    assert refused(root) == "a canonicalisation has parameters we do not take"


def test_a_signature_that_is_not_the_assertions_own_child_is_refused() -> None:
    root = genuine()
    find(root, f"{ASSERTION}/saml2:Subject").append(find(root, SIGNATURE))
    assert refused(root) == "Assertion has not exactly one ds:Signature"


def test_two_signatures_in_an_assertion_are_refused() -> None:
    root = genuine()
    signature = find(root, SIGNATURE)
    signature.addprevious(copy_of(find(mallorys_request(), SIGNATURE)))
    assert refused(root) == "Assertion has not exactly one ds:Signature"


# ---- the key ---------------------------------------------------------------------------------


def test_mallorys_own_assertion_is_refused() -> None:
    reason = "the signing certificate is not one pinned for this partner"
    assert refused(mallorys_request()) == reason


def test_a_key_that_the_message_brings_along_is_not_trusted() -> None:
    """KeyValue alone: the signature verifies with it, and proves nothing."""
    root = mallorys_request()
    info = write_key_info(mallory().certificate, with_key_value=True)
    info.remove(find(info, "ds:X509Data"))
    resign(find(root, ASSERTION), mallory().key, key_info=info)
    assert refused(root) == "the signing key is none that is registered for this partner"


def test_the_key_of_a_pinned_certificate_may_be_named_by_its_value() -> None:
    root = genuine()
    info = write_key_info(partner().certificate, with_key_value=True)
    info.remove(find(info, "ds:X509Data"))
    resign(find(root, ASSERTION), partner().key, key_info=info)
    assert opened(root).signer == partner().certificate


def test_no_key_info_means_one_of_the_pinned_certificates() -> None:
    root = genuine()
    resign(find(root, ASSERTION), partner().key)
    both = Trust(pinned=(leaf("Other").certificate, partner().certificate))
    assert opened(root, both).signer == partner().certificate
    assert refused(root, Trust(pinned=(leaf("Other").certificate,))) == (
        "the signature was not made with the signer's key"
    )


def test_naming_the_partners_certificate_does_not_make_mallorys_signature_his() -> None:
    root = mallorys_request()
    resign(find(root, ASSERTION), mallory().key, key_info=write_key_info(partner().certificate))
    assert refused(root) == "the signature was not made with the signer's key"


def test_another_certificate_in_the_key_info_is_refused() -> None:
    root = genuine()
    resign(find(root, ASSERTION), partner().key, key_info=write_key_info(mallory().certificate))
    assert refused(root) == "the signing certificate is not one pinned for this partner"


def test_a_key_value_beside_another_certificate_is_refused() -> None:
    root = genuine()
    info = write_key_info(partner().certificate)
    other = write_key_info(mallory().certificate, with_key_value=True)
    info.insert(0, find(other, "ds:KeyValue"))
    resign(find(root, ASSERTION), partner().key, key_info=info)
    assert refused(root) == "the signing key is none that is registered for this partner"


def test_a_key_too_short_to_be_believed_is_refused_even_if_pinned() -> None:
    weak = leaf("Weak", kind="rsa1024")
    root = genuine()
    resign(find(root, ASSERTION), weak.key)
    reason = "an RSA key has fewer than 2048 bits, or too many"
    assert refused(root, Trust(pinned=(weak.certificate,))) == reason


def test_an_ecdsa_signature_of_the_wrong_length_is_refused() -> None:
    by = partner("p256")
    root = tree(a_request(by=by))
    value = find(root, f"{SIGNATURE}/ds:SignatureValue")
    value.text = b64encode(b"\x00" * 70).decode()
    assert refused(root, trust(by)) == "an ECDSA signature has the wrong length"


def test_the_curve_of_zeroes_signs_nothing() -> None:
    """CVE-2022-21449: r and s of zero."""
    by = partner("p256")
    root = tree(a_request(by=by))
    find(root, f"{SIGNATURE}/ds:SignatureValue").text = b64encode(b"\x00" * 64).decode()
    assert refused(root, trust(by)) == "the signature was not made with the signer's key"


# ---- the Timestamp ---------------------------------------------------------------------------


def test_a_stolen_assertion_under_mallorys_timestamp_is_refused() -> None:
    """Mallory has seen a message and takes its assertion, but cannot prove the holder's key."""
    root = mallorys_request()
    replace_assertion(root, copy_of(find(genuine(), ASSERTION)))
    assert refused(root) == "the signature was not made with the signer's key"


def test_a_timestamp_signed_with_a_key_it_names_itself_is_refused() -> None:
    root = genuine()
    info = write_key_info(mallory().certificate, with_key_value=True)
    sign_timestamp(root, mallory().signing_key, info)
    assert refused(root) == "no key that may have signed is known"


def test_an_unsigned_timestamp_is_refused() -> None:
    root = genuine()
    detach(find(root, f"{SECURITY}/ds:Signature"))
    assert refused(root) == "Security has not exactly one ds:Signature"


def test_a_timestamp_signature_over_the_assertion_is_refused() -> None:
    """Only the assertion is signed twice: the Timestamp could be anything."""
    root = genuine()
    security = find(root, SECURITY)
    inner = copy_of(find(root, SIGNATURE))
    security.replace(find(root, f"{SECURITY}/ds:Signature"), inner)
    refused(root)


def test_two_timestamps_are_refused() -> None:
    root = genuine()
    timestamp = find(root, f"{SECURITY}/wsu:Timestamp")
    extra = copy_of(timestamp)
    extra.set(name("wsu:Id"), "TS-other")
    timestamp.addprevious(extra)
    assert refused(root) == "Security has not exactly one wsu:Timestamp"


def test_two_signatures_beside_the_timestamp_are_refused() -> None:
    root = genuine()
    signature = find(root, f"{SECURITY}/ds:Signature")
    signature.addnext(copy_of(signature))
    assert refused(root) == "Security has not exactly one ds:Signature"


def test_a_changed_timestamp_is_refused() -> None:
    root = genuine()
    find(root, f"{SECURITY}/wsu:Timestamp/wsu:Expires").text = "2026-03-01T12:50:00Z"
    assert refused(root) == "the signed element was changed after signing"


@pytest.mark.parametrize(
    "path",
    [
        "saml2:Subject/saml2:NameID",
        "saml2:Issuer",
        "saml2:AttributeStatement/saml2:Attribute/saml2:AttributeValue",
        "saml2:Conditions/saml2:AudienceRestriction/saml2:Audience",
    ],
)
def test_a_changed_assertion_is_refused(path: str) -> None:
    root = genuine()
    find(root, f"{ASSERTION}/{path}").text = "Mallory"
    assert refused(root) == "the signed element was changed after signing"
