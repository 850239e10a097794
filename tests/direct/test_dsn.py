"""Delivery status notifications: the reference agent's samples, and ETT's cases of failure."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from direct.addresses import Mailbox
from direct.dsn import RecipientStatus, read_delivery_status, write_delivery_status
from direct.mdn import is_report, read_notification
from direct.message import read_message

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared/samples/direct"
MESSAGES = SAMPLES / "nhin-d/java/direct-common/src/test/resources/messages"
AGENT = SAMPLES / "nhin-d/java/agent/src/test/resources/org/nhindirect/stagent"
shared = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples are not here")
SAMPLE_ID = "9501051053.aa04167@IETF.CNR I.Reston.VA.US"
ANNA = Mailbox("anna", "direct.clinic.test")
POSTMASTER = Mailbox("postmaster", "direct.clinic.test")


def report(*recipients: RecipientStatus) -> bytes:
    return write_delivery_status(
        recipients,
        original_message_id="1@direct.clinic.test",
        from_=POSTMASTER,
        to=ANNA,
        message_id="d1@direct.clinic.test",
        date=datetime(2026, 11, 26, 6, 0, tzinfo=UTC),
        text="Your message could not be delivered.",
        reporting_mta="direct.clinic.test",
    )


def failed(address: str, status: str, diagnostic: str) -> RecipientStatus:
    return RecipientStatus(address, "failed", status, diagnostic=diagnostic)


@pytest.mark.parametrize(
    ("status", "diagnostic"),
    [
        pytest.param("5.1.1", "the address does not exist", id="mt_1_5_9_23_bad_address"),
        pytest.param("5.7.1", "the receiving domain is not trusted", id="mt_2_6_10_24_not_trusted"),
        pytest.param("5.7.5", "no certificate is published", id="mt_3_7_11_25_no_certificate"),
        pytest.param("5.4.7", "no processed notice came", id="mt_4_8_12_26_no_processed"),
        pytest.param("5.4.7", "no dispatched notice came", id="mt_27_28_no_dispatched"),
    ],
)
def test_ett_smtp_mt_failures_are_told_to_the_sender(status: str, diagnostic: str) -> None:
    sent = failed("bob@y.test", status, diagnostic)
    read = read_delivery_status(read_message(report(sent)))
    assert read is not None
    assert read.recipients == (sent,)
    assert read.recipients[0].is_failure
    assert read.original_message_id == "1@direct.clinic.test"
    assert read.reporting_mta == "direct.clinic.test"


def test_ett_smtp_mt_47_a_failure_for_one_of_several_recipients_names_that_one() -> None:
    raw = report(
        failed("noaddress@y.test", "5.1.1", "no such address"),
        RecipientStatus("valid@y.test", "delivered", "2.0.0"),
    )
    read = read_delivery_status(read_message(raw))
    assert read is not None
    assert [each.final_recipient for each in read.recipients if each.is_failure] == [
        "noaddress@y.test"
    ]


def test_header_injection_through_a_diagnostic_is_impossible() -> None:
    with pytest.raises(ValueError, match="printable"):
        report(failed("bob@y.test", "5.1.1", "x\r\nAction: delivered"))


@pytest.mark.parametrize(
    "given",
    [
        RecipientStatus(None, "failed", "5.0.0"),
        RecipientStatus("a@x.test", None, "5.0.0"),
        RecipientStatus("a@x.test", "failed", "5"),
    ],
)
def test_a_report_that_says_too_little_is_not_written(given: RecipientStatus) -> None:
    with pytest.raises(ValueError):
        report(given)


@shared
@pytest.mark.parametrize(
    ("file", "action"),
    [
        ("DSNMessage.txt", "failed"),
        ("DSNMessageOrigInReplyTo.txt", "failed"),
        ("DSNMessageNoActionOrStatus.txt", None),
    ],
)
def test_reports_of_the_reference_agent(file: str, action: str | None) -> None:
    read = read_delivery_status(read_message((MESSAGES / file).read_bytes()))
    assert read is not None
    assert read.original_message_id == SAMPLE_ID
    assert read.reporting_mta == "Example.ORG"
    (recipient,) = read.recipients
    assert recipient.final_recipient == "carol@ivory.edu"
    assert recipient.action == action
    assert recipient.is_failure is (action == "failed")
    assert recipient.diagnostic == "550 error - no such recipient"


@shared
def test_the_original_id_under_a_name_of_the_senders_own() -> None:
    read = read_delivery_status(read_message((AGENT / "DSNMessage.txt").read_bytes()))
    assert read is not None
    assert read.original_message_id == SAMPLE_ID


def test_the_original_id_is_found_in_the_returned_message() -> None:
    raw = (
        b"From: p@x.test\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x.test\r\n\r\n"
        b"Final-Recipient: rfc822; bob@y.test\r\nStatus: 5.1.1\r\n--b\r\n"
        b"Content-Type: message/rfc822\r\n\r\nMessage-ID: <1@x.test>\r\n\r\nhello\r\n--b--"
    )
    read = read_delivery_status(read_message(raw))
    assert read is not None
    assert read.original_message_id == "1@x.test"
    assert read.recipients[0].is_failure


@pytest.mark.parametrize(
    "returned", ["message/global", "message/global-headers", "text/rfc822-headers"]
)
def test_a_report_in_the_forms_for_all_letters_is_read(returned: str) -> None:
    """RFC 6533: 4 and 5, as mail servers write it that know UTF-8 in addresses."""
    raw = (
        "From: postmaster@relay.test\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: message/global-delivery-status\r\n\r\nReporting-MTA: dns; r.test\r\n"
        "\r\nFinal-Recipient: utf-8; bob@y.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        f"--b\r\nContent-Type: {returned}\r\n\r\nMessage-ID: <7@x.test>\r\n\r\n--b--\r\n"
    ).encode()
    message = read_message(raw)
    assert is_report(message)
    read = read_delivery_status(message)
    assert read is not None
    assert read.original_message_id == "7@x.test"
    assert read.recipients == (RecipientStatus("bob@y.test", "failed", "5.1.1"),)


def test_what_is_no_report_is_none() -> None:
    assert read_delivery_status(read_message(b"From: a@x.test\r\n\r\nhello")) is None


@pytest.mark.parametrize("kind", ["delivery-status", "disposition-notification"])
def test_a_flood_of_fields_in_a_report_says_nothing(kind: str) -> None:
    raw = f"From: a@x.test\r\nContent-Type: message/{kind}\r\n\r\n" + "X-A: b\r\n" * 2000
    message = read_message(raw.encode())
    report = read_delivery_status(message)
    notice = read_notification(message)
    assert report is None or report.recipients == ()
    assert notice is None or notice.type is None
