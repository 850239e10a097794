"""The grammar of stored query values."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ihe.query_values import listed, parse_values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("'a'", ("a",)),
        ("('a')", ("a",)),
        ("('a','b''c')", ("a", "b'c")),
        (" ( 'a' , 'b' ) ", ("a", "b")),
        ("(a, b)", ("a", "b")),
        ("(urn:a,'b')", ("urn:a", "b")),
        ("20260301", ("20260301",)),
        ("urn:x:Approved", ("urn:x:Approved",)),
        ("O'Brien^Pat, MD", ("O'Brien^Pat, MD",)),
        ("('a',", ("a",)),
        ("'b')", ("b",)),
        ("(local) code", ("(local) code",)),
        ("'a'',b'", ("a',b",)),
        ("('a,b','(c)')", ("a,b", "(c)")),
        ("", ()),
        ("()", ()),
        ("('')", ()),
    ],
)
def test_values_are_read_with_quotes_or_without(text: str, values: tuple[str, ...]) -> None:
    assert parse_values(text) == values


def test_a_value_takes_no_memory_to_speak_of_beside_itself() -> None:
    long = "('" + "a" * 1_000_000 + "')"
    tracemalloc.start()
    try:
        assert parse_values(long) == ("a" * 1_000_000,)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


@given(st.lists(st.text(min_size=1, max_size=120)))
def test_any_values_survive_being_listed(values: list[str]) -> None:
    written = list(listed(values))
    assert [value for text in written for value in parse_values(text)] == values


def test_a_long_list_is_cut_into_values_of_allowed_length() -> None:
    written = list(listed(["x" * 100] * 5))
    assert len(written) == 3
    assert all(len(text) <= 256 for text in written)
