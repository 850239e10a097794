"""The Merkle tree over the exchange log (RFC 6962: 2.1), as checkpoints sign it.

A leaf is SHA-256(0x00 ‖ content), a node SHA-256(0x01 ‖ left ‖ right). A tree of any size stands
on its frontier, the roots of its complete subtrees, so that it grows without being read again.
"""

import hashlib
from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(content: bytes) -> bytes:
    """The leaf of that content."""
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node above these two."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that grows at its end: `size` leaves, and the roots that stand for them."""

    __slots__ = ("_roots", "size")

    def __init__(self, size: int = 0, roots: Sequence[bytes] = ()) -> None:
        if len(roots) != size.bit_count():
            raise ValueError("so many roots do not stand for so many leaves")
        self.size = size
        self._roots = list(roots)

    @property
    def roots(self) -> tuple[bytes, ...]:
        """Of the complete subtrees, the largest first."""
        return tuple(self._roots)

    def add(self, leaf: bytes) -> None:
        """The next leaf; each complete pair of subtrees becomes one."""
        size, sha256, roots = self.size, hashlib.sha256, self._roots
        while size & 1:
            leaf = sha256(b"\x01" + roots.pop() + leaf).digest()
            size >>= 1
        roots.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """As `add` of each, in half the time: the tree grows by whole levels."""
        level, sha256, roots = list(leaves), hashlib.sha256, self._roots
        left, self.size = self.size, self.size + len(level)
        alone: list[bytes] = []
        while level:
            if left & 1:
                level.insert(0, roots.pop())
            if len(level) & 1:
                alone.append(level.pop())
            pairs = zip(level[::2], level[1::2], strict=True)
            level = [sha256(b"\x01" + one + other).digest() for one, other in pairs]
            left >>= 1
        roots.extend(reversed(alone))

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._roots:
            return EMPTY_ROOT
        found = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            found = node_hash(left, found)
        return found


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaves."""
    tree = Frontier()
    tree.extend(leaves)
    return tree.root()


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The nodes that lead from leaf `index` to the root over all of `leaves` (RFC 6962: 2.1.1)."""
    if not 0 <= index < len(leaves):
        raise ValueError("there is no such leaf")
    path, level, place = [], list(leaves), index
    while len(level) > 1:
        sibling = place ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        above = [node_hash(left, right) for left, right in zip(*[iter(level)] * 2, strict=False)]
        if len(level) % 2:
            above.append(level[-1])  # without a sibling it rises as it is
        level, place = above, place // 2
    return path


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that the path leads to from this leaf; None if it is not a path of such a tree."""
    if not 0 <= index < size:
        return None
    left = list(path)
    found, last = leaf, size - 1
    while last:
        if index % 2 or index < last:
            if not left:
                return None
            node = left.pop(0)
            found = node_hash(node, found) if index % 2 else node_hash(found, node)
        index, last = index // 2, last // 2
    return None if left else found
