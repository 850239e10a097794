"""Mail comes in over SMTP while the listener is killed again and again: messages a second, and what
is there in the end. Against the bare cost of the same durability in the same rounds.

The listener is a process of its own on a real socket; eight senders keep one connection each and
send a message again until it is answered with 250, as a mail server's queue does.
"""

import hashlib
import multiprocessing
import os
import secrets
import signal
import smtplib
import socket
import statistics
import tempfile
import threading
import time
from asyncio import Event, run
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from gateway.intakes.smtp import smtp_running
from gateway.intakes.smtp_commands import SmtpOptions
from gateway.settings_mail import MailLimits
from gateway.store import exchange_log
from tests.bench.figures import Figure, Report
from tests.gateway.house import rows_of
from tests.gateway.intakes.mail_house import INTAKE, SENDER, content, furnish, opened_at, received

_SIZES: Final = {"6 KB": (6_000, 400), "195 KB": (195_000, 120)}
"""Bytes a message, and how many messages a round."""
_SENDERS: Final = 8
_KILLS: Final = 8
_LIMITS: Final = MailLimits(messages_per_minute=10_000_000, connections_per_peer=64)
_NOTES: Final = (
    "each message: hashed, packed, sealed, synced; row, job and exchange record; COMMIT; then 250",
    f"{_SENDERS} senders, one connection each; plain SMTP on loopback, listener and senders on the "
    "same cores",
    f"killed: kill -9 of the listener {_KILLS} times a round and its start anew are in the time",
    "bare: each message's bytes into a file, fsync, rename, fsync of the folder; one writer; "
    "ratio: ours by bare",
    "lost: answered with 250, and not there with its bytes or without its job; doubled: kept twice",
)
_FORK: Final = multiprocessing.get_context("fork")


def measure(rounds: int) -> Report:
    """Sustained intake, undisturbed and killed, by size of message."""
    rows: list[dict[str, Figure]] = []
    for name, (size, count) in _SIZES.items():
        for kills in (0, _KILLS):
            found = [_round(size, count, kills) for _ in range(rounds)]
            bare = [_bare(size, count) for _ in range(rounds)]
            rate = statistics.median(count / one.seconds for one in found)
            bare_rate = statistics.median(count / seconds for seconds in bare)
            rows.append(
                {
                    "intake": f"{name}, {'killed' if kills else 'undisturbed'}",
                    "messages": count,
                    "kills": sum(one.kills for one in found) if kills else 0,
                    "messages/s": round(rate, 1),
                    "bare/s": round(bare_rate, 1),
                    "ratio": round(rate / bare_rate, 3),
                    "lost": sum(one.lost for one in found),
                    "doubled": sum(one.doubled for one in found),
                }
            )
    return Report("mail", "Mail in, sustained, with crashes in the middle", tuple(rows), _NOTES)


class _Round:
    """What one round gave."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.kills = 0
        self.lost = 0
        self.doubled = 0


def _round(size: int, count: int, kills: int) -> _Round:
    result = _Round()
    with tempfile.TemporaryDirectory(prefix="mail-") as name:
        folder = Path(name)
        furnish(folder)
        port = _free_port()
        progress = _Progress()
        with _listener(folder, port) as listener:
            threads = [
                threading.Thread(
                    target=_send, args=(port, size, range(start, count, _SENDERS), progress)
                )
                for start in range(_SENDERS)
            ]
            started = time.monotonic()
            for thread in threads:
                thread.start()
            for number in range(kills):
                due = (number + 1) * count // (kills + 1)
                while progress.answered < due and any(thread.is_alive() for thread in threads):
                    time.sleep(0.001)
                listener.kill()
                result.kills += 1
            for thread in threads:
                thread.join()
            result.seconds = time.monotonic() - started
        _account(folder, size, count, result)
    return result


def _account(folder: Path, size: int, count: int, result: _Round) -> None:
    """Every message must be there once, with its bytes, its job and its place in the record."""
    with opened_at(folder) as house:
        kept = received(house)
        digests = [hashlib.sha256(content(house, one)).hexdigest() for one in kept]
        jobs = [row["payload"] for row in rows_of(house, "job")]  # type: ignore[arg-type]
        queued = sum(1 for one in kept if sum(one.id in job for job in jobs) == 1)
        if house.database.read(exchange_log.verify).first_bad is not None:
            raise AssertionError("the chain of records is broken")
    sent = {hashlib.sha256(_message(size, number)).hexdigest() for number in range(count)}
    result.lost = len(sent - set(digests)) + len(kept) - queued
    result.doubled = len(digests) - len(set(digests))


def _message(size: int, number: int) -> bytes:
    """Like a sealed message: base64 that cannot be packed; the same for the same number."""
    line = hashlib.sha256(b"%d" % number).hexdigest().encode() + b"\r\n"
    head = b"Message-ID: <%d@direct.clinic.example>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head % number + line * (size // len(line))


class _Progress:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.answered = 0

    def count(self) -> None:
        with self._lock:
            self.answered += 1


def _send(port: int, size: int, numbers: range, progress: _Progress) -> None:
    client: smtplib.SMTP | None = None
    for number in numbers:
        message = _message(size, number)
        while True:
            try:
                if client is None:
                    client = smtplib.SMTP("127.0.0.1", port, timeout=30)
                client.sendmail(SENDER, [INTAKE], message)
                break
            except (OSError, smtplib.SMTPException):
                if client is not None:
                    client.close()
                client = None
                time.sleep(0.02)
        progress.count()
    if client is not None:
        with suppress(OSError, smtplib.SMTPException):
            client.quit()


class _Listener:
    """The process that listens, and the next one once it is dead."""

    def __init__(self, folder: Path, port: int) -> None:
        self._arguments = (folder, port)
        self._start()

    def _start(self) -> None:
        self._process = _FORK.Process(target=_listen, args=self._arguments, daemon=True)
        self._process.start()

    def kill(self) -> None:
        self.end()
        self._start()

    def end(self) -> None:
        os.kill(self._process.pid or 0, signal.SIGKILL)
        self._process.join()


@contextmanager
def _listener(folder: Path, port: int) -> Iterator[_Listener]:
    listener = _Listener(folder, port)
    try:
        yield listener
    finally:
        listener.end()


def _listen(folder: Path, port: int) -> None:
    async def listening() -> None:
        with opened_at(folder) as house:
            options = SmtpOptions("mail.acme.example", _LIMITS, tls_required=False)
            async with smtp_running(house.means, options, "127.0.0.1", port):
                await Event().wait()

    run(listening())


def _bare(size: int, count: int) -> float:
    messages = [_message(size, number) for number in range(count)]
    with tempfile.TemporaryDirectory(prefix="mail-") as name:
        folder = os.open(name, os.O_RDONLY)
        started = time.monotonic()
        for message in messages:
            place = f"{name}/{secrets.token_hex(8)}"
            with open(f"{place}.new", "wb") as file:
                file.write(message)
                file.flush()
                os.fsync(file.fileno())
            os.rename(f"{place}.new", place)
            os.fsync(folder)
        seconds = time.monotonic() - started
        os.close(folder)
    return seconds


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
