"""The Java programs of an interop run, built from a pom.xml and sources that stand here."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.installs import Unavailable, fingerprint, require, run_until_done

# Maven 3.8 and newer ones in turn: they wait half an hour for a silent server if not told.
_PATIENCE = (
    "-Dmaven.wagon.rto=60000",
    "-Dmaven.wagon.http.retryHandler.count=3",
    "-Daether.connector.requestTimeout=60000",
    "-Daether.connector.http.retryHandler.count=3",
)


def build(project: Path) -> None:
    """Makes the project's target/ anew unless the sources are those it was made from.

    Raises:
        Unavailable: there is no JDK 17 or no Maven, or the build failed every time.
    """
    _require_tools()
    target = project / "target"
    made_from = target / "made-from"
    sources = fingerprint(project, ["pom.xml", "src"])
    if made_from.is_file() and made_from.read_text() == sources:
        return
    shutil.rmtree(target, ignore_errors=True)
    command = ["mvn", "package", "-q", "-B", *_PATIENCE, "-f", str(project / "pom.xml")]
    # What could not be had is remembered as missing unless it is asked for anew.
    run_until_done(command, folder=project, again=["-U"])
    made_from.write_text(sources)


def class_path(project: Path, jar: str) -> str:
    """The built program and everything that it stands on."""
    target = project / "target"
    return f"{target / jar}{os.pathsep}{target / 'lib' / '*'}"


def _require_tools() -> None:
    require("make interop", {"javac": "a JDK, 17 or newer", "mvn": "Maven, 3.8 or newer"})
    said = subprocess.run(["javac", "-version"], capture_output=True, text=True, check=True)
    version = (said.stdout or said.stderr).split()[-1]
    if int(version.split(".")[0]) < 17:
        raise Unavailable(f"make interop needs a JDK, 17 or newer: javac here is {version}.")
