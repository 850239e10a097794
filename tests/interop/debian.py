"""Servers from Debian's archive, unpacked beside the checkout and run where nothing else sees it.

Nothing is installed. Where a server must find its files in `/usr` and its users in `/etc/passwd`,
a mount namespace of its own shows it those, and goes with it. As root that is all; another user
needs user namespaces with a range of ids (`unshare --map-auto`, /etc/subuid), for mail servers
drop their rights.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from tests.installs import Unavailable, require, run_until_done

CACHE: Final = Path(__file__).resolve().parents[2] / ".cache" / "debian"
_SECONDS: Final = 30.0


@cache
def unpacked(*packages: str) -> Path:
    """A folder with the packages and all that they need beyond what is installed.

    Raises:
        Unavailable: this is no Debian, or the packages could not be had.
    """
    require("make interop", {"apt-get": "Debian's apt", "dpkg": "Debian's dpkg"})
    target = CACHE / "-".join(sorted(packages))
    if (target / ".whole").is_file():
        return target / "root"
    shutil.rmtree(target, ignore_errors=True)
    for folder in ("lists/partial", "archives/partial", "debs", "root"):
        (target / folder).mkdir(parents=True)
    # Lists of our own: those of the machine may be old, and may be root's alone.
    apt = [
        "apt-get", "-q", "-o", f"Dir::State::lists={target / 'lists'}",
        "-o", f"Dir::Cache={target}", "-o", "APT::Sandbox::User=",
        "-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=30",
    ]  # fmt: skip
    run_until_done([*apt, "update"], folder=target)
    wanted = _needed(apt, packages)
    run_until_done([*apt, "download", *wanted], folder=target / "debs")
    for package in (target / "debs").glob("*.deb"):
        run_until_done(["dpkg", "-x", str(package), str(target / "root")], folder=target)
    shutil.rmtree(target / "lists")
    (target / ".whole").touch()
    return target / "root"


def _needed(apt: Sequence[str], packages: Sequence[str]) -> list[str]:
    """The packages themselves, installed or not, and what of their needs is not installed."""
    simulated = [*apt, "--simulate", "--no-install-recommends", "install", *packages]
    result = subprocess.run(simulated, capture_output=True, text=True, check=False)
    if result.returncode:
        raise Unavailable(f"apt-get knows no {', '.join(packages)}: {result.stderr[-1000:]}")
    lines = [line.split() for line in result.stdout.splitlines()]
    needed = {words[1] for words in lines if words[:1] == ["Inst"]}
    return sorted(needed | set(packages))


def environment(root: Path) -> dict[str, str]:
    """Where programs of the folder find their libraries."""
    folders = [
        str(folder)
        for base in (root / "usr" / "lib", root / "lib")
        for folder in (base, *base.glob("*-linux-gnu*"))
        if folder.is_dir()
    ]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(folders), "LDAPNOINIT": "1"}


@contextmanager
def started(
    root: Path,
    command: Sequence[str],
    *,
    users: Sequence[str],
    groups: Sequence[str],
    scratch: Path,
    port: int,
) -> Iterator[None]:
    """The server up, answering at `port` of loopback; `users` and `groups` are lines of their
    files beside the system's own.

    Raises:
        Unavailable: it does not start; the message holds what it said.
    """
    for name, lines in (("passwd", users), ("group", groups)):
        own = Path("/etc", name).read_text(encoding="utf-8")
        (scratch / name).write_text(own + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    script = (
        'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/group" /etc/group &&'
        ' mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr && shift && exec "$@"'
    )
    own_ids = [] if os.getuid() == 0 else ["--user", "--map-root-user", "--map-auto"]
    said = scratch / "said"
    with (
        said.open("wb") as output,
        subprocess.Popen(
            ["unshare", *own_ids, "--mount", "sh", "-c", script, scratch, root, *command],
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            if not _until(lambda: process.poll() is not None or _answers(port)):
                raise Unavailable(f"{command[0]} says nothing: {_last(said)}")
            if process.poll() is not None:
                raise Unavailable(f"{command[0]} does not start: {_last(said)}")
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _until(happens: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _SECONDS
    while not happens():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _last(said: Path) -> str:
    return said.read_text(encoding="utf-8", errors="replace")[-2000:]
