import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccda.hl7v3 import (
    AD,
    CD,
    II,
    IVL,
    NAMESPACE,
    PN,
    PQ,
    TEL,
    TS,
    hl7_time,
    iso_time,
    known_time,
    read_ad,
    read_cd,
    read_ii,
    read_ivl,
    read_pn,
    read_pq,
    read_tel,
    read_ts,
    text_of,
)
from ccda.hl7v3_writing import write_ad, write_cd, write_ii, write_pn, write_tel, write_ts
from ccda.safe_xml import Element, parse_xml


def v3_element(content: str) -> Element:
    return parse_xml(f'<x xmlns="{NAMESPACE}">{content}</x>'.encode())[0]


def parent() -> Element:
    return parse_xml(f'<x xmlns="{NAMESPACE}"/>'.encode())


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2010", "2010"),
        ("201002", "2010-02"),
        ("20100203", "2010-02-03"),
        ("2010020304", "2010-02-03T04"),
        ("201002030405", "2010-02-03T04:05"),
        ("201002030405-0500", "2010-02-03T04:05-05:00"),
        ("20100203040506+0000", "2010-02-03T04:05:06+00:00"),
        ("20100203040506.789-0500", "2010-02-03T04:05:06.789-05:00"),
        ("20100203040506-05", "2010-02-03T04:05:06-05:00"),
        ("20100203040506Z", "2010-02-03T04:05:06Z"),
    ],
)
def test_a_time_keeps_precision_and_offset(written: str, iso: str) -> None:
    assert iso_time(written) == iso


@pytest.mark.parametrize("written", ["1", "201", "2010-02-03", "unknown", "201002034"])
def test_what_is_no_time_stays_as_written(written: str) -> None:
    assert iso_time(written) == written


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("20100000", "2010"),
        ("201000", "2010"),
        ("20100200", "201002"),
        ("20100200000000-0500", "201002"),
        ("20100203", "20100203"),
        ("2010020300", "2010020300"),
        ("201010", "201010"),
        ("20001010", "20001010"),
        ("00000000", "00000000"),
        ("unknown", "unknown"),
    ],
)
def test_a_month_or_day_that_is_written_as_00_is_not_known(written: str, known: str) -> None:
    assert known_time(written) == known


def test_no_time_is_none() -> None:
    assert TS(None).iso is None


@pytest.mark.parametrize(
    "written", ["2010", "201002", "20100203", "201002030405-0500", "20100203040506.7+0130"]
)
def test_a_time_comes_back_from_iso(written: str) -> None:
    assert hl7_time(iso_time(written) or "") == written


def test_utc_is_written_as_an_offset() -> None:
    assert hl7_time("2010-02-03T04:05:06Z") == "20100203040506+0000"


def test_an_id_reads_as_root_and_extension() -> None:
    assert str(read_ii(v3_element('<id root="1.2" extension="a^b"/>'))) == "1.2^a^b"
    assert str(II("1.2")) == "1.2"


def test_a_code_keeps_translations_and_the_reference() -> None:
    code = read_cd(
        v3_element(
            '<code nullFlavor="OTH"><originalText>gout <reference value="#g"/></originalText>'
            '<translation code="M10" displayName="Gout"/></code>'
        )
    )
    assert code == CD(None, None, None, None, "gout", "#g", "OTH", (CD("M10", display="Gout"),))


@pytest.mark.parametrize(
    ("written", "low", "high", "value"),
    [
        ('<t><low value="2010"/><high nullFlavor="UNK"/></t>', "2010", None, None),
        ('<t value="2011"/>', None, None, "2011"),
        ('<t><center value="2012"/></t>', None, None, "2012"),
    ],
)
def test_an_interval_is_bounds_or_a_point(
    written: str, low: str | None, high: str | None, value: str | None
) -> None:
    interval = read_ivl(v3_element(written))
    parts = [part and part.value for part in (interval.low, interval.high, interval.value)]
    assert parts == [low, high, value]


def test_an_unknown_end_is_not_no_end() -> None:
    interval = read_ivl(v3_element('<t><low value="2010"/><high nullFlavor="UNK"/></t>'))
    assert interval.high == TS(None, "UNK")


def test_a_quantity_keeps_its_zeros() -> None:
    assert read_pq(v3_element('<value value="7.20" unit="g/dL"/>')) == PQ("7.20", "g/dL")


def test_a_name_without_parts_is_kept_whole() -> None:
    name = read_pn(v3_element("<name> Ada\n Quill </name>"))
    assert (name.family, name.text, str(name)) == (None, "Ada Quill", "Ada Quill")


def test_text_of_nothing_is_none() -> None:
    assert text_of(None) is None
    assert text_of(v3_element("<t> \n </t>")) is None


words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
maybe = st.none() | words
codes = st.recursive(
    st.builds(CD, words, maybe, maybe, maybe, maybe),
    lambda inner: st.builds(CD, words, maybe, translations=st.lists(inner, max_size=2).map(tuple)),
    max_leaves=4,
)


@given(codes)
def test_a_code_round_trips(code: CD) -> None:
    assert read_cd(write_cd(parent(), "code", code)) == code


@given(st.builds(II, maybe, maybe, maybe, maybe))
def test_an_id_round_trips(identifier: II) -> None:
    assert read_ii(write_ii(parent(), "id", identifier)) == identifier


tuples = st.lists(words, max_size=2).map(tuple)


@given(st.builds(PN, words, tuples, tuples, tuples, maybe))
def test_a_name_round_trips(name: PN) -> None:
    assert read_pn(write_pn(parent(), "name", name)) == name


@given(st.builds(AD, tuples, maybe, maybe, maybe, maybe, maybe, maybe))
def test_an_address_round_trips(address: AD) -> None:
    assert read_ad(write_ad(parent(), "addr", address)) == address


PERIOD = IVL(TS("2010"), TS(None, "UNK"))


def test_when_a_name_and_an_address_hold_round_trips() -> None:
    name = PN("Reed", ("Bo",), valid=PERIOD, qualifiers=(("family", "Reed", "BR"),))
    address = AD(("1 Elm Road",), others=(("unitID", "4b"),), period=PERIOD)
    phone = TEL("tel:+1-555-0142", period=IVL(value=TS("2010")))
    assert read_pn(write_pn(parent(), "name", name)) == name
    assert read_ad(write_ad(parent(), "addr", address)) == address
    assert read_tel(write_tel(parent(), "telecom", phone)) == phone


def test_an_address_without_parts_is_kept_whole() -> None:
    address = AD(text="1 Elm Road, Springfield")
    assert read_ad(write_ad(parent(), "addr", address)) == address


def test_times_and_telecoms_round_trip() -> None:
    assert read_ts(write_ts(parent(), "time", TS("2010"))) == TS("2010")
    phone = TEL("tel:+1-555-0142", "HP")
    assert read_tel(write_tel(parent(), "telecom", phone)) == phone
