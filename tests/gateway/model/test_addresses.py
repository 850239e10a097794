"""A street is a door without its flat; what has no number is none."""

import pytest

from ccda.hl7v3 import AD
from gateway.model.addresses import Address, read_addresses
from gateway.model.ignored import Ignored


def read(*lines: str) -> tuple[Address, list[Ignored]]:
    ignored: list[Ignored] = []
    (found,) = read_addresses((AD(lines, "Madison", "WI", "53703"),), ignored)
    return found, ignored


def street(*lines: str) -> tuple[str, ...]:
    found, ignored = read(*lines)
    assert ignored == []
    return found.street


@pytest.mark.parametrize(
    "line",
    ["No fixed address", "NO ADDRESS", "Refused", "Bad address", "NFA", "X", "Refused Apt 4"],
)
def test_what_has_no_number_is_no_door_and_said(line: str) -> None:
    found, ignored = read(line)
    assert (found.street, found.zip5) == ((), "53703")
    assert ignored == [Ignored("address", "no number, so no door")]


@pytest.mark.parametrize(
    "flat", ["#4", "# 4", "Apt 4", "Apt #4", "Unit 4", "Apartment #4B", ", #4"]
)
def test_a_flat_is_left_out_also_behind_its_sign(flat: str) -> None:
    assert street(f"12 Elm St {flat}") == street("12 Elm St", flat) == ("12", "elm", "st")


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("PO Box #1123", ("po", "box", "1123")),
        ("12 Route #7", ("12", "route", "7")),
        ("#12 Elm Street", ("12", "elm", "st")),
        ("One Elm Street", ("1", "elm", "st")),
    ],
)
def test_a_number_that_is_no_flats_stays(line: str, read: tuple[str, ...]) -> None:
    assert street(line) == read
