"""What people see of a message: its text without anything that runs, and what its parts became."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from direct.message import OutgoingPart
from direct.mime import read_part
from gateway.exchange.mail_describing import describe_mail
from gateway.exchange.mail_looking import documents_of, member_of
from gateway.exchange.mail_reading import NotShown, mail_text, read_mail
from gateway.model.exchange import Exchange
from gateway.model.identity import ConversationId, MemberId
from gateway.model.received_mail import ReceivedMail
from gateway.store import documents as stored
from gateway.store import exchange_log
from tests.flows.test_direct import DOCTOR, INTAKE, PLAN_DOMAIN, sealed, written
from tests.gateway.exchange.direct_certificates import authority
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.house import MEMBER, PLAN, demo_document, documents

CCDA = OutgoingPart(demo_document("northfield_ccd.xml"), "text/xml", "ccd.xml")
SCAN = OutgoingPart(b"%PDF-1.7", "application/pdf", "scan.pdf")


@pytest.fixture
async def plan(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path / "plan", PLAN_DOMAIN, Town()) as opened:
        yield opened


def text(content: str, media_type: str = "text/plain") -> OutgoingPart:
    return OutgoingPart(content.encode(), media_type, parameters=(("charset", "utf-8"),))


async def pushed(plan: Office, *parts: OutgoingPart, **changes: Any) -> ReceivedMail:
    mail = await plan.spool(sealed(written(plan, parts=parts, **changes)), (INTAKE,), DOCTOR)
    await plan.work()
    return next(one for one in plan.received() if one.id == mail)


async def read(plan: Office, *parts: OutgoingPart, **changes: Any) -> dict[str, Any]:
    return await read_mail(plan.means, await pushed(plan, *parts, **changes))


async def test_a_message_is_shown_with_its_text_and_what_each_part_became(plan: Office) -> None:
    form = await read(plan, text("See the scan.\r\nÄnne"), CCDA, SCAN, subject="Rosalind S.")
    assert (form["from"], form["to"], form["subject"]) == (DOCTOR, [INTAKE], "Rosalind S.")
    assert (form["text"], form["text_cut"]) == ("See the scan.\nÄnne", False)
    kept = {one.mime_type: one.id for one in documents(plan.house)}
    assert [(one["kind"], one["filename"], one["document"]) for one in form["parts"]] == [
        ("text", None, None),
        ("cda", "ccd.xml", kept["text/xml"]),
        ("pdf", "scan.pdf", kept["application/pdf"]),
    ]
    shown = mail_text(form)
    assert "Subject       Rosalind S.\n" in shown
    assert (
        f"application/pdf scan.pdf, 8 bytes in part 1.3, document {kept['application/pdf']}"
        in shown
    )


async def test_html_is_shown_as_its_words_alone(plan: Office) -> None:
    html = (
        "<html><head><title>t</title><style>p{}</style></head><body onload=evil()>"
        "<p>Dear&nbsp;plan,</p><script>evil()</script><img src=https://x.test/p.png>"
        "<a href='javascript:evil()'>click</a> &lt;b&gt;<!-- hidden --></body></html>"
    )
    form = await read(plan, text(html, "text/html"), CCDA)
    assert form["text"].split() == ["Dear", "plan,", "click", "<b>"]
    assert "evil" not in form["text"] and "x.test" not in form["text"]


async def test_plain_text_is_preferred_and_an_attached_text_is_no_message(plan: Office) -> None:
    note = OutgoingPart(b"attached note", "text/plain", "note.txt")
    form = await read(plan, note, text("<p>html</p>", "text/html"), text("plain"), CCDA)
    assert form["text"] == "plain"


async def test_nothing_in_the_text_commands_a_terminal_or_turns_it_round(plan: Office) -> None:
    form = await read(plan, text("a\x1b[2Jb\u202ec\x00d\x07"), CCDA)
    assert not set(form["text"]) & set("\x1b\u202e\x00\x07")


async def test_a_long_text_is_cut_and_that_is_said(plan: Office) -> None:
    form = await read(plan, text("word \r\n" * 40_000), CCDA)
    assert (len(form["text"]), form["text_cut"]) == (100_000, True)
    assert mail_text(form).endswith("… (cut here)\n")


async def test_of_a_text_that_begins_with_millions_of_blanks_it_is_said_that_there_is_more(
    plan: Office,
) -> None:
    seen = describe_mail(written(plan, parts=[text(" \r\n" * 1_500_000 + "word")]), None)
    assert (seen.text, seen.is_cut) == ("", True)
    seen = describe_mail(written(plan, parts=[text(" \r\n"), text("word")]), None)
    assert (seen.text, seen.is_cut) == ("word", False)


@pytest.mark.parametrize("open_", ["<!--", "<p ", "<script>"])
async def test_html_that_never_closes_what_it_opens_hides_the_rest(
    plan: Office, open_: str
) -> None:
    """A million times over: it must not be looked through anew at each."""
    html = "<p>before</p>" + open_ * 1_000_000
    seen = describe_mail(written(plan, parts=[text(html, "text/html")]), None)
    assert seen.text.startswith("before")
    assert "script" not in seen.text and "!--" not in seen.text


async def test_what_is_not_trusted_is_not_opened_for_anybody(plan: Office) -> None:
    plan.trusts[""] = [authority("Nobody's anchor")[1]]
    mail = await pushed(plan, text("secret"), CCDA)
    with pytest.raises(NotShown) as refused:
        await read_mail(plan.means, mail)
    assert "quarantined" in str(refused.value)


async def test_a_message_that_a_hisp_opened_is_shown_as_it_came(plan: Office) -> None:
    seen = describe_mail(written(plan, parts=[text("open"), SCAN]), None)
    assert (seen.text, [one.kind for one in seen.parts]) == ("open", ["text", "pdf"])


async def test_a_hundred_looks_later_its_documents_are_still_known(plan: Office) -> None:
    mail = await pushed(plan, CCDA)
    look = Exchange(plan.now, "in", "REST-MESSAGE", "success", plan=PLAN,
                    conversation=ConversationId(mail.id))  # fmt: skip
    for _ in range(101):
        plan.house.database.write(lambda tx: exchange_log.append(tx, look))
    found = plan.house.database.read(lambda tx: documents_of(tx, mail))
    assert found == tuple(one.id for one in documents(plan.house))


async def test_a_message_is_its_members_whose_its_documents_are_now(plan: Office) -> None:
    def whose(mail: ReceivedMail) -> MemberId | None:
        return plan.house.database.read(lambda tx: member_of(tx, mail))

    assert whose(await pushed(plan, CCDA)) == MEMBER.id
    alone = await pushed(plan, SCAN, message_id="scan@direct.clinic.test")
    assert whose(alone) is None
    scan = next(one for one in documents(plan.house) if one.mime_type == "application/pdf")
    plan.house.database.write(
        lambda tx: stored.file(tx, plan=PLAN, document=scan.id, member=MEMBER.id)
    )
    assert whose(alone) == MEMBER.id


def test_the_charset_that_a_part_names_counts() -> None:
    part = read_part(b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\n\xc4")
    assert part.text() == ("Ä", True)


@pytest.mark.parametrize(
    ("charset", "text"),
    [("utf-8", "aÄÄ"), ("us-ascii", "aÄÄ"), ("utf-16le", "aÄÄ"), ("gb18030", "a\u4e2d\u6587")],
)
def test_a_text_that_is_looked_at_in_part_ends_with_a_whole_character(
    charset: str, text: str
) -> None:
    body = text.encode("utf-8" if charset == "us-ascii" else charset)
    part = read_part(f"Content-Type: text/plain; charset={charset}\r\n\r\n".encode() + body)
    assert part.text(len(body)) == (text, True)
    assert part.text(len(body) - 1) == (text[:-1], False)
