"""LDAP's messages: ours are read as ldap3 reads them, and what is malformed is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct import ldap
from direct.ldap import Abandon, Bind, Done, Entry, Other, Reference, Search, Unbind
from direct.ldap_filter import (
    And,
    Contains,
    Equals,
    Filter,
    Not,
    Or,
    Present,
    Undefined,
    matches,
    read_filter,
    write_filter,
)
from direct.tlv import Malformed, elements, integer, read_integer, tlv

MAIL = Equals("mail", b"dr.a@d.test")
ENTRY = Entry("mail=x,dc=d", (("mail", (b"x",)), ("userCertificate;binary", (b"\x30" * 300,))))


def test_a_search_is_read_as_it_was_written() -> None:
    search = Search("dc=d", ldap.SUBTREE, MAIL, ("userCertificate;binary",), 16, 5, True)
    assert ldap.read_request(ldap.write_search(70_000, search)) == (70_000, search)


def test_a_bind_names_nobody() -> None:
    assert ldap.read_request(ldap.write_bind(1)) == (1, Bind(3, "", b""))
    assert ldap.read_request(ldap.write_unbind(2)) == (2, Unbind())


def test_an_entry_and_an_end_are_read_as_they_were_written() -> None:
    assert ldap.read_response(ldap.write_entry(3, ENTRY)) == (3, ENTRY)
    search = Search("", ldap.BASE, MAIL)
    assert ldap.read_response(ldap.write_done(4, search, 32)) == (4, Done(32))
    assert ldap.read_response(ldap.write_done(5, Bind(3, "", b""), 49)) == (5, Done(49))


def test_a_reference_is_seen_and_abandon_is_understood() -> None:
    reference = tlv(0x30, integer(2) + tlv(0x73, tlv(0x04, b"ldap://elsewhere.test/")))
    assert ldap.read_response(reference) == (2, Reference())
    assert ldap.read_request(tlv(0x30, integer(9) + tlv(0x50, b"\x01"))) == (9, Abandon())
    assert ldap.read_request(tlv(0x30, integer(9) + tlv(0x68, b""))) == (9, Other(0x68))


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65535, 65536])
def test_a_length_is_read_whatever_its_size(length: int) -> None:
    message = tlv(0x30, bytes(length))
    assert ldap.message_length(message, most=10**6) == len(message)
    assert elements(message) == [(0x30, bytes(length))]


@pytest.mark.parametrize("head", [b"", b"\x30", b"\x30\x82", b"\x30\x82\x01", b"\x30\x84\0\0\0"])
def test_a_length_that_has_not_come_is_waited_for(head: bytes) -> None:
    assert ldap.message_length(head, most=1000) is None


@pytest.mark.parametrize("head", [
    b"\x30\x80\0\0", b"GET / HTTP/1.1", b"\x16\x03\x01\x02\0", b"\x30\x82\x10\0", b"\x30\x85\0\0",
])  # fmt: skip
def test_what_is_no_message_or_too_long_is_refused_by_its_head(head: bytes) -> None:
    with pytest.raises(Malformed):
        ldap.message_length(head, most=1000)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 255, 256, 2**31 - 1])
def test_numbers_are_read_as_they_were_written(number: int) -> None:
    ((_, content),) = elements(integer(number))
    assert read_integer(content) == number


@pytest.mark.parametrize("content", [b"", b"\xff", b"\0\x80\0\0\0", b"\x7f" * 6])
def test_other_numbers_are_refused(content: bytes) -> None:
    with pytest.raises(Malformed):
        read_integer(content)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(data: bytes) -> None:
    for read in (ldap.read_request, ldap.read_response):
        try:
            read(data)
        except Malformed:
            continue


@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_a_spoiled_message_is_a_message_or_malformed(at: int, spoiled: bytes) -> None:
    whole = bytearray(ldap.write_search(1, Search("dc=d", 2, MAIL, ("a", "b"))))
    at %= len(whole)
    whole[at : at + len(spoiled)] = spoiled
    test_any_bytes_are_a_message_or_malformed.hypothesis.inner_test(bytes(whole))  # type: ignore[attr-defined]


# ---- filters ---------------------------------------------------------------------------------

VALUES = {"mail": [b"dr.a@d.test"], "cn": [b"anna", b"dr. a"]}


def octets(*values: bytes) -> bytes:
    return b"".join(tlv(0x04, value) for value in values)


@pytest.mark.parametrize(
    ("written", "expected", "takes"),
    [
        (write_filter(MAIL), MAIL, True),
        (write_filter(Equals("MAIL;lang-en", b"DR.A@D.TEST")), None, True),
        (write_filter(Present("objectClass")), Present("objectClass"), False),
        (tlv(0xA0, write_filter(MAIL) + write_filter(Present("cn"))),
         And((MAIL, Present("cn"))), True),
        (tlv(0xA1, write_filter(Present("x")) + write_filter(MAIL)),
         Or((Present("x"), MAIL)), True),
        (tlv(0xA2, write_filter(MAIL)), Not(MAIL), False),
        (tlv(0xA0, b""), And(()), True),
        (tlv(0xA1, b""), Or(()), False),
        (tlv(0xA4, octets(b"mail") + tlv(0x30, tlv(0x80, b"DR.") + tlv(0x81, b"@") +
                                        tlv(0x82, b".test"))),
         Contains("mail", b"DR.", (b"@",), b".test"), True),
        (tlv(0xA4, octets(b"mail") + tlv(0x30, tlv(0x81, b"x"))),
         Contains("mail", None, (b"x",), None), False),
        (tlv(0xA5, octets(b"mail", b"a")), Undefined(), None),
        (tlv(0xA2, tlv(0xA9, b"")), Not(Undefined()), None),
        (tlv(0xA1, tlv(0xA9, b"") + write_filter(MAIL)), Or((Undefined(), MAIL)), True),
        (tlv(0xA0, tlv(0xA9, b"") + write_filter(Present("x"))),
         And((Undefined(), Present("x"))), False),
    ],
)  # fmt: skip
def test_filters(written: bytes, expected: Filter | None, takes: bool | None) -> None:
    ((tag, content),) = elements(written)
    found = read_filter(tag, content)
    assert expected is None or found == expected
    assert matches(found, VALUES) is takes


def test_pieces_do_not_overlap() -> None:
    assert matches(Contains("mail", b"dr.a@d.test", (), b"test"), VALUES) is False
    assert matches(Contains("mail", b"dr.", (b"a@", b"a@"), None), VALUES) is False


@pytest.mark.parametrize("written", [
    tlv(0xA3, octets(b"mail")), tlv(0xA3, octets(b"a", b"b", b"c")), tlv(0xA2, b""),
    tlv(0xA4, octets(b"mail") + tlv(0x30, b"")), tlv(0x87, "ä".encode()), tlv(0x04, b"x"),
    tlv(0xA4, octets(b"mail") + tlv(0x30, tlv(0x82, b"a") + tlv(0x80, b"b"))),
    tlv(0xA2, write_filter(MAIL) * 2),
])  # fmt: skip
def test_a_malformed_filter_is_refused(written: bytes) -> None:
    ((tag, content),) = elements(written)
    with pytest.raises(Malformed):
        read_filter(tag, content)


def test_a_filter_that_nests_too_deep_or_has_too_many_parts_is_refused() -> None:
    deep = write_filter(MAIL)
    for _ in range(17):
        deep = tlv(0xA2, deep)
    for written in (deep, tlv(0xA1, write_filter(MAIL) * 65)):
        ((tag, content),) = elements(written)
        with pytest.raises(Malformed):
            read_filter(tag, content)


def test_only_what_we_ask_with_is_written() -> None:
    with pytest.raises(ValueError, match="equality"):
        write_filter(Not(MAIL))
