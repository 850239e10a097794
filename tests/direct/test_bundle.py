"""Trust bundles in every form they are found in, and what no bundle may do."""

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from direct import ber
from direct.bundle import MOST_BYTES, Bundle, Difference, diff, doubts, read_bundle
from direct.certificates import MOST_CERTIFICATES, certificates_in
from direct.cms_algorithms import AlgorithmPolicy
from direct.cms_name import encode_oid
from direct.cms_structure import DATA, SIGNED_DATA
from direct.errors import (
    AlgorithmRefused,
    DirectError,
    MalformedMessage,
    MessageTooLarge,
    SignatureInvalid,
)
from tests.certificates import NOW
from tests.direct_certificates import (
    DAY,
    MailAuthority,
    unreadable_issuer,
    unreadable_subject,
)
from tests.signed_bundles import bag, signed_bundle

ONE = MailAuthority("One", NOW)
TWO = MailAuthority("Two", NOW)
BOTH = (ONE.certificate, TWO.certificate)
PUBLISHER = MailAuthority("Publisher's CA", NOW).leaf("bundles@publisher.example")
OTHER = MailAuthority("Other CA", NOW).leaf("bundles@other.example")
SAMPLES = Path(__file__).resolve().parents[3] / "shared/samples/direct"
BUNDLES = SAMPLES / "nhin-d/java/config/config-service-jar/src/test/resources/bundles"
needs_samples = pytest.mark.skipif(not BUNDLES.exists(), reason="the shared samples are not here")
old_serials = pytest.mark.filterwarnings("ignore:Parsed a serial number")
odd_names = pytest.mark.filterwarnings("ignore:Attribute's length must be")


def indefinite(der: bytes) -> bytes:
    """The same in BER: every constructed length indefinite, every octet string in two pieces."""

    def again(element: ber.Element) -> bytes:
        if element.tag == ber.OCTET_STRING and len(element.body) > 1:
            half = len(element.body) // 2
            pieces = (element.body[:half], element.body[half:])
            return b"\x24\x80" + b"".join(ber.tlv(4, one) for one in pieces) + b"\0\0"
        if not element.tag & 0x20:
            return bytes(element.raw)
        return bytes([element.tag, 0x80]) + b"".join(map(again, element.parts())) + b"\0\0"

    return again(ber.read(der))


def outer_indefinite(der: bytes) -> bytes:
    """As BouncyCastle writes it: the frame in BER, the certificates left as they are."""

    def again(element: ber.Element, depth: int) -> bytes:
        if depth == 0 or not element.tag & 0x20:
            return bytes(element.raw)
        inner = b"".join(again(one, depth - 1) for one in element.parts())
        return bytes([element.tag, 0x80]) + inner + b"\0\0"

    return again(ber.read(der), 4)


def test_a_p7b_gives_its_anchors() -> None:
    found = read_bundle(pkcs7.serialize_certificates(list(BOTH), Encoding.DER))
    assert set(found.anchors) == set(BOTH)
    assert (found.metadata, found.signer, found.unread) == (None, None, 0)


def test_the_forms_that_a_p7b_is_sent_in_give_the_same() -> None:
    der = bag(BOTH)
    pem = pkcs7.serialize_certificates(list(BOTH), Encoding.PEM)
    forms = {
        "frame in BER": outer_indefinite(der),
        "all in BER": indefinite(der),
        "PEM": pem,
        "PEM with a byte order mark and words before it": b"\xef\xbb\xbfthe bundle:\r\n" + pem,
        "PEM of another label": pem.replace(b"PKCS7", b"CMS"),
        "base64 alone": b64encode(der),
        "certificates in PEM": b"".join(one.public_bytes(Encoding.PEM) for one in BOTH),
        "blanks around it": b"\r\n" + der + b"\r\n",
    }
    for name, content in forms.items():
        assert set(read_bundle(content).anchors) == set(BOTH), name
        assert set(certificates_in(content)) == set(BOTH), name


def test_metadata_is_text_to_be_shown() -> None:
    found = read_bundle(bag(BOTH, b"<trustBundle><profile>x</profile></trustBundle>\0\x1b[2J"))
    assert found.metadata == "<trustBundle><profile>x</profile></trustBundle>[2J"
    assert read_bundle(bag(BOTH, b"x" * 100_000)).metadata is None


def test_a_certificate_that_stands_there_twice_is_one_anchor() -> None:
    pem = ONE.certificate.public_bytes(Encoding.PEM)
    assert read_bundle(pem + pem).anchors == (ONE.certificate,)


# ---- signed ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["der", "pem", "ber"])
def test_a_signed_bundle_gives_what_its_signature_covers(form: str) -> None:
    inner = bag(BOTH, b"<trustBundle/>")
    if form == "pem":
        inner = b"-----BEGIN PKCS7-----\n" + b64encode(inner) + b"\n-----END PKCS7-----\n"
    content = signed_bundle(inner, PUBLISHER)
    found = read_bundle(indefinite(content) if form == "ber" else content)
    assert set(found.anchors) == set(BOTH)
    assert found.signer == PUBLISHER.certificate
    assert found.metadata == "<trustBundle/>"


def test_the_certificates_beside_the_signature_are_no_anchors() -> None:
    """They are not signed: whoever carries the bundle may put his own there."""
    content = signed_bundle(bag([ONE.certificate]), PUBLISHER, beside=[TWO.certificate])
    assert read_bundle(content).anchors == (ONE.certificate,)


def test_a_signed_bundle_without_content_is_refused() -> None:
    content = signed_bundle(b"<trustBundle/>", PUBLISHER, beside=[TWO.certificate])
    with pytest.raises(MalformedMessage):
        read_bundle(content)


def test_a_bundle_altered_after_signing_is_refused() -> None:
    genuine = signed_bundle(bag([ONE.certificate], b"<one/>"), PUBLISHER)
    assert read_bundle(genuine).metadata == "<one/>"
    with pytest.raises(SignatureInvalid):
        read_bundle(genuine.replace(b"<one/>", b"<two/>"))


def test_who_has_signed_need_not_come_along() -> None:
    content = signed_bundle(bag(BOTH), PUBLISHER, with_certificate=False)
    with pytest.raises(SignatureInvalid):
        read_bundle(content)
    with pytest.raises(SignatureInvalid):
        read_bundle(content, [OTHER.certificate])
    assert read_bundle(content, [PUBLISHER.certificate]).signer == PUBLISHER.certificate


def test_a_signature_in_a_signature_is_refused() -> None:
    twice = signed_bundle(signed_bundle(bag(BOTH), OTHER), PUBLISHER)
    with pytest.raises(SignatureInvalid):
        read_bundle(twice)


# ---- what is none ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"invalid",
        b"<html>404</html>",
        b"-----BEGIN PKCS7-----\nMIIB",
        b"-----BEGIN PKCS7-----\n!!\n-----END PKCS7-----\n",
        b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        b"\x30\x80" * 500,
        b"\x30\x03\x06\x01\x2a",
        b"MIIB####",
        bytes(1000),
    ],
)
def test_what_is_no_bundle_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read_bundle(content)
    assert certificates_in(content) == ()


def test_a_bundle_of_no_certificate_is_none() -> None:
    """Taken as a bundle it would take every anchor away."""
    with pytest.raises(MalformedMessage):
        read_bundle(bag([], b"<trustBundle/>"))


def test_sizes_are_capped() -> None:
    with pytest.raises(MessageTooLarge, match="larger than we take"):
        read_bundle(bytes(MOST_BYTES + 1))
    many = b"".join(
        ber.tlv(ber.SEQUENCE, ber.tlv(ber.INTEGER, number.to_bytes(4, "big")))
        for number in range(MOST_CERTIFICATES + 1)
    )
    with pytest.raises(MessageTooLarge, match="too many"):
        read_bundle(_frame(many))
    with pytest.raises(MalformedMessage, match="no certificate"):
        read_bundle(_frame(ber.tlv(ber.SEQUENCE, b"\x02\x01\x00")))


def test_a_broken_certificate_does_not_take_the_others_away() -> None:
    broken = ber.tlv(ber.SEQUENCE, b"\x02\x01\x00")
    found = read_bundle(_frame(ONE.certificate.public_bytes(Encoding.DER) + broken))
    assert (found.anchors, found.unread) == ((ONE.certificate,), 1)
    assert doubts(found, now=NOW) == ("1 certificates of the bundle cannot be read",)


def test_an_anchor_whose_names_cannot_be_read_is_none() -> None:
    good = ONE.certificate.public_bytes(Encoding.DER)
    for bad in (unreadable_subject("Some network"), unreadable_issuer("Some network")):
        found = read_bundle(_frame(good + bad))
        assert (found.anchors, found.unread) == ((ONE.certificate,), 1)
        with pytest.raises(MalformedMessage, match="no certificate"):
            read_bundle(_frame(bad))


def _frame(certificates: bytes) -> bytes:
    signed = ber.tlv(
        ber.SEQUENCE,
        b"\x02\x01\x01",
        ber.tlv(ber.SET),
        ber.tlv(ber.SEQUENCE, encode_oid(DATA)),
        ber.tlv(0xA0, certificates),
        ber.tlv(ber.SET),
    )
    return ber.tlv(ber.SEQUENCE, encode_oid(SIGNED_DATA), ber.tlv(0xA0, signed))


# ---- differences -----------------------------------------------------------------------------


def held(*anchors: x509.Certificate, signer: x509.Certificate | None = None) -> Bundle:
    return Bundle(anchors, None, signer, 0)


def test_a_difference_says_who_joined_and_left_and_whether_the_signer_is_another() -> None:
    before = held(*BOTH)
    assert diff(before, before).is_none
    assert diff(None, before) == Difference(BOTH, (), False)
    assert diff(before, held(ONE.certificate)) == Difference((), (TWO.certificate,), False)
    signed = held(*BOTH, signer=PUBLISHER.certificate)
    assert diff(before, signed).signer_changed
    assert diff(signed, before).signer_changed
    assert diff(signed, held(*BOTH, signer=OTHER.certificate)).signer_changed


def test_doubts_name_the_anchor() -> None:
    old = MailAuthority("Old", NOW, lifetime=(-9 * DAY, -DAY))
    weak = MailAuthority("Weak root", NOW, kind="rsa1024")
    assert doubts(held(ONE.certificate, old.certificate, weak.certificate), now=NOW) == (
        "the anchor CN=Old has expired",
        "the anchor CN=Weak root has an RSA key of fewer than 2048 bits",
    )


# ---- the reference implementation's own ------------------------------------------------------


@needs_samples
@old_serials
def test_the_reference_implementations_bundles_are_read() -> None:
    found = read_bundle((BUNDLES / "providerTestBundle.p7b").read_bytes())
    assert len(found.anchors) == 6
    assert "CN=BIDMC Direct Test CA" in _names(found.anchors)
    disguised = read_bundle((BUNDLES / "signedbundle.p7b").read_bytes())
    assert [name for name in _names(disguised.anchors) if "sm1.direct.com Root CA" in name]


@needs_samples
def test_the_reference_implementations_signed_bundle_is_refused_for_its_sha_1() -> None:
    content = (BUNDLES / "signedbundle.p7m").read_bytes()
    with pytest.raises(AlgorithmRefused, match="SHA-1"):
        read_bundle(content)
    old = AlgorithmPolicy(digests=frozenset({"sha1", "sha256"}), least_rsa_bits=1024)
    found = read_bundle(content, policy=old)
    assert len(found.anchors) == 1
    assert found.signer is not None


@needs_samples
def test_what_the_reference_implementation_calls_invalid_is() -> None:
    with pytest.raises(DirectError):
        read_bundle((BUNDLES / "invalidBundle.der").read_bytes())


def _names(certificates: Sequence[x509.Certificate]) -> list[str]:
    return [one.subject.rfc4514_string() for one in certificates]


@needs_samples
@old_serials
@odd_names
def test_every_published_anchor_is_read_or_refused_in_words() -> None:
    folder = SAMPLES / "nhin-d/certs/anchors"
    read, refused = 0, 0
    for file in sorted(folder.iterdir()):
        try:
            read += bool(read_bundle(file.read_bytes()).anchors)
        except DirectError:
            refused += 1
    assert read >= 55
    assert refused <= 2, "a private key stands among the anchors"
