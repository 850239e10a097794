"""The one shape of a ds:Signature that we verify: taken apart, with nothing else beside it.

Nearly every attack on XML signatures uses what the standard allows and no profile needs: several
references, transforms, objects. What is beyond the profile is refused, not skipped (SAML Core:
5.4).
"""

import hashlib
from collections.abc import Container
from dataclasses import dataclass
from functools import cache
from typing import Final

from cryptography.hazmat.primitives import hashes
from lxml import etree

from ccda.safe_xml import Element
from ccda.values import quickly_made
from ihe.errors import SecurityRefused
from ihe.key_info import read_base64
from ihe.namespaces import DS, EXCLUSIVE, name

_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
_ENVELOPED: Final = f"{DS}enveloped-signature"
_INCLUSIVE: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"

# SHA-1 and HMAC are not in these tables, and never will be learned (DECISIONS 5).
METHODS: Final[dict[str, tuple[str, hashes.HashAlgorithm]]] = {
    f"{_MORE}rsa-sha256": ("RSA", hashes.SHA256()),
    f"{_MORE}rsa-sha384": ("RSA", hashes.SHA384()),
    f"{_MORE}rsa-sha512": ("RSA", hashes.SHA512()),
    f"{_MORE}ecdsa-sha256": ("ECDSA", hashes.SHA256()),
    f"{_MORE}ecdsa-sha384": ("ECDSA", hashes.SHA384()),
    f"{_MORE}ecdsa-sha512": ("ECDSA", hashes.SHA512()),
}
DIGESTS: Final = {
    "http://www.w3.org/2001/04/xmlenc#sha256": hashlib.sha256,
    f"{_MORE}sha384": hashlib.sha384,
    "http://www.w3.org/2001/04/xmlenc#sha512": hashlib.sha512,
}


@quickly_made
@dataclass(frozen=True, slots=True)
class Shape:
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


def take_apart(signature: Element, target_id: str, *, enveloped: bool) -> Shape:
    """The parts of a signature, each there once, in order, and nothing else beside them."""
    children = _children(signature, "SignedInfo", "SignatureValue", "KeyInfo?")
    signed_info, value = children[:2]
    method, algorithm, reference = _children(
        signed_info, "CanonicalizationMethod", "SignatureMethod", "Reference"
    )
    transforms, digest_method, digest = _children(
        reference, "Transforms", "DigestMethod", "DigestValue"
    )
    _demand_leaves(algorithm, digest_method, digest, value)
    if reference.get("URI") != f"#{target_id}":
        raise SecurityRefused("the signature refers to another element than it stands for")
    return Shape(
        signed_info,
        _known(method, {EXCLUSIVE, _INCLUSIVE}),
        _prefixes(method),
        _known(algorithm, METHODS),
        _read_transforms(transforms, enveloped=enveloped),
        _known(digest_method, DIGESTS),
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
    if [child.tag for child in found] not in _wanted(expected):
        local = etree.QName(element).localname
        raise SecurityRefused(f"the signature's {local} is not built as our profile demands")
    return found


def _demand_leaves(*elements: Element) -> None:
    for element in elements:
        if len(element):
            _children(element)


@cache
def _wanted(expected: tuple[str, ...]) -> tuple[list[str], ...]:
    """The lists of tags that are as expected."""
    whole = [name(f"ds:{one.removesuffix('?')}") for one in expected]
    return (whole, whole[:-1]) if expected and expected[-1].endswith("?") else (whole,)


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
    _demand_leaves(*found[:-1])
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
