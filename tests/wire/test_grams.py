"""Trigrams are packed, hashed and named as the kernel side does; numbers have the kernel's names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.observe.grams import BITMAP_BITS, BITMAP_BYTES, bit, set_bits
from wire import grams, syscalls

calls = st.integers(-1, 511)


@given(calls, calls, st.integers(0, 511))
def test_packing_is_undone_by_unpacking(a, b, c):
    packed = int(grams.pack(a, b, c))
    assert packed == (a + 1) << 20 | (b + 1) << 10 | (c + 1)
    assert tuple(int(n) for n in grams.unpack(packed)) == (a, b, c)


@given(st.integers(512, 2**40))
def test_every_number_beyond_the_table_is_one_symbol(number):
    assert int(grams.pack(number, 0, 0)) == int(grams.pack(512, 0, 0)) < 1 << 30


@given(st.lists(st.integers(0, 2**30), max_size=50))
def test_the_hash_is_the_kernels_for_scalars_and_arrays(packed):
    by_hand = [((p * 0x9E3779B1) & 0xFFFFFFFF) >> 15 for p in packed]
    assert [int(bit(p)) for p in packed] == by_hand == bit(np.array(packed, np.uint32)).tolist()
    assert all(b < BITMAP_BITS for b in by_hand)


def test_the_set_bits_of_a_bitmap():
    bitmap = np.zeros(BITMAP_BYTES, np.uint8)
    bitmap[[0, 2]] = 0b10, 0x80
    assert set_bits(bitmap).tolist() == [1, 23]


@pytest.mark.parametrize(
    ("places", "arch", "name"),
    [
        pytest.param((257, 0, 3), "x86_64", "gram:openat>read>close", id="plain"),
        pytest.param((-1, -1, 59), "x86_64", "gram:^>^>execve", id="start-of-a-thread"),
        pytest.param((512, 0, 7777), "x86_64", "gram:beyond>read>beyond", id="beyond"),
        pytest.param((3, 4, 6), "i386", "gram:read>write>close", id="i386"),
        pytest.param((1, 2, 3), "vax", "gram:sys_1>sys_2>sys_3", id="unknown-architecture"),
    ],
)
def test_names(places, arch, name):
    assert grams.name(int(grams.pack(*places)), arch) == name


@pytest.mark.parametrize("arch", syscalls.TABLES)
def test_numbers_and_names_are_each_others_inverse(arch):
    table = syscalls.names(arch)
    assert len(table) > 300
    assert {syscalls.number(n, arch): n for n in table.values()} == table
    assert (syscalls.name(999, arch), syscalls.number("sys_999", arch)) == ("sys_999", 999)


@pytest.mark.parametrize("word", ["", "nonsense", "sys_", "sys_x", "sys_²", "sys_99999999999999"])
def test_a_word_that_is_no_call_has_no_number(word):
    assert syscalls.number(word) is None
