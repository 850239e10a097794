"""The demo, as a new user runs it: six communities, real wires, one summary."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def run() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", "demo", "--once"],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_demo_ends_well_when_every_step_went_as_it_should(
    run: subprocess.CompletedProcess[str],
) -> None:
    assert run.returncode == 0, run.stdout + run.stderr
    assert "not as it should be" not in run.stdout
    assert "chain verified: sound" in run.stdout


@pytest.mark.parametrize(
    "line",
    [
        "no answer in time",
        "knows no such patient",
        "sources disagree: Lakeshore Medical Group says resolved",
        "lisinopril 10 MG Oral Tablet  stopped, 2016-09-12 to 2025-05-20",
        "refused (Patient objection), 2024-10-08",
        "12.4 → 13.1 → 12.8 g/dL",
        "as written: 12.8 was 128 g/L",
        "Type 2 diabetes mellitus",
        "Harborview Urgent Care pushes a visit by Direct mail",
        "MDN processed, MDN dispatched",
        "left ankle",
    ],
)
def test_the_demo_shows_what_was_planted(run: subprocess.CompletedProcess[str], line: str) -> None:
    assert line in run.stdout


def test_the_demo_leaves_no_process_behind(run: subprocess.CompletedProcess[str]) -> None:
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "ppid,args"], capture_output=True, text=True, check=True
    )
    rows = [row.split(None, 1) for row in listed.stdout.splitlines()[1:]]
    orphans = [row for row in rows if row[0] == "1" and "gateway.demo.community" in row[1]]
    assert orphans == [], run.args


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_demo_that_is_ended_early_takes_its_processes_with_it(
    number: signal.Signals, tmp_path: Path
) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    demo = subprocess.Popen(
        [sys.executable, "-m", "gateway", "demo"], stdout=subprocess.DEVNULL, env=environment
    )
    _until(lambda: _running_in(tmp_path) >= 3)
    demo.send_signal(number)
    demo.wait(timeout=30)
    _until(lambda: _running_in(tmp_path) == 0)
    if number is signal.SIGTERM:
        assert list(tmp_path.iterdir()) == [], "keys and data are gone too"


def _running_in(folder: Path) -> int:
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True
    )
    rows = listed.stdout.splitlines()
    return sum("gateway.demo.community" in row and str(folder) in row for row in rows)


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
