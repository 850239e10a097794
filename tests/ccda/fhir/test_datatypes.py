"""Numbers, units, times and codes: what is written stays, what cannot stand is left out."""

import json
import math
from decimal import Decimal

import pytest

from ccda.fhir import fhir_json
from ccda.fhir.datatypes import concept, identifier, quantity
from ccda.fhir.numbers import number, whole
from ccda.fhir.systems import code_system
from ccda.fhir.times import date_time, instant, is_after, period_of, when
from ccda.fhir.units import ucum
from ccda.hl7v3 import CD, II, TS


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("7", "7"), ("7.2", "7.2"), ("7.25", "7.25"), ("7.20", "7.20"), ("-0.5", "-0.5"),
        ("120.0", "120.0"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        ("12345678901234567890", "12345678901234567890"), ("+5", "5"), (".5", "0.5"),
        ("1e3", "1000"), ("0.00000001", "0.00000001"),
    ],
)  # fmt: skip
def test_a_number_keeps_the_digits_it_was_written_with(written: str, printed: str) -> None:
    text = fhir_json({"value": number(written)}).decode()
    assert text == f'{{"value":{printed}}}'
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal)["value"] == Decimal(written)


@pytest.mark.parametrize(
    "text",
    [
        "", "1,200", "<5", "1/2", "0x1", "NaN", "Infinity", "1_000", "7 mg", "٣", "1٣", "0.٣",
        "5" * 5000, "5" * 41, f"0.{'1' * 65}", "1e999", "1e-100",
    ],
)  # fmt: skip
def test_what_is_no_number_is_none(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize("text", [f"{'9' * 40}e99", f"-{'9' * 40}e99", f"0.{'0' * 63}1e-99"])
def test_the_farthest_numbers_are_ones_that_a_double_holds(text: str) -> None:
    held = json.loads(fhir_json(number(text)), parse_int=float)
    assert isinstance(held, float) and held != 0 and abs(held) < math.inf


def test_a_half_is_no_whole_number() -> None:
    assert (whole("2.0"), whole("2.5"), whole("99999999999")) == (2, None, None)


@pytest.mark.parametrize(
    ("unit", "code"),
    [
        ("mg/dL", "mg/dL"), ("10*3/uL", "10*3/uL"), ("mm[Hg]", "mm[Hg]"), ("mmHg", "mm[Hg]"),
        ("%", "%"), ("/min", "/min"), ("kg/m2", "kg/m2"), ("{score}", "{score}"),
        ("lbs", "[lb_av]"),
        ("mL/min/{1.73_m2}", "mL/min/{1.73_m2}"), ("m[iU]/mL", "m[iU]/mL"), ("a", "a"),
        ("10^3/ul", "10^3/ul"), ("K/uL", "10*3/uL"), ("mcg", "ug"),
        ("K", None), ("C/F", None), ("ft", None), ("tablet", None), ("Positive", None),
        ("CELLS", None), ("mg per dL", None), ("THOUS", None), ("G", None),
        # What UCUM reads as megagrams, megalitres, petagrams and gigametres nobody means.
        ("MG", "mg"), ("Mg", "mg"), ("ML", "mL"), ("Mg/dL", "mg/dL"), ("KG", "kg"), ("Pg", None),
        ("GM/L", None), ("ML/min", None), ("Mmol/h", None), ("mM", None), ("G/L", None),
        ("g/l", "g/L"), ("MHz", "MHz"), ("M[iU]", "M[iU]"), ("kPa", "kPa"),
    ],
)  # fmt: skip
def test_a_unit_has_a_code_only_where_it_surely_is_ucum(unit: str, code: str | None) -> None:
    assert ucum(unit) == code


def test_a_unit_that_is_not_ucum_stays_in_words() -> None:
    assert quantity("2", "tablet") == {"value": 2, "unit": "tablet"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2012", "2012"), ("2012-08", "2012-08"), ("2012-08-06", "2012-08-06"),
        ("2012-08-06T10:22:00-05:00", "2012-08-06T10:22:00-05:00"),
        ("2012-08-06T10:22-05:00", "2012-08-06T10:22:00-05:00"),
        ("2012-08-06T10:22:00.5+00:00", "2012-08-06T10:22:00.5+00:00"),
        ("2012-08-06T10:22:00", "2012-08-06"), ("2012-08-06T10-05:00", "2012-08-06"),
        ("2012-08-06T25:00:00-05:00", "2012-08-06"),
        ("2012-13", None), ("2012-02-30", None), ("0000", None), ("soon", None), (None, None),
    ],
)  # fmt: skip
def test_a_time_without_an_offset_is_cut_to_its_date(
    written: str | None, expected: str | None
) -> None:
    assert date_time(written) == expected


def test_only_a_time_to_the_second_is_an_instant() -> None:
    assert instant("2012-08-06") is None
    assert instant("2012-08-06T10:22:00-05:00") == "2012-08-06T10:22:00-05:00"


def test_bounds_that_may_be_one_moment_are_cut_to_what_both_say() -> None:
    assert period_of("2012-08-06", "2012-08-06T10:22:00-05:00") == {
        "start": "2012-08-06", "end": "2012-08-06",
    }  # fmt: skip
    assert period_of("2012-08-06", "2012") == {"start": "2012", "end": "2012"}
    assert period_of("2012-08-06T23:00:00-05:00", "2012-08-07T04:30:00+00:00") == {
        "start": "2012-08-06T23:00:00-05:00", "end": "2012-08-07T04:30:00+00:00",
    }  # fmt: skip


def test_moments_of_different_offsets_are_compared_as_moments() -> None:
    assert is_after("2012-08-06T23:00:00-05:00", "2012-08-07T03:30:00+00:00")
    assert not is_after("2012-08", "2012-08-06")


def test_a_code_keeps_its_translations_and_its_words() -> None:
    code = CD(
        "1",
        "2.16.840.1.113883.6.96",
        "One",
        original_text="first",
        translations=(CD("2", "2.999.1"),),
    )
    assert concept(code) == {
        "coding": [
            {"system": "http://snomed.info/sct", "code": "1", "display": "One"},
            {"system": "urn:oid:2.999.1", "code": "2"},
        ],
        "text": "first",
    }


@pytest.mark.parametrize(
    ("written", "uri"),
    [
        ("2.16.840.1.113883.6.1", "http://loinc.org"), ("CPT4", "http://www.ama-assn.org/go/cpt"),
        ("2.999.1", "urn:oid:2.999.1"), ("Example", None), ("1.100", None), (None, None),
    ],
)  # fmt: skip
def test_a_system_is_a_uri_or_nothing(written: str | None, uri: str | None) -> None:
    assert code_system(written) == uri


def test_a_code_that_hl7s_own_system_does_not_have_stands_alone() -> None:
    assert concept(CD("0", "2.16.840.1.113883.5.111")) == {"coding": [{"code": "0"}]}
    assert concept(CD("NORMAL", "2.16.840.1.113883.5.83")) == {"coding": [{"code": "NORMAL"}]}


def test_an_id_without_an_extension_is_its_root() -> None:
    assert identifier(II("2.999.1")) == {"system": "urn:ietf:rfc:3986", "value": "urn:oid:2.999.1"}
    assert identifier(II("2.999.1", "7")) == {"system": "urn:oid:2.999.1", "value": "7"}
    assert identifier(II(None, None, None, "UNK")) is None


@pytest.mark.parametrize(
    ("written", "found"),
    [("20120000", "2012"), ("20120800", "2012-08"), ("20120806102200Z", "2012-08-06T10:22:00Z")],
)
def test_a_time_is_as_precise_as_it_is_known(written: str, found: str) -> None:
    assert when(TS(written)) == found


def test_what_narrows_a_code_is_told_in_its_words() -> None:
    """FHIR R4 has no qualifiers; without them left and right are one."""
    left = (CD("272741003"), CD("7771000", display="Left"))
    found = concept(CD("71620000", display="Fracture of femur", qualifiers=(left,)))
    assert found is not None and found["text"] == "Fracture of femur (Left)"
    said = concept(CD("1", display="Fracture of left femur", qualifiers=(left,)))
    assert said is not None and said["text"] == "Fracture of left femur"
