"""Roots and proofs against RFC 6962 written down naively, for every size and place that fits into a test."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.audit import tree


def naive(leaves):
    """The definition, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + naive(leaves[:half]) + naive(leaves[half:])).digest()


def grown(leaves):
    nodes = {}
    for index, data in enumerate(leaves):
        for level, place, hash in list(tree.grown(lambda a, b: nodes[a, b], index, tree.leaf(data))):
            nodes[level, place] = hash
    return lambda level, place: nodes[level, place]


LEAVES = [b"row %d" % n for n in range(33)]
GET = grown(LEAVES)


@pytest.mark.parametrize("size", range(34))
def test_the_root_is_that_of_the_standard(size):
    assert tree.root(GET, size) == naive(LEAVES[:size])


def test_known_answers_of_the_standards_test_vectors():
    """From the reference implementation of certificate transparency: eight leaves, its published roots."""
    leaves = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                         "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
    get = grown(leaves)
    assert tree.root(get, 1).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert tree.root(get, 8).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@pytest.mark.parametrize("size", range(1, 34))
def test_every_row_proves_its_place_and_no_other(size):
    root = tree.root(GET, size)
    for index in range(size):
        proof = tree.inclusion(GET, index, size)
        hash = tree.leaf(LEAVES[index])
        assert tree.included(hash, index, size, proof, root)
        assert not tree.included(tree.leaf(b"another"), index, size, proof, root)
        assert not tree.included(hash, index, size, [*proof, root], root)
        assert not proof or not tree.included(hash, index, size, proof[:-1], root)
        assert all(not tree.included(hash, other, size, proof, root) for other in range(size) if other != index)


@pytest.mark.parametrize("new", range(1, 34))
def test_every_earlier_tree_proves_to_be_the_beginning(new):
    after = tree.root(GET, new)
    for old in range(1, new + 1):
        before, proof = tree.root(GET, old), tree.consistency(GET, old, new)
        assert tree.consistent(old, new, before, after, proof)
        assert not tree.consistent(old, new, tree.leaf(b"x"), after, proof)
        assert old == new or not tree.consistent(old, new, before, tree.leaf(b"x"), proof)
        assert not tree.consistent(old, new, before, after, [*proof, after])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_flipped_bit_of_a_proof_breaks_it(data):
    size = data.draw(st.integers(2, 33))
    index = data.draw(st.integers(0, size - 1))
    proof = tree.inclusion(GET, index, size)
    step, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    broken = bytearray(proof[step])
    broken[bit // 8] ^= 1 << bit % 8
    proof[step] = bytes(broken)
    assert not tree.included(tree.leaf(LEAVES[index]), index, size, proof, tree.root(GET, size))


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_place_outside_of_the_tree_has_no_proof(index, size):
    with pytest.raises(ValueError):
        tree.inclusion(GET, index, size)
    assert not tree.included(tree.leaf(b""), index, size, [], tree.EMPTY)
