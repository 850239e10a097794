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


class _Java:
    """The program as a process that writes a JSON object a line; a context manager around it."""

    def __init__(
        self, arguments: Sequence[str], scratch: Path, *, jvm: Sequence[str] = JVM
    ) -> None:
        self._command = _java(arguments, scratch, jvm)
        self._errors = scratch / f"{arguments[0]}-{free_port()}.log"
        self._lines: queue.Queue[Line] = queue.Queue()

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

    def log(self) -> str:
        """The end of what it wrote of its troubles."""
        return self._errors.read_text()[-3000:]

    def _next(self, seconds: float) -> Line:
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            return {"ended": True}

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put({"ended": True})


class JavaResponder(_Java):
    """The peer as a responding gateway.

    `options` are those of Settings.java: which documents it holds, and how it is to fail.
    """

    def __init__(
        self,
        *,
        stores: Stores,
        facts: Path,
        scratch: Path,
        options: Mapping[str, str],
        jvm: Sequence[str] = JVM,
    ) -> None:
        port = free_port()
        self.addresses = Addresses.on(port)
        base = f"https://127.0.0.1:{port}"
        self.locations = f"{base}/locations"
        self.submissions = {"ITI-41": f"{base}/xdr", "ITI-80": f"{base}/xcdr"}
        arguments = ["server", str(port), "--facts", str(facts), *stores.arguments()]
        super().__init__([*arguments, *_as_arguments(options)], scratch, jvm=jvm)

    @property
    def process_id(self) -> int:
        return self._process.pid

    def served(self) -> Line:
        """The next exchange it served: the step, the outcome, and whom it believed to ask."""
        return self._next(10)

    def served_nothing(self) -> bool:
        return self._lines.empty()

    def __enter__(self) -> Self:
        super().__enter__()
        if "ready" not in self._next(START_SECONDS):
            self.__exit__(None, None, None)
            raise Unavailable(f"The Java responder did not start: {self.log()}")
        return self


@dataclass(frozen=True, slots=True)
class Asked:
    """What the peer made of its round as an initiating gateway."""

    exit_code: int
    steps: tuple[Line, ...]
    log: str

    @property
    def outcomes(self) -> tuple[tuple[str, str], ...]:
        return tuple((step["step"], step["outcome"]) for step in self.steps)


class JavaInitiator(_Java):
    """The peer as an initiating gateway, for as many rounds as it is asked for."""

    def __init__(self, scratch: Path) -> None:
        super().__init__(["client"], scratch)

    def ask(
        self, addresses: Addresses, *, stores: Stores, facts: Path, options: Mapping[str, str]
    ) -> Asked:
        """One round: ITI-55, ITI-38 twice, ITI-39, each only if the step before found something.

        `options` are those of Settings.java: how messages are made, and how one is spoiled.
        """
        urls = [addresses.discovery, addresses.query, addresses.retrieve]
        arguments = [*urls, "--facts", str(facts), *stores.arguments()]
        arguments += ["--signing-store", str(stores.party.signing.store)]
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([*arguments, *_as_arguments(options)]) + "\n")
        self._process.stdin.flush()
        steps: list[Line] = []
        while "done" not in (line := self._next(ASK_SECONDS)):
            assert "ended" not in line, self.log()
            steps.append(line)
        return Asked(line["done"], tuple(steps), self.log())


def validate(folder: Path, scratch: Path) -> dict[str, str]:
    """What IPF's validators hold against each message in a folder, empty if nothing.

    A file is named for the root of the body that it holds, up to a hyphen.
    """
    result = subprocess.run(
        _java(["validate", str(folder)], scratch),
        capture_output=True,
        text=True,
        timeout=ASK_SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return {line["file"]: line["held_against"] for line in lines}


def _as_arguments(options: Mapping[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def _java(arguments: Sequence[str], scratch: Path, jvm: Sequence[str] = JVM) -> list[str]:
    logging = HERE / "target" / "classes" / "logging.properties"
    return [
        "java",
        *jvm,
        f"-Djava.io.tmpdir={scratch}",
        f"-Djava.util.logging.config.file={logging}",
        "-cp",
        maven.class_path(HERE, "peer.jar"),
        "peer.Main",
        *arguments,
    ]


def _environment() -> dict[str, str]:
    return {**os.environ, "INTEROP_STORE_PASSWORD": PASSWORD}
