"""Pinned links at functions → how often the kernel did not enter their programs.

A program at a function is not entered a second time on one CPU. Where the kernel takes tasks off their CPU inside it, what runs
there meanwhile is skipped, and the kernel counts that. Such kernels are not chosen for it, as far as they say what they are.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

from sensor.probes.maps import LIB, MapError, checked

PROGRAM = slice(8, 12)  # of struct bpf_link_info: type, id, prog_id
MISSES = struct.Struct("<Q")
MISSES_AT = 208  # in struct bpf_prog_info, since Linux 5.12


class Skipped:
    """Of one set of pins."""

    def __init__(self, folder: Path) -> None:
        self._links, self._told = sorted(folder.glob("link_fexit_*")), 0

    def grew(self) -> bool:
        """Whether it was more than at the last question; the first one is about all that the links have seen."""
        before, self._told = self._told, sum(map(_misses, self._links))
        return self._told > before

    def health(self) -> dict[str, float]:
        return {"lost/skipped": float(self._told)}


def _misses(link: Path) -> int:
    try:
        held = checked(LIB.bpf_obj_get(os.fsencode(link)), str(link))
    except MapError:  # it was taken out meanwhile, which is told otherwise
        return 0
    try:
        number = struct.unpack("<I", _info(held, 64)[PROGRAM])[0]
        program = checked(LIB.bpf_prog_get_fd_by_id(number), str(link))
    finally:
        os.close(held)
    try:
        return MISSES.unpack_from(_info(program, MISSES_AT + MISSES.size), MISSES_AT)[0]
    finally:
        os.close(program)


def _info(fd: int, size: int) -> bytes:
    row, length = ctypes.create_string_buffer(size), ctypes.c_uint32(size)
    checked(LIB.bpf_obj_get_info_by_fd(fd, row, ctypes.byref(length)), "what the kernel says of a program")
    return row.raw
