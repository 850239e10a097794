"""EFAIL: no trick with the outside of a message makes us show what an attacker has not signed.

CBC lets who knows one block change what is decrypted, and MIME lets a stranger lay an encrypted
part between parts of their own. Neither may lead to content, or to different errors.
"""

import base64

import pytest

from direct import ber
from direct.cms_encrypt import encrypt
from direct.cms_sign import sign
from direct.errors import DecryptionFailed, DirectError, NotEncrypted, NotSigned, SignatureInvalid
from direct.smime import AlgorithmPolicy, SealAlgorithms, open_sealed
from tests.direct.sealing import (
    ENTITY,
    enveloped,
    identity,
    key,
    opaque_entity,
    outer,
    plain_sealed,
    recipient,
    sealed,
    sender,
    signed_entity,
)

CBC = SealAlgorithms(cipher="aes128-cbc")
POLICY = AlgorithmPolicy()


def cms_of(message: bytes) -> bytearray:
    return bytearray(base64.b64decode(message.partition(b"\r\n\r\n")[2]))


def ciphertext_of(cms: bytes) -> tuple[int, int]:
    """Where the ciphertext lies in a ContentInfo of ours."""
    content = ber.find_element(ber.read(cms), 1, 0, 2, 2)
    return content.content, content.end


def test_each_changed_block_is_refused_or_changes_nothing_that_is_shown() -> None:
    """The gadgets of EFAIL change a block and garble its neighbour: the signature sees both.

    What no signature covers is the frame around the signed part, of which nothing is handed on.
    """
    original = cms_of(sealed(algorithms=CBC))
    vector = ber.find_element(ber.read(bytes(original)), 1, 0, 2, 1, 1)
    start, end = ciphertext_of(bytes(original))
    outcomes = set()
    for at in (*range(vector.content, vector.end), *range(start, end, 16)):
        changed = bytearray(original)
        changed[at] ^= 1
        try:
            opened = open_sealed(outer(bytes(changed)), [key(recipient())])
            assert opened.content == ENTITY
        except DirectError as refused:
            assert refused.disposition is None
            outcomes.add(type(refused))
    assert SignatureInvalid in outcomes
    assert DecryptionFailed in outcomes  # in the padding


def test_each_changed_block_of_the_signed_part_is_refused() -> None:
    entity = b"Content-Type: text/plain\r\n\r\n" + b"x" * 640 + b"\r\n"
    original = cms_of(sealed(entity, algorithms=CBC))
    start, _ = ciphertext_of(bytes(original))
    for at in range(start + 256, start + 768, 16):
        changed = bytearray(original)
        changed[at] ^= 1
        with pytest.raises(SignatureInvalid):
            open_sealed(outer(bytes(changed)), [key(recipient())])


def test_an_encrypted_part_between_others_is_not_looked_at() -> None:
    body = plain_sealed().partition(b"MIME-Version: 1.0\r\n")[2]
    message = (
        b"From: eve@elsewhere.test\r\nContent-Type: multipart/mixed; boundary=e\r\n\r\n"
        b"--e\r\nContent-Type: text/html\r\n\r\n<img src='https://elsewhere.test/\r\n--e\r\n"
        + body
        + b"\r\n--e\r\nContent-Type: text/html\r\n\r\n'>\r\n--e--\r\n"
    )
    with pytest.raises(NotEncrypted):
        open_sealed(message, [key(recipient())])


def test_an_encrypted_message_in_a_signed_one_is_not_looked_at() -> None:
    body = plain_sealed().partition(b"MIME-Version: 1.0\r\n")[2]
    signature = sign(body, identity(sender()), SealAlgorithms(), POLICY)
    with pytest.raises(NotEncrypted):
        open_sealed(signed_entity(body, signature), [key(recipient())])


def test_what_stands_around_the_signed_part_is_no_content() -> None:
    signature = sign(ENTITY, identity(sender()), SealAlgorithms(), POLICY)
    content = signed_entity(ENTITY, signature)
    around = content.replace(b"\r\n\r\n--b\r\n", b"\r\n\r\n<img src='\r\n--b\r\n", 1) + b"'>\r\n"
    opened = open_sealed(enveloped(around), [key(recipient())])
    assert opened.content == ENTITY


def test_a_signed_part_beside_an_unsigned_one_is_refused() -> None:
    signature = sign(ENTITY, identity(sender()), SealAlgorithms(), POLICY)
    content = (
        b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\r\nhello\r\n--m\r\n"
        + signed_entity(ENTITY, signature)
        + b"\r\n--m--\r\n"
    )
    with pytest.raises(NotSigned):
        open_sealed(enveloped(content), [key(recipient())])


@pytest.mark.parametrize(
    "content",
    [
        ENTITY,
        opaque_entity(b"".join(encrypt([ENTITY], (recipient().certificate,), CBC, POLICY))),
        ENTITY.replace(b"text/plain", b"multipart/signed; boundary=b"),
    ],
    ids=["plain", "encrypted again", "signed by name"],
)
def test_what_was_decrypted_and_is_not_signed_is_refused(content: bytes) -> None:
    with pytest.raises(DirectError):
        open_sealed(enveloped(content), [key(recipient())])


def test_gcm_that_was_changed_does_not_open() -> None:
    message = cms_of(sealed(algorithms=SealAlgorithms(cipher="aes256-gcm")))
    start, _ = ciphertext_of(bytes(message))
    message[start] ^= 1
    with pytest.raises(DecryptionFailed):
        open_sealed(outer(bytes(message)), [key(recipient())])


def test_gcm_content_cannot_be_relabelled_as_cbc() -> None:
    """The downgrade of an authenticated envelope to one that an attacker may change."""
    message = bytes(cms_of(sealed(algorithms=SealAlgorithms(cipher="aes256-gcm"))))
    gcm, cbc = bytes.fromhex("060960864801650304012e"), bytes.fromhex("060960864801650304012a")
    with pytest.raises(DirectError, match="does not belong"):
        open_sealed(outer(message.replace(gcm, cbc)), [key(recipient())])
