"""What of demographics is compared, however it is written, and what is left out and said."""

import pytest

from ccda.hl7v3 import II, PN, TEL, TS, US_SSN
from gateway.model.ignored import Ignored
from gateway.model.person import BirthDate, Person, read_person
from ihe.xcpd import Demographics

BORN = BirthDate(1958, 3, 14)


def birth(text: str) -> BirthDate | None:
    return read_person(Demographics(birth_time=TS(text))).birth


def named(*names: PN) -> Person:
    return read_person(Demographics(names=names))


def with_ssns(*numbers: str) -> Person:
    return read_person(Demographics(ids=tuple(II(US_SSN, number) for number in numbers)))


@pytest.mark.parametrize(
    "time",
    ["", "1200", "000000+0000", "000000-0600", "0000+0100", "+0000", "Z", "000000Z", " 00:00:00",
     "000000.000+0000"],
)  # fmt: skip
def test_a_birth_date_is_read_whatever_time_and_offset_follow_it(time: str) -> None:
    assert birth(f"19580314{time}") == BORN


@pytest.mark.parametrize("time", ["", "T00:00:00Z", "T00:00:00+00:00", " 00:00:00"])
def test_a_birth_date_of_iso_8601_is_read_whatever_follows_it(time: str) -> None:
    assert birth(f"1958-03-14{time}") == BORN


# ---- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("initial", ["V", "I", "V."])
def test_an_initial_is_no_generation(initial: str) -> None:
    (name,) = named(PN("Smith", ("James", initial))).names
    assert (name.middle, name.suffix) == ((initial[0].lower(),), None)


@pytest.mark.parametrize(
    "name",
    [
        PN("Smith", ("John", "Quentin"), suffix=("V",)),
        PN("Smith", ("John",), suffix=("MD", "V")),
        PN("Smith V", ("John", "Quentin")),
    ],
)
def test_the_fifth_is_a_generation_where_it_can_be_no_initial(name: PN) -> None:
    assert [one.suffix for one in named(name).names] == [5]


def test_a_saint_is_written_out_or_not() -> None:
    assert named(PN("Saint John", ("Ann",))) == named(PN("St. John", ("Ann",)))
    assert [one.family for one in named(PN("Saint", ("Eva",))).names] == [("saint",)]


# ---- numbers and addresses -------------------------------------------------------------------


@pytest.mark.parametrize("tail", ["XXX-XX-0000", "9999", "***-**-1111"])
def test_four_digits_that_fill_a_form_up_are_no_ssn(tail: str) -> None:
    person = with_ssns(tail)
    assert person.ssn is None
    assert person.ignored == (Ignored("SSN", "a placeholder or no possible number"),)


@pytest.mark.parametrize(
    "numbers", [("1234", "5678"), ("5678", "1234"), ("219-09-1234", "xxx-xx-5678")]
)
def test_of_two_ssns_neither_counts(numbers: tuple[str, ...]) -> None:
    person = with_ssns(*numbers)
    assert person.ssn is None
    assert person.ignored == (Ignored("SSN", "more than one number"),)


def test_an_ssn_and_its_own_last_four_are_one() -> None:
    assert with_ssns("xxx-xx-1234", "219-09-1234").ssn == "219091234"


def test_a_mail_address_is_one_whatever_the_case_of_its_scheme() -> None:
    telecoms = (TEL("MAILTO:Ann@Example.org"), TEL("mailto:ann@example.org"))
    person = read_person(Demographics(telecoms=telecoms))
    assert person.emails == {"ann@example.org"}
