"""Tries on calls of our own whether a program at a function's return is taken by this kernel, and runs each time.

That it loads is not enough: a compiler may have put the function's body into one of its callers, whose calls then run past it. So
a program of a few instructions counts the returns of calls that cannot succeed and bear our mark, and keeps what they returned.
Standard library only: the loader asks under the system's Python, `driftline doctor` under our own.
"""

from __future__ import annotations

import ctypes
import errno
import gzip
import os
import platform
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sensor.probes import btf
from sensor.probes.catalogue import TRACING

AT_RETURN = 25  # enum bpf_attach_type: BPF_TRACE_FEXIT
ARRAY = 2  # enum bpf_map_type
MARK = -0x5EA17  # a directory's descriptor that nobody has
AT_FDCWD = -100
CALLS = {  # machine → call → number; what a machine does not have is not tried
    "x86_64": {"open": 2, "creat": 85, "openat": 257, "openat2": 437, "open_by_handle_at": 304},
    "aarch64": {"openat": 56, "openat2": 437, "open_by_handle_at": 265},
}
# A filter keeps us from a call: that of our unit denies open_by_handle_at, and by RestrictSUIDSGID there is no openat2.
DENIED = (errno.EPERM, errno.ENOSYS)
SEEN = struct.Struct("<qi4x")  # how often, and the last result
MODE, COMMAND_LINE = Path("/sys/kernel/debug/sched/preempt"), Path("/proc/cmdline")
CONFIGS = (Path("/proc/config.gz"), Path(f"/boot/config-{platform.release()}"))


class FexitError(RuntimeError):
    """The kernel refuses, or does not do what it accepted; the text says what."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the kernel, and the system calls that must come through it."""

    name: str
    marked: int  # its argument that bears our mark
    arguments: int  # how many it has; what it returns is behind them
    calls: tuple[str, ...]


FUNCTIONS = {
    f.name: f
    for f in (
        Function("do_sys_openat2", 1, 3, ("open", "creat", "openat", "openat2")),
        Function("do_handle_open", 0, 3, ("open_by_handle_at",)),
    )
}


class _Options(ctypes.Structure):
    """struct bpf_prog_load_opts of libbpf, as far as it is needed."""

    _fields_ = (
        ("size", ctypes.c_size_t),
        ("attempts", ctypes.c_int),
        ("expected_attach_type", ctypes.c_uint),
        *((name, ctypes.c_uint) for name in ("btf", "flags", "ifindex", "version", "attach_btf_id", "attach_prog")),
        ("attach_btf_object", ctypes.c_uint),
    )


def refused(functions: Iterable[str]) -> str:
    """Why programs at these functions' returns cannot be relied on here; "" where they can."""
    if preempted():
        return "this kernel interrupts programs at functions and would skip calls meanwhile (full preemption)"
    try:
        for name in functions:
            _try(FUNCTIONS[name])
    except (FexitError, btf.BtfError, OSError, AttributeError) as e:  # the last two: no libbpf, or one that is too old
        return str(e)
    return ""


def preempted() -> bool:
    """Whether a task may be taken off its CPU within the kernel, as far as the kernel says so.

    A program at a function is not entered a second time on one CPU, so what runs there meanwhile is not seen.
    """
    now = re.search(r"\((\w+)\)", _text(MODE)) or re.search(r"\bpreempt=(\w+)", _text(COMMAND_LINE))
    if now:
        return now[1] in ("full", "lazy")
    built = "".join(map(_text, CONFIGS))
    return bool(
        re.search(r"^CONFIG_PREEMPT(_RT|_LAZY)?=y$", built, re.M)
        or re.search(r"\bPREEMPT(_RT|_LAZY)?\b", platform.version())
    )


def _text(path: Path) -> str:
    """What a file says, packed or not; "" where it is not there, or not for us."""
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode(errors="replace")
    except (OSError, EOFError):
        return ""


def load(function: str, name: str, code: bytes) -> int:
    """Descriptor of a program for the return of a function.

    Raises:
        FexitError: There is no such function, or the kernel refuses the program.
    """
    kernel = btf.Kernel()
    try:
        place = kernel.function(function)
    finally:
        kernel.close()
    if not place:
        raise FexitError(f"this kernel has no {function} to attach to")
    options = _Options(size=ctypes.sizeof(_Options), expected_attach_type=AT_RETURN, attach_btf_id=place)
    lib = ctypes.CDLL("libbpf.so.1")
    made = lib.bpf_prog_load(TRACING, name.encode(), b"GPL", code, len(code) // 8, ctypes.byref(options))
    return _checked(made, f"a program at {function}")


def attach(program: int, function: str) -> int:
    """Descriptor of the link; the program itself says where it belongs."""
    return _checked(ctypes.CDLL("libbpf.so.1").bpf_raw_tracepoint_open(None, program), f"to attach at {function}")


def _checked(result: int, what: str) -> int:
    if result < 0:
        raise FexitError(f"this kernel refuses {what}: {os.strerror(-result)}")
    return result


def _try(function: Function) -> None:
    with _Trial(function) as trial:
        for call in function.calls:
            trial.make(call)


class _Trial:
    """A program at the return of one function, for a moment."""

    def __init__(self, function: Function) -> None:
        self._function, self._lib = function, ctypes.CDLL("libbpf.so.1")
        self._name, self._how = ctypes.create_string_buffer(1), ctypes.create_string_buffer(24)  # an empty name
        self._fds: list[int] = []

    def __enter__(self) -> _Trial:
        try:
            made = self._lib.bpf_map_create(ARRAY, b"tried", 4, SEEN.size, 1, None)
            self._seen = self._keep(_checked(made, "a map"))
            self._keep(attach(self._keep(load(self._function.name, "tried", self._code())), self._function.name))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for fd in reversed(self._fds):
            os.close(fd)

    def make(self, call: str) -> None:
        """One call that cannot succeed; it must be seen once, with what it returned."""
        number = CALLS.get(platform.machine(), {}).get(call)
        if number is None:
            return
        before, _ = self._look()
        failed = _fail(number, self._arguments(call))
        after, result = self._look()
        if after == before and failed in DENIED:
            return
        if (after, result) != (before + 1, -failed):
            raise FexitError(f"{call} does not come out of {self._function.name} on this kernel")

    def _arguments(self, call: str) -> tuple[int, ...]:
        name = ctypes.addressof(self._name)
        return {
            "open": (name, 0, 0),
            "creat": (name, 0),
            "openat": (AT_FDCWD, name, 0, 0),
            "openat2": (AT_FDCWD, name, ctypes.addressof(self._how), len(self._how)),
            "open_by_handle_at": (MARK, 0, 0),
        }[call]

    def _code(self) -> bytes:
        f = self._function
        return program(self._seen, f.marked, f.arguments, (MARK, ctypes.addressof(self._name))[f.marked])

    def _keep(self, fd: int) -> int:
        self._fds.append(fd)
        return fd

    def _look(self) -> tuple[int, int]:
        """How often the program ran for us, and the result that it saw last."""
        row = ctypes.create_string_buffer(SEEN.size)
        self._lib.bpf_map_lookup_elem(self._seen, bytes(4), row)
        return SEEN.unpack(row.raw)


def program(table: int, marked: int, arguments: int, mark: int) -> bytes:
    """Counts calls whose argument `marked` has these lower 32 bits, and keeps what they returned; `table` is a map's descriptor.

    Written out, for nobody who asks should need a compiler. Source: Documentation/bpf/standardization/instruction-set.rst.
    """
    r0, r1, r2, r6, r10 = 0, 1, 2, 6, 10
    rows = (
        (0x79, r6, r1, 8 * arguments, 0),  # r6 = what it returns
        (0x79, r2, r1, 8 * marked, 0),
        (0x56, r2, 0, 12, mark),  # not ours: to the end
        (0x62, r10, 0, -4, 0),  # row 0
        (0xBF, r2, r10, 0, 0),
        (0x07, r2, 0, 0, -4),
        (0x18, r1, 1, 0, table),
        (0x00, 0, 0, 0, 0),
        (0x85, 0, 0, 0, 1),  # bpf_map_lookup_elem
        (0x15, r0, 0, 5, 0),
        (0x63, r0, r6, 8, 0),
        (0xB7, r1, 0, 0, 1),
        (0xDB, r0, r1, 0, 0),  # atomic
        (0xB7, r0, 0, 0, 0),
        (0x95, 0, 0, 0, 0),
        (0xB7, r0, 0, 0, 0),
        (0x95, 0, 0, 0, 0),
    )
    return b"".join(
        struct.pack("<BBhI", operation, to | source << 4, offset, value & 0xFFFFFFFF)
        for operation, to, source, offset, value in rows
    )


def _fail(number: int, arguments: tuple[int, ...]) -> int:
    """The error of a system call that cannot succeed."""
    if ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *(ctypes.c_long(a) for a in arguments)) >= 0:
        raise FexitError(f"system call {number} did what it cannot do")
    return ctypes.get_errno()
