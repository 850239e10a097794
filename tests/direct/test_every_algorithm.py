"""Each algorithm that we take and write, through a whole message and back."""

from itertools import product
from typing import get_args

import pytest

from direct.cms_algorithms import (
    AgreementDigestName,
    CipherName,
    DigestName,
    KeyTransportName,
    OaepDigestName,
    RsaSignatureName,
)
from direct.smime import PREFERENCES, SealAlgorithms, open_sealed
from tests.certificates import NOW
from tests.direct.sealing import ENTITY, key, recipient, sealed, sender


@pytest.mark.parametrize(
    ("cipher", "transport", "to"),
    [
        *product(get_args(CipherName), get_args(KeyTransportName), ["rsa"]),
        *product(get_args(CipherName), ["rsa-oaep"], ["p256", "p384"]),
    ],
)
@pytest.mark.parametrize("recipient_id", ["issuer-serial", "ski"])
def test_each_cipher_opens_for_each_kind_of_recipient(
    cipher: CipherName, transport: KeyTransportName, to: str, recipient_id: str
) -> None:
    algorithms = SealAlgorithms(
        cipher=cipher,
        key_transport=transport,
        recipient_id=recipient_id,  # type: ignore[arg-type]
    )
    ours = recipient(to)
    message = sealed(to=(ours.certificate,), algorithms=algorithms)
    opened = open_sealed(message, [key(ours)])
    assert opened.content == ENTITY
    assert opened.algorithms.cipher == cipher
    came_by = transport if transport == "rsa-pkcs1v15" else "rsa-oaep-sha1"
    assert opened.algorithms.key_transport == (came_by if to == "rsa" else "ecdh-sha256")


@pytest.mark.parametrize("digest", get_args(OaepDigestName))
def test_each_digest_of_oaep(digest: OaepDigestName) -> None:
    message = sealed(algorithms=SealAlgorithms(oaep_digest=digest))
    opened = open_sealed(message, [key(recipient())])
    assert opened.algorithms.key_transport == f"rsa-oaep-{digest}"


@pytest.mark.parametrize("digest", get_args(AgreementDigestName))
def test_each_digest_of_ecdh(digest: AgreementDigestName) -> None:
    ours = recipient("p384")
    message = sealed(to=(ours.certificate,), algorithms=SealAlgorithms(agreement_digest=digest))
    opened = open_sealed(message, [key(ours)])
    assert opened.algorithms.key_transport == f"ecdh-{digest}"


@pytest.mark.parametrize(
    ("kind", "name", "scheme"),
    [
        ("rsa", "pkcs1v15", "rsa-pkcs1v15"),
        ("rsa", "pss", "rsa-pss"),
        ("p256", "pkcs1v15", "ecdsa-secp256r1"),
        ("p384", "pkcs1v15", "ecdsa-secp384r1"),
    ],
)
@pytest.mark.parametrize("digest", get_args(DigestName))
def test_each_signature(kind: str, name: RsaSignatureName, scheme: str, digest: DigestName) -> None:
    signer = sender(kind)
    message = sealed(by=signer, algorithms=SealAlgorithms(rsa_signature=name, digest=digest))
    opened = open_sealed(message, [key(recipient())])
    (found,) = opened.signers
    assert found.certificate == signer.certificate
    assert (found.digest, found.signature_algorithm, found.signing_time) == (digest, scheme, NOW)
    assert opened.is_detached
    assert opened.form == "as received"


def test_the_preferences_begin_with_oaep_and_end_with_what_every_partner_reads() -> None:
    names = [f"{one.key_transport}-{one.oaep_digest}" for one in PREFERENCES]
    assert names == ["rsa-oaep-sha1", "rsa-oaep-sha256", "rsa-pkcs1v15-sha1"]
    assert str(PREFERENCES[0]) == "aes256-cbc, rsa-oaep-sha1, sha256, pkcs1v15"
    assert str(PREFERENCES[2]) == "aes256-cbc, rsa-pkcs1v15, sha256, pkcs1v15"


def test_a_preference_that_does_not_exist_cannot_be_stated() -> None:
    with pytest.raises(ValueError, match="none of aes128-cbc"):
        SealAlgorithms(cipher="3des-cbc")  # type: ignore[arg-type]
