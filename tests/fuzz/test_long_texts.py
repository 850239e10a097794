"""Half a megabyte where a word is expected is merged and matched within seconds.

What looks for a pattern from each of its places takes the square of the text's length.
"""

import time

import pytest

from ccda.hl7v3 import PN, TS
from ccda.model import Patient
from gateway.exchange.demographics import demographics_of
from gateway.model.person import read_person
from tests.ccda.written import SAMPLES, summarized, write
from tests.fuzz.claims import MOST_SECONDS

LENGTH = 500_000
UNITS = ("1", "1,", "1 ", "-", "a.", "no ", "A", " ", "+1")


def long(unit: str) -> str:
    """Ends in what a search for the end of the line stumbles over."""
    return unit * (LENGTH // len(unit)) + "\nx"


@pytest.mark.parametrize("unit", UNITS)
def test_a_long_name_is_merged_and_written_in_time(unit: str) -> None:
    document = (SAMPLES / "whole_record.xml").read_bytes()
    name = b'displayName="Lisinopril 10 MG Oral Tablet"'
    assert name in document
    text = long(unit).replace("\n", "&#10;").encode("ascii")
    started = time.process_time()
    write(*summarized([("long", document.replace(name, b'displayName="' + text + b'"'))]))
    assert time.process_time() - started < MOST_SECONDS


@pytest.mark.parametrize("unit", UNITS)
def test_a_long_name_and_birth_date_are_read_in_time(unit: str) -> None:
    names = (PN(family=long(unit), given=(long(unit),)),)
    started = time.process_time()
    read_person(demographics_of(Patient(names=names, birth_time=TS(long(unit)))))
    assert time.process_time() - started < MOST_SECONDS
