"""XML signatures of one element: made as signxml makes them, verified strictly (XML Signature 1.1).

Strategy: the shape is checked first, element by element (`signature_shape`). Then a short verifier
does what remains (`strict_signature`), with a key that was chosen elsewhere. What is returned is
parsed anew from the very bytes that were digested; nobody reads from the tree that came in.

signxml is the reference: whatever the short verifier accepts signxml accepts too, over identical
bytes (a test says so), and it takes over where SignedInfo is canonicalised inclusively.
"""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final, Literal, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
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
from ccda.values import quickly_made
from ihe.errors import SecurityRefused
from ihe.key_info import PublicKey, check_strength, family_of, write_key_info
from ihe.namespaces import DS, EXCLUSIVE, name
from ihe.signature_shape import DIGESTS, METHODS, take_apart
from ihe.strict_signature import canonical, sign_strictly, verify_strictly
from ihe.trust import SigningKey

_SIGNERS: Final = {
    "secp256r1": SignatureMethod.ECDSA_SHA256,
    "secp384r1": SignatureMethod.ECDSA_SHA384,
    "secp521r1": SignatureMethod.ECDSA_SHA512,
}

_TRANSFORM: Final = '<ds:Transform Algorithm="{}"></ds:Transform>'
_INFO: Final = (
    f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"></ds:CanonicalizationMethod>'
    '<ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod>'
    '<ds:Reference URI="#{identifier}"><ds:Transforms>{transforms}</ds:Transforms>'
    '<ds:DigestMethod Algorithm="{hash}"></ds:DigestMethod>'
    "<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
)
"""What stands in a SignedInfo of ours, as Exclusive XML Canonicalization spells it."""


Digest = Literal["sha256", "sha1"]
"""By what our own signatures digest."""


@quickly_made
@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature covers: the bytes, the element parsed from them, the SignatureValue."""

    content: bytes
    element: Element
    value: str


# ---- signing ---------------------------------------------------------------------------------


def sign_enveloped(assertion: Element, key: SigningKey, digest: Digest = "sha256") -> Element:
    """A signed copy of `assertion`, its Signature behind the Issuer (SAML Core: 5.4.2).

    Raises:
        ValueError: SHA-1 is asked for, and the key is not RSA.
    """
    if digest == "sha1":
        return _envelop_by_sha1(assertion, key)
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


def sign_detached(
    element: Element, key: SigningKey, key_info: Element, digest: Digest = "sha256"
) -> Element:
    """A Signature over `element`, which has a wsu:Id, to stand beside it (WSS 1.1: 8).

    Raises:
        ValueError: SHA-1 is asked for, and the key is not RSA.
    """
    content, identifier = canonical(element, None), element.get(name("wsu:Id"), "")
    signature = parse_xml(write_signature(content, identifier, key, digest=digest).encode())
    signature.append(key_info)
    return signature


def _envelop_by_sha1(assertion: Element, key: SigningKey) -> Element:
    """As signxml would, which makes no signatures by SHA-1."""
    written = write_signature(
        canonical(assertion, None),
        assertion.get("ID", ""),
        key,
        transforms=(SignatureConstructionMethod.enveloped.value, EXCLUSIVE),
        digest="sha1",
    )
    signature = parse_xml(written.encode())
    signature.append(write_key_info(key.certificate))
    signed = deepcopy(assertion)
    signed.insert(1, signature)
    return signed


def write_signature(
    content: bytes,
    identifier: str,
    key: SigningKey,
    key_info: str = "",
    *,
    transforms: Sequence[str] = (EXCLUSIVE,),
    digest: Digest = "sha256",
) -> str:
    """A Signature as text, of an element by its canonical form; `key_info` is text too.

    Every answer has one, so nothing is built for it: what is digested and signed is spelled in
    its canonical form from the start. `identifier` is ours, and needs no escape.

    Raises:
        ValueError: SHA-1 is asked for, and the key is not RSA.
    """
    signing, hashed = _algorithms(key, digest)
    info = _INFO.format(
        method=signing.uri,
        identifier=identifier,
        transforms="".join(_TRANSFORM.format(one) for one in transforms),
        hash=hashed.uri,
        digest=b64encode(hashed.of(content)).decode(),
    )
    signed = f'<ds:SignedInfo xmlns:ds="{DS}">{info}'.encode()
    value = b64encode(sign_strictly(signed, key.private_key, signing.algorithm)).decode()
    return (
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>{info}'
        f"<ds:SignatureValue>{value}</ds:SignatureValue>{key_info}</ds:Signature>"
    )


@dataclass(frozen=True, slots=True)
class _Signing:
    uri: str
    algorithm: hashes.HashAlgorithm


@dataclass(frozen=True, slots=True)
class _Hashing:
    uri: str
    name: str

    def of(self, content: bytes) -> bytes:
        if self.name == "sha256":
            return hashlib.sha256(content).digest()
        return hashlib.new(self.name, content, usedforsecurity=False).digest()


_BY_SHA256: Final = _Hashing(DigestAlgorithm.SHA256.value, "sha256")
_BY_METHOD: Final = {
    method: _Signing(method.value, METHODS[method.value][1])
    for method in (*_SIGNERS.values(), SignatureMethod.RSA_SHA256)
}


def _algorithms(key: SigningKey, digest: Digest) -> tuple[_Signing, _Hashing]:
    if digest == "sha256":
        return _BY_METHOD[_method(key)], _BY_SHA256
    if not isinstance(key.private_key, rsa.RSAPrivateKey):
        raise ValueError("a signature by SHA-1 is made with an RSA key alone")
    # Only ever made, by an operator's exception with an end: what we verify knows no SHA-1.
    made = hashes.SHA1()  # noqa: S303 - see above
    return _Signing(SignatureMethod.RSA_SHA1.value, made), _Hashing(f"{DS}sha1", digest)


def _method(key: SigningKey) -> SignatureMethod:
    private_key = key.private_key
    if family_of(type(private_key)) == "ECDSA":
        return _SIGNERS[cast(ec.EllipticCurvePrivateKey, private_key).curve.name]
    return SignatureMethod.RSA_SHA256


def _signer(method: SignatureConstructionMethod, key: SigningKey) -> XMLSigner:
    return XMLSigner(
        method=method,
        signature_algorithm=_method(key),
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
    shape = take_apart(signature, identifier(target, enveloped=enveloped), enveloped=enveloped)
    check_strength(key)
    if shape.canonicalization == EXCLUSIVE:
        content = verify_strictly(target, shape, key, enveloped=enveloped)
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
        signature_methods=frozenset(SignatureMethod(method) for method in METHODS),
        digest_algorithms=frozenset(DigestAlgorithm(method) for method in DIGESTS),
        verification_time=now,
    )


@cache
def _parser() -> etree.XMLParser:
    """The parser of `safe_xml`, which hands it out only with what it has parsed."""
    return cast(etree.XMLParser, parse_xml(b"<parser/>").getroottree().parser)
