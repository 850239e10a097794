"""A message read and written: round trips, wrapping, and the reference agent's own samples."""

import base64
import quopri
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct.addresses import Mailbox
from direct.mail_errors import HeadersDisagree, MalformedMail
from direct.message import (
    OutgoingPart,
    outer_headers,
    police,
    read_message,
    read_outer,
    unwrap,
    wrap,
    write_message,
)
from direct.mime import read_part

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared/samples/direct"
NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
ANNA = Mailbox("anna.meier", "direct.clinic.test", "Anna Meier")
INTAKE = Mailbox("intake", "direct.plan.test")
BODY = OutgoingPart(b"Please find the summary attached.\r\n", "text/plain")


def written(*parts: OutgoingPart, subject: str | None = "Summary") -> bytes:
    return write_message(
        from_=ANNA,
        to=[INTAKE],
        message_id="1.2@direct.clinic.test",
        date=NOW,
        subject=subject,
        parts=parts or [BODY],
    )


def test_a_written_message_reads_back_as_it_was_meant() -> None:
    document = OutgoingPart(b"<ClinicalDocument/>", "text/xml", filename='Brief über "x".xml')
    message = read_message(written(BODY, document))
    assert (message.from_, message.to, message.subject) == (ANNA, (INTAKE,), "Summary")
    assert (message.message_id, message.date) == ("1.2@direct.clinic.test", NOW)
    assert [part.content() for part in message.parts] == [BODY.content, document.content]
    assert [part.filename for part in message.parts] == [None, document.filename]
    assert message.defects == ()


@given(st.binary(max_size=3000), st.sampled_from(["text/plain", "application/pdf", "text/xml"]))
def test_content_survives_to_the_byte(content: bytes, media_type: str) -> None:
    raw = written(OutgoingPart(content, media_type), OutgoingPart(content, media_type, "a.bin"))
    assert [part.content() for part in read_message(raw).parts] == [content, content]


PRINTABLE = st.characters(codec="utf-8").filter(str.isprintable)


@given(st.text(PRINTABLE, max_size=200))
def test_a_subject_in_any_letters_survives(subject: str) -> None:
    assert read_message(written(subject=subject)).subject == (" ".join(subject.split()) or None)


@given(st.text(max_size=50).filter(lambda text: not text.isprintable()))
def test_a_subject_that_is_not_printable_is_never_written(subject: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        written(subject=subject)


@given(st.binary(max_size=400), st.text(max_size=80))
def test_every_line_we_write_is_seven_bit_and_short_enough(content: bytes, name: str) -> None:
    try:
        raw = written(OutgoingPart(content, "text/plain", filename=name or None), subject=name)
    except ValueError:
        return
    assert raw.isascii() and b"\0" not in raw
    lines = raw.split(b"\r\n")
    assert all(len(line) <= 998 and b"\n" not in line and b"\r" not in line for line in lines)


def test_a_wrapped_message_is_read_from_inside() -> None:
    raw = written()
    message = unwrap(wrap(raw))
    assert message.is_wrapped
    assert (message.from_, message.subject) == (ANNA, "Summary")
    assert message.root.raw == raw


def test_a_message_wrapped_as_one_of_any_letters_is_read_from_inside() -> None:
    """RFC 6532: 3.7: with letters beyond ASCII in its header it is a message/global."""
    inside = written(subject=None).replace(b"\r\nDate:", "\r\nSubject: Übergabe\r\nDate:".encode())
    outer = read_outer(b"From: anna.meier@direct.clinic.test\r\nMessage-ID: <outer@x.test>\r\n\r\n")
    message = unwrap(b"Content-Type: message/global\r\n\r\n" + inside, outer)
    assert message.is_wrapped
    assert (message.subject, message.message_id) == ("Übergabe", read_message(inside).message_id)


def test_an_unwrapped_entity_takes_its_addresses_from_the_outer_header() -> None:
    outer = read_outer(
        b"From: anna.meier@direct.clinic.test\r\nTo: intake@direct.plan.test\r\n\r\nx"
    )
    message = unwrap(b"Content-Type: text/plain\r\n\r\nhello", outer)
    assert not message.is_wrapped
    assert message.from_.address == ANNA.address
    assert message.parts[0].content() == b"hello"


def test_an_unwrapped_entity_without_an_outer_header_is_no_message() -> None:
    with pytest.raises(MalformedMail):
        unwrap(b"Content-Type: text/plain\r\n\r\nhello")


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_a_wrapper_in_a_transfer_encoding_is_opened_all_the_same(encoding: str) -> None:
    raw = written()
    encoded = base64.encodebytes(raw) if encoding == "base64" else quopri.encodestring(raw)
    head = f"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    assert unwrap(head.encode() + encoded).message_id == "1.2@direct.clinic.test"


def test_the_subject_stays_inside_the_seal() -> None:
    fields = dict(outer_headers(written(subject="Mrs Meier, diabetes")))
    assert fields["From"] == '"Anna Meier" <anna.meier@direct.clinic.test>'
    assert fields["Message-ID"] == "<1.2@direct.clinic.test>"
    assert "Meier, diabetes" not in str(fields)


# ---- outer against inner ---------------------------------------------------------------------


def test_a_recipient_the_signed_header_does_not_name_is_a_blind_copy_and_recorded() -> None:
    raw = written()
    message = unwrap(wrap(raw))
    policing = police(message, read_outer(raw), ["Intake@direct.plan.test", "other@plan.test"])
    assert policing.listed == ("Intake@direct.plan.test",)
    assert policing.blind == ("other@plan.test",)
    assert policing.differences == ()


def test_another_outer_from_is_refused() -> None:
    outer = read_outer(b"From: mallory@evil.test\r\n\r\n")
    with pytest.raises(HeadersDisagree):
        police(unwrap(wrap(written())), outer, [])


def test_what_else_differs_outside_is_said() -> None:
    outer = read_outer(
        b"From: anna.meier@direct.clinic.test\r\nTo: x@y.test\r\nMessage-ID: <other@x>\r\n\r\n"
    )
    assert len(police(unwrap(wrap(written())), outer, []).differences) == 2


# ---- what others write -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding", ["base64 (as it comes)", "(of old) base64", "base64;", '"base64"', "BASE64"]
)
def test_a_transfer_encoding_with_a_comment_is_known(encoding: str) -> None:
    """RFC 2045: 6.1, RFC 822: 3.4.3; what others put around it too."""
    part = read_part(f"Content-Transfer-Encoding: {encoding}\r\n\r\naGVsbG8=".encode())
    assert part.decoded() == (b"hello", True)


@pytest.mark.parametrize(
    "value",
    [
        "multipart/mixed; boundary=b (not in the text)",  # as RFC 2045: 5.1 has an example
        "multipart/mixed (of two); (which ends them) boundary=b",
        'multipart/mixed(of two);boundary="b"(not in the text)',
    ],
)
def test_a_media_type_with_comments_is_known(value: str) -> None:
    raw = f"Content-Type: {value}\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n".encode()
    assert [one.content() for one in read_part(raw).children] == [b"one", b"two"]


def test_marks_that_look_like_a_comment_stay_in_a_name() -> None:
    part = read_part(b"Content-Type: text/xml; name=Summary (final).xml\r\n\r\nx")
    assert part.filename == "Summary (final).xml"


def test_a_part_of_a_digest_is_a_message_unless_it_says_otherwise() -> None:
    """RFC 2046: 5.1.5."""
    raw = (
        b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"
        b"From: a@x.test\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\ntext\r\n--b--\r\n"
    )
    types = [one.media_type.value for one in read_part(raw).walk()]
    assert types == ["multipart/digest", "message/rfc822", "text/xml", "text/plain"]


def test_a_lone_linefeed_throughout_is_read() -> None:
    raw = written(BODY, OutgoingPart(b"%PDF", "application/pdf", "a.pdf"))
    message = read_message(raw.replace(b"\r\n", b"\n"))
    assert [part.content() for part in message.parts] == [
        BODY.content.replace(b"\r\n", b"\n"),
        b"%PDF",
    ]


def test_a_multipart_without_its_closing_boundary_keeps_its_last_part() -> None:
    raw = b'From: a@x.test\nContent-Type: multipart/mixed; boundary="b"\n\n--b\n\none\n--b\n\ntwo'
    assert [part.content() for part in read_message(raw).parts] == [b"one", b"two"]


def test_empty_parts_are_parts() -> None:
    raw = b'From: a@x.test\nContent-Type: multipart/mixed; boundary="b"\n\n--b\n\n--b\n--b--\n'
    assert [part.content() for part in read_message(raw).parts] == [b"", b""]


def test_two_runs_of_base64_are_both_content() -> None:
    raw = b"From: a@x.test\nContent-Transfer-Encoding: base64\n\nYQ==\nYmM=\n"
    assert read_message(raw).parts[0].content() == b"abc"


def test_base64_without_its_padding_is_content_and_said_to_be_cut() -> None:
    for text, content, is_whole in ((b"YWI", b"ab", True), (b"YWJjZ", b"abc", False)):
        part = read_message(b"From: a@x.test\nContent-Transfer-Encoding: base64\n\n" + text).parts[
            0
        ]
        assert part.decoded() == (content, is_whole)


def test_a_long_file_name_in_pieces_is_one_name() -> None:
    head = (
        b"From: a@x.test\r\nContent-Disposition: attachment;\r\n filename*0*=utf-8''%C3%84rzte;\r\n"
        b' filename*1="-100%25";\r\n filename*2*=%2Exml\r\n\r\n'
    )
    assert read_message(head).root.filename == "Ärzte-100%25.xml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thu, 05 Jan 95 10:53:24 -0500", datetime(1995, 1, 5, 10, 53, 24, tzinfo=None)),
        ("Mon, 7 Jun 2010 11:34:11 -0500 (CDT)", datetime(2010, 6, 7, 11, 34, 11)),
        ("7 Jun 2010 11:34 EST", datetime(2010, 6, 7, 11, 34)),
    ],
)
def test_dates_as_senders_write_them(text: str, expected: datetime) -> None:
    zone = timezone(timedelta(hours=-5))
    raw = f"From: a@x.test\r\nDate: {text}\r\n\r\n".encode()
    assert read_message(raw).date == expected.replace(tzinfo=zone)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples are not here")
def test_every_mail_of_the_reference_agent_is_read() -> None:
    seen = 0
    for file in sorted(SAMPLES.rglob("*.txt")):
        raw = file.read_bytes()
        if b"\nFrom:" not in raw[:3000] and not raw.startswith(b"From:"):
            continue
        message = read_message(raw)
        assert message.to, file.name
        assert all(part.decoded()[1] for part in message.parts), file.name
        seen += 1
    assert seen >= 30
