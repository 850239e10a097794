"""Downloads of software from other hands: tried again when they fail, never silently."""

import hashlib
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ATTEMPTS: Final = 3
_SECONDS: Final = 900
_SAID_BYTES: Final = 3000


class Unavailable(Exception):
    """Something from other hands cannot be had on this machine; the message says what."""


def run_until_done(
    command: Sequence[str],
    *,
    folder: Path,
    again: Sequence[str] = (),
    pause_seconds: float = 5,
) -> None:
    """Runs a download in `folder`; from the second time on with the arguments `again` as well.

    Raises:
        Unavailable: it failed every time.
    """
    said = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause_seconds * attempt)
        try:
            result = subprocess.run(
                [*command, *(again if attempt else ())],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            said = f"nothing for {_SECONDS} seconds"
            continue
        if result.returncode == 0:
            return
        said = (result.stdout + result.stderr)[-_SAID_BYTES:]
    named = " ".join([Path(command[0]).name, *command[1:3]])
    raise Unavailable(f"{named} in {folder.name} failed {ATTEMPTS} times; it said last:\n{said}")


def require(purpose: str, tools: dict[str, str]) -> None:
    """Raises Unavailable, in a sentence, unless every tool is on the path."""
    for tool, meaning in tools.items():
        if shutil.which(tool) is None:
            raise Unavailable(f"{purpose} needs {meaning}: there is no {tool} on the path.")


def fingerprint(folder: Path, sources: Sequence[str]) -> str:
    """A digest of those files of a folder, and of all files below those of its folders."""
    digest = hashlib.sha256()
    named = [folder / source for source in sources]
    inside = [path for source in named if source.is_dir() for path in source.rglob("*")]
    for path in sorted([*named, *inside]):
        if path.is_file():
            digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
