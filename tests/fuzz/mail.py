"""`python -m tests.fuzz.mail [--runs N] [--first N] [--case N]`: hostile mail and archives.

Each case is a message or a zip, damaged, and is given to every reader of mail: message, addresses,
notices, reports, context, content, XDM. A case is a finding when a reader raises what it does not
announce, takes longer than `MOST_SECONDS` of the processor, gives more bytes than its limits
allow, or lets a control character through to what people see.
"""

import argparse
import gzip
import io
import random
import re
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from direct.addresses import Mailbox
from direct.context import Context, ContextPatientId, write_context
from direct.dsn import RecipientStatus, read_delivery_status, write_delivery_status
from direct.errors import DirectError, Disposition
from direct.mdn import decide, read_notification, write_notification
from direct.message import (
    OutgoingPart,
    police,
    read_message,
    read_outer,
    unwrap,
    wrap,
    write_message,
)
from gateway.exchange.adt import read_adt
from gateway.exchange.mail_carried import named_in_context, named_in_metadata
from gateway.exchange.mail_content import find_content
from gateway.exchange.mail_describing import carried_files, describe_mail
from ihe.errors import IheError
from ihe.identifiers import UniqueId
from ihe.metadata import DocumentEntry, SubmissionSet
from ihe.xdm import XdmSubmission, read_xdm, write_xdm
from tests.fuzz.patience import WithoutEnd, patience

MOST_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 60.0
_MOST_BYTES: Final = 96 * 1024 * 1024
_NOW: Final = datetime(2026, 11, 26, tzinfo=UTC)
_A, _B = Mailbox("anna", "direct.clinic.test", "Anna"), Mailbox("intake", "direct.plan.test")
_CDA: Final = b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"/>'
_ADT: Final = b"MSH|^~\\&|E|C|||2026||ADT^A01|1|P|2.5\rPID|1||1^^^X&2.999&ISO^MR||Doe^J\rPV1|1|I"
_HARMLESS: Final = re.compile(r"\d{3,}-[A-Za-z0-9][A-Za-z0-9._-]*")
_TOKENS: Final = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\r\n\r\n",
    b"--",
    b"--b--",
    b"=?utf-8?B?DQo=?=",
    b"=?utf-7?Q?+AAo-?=",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"From: a@b.test\r\n",
    b"filename*0*=utf-8''%00%0d",
    b"filename*1=x",
    b'";"',
    b"<",
    b">",
    b"(",
    b")",
    b",",
    b";",
    b"@",
    b"=",
    b"\x1f\x8b\x08",
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"\xff\xff\xff\xff",
    b"../",
    b"<?xml",
    b"<!--",
    b"<!DOCTYPE x [",
    b"MSH|^~\\&|",
    b"Disposition: a/b;processed/error\r\n",
    b"Final-Recipient: rfc822; x@y.test\r\n",
    b"\xe2\x80\xae",
    b"\xc3\x28",
    b"9" * 40,
)


def seeds() -> tuple[bytes, ...]:
    """Messages and archives of every kind that we read, from our own pen."""
    entry = DocumentEntry("urn:uuid:1", UniqueId("2.999.1"), mime_type="text/xml")
    given = SubmissionSet("urn:uuid:2", UniqueId("2.999.2"))
    package = write_xdm([XdmSubmission(given, ((entry, _CDA),))], organization="x", now=_NOW)
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        archive.writestr("a\\METADATA.xml", b"<x/>")
        archive.writestr("a\\doc.xml", _CDA)
    part, named = write_context(
        Context(
            "1.0", "1@x.test", "2@x.test", (ContextPatientId("2.999", "1"),), "general", "report"
        )
    )
    parts = [
        OutgoingPart(b"hello", "text/plain"),
        OutgoingPart(_CDA, "text/xml", "Brief\u00e4.xml"),
        OutgoingPart(package, "application/zip", "x.zip"),
        OutgoingPart(gzip.compress(_CDA, mtime=0), "application/gzip", "x.gz"),
        OutgoingPart(_ADT, "text/plain", "adt.txt"),
        part,
    ]
    whole = write_message(
        from_=_A,
        to=[_B],
        cc=[_A],
        message_id="1@x.test",
        date=_NOW,
        subject="Gr\u00fc\u00dfe",
        parts=parts,
        fields=[named],
        wants_dispatched=True,
    )
    original = read_message(whole)
    notice = write_notification(
        Disposition.FAILED,
        original=original,
        from_=_B,
        to=_A,
        message_id="2@x.test",
        date=_NOW,
        agent="x",
        failure="why",
    )
    report = write_delivery_status(
        [RecipientStatus("c@x.test", "failed", "5.1.1", diagnostic="no")],
        original_message_id="1@x.test",
        from_=_B,
        to=_A,
        message_id="3@x.test",
        date=_NOW,
        text="no",
        reporting_mta="x.test",
    )
    forwarded = write_message(
        from_=_A,
        to=[_B],
        message_id="4@x.test",
        date=_NOW,
        parts=[OutgoingPart(notice, "message/rfc822")],
    )
    plain = b'From: "A, B" <a@x.test> (c)\nTo: g: b@x.test, C <c@x.test>;\n\nhello\n' + _ADT
    return (whole, wrap(whole), notice, report, forwarded, plain, package, stored.getvalue())


def case(number: int, given: tuple[bytes, ...]) -> bytes:
    """The same number gives the same bytes."""
    chance = random.Random(number)
    data = chance.choice(given)
    for _ in range(chance.choice((1, 1, 2, 3, 5, 8, 13))):
        data = chance.choice(_MUTATIONS)(data, chance)
    return data[: 1024 * 1024]


def _place(data: bytes, chance: random.Random) -> int:
    # Headers and directories stand at the ends, so half of what is done is done there.
    size = len(data)
    near = min(size, 600)
    return chance.choice(
        (chance.randint(0, size), chance.randint(0, near), size - chance.randint(0, near))
    )


def _insert(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    return data[:at] + chance.choice(_TOKENS) + data[at:]


def _overwrite(data: bytes, chance: random.Random) -> bytes:
    at, token = _place(data, chance), chance.choice(_TOKENS)
    return data[:at] + token + data[at + len(token) :]


def _flip(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]


def _cut(data: bytes, chance: random.Random) -> bytes:
    first, second = sorted((_place(data, chance), _place(data, chance)))
    return data[:first] + data[second:]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    first, second = sorted((_place(data, chance), _place(data, chance)))
    piece = data[first:second]
    return (
        data[:first] + piece * chance.choice((2, 3, 50, 2000)) + data[second:]
        if len(piece) < 400
        else data
    )


def _swap_lines(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


_MUTATIONS: Final[tuple[Callable[[bytes, random.Random], bytes], ...]] = (
    _insert,
    _insert,
    _overwrite,
    _flip,
    _flip,
    _cut,
    _repeat,
    _swap_lines,
)


def look(data: bytes) -> str:
    """Everything that reads mail, over one case; in a word, what became of it."""
    try:
        package = read_xdm(data)
        assert sum(len(file.content) for file in package.files) <= _MOST_BYTES
    except IheError:
        pass
    read_adt(data)
    try:
        message = unwrap(data, read_outer(data))
        police(message, read_outer(data), ["intake@direct.plan.test"])
        message = read_message(data)
    except DirectError as error:
        return type(error).__name__
    shown = [message.subject, message.message_id, message.in_reply_to, *message.defects]
    shown += [box.name for box in (message.from_, *message.recipients)]
    for part in message.root.walk():
        shown += [part.filename, part.content_id, part.media_type.value]
        part.text()
    decision = decide(message, is_trusted=True, mail_from="a@b.test")
    notice, report = read_notification(message), read_delivery_status(message)
    if notice is not None or report is not None:
        assert decision.to is None or message.root.media_type.value.startswith(
            ("multi", "message/r")
        )
    if notice is not None:
        shown += [notice.type, notice.final_recipient, notice.failure, notice.original_message_id]
    if decision.to is not None:
        write_notification(
            Disposition.PROCESSED,
            original=message,
            from_=_B,
            to=decision.to,
            message_id="9@x.test",
            date=_NOW,
            agent="x",
        )
    content = find_content(message)
    assert sum(len(each.content) for each in content.found) <= _MOST_BYTES + 64 * len(data)
    shown += [each.filename for each in content.found]
    if content.context is not None:
        named_in_context(content.context)
    for each in content.found:
        if each.entry is not None:
            named_in_metadata(each.entry)
    seen = describe_mail(data, None)
    shown += [seen.subject, *seen.text.split("\n"), *(one.filename for one in seen.parts)]
    for name, _ in carried_files(data, None):
        assert _HARMLESS.fullmatch(name), "a file's name could be more than a name"
    for text in shown:
        assert text is None or not set(text) & set("\r\n\0\u202e"), "a control reaches people"
    return f"{len(content.documents)} documents"


def run(first: int, end: int) -> int:
    given, outcomes, findings = seeds(), Counter[str](), 0
    slowest, size_bytes, started = (0.0, -1), 0, time.monotonic()
    for number in range(first, end):
        data = case(number, given)
        size_bytes += len(data)
        began = time.process_time()
        try:
            with patience(_PATIENCE_SECONDS):
                outcomes[look(data)] += 1
        except (Exception, WithoutEnd) as error:  # the door of the run: everything is to be told
            findings += 1
            print(f"case {number}: {error!r:.200}", flush=True)
            Path(f"mail-case-{number}.bin").write_bytes(data)
        seconds = time.process_time() - began
        slowest = max(slowest, (seconds, number))
        if seconds > MOST_SECONDS:
            findings += 1
            print(f"case {number} took {seconds:.1f} s", flush=True)
        if (number + 1) % 1000 == 0:
            print(f"{number + 1} …", flush=True)
    print(
        f"{end - first} inputs, {size_bytes / 1e6:.0f} MB, {time.monotonic() - started:.0f} s, "
        f"slowest {slowest[0]:.3f} s (case {slowest[1]}), {findings} findings; "
        f"{dict(outcomes.most_common())}"
    )
    return findings


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.mail", description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--case", type=int, help="read this one case and keep it as a file")
    arguments = parser.parse_args(given)
    if arguments.case is not None:
        data = case(arguments.case, seeds())
        Path(f"mail-case-{arguments.case}.bin").write_bytes(data)
        print(look(data))
        return 0
    return 1 if run(arguments.first, arguments.first + arguments.runs) else 0


if __name__ == "__main__":
    sys.exit(main())
