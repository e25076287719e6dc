"""Pinned maps as NumPy arrays and small dictionaries, through libbpf; no bcc here.

An array that was made with BPF_F_MMAPABLE is memory that the kernel and this process share: reading it costs no call.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

PAGE = mmap.PAGESIZE


class MapError(OSError):
    """A pinned map is missing or refused an operation."""


class _Info(ctypes.Structure):
    """struct bpf_map_info, as far as it is needed (linux/bpf.h)."""

    _fields_ = (
        *tuple((n, ctypes.c_uint32) for n in ("type", "id", "key", "value", "entries", "flags")),
        ("rest", ctypes.c_uint8 * 104),
    )


LIB = ctypes.CDLL("libbpf.so.1", use_errno=True)


class Map:
    """One map: a pinned one, or one whose descriptor was handed over.

    Raises:
        MapError: It is not there.
    """

    def __init__(self, source: Path | int, name: str = "") -> None:
        if isinstance(source, Path):
            name, source = source.name, checked(LIB.bpf_obj_get(os.fsencode(source)), str(source))
        self.name, self.fd = name, source
        info, size = _Info(), ctypes.c_uint32(ctypes.sizeof(_Info))
        checked(LIB.bpf_obj_get_info_by_fd(self.fd, ctypes.byref(info), ctypes.byref(size)), self.name)
        self.key_size, self.value_size, self.entries = info.key, info.value, info.entries

    def close(self) -> None:
        os.close(self.fd)

    def array(self, dtype: np.dtype, first: int = 0, count: int | None = None) -> np.ndarray:
        """The map, or some entries of it, as a shared array. Its pages count as resident for as long as it is there.

        Raises:
            MapError: The layout is not the kernel's: another version's pins.
        """
        stride = (self.value_size + 7) // 8 * 8
        if np.dtype(dtype).itemsize != stride:
            raise MapError(errno.EINVAL, f"{self.name}: entries of {stride} bytes, expected {np.dtype(dtype).itemsize}")
        count = self.entries - first if count is None else count
        start, end = first * stride // PAGE * PAGE, -(-(first + count) * stride // PAGE) * PAGE
        memory = mmap.mmap(self.fd, end - start, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=start)
        return np.frombuffer(memory, dtype, count, first * stride - start)

    def get(self, key: bytes) -> bytes | None:
        value = ctypes.create_string_buffer(self.value_size)
        return value.raw if LIB.bpf_map_lookup_elem(self.fd, key, value) == 0 else None

    def put(self, key: bytes | None, value: bytes, *, only_new: bool = False) -> bool:
        """Whether there was room, and with `only_new` whether the key was not there."""
        return LIB.bpf_map_update_elem(self.fd, key, value, ctypes.c_uint64(int(only_new))) == 0

    def pop(self) -> bytes | None:
        """Takes the oldest value of a queue; None where it is empty."""
        value = ctypes.create_string_buffer(self.value_size)
        return value.raw if LIB.bpf_map_lookup_and_delete_elem(self.fd, None, value) == 0 else None

    def drop(self, key: bytes) -> None:
        LIB.bpf_map_delete_elem(self.fd, key)

    def keys(self) -> Iterator[bytes]:
        """Every key; keys that come and go meanwhile may be missed or repeated."""
        key, after = None, ctypes.create_string_buffer(self.key_size)
        for _ in range(2 * self.entries):
            if LIB.bpf_map_get_next_key(self.fd, key, after):
                return
            key = after.raw
            yield key


def checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno() or -result
        raise MapError(code, f"{what}: {os.strerror(code)}")
    return result


class Ring:
    """A BPF ring buffer whose records all have one size, read in batches as an array.

    Source: Documentation/bpf/ringbuf.rst. Page 0 holds the consumer's position, page 1 the producer's, then the data. The
    kernel offers the data twice in a row so that no record wraps; we take it once, since both count as resident.
    """

    BUSY = 1 << 31

    def __init__(self, source: Map, dtype: np.dtype) -> None:
        self.fd, self.name = source.fd, source.name
        self._size = source.entries
        record = (dtype.itemsize + 7) // 8 * 8
        names, formats = ["header", *dtype.names], ["<u4", *(dtype.fields[n][0] for n in dtype.names)]
        offsets = [0, *(8 + dtype.fields[n][1] for n in dtype.names)]
        self._row = np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": record + 8})
        self._own = mmap.mmap(self.fd, PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._their = mmap.mmap(self.fd, PAGE + self._size, mmap.MAP_SHARED, mmap.PROT_READ, offset=PAGE)
        self._consumer = np.frombuffer(self._own, np.uint64, 1)
        self._producer = np.frombuffer(self._their, np.uint64, 1)
        self._data = np.frombuffer(self._their, np.uint8, self._size, PAGE)

    def read(self, limit: int = 1 << 16) -> np.ndarray:
        """Copies of the records that are complete, oldest first; they stay in the ring until `done`."""
        return self.look(limit).copy()

    def look(self, limit: int = 1 << 16) -> np.ndarray:
        """The records themselves, not to be used after `done`."""
        at, end = int(self._consumer[0]), int(self._producer[0])
        count = min((end - at) // self._row.itemsize, limit)
        rows = self._bytes(at & (self._size - 1), count * self._row.itemsize).view(self._row)
        busy = np.flatnonzero(rows["header"] & self.BUSY)
        return rows[: int(busy[0])] if len(busy) else rows

    def _bytes(self, start: int, length: int) -> np.ndarray:
        over = start + length - self._size
        if over <= 0:
            return self._data[start : start + length]
        return np.concatenate((self._data[start:], self._data[:over]))

    def done(self, count: int) -> None:
        """Gives the space of the oldest `count` records back. A reader that dies before this reads them again."""
        self._consumer[0] = int(self._consumer[0]) + count * self._row.itemsize

    def fill(self) -> float:
        """Share of the ring that waits to be read, 0 to 1."""
        return (int(self._producer[0]) - int(self._consumer[0])) / self._size
