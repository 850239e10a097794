"""Messages that cost as much as a message can, for tests and benchmarks."""

import io
import re
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime

from direct.addresses import Mailbox
from direct.message import OutgoingPart, outer_headers, wrap, write_message
from direct.smime import SigningIdentity, seal
from tests.gateway.exchange.direct_certificates import certified
from tests.gateway.house import demo_document

MEGABYTE = 1000 * 1000
LARGE = 25 * MEGABYTE
"""Of content: twice in base64 it is just below our limit of 50 MB."""
CLINIC, PLAN_DOMAIN = "direct.clinic.test", "direct.plan.test"
INTAKE, DOCTOR = f"intake@{PLAN_DOMAIN}", f"anne@{CLINIC}"
_ENTRY = re.compile(rb"<entry\b.*?</entry>", re.DOTALL)
_PROBLEMS = re.compile(rb"<section>(?:(?!<section>).)*?11450-4.*?</section>", re.DOTALL)
_TIME = re.compile(rb"<effectiveTime>.*?</effectiveTime>", re.DOTALL)


def sealed(*parts: OutgoingPart, to: Sequence[str] = (INTAKE,)) -> bytes:
    """A message to the office of PLAN_DOMAIN, as a trusted agent sends it."""
    key, certificate = certified(CLINIC)
    message = write_message(
        from_=Mailbox.parse(DOCTOR),
        to=[Mailbox.parse(one) for one in to],
        message_id=f"{len(parts)}-{len(parts[0].content)}@{CLINIC}",
        date=datetime(2026, 11, 27, tzinfo=UTC),
        parts=parts,
    )
    return seal(
        wrap(message),
        headers=[one for one in outer_headers(message) if one[0] not in ("MIME-Version", "To")],
        signer=SigningIdentity(key, certificate),
        recipients=[certified(PLAN_DOMAIN)[1]],
    )


def cda(size: int) -> bytes:
    head, tail = b'<ClinicalDocument xmlns="urn:hl7-org:v3">', b"</ClinicalDocument>"
    return head + b"<a>x</a>".ljust(size - len(head) - len(tail)) + tail


def zipped(count: int, size: int) -> bytes:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(f"IHE_XDM/SUBSET01/DOC{number}.XML", cda(size))
    return stored.getvalue()


def repeated(times: int) -> bytes:
    """A summary of which every statement stands there so often."""
    once = demo_document("northfield_ccd.xml")
    return _ENTRY.sub(lambda entry: entry[0] * times, once)


def ended_courses(count: int) -> bytes:
    """A summary with one problem so often, each time over on another day: all are compared."""
    once = demo_document("northfield_ccd.xml")
    section = _PROBLEMS.search(once)
    assert section is not None
    entry = _ENTRY.search(section[0])
    assert entry is not None

    def course(number: int) -> bytes:
        day = b"%04d%02d%02d" % (1900 + number // 336, 1 + number // 28 % 12, 1 + number % 28)
        time = b'<effectiveTime><low value="%b"/><high value="%b"/></effectiveTime>' % (day, day)
        identified = re.sub(rb"<id [^>]*/>", b'<id root="1.2.3.%d"/>' % number, entry[0])
        return _TIME.sub(time, identified)

    return once.replace(entry[0], b"".join(map(course, range(count))), 1)
