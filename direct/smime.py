"""A Direct message as it crosses the wire: opened into signed content, sealed from it (RFC 8551).

The face of the cryptographic core. A message is enveloped-data whose content is signed, and no
other nesting is taken (Direct AS 1.3: 2). Nothing that was decrypted leaves here before its
signature is checked over the whole of it: the parts of a message are never joined, and what lies
around an encrypted part is never looked at (EFAIL).
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509

from direct.cms_algorithms import DEFAULT, PREFERENCES, AlgorithmPolicy, SealAlgorithms
from direct.cms_decrypt import DecryptionKey, decrypt
from direct.cms_encrypt import encrypt
from direct.cms_sign import SigningIdentity, sign
from direct.cms_structure import read_enveloped, read_signed
from direct.cms_verify import Form, Signer, Verified, verify
from direct.errors import (
    DecryptionFailed,
    MalformedMessage,
    MessageTooLarge,
    NotEncrypted,
    NotSigned,
    SignatureInvalid,
)
from direct.smime_entity import Entity, encode_base64, read_entity, split_signed

__all__ = (
    "DEFAULT",
    "DEFAULT_POLICY",
    "MOST_BYTES",
    "PREFERENCES",
    "AlgorithmPolicy",
    "Algorithms",
    "DecryptionKey",
    "Opened",
    "SealAlgorithms",
    "Signer",
    "SigningIdentity",
    "open_sealed",
    "seal",
)

DEFAULT_POLICY: Final = AlgorithmPolicy()
MOST_BYTES: Final = 48 * 1024 * 1024
"""Of a whole message: a C-CDA of 20 MB, wrapped and enveloped in base64 twice."""
_ENVELOPED: Final = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_SIGNATURES: Final = ("application/pkcs7-signature", "application/x-pkcs7-signature")
_HEADER_NAME: Final = re.compile(r"[!-9;-~]+")
# A value may be folded; what follows the fold is never empty, or it would end the head.
_HEADER_VALUE: Final = re.compile(r"[ -~\t]*(?:\r\n[ \t][ -~\t]*[!-~][ -~\t]*)*")
_MOST_LINE: Final = 998
_GOOD_LINE: Final = 76
_OURS: Final = ("mime-version", "content-")


@dataclass(frozen=True, slots=True)
class Algorithms:
    """By what a message came: for the verdict, and to see which partners are behind."""

    cipher: str
    key_transport: str
    digest: str
    signature: str

    def __str__(self) -> str:
        return f"{self.cipher}, {self.key_transport}, {self.digest}, {self.signature}"


@dataclass(frozen=True, slots=True)
class Opened:
    """What a sealed message holds.

    `content` is the signed MIME entity to the octet, in the `form` in which its signature matched.
    `certificates` came with it, the signers' among them. `signature` is the CMS structure as it
    came, without the content if `is_detached`: with `content` it can be verified again by anyone.
    `decrypted_for` is our certificate that it was encrypted to. `passed_over` says in words why
    further signatures do not count.
    """

    content: bytes
    signers: tuple[Signer, ...]
    certificates: tuple[x509.Certificate, ...]
    algorithms: Algorithms
    form: Form
    is_detached: bool
    signature: bytes
    decrypted_for: x509.Certificate
    recipient_count: int
    passed_over: tuple[str, ...]


def open_sealed(
    message: bytes,
    keys: Sequence[DecryptionKey],
    policy: AlgorithmPolicy = DEFAULT_POLICY,
    *,
    known: Sequence[x509.Certificate] = (),
) -> Opened:
    """The signed content of `message`, a whole raw RFC 5322 message.

    `keys` are all that still decrypt, also retired ones. `known` are certificates for signatures
    that come without. Whether the signers are to be trusted is not asked here.

    Raises:
        MalformedMessage: it cannot be read; MessageTooLarge: it is over our limits.
        NotEncrypted: it is no enveloped message.
        NotForUs: it is encrypted to other keys.
        DecryptionFailed: it does not open.
        NotSigned: its content is not signed.
        SignatureInvalid: its content is not what was signed.
        AlgorithmRefused: it uses what we do not take.
    """
    if len(message) > MOST_BYTES:
        raise MessageTooLarge("the message is over our limit")
    entity = read_entity(message)
    if not _is_enveloped(entity):
        raise NotEncrypted("the message is no S/MIME enveloped-data")
    enveloped = read_enveloped(_decode_cms(entity))
    decrypted = decrypt(enveloped, keys, policy)
    recipient_count = enveloped.recipient_count
    del enveloped  # the ciphertext: what follows needs the room
    signed, verified, signature, is_detached = _open_signed(
        decrypted.octets, decrypted.end, policy, known
    )
    first = verified.signers[0]
    return Opened(
        content=bytes(verified.content),
        signers=verified.signers,
        certificates=signed,
        algorithms=Algorithms(
            decrypted.cipher, decrypted.key_transport, first.digest, first.signature_algorithm
        ),
        form=verified.form,
        is_detached=is_detached,
        signature=signature,
        decrypted_for=decrypted.certificate,
        recipient_count=recipient_count,
        passed_over=verified.passed_over,
    )


def _is_enveloped(entity: Entity) -> bool:
    """RFC 8551: 3.2, and 3.9 for those whose mailer does not know the type."""
    if entity.media_type in _ENVELOPED:
        return True
    name = entity.parameters.get("name", "").lower()
    return entity.media_type == "application/octet-stream" and name.endswith(".p7m")


def _decode_cms(entity: Entity) -> bytes:
    """Its CMS octets. Quirk: base64 that no Content-Transfer-Encoding announces."""
    data = entity.decode()
    if data[:1] == b"\x30" or entity.transfer_encoding == "base64":
        return data
    return Entity("", {}, "base64", data, 0, len(data)).decode()


def _open_signed(
    octets: bytes, end: int, policy: AlgorithmPolicy, known: Sequence[x509.Certificate]
) -> tuple[tuple[x509.Certificate, ...], Verified, bytes, bool]:
    try:
        entity = read_entity(octets, 0, end)
    except MalformedMessage:
        # A wrong key may by chance make padding that can be: what came of it is no other failure.
        raise DecryptionFailed from None
    if entity.media_type == "multipart/signed":
        data, part = split_signed(entity)
        if part.media_type not in _SIGNATURES:
            raise NotSigned("the second part of the signed multipart is no S/MIME signature")
        signature, is_detached = _decode_cms(part), True
    elif entity.media_type in _ENVELOPED:
        data, signature, is_detached = memoryview(b""), _decode_cms(entity), False
    else:
        raise NotSigned("what was decrypted is not signed")
    signed = read_signed(signature)
    if is_detached == (signed.content is not None):
        # A content inside a detached signature would be a second one beside the first.
        raise SignatureInvalid("the signed content is there twice, or not at all")
    if signed.content is not None:
        data = signed.content
    verified = verify(signed, data, policy, is_detached=is_detached, known=known)
    return signed.certificates, verified, signature, is_detached


# ---- sealing -------------------------------------------------------------------------------------


def seal(
    entity: bytes,
    *,
    headers: Sequence[tuple[str, str]],
    signer: SigningIdentity,
    recipients: Sequence[x509.Certificate],
    algorithms: SealAlgorithms = DEFAULT,
    policy: AlgorithmPolicy = DEFAULT_POLICY,
    signing_time: datetime | None = None,
) -> bytes:
    """`entity` signed, encrypted to `recipients` and under `headers`: a whole message, CRLF only.

    Lone CR or LF in `entity` become CRLF before it is signed. `headers` are the outer ones, in
    ASCII; MIME-Version and the Content fields are written here.

    Raises:
        ValueError: a header cannot be written, or there is no recipient.
        AlgorithmRefused: a key, ours or a recipient's, is of a kind or length that we do not use.
    """
    head = _write_headers(headers)
    entity = _with_crlf(entity)
    signature = sign(entity, signer, algorithms, policy, signing_time=signing_time)
    pieces = _signed_entity(entity, signature, algorithms)
    sealed = encrypt(pieces, recipients, algorithms, policy)
    kind = "authEnveloped-data" if algorithms.cipher.endswith("-gcm") else "enveloped-data"
    fields = (
        "MIME-Version: 1.0\r\n"
        f'Content-Type: application/pkcs7-mime; smime-type={kind}; name="smime.p7m"\r\n'
        "Content-Transfer-Encoding: base64\r\n"
        'Content-Disposition: attachment; filename="smime.p7m"\r\n\r\n'
    )
    return b"".join((head, fields.encode(), encode_base64(b"".join(sealed))))


def _signed_entity(
    entity: bytes, signature: bytes, algorithms: SealAlgorithms
) -> tuple[bytes, bytes, bytes]:
    """A multipart/signed in three pieces, the middle one being `entity` (RFC 8551: 3.5.3)."""
    boundary = secrets.token_hex(16)
    micalg = algorithms.digest.replace("sha", "sha-")
    before = (
        'Content-Type: multipart/signed; protocol="application/pkcs7-signature";\r\n'
        f' micalg={micalg}; boundary="{boundary}"\r\n\r\n--{boundary}\r\n'
    )
    after = (
        f"\r\n--{boundary}\r\n"
        'Content-Type: application/pkcs7-signature; name="smime.p7s"\r\n'
        "Content-Transfer-Encoding: base64\r\n"
        'Content-Disposition: attachment; filename="smime.p7s"\r\n\r\n'
    )
    last = f"--{boundary}--\r\n"
    return before.encode(), entity, after.encode() + encode_base64(signature) + last.encode()


def _with_crlf(entity: bytes) -> bytes:
    count = entity.count(b"\r\n")
    if entity.count(b"\n") == count == entity.count(b"\r"):
        return entity
    return re.sub(rb"\r\n|\r|\n", b"\r\n", entity)


def _write_headers(headers: Sequence[tuple[str, str]]) -> bytes:
    """RFC 5322: 2.2. A line end in a value would begin a field of somebody else's."""
    lines = []
    for name, value in headers:
        if not _HEADER_NAME.fullmatch(name) or name.lower().startswith(_OURS):
            raise ValueError("a header's name cannot be written")
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError("a header's value holds what no header may")
        line = f"{name}: {value}"
        if len(line) > _MOST_LINE and "\r\n" not in value:
            line = _fold(line)  # as of a message to many recipients
        if any(len(part) > _MOST_LINE for part in line.split("\r\n")):
            raise ValueError("a header's line is too long")
        lines.append(line)
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _fold(line: str) -> str:
    """The field as several lines, broken at blanks; a word longer than a line stays (2.2.3)."""
    first, *words = line.split(" ")
    lines = [first]
    for word in words:
        if word and len(lines[-1]) + len(word) > _GOOD_LINE:
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return "\r\n ".join(lines)
