"""Messages of the reference implementation's own tests: what opens, and what is refused as law."""

from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)

from direct.errors import AlgorithmRefused, DirectError, NotForUs
from direct.smime import AlgorithmPolicy, DecryptionKey, open_sealed

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "direct"
AGENT = SAMPLES / "nhin-d" / "java" / "agent" / "src" / "test" / "resources"
MESSAGES = AGENT / "org" / "nhindirect" / "stagent"
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the anchors' samples are not here")

# All of them are of 2011: SHA-1 and RSA of 1,024 bits. They show that the octets are read right.
OF_2011 = AlgorithmPolicy(
    digests=frozenset({"sha1", "sha256", "sha384", "sha512"}), least_rsa_bits=1024
)
LONG_KEYS_ONLY = AlgorithmPolicy(least_rsa_bits=1024)


def spki(key: rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@cache
def keys() -> tuple[DecryptionKey, ...]:
    """Every RSA key in the agent's folder that has its certificate beside it."""
    privates, certificates = {}, []
    for file in sorted((AGENT / "certs").glob("*.der")):
        encoded = file.read_bytes()
        try:
            certificates.append(x509.load_der_x509_certificate(encoded))
            continue
        except (ValueError, UserWarning):
            pass  # a key, or a certificate too odd for our library
        try:
            key = load_der_private_key(encoded, None)
        except (ValueError, TypeError):
            continue
        if isinstance(key, rsa.RSAPrivateKey):
            privates[spki(key.public_key())] = key
    found = []
    for certificate in certificates:
        public = certificate.public_key()
        if isinstance(public, rsa.RSAPublicKey) and spki(public) in privates:
            found.append(DecryptionKey(privates[spki(public)], certificate))
    return tuple(found)


@pytest.mark.parametrize("name", ["EncAttachment", "EncAttachment2", "EncryptedMessage2"])
def test_an_aes_message_opens_if_the_algorithms_of_2011_are_allowed(name: str) -> None:
    opened = open_sealed((MESSAGES / f"{name}.txt").read_bytes(), keys(), OF_2011)
    assert str(opened.algorithms) == "aes128-cbc, rsa-pkcs1v15, sha1, rsa-pkcs1v15"
    assert opened.is_detached
    assert opened.signers[0].signing_time is not None
    assert opened.signers[0].signing_time.year == 2011
    assert opened.content.lower().startswith(b"content-type:")


@pytest.mark.parametrize("name", ["EncAttachment", "EncAttachment2", "EncryptedMessage2"])
def test_the_same_is_refused_for_sha_1(name: str) -> None:
    with pytest.raises(AlgorithmRefused, match="SHA-1"):
        open_sealed((MESSAGES / f"{name}.txt").read_bytes(), keys(), LONG_KEYS_ONLY)


@pytest.mark.parametrize("name", ["EncAttachment", "EncAttachment2", "EncryptedMessage2"])
def test_the_same_is_refused_for_its_short_key(name: str) -> None:
    with pytest.raises(AlgorithmRefused, match="1024 bits"):
        open_sealed((MESSAGES / f"{name}.txt").read_bytes(), keys())


@pytest.mark.parametrize("name", ["EncryptedMessage", "EncryptedMessage3", "LargeEncAttachment"])
def test_triple_des_is_refused(name: str) -> None:
    with pytest.raises(AlgorithmRefused, match="Triple DES"):
        open_sealed((MESSAGES / f"{name}.txt").read_bytes(), keys(), OF_2011)


def test_a_message_whose_key_is_not_ours_is_for_others() -> None:
    message = SAMPLES.joinpath(
        "JavaRI-agent/src/test/resources/org/nhindirect/stagent/EncAttachment.txt"
    )
    with pytest.raises(NotForUs):
        open_sealed(message.read_bytes(), keys())


def test_every_message_of_the_anchors_is_opened_or_refused_in_words() -> None:
    files = [file for file in SAMPLES.rglob("*") if file.suffix in (".txt", ".eml")]
    assert len(files) > 20
    for file in files:
        with pytest.raises(DirectError) as refused:
            open_sealed(file.read_bytes(), keys())
        assert refused.value.reason
