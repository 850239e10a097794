"""Keys and certificates as a message names them."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ihe.errors import SecurityRefused
from ihe.key_info import (
    KeyInfo,
    check_strength,
    public_key,
    read_base64,
    read_key_info,
    same_key,
    write_key_info,
)
from ihe.namespaces import name
from tests.certificates import leaf
from tests.ihe_messages import find, partner

KINDS = ["rsa", "p256", "p384"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_back(kind: str) -> None:
    certificate = partner(kind).certificate
    plain = read_key_info(write_key_info(certificate))
    assert plain == KeyInfo((certificate,), None)
    both = read_key_info(
        etree.fromstring(etree.tostring(write_key_info(certificate, with_key_value=True)))
    )
    assert both.certificates == (certificate,)
    assert both.key is not None
    assert same_key(both.key, public_key(certificate))


def test_no_key_info_names_nothing() -> None:
    assert read_key_info(None) == KeyInfo()
    assert read_key_info(etree.Element(name("ds:KeyInfo"))) == KeyInfo()


def test_keys_differ() -> None:
    keys = [public_key(partner(kind).certificate) for kind in KINDS]
    assert [[same_key(one, other) for other in keys] for one in keys] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]


@pytest.mark.parametrize(
    "xml",
    [
        "<ds:KeyValue/>",
        "<ds:KeyValue><ds:DSAKeyValue/></ds:KeyValue>",
        "<ds:KeyValue><ds:RSAKeyValue/></ds:KeyValue>",
        "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AAAA</ds:Modulus><ds:Exponent>AQAB</ds:Exponent>"
        "</ds:RSAKeyValue></ds:KeyValue>",
        "<ds:KeyValue/><ds:KeyValue/>",
        "<e:DEREncodedKeyValue>AAAA</e:DEREncodedKeyValue>",
        "<ds:KeyValue><e:ECKeyValue><e:NamedCurve URI='urn:oid:1.3.132.0.10'/>"
        "<e:PublicKey>BAAA</e:PublicKey></e:ECKeyValue></ds:KeyValue>",
        "<ds:KeyValue><e:ECKeyValue><e:NamedCurve URI='urn:oid:1.2.840.10045.3.1.7'/>"
        "<e:PublicKey>BAAA</e:PublicKey></e:ECKeyValue></ds:KeyValue>",
        "<ds:X509Data><ds:X509Certificate/></ds:X509Data>",
        "<ds:X509Data><ds:X509Certificate>AAAA</ds:X509Certificate></ds:X509Data>",
    ],
)
def test_a_key_that_cannot_be_read_is_refused(xml: str) -> None:
    spaces = (
        'xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:e="http://www.w3.org/2009/xmldsig11#"'
    )
    with pytest.raises(SecurityRefused):
        read_key_info(etree.fromstring(f"<ds:KeyInfo {spaces}>{xml}</ds:KeyInfo>"))


def test_weak_keys_are_refused() -> None:
    with pytest.raises(SecurityRefused, match="2048"):
        public_key(leaf("Weak", kind="rsa1024").certificate)
    with pytest.raises(SecurityRefused, match="curves"):
        check_strength(ec.generate_private_key(ec.SECP192R1()).public_key())


def test_two_bare_keys_are_refused() -> None:
    info = write_key_info(partner().certificate, with_key_value=True)
    other = write_key_info(partner("p256").certificate, with_key_value=True)
    info.append(find(other, "ds:KeyValue"))
    with pytest.raises(SecurityRefused, match="more than one KeyValue"):
        read_key_info(info)


def test_a_certificate_whose_key_cannot_be_read_is_refused() -> None:
    class Broken:
        def public_key(self) -> object:
            raise ValueError("no such curve")

    with pytest.raises(SecurityRefused, match="cannot be read"):
        public_key(Broken())  # type: ignore[arg-type]


def test_a_key_of_another_kind_is_refused() -> None:
    class Odd:
        def public_key(self) -> object:
            return ed25519.Ed25519PrivateKey.generate().public_key()

    with pytest.raises(SecurityRefused, match="neither RSA nor ECDSA"):
        public_key(Odd())  # type: ignore[arg-type]


@given(st.binary(min_size=1, max_size=100))
def test_base64_is_read_across_line_breaks(data: bytes) -> None:
    text = b64encode(data).decode()
    assert read_base64(f" {text[:10]}\r\n\t{text[10:]}\n") == data


@pytest.mark.parametrize("text", [None, "", "  ", "QUJ", "QUJD!", "QUJD====QUJD", "QU-_"])
def test_what_is_no_base64_is_refused(text: str | None) -> None:
    with pytest.raises(SecurityRefused):
        read_base64(text)


def test_the_bare_key_comes_first_as_the_schema_of_many_peers_wants() -> None:
    info = write_key_info(partner().certificate, with_key_value=True)
    assert [etree.QName(child).localname for child in info] == ["KeyValue", "X509Data"]
    assert find(info, "ds:KeyValue/ds:RSAKeyValue/ds:Exponent").text == "AQAB"
