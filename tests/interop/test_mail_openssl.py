"""`openssl cms` reads what we seal and we open what it seals, over the table of algorithms."""

import base64
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from direct import ber
from direct.ber import tlv
from direct.cms_algorithms import CipherName, DigestName, OaepDigestName
from direct.cms_name import encode_oid
from direct.errors import AlgorithmRefused, DirectError
from direct.smime import SealAlgorithms, open_sealed, seal
from tests.interop.mail_parties import MailParty, make_party
from tests.interop.mail_peers import PeerRefused, openssl

ENTITY = b"Content-Type: text/plain\r\n\r\nA visit summary follows.\r\n"
HEADERS = (("From", "drsmith@clinic.test"), ("To", "intake@plan.test"), ("Subject", "Summary"))
KINDS = ("rsa2048", "p256", "p384")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("openssl")


def sender(folder: Path, kind: str = "rsa2048") -> MailParty:
    return make_party(folder, "drsmith@clinic.test", kind)


def recipient(folder: Path, kind: str = "rsa2048") -> MailParty:
    return make_party(folder, "intake@plan.test", kind)


def sign(folder: Path, *options: str, by: MailParty | None = None, md: str = "sha256") -> bytes:
    signer = by or sender(folder)
    return openssl(
        "cms", "-sign", "-binary", "-signer", signer.certificate_file,
        "-inkey", signer.key_file, "-md", md, *options, data=ENTITY,
    )  # fmt: skip


def encrypt(signed: bytes, *options: object) -> bytes:
    # -binary: else it would turn our CRLF into CR CR LF.
    return openssl("cms", "-encrypt", "-binary", "-subject", "Summary", *options, data=signed)


def read_by_openssl(message: bytes, us: MailParty) -> bytes:
    signed = openssl(
        "cms", "-decrypt", "-recip", us.certificate_file, "-inkey", us.key_file, data=message
    )
    return openssl("cms", "-verify", "-CAfile", us.anchor_file, "-purpose", "any", data=signed)


@pytest.mark.parametrize(("cipher", "kind"), [*product(get_args(CipherName), KINDS)])
def test_openssl_reads_each_cipher_and_recipient_of_ours(
    folder: Path, cipher: CipherName, kind: str
) -> None:
    us = recipient(folder, kind)
    message = seal(
        ENTITY,
        headers=HEADERS,
        signer=sender(folder).identity,
        recipients=(us.certificate, recipient(folder, "rsa3072").certificate),
        algorithms=SealAlgorithms(cipher=cipher),
    )
    assert read_by_openssl(message, us) == ENTITY


@pytest.mark.parametrize("digest", get_args(DigestName))
@pytest.mark.parametrize(
    ("kind", "rsa_signature"), [*((k, "pkcs1v15") for k in KINDS), ("rsa2048", "pss")]
)
def test_openssl_verifies_each_signature_of_ours(
    folder: Path, digest: DigestName, kind: str, rsa_signature: str
) -> None:
    us = recipient(folder)
    algorithms = SealAlgorithms(digest=digest, rsa_signature=rsa_signature)  # type: ignore[arg-type]
    signer = sender(folder, kind).identity
    message = seal(
        ENTITY, headers=HEADERS, signer=signer, recipients=(us.certificate,), algorithms=algorithms
    )
    assert read_by_openssl(message, us) == ENTITY


@pytest.mark.parametrize("digest", get_args(OaepDigestName))
@pytest.mark.parametrize("recipient_id", ["issuer-serial", "ski"])
def test_openssl_reads_each_key_transport_of_ours(
    folder: Path, digest: OaepDigestName, recipient_id: str
) -> None:
    us = recipient(folder)
    for algorithms in (
        SealAlgorithms(oaep_digest=digest, recipient_id=recipient_id),  # type: ignore[arg-type]
        SealAlgorithms(key_transport="rsa-pkcs1v15", recipient_id=recipient_id),  # type: ignore[arg-type]
    ):
        message = seal(
            ENTITY,
            headers=HEADERS,
            signer=sender(folder).identity,
            recipients=(us.certificate,),
            algorithms=algorithms,
        )
        assert read_by_openssl(message, us) == ENTITY


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384"])
def test_openssl_reads_each_key_agreement_of_ours(folder: Path, digest: str) -> None:
    us = recipient(folder, "p256")
    for recipient_id in ("issuer-serial", "ski"):
        message = seal(
            ENTITY,
            headers=HEADERS,
            signer=sender(folder).identity,
            recipients=(us.certificate,),
            algorithms=SealAlgorithms(agreement_digest=digest, recipient_id=recipient_id),  # type: ignore[arg-type]
        )
        assert read_by_openssl(message, us) == ENTITY


@pytest.mark.parametrize("cipher", get_args(CipherName))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", [(), ("-keyid",), ("-stream", "-indef")], ids=str)
def test_we_open_each_cipher_and_recipient_of_openssls(
    folder: Path, cipher: str, kind: str, form: tuple[str, ...]
) -> None:
    us = recipient(folder, kind)
    name = f"-{cipher[:3]}-{cipher[3:]}"
    message = encrypt(sign(folder), name, *form, "-recip", us.certificate_file)
    opened = open_sealed(message, [us.decryption_key])
    assert opened.content == ENTITY
    assert opened.algorithms.cipher == cipher


@pytest.mark.parametrize("form", [(), ("-keyid",)], ids=str)
def test_we_find_ourselves_among_several_recipients_of_openssls(
    folder: Path, form: tuple[str, ...]
) -> None:
    several = [recipient(folder, kind) for kind in ("rsa2048", "rsa3072", "p256", "p384")]
    named = [option for one in several for option in ("-recip", one.certificate_file)]
    message = encrypt(sign(folder), "-aes-256-cbc", *form, *named)
    for one in several:
        assert open_sealed(message, [one.decryption_key]).content == ENTITY


@pytest.mark.parametrize("digest", ["sha1", "sha224", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("mask", ["sha1", "sha256", "sha512"])
def test_we_open_each_oaep_of_openssls(folder: Path, digest: str, mask: str) -> None:
    us = recipient(folder)
    options = (
        "-keyopt", "rsa_padding_mode:oaep", "-keyopt", f"rsa_oaep_md:{digest}",
        "-keyopt", f"rsa_mgf1_md:{mask}",
    )  # fmt: skip
    signed = sign(folder)
    message = encrypt(signed, "-aes-256-cbc", "-recip", us.certificate_file, *options)
    opened = open_sealed(message, [us.decryption_key])
    assert opened.content == ENTITY
    assert opened.algorithms.key_transport == f"rsa-oaep-{digest}"


@pytest.mark.parametrize("digest", ["sha1", "sha224", "sha256", "sha384", "sha512"])
def test_we_open_each_ecdh_of_openssls(folder: Path, digest: str) -> None:
    us = recipient(folder, "p384")
    message = encrypt(
        sign(folder), "-aes-192-cbc", "-recip", us.certificate_file,
        "-keyopt", f"ecdh_kdf_md:{digest}",
    )  # fmt: skip
    opened = open_sealed(message, [us.decryption_key])
    assert opened.algorithms.key_transport == f"ecdh-{digest}"


@pytest.mark.parametrize("md", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "form",
    [
        (),
        ("-keyid",),
        ("-noattr",),
        ("-nodetach",),
        ("-nodetach", "-stream", "-indef"),
        ("-nosmimecap",),
    ],
    ids=str,
)
def test_we_verify_each_signature_of_openssls(
    folder: Path, md: str, kind: str, form: tuple[str, ...]
) -> None:
    us, by = recipient(folder), sender(folder, kind)
    message = encrypt(
        sign(folder, *form, by=by, md=md), "-aes-128-cbc", "-recip", us.certificate_file
    )
    opened = open_sealed(message, [us.decryption_key])
    assert opened.content == ENTITY
    assert opened.signers[0].certificate == by.certificate
    assert opened.signers[0].digest == md
    assert opened.is_detached == ("-nodetach" not in form)


@pytest.mark.parametrize("md", ["sha256", "sha384", "sha512"])
def test_we_verify_pss_of_openssls(folder: Path, md: str) -> None:
    us = recipient(folder)
    signed = sign(folder, "-keyopt", "rsa_padding_mode:pss", md=md)
    message = encrypt(signed, "-aes-128-cbc", "-recip", us.certificate_file)
    opened = open_sealed(message, [us.decryption_key])
    assert opened.algorithms.signature == "rsa-pss"
    assert opened.signers[0].digest == md


@pytest.mark.parametrize(
    ("sign_with", "cipher", "kind", "reason"),
    [
        ("md5", "-aes-128-cbc", "rsa2048", "MD5"),
        ("sha1", "-aes-128-cbc", "rsa2048", "SHA-1"),
        ("sha256", "-des3", "rsa2048", "Triple DES"),
        ("sha256", "-aes-128-cbc", "rsa1024", "1024 bits"),
    ],
)
def test_what_the_policy_forbids_is_refused_by_name(
    folder: Path, sign_with: str, cipher: str, kind: str, reason: str
) -> None:
    us = recipient(folder, kind)
    message = encrypt(sign(folder, md=sign_with), cipher, "-recip", us.certificate_file)
    with pytest.raises(AlgorithmRefused, match=reason):
        open_sealed(message, [us.decryption_key])


def test_a_signer_of_1024_bits_is_refused(folder: Path) -> None:
    us, by = recipient(folder), sender(folder, "rsa1024")
    message = encrypt(sign(folder, by=by), "-aes-128-cbc", "-recip", us.certificate_file)
    with pytest.raises(AlgorithmRefused, match="1024 bits"):
        open_sealed(message, [us.decryption_key])


def test_compressed_content_encrypted_by_openssl_is_refused(folder: Path) -> None:
    us = recipient(folder)
    # By hand: Debian's openssl encrypts it, and is built without what would compress it.
    kind = encode_oid("1.2.840.113549.1.9.16.1.9")
    compressed = tlv(ber.SEQUENCE, kind, tlv(0xA0, tlv(ber.SEQUENCE, b"\x02\x01\x00")))
    entity = (
        b"Content-Type: application/pkcs7-mime; smime-type=compressed-data\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(compressed)
    )
    message = encrypt(entity, "-aes-128-cbc", "-recip", us.certificate_file)
    with pytest.raises(DirectError, match="compressed"):
        open_sealed(message, [us.decryption_key])


def test_openssl_refuses_ours_when_it_was_altered(folder: Path) -> None:
    us = recipient(folder)
    message = seal(
        ENTITY,
        headers=HEADERS,
        signer=sender(folder).identity,
        recipients=(us.certificate,),
    )
    signed = openssl(
        "cms", "-decrypt", "-recip", us.certificate_file, "-inkey", us.key_file, data=message
    )
    altered = signed.replace(b"visit", b"VISIT")
    assert altered != signed
    with pytest.raises(PeerRefused, match=r"(?i)verif|digest"):
        openssl("cms", "-verify", "-CAfile", us.anchor_file, "-purpose", "any", data=altered)
