"""Servers from Debian's archive, unpacked beside the checkout and run where nothing else sees it.

Nothing is installed. A mount namespace of its own shows the server its files in `/usr` and its
users in `/etc/passwd`, and goes with it. As root that is all; another user needs user namespaces
with a range of ids (`unshare --map-auto`, /etc/subuid), for mail servers drop their rights.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.installs import Unavailable, require, run_until_done

_CACHE: Final = Path(__file__).resolve().parents[2] / ".cache" / "debian"
_SECONDS: Final = 30.0


def unpacked(*packages: str) -> Path:
    """A folder with the files of these packages.

    Raises:
        Unavailable: they cannot be had here.
    """
    require(" and ".join(packages), {"apt-get": "Debian's apt", "dpkg": "dpkg"})
    folder = _CACHE / "+".join(packages)
    if folder.is_dir():
        return folder
    _CACHE.mkdir(parents=True, exist_ok=True)
    made = _CACHE / f"{folder.name}.{os.getpid()}"
    archives = made / "archives"
    archives.mkdir(parents=True)
    try:
        # apt-get knows no retry of its own that also renews its lists.
        for attempt in range(2):
            try:
                run_until_done(["apt-get", "download", *packages], folder=archives)
                break
            except Unavailable:
                if attempt:
                    raise
                run_until_done(["apt-get", "update"], folder=archives)
        for archive in archives.iterdir():
            subprocess.run(["dpkg", "-x", archive, made / "root"], check=True)
        (made / "root").rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


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
