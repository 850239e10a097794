"""Each danger of hostile mail that the readers and the writer of messages meet."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct.addresses import Mailbox, parse_mailbox, parse_mailboxes
from direct.encoded_words import decode_words
from direct.mail_errors import MailOverLimit, MalformedAddress, MalformedMail
from direct.message import OutgoingPart, read_message, write_message
from direct.message_writing import field, write_part
from direct.mime import MimeLimits, read_part

HEAD = b"From: anna@direct.clinic.test\r\n"


def nested(levels: int) -> bytes:
    head = b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n'
    return HEAD + b"".join(head % (level, level) for level in range(levels)) + b"\r\nx"


def flood(parts: int) -> bytes:
    return (
        HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * parts
    )


# ---- nesting and floods ----------------------------------------------------------------------


def test_a_thousand_nested_multiparts_are_refused_and_no_recursion_error() -> None:
    with pytest.raises(MailOverLimit) as refused:
        read_message(nested(1000))
    assert refused.value.limit == "depth"
    assert read_message(nested(16)).parts[0].content() == b"x"


def test_messages_inside_messages_count_as_nesting() -> None:
    with pytest.raises(MailOverLimit) as refused:
        read_message(HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 1000 + b"x")
    assert refused.value.limit == "depth"


def test_twenty_thousand_parts_are_refused() -> None:
    with pytest.raises(MailOverLimit) as refused:
        read_message(flood(20_000))
    assert refused.value.limit == "parts"
    assert len(read_message(flood(999)).parts) == 999


def test_a_flood_of_header_fields_is_refused() -> None:
    with pytest.raises(MailOverLimit):
        read_message(HEAD + b"X-A: b\r\n" * 2000 + b"\r\n")


def test_a_header_without_end_is_refused() -> None:
    with pytest.raises(MailOverLimit):
        read_message(HEAD + b"X-A: " + b"b" * 200_000)


def test_a_flood_of_tiny_base64_runs_is_decoded_only_so_far() -> None:
    head = HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n"
    content, is_whole = read_message(head + b"YQ==" * 100_000).parts[0].decoded()
    assert content == b"a" * 10_000
    assert not is_whole


def test_a_bulk_that_each_of_many_levels_would_search_again_is_refused() -> None:
    limits = MimeLimits(searches=8)
    bulk = b"\n" * 2_000_000
    assert read_part(nested(7) + bulk, limits=limits).children
    with pytest.raises(MailOverLimit) as refused:
        read_part(nested(9) + bulk, limits=limits)
    assert refused.value.limit == "depth"


def test_a_message_over_the_size_limit_is_refused() -> None:
    with pytest.raises(MailOverLimit):
        read_part(HEAD + b"\r\n" + b"x" * 100, limits=MimeLimits(size_bytes=100))


# ---- header injection ------------------------------------------------------------------------


def test_header_injection_by_an_encoded_subject_is_harmless() -> None:
    raw = HEAD + b"Subject: =?utf-8?B?YQ0KQmNjOiBldmlsQHgudGVzdA==?=\r\n\r\n"
    assert read_message(raw).subject == "a Bcc: evil@x.test"


def test_header_injection_by_a_file_name_is_harmless() -> None:
    raw = HEAD + b"Content-Disposition: attachment; filename*=utf-8''a%00b%0D%0ABcc%3A%20x\r\n\r\n"
    assert read_message(raw).root.filename == "ab Bcc: x"


@pytest.mark.parametrize(
    "hostile", ["a\r\nBcc: x@evil.test", "a\nb", "a\rb", "a\0b", "a\x0bb", "\x85"]
)
def test_header_injection_on_the_way_out_is_impossible(hostile: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        field("Subject", hostile, words=True)
    with pytest.raises(ValueError, match="token"):
        field(hostile, "x")
    with pytest.raises(ValueError, match="printable text"):
        write_part(OutgoingPart(b"x", "text/plain", filename=hostile))
    with pytest.raises(ValueError, match="Message-ID"):
        write_part(OutgoingPart(b"x", "text/plain", content_id=hostile + "@x"))
    with pytest.raises(ValueError, match="media type"):
        write_part(OutgoingPart(b"x", f"text/plain{hostile}"))


@given(st.text(max_size=100))
def test_whatever_is_decoded_from_a_header_is_printable(text: str) -> None:
    shown = decode_words(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    assert shown == " ".join(shown.split())


def test_a_mark_between_two_spaces_leaves_one() -> None:
    assert decode_words("0\r\x1b\x850") == "0 0"


def test_text_that_turns_its_direction_round_is_shown_as_it_stands() -> None:
    assert decode_words("invoice\u202efdp.exe") == "invoicefdp.exe"


def test_an_encoded_word_may_not_choose_a_codec_that_is_no_charset() -> None:
    for charset in ("utf-7", "punycode", "unicode_escape", "idna", "hex", "zlib"):
        word = f"=?{charset}?B?YWJj?="
        assert decode_words(word) == word


# ---- addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "alice@good.test)bob@evil.test",  # CVE-2023-27043
        "alice@good.test(<)bob@evil.test",
        "<alice@good.test>bob@evil.test",
        "alice@good.test<bob@evil.test>",
        "alice@good.test <bob@evil.test>",
        '"alice@good.test"@evil.test',
        '"alice"@good.test',
        "alice@good.test, bob@evil.test",
        "alice@good.test;bob@evil.test",
        "<@evil.test:alice@good.test>",
        "<alice(comment)@good.test>",
        "alice@[127.0.0.1]",
        "alice@good.test\\",
        "group: alice@good.test;",
        "<>",
        "",
        "alice",
        "alice@",
        "@good.test",
        "alice@good",
        "alice@good.test.",
        "alice@-good.test",
        "a..b@good.test",
        "alice @good.test",
        "alice@good.test (never ends",
        "alice@good.test " + "(" * 20 + ")" * 20,
    ],
)
def test_an_address_that_two_readers_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(MalformedAddress):
        parse_mailbox(text)


@pytest.mark.parametrize(
    "text",
    [
        "ali\0ce@good.test",
        "alice@good.test\0.evil.test",
        '"ali\0ce"@good.test',
        "alice\r@good.test",
    ],
)
def test_nul_in_an_address_is_refused_and_not_dropped(text: str) -> None:
    with pytest.raises(MalformedAddress):
        parse_mailbox(text)
    with pytest.raises(MalformedMail):
        read_message(f"From: {text}\r\n\r\n".encode())


@pytest.mark.parametrize(
    "text", ["alice@gооd.test", "alíce@good.test", "alice@good。test", "\u212aelly@good.test"]
)
def test_idn_addresses_are_refused_as_letters_that_only_look_alike(text: str) -> None:
    with pytest.raises(MalformedAddress):
        parse_mailbox(text)


@pytest.mark.parametrize("between", ["<", " ", ")", ":", "(x)"])
def test_two_addresses_without_a_comma_are_refused_in_any_field(between: str) -> None:
    with pytest.raises(MalformedAddress):
        parse_mailboxes(f"alice@good.test{between}bob@evil.test")
    with pytest.raises(MalformedAddress):
        parse_mailboxes(f"<alice@good.test>{between}<bob@evil.test>")


def test_addresses_as_honest_senders_write_them() -> None:
    assert parse_mailbox('"Lindsey, Leslie" <ll@direct.test>').name == "Lindsey, Leslie"
    assert parse_mailbox("Dr. J. Q. Doe (clinic) <ll@direct.test>").name == "Dr. J. Q. Doe"
    assert parse_mailbox("=?utf-8?Q?J=C3=BCrgen?= <j@direct.test>").name == "Jürgen"
    assert parse_mailbox("LL@Direct.Test (Leslie)").key == "ll@direct.test"
    group = "Team: a@x.test, B <b@x.test>;, c@x.test, undisclosed-recipients:;"
    assert [box.key for box in parse_mailboxes(group)] == ["a@x.test", "b@x.test", "c@x.test"]
    assert parse_mailbox("x@xn--bcher-kva.test").domain == "xn--bcher-kva.test"


@given(st.text('ab@.<>()",:;\\ \t\r\0é[]-', max_size=30) | st.text(max_size=60))
def test_an_address_is_either_refused_or_exactly_one_plain_address(text: str) -> None:
    try:
        box = parse_mailbox(text)
    except MalformedAddress:
        return
    assert box.address.isascii() and box.address.count("@") == 1
    assert box.address in text
    assert Mailbox.parse(box.address) == Mailbox(box.local, box.domain)


@pytest.mark.parametrize("fields", [b"", b"From: a@x.test\r\nFrom: b@x.test\r\n"])
def test_a_message_has_exactly_one_from_field(fields: bytes) -> None:
    with pytest.raises(MalformedMail):
        read_message(fields + b"Subject: x\r\n\r\n")


def test_a_from_field_hidden_behind_a_bare_carriage_return_is_no_field() -> None:
    raw = b"X-A: b\rFrom: evil@x.test\r\nFrom: a@x.test\r\n\r\n"
    assert read_message(raw).from_.address == "a@x.test"


def test_a_message_inside_a_message_cannot_be_eight_bit_on_the_way_out() -> None:
    part = OutgoingPart("Subject: ä\r\n\r\n".encode(), "message/rfc822")
    with pytest.raises(ValueError, match="7-bit"):
        write_part(part)


def test_content_cannot_hold_the_boundary() -> None:
    box = Mailbox("a", "x.test")

    def write(content: bytes) -> bytes:
        return write_message(
            from_=box,
            to=[box],
            message_id="1@x.test",
            date=datetime(2026, 1, 1, tzinfo=UTC),
            parts=[OutgoingPart(content, "text/plain")],
        )

    boundary = read_message(write(b"")).root.media_type.parameters["boundary"].encode()
    hostile = b"--" + boundary + b"--\r\n"
    assert [part.content() for part in read_message(write(hostile)).parts] == [hostile]
