"""`gateway serve` with mail: a process of its own, that comes back and never outlives us."""

import os
import signal
import smtplib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.gateway.cli.terminal import run
from tests.gateway.house import PLAN, US, key_files
from tests.gateway.intakes.mail_house import DOMAIN, INTAKE, MESSAGE, SENDER
from tests.gateway.test_app import ROOT, free_address


def settings_file(folder: Path, listen: str | None, *, tls: bool = True) -> Path:
    """gateway.toml of a house that takes mail at `listen`; None is one without mail."""
    certificate, key = key_files(US)
    plans = free_address()
    lines = ["[gateway]", f'data_dir = "{folder}/data"', f'key_file = "{folder}/keys/key"']
    lines += ["[listen]", f'plans = "{plans}"', f'operations = "{plans}"']
    lines += [f'partners = "{free_address()}"']
    if tls:
        lines += ["[tls]", f'certificate = "{certificate}"', f'key = "{key}"']
    lines += ["[[plans]]", f'id = "{PLAN}"', 'name = "Acme"']
    if listen is not None:
        lines += ["[mail]", f'listen = "{listen}"', "[[mail.domains]]", f'name = "{DOMAIN}"']
    file = folder / "gateway.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


@contextmanager
def running(config: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "gateway", "serve", *arguments, "--config", str(config)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def send(address: str, message: bytes = MESSAGE) -> None:
    host, _, port = address.rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=20) as client:
        client.sendmail(SENDER, [INTAKE], message)


def until(happens: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def answers(address: str) -> bool:
    try:
        host, _, port = address.rpartition(":")
        with smtplib.SMTP(host, int(port), timeout=5) as client:
            return client.noop()[0] == 250
    except OSError:
        return False


def children(process: int, what: str = "mail") -> list[int]:
    """The processes for mail, or for partners, that this one has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            command = (status.parent / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == process and f"--only\0{what}".encode() in command:
            found.append(int(status.parent.name))
    return found


@pytest.fixture
def address() -> str:
    return free_address()


def test_mail_is_taken_by_a_process_of_its_own_that_comes_back(
    tmp_path: Path, address: str
) -> None:
    config = settings_file(tmp_path, address)
    with running(config) as process:
        until(lambda: answers(address), "mail is not listened for")
        send(address)
        (child,) = children(process.pid)
        os.kill(child, signal.SIGKILL)
        until(lambda: children(process.pid) not in ([], [child]), "it did not come back")
        until(lambda: answers(address), "mail is not listened for again")
        send(address)
        send(address, MESSAGE + b"second\r\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert children(process.pid) == []
    with closing(sqlite3.connect(tmp_path / "data" / "gateway.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM mail_received").fetchone() == (2,)


def test_the_mail_process_does_not_outlive_its_parent(tmp_path: Path, address: str) -> None:
    with running(settings_file(tmp_path, address)) as process:
        until(lambda: answers(address), "mail is not listened for")
        (child,) = children(process.pid)
        process.kill()
        process.wait(10)
        until(lambda: _is_dead(child), "it lives on")


def _is_dead(process: int) -> bool:
    """A process that has ended and is not yet waited for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_mail_alone_may_be_served(tmp_path: Path, address: str) -> None:
    with running(settings_file(tmp_path, address), "--only", "mail") as process:
        until(lambda: answers(address), "mail is not listened for")
        send(address)
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in printed and SENDER not in printed and INTAKE not in printed


@pytest.mark.parametrize(
    ("listen", "arguments", "sentence"),
    [
        ("0.0.0.0:0", (), "[mail] listen is a real address and needs [tls]"),
        ("0.0.0.0:0", ("--only", "mail"), "[mail] listen is a real address and needs [tls]"),
        (None, ("--only", "mail"), "there is no [mail]"),
        (None, ("--only", "partners"), "answering partners needs [tls] and [signing]"),
        (None, ("--only", "soap"), "--only takes mail or partners"),
    ],
)
def test_what_is_not_safe_or_not_there_is_not_served(
    tmp_path: Path, listen: str | None, arguments: tuple[str, ...], sentence: str
) -> None:
    config = settings_file(tmp_path, listen, tls=False)
    ended = run("serve", *arguments, "--config", config)
    assert ended.exit_code == 2
    assert sentence in ended.err


def test_config_check_says_how_mail_comes_in(tmp_path: Path) -> None:
    config = settings_file(tmp_path, "127.0.0.1:2525", tls=False)
    told = run("config", "check", "--config", config).out
    assert f"{DOMAIN}, its mail is plan {PLAN}'s" in told
    assert "mode agent: messages come sealed" in told
    assert "warning: mail is taken at 127.0.0.1:2525 without TLS" in told
