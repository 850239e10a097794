"""S/MIME from other hands: BouncyCastle, the reference agent, and `openssl cms`."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.interop import maven

_HERE: Final = Path(__file__).parent / "direct"
BOUNCYCASTLE: Final = _HERE / "bouncycastle"
AGENT: Final = _HERE / "agent"
_SECONDS: Final = 120


class PeerRefused(Exception):
    """The peer does not take the message; the text is its own reason."""


def build() -> None:
    """Makes both Java programs ready.

    Raises:
        Unavailable: there is no JDK 17 or no Maven, or a build failed every time.
    """
    maven.build(BOUNCYCASTLE)
    maven.build(AGENT)


class JavaPeer:
    """One running Java program that answers a line with a line."""

    def __init__(self, project: Path, log: Path) -> None:
        self._log = log.open("wb")
        jar = f"{project.name}.jar"
        self._process = subprocess.Popen(
            [
                "java",
                "-Xmx1g",
                "-XX:+UseSerialGC",
                "-cp",
                maven.class_path(project, jar),
                f"{project.name}.Main",
            ],
            # The reference agent writes what it opens under tmp/ of where it runs.
            cwd=log.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(_SECONDS)
        self._log.close()

    def ask(self, do: str, **command: object) -> str:
        """What the peer answers.

        Raises:
            PeerRefused: it refuses the message.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        fields = {"do": do, **command}
        line = "\t".join(f"{name}={value}" for name, value in fields.items())
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        # The agent's libraries log to standard output too.
        while (said := self._process.stdout.readline()) and not _is_answer(said):
            pass
        if not said:
            raise RuntimeError("the Java peer has ended")
        outcome, _, detail = said.removeprefix("answer\t").rstrip("\n").partition("\t")
        if outcome == "refused":
            raise PeerRefused(detail)
        return detail


def _is_answer(line: str) -> bool:
    return line.removeprefix("answer\t").startswith(("ok\t", "refused\t"))


def openssl(*arguments: object, data: bytes = b"") -> bytes:
    """What `openssl` says to these arguments.

    Raises:
        PeerRefused: it fails.
    """
    command: Sequence[str] = ["openssl", *map(str, arguments)]
    run = subprocess.run(command, input=data, capture_output=True, timeout=_SECONDS, check=False)
    if run.returncode:
        raise PeerRefused(run.stderr.decode(errors="replace"))
    return run.stdout
