"""The Merkle tree of RFC 6962 section 2.1 as pure functions.

A tree is seen as ranges of leaves. `inclusion_ranges` and `consistency_ranges` say which ranges a proof needs; each
range is made of complete subtrees, named by (level, position): the subtree at (l, p) covers the leaves from p * 2**l
up to (p + 1) * 2**l. Who keeps the complete subtrees can make every root and every proof from O(log n) of them.
Leaves are given as leaf hashes, 32 bytes each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from hmac import compare_digest
from typing import TypeAlias

Node: TypeAlias = tuple[int, int]
Range: TypeAlias = tuple[int, int]
ReadNode: TypeAlias = Callable[[Node], bytes]

EMPTY_ROOT = hashlib.sha256(b"").digest()


def hash_leaf(data: bytes) -> bytes:
    """The hash of one leaf: SHA-256 over 0x00 and the data."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256 over 0x01 and both children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def subtrees(start: int, end: int) -> list[Node]:
    """The complete subtrees that make up the leaves [start, end), from left to right."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def fold(hashes: Sequence[bytes]) -> bytes:
    """One hash out of complete subtrees that stand side by side, the largest first."""
    if not hashes:
        return EMPTY_ROOT
    total = hashes[-1]
    for left in reversed(hashes[:-1]):
        total = hash_children(left, total)
    return total


def range_hash(span: Range, read: ReadNode) -> bytes:
    """The hash of the leaves in `span`, from complete subtrees."""
    return fold([read(node) for node in subtrees(*span)])


def grow(frontier: Sequence[tuple[Node, bytes]], size: int, leaves: Sequence[bytes]) -> list[tuple[Node, bytes]]:
    """The complete subtrees that `leaves` add to a tree of `size`; the leaves themselves are among them, at level 0.

    `frontier` holds the subtrees of [0, size) from left to right, as `subtrees(0, size)` names them.
    """
    stack = list(frontier)
    made: list[tuple[Node, bytes]] = []
    for index, leaf in enumerate(leaves, start=size):
        node, value = (0, index), leaf
        made.append((node, value))
        while node[1] & 1:
            _, left = stack.pop()
            node, value = (node[0] + 1, node[1] >> 1), hash_children(left, value)
            made.append((node, value))
        stack.append((node, value))
    return made


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose hashes prove that leaf `index` is in the tree of `size`, from the leaf upwards.

    Raises:
        ValueError: the index is not in the tree.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    found: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The ranges whose hashes prove that the tree of `new` begins with the tree of `old` (RFC 6962 section 2.1.2).

    Raises:
        ValueError: `old` is greater than `new`, or negative.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} does not begin with one of {old}")
    if old in {0, new}:
        return []
    found: list[Range] = []
    start, end, whole = 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start, whole = middle, False
    if not whole:
        found.append((start, end))
    return found[::-1]


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over all the leaf hashes. For large trees keep the nodes instead."""
    made = dict(grow([], 0, leaves))
    return fold([made[node] for node in subtrees(0, len(leaves))])


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The proof that leaf `index` is under the root of `leaves`."""
    made = dict(grow([], 0, leaves))
    return [range_hash(span, made.__getitem__) for span in inclusion_ranges(index, len(leaves))]


def consistency_proof(leaves: Sequence[bytes], old: int) -> list[bytes]:
    """The proof that the tree of `leaves` begins with the tree of its first `old` leaves."""
    made = dict(grow([], 0, leaves))
    return [range_hash(span, made.__getitem__) for span in consistency_ranges(old, len(leaves))]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> bool:
    """Whether `proof` leads from the leaf hash at `index` to the root of `size` leaves (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, total = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            total = hash_children(sibling, total)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            total = hash_children(total, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and compare_digest(total, expected_root)


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree of `new` begins with the tree of `old` (RFC 9162 section 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old == new:
        return not proof and compare_digest(old_root, new_root)
    if old == 0:
        return not proof and compare_digest(old_root, EMPTY_ROOT)
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            first, second = hash_children(sibling, first), hash_children(sibling, second)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            second = hash_children(second, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and compare_digest(first, old_root) and compare_digest(second, new_root)


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)
