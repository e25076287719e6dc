"""Freed memory goes back. Each in a process of its own: what is set holds for the whole of it."""

import ctypes
import subprocess
import sys

import pytest

LIBC = ctypes.CDLL(None)

# Left to itself, glibc maps no block up to the size of the largest mapped one that was ever freed.
MAPPED = """
import ctypes
from classifier.arenas import give_back
class Info(ctypes.Structure):
    _fields_ = [(n, ctypes.c_size_t) for n in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keep".split()]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
assert give_back()
bytes(8 << 20)  # a snapshot, freed
before = libc.mallinfo2().hblks
second = bytes(4 << 20)
print(libc.mallinfo2().hblks - before)
"""


@pytest.mark.skipif(not hasattr(LIBC, "mallinfo2"), reason="glibc 2.33 and later says what it has mapped")
def test_a_large_block_is_mapped_by_itself_also_after_a_larger_one():
    done = subprocess.run([sys.executable, "-c", MAPPED], capture_output=True, text=True)
    assert done.stdout.strip() == "1", done.stderr


def test_another_c_library_is_left_to_its_own_ways():
    code = (
        "import ctypes; ctypes.CDLL = lambda _: object()\nfrom classifier.arenas import give_back\nprint(give_back())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
