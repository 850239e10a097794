"""Sealed messages for tests, and the tools to tamper with them.

`resign` makes signatures of any shape, with the standard's freedom that our own signer never
uses: what it makes is correctly signed, so that a refusal is due to the shape alone.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree
from lxml.etree import _Element as Element

from ihe.identifiers import HomeCommunityId
from ihe.namespaces import DS, EXCLUSIVE, name, spaces
from ihe.saml import Assertion, CodedAttribute
from ihe.signature import sign_detached, sign_enveloped
from ihe.soap import ITI_38_REQUEST, MessageKind
from ihe.trust import SigningKey, Trust
from ihe.wire import OpenedRequest, SealedRequest, open_request, seal_request
from ihe.ws_verification import Expectations
from tests.certificates import NOW, Issued, PrivateKey, leaf

OUR_AUDIENCE = "https://gateway.example/ihe/xca"
PARTNER = "Partner Community"
MALLORY = "Mallory"

RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
RSA_SHA1 = f"{DS}rsa-sha1"
HMAC_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
SHA1 = f"{DS}sha1"
ENVELOPED = f"{DS}enveloped-signature"
EXCLUSIVE_PREFIXES = name("ec:InclusiveNamespaces")
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"

SECURITY = "soap:Header/wsse:Security"
ASSERTION = f"{SECURITY}/saml2:Assertion"


def partner(kind: str = "rsa") -> Issued:
    return leaf(f"{PARTNER} {kind}", kind=kind, host="partner.example")


def mallory() -> Issued:
    """Known to the same authority, but not this partner."""
    return leaf(MALLORY, host="mallory.example")


def an_assertion(**changes: object) -> Assertion:
    assertion = Assertion(
        id="_0123456789abcdef0123456789abcdef",
        issuer="CN=partner.example,O=Partner Community",
        issue_instant=NOW,
        not_before=NOW - timedelta(minutes=1),
        not_on_or_after=NOW + timedelta(minutes=30),
        subject_name="UID=wbrattain",
        subject="Walter Brattain",
        organization="Partner Community",
        organization_id="urn:oid:2.999.7",
        home_community_id=HomeCommunityId.parse("urn:oid:2.999.7.1"),
        role=CodedAttribute("112247003", "2.16.840.1.113883.6.96", "SNOMED_CT", "Medical doctor"),
        purpose_of_use=CodedAttribute(
            "TREATMENT", "2.16.840.1.113883.3.18.7.1", "nhin-purpose", "Treatment"
        ),
        audiences=(OUR_AUDIENCE,),
        npi="1234567893",
        resource_id="4711^^^&2.999.7.2&ISO",
        access_consent_policies=("urn:oid:2.999.7.3",),
    )
    return replace(assertion, **changes)  # type: ignore[arg-type]


def a_request(
    *,
    by: Issued | None = None,
    assertion: Assertion | None = None,
    kind: MessageKind = ITI_38_REQUEST,
    message_id: str = "urn:uuid:8d0c5c9e-0000-4000-8000-000000000001",
) -> SealedRequest:
    return seal_request(
        etree.Element(kind.root),
        kind=kind,
        to="https://gateway.example/ihe/xca",
        message_id=message_id,
        assertion=assertion or an_assertion(),
        signing_key=(by or partner()).signing_key,
        now=NOW,
    )


def trust(by: Issued | None = None) -> Trust:
    return Trust(pinned=((by or partner()).certificate,))


def expected() -> Expectations:
    return Expectations(NOW, audiences=frozenset({OUR_AUDIENCE}))


def opened(envelope: bytes | Element, believed: Trust | None = None) -> OpenedRequest:
    data = envelope if isinstance(envelope, bytes) else etree.tostring(envelope)
    return open_request(data, believed or trust(), expected())


# ---- tampering -------------------------------------------------------------------------------


def tree(sealed: SealedRequest) -> Element:
    return etree.fromstring(sealed.envelope)


def find(root: Element, path: str) -> Element:
    """The element at a path of prefixed names."""
    found = root.find("/".join(name(step) for step in path.split("/")))
    assert found is not None, path
    return found


def detach(element: Element) -> Element:
    """`element`, taken out; what stood around it stays."""
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)
    return element


def copy_of(element: Element) -> Element:
    return deepcopy(element)


def mallorys_request() -> Element:
    """A whole request of Mallory's own: her assertion, her key, her fresh Timestamp."""
    assertion = an_assertion(
        id="_evil", subject="Mallory", subject_name="UID=mallory", organization="Mallory Inc"
    )
    return tree(a_request(by=mallory(), assertion=assertion))


def signed_by(assertion: Element, by: Issued) -> Element:
    """`assertion` signed anew in our own way."""
    for old in assertion.findall(name("ds:Signature")):
        assertion.remove(old)
    return sign_enveloped(assertion, by.signing_key)


def replace_assertion(root: Element, assertion: Element) -> None:
    old = find(root, ASSERTION)
    parent = old.getparent()
    assert parent is not None
    parent.replace(old, assertion)


def sign_timestamp(root: Element, key: SigningKey, key_info: Element | None = None) -> None:
    """Signs the Timestamp anew, with any key."""
    security = find(root, SECURITY)
    for old in security.findall(name("ds:Signature")):
        security.remove(old)
    timestamp = find(security, "wsu:Timestamp")
    info = etree.Element(name("ds:KeyInfo"), nsmap=spaces("ds")) if key_info is None else key_info
    alone = etree.fromstring(etree.tostring(timestamp))
    security.append(sign_detached(alone, key, info))


# ---- signatures of any shape -----------------------------------------------------------------


def resign(
    assertion: Element,
    key: PrivateKey | bytes,
    *,
    uri: str | None = None,
    transforms: Sequence[str] = (ENVELOPED, EXCLUSIVE),
    method: str = RSA_SHA256,
    digest_method: str = SHA256,
    canonicalization: str = EXCLUSIVE,
    references: int = 1,
    key_info: Element | None = None,
) -> Element:
    """Replaces the assertion's Signature by one of this shape, made with `key`; returns it.

    A `key` of bytes is an HMAC secret. The digest is always that of the assertion as SAML
    demands it, or of `assertion`'s whole tree for an empty `uri`.
    """
    for old in assertion.findall(name("ds:Signature")):
        assertion.remove(old)
    content = _canonical(assertion)
    signature = etree.Element(name("ds:Signature"), nsmap=spaces("ds"))
    info = _add(signature, "SignedInfo")
    _add(info, "CanonicalizationMethod", Algorithm=canonicalization)
    _add(info, "SignatureMethod", Algorithm=method)
    for _ in range(references):
        reference = _add(info, "Reference", URI=f"#{assertion.get('ID')}" if uri is None else uri)
        steps = _add(reference, "Transforms")
        for algorithm in transforms:
            _add(steps, "Transform", Algorithm=algorithm)
        _add(reference, "DigestMethod", Algorithm=digest_method)
        digest = hashlib.new("sha1" if digest_method == SHA1 else "sha256", content).digest()
        _add(reference, "DigestValue").text = b64encode(digest).decode()
    _add(signature, "SignatureValue")
    if key_info is not None:
        signature.append(key_info)
    assertion.insert(1, signature)
    sign_again(signature, key)
    return signature


def sign_again(signature: Element, key: PrivateKey | bytes) -> None:
    """Fits the SignatureValue to a SignedInfo that was changed."""
    info = find(signature, "ds:SignedInfo")
    method = find(info, "ds:SignatureMethod").get("Algorithm", "")
    how = find(info, "ds:CanonicalizationMethod")
    listed = how.find(EXCLUSIVE_PREFIXES)
    prefixes = None if listed is None else listed.get("PrefixList", "").split()
    content = _canonical(info, exclusive=how.get("Algorithm") != INCLUSIVE, prefixes=prefixes)
    value = _sign(content, key, method)
    find(signature, "ds:SignatureValue").text = b64encode(value).decode()


def _sign(data: bytes, key: PrivateKey | bytes, method: str) -> bytes:
    if isinstance(key, bytes):
        return hmac.digest(key, data, "sha256")
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.key_size + 7) // 8
        pair = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return b"".join(number.to_bytes(size, "big") for number in pair)
    algorithm = hashes.SHA1() if method == RSA_SHA1 else hashes.SHA256()  # noqa: S303 (an attack)
    return key.sign(data, padding.PKCS1v15(), algorithm)


def _add(parent: Element, local: str, **attributes: str) -> Element:
    return etree.SubElement(parent, name(f"ds:{local}"), attributes)


def _canonical(
    element: Element, *, exclusive: bool = True, prefixes: list[str] | None = None
) -> bytes:
    return etree.tostring(
        element,
        method="c14n",
        exclusive=exclusive,
        with_comments=False,
        inclusive_ns_prefixes=prefixes,
    )
