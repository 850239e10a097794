"""IPF's own validators over one of each kind and outcome of what our tests emit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop import peer
from tests.interop.conftest import World

ROOT = Path(__file__).parents[2]
# Where messages of these transactions are made, by either side and however it ends.
EMITTING = (
    *sorted(str(file) for file in (ROOT / "tests/gateway/api").glob("test_soap_*.py")),
    "tests/gateway/clients",
    "tests/flows/test_partner_asks_us.py",
    "tests/flows/test_plan_asks.py",
)
KINDS = {
    "PRPA_IN201305UV02",
    "PRPA_IN201306UV02",
    "MCCI_IN000002UV01",
    "PatientLocationQueryRequest",
    "PatientLocationQueryResponse",
    "AdhocQueryRequest",
    "AdhocQueryResponse",
    "RetrieveDocumentSetRequest",
    "RetrieveDocumentSetResponse",
    "RegistryResponse",
}
SPOILED = {
    "PatientLocationQueryRequest": ("RequestedPatientId", "RequestedPatient"),
    "PatientLocationQueryResponse": ("HomeCommunityId", "HomeCommunity"),
    "PRPA_IN201305UV02": ("<queryId", "<queryAge"),
    "PRPA_IN201306UV02": ('<typeCode code="', '<typeCode kode="'),
    "AdhocQueryRequest": ("$XDSDocumentEntryPatientId", "$XDSDocumentEntryWhatever"),
    "AdhocQueryResponse": ("ResponseStatusType:", "ResponseStatusType:No"),
    "RetrieveDocumentSetRequest": ("DocumentUniqueId", "DocumentId"),
    "RetrieveDocumentSetResponse": ("ResponseStatusType:", "ResponseStatusType:No"),
    "RegistryResponse": ("ResponseStatusType:", "ResponseStatusType:No"),
}


@pytest.fixture(scope="module")
def emitted(world: World) -> Path:
    folder = world.folder / "emitted"
    folder.mkdir()
    # A SOAP fault is the envelope's own, and IPF reads it wherever our gateway refuses it.
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", *EMITTING]
    environment = {**os.environ, "EMITTED_MESSAGES": str(folder)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:]
    # Submissions are those of the partner in the tests of our door, each as broken as it must be.
    for pattern in ("Fault-*", "ProvideAndRegisterDocumentSetRequest-*"):
        for file in folder.glob(pattern):
            file.unlink()
    return folder


def test_ipf_holds_nothing_against_any(emitted: Path, world: World) -> None:
    found = peer.validate(emitted, world.folder)
    assert {file.split("-")[0] for file in found} >= KINDS
    assert {file: why for file, why in found.items() if why} == {}


def test_the_validators_are_awake(emitted: Path, world: World) -> None:
    spoiled = world.folder / "spoiled"
    spoiled.mkdir()
    for kind, (right, wrong) in SPOILED.items():
        for file in emitted.glob(f"{kind}-*"):
            text = file.read_text("utf-8")
            if right in text:
                (spoiled / file.name).write_text(text.replace(right, wrong), "utf-8")
    found = peer.validate(spoiled, world.folder)
    assert {file.split("-")[0] for file in found} == set(SPOILED)
    assert [file for file, why in found.items() if not why] == []
    shutil.rmtree(spoiled)
