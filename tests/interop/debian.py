"""Servers from Debian's packages, unpacked into a folder of this checkout: no root, no install."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.installs import Unavailable, require, run_until_done

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "debian"


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
