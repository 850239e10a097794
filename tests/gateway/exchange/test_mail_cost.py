"""What one message may cost: 300 MB altogether, however large or hostile it is.

Each is opened, read and taken apart in one worker at a time, whose private memory ends at 200 MB.
What was signed lies beside it once, 50 MB at most, while its signer is judged. Here nothing of it
is held but what is said of it: our own memory grows by less than the 50 MB that are left. That a
worker also ends after so many seconds of the processor is `test_workers`' to show.
"""

import base64
import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from direct.addresses import Mailbox
from direct.mail_errors import MailOverLimit
from direct.message import OutgoingPart, outer_headers, wrap, write_message
from direct.smime import DEFAULT, SealAlgorithms, seal
from gateway.app.house import _MESSAGE_BYTES
from gateway.exchange.mail_carried import Kept, Problems, hand_over
from gateway.exchange.mail_describing import describe_mail
from gateway.exchange.mail_letter import open_letter
from gateway.exchange.mail_sealing import KeyPairDer, key_pair_der
from gateway.exchange.workers import WorkerFailed, WorkerPool
from tests.direct.sealing import identity, recipient, sender
from tests.gateway.exchange.costly_mail import LARGE, MEGABYTE, cda, zipped
from tests.thinning import thinned

MOST_MEMORY = 200 * MEGABYTE
DOCTOR, INTAKE = "drsmith@clinic.test", "intake@plan.test"


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    assert MOST_MEMORY == _MESSAGE_BYTES
    with WorkerPool(1, MOST_MEMORY, 120.0) as pool:
        yield pool


def keys() -> tuple[KeyPairDer, ...]:
    pair = recipient()
    return (key_pair_der(pair.key, pair.certificate),)


def pieces(raw: bytes) -> Iterator[bytes]:
    for start in range(0, len(raw), MEGABYTE):
        yield raw[start : start + MEGABYTE]


def run(pool: WorkerPool, raw: bytes) -> tuple[list[int], int]:
    """The sizes of the documents that are found, and how many problems there were."""
    (_, letter), left = pool.run_on(pieces(raw), open_letter, keys(), (INTAKE,), DOCTOR)  # type: ignore[misc]
    sizes, problems = [], 0
    with left:
        for one in pool.run_on(left, hand_over, letter.header, 1000):
            match one:
                case Kept():
                    sizes.append(0)
                case bytes():
                    sizes[-1] += len(one)
                case Problems():
                    problems = len(one.told)
    return sizes, problems


def sealed(message: bytes, algorithms: SealAlgorithms = DEFAULT) -> bytes:
    shown = [one for one in outer_headers(message) if one[0] != "MIME-Version"]
    return seal(
        wrap(message),
        headers=shown,
        signer=identity(sender()),
        recipients=[recipient().certificate],
        algorithms=algorithms,
    )


def written(*parts: OutgoingPart) -> bytes:
    return write_message(
        from_=Mailbox.parse(DOCTOR),
        to=[Mailbox.parse(INTAKE)],
        message_id="1@clinic.test",
        date=datetime(2026, 11, 26, tzinfo=UTC),
        parts=list(parts),
    )


def by_hand(content_type: str, body: bytes, encoding: str = "7bit") -> bytes:
    head = (
        f"From: {DOCTOR}\r\nTo: {INTAKE}\r\nMIME-Version: 1.0\r\nContent-Type: {content_type}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + body


def nested() -> bytes:
    """Messages in messages, each in base64 against all rules: every level is another copy."""
    inner = by_hand("text/plain", b"x" * (9 * MEGABYTE))
    while len(inner) < LARGE:
        coded = base64.encodebytes(inner)
        inner = by_hand("message/rfc822", coded, "base64")
    return inner


@pytest.mark.parametrize("cipher", list(thinned(["aes256-cbc", "aes256-gcm"])))
def test_the_largest_message_is_opened_within_a_workers_memory(
    pool: WorkerPool, cipher: str
) -> None:
    message = written(OutgoingPart(cda(LARGE), "text/xml", "a.xml"))
    raw = sealed(message, SealAlgorithms(cipher=cipher))  # type: ignore[arg-type]  # both are ciphers
    assert 45 * MEGABYTE < len(raw) < 50 * MEGABYTE
    assert run(pool, raw) == ([LARGE], 0)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a zip of 90 MB": lambda: written(
        OutgoingPart(zipped(90, MEGABYTE), "application/zip", "a.zip")
    ),
    "one file of 90 MB": lambda: written(
        OutgoingPart(zipped(1, 90 * MEGABYTE), "application/zip", "a.zip")
    ),
    "a thousand gzips": lambda: written(
        *[OutgoingPart(gzip.compress(cda(MEGABYTE)), "application/gzip")] * 990
    ),
    "a thousand parts": lambda: written(
        *(OutgoingPart(cda(LARGE // 990), "text/xml") for _ in range(990))
    ),
    "nested messages": nested,
    "lone line feeds": lambda: by_hand("text/plain", b"a\n" * (LARGE // 3)),
    "runs of base64": lambda: by_hand("text/plain", b"QQ==" * (LARGE // 4), "base64"),
    "quoted octets": lambda: by_hand("text/plain", b"=3D=" * (LARGE // 4), "quoted-printable"),
    "one rare character": lambda: by_hand(
        "text/plain; charset=utf-8", b"a" * (LARGE - 4) + "\N{GRINNING FACE}".encode(), "8bit"
    ),
    "comments": lambda: written(OutgoingPart(b"<?xml?>" + b"<!-- -->" * (LARGE // 8), "text/xml")),
}


@pytest.mark.parametrize("kind", list(thinned(HOSTILE)))
def test_a_hostile_message_costs_no_more(pool: WorkerPool, kind: str) -> None:
    sizes, _ = run(pool, sealed(HOSTILE[kind]()))
    assert sum(sizes) <= 96 * 1024 * 1024


@pytest.mark.parametrize(
    "kind", list(thinned(["comments", "lone line feeds", "nested messages", "one rare character"]))
)
def test_a_hostile_message_may_be_looked_at_too(pool: WorkerPool, kind: str) -> None:
    read = pool.run_on(pieces(sealed(HOSTILE[kind]())), describe_mail, keys())
    assert (len(read.text), read.is_cut) == (100_000, True)


def test_millions_of_boundaries_are_refused_within_it(pool: WorkerPool) -> None:
    message = by_hand("multipart/mixed; boundary=b", b"\r\n--b" * (LARGE // 5))
    with pytest.raises(MailOverLimit):
        run(pool, sealed(message))


def test_the_limit_is_one_that_bites() -> None:
    raw = sealed(written(OutgoingPart(cda(LARGE), "text/xml", "a.xml")))
    with WorkerPool(1, MOST_MEMORY // 3, 120.0) as narrow, pytest.raises(WorkerFailed) as failed:
        run(narrow, raw)
    assert failed.value.reason == "memory"
