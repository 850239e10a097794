"""BouncyCastle and the reference agent read what we seal, we open theirs, and rules bind both."""

import base64
import email.message
import email.policy
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from direct import smime_entity
from direct.cms_algorithms import CipherName, DigestName, KeyTransportName, OaepDigestName
from direct.cms_encrypt import encrypt
from direct.errors import AlgorithmRefused, SignatureInvalid
from direct.smime import PREFERENCES, AlgorithmPolicy, SealAlgorithms, open_sealed, seal
from tests.interop.mail_parties import MailParty, make_party
from tests.interop.mail_peers import AGENT, BOUNCYCASTLE, JavaPeer, PeerRefused

# BouncyCastle adds the transfer encoding where there is none.
ENTITY = (
    b"Content-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
    b"A visit summary follows.\r\n"
)
SENDER, RECIPIENT = "drsmith@clinic.test", "intake@plan.test"
HEADERS = (("From", SENDER), ("To", RECIPIENT), ("Subject", "Summary"))
WRAPPED = (
    b"Content-Type: message/rfc822\r\n\r\n"
    b"From: drsmith@clinic.test\r\nTo: intake@plan.test\r\nSubject: Summary\r\n"
    b"Message-ID: <1@clinic.test>\r\nMIME-Version: 1.0\r\n" + ENTITY
)
# Also the agent reads it, so that what it refuses is refused for the rule that was broken.
READ_BY_ALL = SealAlgorithms(oaep_digest="sha1")
# What the test wants to send and our policy would never let it.
LAX = AlgorithmPolicy(least_rsa_bits=1024)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("java-mail")


@pytest.fixture(scope="module")
def bouncycastle(mail_peers_built: None, folder: Path) -> Iterator[JavaPeer]:
    with JavaPeer(BOUNCYCASTLE, folder / "bouncycastle.log") as peer:
        yield peer


@pytest.fixture(scope="module")
def agent(mail_peers_built: None, folder: Path) -> Iterator[JavaPeer]:
    with JavaPeer(AGENT, folder / "agent.log") as peer:
        yield peer


def ours(
    folder: Path,
    *,
    to: MailParty,
    by: MailParty | None = None,
    entity: bytes = ENTITY,
    algorithms: SealAlgorithms | None = None,
    policy: AlgorithmPolicy = LAX,
) -> Path:
    signer = by or make_party(folder, SENDER)
    message = seal(
        entity,
        headers=HEADERS,
        signer=signer.identity,
        recipients=(to.certificate,),
        algorithms=algorithms or READ_BY_ALL,
        policy=policy,
    )
    file = folder / "ours.eml"
    file.write_bytes(message)
    return file


# ---- BouncyCastle --------------------------------------------------------------------------------


def sealed_by(peer: JavaPeer, folder: Path, to: MailParty, **how: object) -> bytes:
    entity, out = folder / "entity.txt", folder / "theirs.eml"
    entity.write_bytes(ENTITY)
    by = make_party(folder, SENDER, str(how.pop("kind", "rsa2048")))
    described = {
        "signature": "SHA256withRSA", "cipher": "aes256-cbc", "transport": "sha256",
        "form": "detached", **how,
    }  # fmt: skip
    peer.ask("seal", entity=entity, out=out, signer=by.store, to=to.certificate_file, **described)
    return out.read_bytes()


def read_by(peer: JavaPeer, folder: Path, message: Path, us: MailParty) -> bytes:
    out = folder / "read.txt"
    peer.ask("open", message=message, out=out, key=us.store)
    return out.read_bytes()


@pytest.mark.parametrize("cipher", get_args(CipherName))
@pytest.mark.parametrize("transport", ["pkcs1v15", "sha1", "sha256", "sha384", "sha512"])
def test_we_open_bouncycastles_for_rsa(
    bouncycastle: JavaPeer, folder: Path, cipher: str, transport: str
) -> None:
    us = make_party(folder, RECIPIENT)
    message = sealed_by(bouncycastle, folder, us, cipher=cipher, transport=transport)
    opened = open_sealed(message, [us.decryption_key])
    assert opened.content == ENTITY
    name = "rsa-pkcs1v15" if transport == "pkcs1v15" else f"rsa-oaep-{transport}"
    assert (opened.algorithms.cipher, opened.algorithms.key_transport) == (cipher, name)


@pytest.mark.parametrize("cipher", get_args(CipherName))
@pytest.mark.parametrize(
    ("kind", "digest"), [("p256", "sha1"), ("p256", "sha256"), ("p384", "sha384")]
)
def test_we_open_bouncycastles_for_elliptic_curves(
    bouncycastle: JavaPeer, folder: Path, cipher: str, kind: str, digest: str
) -> None:
    us = make_party(folder, RECIPIENT, kind)
    message = sealed_by(bouncycastle, folder, us, cipher=cipher, transport=digest)
    opened = open_sealed(message, [us.decryption_key])
    assert opened.content == ENTITY
    assert opened.algorithms.key_transport == f"ecdh-{digest}"


@pytest.mark.parametrize("form", ["detached", "opaque"])
@pytest.mark.parametrize(
    ("kind", "signature"),
    [
        *product(["rsa2048"], ["SHA256withRSA", "SHA384withRSA", "SHA512withRSA"]),
        *product(
            ["rsa2048"], ["SHA256withRSAandMGF1", "SHA384withRSAandMGF1", "SHA512withRSAandMGF1"]
        ),
        *product(["p256", "p384"], ["SHA256withECDSA", "SHA384withECDSA", "SHA512withECDSA"]),
    ],
)
def test_we_verify_bouncycastles_signatures(
    bouncycastle: JavaPeer, folder: Path, form: str, kind: str, signature: str
) -> None:
    us = make_party(folder, RECIPIENT)
    message = sealed_by(bouncycastle, folder, us, form=form, kind=kind, signature=signature)
    opened = open_sealed(message, [us.decryption_key])
    assert opened.content == ENTITY
    assert opened.signers[0].certificate == make_party(folder, SENDER, kind).certificate


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"signature": "SHA1withRSA"}, "SHA-1"),
        ({"signature": "MD5withRSA"}, "MD5"),
        ({"cipher": "3des-cbc"}, "Triple DES"),
        ({"kind": "rsa1024"}, "1024 bits"),
    ],
    ids=str,
)
def test_what_our_policy_forbids_is_refused_from_bouncycastle(
    bouncycastle: JavaPeer, folder: Path, how: dict[str, str], reason: str
) -> None:
    us = make_party(folder, RECIPIENT)
    message = sealed_by(bouncycastle, folder, us, **how)
    with pytest.raises(AlgorithmRefused, match=reason):
        open_sealed(message, [us.decryption_key])


@pytest.mark.parametrize("cipher", get_args(CipherName))
@pytest.mark.parametrize(
    ("kind", "transport"),
    [
        ("rsa2048", "rsa-oaep"),
        ("rsa2048", "rsa-pkcs1v15"),
        ("p256", "rsa-oaep"),
        ("p384", "rsa-oaep"),
    ],
)
def test_bouncycastle_reads_ours(
    bouncycastle: JavaPeer, folder: Path, cipher: CipherName, kind: str, transport: str
) -> None:
    us = make_party(folder, RECIPIENT, kind)
    algorithms = SealAlgorithms(cipher=cipher, key_transport=transport)  # type: ignore[arg-type]
    message = ours(folder, to=us, algorithms=algorithms)
    assert read_by(bouncycastle, folder, message, us) == ENTITY


@pytest.mark.parametrize(
    ("recipient_id", "kinds"),
    [
        ("issuer-serial", ("rsa2048", "rsa3072", "p256", "p384")),
        # Of elliptic curves BouncyCastle finds nobody by the key's identifier; openssl does.
        ("ski", ("rsa2048", "rsa3072")),
    ],
)
def test_bouncycastle_finds_itself_among_several_recipients_of_ours(
    bouncycastle: JavaPeer, folder: Path, recipient_id: str, kinds: tuple[str, ...]
) -> None:
    several, by = (
        [make_party(folder, RECIPIENT, kind) for kind in kinds],
        make_party(folder, SENDER),
    )
    message = folder / "several.eml"
    message.write_bytes(
        seal(
            ENTITY,
            headers=HEADERS,
            signer=by.identity,
            recipients=[one.certificate for one in several],
            algorithms=SealAlgorithms(recipient_id=recipient_id),  # type: ignore[arg-type]
        )
    )
    for reader in several:
        assert read_by(bouncycastle, folder, message, reader) == ENTITY


@pytest.mark.parametrize("digest", get_args(OaepDigestName))
def test_bouncycastle_reads_each_oaep_of_ours(
    bouncycastle: JavaPeer, folder: Path, digest: OaepDigestName
) -> None:
    us = make_party(folder, RECIPIENT)
    message = ours(folder, to=us, algorithms=SealAlgorithms(oaep_digest=digest))
    assert read_by(bouncycastle, folder, message, us) == ENTITY


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
def test_bouncycastle_reads_each_ecdh_of_ours(
    bouncycastle: JavaPeer, folder: Path, digest: str
) -> None:
    us = make_party(folder, RECIPIENT, "p256")
    algorithms = SealAlgorithms(agreement_digest=digest)  # type: ignore[arg-type]
    message = ours(folder, to=us, algorithms=algorithms)
    assert read_by(bouncycastle, folder, message, us) == ENTITY


@pytest.mark.parametrize("digest", get_args(DigestName))
@pytest.mark.parametrize(
    ("kind", "scheme"),
    [("rsa2048", "pkcs1v15"), ("rsa2048", "pss"), ("p256", "pkcs1v15"), ("p384", "pkcs1v15")],
)
def test_bouncycastle_verifies_each_signature_of_ours(
    bouncycastle: JavaPeer, folder: Path, digest: DigestName, kind: str, scheme: str
) -> None:
    us, by = make_party(folder, RECIPIENT), make_party(folder, SENDER, kind)
    algorithms = SealAlgorithms(digest=digest, rsa_signature=scheme)  # type: ignore[arg-type]
    message = ours(folder, to=us, by=by, algorithms=algorithms)
    assert read_by(bouncycastle, folder, message, us) == ENTITY


def test_bouncycastle_refuses_ours_when_it_was_altered(
    bouncycastle: JavaPeer, folder: Path
) -> None:
    us = make_party(folder, RECIPIENT)
    message = ours(folder, to=us, algorithms=SealAlgorithms(cipher="aes256-gcm"))
    message.write_bytes(altered(message.read_bytes()))
    with pytest.raises(PeerRefused):
        read_by(bouncycastle, folder, message, us)


def altered(message: bytes) -> bytes:
    """One bit of the ciphertext's first half turned."""
    head, _, body = message.partition(b"\r\n\r\n")
    octets = bytearray(base64.b64decode(body))
    octets[-200] ^= 1
    return head + b"\r\n\r\n" + base64.encodebytes(octets).replace(b"\n", b"\r\n")


# ---- the reference agent -------------------------------------------------------------------------


def receive(agent: JavaPeer, folder: Path, message: Path, us: MailParty) -> bytes:
    out = folder / "received.txt"
    agent.ask(
        "receive", message=message, out=out, domain="plan.test", recipient=RECIPIENT,
        sender=SENDER, key=us.store, certificate=make_party(folder, SENDER).certificate_file,
        anchor=us.anchor_file,
    )  # fmt: skip
    return out.read_bytes()


def sent_by_agent(agent: JavaPeer, folder: Path, us: MailParty, **how: str) -> bytes:
    plain, out = folder / "plain.eml", folder / "sent.eml"
    plain.write_bytes(
        b"From: drsmith@clinic.test\r\nTo: intake@plan.test\r\nSubject: Summary\r\n"
        b"Message-ID: <2@clinic.test>\r\nMIME-Version: 1.0\r\n" + ENTITY
    )
    by = make_party(folder, SENDER)
    agent.ask(
        "send", message=plain, out=out, domain="clinic.test", key=by.store,
        certificate=us.certificate_file, anchor=by.anchor_file, **how,
    )  # fmt: skip
    return out.read_bytes()


@pytest.mark.parametrize("digest", ["SHA256WITHRSA", "SHA384WITHRSA", "SHA512WITHRSA"])
@pytest.mark.parametrize("cipher", ["AES128_CBC", "AES192_CBC", "AES256_CBC"])
def test_we_open_what_the_agent_sends(
    agent: JavaPeer, folder: Path, cipher: str, digest: str
) -> None:
    us = make_party(folder, RECIPIENT)
    message = sent_by_agent(agent, folder, us, cipher=cipher, digest=digest)
    opened = open_sealed(message, [us.decryption_key])
    assert opened.content.lower().startswith(b"content-type: message/rfc822")
    assert b"A visit summary follows." in opened.content
    assert opened.signers[0].certificate == make_party(folder, SENDER).certificate
    assert opened.algorithms.digest == digest.removesuffix("WITHRSA").lower()
    assert opened.algorithms.cipher == cipher.lower().replace("_", "-")


@pytest.mark.parametrize("cipher", ["aes128-cbc", "aes192-cbc", "aes256-cbc"])
@pytest.mark.parametrize("transport", ["rsa-oaep", "rsa-pkcs1v15"])
@pytest.mark.parametrize("digest", get_args(DigestName))
def test_the_agent_receives_ours(
    agent: JavaPeer,
    folder: Path,
    cipher: CipherName,
    transport: KeyTransportName,
    digest: DigestName,
) -> None:
    us = make_party(folder, RECIPIENT)
    algorithms = SealAlgorithms(
        cipher=cipher, key_transport=transport, digest=digest, oaep_digest="sha1"
    )
    message = ours(folder, to=us, entity=WRAPPED, algorithms=algorithms)
    assert b"A visit summary follows." in receive(agent, folder, message, us)


def test_what_we_prefer_reaches_the_agent_and_oaep_with_another_digest_does_not(
    agent: JavaPeer, folder: Path
) -> None:
    """The agent 8.0.0 takes OAEP with SHA-1 alone: why that is our default."""
    us = make_party(folder, RECIPIENT)
    first, second, last = PREFERENCES
    with pytest.raises(PeerRefused):
        receive(agent, folder, ours(folder, to=us, entity=WRAPPED, algorithms=second), us)
    for algorithms in (first, last):
        message = ours(folder, to=us, entity=WRAPPED, algorithms=algorithms)
        assert b"A visit summary follows." in receive(agent, folder, message, us)


def test_the_agent_refuses_ours_from_an_authority_it_does_not_know(
    agent: JavaPeer, folder: Path
) -> None:
    us = make_party(folder, RECIPIENT)
    stranger = make_party(folder, SENDER, authority="Another Authority")
    message = ours(folder, to=us, by=stranger, entity=WRAPPED)
    with pytest.raises(PeerRefused, match="NoTrustedRecipients"):
        receive(agent, folder, message, us)


def test_the_agent_refuses_ours_under_another_senders_certificate(
    agent: JavaPeer, folder: Path
) -> None:
    us = make_party(folder, RECIPIENT)
    another = make_party(folder, "nurse@elsewhere.test")
    message = ours(folder, to=us, by=another, entity=WRAPPED)
    with pytest.raises(PeerRefused, match="MissingSenderSignature"):
        receive(agent, folder, message, us)


def test_the_agent_refuses_a_short_key_of_ours(agent: JavaPeer, folder: Path) -> None:
    us, by = make_party(folder, RECIPIENT), make_party(folder, SENDER, "rsa1024")
    message = ours(folder, to=us, by=by, entity=WRAPPED)
    with pytest.raises(PeerRefused):
        receive(agent, folder, message, us)
    with pytest.raises(AlgorithmRefused, match="1024 bits"):
        ours(folder, to=us, by=by, policy=AlgorithmPolicy())


def test_the_agent_refuses_ours_for_another_key(agent: JavaPeer, folder: Path) -> None:
    us, another = make_party(folder, RECIPIENT), make_party(folder, RECIPIENT, "rsa3072")
    message = ours(folder, to=another, entity=WRAPPED)
    with pytest.raises(PeerRefused):
        receive(agent, folder, message, us)


def test_the_agent_refuses_ours_unsigned(agent: JavaPeer, folder: Path) -> None:
    plain = email.message.EmailMessage(email.policy.SMTP)
    plain["From"], plain["To"] = SENDER, RECIPIENT
    plain.set_content("A visit summary follows.")
    file = folder / "plain-received.eml"
    file.write_bytes(plain.as_bytes())
    with pytest.raises(PeerRefused):
        receive(agent, folder, file, make_party(folder, RECIPIENT))


def test_altered_after_signing_is_refused_by_us_as_by_them(
    bouncycastle: JavaPeer, folder: Path
) -> None:
    us = make_party(folder, RECIPIENT)
    message = sealed_by(bouncycastle, folder, us, form="detached")
    opened = open_sealed(message, [us.decryption_key])
    boundary = b"b1"
    parts = (
        b'Content-Type: multipart/signed; boundary="b1"\r\n\r\n--' + boundary + b"\r\n",
        opened.content.replace(b"visit", b"VISIT"),
        b"\r\n--b1\r\nContent-Type: application/pkcs7-signature\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n"
        + smime_entity.encode_base64(opened.signature)
        + b"--b1--\r\n",
    )
    cms = b"".join(encrypt(parts, (us.certificate,), SealAlgorithms(), AlgorithmPolicy()))
    outer = b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    changed = outer + smime_entity.encode_base64(cms)
    with pytest.raises(SignatureInvalid, match="not what was signed"):
        open_sealed(changed, [us.decryption_key])
    file = folder / "changed.eml"
    file.write_bytes(changed)
    with pytest.raises(PeerRefused):
        read_by(bouncycastle, folder, file, us)
