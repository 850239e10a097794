"""A short verifier of one signature of the profile: canonicalise, digest, verify (DECISIONS 2).

One reference, to the element's own id; exactly the two known transforms; RSA or ECDSA with SHA-2;
a key that was chosen elsewhere, never one that the message brings. The shape has been checked
before (`signature_shape`). Whatever is accepted here signxml accepts too, over the same bytes.
"""

from typing import Final, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from lxml import etree

from ccda.safe_xml import Element, parse_xml
from ihe.errors import SecurityRefused
from ihe.key_info import PublicKey, family_of
from ihe.namespaces import name
from ihe.signature_shape import DIGESTS, METHODS, Shape

_ISSUER: Final = name("saml2:Issuer")
_ECDSA: Final = {algorithm.name: ec.ECDSA(algorithm) for _, algorithm in METHODS.values()}


def verify_strictly(target: Element, shape: Shape, key: PublicKey, *, enveloped: bool) -> bytes:
    """The canonical bytes of `target` that the signature covers.

    Raises:
        SecurityRefused: it was not made with `key`, or covers something else.
    """
    signed_info = canonical(shape.signed_info, shape.info_prefixes)
    _check_value(shape, key, signed_info)
    content = canonical(target, shape.reference_prefixes)
    if enveloped:
        content = _cut_out(content, shape) or canonical(
            _without_signature(target), shape.reference_prefixes
        )
    if DIGESTS[shape.digest_method](content).digest() != shape.digest:
        raise SecurityRefused("the signed element was changed after signing")
    return content


def sign_strictly(
    signed_info: bytes,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    algorithm: hashes.HashAlgorithm,
) -> bytes:
    """The value of a signature over canonical SignedInfo."""
    if family_of(type(key)) == "RSA":
        return cast(rsa.RSAPrivateKey, key).sign(signed_info, padding.PKCS1v15(), algorithm)
    key = cast(ec.EllipticCurvePrivateKey, key)
    size = (key.key_size + 7) // 8
    numbers = decode_dss_signature(key.sign(signed_info, _ECDSA[algorithm.name]))
    return b"".join(number.to_bytes(size, "big") for number in numbers)


def _check_value(shape: Shape, key: PublicKey, signed_info: bytes) -> None:
    family, algorithm = METHODS[shape.method]
    try:
        if family == family_of(type(key)) == "ECDSA":
            of_ec = cast(ec.EllipticCurvePublicKey, key)
            of_ec.verify(_as_der(shape.value, of_ec), signed_info, _ECDSA[algorithm.name])
        elif family == family_of(type(key)) == "RSA":
            of_rsa = cast(rsa.RSAPublicKey, key)
            of_rsa.verify(shape.value, signed_info, padding.PKCS1v15(), algorithm)
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


def canonical(element: Element, prefixes: list[str] | None) -> bytes:
    """Exclusive XML Canonicalization 1.0, without comments.

    Raises:
        SecurityRefused: the element has no such form.
    """
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


def _cut_out(content: bytes, shape: Shape) -> bytes | None:
    """The canonical `content` less the Signature in it; None if that is not plain to see.

    In the exclusive form nothing else changes with an element that goes, and no text and no
    attribute holds a `<`. So where the Signature stands right behind a plain Issuer, the first tag
    of its name opens it, and the next to close one closes it, unless one opens between them or an
    instruction, which may hold anything, stands there. What is left is what `_without_signature`
    leaves, without parsing anew.
    """
    signature = shape.signed_info.getparent()
    issuer = None if signature is None else signature.getprevious()
    if signature is None or issuer is None or issuer.tag != _ISSUER:
        return None
    if len(issuer) or issuer.getprevious() is not None:
        return None
    named = b"Signature" if signature.prefix is None else f"{signature.prefix}:Signature".encode()
    opened, bare, closed = b"<%b " % named, b"<%b>" % named, b"</%b>" % named
    start = content.find(opened)
    stop = content.find(closed, start)
    if start < 0 or stop < 0 or content.find(bare, 0, stop) >= 0:
        return None
    if content.find(opened, start + 1, stop) >= 0 or content.find(b"<?", start, stop) >= 0:
        return None
    return content[:start] + content[stop + len(closed) :]


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
