"""The peer from other hands (IPF on CXF and WSS4J): built, started, asked and stopped."""

import json
import os
import queue
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.installs import Unavailable
from tests.interop import maven
from tests.interop.certificates import PASSWORD, Party

HERE = Path(__file__).parent
START_SECONDS = 60
ASK_SECONDS = 120

# A JVM that lives for seconds: small heap, one collector thread, no second compiler.
JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

Line = Mapping[str, Any]


def build() -> None:
    """Makes the peer ready.

    Raises:
        Unavailable: there is no JDK 17 or no Maven, or the build failed every time.
    """
    maven.build(HERE)


def write_facts(path: Path, facts: Mapping[str, str]) -> Path:
    """The facts file that both modes read: who they are, the patient, the document."""
    path.write_text("".join(f"{name}={value}\n" for name, value in facts.items()))
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a responding gateway answers: ITI-55, ITI-38 and ITI-39."""

    discovery: str
    query: str
    retrieve: str

    @classmethod
    def on(cls, port: int) -> Self:
        """The Java responder's own paths."""
        base = f"https://127.0.0.1:{port}"
        return cls(f"{base}/xcpd", f"{base}/xca/query", f"{base}/xca/retrieve")


@dataclass(frozen=True, slots=True)
class Stores:
    """What a JVM is given of the certificates."""

    party: Party
    trust_store: Path
    stranger: Party

    def arguments(self) -> list[str]:
        return ["--tls-store", str(self.party.tls.store), "--trust-store", str(self.trust_store)]


class JavaResponder:
    """The peer as a responding gateway; a context manager around its process."""

    def __init__(
        self, *, stores: Stores, facts: Path, document: Path, scratch: Path, break_answer: str = ""
    ) -> None:
        port = free_port()
        self.addresses = Addresses.on(port)
        arguments = ["server", str(port), "--facts", str(facts), *stores.arguments()]
        arguments += ["--document", str(document)]
        if break_answer:
            arguments += ["--break-answer", break_answer]
        self._command = _java(arguments, scratch)
        self._errors = scratch / f"responder-{port}.log"
        self._lines: queue.Queue[Line] = queue.Queue()

    def served(self) -> Line:
        """The next exchange it served: the step, the outcome, and whom it believed to ask."""
        return self._lines.get(timeout=10)

    def served_nothing(self) -> bool:
        return self._lines.empty()

    def __enter__(self) -> Self:
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(),
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._lines.get(timeout=START_SECONDS)
        except queue.Empty:
            self.__exit__(None, None, None)
            raise Unavailable(
                f"The Java responder did not start: {self._errors.read_text()[-3000:]}"
            ) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=10)
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the peer made of its round as an initiating gateway."""

    exit_code: int
    steps: tuple[Line, ...]
    log: str

    @property
    def outcomes(self) -> tuple[tuple[str, str], ...]:
        return tuple((step["step"], step["outcome"]) for step in self.steps)


def ask(
    addresses: Addresses,
    *,
    stores: Stores,
    facts: Path,
    scratch: Path,
    tamper: str = "",
    tamper_at: str = "ITI-55",
) -> Asked:
    """One round of the initiating gateway: ITI-55, ITI-38 twice, ITI-39.

    `tamper` spoils the step `tamper_at` in one of the ways that Settings.java lists.
    """
    urls = [addresses.discovery, addresses.query, addresses.retrieve]
    arguments = ["client", *urls, "--facts", str(facts), *stores.arguments()]
    arguments += ["--signing-store", str(stores.party.signing.store)]
    if tamper:
        arguments += ["--tamper", tamper, "--tamper-at", tamper_at]
        arguments += ["--other-store", str(stores.stranger.signing.store)]
    result = subprocess.run(
        _java(arguments, scratch),
        capture_output=True,
        env=_environment(),
        text=True,
        timeout=ASK_SECONDS,
        check=False,
    )
    steps = tuple(json.loads(line) for line in result.stdout.splitlines())
    return Asked(result.returncode, steps, result.stderr)


def _java(arguments: Sequence[str], scratch: Path) -> list[str]:
    logging = HERE / "target" / "classes" / "logging.properties"
    return [
        "java",
        *JVM,
        f"-Djava.io.tmpdir={scratch}",
        f"-Djava.util.logging.config.file={logging}",
        "-cp",
        maven.class_path(HERE, "peer.jar"),
        "peer.Main",
        *arguments,
    ]


def _environment() -> dict[str, str]:
    return {**os.environ, "INTEROP_STORE_PASSWORD": PASSWORD}
