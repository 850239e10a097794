"""Whatever is done to a document, reading it ends well: thousands more in `make fuzz`."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccda import CcdaError, parse_document
from tests.ccda.written import summarized, write
from tests.fuzz.cases import case
from tests.fuzz.claims import MOST_SECONDS, is_chosen, judge_json, look
from tests.fuzz.sealed import TouchedTheOutside, nothing_outside
from tests.fuzz.sealed_reading import read_sealed
from tests.fuzz.seeds import CORPUS, ROOT, SAMPLES, load_seeds

FOLDERS = [folder for folder in (SAMPLES, CORPUS) if folder.is_dir()]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@settings(max_examples=50, derandomize=True)
@given(number=st.integers(0, 2**32 - 1))
def test_whatever_is_done_to_a_document_reading_it_ends_well(folder: Path, number: int) -> None:
    seen = look(case(number, load_seeds(folder)))
    assert seen.seconds <= MOST_SECONDS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@settings(max_examples=25, derandomize=True)
@given(number=st.integers(0, 2**32 - 1))
def test_what_was_read_of_it_can_be_written_as_a_valid_document(folder: Path, number: int) -> None:
    """Every document that the writer makes in these tests is held to schema and schematron."""
    data = case(number, load_seeds(folder))
    try:
        summary, patient = summarized([("hostile", data)])
    except CcdaError:
        return
    assert parse_document(write(summary, patient)).issues == ()


def test_most_mutated_documents_still_reach_the_readers() -> None:
    """A mutator that only breaks the XML would prove nothing of what stands behind the parser."""
    seeds = load_seeds(SAMPLES)
    looks = [look(case(number, seeds), page=False) for number in range(100)]
    assert sum(each.entries > 0 for each in looks) > 30


def test_one_document_in_ten_is_tried_as_a_summary_and_always_the_same() -> None:
    documents = [case(number, load_seeds(SAMPLES)) for number in range(200)]
    chosen = [is_chosen(one) for one in documents]
    assert 10 <= sum(chosen) <= 30
    assert chosen == [is_chosen(one) for one in documents]


@pytest.mark.parametrize(
    "written",
    [
        b'{"value":NaN}',
        b'{"value":-Infinity}',
        b"{",
        b'{"a":1}x',
        b"1e999",
        b"5" * 400,
        b"5" * 5000,
    ],
)
def test_what_is_no_json_is_found(written: bytes) -> None:
    with pytest.raises(ValueError):
        judge_json(written)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_kernel_sees_no_file_and_no_connection(folder: Path) -> None:
    documents = [case(number, load_seeds(folder)) for number in range(100)]
    assert len(read_sealed(documents)) == 100


# ---- the seals themselves --------------------------------------------------------------------


def test_the_hook_hears_what_python_opens(tmp_path: Path) -> None:
    with pytest.raises(TouchedTheOutside), nothing_outside():
        (tmp_path / "x").open("w")
    with pytest.raises(TouchedTheOutside), nothing_outside():
        socket.getaddrinfo("localhost", 80)
    with pytest.raises(TouchedTheOutside), nothing_outside():
        os.listdir(tmp_path)


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/dev/null')",
        "socket.socket()",
        "os.execv('/bin/true', ['true'])",
        "etree.parse('/dev/null', etree.XMLParser())",
    ],
)
def test_the_kernel_ends_a_sealed_process_that_reaches_out(attempt: str) -> None:
    script = (
        "import os, socket, sys; from lxml import etree; from tests.fuzz.sealed import *; "
        f"seal_process(); {attempt}"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True)
    assert run.returncode == -signal.SIGSYS
