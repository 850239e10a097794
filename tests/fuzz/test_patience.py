"""A case without end is found by the processor's time, in Python and in C."""

import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from tests.fuzz import cms
from tests.fuzz.patience import WithoutEnd, patience
from tests.fuzz.seeds import ROOT


def without_end(_data: bytes) -> None:
    while True:
        pass


def test_a_case_without_end_is_ended_though_it_catches_every_exception() -> None:
    with pytest.raises(WithoutEnd), patience(0.05):
        while True:
            with suppress(Exception):
                without_end(b"")


def test_what_has_ended_is_not_ended_again() -> None:
    with patience(60):
        pass
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_a_reader_without_end_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = cms.Seed("message", b"x", without_end)
    monkeypatch.setattr(cms, "case", lambda number: (seed, b"x"))
    monkeypatch.setattr(cms, "_PATIENCE_SECONDS", 0.05)
    assert cms.look(0).broken == "WithoutEnd()"


def test_a_process_without_end_is_ended_by_the_kernel_even_in_c() -> None:
    script = (
        "from tests.fuzz.patience import end_me_after; "
        "end_me_after(0.05); pow(3, 10**9, 10**100000 + 1)"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True)
    assert run.returncode == -signal.SIGPROF
