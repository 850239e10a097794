"""What seal writes, as the validators of ETT check it, and what open_sealed tells of it."""

import re
from datetime import UTC, datetime

import pytest

from direct import ber
from direct.cms_decrypt import decrypt
from direct.cms_structure import read_enveloped, read_signed
from direct.errors import AlgorithmRefused, NotEncrypted
from direct.smime import (
    DEFAULT_POLICY,
    SealAlgorithms,
    SigningIdentity,
    open_sealed,
    seal,
)
from direct.smime_entity import read_entity, split_signed
from tests.certificates import NOW, authority, leaf
from tests.direct.sealing import (
    ENTITY,
    HEADERS,
    identity,
    key,
    plain_sealed,
    recipient,
    sealed,
    sender,
)


def inner(message: bytes) -> bytes:
    """The multipart/signed inside a message to us."""
    enveloped = read_enveloped(read_entity(message).decode())
    found = decrypt(enveloped, [key(recipient())], DEFAULT_POLICY)
    return found.octets[: found.end]


# ---- ETT's list (reference: DTS 133a to 205) -----------------------------------------------------


def test_dts_133a_201_202_203_the_outer_type() -> None:
    entity = read_entity(plain_sealed())
    assert entity.media_type == "application/pkcs7-mime"
    assert entity.parameters == {"smime-type": "enveloped-data", "name": "smime.p7m"}
    head = plain_sealed().partition(b"\r\n\r\n")[0]
    assert b'Content-Disposition: attachment; filename="smime.p7m"' in head
    assert b"MIME-Version: 1.0\r\n" in head


def test_gcm_names_its_own_type() -> None:
    entity = read_entity(sealed(algorithms=SealAlgorithms(cipher="aes128-gcm")))
    assert entity.parameters["smime-type"] == "authEnveloped-data"


def test_dts_133b_160_205_172_the_inner_type() -> None:
    entity = read_entity(inner(plain_sealed()))
    assert entity.media_type == "multipart/signed"
    assert entity.parameters["protocol"] == "application/pkcs7-signature"
    assert entity.parameters["micalg"] == "sha-256"
    assert re.fullmatch("[0-9a-f]{32}", entity.parameters["boundary"])


@pytest.mark.parametrize("digest", ["sha384", "sha512"])
def test_dts_160_micalg_names_the_digest(digest: str) -> None:
    message = sealed(algorithms=SealAlgorithms(digest=digest))  # type: ignore[arg-type]
    assert read_entity(inner(message)).parameters["micalg"] == digest.replace("sha", "sha-")


def test_dts_152_155_158_207_the_second_part() -> None:
    data, part = split_signed(read_entity(inner(plain_sealed())))
    assert bytes(data) == ENTITY
    assert part.media_type == "application/pkcs7-signature"
    assert part.parameters == {"name": "smime.p7s"}
    assert part.transfer_encoding == "base64"


def test_dts_163_to_183_the_signature() -> None:
    _, part = split_signed(read_entity(inner(plain_sealed())))
    signed = read_signed(part.decode())
    assert signed.content_type == "1.2.840.113549.1.7.1"
    assert signed.content is None
    assert signed.certificates == (sender().certificate,)
    (info,) = signed.signers
    assert info.digest.oid == "2.16.840.1.101.3.4.2.1"
    assert info.signer.serial == sender().certificate.serial_number
    assert info.attributes is not None
    kinds = [ber.oid_text(one.parts()[0]) for one in info.attributes.parts()]
    assert sorted(kinds) == [f"1.2.840.113549.1.9.{n}" for n in (3, 4, 5)]
    # RFC 5652: 5.4: a reader that encodes them anew must come to the same octets.
    assert bytes(info.attributes.raw) == info.attributes.der()


def test_dts_195_the_message_is_crlf_only() -> None:
    for message in (plain_sealed(), inner(plain_sealed())):
        assert message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r")
    assert max(map(len, plain_sealed().split(b"\r\n"))) <= 100


def test_the_headers_stand_first_and_in_order() -> None:
    assert plain_sealed().startswith(
        b"From: drsmith@clinic.test\r\nTo: intake@plan.test\r\nSubject: Summary\r\nMIME-Version"
    )


# ---- what is told --------------------------------------------------------------------------------


def test_what_was_opened_tells_by_what_and_for_whom() -> None:
    opened = open_sealed(plain_sealed(), [key(leaf("retired")), key(recipient())])
    assert str(opened.algorithms) == "aes256-cbc, rsa-oaep-sha1, sha256, rsa-pkcs1v15"
    assert opened.decrypted_for == recipient().certificate
    assert opened.recipient_count == 1
    assert opened.passed_over == ()
    assert opened.signers[0].signing_time == NOW
    assert opened.certificates == (sender().certificate,)


def test_each_of_several_recipients_opens_it() -> None:
    parties = [recipient(), recipient("p256"), recipient("p384"), leaf("fourth")]
    message = sealed(to=tuple(one.certificate for one in parties))
    for party in parties:
        opened = open_sealed(message, [key(party)])
        assert opened.content == ENTITY
        assert opened.recipient_count == 4
        assert opened.decrypted_for == party.certificate


def test_of_several_active_keys_the_one_that_opens_it_is_taken() -> None:
    """Key roll-over: a message may name two of ours, and one of them was made unusable."""
    old, new = leaf("old key"), leaf("new key")
    # GCM, for by chance CBC may take a wrong key for a right one.
    algorithms = SealAlgorithms(cipher="aes256-gcm")
    message = sealed(to=(old.certificate, new.certificate), algorithms=algorithms)
    broken = key(leaf("another")).private_key
    keys = [type(key(old))(broken, old.certificate), key(new)]
    assert open_sealed(message, keys).decrypted_for == new.certificate


def test_the_intermediates_travel_with_the_signature() -> None:
    signer = SigningIdentity(sender().key, sender().certificate, (authority().certificate,))
    message = seal(ENTITY, headers=HEADERS, signer=signer, recipients=(recipient().certificate,))
    opened = open_sealed(message, [key(recipient())])
    assert set(opened.certificates) == {sender().certificate, authority().certificate}
    assert opened.signers[0].signing_time is None


def test_a_signing_time_in_another_zone_is_the_same_moment() -> None:
    moment = datetime.fromisoformat("2026-03-01T07:00:00.5-05:00")
    message = seal(
        ENTITY,
        headers=HEADERS,
        signer=identity(sender()),
        recipients=(recipient().certificate,),
        signing_time=moment,
    )
    opened = open_sealed(message, [key(recipient())])
    assert opened.signers[0].signing_time == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_what_we_sign_has_crlf_whatever_it_came_with(end: bytes) -> None:
    opened = open_sealed(sealed(ENTITY.replace(b"\r\n", end)), [key(recipient())])
    assert opened.content == ENTITY
    assert opened.form == "as received"


# ---- what cannot be written ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Subject", "x\r\nBcc: eve@elsewhere.test"),
        ("Subject", "x\nBcc: eve@elsewhere.test"),
        ("Subject", "x\r\n\r\nbody"),
        ("Subject", "x\r\n \r\ny"),
        ("Subject", "x\x00"),
        ("Subject", "Röntgen"),
        ("Subject", "x" * 1000),
        ("Sub ject", "x"),
        ("Subject:", "x"),
        ("X\r\nBcc", "x"),
        ("Content-Type", "text/plain"),
        ("mime-version", "1.0"),
    ],
)
def test_header_injection_cannot_be_written(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="header"):
        seal(
            ENTITY,
            headers=[(name, value)],
            signer=identity(sender()),
            recipients=(recipient().certificate,),
        )


def test_a_folded_header_is_written_as_it_is() -> None:
    message = seal(
        ENTITY,
        headers=[("To", "a@plan.test,\r\n b@plan.test")],
        signer=identity(sender()),
        recipients=(recipient().certificate,),
    )
    assert message.startswith(b"To: a@plan.test,\r\n b@plan.test\r\n")


def test_a_message_to_many_is_folded() -> None:
    to = ", ".join(f"records-of-department-{number}@plan.test" for number in range(100))
    message = seal(
        ENTITY,
        headers=[("To", to)],
        signer=identity(sender()),
        recipients=(recipient().certificate,),
    )
    head = message[: message.index(b"\r\nMIME-Version")].decode()
    assert max(map(len, head.split("\r\n"))) < 78
    assert head.replace("\r\n", "") == f"To: {to}"


def test_a_message_needs_a_recipient() -> None:
    with pytest.raises(ValueError, match="recipient"):
        seal(ENTITY, headers=HEADERS, signer=identity(sender()), recipients=())


def test_a_short_key_is_neither_used_nor_written_to() -> None:
    short = leaf("short", kind="rsa1024")
    with pytest.raises(AlgorithmRefused, match="1024 bits"):
        sealed(by=short)
    with pytest.raises(AlgorithmRefused, match="1024 bits"):
        sealed(to=(recipient().certificate, short.certificate))


@pytest.mark.parametrize(
    ("type_", "disposition", "is_sealed"),
    [
        ('application/octet-stream; name="SMIME.P7M"', "attachment", True),
        ("application/octet-stream", 'attachment; filename="smime.p7m"', True),
        ("application/octet-stream", "attachment; size=5; filename=smime.p7m", True),
        ("application/octet-stream", 'attachment; filename="smime.p7m.exe"', False),
        ("application/octet-stream", "smime.p7m", False),
        ("text/plain", 'attachment; filename="smime.p7m"', False),
    ],
)
def test_a_mailer_that_does_not_know_the_type_names_the_file(
    type_: str, disposition: str, is_sealed: bool
) -> None:
    """RFC 8551: 3.9."""
    raw = plain_sealed()
    head, _, body = raw.partition(b"\r\n\r\n")
    other = re.sub(rb"(?m)^Content-(Type|Disposition): .*\r\n", b"", head + b"\r\n")
    other += f"Content-Type: {type_}\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
    if is_sealed:
        assert open_sealed(other + body, [key(recipient())]).content == ENTITY
    else:
        with pytest.raises(NotEncrypted):
            open_sealed(other + body, [key(recipient())])
