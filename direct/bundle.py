"""Trust bundles: the anchors of a community in one file (Trust Bundle IG 1.0).

A bundle is a signed-data without signers whose certificates are the anchors (`.p7b`), or such a
one inside a signed-data (`.p7m`), so that a signature covers it. Whoever fetched it says by whom
it must be signed; what changed against the one before is a value too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509

from direct.certificates import Bag, decode_text, read_bag
from direct.chain import faults_of
from direct.cms_algorithms import AlgorithmPolicy
from direct.cms_structure import read_signed
from direct.cms_verify import Signer, verify
from direct.errors import MalformedMessage, MessageTooLarge, SignatureInvalid

MOST_BYTES: Final = 4 * 1024 * 1024
"""Two hundred anchors have 400 KB."""
_MOST_METADATA: Final = 64 * 1024
_POLICY: Final = AlgorithmPolicy()


@dataclass(frozen=True, slots=True)
class Bundle:
    """The anchors of a bundle, in its order, and what it says of itself."""

    anchors: tuple[x509.Certificate, ...]
    metadata: str | None
    """The text that a bundle may carry, mostly XML: what it is for. Shown, never obeyed."""
    signer: x509.Certificate | None
    """Who has signed it, checked; whether that is the right one is the caller's to say."""
    unread: int
    """How many of its certificates could not be read; they are not trusted."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a bundle brings against the one before it."""

    joined: tuple[x509.Certificate, ...]
    left: tuple[x509.Certificate, ...]
    signer_changed: bool

    @property
    def is_none(self) -> bool:
        return not (self.joined or self.left or self.signer_changed)


def read_bundle(
    content: bytes,
    signers: Sequence[x509.Certificate] = (),
    *,
    policy: AlgorithmPolicy = _POLICY,
) -> Bundle:
    """The bundle in `content`, its signature checked if it has one.

    `signers` are certificates by which it may be signed without bringing them along.

    Raises:
        MalformedMessage: it is no bundle, or holds no anchor.
        MessageTooLarge: it is over our limit of bytes or anchors.
        SignatureInvalid: it was altered after it was signed.
        AlgorithmRefused: it is signed by means that we do not take.
    """
    if len(content) > MOST_BYTES:
        raise MessageTooLarge("the bundle is larger than we take")
    bag = read_bag(content)
    if not bag.is_signed:
        return _bundle(bag, None)
    signer, inner = _open(content, signers, policy)
    return _bundle(read_bag(inner), signer.certificate)


def diff(before: Bundle | None, after: Bundle) -> Difference:
    """What `after` brings; everything, if there was none before."""
    old = before.anchors if before else ()
    return Difference(
        joined=tuple(one for one in after.anchors if one not in old),
        left=tuple(one for one in old if one not in after.anchors),
        signer_changed=before is not None and before.signer != after.signer,
    )


def doubts(bundle: Bundle, *, now: datetime) -> tuple[str, ...]:
    """What is wrong with single anchors, a sentence each; no chain to such an anchor is trusted."""
    found = []
    for anchor in bundle.anchors:
        who = f"the anchor {anchor.subject.rfc4514_string()}"
        found += [fault.text for fault in faults_of(anchor, who, now=now, is_anchor=True)]
    if bundle.unread:
        found.append(f"{bundle.unread} certificates of the bundle cannot be read")
    return tuple(found)


def _open(
    content: bytes, signers: Sequence[x509.Certificate], policy: AlgorithmPolicy
) -> tuple[Signer, bytes]:
    structures = decode_text(content)
    if len(structures) != 1:
        raise MalformedMessage("a signed bundle stands beside something else")
    signed = read_signed(structures[0])
    if signed.content is None:
        raise MalformedMessage("the bundle's signature is over nothing")
    found = verify(signed, signed.content, policy, is_detached=False, known=signers)
    wanted = [signer for signer in found.signers if signer.certificate in signers]
    # The certificates beside a signature are not what it covers, so they are never the anchors.
    return (wanted or list(found.signers))[0], bytes(found.content)


def _bundle(bag: Bag, signer: x509.Certificate | None) -> Bundle:
    if signer is not None and bag.is_signed:
        raise SignatureInvalid("what the bundle's signature covers is signed again")
    if not bag.certificates:
        raise MalformedMessage("the bundle holds no certificate that can be read")
    return Bundle(bag.certificates, _text(bag.content), signer, bag.unread)


def _text(content: bytes | None) -> str | None:
    if not content or len(content) > _MOST_METADATA:
        return None
    text = content.decode("utf-8", errors="replace").lstrip("\ufeff")
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
