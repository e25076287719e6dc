"""A program of the kernel at a function of one process: perf events of the `uprobe` kind, each owned by a descriptor.

An event is bound to one process. Only that process's copy of the page gets a breakpoint, so others that map the same file
pay nothing. It covers all its threads, and goes on after an exec; a forked child is another process and needs its own. Nothing is
pinned: the kernel takes the breakpoint out when the descriptor is closed, also by a kill.

Taking one out waits until no CPU can still run it: 50 to 100 ms each on a busy machine of two cores, and a process has ten.
So `release` leaves that to a thread of its own; whoever attaches has others to hear meanwhile.

Source: perf_event_open(2); Documentation/ABI/testing/sysfs-bus-event_source-devices-uprobe.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import os
import platform
from collections.abc import Iterable
from pathlib import Path

from sensor.errands import Errands

PMU = Path("/sys/bus/event_source/devices/uprobe")
SET_BPF, ENABLE, CLOSE_ON_EXEC = 0x40042408, 0x2400, 8  # linux/perf_event.h
CALL = {"x86_64": 298, "aarch64": 241}

_LIBC = ctypes.CDLL(None, use_errno=True)


class UprobeError(OSError):
    """A place cannot be watched; the text says why."""


class _Attributes(ctypes.Structure):
    """struct perf_event_attr, as far as uprobes need it."""

    _fields_ = (
        *(("type", ctypes.c_uint32), ("size", ctypes.c_uint32)),
        *tuple((n, ctypes.c_uint64) for n in ("config", "period", "sample", "read", "flags")),
        *(("wake", ctypes.c_uint32), ("breakpoint", ctypes.c_uint32)),
        *(("path", ctypes.c_uint64), ("offset", ctypes.c_uint64)),
    )


def missing() -> str:
    """Why there are no uprobes here, "" if there are."""
    if platform.machine() not in CALL:
        return f"not ported to {platform.machine()}"
    if not (PMU / "type").exists():
        return "this kernel has no uprobe events (CONFIG_UPROBE_EVENTS)"
    return "" if os.geteuid() == 0 else "needs root, or CAP_PERFMON and CAP_BPF"


def attach(program: int, file: int, offset: int, *, pid: int, at_return: bool) -> int:
    """A descriptor that keeps the program attached.

    Args:
        program: Descriptor of a loaded program of the kprobe type.
        file: Descriptor of the file that holds the code: what was read is what is watched, whatever its path names by now.
        offset: Of the function, in bytes of the file.
        pid: The process, by its leader.
        at_return: When the function returns, instead of when it is called.

    Raises:
        UprobeError: The process is gone, the place holds no instruction that can be watched, or too many files are open.
    """
    event = watch_bare(file, offset, pid=pid, at_return=at_return)
    try:
        fcntl.ioctl(event, SET_BPF, program)
        fcntl.ioctl(event, ENABLE, 0)
    except OSError as e:
        os.close(event)
        raise UprobeError(e.errno, f"attach: {os.strerror(e.errno or 0)}") from e
    return event


def watch_bare(file: int, offset: int, *, pid: int, at_return: bool) -> int:
    """The same with no program: the place is watched and nothing is done.

    Raises:
        UprobeError: As `attach`.
    """
    path = ctypes.create_string_buffer(f"/proc/self/fd/{file}".encode())
    wanted = _Attributes(
        type=_kind(),
        size=ctypes.sizeof(_Attributes),
        config=int(at_return) << _return_bit(),
        path=ctypes.addressof(path),
        offset=offset,
    )
    event = _LIBC.syscall(CALL[platform.machine()], ctypes.byref(wanted), pid, -1, -1, CLOSE_ON_EXEC)
    if event < 0:
        raise _error("perf_event_open")
    return event


_leaving = Errands("uprobes", os.close, passes=(OSError,), urgent=True)


def release(events: Iterable[int]) -> None:
    """Gives descriptors back without waiting for it; the end of this process does not wait for it either."""
    for event in events:
        _leaving.put(event)


@functools.cache
def _kind() -> int:
    return int((PMU / "type").read_text())


@functools.cache
def _return_bit() -> int:
    return int((PMU / "format/retprobe").read_text().strip().removeprefix("config:"))


def _error(what: str) -> UprobeError:
    code = ctypes.get_errno()
    return UprobeError(code, f"{what}: {os.strerror(code)}")
