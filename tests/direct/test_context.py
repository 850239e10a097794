"""The metadata part of a message: read as others write it, written as the guide says."""

from datetime import UTC, datetime

import pytest

from direct.addresses import Mailbox
from direct.context import Context, ContextPatientId, read_context, write_context
from direct.message import DirectMessage, OutgoingPart, read_message, write_message

WHOLE = Context(
    version="1.0",
    id="2142848@direct.example.test",
    content_id="c1@direct.example.test",
    patient_ids=(
        ContextPatientId("2.999.1", "123456"),
        ContextPatientId("2.999.2", "75774"),
    ),
    category="radiology",
    action="report",
    purpose="research",
    patient={"givenName": "John", "surname": "Döe", "dateOfBirth": "1961-12-31", "gender": "M"},
    encapsulation="hl7v2",
)


def sent(context: Context) -> DirectMessage:
    part, named = write_context(context)
    box = Mailbox("a", "x.test")
    raw = write_message(
        from_=box,
        to=[box],
        message_id="1@x.test",
        date=datetime(2026, 1, 1, tzinfo=UTC),
        parts=[OutgoingPart(b"hello", "text/plain"), part],
        fields=[named],
    )
    return read_message(raw)


def test_a_context_reads_back_as_it_was_written() -> None:
    assert read_context(sent(WHOLE)) == WHOLE


def test_a_message_without_one_has_none() -> None:
    assert read_context(read_message(b"From: a@x.test\r\n\r\nhello")) is None


def test_a_part_named_metadata_is_found_without_the_header_field() -> None:
    raw = (
        b"From: a@x.test\r\nContent-Disposition: attachment; filename=Metadata.TXT\r\n\r\n"
        b"Version: 1.1\r\nid: <1@x.test>\r\npatient-id: urn:oid:2.999.1:9:9; nonsense; :x\r\n"
        b"type: general\r\nPatient: givenName=A=B; nonsense; =x\r\ncreation-time: 20210416\r\n"
    )
    context = read_context(read_message(raw))
    assert context is not None
    assert context.patient_ids == (ContextPatientId("2.999.1", "9:9"),)
    assert (context.category, context.action) == ("general", None)
    assert context.patient == {"givenName": "A=B"}
    assert [each.name for each in context.further] == ["creation-time"]


def test_a_text_that_says_nothing_is_no_context() -> None:
    raw = b"From: a@x.test\r\nContent-Disposition: attachment; filename=metadata.txt\r\n\r\nhello"
    assert read_context(read_message(raw)) is None


@pytest.mark.parametrize(
    "patient", [{"givenName": "x\r\nBcc: y"}, {"givenName": "x; surname=Other"}]
)
def test_a_value_cannot_become_another_field(patient: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        write_context(Context(version="1.0", id="1@x.test", content_id="2@x.test", patient=patient))
