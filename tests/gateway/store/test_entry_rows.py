"""Whatever a document says fits into rows and comes back the same."""

from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from ccda.hl7v3 import AD, CD, II, PN, TEL, TS
from ccda.model import KINDS, Author, Entry, Interval, RawEntry, Section
from gateway.store.entry_rows import (
    ENTRY_COLUMNS,
    SECTION_COLUMNS,
    read_entry,
    read_section,
    write_entry,
    write_section,
)
from gateway.store.values import dump, load
from ihe.xcpd import Demographics

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
MAYBE = st.none() | TEXT
PLAIN_CODE = st.builds(CD, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE)
CODE = st.builds(
    CD,
    MAYBE,
    MAYBE,
    MAYBE,
    MAYBE,
    MAYBE,
    MAYBE,
    MAYBE,
    st.tuples() | st.tuples(PLAIN_CODE),
    st.tuples() | st.tuples(st.tuples(st.none() | PLAIN_CODE, st.none() | PLAIN_CODE)),
)
TIME = st.builds(TS, MAYBE, MAYBE)
ID = st.builds(II, MAYBE, MAYBE, MAYBE, MAYBE)
AUTHOR = st.builds(Author, MAYBE, MAYBE, MAYBE, st.none() | TIME, st.tuples(ID))
VALUE = st.none() | TEXT | CODE | st.builds(Interval, MAYBE, MAYBE)
DETAILS = st.dictionaries(TEXT, TEXT | st.integers(-9, 9) | st.lists(TEXT, max_size=2), max_size=2)
ENTRY = st.builds(
    Entry,
    kind=st.sampled_from(KINDS),
    path=TEXT,
    line=st.none() | st.integers(0, 9),
    code=st.none() | CODE,
    start=st.none() | TIME,
    end=st.none() | TIME,
    time=st.none() | TIME,
    status=MAYBE,
    value=VALUE,
    unit=MAYBE,
    text=MAYBE,
    negated=st.booleans(),
    no_information=st.booleans(),
    mood=MAYBE,
    ids=st.tuples() | st.tuples(ID, ID),
    authors=st.tuples() | st.tuples(AUTHOR),
    details=DETAILS,
    parent=st.none() | st.integers(0, 3),
)
RAW = st.builds(
    RawEntry,
    path=TEXT,
    xml=TEXT,
    line=st.none() | st.integers(0, 9),
    statement=MAYBE,
    templates=st.tuples() | st.tuples(TEXT),
    code=st.none() | CODE,
    text=MAYBE,
    details=DETAILS,
)
SECTION = st.builds(
    Section,
    code=st.none() | CODE,
    title=MAYBE,
    templates=st.tuples() | st.tuples(TEXT),
    text=MAYBE,
    null_flavor=MAYBE,
    line=st.none() | st.integers(0, 9),
    path=TEXT,
    raw_entries=st.tuples() | st.tuples(RAW),
    authors=st.tuples() | st.tuples(AUTHOR),
    details=DETAILS,
)
DEMOGRAPHICS = st.builds(
    Demographics,
    names=st.tuples() | st.tuples(st.builds(PN, MAYBE, st.tuples(TEXT), use=MAYBE)),
    birth_time=st.none() | TIME,
    gender=MAYBE,
    addresses=st.tuples() | st.tuples(st.builds(AD, st.tuples(TEXT), MAYBE)),
    telecoms=st.tuples() | st.tuples(st.builds(TEL, MAYBE)),
    ids=st.tuples() | st.tuples(ID),
    mothers_maiden_name=st.none() | st.builds(PN, MAYBE),
)


def _row(columns: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return cast(Any, SimpleNamespace(**dict(zip(columns, values, strict=True))))


@given(ENTRY)
def test_any_statement_comes_back_whole(entry: Entry) -> None:
    assert read_entry(_row(ENTRY_COLUMNS, write_entry(entry))) == entry


@given(SECTION)
def test_any_section_comes_back_whole(section: Section) -> None:
    assert read_section(_row(SECTION_COLUMNS, write_section(section)), ()) == section


@given(DEMOGRAPHICS)
def test_any_persons_demographics_come_back_whole(known: Demographics) -> None:
    assert load(Demographics, dump(known)) == known


def test_fields_that_nobody_knows_any_more_are_passed_over() -> None:
    assert load(TEL, '{"value": "tel:1", "long_gone": 1}') == TEL("tel:1")


def test_a_plain_statement_needs_no_json() -> None:
    entry = Entry("problem", "/*", code=CD("1", "2", "three"), start=TS("2010"), status="active")
    assert _row(ENTRY_COLUMNS, write_entry(entry)).rest is None
