"""What the policy forbids is refused, with a reason that names it (Direct AS 1.3: 2.8)."""

from collections.abc import Iterator

import pytest

from direct import ber
from direct.ber import Element, find_element, tlv
from direct.cms_algorithms import AlgorithmPolicy
from direct.cms_encrypt import encrypt
from direct.cms_name import encode_oid
from direct.cms_sign import sign
from direct.cms_structure import read_signed
from direct.errors import AlgorithmRefused, DirectError
from direct.smime import SealAlgorithms, open_sealed
from tests.certificates import Issued, leaf
from tests.direct.sealing import (
    ENTITY,
    enveloped,
    identity,
    key,
    outer,
    recipient,
    sender,
    signed_entity,
)

EVERYTHING = AlgorithmPolicy(least_rsa_bits=512)
SHA256 = bytes.fromhex("0609608648016503040201")
SHA1 = bytes.fromhex("06052b0e03021a")
MD5 = bytes.fromhex("06082a864886f70d0205")
SHA224 = bytes.fromhex("0609608648016503040204")


def test_the_default_policy_is_the_standards() -> None:
    policy = AlgorithmPolicy()
    assert policy.digests == {"sha256", "sha384", "sha512"}
    assert {name[-3:] for name in policy.ciphers} == {"cbc", "gcm"}
    assert all(name.startswith("aes") for name in policy.ciphers)
    assert policy.least_rsa_bits == 2048


def with_digest(oid: bytes) -> bytes:
    """A message of ours whose signature claims another digest, lengths mended."""
    signature = sign(ENTITY, identity(sender()), SealAlgorithms(), EVERYTHING)
    old, new = b"\x30\x0b" + SHA256, b"\x30" + bytes((len(oid),)) + oid
    return enveloped(signed_entity(ENTITY, reencode(signature, old, new)))


def reencode(der: bytes, old: bytes, new: bytes) -> bytes:
    """`der` with the element `old` replaced by `new` in each structure around it."""
    if der == old:
        return new
    if not der[0] & 0x20 or old not in der:
        return der

    element = ber.read(der)
    return ber.tlv(der[0], *(reencode(bytes(one.raw), old, new) for one in element.parts()))


@pytest.mark.parametrize(
    ("oid", "reason"),
    [(SHA1, "SHA-1"), (MD5, "MD5"), (SHA224, "sha224"), (b"\x06\x01\x2a", "not know")],
)
def test_a_weak_or_unknown_digest_is_refused(oid: bytes, reason: str) -> None:
    with pytest.raises(AlgorithmRefused, match=reason):
        open_sealed(with_digest(oid), [key(recipient())])


def with_cipher(oid: str) -> bytes:
    cms = b"".join(encrypt([b"x"], (recipient().certificate,), SealAlgorithms(), EVERYTHING))
    aes256 = bytes.fromhex("060960864801650304012a")
    assert cms.count(aes256) == 1

    old = next(bytes(one.raw) for one in walk(cms) if bytes(one.raw).startswith(aes256, 2))

    new = ber.tlv(ber.SEQUENCE, encode_oid(oid), old[2 + len(aes256) :])

    return outer(reencode(cms, old, new))


def walk(der: bytes) -> Iterator[Element]:

    waiting = [ber.read(der)]
    while waiting:
        element = waiting.pop()
        yield element
        waiting += element.parts()


@pytest.mark.parametrize(
    ("oid", "reason"),
    [
        ("1.2.840.113549.3.7", "Triple DES"),
        ("1.2.840.113549.3.2", "rc2"),
        ("1.3.14.3.2.7", "des-cbc"),
        ("2.16.840.1.101.3.4.1.47", "aes256-ccm"),
        ("1.2.3.4", "not know"),
    ],
)
def test_a_weak_or_unknown_cipher_is_refused(oid: str, reason: str) -> None:
    with pytest.raises(AlgorithmRefused, match=reason):
        open_sealed(with_cipher(oid), [key(recipient())])


def from_lax(*, by: Issued | None = None, to: Issued | None = None) -> bytes:
    by, to = by or sender(), to or recipient()
    signature = sign(ENTITY, identity(by), SealAlgorithms(), EVERYTHING)
    return enveloped(signed_entity(ENTITY, signature), to.certificate)


def test_a_signer_of_1024_bits_is_refused() -> None:
    with pytest.raises(AlgorithmRefused, match="1024 bits"):
        open_sealed(from_lax(by=leaf("short signer", kind="rsa1024")), [key(recipient())])


def test_a_key_of_ours_of_1024_bits_is_refused() -> None:
    short = leaf("short recipient", kind="rsa1024")
    with pytest.raises(AlgorithmRefused, match="1024 bits"):
        open_sealed(from_lax(to=short), [key(short)])


def test_a_key_longer_than_any_honest_one_is_refused() -> None:
    policy = AlgorithmPolicy(most_rsa_bits=2047)
    with pytest.raises(AlgorithmRefused, match="2048 bits"):
        open_sealed(from_lax(), [key(recipient())], policy)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (AlgorithmPolicy(key_transports=frozenset({"ecdh"})), "rsa-oaep"),
        (AlgorithmPolicy(ciphers=frozenset({"aes256-gcm"})), "aes256-cbc"),
        (AlgorithmPolicy(digests=frozenset({"sha512"})), "sha256"),
    ],
)
def test_a_stricter_policy_is_kept(policy: AlgorithmPolicy, reason: str) -> None:
    with pytest.raises(AlgorithmRefused, match=reason):
        open_sealed(from_lax(), [key(recipient())], policy)


def test_a_curve_outside_the_policy_is_refused() -> None:
    policy = AlgorithmPolicy(curves=frozenset({"secp384r1"}))
    with pytest.raises(AlgorithmRefused, match="secp256r1"):
        open_sealed(from_lax(by=sender("p256")), [key(recipient())], policy)


def test_no_refusal_allows_a_notice_or_tells_content() -> None:
    with pytest.raises(DirectError) as refused:
        open_sealed(with_digest(SHA1), [key(recipient())])
    assert refused.value.disposition is None
    assert "clinic" not in str(refused.value)


def test_a_second_signer_that_we_do_not_take_does_not_count_and_is_told() -> None:
    good = sign(ENTITY, identity(sender()), SealAlgorithms(), EVERYTHING)
    weak = leaf("weak second signer", kind="rsa1024")
    other = sign(ENTITY, identity(weak), SealAlgorithms(), EVERYTHING)
    merged = merge(good, other)
    assert len(read_signed(merged).signers) == 2
    opened = open_sealed(enveloped(signed_entity(ENTITY, merged)), [key(recipient())])
    assert [one.certificate for one in opened.signers] == [sender().certificate]
    assert opened.passed_over == ("an RSA key of 1024 bits is refused",)


def merge(first: bytes, second: bytes) -> bytes:
    """One SignedData with the signers and certificates of both."""
    bodies = [list(find_element(ber.read(one), 1, 0).parts()) for one in (first, second)]
    raw = [[bytes(part.raw) for part in body] for body in bodies]
    certificates = tlv(0xA0, bytes(bodies[0][3].body), bytes(bodies[1][3].body))
    infos = tlv(ber.SET, bytes(bodies[0][4].body), bytes(bodies[1][4].body))
    signed = tlv(ber.SEQUENCE, *raw[0][:3], certificates, infos)
    kind = bytes(find_element(ber.read(first), 0).raw)
    return tlv(ber.SEQUENCE, kind, tlv(0xA0, signed))
