"""Signatures: altered content, forms of line ends, and every way to make two readers differ."""

import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding

from direct import ber
from direct.ber import find_element, tlv
from direct.cms_name import encode_oid
from direct.cms_sign import sign
from direct.errors import (
    AlgorithmRefused,
    DirectError,
    MalformedMessage,
    NotSigned,
    SignatureInvalid,
)
from direct.smime import DEFAULT_POLICY, MOST_BYTES, SealAlgorithms, open_sealed
from tests.certificates import leaf
from tests.direct.sealing import (
    ENTITY,
    enveloped,
    identity,
    key,
    opaque_entity,
    recipient,
    sender,
    signed_entity,
)

Parts = list[bytes]
US = [key(recipient())]


def signature_of(content: bytes = ENTITY) -> bytes:
    return sign(content, identity(sender()), SealAlgorithms(), DEFAULT_POLICY)


def opened(entity: bytes, signature: bytes) -> object:
    return open_sealed(enveloped(signed_entity(entity, signature)), US)


def rebuilt(
    signature: bytes,
    *,
    signed: Callable[[Parts], Parts] = lambda parts: parts,
    info: Callable[[Parts], Parts] = lambda parts: parts,
) -> bytes:
    """`signature` with the parts of its SignedData, and of its SignerInfo, as one likes."""
    root = ber.read(signature)
    parts = [bytes(one.raw) for one in find_element(root, 1, 0).parts()]
    of_info = [bytes(one.raw) for one in find_element(ber.read(parts[-1]), 0).parts()]
    parts[-1] = tlv(ber.SET, tlv(ber.SEQUENCE, *info(of_info)))
    kind = bytes(find_element(root, 0).raw)
    return tlv(ber.SEQUENCE, kind, tlv(0xA0, tlv(ber.SEQUENCE, *signed(parts))))


def resigned(attributes: Parts, *, as_sent: bytes | None = None) -> Callable[[Parts], Parts]:
    """A SignerInfo with these attributes, signed by the sender."""

    def change(parts: Parts) -> Parts:
        content = b"".join(attributes)
        octets = tlv(ber.SET, content) if as_sent is None else as_sent
        made = sender().key.sign(octets, padding.PKCS1v15(), hashes.SHA256())  # type: ignore[call-arg,arg-type]
        return [*parts[:3], tlv(0xA0, content), parts[4], tlv(ber.OCTET_STRING, made)]

    return change


def attributes_of(signature: bytes) -> Parts:
    info = find_element(ber.read(signature), 1, 0, 4, 0, 3)
    return [bytes(one.raw) for one in info.parts()]


# ---- altered -------------------------------------------------------------------------------------


def test_altered_content_is_refused() -> None:
    with pytest.raises(SignatureInvalid, match="not what was signed"):
        opened(ENTITY.replace(b"visit", b"VISIT"), signature_of())


def test_a_flipped_bit_of_the_signature_is_refused() -> None:
    signature = bytearray(signature_of())
    signature[-1] ^= 1
    with pytest.raises(SignatureInvalid, match="not by the key"):
        opened(ENTITY, bytes(signature))


def test_a_signature_by_another_key_than_the_certificates_is_refused() -> None:
    other = identity(leaf("somebody else"))
    forged = sign(ENTITY, other, SealAlgorithms(), DEFAULT_POLICY)
    with pytest.raises(SignatureInvalid):
        opened(ENTITY, rebuilt(signature_of(), info=lambda parts: [*parts[:5], forged[-260:]]))


def test_one_bad_signer_beside_a_good_one_refuses_all() -> None:
    good = signature_of()
    bad = bytearray(signature_of(b"other"))
    info = bytes(find_element(ber.read(bytes(bad)), 1, 0, 4, 0).raw)

    def add(parts: Parts) -> Parts:
        body = bytes(ber.read(parts[-1]).body)
        return [*parts[:-1], tlv(ber.SET, body, info)]

    with pytest.raises(SignatureInvalid, match="not what was signed"):
        opened(ENTITY, rebuilt(good, signed=add))


# ---- line ends -----------------------------------------------------------------------------------


def test_mail_stored_with_lone_line_feeds_is_verified_in_its_own_form() -> None:
    result = open_sealed(
        enveloped(signed_entity(ENTITY, signature_of()).replace(b"\r\n", b"\n")), US
    )
    assert result.form == "with CRLF"
    assert result.content == ENTITY


def test_a_signature_over_lone_line_feeds_is_verified_as_received() -> None:
    entity = ENTITY.replace(b"\r\n", b"\n")
    result = open_sealed(enveloped(signed_entity(entity, signature_of(entity))), US)
    assert (result.form, result.content) == ("as received", entity)


def test_trailing_blanks_and_long_and_eight_bit_lines_stay_as_they_are() -> None:
    entity = b"Subject:  =?utf-8?q?a?=  \r\n\tb \r\n\r\n\xff\xfe " + b"x" * 5000 + b" \r\n\r\n\r\n"
    result = open_sealed(enveloped(signed_entity(entity, signature_of(entity))), US)
    assert result.content == entity


def test_opaque_content_has_one_form_only() -> None:
    """Its octets are in the structure: nobody had a reason to change them."""
    entity = ENTITY.replace(b"\r\n", b"\n")
    inside = rebuilt(signature_of(), signed=with_content(entity))
    with pytest.raises(SignatureInvalid, match="not what was signed"):
        open_sealed(enveloped(opaque_entity(inside)), US)


def with_content(content: bytes) -> Callable[[Parts], Parts]:
    inside = tlv(
        ber.SEQUENCE, encode_oid("1.2.840.113549.1.7.1"), tlv(0xA0, tlv(ber.OCTET_STRING, content))
    )
    return lambda parts: [*parts[:2], inside, *parts[3:]]


def test_opaque_content_is_opened() -> None:
    inside = rebuilt(signature_of(), signed=with_content(ENTITY))
    result = open_sealed(enveloped(opaque_entity(inside)), US)
    assert (result.content, result.is_detached) == (ENTITY, False)


def test_content_beside_and_inside_the_signature_is_refused() -> None:
    """One reader would show the part, another one the content inside."""
    both = rebuilt(signature_of(), signed=with_content(ENTITY))
    with pytest.raises(SignatureInvalid, match="twice"):
        opened(b"Content-Type: text/plain\r\n\r\nsomething else\r\n", both)


def test_an_opaque_signature_without_content_is_refused() -> None:
    with pytest.raises(SignatureInvalid, match="not at all"):
        open_sealed(enveloped(opaque_entity(signature_of())), US)


# ---- signed attributes ---------------------------------------------------------------------------


def test_attributes_out_of_order_are_verified_as_der_would_have_them() -> None:
    attributes = attributes_of(signature_of())
    backwards = list(reversed(attributes))
    as_der = tlv(ber.SET, *sorted(attributes))
    opened(ENTITY, rebuilt(signature_of(), info=resigned(backwards, as_sent=as_der)))


def test_attributes_signed_as_they_were_sent_are_verified() -> None:
    backwards = sorted(attributes_of(signature_of()), reverse=True)
    assert backwards != sorted(backwards)
    opened(ENTITY, rebuilt(signature_of(), info=resigned(backwards)))


def test_a_signed_attribute_that_is_there_twice_is_refused() -> None:
    attributes = attributes_of(signature_of())
    with pytest.raises(SignatureInvalid, match="twice"):
        opened(ENTITY, rebuilt(signature_of(), info=resigned([*attributes, attributes[0]])))


@pytest.mark.parametrize("oid", ["1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"])
def test_a_signed_attribute_that_is_missing_is_refused(oid: str) -> None:
    attributes = [one for one in attributes_of(signature_of()) if encode_oid(oid) not in one]
    assert len(attributes) == 1
    with pytest.raises(SignatureInvalid):
        opened(ENTITY, rebuilt(signature_of(), info=resigned(attributes)))


def test_a_signed_content_type_that_is_not_the_contents_is_refused() -> None:
    attributes = [
        one.replace(encode_oid("1.2.840.113549.1.7.1"), encode_oid("1.2.840.113549.1.7.5"))
        for one in attributes_of(signature_of())
    ]
    with pytest.raises(SignatureInvalid, match="content type"):
        opened(ENTITY, rebuilt(signature_of(), info=resigned(attributes)))


def test_a_signature_without_attributes_is_verified() -> None:
    made = sender().key.sign(ENTITY, padding.PKCS1v15(), hashes.SHA256())  # type: ignore[call-arg,arg-type]
    bare = rebuilt(signature_of(), info=lambda p: [*p[:3], p[4], tlv(ber.OCTET_STRING, made)])
    result = open_sealed(enveloped(signed_entity(ENTITY, bare)), US)
    assert result.signers[0].signing_time is None
    with pytest.raises(SignatureInvalid, match="not what was signed"):
        opened(ENTITY + b"x", bare)


def test_signed_attributes_cannot_be_passed_off_as_content() -> None:
    """Without attributes, the octets that an older signature covers would be a valid message."""
    info = find_element(ber.read(signature_of()), 1, 0, 4, 0)
    attributes = info.parts()[3].der(as_tag=ber.SET)
    stripped = rebuilt(signature_of(), info=lambda p: [*p[:3], *p[4:]])
    with pytest.raises(SignatureInvalid, match="made of signed attributes"):
        opened(attributes, stripped)
    inside = rebuilt(
        signature_of(),
        info=lambda p: [*p[:3], *p[4:]],
        signed=with_content(attributes),
    )
    with pytest.raises(SignatureInvalid, match="made of signed attributes"):
        open_sealed(enveloped(opaque_entity(inside)), US)


# ---- signers and certificates --------------------------------------------------------------------


def test_a_signature_without_its_certificate_is_refused_unless_it_is_known() -> None:
    bare = rebuilt(signature_of(), signed=lambda parts: [*parts[:3], parts[4]])
    message = enveloped(signed_entity(ENTITY, bare))
    with pytest.raises(SignatureInvalid, match="did not come with"):
        open_sealed(message, US)
    result = open_sealed(message, US, known=(sender().certificate,))
    assert result.signers[0].certificate == sender().certificate
    assert result.certificates == ()


def test_a_certificate_that_nobody_can_read_does_not_stop_the_others() -> None:
    def add(parts: Parts) -> Parts:
        body = bytes(ber.read(parts[3]).body)
        return [*parts[:3], tlv(0xA0, tlv(ber.SEQUENCE, b"\x05\x00"), body), parts[4]]

    opened(ENTITY, rebuilt(signature_of(), signed=add))


def test_a_certificate_with_an_issuer_that_cannot_be_read_is_left_aside() -> None:
    """Found by the fuzzer: the library reads names only when they are asked for."""

    def break_issuer(parts: Parts) -> Parts:
        name = tlv(0x0C, b"Gateway tests")
        assert parts[3].count(name) == 2
        return [*parts[:3], parts[3].replace(name, tlv(0x0D, b"Gateway tests"), 1), parts[4]]

    with pytest.raises(SignatureInvalid, match="did not come with"):
        opened(ENTITY, rebuilt(signature_of(), signed=break_issuer))


def test_a_certificate_of_an_unknown_version_is_left_aside() -> None:
    """Found by the fuzzer: not every error of the library is a ValueError."""

    def break_version(parts: Parts) -> Parts:
        version = b"\xa0\x03\x02\x01\x02"
        assert parts[3].count(version) == 1
        return [*parts[:3], parts[3].replace(version, b"\xa0\x03\x02\x01\x12"), parts[4]]

    with pytest.raises(SignatureInvalid, match="did not come with"):
        opened(ENTITY, rebuilt(signature_of(), signed=break_version))


def test_a_certificate_with_an_extension_twice_names_nobody() -> None:
    """Found by reading: a key identifier is then asked of extensions that cannot be read."""
    name = tlv(0x80, b"\x01" * 20)
    twice = sender().certificate.public_bytes(Encoding.DER)
    authority_id, subject_id = encode_oid("2.5.29.35"), encode_oid("2.5.29.14")
    assert twice.count(authority_id) == 1
    twice = twice.replace(authority_id, subject_id)

    def by_identifier(parts: Parts) -> Parts:
        return [parts[0], name, *parts[2:]]

    def change(parts: Parts) -> Parts:
        return [*parts[:3], tlv(0xA0, twice), parts[4]]

    with pytest.raises(SignatureInvalid, match="did not come with"):
        opened(ENTITY, rebuilt(rebuilt(signature_of(), info=by_identifier), signed=change))


def test_a_signed_data_without_signers_is_not_signed() -> None:
    nobody = rebuilt(signature_of(), signed=lambda parts: [*parts[:4], tlv(ber.SET)])
    with pytest.raises(NotSigned):
        opened(ENTITY, nobody)


@pytest.mark.parametrize(("position", "count"), [(3, 65), (4, 5)])
def test_a_flood_of_signers_or_certificates_is_refused(position: int, count: int) -> None:
    def repeat(parts: Parts) -> Parts:
        part = ber.read(parts[position])
        flood = tlv(part.tag, bytes(part.body) * count)
        return [*parts[:position], flood, *parts[position + 1 :]]

    with pytest.raises(MalformedMessage, match="too many"):
        opened(ENTITY, rebuilt(signature_of(), signed=repeat))


def test_a_signature_algorithm_of_another_digest_is_refused() -> None:
    """The digest that policy has seen is the one that the key signs, or nothing is checked."""
    sha512 = tlv(ber.SEQUENCE, encode_oid("1.2.840.113549.1.1.13"), b"\x05\x00")
    with pytest.raises(AlgorithmRefused, match="key and digest"):
        opened(ENTITY, rebuilt(signature_of(), info=lambda p: [*p[:4], sha512, p[5]]))


def test_an_ecdsa_signature_of_another_digest_is_refused() -> None:
    by = sender("p256")
    made = sign(ENTITY, identity(by), SealAlgorithms(), DEFAULT_POLICY)
    sha512 = tlv(ber.SEQUENCE, encode_oid("1.2.840.10045.4.3.4"))
    with pytest.raises(AlgorithmRefused, match="key and digest"):
        opened(ENTITY, rebuilt(made, info=lambda p: [*p[:4], sha512, p[5]]))


# ---- bombs ---------------------------------------------------------------------------------------


def test_compressed_data_is_refused_before_it_is_inflated() -> None:
    compressed = tlv(
        ber.SEQUENCE,
        encode_oid("1.2.840.113549.1.9.16.1.9"),
        tlv(0xA0, tlv(ber.SEQUENCE, b"\x02\x01\x00")),
    )
    with pytest.raises(AlgorithmRefused, match="compressed"):
        open_sealed(enveloped(opaque_entity(compressed)), US)


def test_an_oversize_message_is_refused_unread() -> None:
    with pytest.raises(MalformedMessage, match="over our limit"):
        open_sealed(b"\x00" * (MOST_BYTES + 1), US)


@pytest.mark.parametrize(
    "body", [b"\x30\x80" * 10_000, b"\x30\x80" + b"\x05\x00" * 100_000], ids=["depth", "elements"]
)
def test_a_bomb_of_asn1_is_refused(body: bytes) -> None:
    head = b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    with pytest.raises(DirectError):
        open_sealed(head + base64.encodebytes(body), US)
