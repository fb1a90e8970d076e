from __future__ import annotations

import hashlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.ledger import merkle

# The eight leaves and the figures of certificate-transparency's own reference tests for RFC 6962.
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PROOFS = {  # (index, size) -> hashes from the leaf upwards
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
}


@cache
def _leaves(count: int) -> list[bytes]:
    return [merkle.hash_leaf(f"leaf {n}".encode()) for n in range(count)]


def _root_by_definition(leaves: list[bytes]) -> bytes:
    """The recursive definition of RFC 6962 section 2.1, taken word for word into code."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    left, right = _root_by_definition(leaves[:k]), _root_by_definition(leaves[k:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_the_reference_tests(size):
    assert merkle.root([merkle.hash_leaf(leaf) for leaf in LEAVES[:size]]).hex() == ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing():
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(("place", "hashes"), PROOFS.items())
def test_the_inclusion_proofs_are_those_of_the_reference_tests(place, hashes):
    index, size = place
    leaves = [merkle.hash_leaf(leaf) for leaf in LEAVES[:size]]
    assert tuple(h.hex() for h in merkle.inclusion_proof(leaves, index)) == hashes


@given(st.integers(0, 70))
def test_the_root_is_that_of_the_recursive_definition(size):
    assert merkle.root(_leaves(size)) == _root_by_definition(_leaves(size))


def test_every_leaf_of_every_small_tree_proves_its_place_and_no_other():
    for size in range(1, 34):
        leaves = _leaves(size)
        total = merkle.root(leaves)
        for index in range(size):
            proof = merkle.inclusion_proof(leaves, index)
            places = [p for p in range(size + 2) if merkle.verify_inclusion(leaves[index], p, size, proof, total)]
            assert places == [index]


def test_every_small_tree_proves_that_it_begins_with_each_smaller_one():
    for new in range(34):
        leaves = _leaves(new)
        for old in range(new + 1):
            proof = merkle.consistency_proof(leaves, old)
            old_root, new_root = merkle.root(leaves[:old]), merkle.root(leaves)
            assert merkle.verify_consistency(old, new, old_root, new_root, proof)
            if 0 < old < new:
                other = merkle.root([*leaves[: old - 1], b"x" * 32])
                assert not merkle.verify_consistency(old, new, other, new_root, proof)
                assert not merkle.verify_consistency(old, new, old_root, other, proof)


@given(st.integers(2, 40), st.data())
def test_a_proof_with_one_bit_changed_a_hash_missing_or_one_too_many_is_refused(size, data):
    leaves = _leaves(size)
    index = data.draw(st.integers(0, size - 1))
    proof, total = merkle.inclusion_proof(leaves, index), merkle.root(leaves)
    at = data.draw(st.integers(0, len(proof) - 1))
    bad = bytearray(proof[at])
    bad[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
    for wrong in ([*proof[:at], bytes(bad), *proof[at + 1 :]], proof[:-1], [*proof, b"\x00" * 32]):
        assert not merkle.verify_inclusion(leaves[index], index, size, wrong, total)


@given(st.integers(1, 60), st.data())
def test_a_tree_grown_in_steps_is_the_tree_grown_at_once(size, data):
    leaves = _leaves(size)
    cut = data.draw(st.integers(0, size))
    first = dict(merkle.grow([], 0, leaves[:cut]))
    frontier = [(node, first[node]) for node in merkle.subtrees(0, cut)]
    assert first | dict(merkle.grow(frontier, cut, leaves[cut:])) == dict(merkle.grow([], 0, leaves))


def test_a_leaf_that_is_not_in_the_tree_has_no_proof():
    with pytest.raises(ValueError, match="leaf 3 is not in a tree of 3"):
        merkle.inclusion_ranges(3, 3)
    with pytest.raises(ValueError, match="does not begin"):
        merkle.consistency_ranges(4, 3)
    assert not merkle.verify_inclusion(b"", 3, 3, [], b"")
    assert not merkle.verify_consistency(4, 3, b"", b"", [])


def test_an_inner_node_cannot_be_passed_off_as_a_leaf():
    left, right = _leaves(2)
    assert merkle.hash_leaf(left + right) != merkle.hash_children(left, right)


def test_without_the_leaf_prefix_an_inner_node_could_be_passed_off_as_a_leaf():
    left, right = _leaves(2)
    unprefixed = hashlib.sha256(b"\x01" + left + right).digest()  # a leaf of forged content, hashed without its 0x00
    assert merkle.verify_inclusion(unprefixed, 0, 1, [], merkle.root([left, right]))
