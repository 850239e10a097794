"""The demo, as a new user runs it: five processes, real wires, one summary."""

import subprocess
import sys

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
    ],
)
def test_the_demo_shows_what_was_planted(run: subprocess.CompletedProcess[str], line: str) -> None:
    assert line in run.stdout


def test_the_demo_leaves_no_process_behind(run: subprocess.CompletedProcess[str]) -> None:
    listed = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True)
    rows = [row.split(None, 1) for row in listed.stdout.splitlines()[1:]]
    orphans = [row for row in rows if row[0] == "1" and "gateway.demo.partner" in row[1]]
    assert orphans == [], run.args
