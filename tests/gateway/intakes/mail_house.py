"""A house that takes mail for two plans, its SMTP listener on a real socket, and who talks to it.

with mail_house(tmp_path) as house, listening(house) as at:
    with at.dialogue() as smtp:
        smtp.say("EHLO sender.example")
"""

import asyncio
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from gateway.app.house import House
from gateway.clients.tls import plan_listener_context
from gateway.exchange.archive import Archive
from gateway.exchange.spooling import MailMeans
from gateway.intakes.smtp import smtp_running
from gateway.intakes.smtp_commands import SmtpOptions
from gateway.model.caller import Role
from gateway.model.identity import PlanId
from gateway.model.mail_domains import MailDomains
from gateway.model.received_mail import ReceivedMail
from gateway.settings_mail import Mail, MailDomain, MailLimits
from gateway.store import mail_received, tokens
from gateway.store.blobs import BlobStore
from gateway.store.database import Database, open_database
from gateway.store.job_queue import open_queue
from gateway.store.keys import KeyRing
from tests.gateway.house import OTHER_PLAN, PLAN, US, authority, key_files, open_house
from tests.gateway.own_loop import run_on

DOMAIN, OTHER_DOMAIN = "direct.acme.example", "direct.other.example"
INTAKE, OTHER_INTAKE = f"intake@{DOMAIN}", f"intake@{OTHER_DOMAIN}"
SENDER = "nurse@direct.clinic.example"
MESSAGE = (
    b"From: nurse@direct.clinic.example\r\n"
    b"Message-ID: <m1@direct.clinic.example>\r\n"
    b"Subject: sealed\r\n"
    b"\r\n"
    b".. a line that begins with two dots\r\n"
    b"bytes\r\n"
)


@dataclass(frozen=True, slots=True)
class MailHouse:
    """What mail doors work with, and nothing else of a house: no worker processes."""

    database: Database
    archive: Archive
    means: MailMeans


@contextmanager
def mail_house(folder: Path, failpoint: Callable[[str], None] | None = None) -> Iterator[MailHouse]:
    """A new one in `folder`."""
    furnish(folder)
    with opened_at(folder, failpoint) as house:
        yield house


def furnish(folder: Path) -> None:
    shutil.copytree(_empty(), folder, dirs_exist_ok=True)


@contextmanager
def opened_at(folder: Path, failpoint: Callable[[str], None] | None = None) -> Iterator[MailHouse]:
    """The one that is there, as a process opens it."""
    database = open_database(
        f"sqlite:///{folder}/data/gateway.sqlite",
        key_file=folder / "keys" / "key-encryption-key",
        failpoint=failpoint,
    )
    with closing(database):
        keys = KeyRing(folder / "keys" / "key-encryption-key", database)
        blobs = BlobStore(folder / "data" / "blobs", keys, failpoint)
        archive = Archive(database, blobs, workers=None)  # type: ignore[arg-type]
        plans = MailDomains({DOMAIN: PLAN, OTHER_DOMAIN: OTHER_PLAN})
        means = MailMeans(archive, open_queue(database), plans)
        yield MailHouse(database, archive, means)


@cache
def _empty() -> Path:
    """A house with two plans and nothing in it, to copy."""
    _folders.append(tempfile.TemporaryDirectory(prefix="mail-"))
    folder = Path(_folders[-1].name)
    with open_house(folder, furnished=False, known=()) as house:
        for plan in (PLAN, OTHER_PLAN):
            house.archive.blobs.keys.plan_key(plan)
    return folder


_folders: list[tempfile.TemporaryDirectory[str]] = []


def mail(**changes: Any) -> Mail:
    """`[mail]` of a whole house."""
    given: dict[str, Any] = {
        "domains": (
            MailDomain(name=DOMAIN, plan=PLAN),
            MailDomain(name=OTHER_DOMAIN, plan=OTHER_PLAN),
        ),
    }
    return Mail(**{**given, **changes})


def options(**changes: Any) -> SmtpOptions:
    """A listener as on a real address: STARTTLS first."""
    certificate, key = key_files(US)
    context = plan_listener_context(certificate=certificate, key=key)
    return replace(SmtpOptions("mail.acme.example", MailLimits(), context), **changes)


PLAIN = SmtpOptions("mail.acme.example", MailLimits(), context=None, tls_required=False)
"""A listener on loopback, behind a relay of ours."""


@contextmanager
def listening(house: MailHouse, given: SmtpOptions = PLAIN, port: int = 0) -> Iterator["At"]:
    """The listener in a thread with its own event loop."""
    started: list[str] = []
    failed: list[BaseException] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        async with smtp_running(house.means, given, "127.0.0.1", port) as address:
            started.append(address)
            ready.set()
            await stop.wait()

    def main() -> None:
        try:
            run_on(loop, run())
        except BaseException as error:  # told to the test's own thread below
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=main, name="smtp")
    thread.start()
    ready.wait(60)
    try:
        host, _, bound = started[0].rpartition(":")
        yield At(host, int(bound))
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        if failed:
            raise failed[0]


@dataclass(frozen=True, slots=True)
class At:
    host: str
    port: int

    @contextmanager
    def dialogue(self) -> Iterator["Dialogue"]:
        """A connection whose greeting was heard."""
        with closing(socket.create_connection((self.host, self.port), timeout=30)) as connection:
            dialogue = Dialogue(connection)
            try:
                dialogue.greeting = dialogue.hear()
                yield dialogue
            finally:
                dialogue.end()

    def send(
        self, message: bytes = MESSAGE, *, to: tuple[str, ...] = (INTAKE,), sender: str = SENDER
    ) -> str:
        """The answer to a whole message, on a connection of its own."""
        with self.dialogue() as smtp:
            smtp.say("EHLO sender.example")
            return smtp.send(message, to=to, sender=sender)


class Dialogue:
    """SMTP as bytes: what is said, and what is heard."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.greeting = ""
        self._file = connection.makefile("rb")

    def end(self) -> None:
        self._file.close()
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.close()

    def write(self, content: bytes) -> None:
        self.connection.sendall(content)

    def hear(self) -> str:
        """The next answer, its lines joined; empty when the other side has hung up."""
        lines = []
        while line := self._line():
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                break
        return "\n".join(lines)

    def _line(self) -> str:
        try:
            return self._file.readline().decode("ascii")
        except ConnectionResetError:
            return ""

    def say(self, command: str) -> str:
        self.write(command.encode("utf-8") + b"\r\n")
        return self.hear()

    def start_tls(self) -> str:
        """STARTTLS, with our certificate verified; what it was answered with."""
        answer = self.say("STARTTLS")
        if answer.startswith("220"):
            context = ssl.create_default_context(cadata=authority().certificate_pem)
            self._file.close()
            self.connection = context.wrap_socket(self.connection, server_hostname="localhost")
            self._file = self.connection.makefile("rb")
        return answer

    def send(
        self,
        message: bytes = MESSAGE,
        *,
        to: tuple[str, ...] = (INTAKE,),
        sender: str = SENDER,
    ) -> str:
        """MAIL, RCPT, DATA and the message; the last answer."""
        answer = self.say(f"MAIL FROM:<{sender}>")
        for recipient in to:
            answer = self.say(f"RCPT TO:<{recipient}>")
        answer = self.say("DATA")
        if not answer.startswith("354"):
            return answer
        self.write(stuffed(message) + b".\r\n")
        return self.hear()


def stuffed(message: bytes) -> bytes:
    """As it is sent: a dot that begins a line is doubled (RFC 5321: 4.5.2)."""
    doubled = message.replace(b"\r\n.", b"\r\n..")
    return b"." + doubled if doubled.startswith(b".") else doubled


# ---- what became of it -----------------------------------------------------------------------


def received(house: MailHouse | House, plan: PlanId = PLAN) -> tuple[ReceivedMail, ...]:
    return house.database.read(lambda tx: mail_received.list_page(tx, plan=plan, limit=10_000))


def content(house: MailHouse | House, message: ReceivedMail) -> bytes:
    return house.archive.load(message.plan, message.blob)


def token(house: MailHouse | House, name: str, role: Role = "system", plan: PlanId = PLAN) -> str:
    """The secret of a new token."""
    now = datetime.now(UTC)
    return house.database.write(
        lambda tx: tokens.create(tx, plan=plan, name=name, role=role, now=now)
    )[1]
