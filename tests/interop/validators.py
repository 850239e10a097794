"""Two validators of FHIR R4 from other hands: HAPI FHIR's, and that of @medplum/core."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.installs import Unavailable, fingerprint, require, run_until_done
from tests.interop import maven

_HERE: Final = Path(__file__).parent
_HAPI: Final = _HERE / "hapi"
_MEDPLUM: Final = _HERE / "medplum"
_SECONDS: Final = 900
# The first Node.js that takes the option with which @medplum/core loads before version 22.
_NODE: Final = (20, 10)


# HAPI FHIR takes the list of languages that R4 prefers for all that there are; any tag of BCP 47 is
# allowed (Patient.communication.language, "preferred but limited to All Languages").
_ONLY_PREFERRED: Final = "is not in valueset: http://hl7.org/fhir/ValueSet/languages"
# An element of R5 stands in R4 under a URL of this form (FHIR: "Extensions for converting between
# versions"), as C-CDA on FHIR asks for an enclosed file; this validator ships R4 alone.
_OF_ANOTHER_VERSION: Final = "extension-Observation.value' is not valid (invalid Version"
# DICOM's Access Control Decision (PS3.16: CID 401) is younger than the copy that R4 has of it.
_YOUNGER: Final = "Unknown code 'http://dicom.nema.org/resources/ontology/DCM#110147'"
_NOT_HELD: Final = (_ONLY_PREFERRED, _OF_ANOTHER_VERSION, _YOUNGER)
_LEANS_ON_NOTHING: Final = "not locally contained within the bundle"


@dataclass(frozen=True, slots=True)
class Problem:
    """What a validator holds against a resource."""

    severity: str
    location: str
    message: str

    @property
    def refuses(self) -> bool:
        """Whether the resource is invalid, or leans on one that is not there."""
        if any(said in self.message for said in _NOT_HELD):
            return False
        return self.severity in ("error", "fatal") or _LEANS_ON_NOTHING in self.message


Problems = tuple[tuple[Problem, ...], ...]
Validate = Callable[[Sequence[bytes]], Problems]


def build() -> None:
    """Makes both ready.

    Raises:
        Unavailable: a tool is missing, or a download failed every time.
    """
    maven.build(_HAPI)
    _install()


def hapi(resources: Sequence[bytes]) -> Problems:
    """Definitions, invariants, references, and codes as far as HL7 publishes them with R4."""
    class_path = maven.class_path(_HAPI, "hapi.jar")
    return _judged(["java", "-Xmx3g", "-cp", class_path, "hapi.Main"], resources)


def medplum(resources: Sequence[bytes]) -> Problems:
    """Definitions, invariants and required codes."""
    script = str(_MEDPLUM / "validate.mjs")
    return _judged(["node", "--experimental-websocket", script], resources)


VALIDATORS: Final[Mapping[str, Validate]] = {"HAPI FHIR": hapi, "medplum": medplum}


def _judged(command: Sequence[str], resources: Sequence[bytes]) -> Problems:
    """What a validator says of each resource, all of which it must have read."""
    if any(b"\n" in resource for resource in resources):
        raise ValueError("a resource must stand on one line")
    result = subprocess.run(
        command,
        input=b"".join(resource + b"\n" for resource in resources),
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(result.stderr.decode(errors="replace")[-3000:])
    *said, last = map(json.loads, result.stdout.splitlines())
    if last != {"read": len(resources)}:
        raise RuntimeError(f"{command[0]} did not read every resource: {last}")
    found: list[list[Problem]] = [[] for _ in resources]
    for line in said:
        found[line.pop("line")].append(Problem(**line))
    return tuple(map(tuple, found))


def _install() -> None:
    require("make interop", {"node": "Node.js, 20.10 or newer", "npm": "npm"})
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    version = said.stdout.strip().removeprefix("v")
    if tuple(map(int, version.split(".")[:2])) < _NODE:
        raise Unavailable(f"make interop needs Node.js, 20.10 or newer: node here is {version}.")
    made_from = _MEDPLUM / "node_modules" / "made-from"
    lock = fingerprint(_MEDPLUM, ["package.json", "package-lock.json"])
    if made_from.is_file() and made_from.read_text() == lock:
        return
    shutil.rmtree(_MEDPLUM / "node_modules", ignore_errors=True)
    run_until_done(["npm", "ci", "--no-audit", "--no-fund"], folder=_MEDPLUM)
    made_from.write_text(lock)
