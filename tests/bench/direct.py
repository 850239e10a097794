"""Sealing and opening a Direct message, against the bare operations, and against Java.

Bare is what the standard makes unavoidable: the same RSA, AES, SHA-256 and base64, each called once
on octets that lie ready. Java is BouncyCastle (S/MIME alone) and the reference agent on it (which
also judges trust), both warmed up, in CPU seconds of the whole process.
"""

import base64
import binascii
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from direct.smime import SealAlgorithms, open_sealed, seal
from direct.trust import Strictness, TrustAnchor, Verdict, judge
from gateway.exchange.mail_carried import find_carried
from gateway.exchange.mail_letter import open_letter
from gateway.exchange.mail_sealing import key_pair_der
from tests.bench.figures import Figure, Report, median_ratio
from tests.installs import Unavailable
from tests.interop import mail_peers
from tests.interop.mail_parties import MailParty, make_party
from tests.interop.mail_peers import AGENT, BOUNCYCASTLE, JavaPeer

_SIZES: Final = {"100 KB": (100_000, 40, 400), "5 MB": (5_000_000, 4, 12)}
"""Octets of the document, repetitions a round, and messages of Java's warm-up."""
_SENDER, _RECIPIENT = "drsmith@clinic.test", "intake@plan.test"
_HEADERS: Final = (("From", _SENDER), ("To", _RECIPIENT), ("Subject", "Summary"))
# The agent takes OAEP with SHA-1 alone; for the cost it is the same.
_ALGORITHMS: Final = SealAlgorithms(oaep_digest="sha1")
_OAEP: Final = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303
_PKCS1: Final = padding.PKCS1v15()


@dataclass(frozen=True, slots=True)
class _Peers:
    bouncycastle: JavaPeer
    agent: JavaPeer


def measure(rounds: int) -> Report:
    """CPU milliseconds a message, medians over the rounds."""
    notes = [
        "x bare: CPU time against the same RSA, AES, SHA-256 and base64 in the same round",
        "to its document: and the signer's chain judged, headers compared, the document found by "
        "its content; bare then has that base64 and a certificate's signature too",
        "in BER: sealed by BouncyCastle, its ciphertext in pieces of 1,000 octets",
    ]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        try:
            mail_peers.build()
        except Unavailable as missing:
            notes.append(f"without Java: {missing}")
            rows = [row for size in _SIZES for row in _rows(folder, size, rounds, None)]
        else:
            with (
                JavaPeer(BOUNCYCASTLE, folder / "bouncycastle.log") as bouncycastle,
                JavaPeer(AGENT, folder / "agent.log") as agent,
            ):
                peers = _Peers(bouncycastle, agent)
                rows = [row for size in _SIZES for row in _rows(folder, size, rounds, peers)]
    return Report("direct", "A Direct message sealed and opened", tuple(rows), tuple(notes))


def _rows(
    folder: Path, size: str, rounds: int, peers: _Peers | None
) -> Iterator[dict[str, Figure]]:
    octets, times, warm = _SIZES[size]
    by, to = make_party(folder, _SENDER), make_party(folder, _RECIPIENT)
    entity = _entity(octets)
    message = _sealed(entity, by, to)
    java = _java(folder, entity, message, by, to, peers, warm, max(times // 2, 4))
    yield _row(
        f"send {size}", rounds, times, lambda: _sealed(entity, by, to), _bare_send(entity, by, to),
        java.get("send"), None,
    )  # fmt: skip
    keys = [to.decryption_key]
    receives = {f"receive {size}": message}
    if peers is not None:
        receives[f"receive {size} in BER"] = (folder / "theirs.eml").read_bytes()
    for what, received in receives.items():
        assert open_sealed(received, keys).content.endswith(entity[-1000:])

        def receive(sealed: bytes = received) -> object:
            return open_sealed(sealed, keys)

        bare = _bare_receive(entity, received, by, to)
        yield _row(what, rounds, times, receive, bare, java.get("open"), java.get("agent"))
        whole, bare_whole = _whole(received, by, to), _bare_whole(bare, entity, by)
        yield _row(
            f"{what}, to its document", rounds, times, whole, bare_whole, None, java.get("agent")
        )


def _row(
    what: str,
    rounds: int,
    times: int,
    ours: Callable[[], object],
    bare: Callable[[], object],
    bouncycastle: float | None,
    agent: float | None,
) -> dict[str, Figure]:
    ours(), bare()
    above, below = [], []
    for _ in range(max(rounds, 3)):
        above.append(_cpu(ours, times))
        below.append(_cpu(bare, times))
    typical = sorted(above)[len(above) // 2]
    return {
        "what": what,
        "ms": typical * 1000,
        "bare ms": sorted(below)[len(below) // 2] * 1000,
        "x bare": median_ratio(above, below),
        "BouncyCastle ms": None if bouncycastle is None else bouncycastle * 1000,
        "agent ms": None if agent is None else agent * 1000,
        "x BouncyCastle": None if bouncycastle is None else typical / bouncycastle,
        "x agent": None if agent is None else typical / agent,
    }


def _cpu(act: Callable[[], object], times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - started) / times


def _entity(octets: int) -> bytes:
    """A wrapped message with a document in base64, as an EHR sends it."""
    random = secrets.token_bytes(octets // 2).hex().encode()
    document = b'<ClinicalDocument xmlns="urn:hl7-org:v3">' + random + b"</ClinicalDocument>"
    return (
        b"Content-Type: message/rfc822\r\n\r\nFrom: drsmith@clinic.test\r\n"
        b"To: intake@plan.test\r\nSubject: Summary\r\nMessage-ID: <1@clinic.test>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: application/xml\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(document).replace(b"\n", b"\r\n")
    )


def _sealed(entity: bytes, by: MailParty, to: MailParty) -> bytes:
    recipients = (to.certificate,)
    return seal(
        entity, headers=_HEADERS, signer=by.identity, recipients=recipients, algorithms=_ALGORITHMS
    )


def _whole(message: bytes, by: MailParty, to: MailParty) -> Callable[[], object]:
    """All that the gateway does: opened, verified, the signer's chain judged, headers compared,
    the document found by its content. What a worker costs to reach is no part of it."""
    keys = (key_pair_der(to.private_key, to.certificate),)
    anchors = (TrustAnchor(x509.load_pem_x509_certificate(by.anchor_file.read_bytes())),)
    now, unlisted = datetime.now(UTC), Strictness(revocation="off")

    def receive() -> object:
        leaving = open_letter(message, keys, (_RECIPIENT,), _SENDER)
        opened, letter = leaving.value
        verdict = judge(
            x509.load_der_x509_certificate(opened.signers[0].certificate),
            address=letter.from_, others=opened.certificates, anchors=anchors, usage="sign",
            answers={}, now=now, strictness=unlisted,
        )  # fmt: skip
        assert isinstance(verdict, Verdict)
        assert verdict.trusted, verdict.reasons
        document, _ = find_carried(leaving.content, letter.header)
        return document

    return receive


def _bare_whole(bare: Callable[[], object], entity: bytes, by: MailParty) -> Callable[[], object]:
    """And the document's base64, and the signature of one certificate."""
    body = entity.rpartition(b"\r\n\r\n")[2]
    issuer = x509.load_pem_x509_certificate(by.anchor_file.read_bytes()).public_key()
    assert isinstance(issuer, rsa.RSAPublicKey)
    given = by.certificate

    def receive() -> object:
        bare()
        issuer.verify(given.signature, given.tbs_certificate_bytes, _PKCS1, hashes.SHA256())
        return binascii.a2b_base64(body)

    return receive


# ---- bare ----------------------------------------------------------------------------------------


def _bare_send(entity: bytes, by: MailParty, to: MailParty) -> Callable[[], object]:
    private, public = by.private_key, to.certificate.public_key()
    assert isinstance(private, rsa.RSAPrivateKey)
    assert isinstance(public, rsa.RSAPublicKey)
    padded = entity + b"\x10" * (16 - len(entity) % 16)

    def send() -> object:
        digest = hashes.Hash(hashes.SHA256())
        digest.update(entity)
        digest.finalize()
        private.sign(b"x" * 100, _PKCS1, hashes.SHA256())
        content_key, vector = secrets.token_bytes(32), secrets.token_bytes(16)
        public.encrypt(content_key, _OAEP)
        encryptor = Cipher(AES(content_key), modes.CBC(vector)).encryptor()
        return binascii.b2a_base64(encryptor.update(padded))

    return send


def _bare_receive(
    entity: bytes, message: bytes, by: MailParty, to: MailParty
) -> Callable[[], object]:
    private, public = to.private_key, by.certificate.public_key()
    assert isinstance(private, rsa.RSAPrivateKey)
    assert isinstance(public, rsa.RSAPublicKey)
    body = message.partition(b"\r\n\r\n")[2]
    wrapped = private.public_key().encrypt(secrets.token_bytes(32), _OAEP)
    signer = by.private_key
    assert isinstance(signer, rsa.RSAPrivateKey)
    signature = signer.sign(b"x" * 100, _PKCS1, hashes.SHA256())
    vector = secrets.token_bytes(16)

    def receive() -> object:
        octets = binascii.a2b_base64(body)
        content_key = private.decrypt(wrapped, _OAEP)
        decryptor = Cipher(AES(content_key), modes.CBC(vector)).decryptor()
        plain = decryptor.update(memoryview(octets)[: len(octets) // 16 * 16])
        digest = hashes.Hash(hashes.SHA256())
        digest.update(memoryview(plain)[: len(entity)])
        digest.finalize()
        public.verify(signature, b"x" * 100, _PKCS1, hashes.SHA256())
        return plain

    return receive


# ---- Java ----------------------------------------------------------------------------------------


def _java(
    folder: Path,
    entity: bytes,
    message: bytes,
    by: MailParty,
    to: MailParty,
    peers: _Peers | None,
    warm: int,
    times: int,
) -> dict[str, float]:
    """CPU seconds a message for each that Java can be asked for."""
    if peers is None:
        return {}
    plain, ours, theirs = folder / "entity.txt", folder / "ours.eml", folder / "theirs.eml"
    plain.write_bytes(entity)
    ours.write_bytes(message)
    how = {
        "signer": by.store, "to": to.certificate_file, "signature": "SHA256withRSA",
        "cipher": "aes256-cbc", "transport": "sha1", "form": "detached",
    }  # fmt: skip
    peers.bouncycastle.ask("seal", entity=plain, out=theirs, **how)
    timed = {"warm": warm, "rounds": times}
    return {
        "send": float(peers.bouncycastle.ask("time", what="seal", file=plain, **timed, **how)),
        "open": float(
            peers.bouncycastle.ask("time", what="open", file=ours, key=to.store, **timed)
        ),
        "agent": _agent(folder, ours, by, to, peers.agent, timed),
    }


def _agent(
    folder: Path,
    message: Path,
    by: MailParty,
    to: MailParty,
    agent: JavaPeer,
    timed: dict[str, int],
) -> float:
    spent = agent.ask(
        "time", message=message, out=folder / "received.txt", domain="plan.test",
        recipient=_RECIPIENT, sender=_SENDER, key=to.store, certificate=by.certificate_file,
        anchor=to.anchor_file, **timed,
    )  # fmt: skip
    return float(spent) / 1e9
