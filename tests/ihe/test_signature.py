"""The strict verifier against signxml: it accepts no more, and sees the same bytes."""

import hashlib
import re
from base64 import b64encode

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from lxml import etree
from lxml.etree import _Element as Element
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.signer import XMLSigner

from ccda.safe_xml import parse_xml
from ihe.errors import SecurityRefused
from ihe.key_info import public_key, write_key_info
from ihe.namespaces import DS, SAML, name
from ihe.signature import sign_detached, sign_enveloped, verify, verify_by_reference
from tests.certificates import NOW, Issued, private_key
from tests.ihe_messages import (
    ASSERTION,
    EXCLUSIVE_PREFIXES,
    INCLUSIVE,
    SECURITY,
    a_request,
    detach,
    find,
    mallory,
    partner,
    resign,
    sign_again,
    tree,
)

KINDS = ["rsa", "p256", "p384"]
OTHER = '<ds:Signature xmlns:ds="urn:other">x</ds:Signature>'
OURS = f'<ds:Signature xmlns:ds="{DS}" Id="other">x</ds:Signature>'
slow = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("kind", KINDS)
def test_a_detached_signature_is_the_one_that_signxml_writes(kind: str) -> None:
    signer = partner(kind).signing_key
    timestamp = etree.fromstring(
        f"<u:Timestamp xmlns:u='{etree.QName(name('wsu:Id')).namespace}' u:Id='TS-1'>"
        "<u:Created>2026-11-21T00:00:00Z</u:Created></u:Timestamp>"
    )
    methods = {
        "rsa": SignatureMethod.RSA_SHA256,
        "p256": SignatureMethod.ECDSA_SHA256,
        "p384": SignatureMethod.ECDSA_SHA384,
    }
    theirs = XMLSigner(
        method=SignatureConstructionMethod.detached,
        signature_algorithm=methods[kind],
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    ).sign(
        timestamp,
        key=signer.private_key,
        key_info=write_key_info(signer.certificate),
        reference_uri="TS-1",
        id_attribute="Id",
    )
    ours = sign_detached(timestamp, signer, write_key_info(signer.certificate))
    if kind != "rsa":  # an ECDSA value is another one each time
        for signature in (ours, theirs):
            value = signature.find(name("ds:SignatureValue"))
            assert value is not None and value.text
            value.text = str(len(value.text))
    assert etree.tostring(ours) == etree.tostring(theirs)


def strictly(target: Element, signature: Element, by: Issued) -> bytes | None:
    """What the strict verifier finds signed, or None."""
    try:
        return verify(
            target,
            signature,
            key=public_key(by.certificate),
            certificate=by.certificate,
            now=NOW,
        ).content
    except SecurityRefused:
        return None


def by_reference(target: Element, signature: Element, by: Issued) -> bytes | None:
    try:
        return verify_by_reference(target, signature, certificate=by.certificate, now=NOW)
    except SecurityRefused:
        return None


def both_pairs(root: Element) -> list[tuple[Element, Element]]:
    """(signed element, its signature), for the assertion and for the Timestamp."""
    return [
        (find(root, ASSERTION), find(root, f"{ASSERTION}/ds:Signature")),
        (find(root, f"{SECURITY}/wsu:Timestamp"), find(root, f"{SECURITY}/ds:Signature")),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_both_verifiers_see_the_same_bytes_in_a_message_of_ours(kind: str) -> None:
    by = partner(kind)
    for target, signature in both_pairs(tree(a_request(by=by))):
        content = strictly(target, signature, by)
        assert content is not None
        assert content == by_reference(target, signature, by)


TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"),
    max_size=20,
) | st.sampled_from(["\r\n", "\t", "&<>\"'", "]]>", "\u00a0", "\ue000"])


@st.composite
def elements(draw: st.DrawFn) -> Element:
    """A signed-to-be element: any text, attributes, namespaces, and depth."""
    root = etree.Element(
        name("saml2:Assertion"),
        {"ID": "_id", "Version": draw(TEXT)},
        nsmap={"saml2": "urn:oasis:names:tc:SAML:2.0:assertion", "xs": "urn:xs", None: "urn:d"},
    )
    root.text = draw(TEXT)
    parent = etree.SubElement(root, name("saml2:Issuer"))
    parent.tail = draw(TEXT)
    for _ in range(draw(st.integers(0, 4))):
        namespace = draw(st.sampled_from(["urn:a", "urn:b", "urn:d", ""]))
        prefix = draw(st.sampled_from(["a", "b", "xs"]))
        tag = f"{{{namespace}}}x" if namespace else "x"
        child = etree.SubElement(parent, tag, nsmap={prefix: f"urn:{prefix}"})
        child.set(f"{{urn:{prefix}}}y", draw(TEXT))
        child.text, child.tail = draw(TEXT), draw(TEXT)
        parent = draw(st.sampled_from([root, child]))
    return root


@slow
@given(elements(), st.sampled_from(KINDS), st.booleans())
def test_whatever_is_signed_both_verifiers_agree(element: Element, kind: str, within: bool) -> None:
    by = partner(kind)
    signed = sign_enveloped(element, by.signing_key)
    data = etree.tostring(signed)
    if within:  # as text: lxml may rename prefixes when it moves an element
        data = b'<o:outer xmlns:o="urn:o" xmlns:xs="urn:else">' + data + b" behind </o:outer>"
    root = etree.fromstring(data)
    signed = root[0] if within else root
    signature = find(signed, "ds:Signature")
    content = strictly(signed, signature, by)
    assert content is not None
    assert content == by_reference(signed, signature, by)
    assert etree.fromstring(content).find(f".//{name('ds:Signature')}") is None


@slow
@given(st.data())
def test_what_the_strict_verifier_accepts_of_a_damaged_message_signxml_accepts_too(
    data: st.DataObject,
) -> None:
    by = partner()
    envelope = a_request(by=by).envelope.decode()
    position = data.draw(st.integers(0, len(envelope) - 1))
    damage = data.draw(st.sampled_from([" ", "", "x", "\n", "<!---->", "<x/>", "&#32;", "=", "0"]))
    length = data.draw(st.integers(0, 2))
    damaged = envelope[:position] + damage + envelope[position + length :]
    try:
        root = etree.fromstring(damaged.encode())
        pairs = both_pairs(root)
    except (etree.XMLSyntaxError, AssertionError):
        assume(False)
        raise
    for target, signature in pairs:
        content = strictly(target, signature, by)
        if content is not None:
            assert content == by_reference(target, signature, by)


@pytest.mark.parametrize("prefixes", ["xs", "xs xsi", "wsse soap", "#default"])
@pytest.mark.parametrize("where", ["SignedInfo", "Reference"])
def test_prefix_lists_as_wss4j_writes_them_are_read_alike(where: str, prefixes: str) -> None:
    root = tree(a_request())
    assertion = find(root, ASSERTION)
    signature = resign(assertion, partner().key)
    add_prefixes(signature, where, prefixes)
    if where == "Reference":
        set_digest(assertion, signature, prefixes)
    sign_again(signature, partner().key)
    content = strictly(assertion, signature, partner())
    assert content is not None
    assert content == by_reference(assertion, signature, partner())


def test_a_signature_that_its_surroundings_spell_otherwise_is_left_out_all_the_same() -> None:
    """With `ds` written at the root the Signature within does not declare it again."""
    assertion = find(tree(a_request()), ASSERTION)
    etree.SubElement(assertion, name("saml2:Advice")).append(etree.fromstring(OURS))
    whole = etree.tostring(assertion)
    outer = etree.fromstring(
        b'<o:outer xmlns:o="urn:o" xmlns:ds="%b">%b</o:outer>' % (DS.encode(), whole)
    )
    assertion, signature = outer[0], find(outer[0], "ds:Signature")
    add_prefixes(signature, "Reference", "ds")
    set_digest(assertion, signature, "ds")
    sign_again(signature, partner().key)
    content = strictly(assertion, signature, partner())
    assert content is not None and b"SignatureValue" not in content and b"Advice" in content
    assert content == by_reference(assertion, signature, partner())


@pytest.mark.parametrize(
    "beside",
    [
        f"<saml2:Issuer>a</saml2:Issuer><saml2:Advice>{OTHER}</saml2:Advice>",
        f"<saml2:Issuer>a</saml2:Issuer><saml2:Advice>{OURS}</saml2:Advice>",
        f"<saml2:Issuer>a</saml2:Issuer>{OTHER}",
        f"<saml2:Issuer>{OTHER}</saml2:Issuer>",
        f"{OTHER}<saml2:Issuer>a</saml2:Issuer>",
        "<saml2:Issuer>a</saml2:Issuer><?x <ds:Signature > ?><saml2:Advice/>",
        "<?x </ds:Signature> ?><saml2:Issuer><?x <ds:Signature > ?></saml2:Issuer>",
        "<saml2:Issuer>&lt;ds:Signature &gt;</saml2:Issuer> between &lt;/ds:Signature&gt;",
    ],
)
@pytest.mark.parametrize("at_root", [True, False])
def test_no_other_signature_is_taken_for_the_one_that_is_left_out(
    beside: str, at_root: bool
) -> None:
    """Whatever stands beside it, both verifiers see the same bytes, or neither sees any."""
    declared = f' xmlns:ds="{DS}"' if at_root else ""
    unsigned = etree.fromstring(
        f'<saml2:Assertion xmlns:saml2="{SAML}"{declared} ID="_id">{beside}</saml2:Assertion>'
    )
    signed = sign_enveloped(unsigned, partner().signing_key)
    assertion = parse_xml(etree.tostring(signed))
    (signature,) = (one for one in assertion if one.tag == name("ds:Signature"))
    content = strictly(assertion, signature, partner())
    assert content == by_reference(assertion, signature, partner())
    # Instructions are gone when a message has been read, and what was signed is another thing.
    assert (content is None) == ("<?" in beside)


@pytest.mark.parametrize("inside", [OURS, "<?x </ds:Signature> ?>", "<!-- </ds:Signature> -->"])
def test_a_signature_ends_where_it_ends(inside: str) -> None:
    """What is not signed, its KeyInfo, may hold what looks like its end."""
    signed = find(tree(a_request()), ASSERTION)
    written = etree.tostring(signed).decode().replace("</ds:KeyInfo>", f"{inside}</ds:KeyInfo>", 1)
    assertion = etree.fromstring(written)
    content = strictly(assertion, find(assertion, "ds:Signature"), partner())
    assert content == strictly(signed, find(signed, "ds:Signature"), partner())


def add_prefixes(signature: Element, where: str, prefixes: str) -> None:
    info = find(signature, "ds:SignedInfo")
    if where == "SignedInfo":
        method = find(info, "ds:CanonicalizationMethod")
    else:
        method = find(info, "ds:Reference/ds:Transforms")[1]
    etree.SubElement(method, EXCLUSIVE_PREFIXES, PrefixList=prefixes)


def set_digest(assertion: Element, signature: Element, prefixes: str) -> None:
    assertion.remove(signature)
    content = etree.tostring(
        assertion, method="c14n", exclusive=True, inclusive_ns_prefixes=prefixes.split()
    )
    assertion.insert(1, signature)
    digest = find(signature, "ds:SignedInfo/ds:Reference/ds:DigestValue")
    digest.text = b64encode(hashlib.sha256(content).digest()).decode()


def test_signxml_takes_over_where_signed_info_is_canonicalised_inclusively() -> None:
    root = tree(a_request())
    assertion = find(root, ASSERTION)
    signature = resign(assertion, partner().key, canonicalization=INCLUSIVE)
    content = strictly(assertion, signature, partner())
    assert content is not None
    assert content == by_reference(assertion, signature, partner())
    with pytest.raises(SecurityRefused):  # signxml wants a certificate
        verify(
            assertion, signature, key=public_key(partner().certificate), certificate=None, now=NOW
        )


def test_signxml_refuses_a_certificate_that_is_not_in_force() -> None:
    by = partner()
    root = tree(a_request())
    late = by.certificate.not_valid_after_utc.replace(year=2100)
    for target, signature in both_pairs(root):
        with pytest.raises(SecurityRefused, match="InvalidCertificate"):
            verify_by_reference(target, signature, certificate=by.certificate, now=late)


def test_a_weak_key_verifies_nothing_wherever_it_was_named() -> None:
    weak = private_key("Weak holder", "rsa1024").public_key()
    root = tree(a_request())
    assertion = find(root, ASSERTION)
    signature = resign(assertion, private_key("Weak holder", "rsa1024"))
    with pytest.raises(SecurityRefused, match="2048"):
        verify(assertion, signature, key=weak, certificate=None, now=NOW)


def test_a_signature_that_stands_alone_is_refused() -> None:
    root = tree(a_request())
    timestamp, signature = both_pairs(root)[1]
    with pytest.raises(SecurityRefused, match="stands alone"):
        verify_by_reference(
            timestamp, detach(signature), certificate=partner().certificate, now=NOW
        )


def test_what_is_returned_is_parsed_from_the_signed_bytes() -> None:
    root = tree(a_request())
    assertion = find(root, ASSERTION)
    signed = verify(
        assertion,
        find(assertion, "ds:Signature"),
        key=public_key(partner().certificate),
        certificate=partner().certificate,
        now=NOW,
    )
    assert signed.element is not assertion
    assert signed.element.getparent() is None
    assert signed.element.find(name("ds:Signature")) is None
    assert etree.tostring(signed.element, method="c14n", exclusive=True) == signed.content


def test_verifying_leaves_the_message_as_it_was() -> None:
    root = tree(a_request())
    before = etree.tostring(root)
    for target, signature in both_pairs(root):
        strictly(target, signature, partner())
    assert etree.tostring(root) == before


def test_the_text_around_a_signature_is_signed() -> None:
    element = etree.Element(name("saml2:Assertion"), ID="_id")
    element.text = "before "
    issuer = etree.SubElement(element, name("saml2:Issuer"))
    issuer.tail = " between "
    signed = sign_enveloped(element, partner().signing_key)
    signature = find(signed, "ds:Signature")
    content = strictly(signed, signature, partner())
    assert content is not None
    assert re.search(rb">before <.* between <", content)
    signature.tail = "behind"
    assert strictly(signed, signature, partner()) is None


def test_an_element_without_an_id_cannot_be_verified() -> None:
    root = tree(a_request())
    timestamp = find(root, f"{SECURITY}/wsu:Timestamp")
    del timestamp.attrib[name("wsu:Id")]
    assert strictly(timestamp, find(root, f"{SECURITY}/ds:Signature"), partner()) is None
    assertion = find(root, ASSERTION)
    assertion.set("ID", "")
    assert strictly(assertion, resign(assertion, partner().key), partner()) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_detached_signature_has_one_transform(kind: str) -> None:
    by = partner(kind)
    timestamp = etree.Element(name("wsu:Timestamp"), {name("wsu:Id"): "TS-1"})
    signature = sign_detached(timestamp, by.signing_key, write_key_info(by.certificate))
    holder = etree.Element(name("wsse:Security"))
    holder.extend([timestamp, signature])
    transforms = find(signature, "ds:SignedInfo/ds:Reference/ds:Transforms")
    assert len(transforms) == 1
    assert strictly(timestamp, signature, by) == by_reference(timestamp, signature, by)


def test_another_key_verifies_nothing() -> None:
    for target, signature in both_pairs(tree(a_request())):
        assert strictly(target, signature, partner("p256")) is None
        assert strictly(target, signature, mallory()) is None
