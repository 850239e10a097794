"""kill -9 at any durable step of any mail door: nothing answered is lost, nothing is doubled."""

import asyncio
import errno
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from gateway.exchange.spooling import Envelope, Spool
from gateway.intakes.folder import Watch
from gateway.intakes.imap import Poll
from gateway.intakes.smtp import smtp_running
from gateway.settings_mail import Mailbox, MailFolder, MailLimits
from gateway.store import exchange_log
from tests.flows.crash_child import dying_at
from tests.gateway.house import US, authority, key_files, records, rows_of
from tests.gateway.intakes.imap_server import PASSWORD, USER, Folder, serving
from tests.gateway.intakes.mail_house import (
    INTAKE,
    MESSAGE,
    PLAIN,
    SENDER,
    At,
    MailHouse,
    content,
    furnish,
    listening,
    mail_house,
    opened_at,
    received,
)

# Forked, for speed: the child connects by itself, as any process does.
FORK = multiprocessing.get_context("fork")
STEPS = [
    (step, hit)
    for step in ("blob synced", "blob named", "before commit", "after commit")
    for hit in (1, 2)
]
MESSAGES = [MESSAGE + b"number %d\r\n" % number for number in range(3)]


def run_smtp(folder: Path, failpoint: Callable[[str], None], ready: Connection) -> None:
    async def run() -> None:
        with opened_at(folder, failpoint) as house:
            async with smtp_running(house.means, PLAIN, "127.0.0.1", 0) as address:
                ready.send(address)
                await asyncio.Event().wait()

    asyncio.run(run())


@contextmanager
def child(folder: Path, step: str, hit: int) -> Iterator[tuple[multiprocessing.Process, At]]:  # type: ignore[name-defined]
    """A listener that dies there."""
    ours, theirs = FORK.Pipe(duplex=False)
    process = FORK.Process(target=run_smtp, args=(folder, dying_at(step, hit), theirs))
    process.start()
    theirs.close()
    host, _, port = ours.recv().rpartition(":")
    try:
        yield process, At(host, int(port))
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


def answered(at: At, message: bytes) -> bool:
    try:
        return at.send(message).startswith("250")
    except OSError:
        return False


def assert_sound(house: MailHouse) -> None:
    """Each message once, whole, with its job; the chain of records holds."""
    kept = [content(house, one) for one in received(house)]
    assert sorted(kept) == MESSAGES
    assert len(rows_of(house, "job")) == len(MESSAGES)  # type: ignore[arg-type]
    assert house.database.read(exchange_log.verify).first_bad is None
    conversations = {one.conversation for one in records(house)}  # type: ignore[arg-type]
    assert conversations == {one.id for one in received(house)}


@pytest.mark.parametrize(("step", "hit"), STEPS)
def test_a_killed_smtp_listener_loses_nothing_answered_and_doubles_nothing(
    tmp_path: Path, step: str, hit: int
) -> None:
    furnish(tmp_path)
    with child(tmp_path, step, hit) as (process, at):
        said = [message for message in MESSAGES if answered(at, message)]
        process.join(20)
        assert process.exitcode == -signal.SIGKILL
    with opened_at(tmp_path) as house:
        kept = [content(house, one) for one in received(house)]
        assert set(said) <= set(kept), "what was answered is lost"
        assert len(kept) - len(said) <= 1
    with child(tmp_path, "never", 1) as (_, at):  # the sender tries again whatever was not said
        for message in MESSAGES:
            assert answered(at, message)
    with opened_at(tmp_path) as house:
        assert_sound(house)


def run_folder(folder: Path, files: Path, failpoint: Callable[[str], None]) -> None:
    stated = MailFolder(path=files, address=INTAKE)
    with opened_at(folder, failpoint) as house:
        watched = Watch(house.means, stated, MailLimits(), clock=lambda: time.time() + 60)
        asyncio.run(watched.take())


@pytest.mark.parametrize(("step", "hit"), STEPS)
def test_a_killed_folder_watch_loses_and_doubles_nothing(
    tmp_path: Path, step: str, hit: int
) -> None:
    house, files = tmp_path / "house", tmp_path / "in"
    furnish(house)
    files.mkdir()
    for number, message in enumerate(MESSAGES):
        (files / f"{number}.eml").write_bytes(message)
    killed(run_folder, house, files, dying_at(step, hit))
    run_folder(house, files, lambda _step: None)
    with opened_at(house) as opened:
        assert_sound(opened)
    assert len(list((files / "done").iterdir())) == len(MESSAGES)


def run_imap(folder: Path, stated: Mailbox, failpoint: Callable[[str], None]) -> None:
    with opened_at(folder, failpoint) as house:
        asyncio.run(Poll(house.means, stated, MailLimits()).once())


@pytest.mark.parametrize(
    ("step", "hit"), [*STEPS, ("before commit", 3), ("after commit", 3), ("after commit", 4)]
)
def test_a_killed_poll_loses_and_doubles_nothing_and_deletes_only_what_is_safe(
    tmp_path: Path, step: str, hit: int
) -> None:
    house, mailbox = tmp_path / "house", Folder()
    furnish(house)
    (tmp_path / "password").write_text(PASSWORD, encoding="utf-8")
    (tmp_path / "anchor").write_text(authority().certificate_pem, encoding="ascii")
    for message in MESSAGES:
        mailbox.add(message)
    with serving(mailbox, *key_files(US)) as server:
        stated = Mailbox(
            server=server,
            user=USER,
            password_file=tmp_path / "password",
            address=INTAKE,
            certificates=tmp_path / "anchor",
            after="delete",
        )
        killed(run_imap, house, stated, dying_at(step, hit))
        with opened_at(house) as opened:
            kept = {content(opened, one) for one in received(opened)}
        assert set(MESSAGES) - set(mailbox.messages.values()) <= kept
        run_imap(house, stated, lambda _step: None)
    with opened_at(house) as opened:
        assert_sound(opened)
    assert mailbox.messages == {}


def killed(work: Callable[..., None], *arguments: object) -> None:
    process = FORK.Process(target=work, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    process.close()


# ---- no room, and no time --------------------------------------------------------------------


def test_disk_full_where_the_bytes_go_is_a_452_and_passes(tmp_path: Path) -> None:
    full = [True]

    def failpoint(step: str) -> None:
        if step == "blob synced" and full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with mail_house(tmp_path, failpoint) as house, listening(house) as at:
        with at.dialogue() as smtp:
            smtp.say("EHLO sender.example")
            assert smtp.send().startswith("452")
            assert received(house) == ()
            full[0] = False
            assert smtp.send().startswith("250")
        (message,) = received(house)
        assert content(house, message) == MESSAGE
        assert list(house.archive.blobs.folder(message.plan).glob("*.new")) == []


def test_disk_full_where_the_database_lies_is_a_452_and_passes(tmp_path: Path) -> None:
    """SQLite itself says SQLITE_FULL, at the page count that is set for it."""

    def pages(house: MailHouse, most: int) -> None:
        house.database.write(
            lambda tx: tx.connection.exec_driver_sql(f"PRAGMA max_page_count = {most}").scalar()
        )

    with mail_house(tmp_path) as house, listening(house) as at:
        pages(house, 1)  # as many as there are
        answers = []
        while not answers or answers[-1].startswith("250"):  # the last free page goes first
            answers.append(at.send(MESSAGE + b"%d\r\n" % len(answers)))
            assert len(answers) < 200
        assert answers[-1].startswith("452")
        assert len(received(house)) == len(answers) - 1
        pages(house, 1_000_000)
        assert at.send(MESSAGE + b"%d\r\n" % (len(answers) - 1)).startswith("250")
        assert len(received(house)) == len(answers)


def test_a_message_on_its_way_in_is_let_in_when_we_are_asked_to_stop(tmp_path: Path) -> None:
    with mail_house(tmp_path) as house, ExitStack() as stack:
        at = stack.enter_context(listening(house))
        with at.dialogue() as idle, at.dialogue() as smtp:
            smtp.say("EHLO sender.example")
            for command in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{INTAKE}>", "DATA"):
                smtp.say(command)
            smtp.write(b"the first half\r\n")
            stopping = threading.Thread(target=stack.close)
            stopping.start()
            assert idle.hear().startswith("421")
            smtp.write(b"the second half\r\n.\r\n")
            assert smtp.hear().startswith("250")
            assert smtp.hear().startswith("421")
        stopping.join(20)
        assert content(house, received(house)[0]) == b"the first half\r\nthe second half\r\n"
        with pytest.raises(OSError):
            socket.create_connection((at.host, at.port), timeout=1)


def test_a_spool_whose_caller_goes_away_leaves_nothing(tmp_path: Path) -> None:
    """Cancelled in the middle of writing, as by a connection that is cut."""

    def slow(step: str) -> None:
        if step == "blob synced":
            time.sleep(0.2)

    async def run(house: MailHouse) -> None:
        async def take() -> None:
            async with Spool(house.means, Envelope("REST", "", (INTAKE,))) as spool:
                await spool.write(MESSAGE)
                await spool.commit()

        task = asyncio.create_task(take())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with mail_house(tmp_path, slow) as house:
        asyncio.run(run(house))
        assert received(house) == ()
        assert list(house.archive.blobs.root.rglob("*.new")) == []
