"""Opcodes of io_uring have the names of the kernel's header."""

import re
from pathlib import Path

import pytest

from sensor.probes import abi
from wire import rings

HEADER = Path("/usr/include/linux/io_uring.h")


def test_names_are_those_of_the_header_in_its_order():
    if not HEADER.exists():
        pytest.skip("no kernel headers here")
    enum = re.search(r"enum io_uring_op \{(.*?)\};", HEADER.read_text(), re.S)
    if enum is None:
        pytest.skip("a header from before the enum had a name")
    known = [n.lower() for n in re.findall(r"IORING_OP_(\w+)", enum[1]) if n != "LAST"]
    shared = min(len(known), len(rings.NAMES))
    assert known[:shared] == rings.NAMES[:shared] and shared > 40


def test_every_number_of_the_table_has_a_name_of_its_own():
    names = [rings.name(n) for n in range(abi.RING_OPS)]
    assert len(set(names)) == abi.RING_OPS
    assert (names[16], names[18], names[62], names[63]) == ("connect", "openat", "pipe", "op_63")
    assert names[-2:] == ["unnamed_open", "beyond"]
