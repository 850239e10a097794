"""Downloads of software from other hands: tried again, and never missing without a word."""

import sys
from pathlib import Path

import pytest

from tests.installs import Unavailable, fingerprint, require, run_until_done

# Fails until it was run as often as its first argument says, or is told to go on.
FLAKY = """
import pathlib, sys
runs = pathlib.Path("runs")
runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
if len(runs.read_text()) < int(sys.argv[1]) and "--again" not in sys.argv:
    sys.exit("the server said 503")
"""


def flaky(times: int) -> list[str]:
    return [sys.executable, "-c", FLAKY, str(times)]


def test_a_download_that_fails_twice_is_tried_a_third_time(tmp_path: Path) -> None:
    run_until_done(flaky(3), folder=tmp_path, pause_seconds=0)
    assert (tmp_path / "runs").read_text() == "xxx"


def test_a_second_try_is_told_that_it_is_one(tmp_path: Path) -> None:
    run_until_done(flaky(9), folder=tmp_path, again=["--again"], pause_seconds=0)
    assert (tmp_path / "runs").read_text() == "xx"


def test_a_download_that_never_works_says_what_it_heard_last(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"failed 3 times; it said last:\nthe server said 503"):
        run_until_done(flaky(9), folder=tmp_path, pause_seconds=0)


def test_a_missing_tool_is_named_with_what_wants_it() -> None:
    with pytest.raises(Unavailable, match=r"The peer needs a loom: there is no jacquard on"):
        require("The peer", {"jacquard": "a loom"})


def test_a_changed_source_changes_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    source = tmp_path / "src" / "Main.java"
    source.write_text("one")
    before = fingerprint(tmp_path, ["pom.xml", "src"])
    source.write_text("two")
    assert fingerprint(tmp_path, ["pom.xml", "src"]) != before
