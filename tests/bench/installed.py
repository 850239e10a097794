"""The peers that are measured beside us: each in a folder of its own, made when it is asked for."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.corpus import ROOT
from tests.installs import require, run_until_done

_FOLDER: Final = ROOT / ".cache" / "peers"
_FEEDS: Final = Path(__file__).parent / "feeds"


@dataclass(frozen=True, slots=True)
class Program:
    """Something that reads documents: how its process is started, and where."""

    name: str
    command: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class Peer:
    """A package of version `version` from PyPI or npm."""

    name: str
    version: str
    language: str

    @property
    def label(self) -> str:
        return f"{self.name} {self.version}"


PEERS: Final = (
    Peer("python-fhir-converter", "0.3.0", "python"),
    Peer("ccda-to-fhir", "0.3", "python"),
    Peer("@amida-tech/blue-button", "1.10.11", "node"),
    Peer("@medplum/ccda", "5.1.10", "node"),
)


def own(name: str) -> Program:
    """Bare lxml or the project itself, in the very environment that runs the benchmark."""
    return Program(name, (sys.executable, str(_FEEDS / "feed.py"), name), ROOT)


def installed(peer: Peer) -> Program:
    """The peer, installed if it is not yet.

    Raises:
        Unavailable: it cannot be had here.
    """
    folder = _FOLDER / f"{peer.name.replace('/', '-')}-{peer.version}"
    done = folder / "installed"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install = _install_from_pypi if peer.language == "python" else _install_from_npm
        install(peer, folder)
        done.touch()
    return Program(peer.label, _command(peer, folder), folder)


def _install_from_pypi(peer: Peer, folder: Path) -> None:
    run_until_done([sys.executable, "-m", "venv", str(folder / "venv")], folder=folder)
    pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    run_until_done([*pip, f"{peer.name}=={peer.version}"], folder=folder)


def _install_from_npm(peer: Peer, folder: Path) -> None:
    require(peer.name, {"node": "Node.js", "npm": "npm"})
    (folder / "package.json").write_text('{"private": true}\n')
    npm = ["npm", "install", "--no-audit", "--no-fund"]
    run_until_done([*npm, f"{peer.name}@{peer.version}"], folder=folder)


def _command(peer: Peer, folder: Path) -> tuple[str, ...]:
    if peer.language == "python":
        return (str(folder / "venv" / "bin" / "python"), str(_FEEDS / "feed.py"), peer.name)
    # Without the option @medplum/core does not load before Node.js 22.
    return ("node", "--experimental-websocket", str(_FEEDS / "feed.cjs"), peer.name)
