"""RFC 6962: a tree's root, grown or made at once, and the paths that lead to it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.merkle import (
    EMPTY_ROOT,
    Frontier,
    inclusion_path,
    leaf_hash,
    root_from_path,
    root_of,
)


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962: 2.1 word for word: split at the largest power of two below the size."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    left, right = by_definition(leaves[:split]), by_definition(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


LEAVES = [leaf_hash(bytes([number])) for number in range(130)]


@pytest.mark.parametrize("size", range(130))
def test_the_root_is_that_of_the_standard_and_every_leaf_leads_to_it(size: int) -> None:
    leaves = LEAVES[:size]
    root = by_definition(leaves)
    assert root_of(leaves) == root
    for index, leaf in enumerate(leaves):
        path = inclusion_path(leaves, index)
        assert root_from_path(leaf, index, size, path) == root


def test_the_root_of_nothing_and_of_the_empty_leaf_are_those_known() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    empty = leaf_hash(b"").hex()
    assert empty == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


@given(st.integers(0, 65), st.integers(0, 65))
def test_a_tree_grows_by_many_as_by_one(before: int, more: int) -> None:
    one, many = Frontier(), Frontier()
    for leaf in LEAVES[: before + more]:
        one.add(leaf)
    many.extend(LEAVES[:before])
    many.extend(LEAVES[before : before + more])
    assert (many.size, many.roots) == (one.size, one.roots)


@given(st.integers(0, 100), st.integers(0, 29))
def test_a_tree_goes_on_from_its_frontier(before: int, more: int) -> None:
    tree = Frontier()
    for leaf in LEAVES[:before]:
        tree.add(leaf)
    again = Frontier(tree.size, tree.roots)
    for leaf in LEAVES[before : before + more]:
        again.add(leaf)
    assert again.root() == by_definition(LEAVES[: before + more])


@given(st.data())
def test_no_other_leaf_place_size_or_path_leads_to_the_root(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 100))
    index = data.draw(st.integers(0, size - 1))
    root, path = root_of(LEAVES[:size]), inclusion_path(LEAVES[:size], index)
    other = data.draw(st.integers(0, size - 1).filter(lambda one: one != index))
    assert root_from_path(LEAVES[other], index, size, path) != root
    assert root_from_path(LEAVES[index], other, size, path) != root
    assert root_from_path(LEAVES[index], index, size, path[:-1]) != root
    assert root_from_path(LEAVES[index], index, size, [*path, LEAVES[0]]) != root


def test_roots_that_do_not_fit_the_size_are_refused() -> None:
    with pytest.raises(ValueError, match="roots"):
        Frontier(3, [LEAVES[0]])
