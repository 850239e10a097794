"""Implicit rejection (RFC 3218): whatever is wrong with a key, one error comes out, by one path."""

import secrets
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from direct import ber, cms_decrypt
from direct.cms_decrypt import decrypt
from direct.cms_structure import Enveloped, KeyAgreement, KeyTransport, read_enveloped
from direct.errors import DecryptionFailed, NotForUs
from direct.smime import AlgorithmPolicy, DecryptionKey, SealAlgorithms, open_sealed
from direct.smime_entity import read_entity
from tests.certificates import Issued, leaf
from tests.direct.sealing import key, outer, recipient, sealed

POLICY = AlgorithmPolicy()
V15 = SealAlgorithms(key_transport="rsa-pkcs1v15")
OAEP = SealAlgorithms()
GCM = SealAlgorithms(cipher="aes256-gcm")
BAD_LENGTHS = (0, 1, 15, 16, 24, 31, 33, 64)


def read(message: bytes) -> Enveloped:
    return read_enveloped(read_entity(message).decode())


def with_key(message: Enveloped, encrypted_key: bytes) -> Enveloped:
    (one,) = message.recipients
    assert isinstance(one, KeyTransport)
    changed = KeyTransport(one.recipient, one.algorithm, encrypted_key)
    return Enveloped((changed,), 1, message.cipher, message.ciphertext, message.is_authenticated,
                     message.mac, message.attributes)  # fmt: skip


def failure(message: Enveloped, ours: DecryptionKey) -> DecryptionFailed:
    """How it fails. One random key in 256 makes padding that can be; then it is done again."""
    for _ in range(8):
        try:
            decrypt(message, [ours], POLICY)
        except DecryptionFailed as failed:
            return failed
    raise AssertionError("a bad key opens the message")


def rsa_cases() -> list[bytes]:
    public = recipient().certificate.public_key()
    wrapped = [public.encrypt(secrets.token_bytes(n), padding.PKCS1v15()) for n in BAD_LENGTHS]  # type: ignore[union-attr,call-arg,arg-type]
    return [*wrapped, secrets.token_bytes(256), b"\x00" * 256, b"\xff" * 256, b"", b"short"]


@pytest.mark.parametrize("algorithms", [V15, OAEP, GCM], ids=["v1.5", "oaep", "gcm"])
def test_every_bad_rsa_key_fails_alike(algorithms: SealAlgorithms) -> None:
    message = read(sealed(algorithms=algorithms))
    told = set()
    for case in rsa_cases():
        failed = failure(with_key(message, case), key(recipient()))
        assert failed.__cause__ is None
        assert failed.disposition is None
        told.add(str(failed))
    assert len(told) == 1


@pytest.mark.parametrize("algorithms", [V15, OAEP, GCM], ids=["v1.5", "oaep", "gcm"])
def test_a_bad_key_decrypts_as_many_octets_as_a_good_one(
    algorithms: SealAlgorithms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same path, hence the same time: the content is decrypted under a random key."""
    message, seen = read(sealed(algorithms=algorithms)), []
    opened = cms_decrypt._open

    def watch(enveloped: Enveloped, content_key: bytes, nonce: bytes) -> bytes | None:
        seen.append((len(content_key), len(enveloped.ciphertext)))
        return opened(enveloped, content_key, nonce)

    monkeypatch.setattr(cms_decrypt, "_open", watch)
    decrypt(message, [key(recipient())], POLICY)
    for case in rsa_cases():
        failure(with_key(message, case), key(recipient()))
    assert set(seen) == {(32, len(message.ciphertext))}
    assert len(seen) >= 1 + len(rsa_cases())


def agreed(ours: Issued, point: bytes | None = None, wrapped: bytes | None = None) -> Enveloped:
    message = read(sealed(to=(ours.certificate,)))
    (one,) = message.recipients
    assert isinstance(one, KeyAgreement)
    changed = KeyAgreement(
        one.recipient,
        one.originator_point if point is None else point,
        one.ukm,
        one.algorithm,
        one.encrypted_key if wrapped is None else wrapped,
    )
    return Enveloped((changed,), 1, message.cipher, message.ciphertext, False)


def test_every_bad_agreement_fails_alike() -> None:
    ours = recipient("p256")
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    foreign = other.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    off_curve = b"\x04" + b"\x01" * 64  # the invalid curve attack: a point that is on none
    cases = [
        *(agreed(ours, point=point) for point in (off_curve, foreign, b"", b"\x00", b"\x04")),
        *(agreed(ours, wrapped=octets) for octets in (b"", b"x", b"\x00" * 40, b"\x00" * 24)),
    ]
    told = set()
    for case in cases:
        failed = failure(case, key(ours))
        told.add((str(failed), failed.__cause__))
    assert len(told) == 1


def test_bad_padding_fails_like_a_bad_key() -> None:
    message = read(sealed(algorithms=SealAlgorithms(cipher="aes128-cbc")))
    cut = Enveloped(message.recipients, 1, message.cipher, message.ciphertext[:-16], False)
    with pytest.raises(DecryptionFailed, match="does not open"):
        decrypt(cut, [key(recipient())], POLICY)


@pytest.mark.parametrize(
    ("padded", "end"),
    [
        (b"x" * 15 + b"\x01", 15),
        (b"\x10" * 16, 0),
        (b"x" * 14 + b"\x02\x02", 14),
        (b"x" * 15 + b"\x00", None),
        (b"x" * 15 + b"\x11", None),
        (b"x" * 14 + b"\x01\x02", None),
        (b"\xff" * 16, None),
    ],
)
def test_padding_is_checked_whole(padded: bytes, end: int | None) -> None:
    assert cms_decrypt._end(padded, is_padded=True) == end


def test_one_recipient_repeated_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that names our key 500 times costs one private operation."""
    message, tried = read(sealed(algorithms=GCM)), []
    monkeypatch.setattr(
        cms_decrypt, "_content_key", lambda *_: tried.append(1) or secrets.token_bytes(32)
    )
    flood = replace(message, recipients=message.recipients * 500, recipient_count=500)
    with pytest.raises(DecryptionFailed):
        decrypt(flood, [key(recipient())], POLICY)
    assert len(tried) == 1


def test_too_many_recipients_are_refused() -> None:
    cms = read_entity(sealed()).decode()
    info = bytes(ber.find_element(ber.read(cms), 1, 0, 1, 0).raw)
    parts = [bytes(one.raw) for one in ber.find_element(ber.read(cms), 1, 0).parts()]
    body = ber.tlv(ber.SEQUENCE, parts[0], ber.tlv(ber.SET, info * 501), parts[2])
    kind = bytes(ber.find_element(ber.read(cms), 0).raw)
    flood = ber.tlv(ber.SEQUENCE, kind, ber.tlv(0xA0, body))
    with pytest.raises(Exception, match="too many recipients"):
        open_sealed(outer(flood), [key(recipient())])


def test_a_message_for_others_is_not_tried() -> None:
    with pytest.raises(NotForUs):
        open_sealed(sealed(), [key(leaf("somebody else"))])
    with pytest.raises(NotForUs):
        open_sealed(sealed(), [])
