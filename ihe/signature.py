"""XML signatures of one element: made with signxml, verified strictly (XML Signature 1.1).

Strategy: nearly every attack on XML signatures uses what the standard allows and no profile
needs: several references, transforms, objects, keys from the message. So the shape is checked
first, element by element, and anything beyond the profile is refused, not skipped (SAML Core:
5.4). Then a short verifier does what remains: canonicalise, digest, verify with a key that was
chosen elsewhere. What it returns is parsed anew from the very bytes that were digested; nobody
reads from the tree that came in.

signxml is the reference: whatever the short verifier accepts signxml accepts too, over identical
bytes (a test says so), and it takes over where SignedInfo is canonicalised inclusively.
"""

import hashlib
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from ccda.safe_xml import Element, parse_xml
from ihe.errors import SecurityRefused
from ihe.key_info import PublicKey, check_strength, read_base64, write_key_info
from ihe.namespaces import DS, EXCLUSIVE, name
from ihe.trust import SigningKey

_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
_ENVELOPED: Final = f"{DS}enveloped-signature"
_INCLUSIVE: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"

# SHA-1 and HMAC are not in these tables, and never will be learned (DECISIONS 5).
_METHODS: Final[dict[str, tuple[str, hashes.HashAlgorithm]]] = {
    f"{_MORE}rsa-sha256": ("RSA", hashes.SHA256()),
    f"{_MORE}rsa-sha384": ("RSA", hashes.SHA384()),
    f"{_MORE}rsa-sha512": ("RSA", hashes.SHA512()),
    f"{_MORE}ecdsa-sha256": ("ECDSA", hashes.SHA256()),
    f"{_MORE}ecdsa-sha384": ("ECDSA", hashes.SHA384()),
    f"{_MORE}ecdsa-sha512": ("ECDSA", hashes.SHA512()),
}
_DIGESTS: Final = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    f"{_MORE}sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
_SIGNERS: Final = {
    "secp256r1": SignatureMethod.ECDSA_SHA256,
    "secp384r1": SignatureMethod.ECDSA_SHA384,
    "secp521r1": SignatureMethod.ECDSA_SHA512,
}


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature covers: the bytes, the element parsed from them, the SignatureValue."""

    content: bytes
    element: Element
    value: str


# ---- signing ---------------------------------------------------------------------------------


def sign_enveloped(assertion: Element, key: SigningKey) -> Element:
    """A signed copy of `assertion`, its Signature behind the Issuer (SAML Core: 5.4.2)."""
    place = etree.Element(name("ds:Signature"), Id="placeholder", nsmap={"ds": DS})
    assertion.insert(1, place)
    signer = _signer(SignatureConstructionMethod.enveloped, key)
    return signer.sign(
        assertion,
        key=key.private_key,
        key_info=write_key_info(key.certificate),
        reference_uri=assertion.get("ID"),
        id_attribute="ID",
    )


def sign_detached(element: Element, key: SigningKey, key_info: Element) -> Element:
    """A Signature over `element`, which has a wsu:Id, to stand beside it (WSS 1.1: 8)."""
    signer = _signer(SignatureConstructionMethod.detached, key)
    return signer.sign(
        element,
        key=key.private_key,
        key_info=key_info,
        reference_uri=element.get(name("wsu:Id")),
        id_attribute="Id",
    )


def _signer(method: SignatureConstructionMethod, key: SigningKey) -> XMLSigner:
    private_key = key.private_key
    algorithm = SignatureMethod.RSA_SHA256
    if isinstance(private_key, ec.EllipticCurvePrivateKey):
        algorithm = _SIGNERS[private_key.curve.name]
    return XMLSigner(
        method=method,
        signature_algorithm=algorithm,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )


# ---- verifying -------------------------------------------------------------------------------


def verify(
    target: Element,
    signature: Element,
    *,
    key: PublicKey,
    certificate: x509.Certificate | None,
    now: datetime,
) -> Signed:
    """What `signature` covers, if it covers `target` alone and was made with `key`.

    A signature inside `target` is enveloped, one beside it detached. `certificate` is the key's,
    if it has one.

    Raises:
        SecurityRefused: the signature is not of our profile, or does not verify.
    """
    enveloped = signature.getparent() is target
    shape = _take_apart(signature, identifier(target, enveloped=enveloped), enveloped=enveloped)
    check_strength(key)
    if shape.canonicalization == EXCLUSIVE:
        content = _verify_strictly(target, shape, key, enveloped=enveloped)
    elif certificate is not None:
        content = verify_by_reference(target, signature, certificate=certificate, now=now)
    else:
        raise SecurityRefused("SignedInfo is canonicalised in a way we do not take here")
    return Signed(content, parse_xml(content), shape.value_text)


def identifier(target: Element, *, enveloped: bool) -> str:
    """The id by which a Reference must name `target`: SAML's ID, or wsu:Id."""
    found = target.get("ID" if enveloped else name("wsu:Id"), "")
    if not found:
        raise SecurityRefused("the signed element has no id")
    return found


@dataclass(frozen=True, slots=True)
class _Shape:
    """A signature of the profile, taken apart."""

    signed_info: Element
    canonicalization: str
    info_prefixes: list[str] | None
    method: str
    reference_prefixes: list[str] | None
    digest_method: str
    digest: bytes
    value_text: str
    value: bytes


def _take_apart(signature: Element, target_id: str, *, enveloped: bool) -> _Shape:
    """The parts of a signature, each there once, in order, and nothing else beside them."""
    children = _children(signature, "SignedInfo", "SignatureValue", "KeyInfo?")
    signed_info, value = children[:2]
    method, algorithm, reference = _children(
        signed_info, "CanonicalizationMethod", "SignatureMethod", "Reference"
    )
    transforms, digest_method, digest = _children(
        reference, "Transforms", "DigestMethod", "DigestValue"
    )
    for leaf in (algorithm, digest_method, digest, value):
        _children(leaf)
    if reference.get("URI") != f"#{target_id}":
        raise SecurityRefused("the signature refers to another element than it stands for")
    return _Shape(
        signed_info,
        _known(method, {EXCLUSIVE, _INCLUSIVE}),
        _prefixes(method),
        _known(algorithm, _METHODS),
        _read_transforms(transforms, enveloped=enveloped),
        _known(digest_method, _DIGESTS),
        read_base64(digest.text),
        "".join((value.text or "").split()),
        read_base64(value.text),
    )


def _children(element: Element, *expected: str) -> list[Element]:
    """The children of `element`, if they are those expected; a name with `?` may be absent.

    Comments count as children: in a DigestValue one may show a verifier another value than the
    one that was signed (CVE-2025-29775), and a second SignedInfo likewise (CVE-2025-29774).
    """
    found = list(element)
    tags = [child.tag for child in found]
    wanted = [name(f"ds:{one.removesuffix('?')}") for one in expected]
    optional = len(expected) > 0 and expected[-1].endswith("?")
    if tags != wanted and not (optional and tags == wanted[:-1]):
        local = etree.QName(element).localname
        raise SecurityRefused(f"the signature's {local} is not built as our profile demands")
    return found


def _known(element: Element, known: Container[str]) -> str:
    algorithm = element.get("Algorithm", "")
    if algorithm not in known:
        local = etree.QName(element).localname
        raise SecurityRefused(f"the signature's {local} is an algorithm we do not take")
    return algorithm


def _read_transforms(transforms: Element, *, enveloped: bool) -> list[str] | None:
    """SAML Core: 5.4.4: enveloped (in an assertion) and exclusive canonicalisation, no other."""
    expected = [_ENVELOPED, EXCLUSIVE] if enveloped else [EXCLUSIVE]
    found = _children(transforms, *("Transform" for _ in expected))
    for transform, algorithm in zip(found, expected, strict=True):
        _known(transform, (algorithm,))
    for transform in found[:-1]:
        _children(transform)
    return _prefixes(found[-1])


def _prefixes(method: Element) -> list[str] | None:
    """The PrefixList of an exclusive canonicalisation (Exclusive XML Canonicalization: 4)."""
    if len(method) == 0:
        return None
    inclusive = method[0]
    if len(method) > 1 or inclusive.tag != name("ec:InclusiveNamespaces"):
        raise SecurityRefused("a canonicalisation has parameters we do not take")
    text = inclusive.get("PrefixList", "")
    prefixes = text.split()
    # signxml splits at single blanks: where the two readings differ, neither is believed.
    if not prefixes or " ".join(prefixes) != text:
        raise SecurityRefused("a PrefixList is not a list of names")
    return prefixes


def _verify_strictly(target: Element, shape: _Shape, key: PublicKey, *, enveloped: bool) -> bytes:
    signed_info = _canonical(shape.signed_info, shape.info_prefixes)
    _check_value(shape, key, signed_info)
    covered = _without_signature(target) if enveloped else target
    content = _canonical(covered, shape.reference_prefixes)
    if hashlib.new(_DIGESTS[shape.digest_method], content).digest() != shape.digest:
        raise SecurityRefused("the signed element was changed after signing")
    return content


def _check_value(shape: _Shape, key: PublicKey, signed_info: bytes) -> None:
    family, algorithm = _METHODS[shape.method]
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and family == "ECDSA":
            key.verify(_as_der(shape.value, key), signed_info, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey) and family == "RSA":
            key.verify(shape.value, signed_info, padding.PKCS1v15(), algorithm)
        else:
            raise SecurityRefused("the signature's algorithm is not one for the signer's key")
    except InvalidSignature:
        raise SecurityRefused("the signature was not made with the signer's key") from None


def _as_der(value: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """r and s side by side (XML Signature 1.1: 6.4.3) as the DER that cryptography wants."""
    size = (key.key_size + 7) // 8
    if len(value) != 2 * size:
        raise SecurityRefused("an ECDSA signature has the wrong length")
    return encode_dss_signature(
        int.from_bytes(value[:size], "big"), int.from_bytes(value[size:], "big")
    )


def _canonical(element: Element, prefixes: list[str] | None) -> bytes:
    try:
        return etree.tostring(
            element,
            method="c14n",
            exclusive=True,
            with_comments=False,
            inclusive_ns_prefixes=prefixes,
        )
    except etree.C14NError:  # a namespace that is no absolute URI (Canonical XML: 1.3)
        raise SecurityRefused("the signed element has no canonical form") from None


def _without_signature(target: Element) -> Element:
    """A copy of `target` less its own Signature; the text around that stays (6.6.4)."""
    copy = parse_xml(etree.tostring(target, with_tail=False))
    signature = next(copy.iterchildren(name("ds:Signature")))
    before = signature.getprevious()
    tail = signature.tail or ""
    if before is None:
        copy.text = (copy.text or "") + tail
    else:
        before.tail = (before.tail or "") + tail
    copy.remove(signature)
    return copy


def verify_by_reference(
    target: Element, signature: Element, *, certificate: x509.Certificate, now: datetime
) -> bytes:
    """The bytes that signxml finds signed: with our certificate, our parser, our algorithms.

    Raises:
        SecurityRefused: signxml refuses, in whatever way: it raises TypeError or DocumentInvalid,
            too, for some of what it does not expect.
    """
    enveloped = signature.getparent() is target
    holder = target if enveloped else signature.getparent()
    if holder is None:
        raise SecurityRefused("the signature stands alone")
    try:
        result = XMLVerifier().verify(
            etree.tostring(holder, with_tail=False),
            x509_cert=certificate,
            parser=_parser(),
            id_attribute="ID" if enveloped else "Id",
            expect_config=_configuration(now),
            # Its schema refuses InclusiveNamespaces in SignedInfo, which WSS4J always writes;
            # the shape is checked before it comes here.
            validate_schema=False,
        )
    except Exception as error:  # see Raises: all of them are refusals (DECISIONS 2)
        raise SecurityRefused(f"signxml refuses the signature: {type(error).__name__}") from None
    # A list comes only when more than one reference is expected.
    return cast(VerifyResult, result).signed_data


def _configuration(now: datetime) -> SignatureConfiguration:
    return SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=frozenset(SignatureMethod(method) for method in _METHODS),
        digest_algorithms=frozenset(DigestAlgorithm(method) for method in _DIGESTS),
        verification_time=now,
    )


@cache
def _parser() -> etree.XMLParser:
    """The parser of `safe_xml`, which hands it out only with what it has parsed."""
    return cast(etree.XMLParser, parse_xml(b"<parser/>").getroottree().parser)
