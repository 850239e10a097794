"""Disposition notices: the reference agent's samples, ETT's cases, and when none may be sent."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from direct.addresses import Mailbox
from direct.errors import Disposition
from direct.mdn import decide, is_report, read_notification, write_notification
from direct.message import DirectMessage, OutgoingPart, read_message, write_message

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared/samples/direct"
MESSAGES = SAMPLES / "nhin-d/java/direct-common/src/test/resources/messages"
AGENT = SAMPLES / "nhin-d/java/agent/src/test/resources/org/nhindirect/stagent"
shared = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples are not here")
NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
ANNA = Mailbox("anna", "direct.clinic.test")
INTAKE = Mailbox("intake", "direct.plan.test")
OPTIONS = "Disposition-Notification-Options"
FINAL = "X-DIRECT-FINAL-DESTINATION-DELIVERY"
SAMPLE_ID = "9501051053.aa04167@IETF.CNR I.Reston.VA.US"


def received(*fields: tuple[str, str], wants_dispatched: bool = False) -> DirectMessage:
    raw = write_message(
        from_=ANNA,
        to=[INTAKE],
        message_id="1@direct.clinic.test",
        date=NOW,
        parts=[OutgoingPart(b"hello\r\n", "text/plain")],
        wants_dispatched=wants_dispatched,
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in fields).encode()
    return read_message(head + raw)


def answered(message: DirectMessage, disposition: Disposition, failure: str | None = None) -> bytes:
    return write_notification(
        disposition,
        original=message,
        from_=INTAKE,
        to=ANNA,
        message_id="n1@direct.plan.test",
        date=NOW,
        agent="Security Agent",
        failure=failure,
    )


# ---- ETT -------------------------------------------------------------------------------------


def test_ett_smtp_mt_39_good_options_get_processed_and_dispatched_with_the_extension() -> None:
    message = received(wants_dispatched=True)
    assert decide(message, is_trusted=True, mail_from="anna@direct.clinic.test").wants_dispatched
    for disposition, is_final in ((Disposition.PROCESSED, False), (Disposition.DISPATCHED, True)):
        notice = read_notification(read_message(answered(message, disposition)))
        assert notice is not None
        assert notice.disposition is disposition
        assert notice.is_final_delivery is is_final
        assert notice.original_message_id == "1@direct.clinic.test"
        assert notice.final_recipient == INTAKE.key


@pytest.mark.parametrize(
    "options",
    [
        "X-XXXX-FINAL-X-DELIVERY=optional,true",
        f"{FINAL}=true",
        f"{FINAL}",
        f"{FINAL}=optional",
        f"{FINAL}=optional,false",
        f"{FINAL}=sometimes,true",
        f"{FINAL}=optional,true,true",
        "=;,;=",
        "\0",
    ],
)
def test_ett_smtp_mt_40_bad_options_get_processed_only(options: str) -> None:
    message = received((OPTIONS, options))
    decision = decide(message, is_trusted=True, mail_from="anna@direct.clinic.test")
    assert decision.to == ANNA
    assert not decision.wants_dispatched
    assert b"FINAL-DESTINATION" not in answered(message, Disposition.DISPATCHED)


@pytest.mark.parametrize(
    "options", [f"{FINAL}=optional,true", f"{FINAL.lower()} = required , TRUE"]
)
def test_ett_smtp_mt_21_a_good_options_header_gets_its_notices(options: str) -> None:
    decision = decide(received((OPTIONS, options)), is_trusted=True, mail_from=None)
    assert decision.to == ANNA
    assert decision.wants_dispatched


def test_ett_smtp_mt_41_an_undeliverable_message_gets_a_failed_notice() -> None:
    raw = answered(received(), Disposition.FAILED, "the mailbox is not known")
    notice = read_notification(read_message(raw))
    assert notice is not None
    assert notice.disposition is Disposition.FAILED
    assert notice.is_failure
    assert notice.failure == "the mailbox is not known"


def test_ett_smtp_mt_46_we_ask_for_final_delivery_in_the_header_the_guide_names() -> None:
    header = received(wants_dispatched=True).header
    assert header.first(OPTIONS) == f"{FINAL}=optional,true"
    assert header.first("Disposition-Notification-To") == ANNA.address


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (f"{FINAL}=optional,true", True),
        (f"{FINAL.lower()} = REQUIRED , TRUE", True),
        (f'{FINAL}=optional,"true"', True),
        (f"other=optional,x; {FINAL}=required,true;", True),
        (f"{FINAL}=optional,false", False),
        (f"{FINAL}=optional,true,true", False),
        (f"{FINAL}=true", False),
        (f'{FINAL}=optional,"tr"ue', False),
    ],
)
def test_options_as_others_write_them(value: str, wanted: bool) -> None:
    """RFC 8098: 2.2: a value is a word, which may stand in quotes."""
    message = received((OPTIONS, value))
    decided = decide(message, is_trusted=True, mail_from=ANNA.address)
    assert (decided.to, decided.wants_dispatched) == (ANNA, wanted)


# ---- when none may be sent -------------------------------------------------------------------


def test_no_notice_to_a_notice() -> None:
    notice = read_message(answered(received(), Disposition.PROCESSED))
    assert decide(notice, is_trusted=True, mail_from=INTAKE.address).to is None


def test_no_notice_to_a_delivery_status() -> None:
    raw = b"From: postmaster@x.test\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b--"
    assert decide(read_message(raw), is_trusted=True, mail_from="p@x.test").to is None


def test_a_notice_that_somebody_forwards_is_no_notice() -> None:
    """As mail programs forward "as attachment", with a text of one's own and without."""
    notice = answered(received(), Disposition.PROCESSED)
    alone = b"From: anna@direct.clinic.test\r\nContent-Type: message/rfc822\r\n\r\n" + notice
    beside = (
        b"From: anna@direct.clinic.test\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"
        b"--m\r\n\r\nSee what came.\r\n--m\r\nContent-Type: message/rfc822\r\n\r\n"
        + notice
        + b"\r\n--m--\r\n"
    )
    for forwarded in (alone, beside):
        assert not is_report(read_message(forwarded))
    assert is_report(read_message(notice))


def test_no_notice_when_trust_failed() -> None:
    assert decide(received(), is_trusted=False, mail_from=ANNA.address).to is None


@pytest.mark.parametrize("sender", ["", "<>", " <> "])
def test_no_notice_to_the_null_sender(sender: str) -> None:
    assert decide(received(), is_trusted=True, mail_from=sender).to is None


@pytest.mark.parametrize("value", ["no", "auto-replied", "auto-generated; x=y", "AUTO-NOTIFIED"])
def test_what_a_machine_sends_is_answered_unless_it_is_a_notice(value: str) -> None:
    """As a laboratory's report, whose sender must know that it has come."""
    message = received(("Auto-Submitted", value), wants_dispatched=True)
    decided = decide(message, is_trusted=True, mail_from=ANNA.address)
    assert (decided.to, decided.wants_dispatched) == (ANNA, True)


@pytest.mark.parametrize(
    ("asked", "to"),
    [
        ("victim@elsewhere.test", "anna@direct.clinic.test"),
        ("victim@direct.clinic.test", "anna@direct.clinic.test"),
        ("anna+receipts@direct.clinic.test", "anna+receipts@direct.clinic.test"),
        ("anna@direct.clinic.test, x@y.test", "anna@direct.clinic.test"),
        ("<<", "anna@direct.clinic.test"),
    ],
)
def test_mdn_reflection_a_notice_goes_to_the_signer_and_to_nobody_else(asked: str, to: str) -> None:
    message = received(("Disposition-Notification-To", asked))
    decision = decide(message, is_trusted=True, mail_from=ANNA.address)
    assert decision.to is not None
    assert decision.to.address == to


def test_our_notices_say_that_they_are_automatic_and_ask_for_none() -> None:
    header = read_message(answered(received(wants_dispatched=True), Disposition.DISPATCHED)).header
    assert header.first("Auto-Submitted") == "auto-replied"
    assert header.first("Disposition-Notification-To") is None
    assert header.first("In-Reply-To") == "<1@direct.clinic.test>"


def test_a_message_id_no_header_may_hold_is_left_out_of_the_notice() -> None:
    raw = answered(
        read_message(b"From: a@x.test\r\nMessage-ID: <\xc3\xa4 b>\r\n\r\n"), Disposition.PROCESSED
    )
    notice = read_notification(read_message(raw))
    assert notice is not None
    assert notice.original_message_id is None


# ---- the reference agent's samples -----------------------------------------------------------


@shared
@pytest.mark.parametrize(
    ("file", "disposition", "original", "is_final"),
    [
        ("MDNMessage.txt", Disposition.PROCESSED, SAMPLE_ID, False),
        ("MDNMessageOrigInReplyTo.txt", Disposition.PROCESSED, SAMPLE_ID, False),
        ("MDNMessageFriendlyNameFinalRecip.txt", Disposition.PROCESSED, SAMPLE_ID, False),
        ("MDNMessageNoDisp.txt", None, SAMPLE_ID, False),
        ("MDNMessageNoFinalRecip.txt", Disposition.PROCESSED, SAMPLE_ID, False),
        ("MDNDispatchedTimeAndReliable.txt", Disposition.DISPATCHED, SAMPLE_ID, True),
        (
            "MDNDispatchedTimeAndReliableLowerCaseOption.txt",
            Disposition.DISPATCHED,
            SAMPLE_ID,
            True,
        ),
    ],
)
def test_notices_of_the_reference_agent(
    file: str, disposition: Disposition | None, original: str, is_final: bool
) -> None:
    notice = read_notification(read_message((MESSAGES / file).read_bytes()))
    assert notice is not None
    assert (notice.disposition, notice.original_message_id) == (disposition, original)
    assert notice.is_final_delivery is is_final
    expected = None if "NoFinalRecip" in file else "externuser1@starugh-stateline.com"
    assert notice.final_recipient == expected


@shared
def test_a_notice_without_a_blank_line_before_its_fields() -> None:
    notice = read_notification(read_message((AGENT / "MDNResponse.txt").read_bytes()))
    assert notice is not None
    assert notice.disposition is Disposition.PROCESSED
    assert notice.reporting_agent == "messaging.cerner.com;Security Agent"


def test_a_notice_in_the_form_for_all_letters_is_read() -> None:
    """RFC 6533: 6."""
    raw = answered(received(), Disposition.PROCESSED).replace(
        b"message/disposition-notification", b"message/global-disposition-notification"
    )
    message = read_message(raw)
    notice = read_notification(message)
    assert is_report(message) and notice is not None
    assert notice.disposition is Disposition.PROCESSED


@pytest.mark.parametrize(
    ("text", "disposition"),
    [
        ("automatic-action/MDN-sent-automatically;processed/error", Disposition.FAILED),
        ("automatic-action/MDN-sent-automatically; processed / warning", Disposition.PROCESSED),
        ("manual-action/MDN-sent-manually; displayed", None),
        ("automatic-action/MDN-sent-automatically; denied", Disposition.DENIED),
        ("automatic-action/MDN-sent-automatically; FAILED", Disposition.FAILED),
        ("nonsense", None),
    ],
)
def test_dispositions_as_others_write_them(text: str, disposition: Disposition | None) -> None:
    raw = (
        "From: a@x.test\r\nContent-Type: message/disposition-notification\r\n\r\n"
        f"Disposition: {text}\r\n"
    )
    notice = read_notification(read_message(raw.encode()))
    assert notice is not None
    assert notice.disposition is disposition
