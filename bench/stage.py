"""Cgroups that only this run made, compiled loads, and probes that can be switched in microseconds; all gone at the end."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sensor.probes import client
from sensor.probes.catalogue import BY_NAME, RAW, RAW_TRACEPOINT, TRACING, Hook
from sensor.probes.maps import LIB
from sensor.settings import SensorSettings

LOADS = Path(__file__).with_name("loads")
EMPTY = bytes.fromhex("b7000000000000009500000000000000")  # r0 = 0; exit
ENTRY = (b"sys_enter", b"sys_exit")


class _LinkInfo(ctypes.Structure):
    """struct bpf_link_info of a raw tracepoint (linux/bpf.h)."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("prog", ctypes.c_uint32),
        ("name", ctypes.c_uint64),
        ("name_size", ctypes.c_uint32),
        ("rest", ctypes.c_uint8 * 64),
    )


class Stage:
    """One run's place on the machine."""

    def __init__(self) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="driftline-bench-")
        self.folder = Path(self._scratch.name)
        self.base = client.cgroup_root() / f"driftline-bench-{os.getpid()}"
        self.scope, self.outside = self.base / "scope", self.base / "outside"
        self._names: list[SensorSettings] = []
        for path in (self.base, self.scope, self.outside):
            path.mkdir()
        atexit.register(self.clear)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(143))  # so that the line above is run
        for name in ("loop", "work"):
            subprocess.run(["gcc", "-O2", "-o", self.folder / name, LOADS / f"{name}.c"], check=True)

    def settings(self, name: str, **changes) -> SensorSettings:
        """Settings of a sensor of this run; what it loads goes with the stage."""
        values = {"name": f"bench-{os.getpid()}-{name}", "scope": self.scope, "run_dir": self.folder, "digest": False}
        self._names.append(SensorSettings(**(values | changes)))
        return self._names[-1]

    def cgroup(self, name: str, *, inside: bool = True) -> Path:
        path = (self.scope if inside else self.outside) / name
        path.mkdir(exist_ok=True)
        return path

    def work(self, cgroup: Path, *argv: object, **options) -> subprocess.Popen:
        return subprocess.Popen([self.folder / "work", cgroup, *map(str, argv)], **options)

    def clear(self) -> None:
        atexit.unregister(self.clear)
        for settings in self._names:
            client.unload(settings)
        remove(self.base)
        self._scratch.cleanup()


def remove(top: Path) -> None:
    """Ends what runs in a cgroup and removes it with all below it."""
    for directory in [Path(d) for d, _, _ in os.walk(top, topdown=False)]:
        with contextlib.suppress(OSError):
            (directory / "cgroup.kill").write_text("1")
        for _ in range(200):
            try:
                directory.rmdir()
                break
            except OSError:  # its processes are on their way out
                time.sleep(0.01)


class Probes:
    """Probes that were loaded once and can be attached and detached at once.

    Args:
        settings: Of a sensor whose probes are pinned; the pinned links are taken over.
    """

    def __init__(self, settings: SensorSettings) -> None:
        self.loaded = client.ensure(settings)
        wrong = {n: why for n, why in self.loaded.probes.items() if why != "on"}
        if wrong:
            raise client.ProbeError(f"not all probes are on: {wrong}")
        self._programs: list[tuple[Hook, int]] = []
        for name in self.loaded.probes:
            for hook in BY_NAME[name].hooks_of(self.loaded.hooks.get(name, RAW)):
                link = self.loaded.folder / hook.link
                self._programs.append((hook, _program_of(link)))
                link.unlink()
        self._scope = os.open(settings.scope, os.O_RDONLY | os.O_DIRECTORY)

    @contextmanager
    def on(self) -> Iterator[None]:
        links = [self._attach(hook, fd) for hook, fd in self._programs]
        try:
            yield
        finally:
            for link in links:
                os.close(link)

    def _attach(self, hook: Hook, fd: int) -> int:
        if hook.kind == TRACING:
            return _checked(LIB.bpf_raw_tracepoint_open(None, fd), hook.target)
        if hook.kind == RAW_TRACEPOINT:
            return _checked(LIB.bpf_raw_tracepoint_open(hook.target.encode(), fd), hook.target)
        return _checked(LIB.bpf_link_create(fd, self._scope, hook.attach, None), hook.function)


class Empty:
    """The floor: a raw tracepoint that returns at once."""

    def __init__(self) -> None:
        LIB.bpf_prog_load.argtypes = (ctypes.c_int, *[ctypes.c_char_p] * 3, ctypes.c_size_t, ctypes.c_void_p)
        self._fd = _checked(LIB.bpf_prog_load(RAW_TRACEPOINT, b"empty", b"GPL", EMPTY, 2, None), "an empty program")

    @contextmanager
    def on(self, *targets: bytes) -> Iterator[None]:
        links = [_checked(LIB.bpf_raw_tracepoint_open(t, self._fd), "sys_enter") for t in targets or (b"sys_enter",)]
        try:
            yield
        finally:
            for link in links:
                os.close(link)


class Nothing:
    """No probes."""

    @contextmanager
    def on(self) -> Iterator[None]:
        yield


def _program_of(link: Path) -> int:
    fd = _checked(LIB.bpf_obj_get(os.fsencode(link)), str(link))
    info, size = _LinkInfo(), ctypes.c_uint32(ctypes.sizeof(_LinkInfo))
    _checked(LIB.bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size)), str(link))
    os.close(fd)
    return _checked(LIB.bpf_prog_get_fd_by_id(info.prog), "a program")


def _checked(result: int, what: str) -> int:
    if result < 0:
        raise OSError(-result, f"{what}: {os.strerror(-result)}")
    return result


def hooked() -> int:
    """How many programs sit on entry and exit of system calls; more than ours means a round to repeat."""
    found, after = 0, ctypes.c_uint32(0)
    while LIB.bpf_link_get_next_id(after.value, ctypes.byref(after)) == 0:
        fd = LIB.bpf_link_get_fd_by_id(after.value)
        if fd < 0:
            continue  # it went while we looked
        name = ctypes.create_string_buffer(64)
        info, size = _LinkInfo(name=ctypes.addressof(name), name_size=64), ctypes.c_uint32(ctypes.sizeof(_LinkInfo))
        LIB.bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size))
        os.close(fd)
        found += info.type == 1 and name.value in ENTRY
    return found


class Neighbours:
    """Programs of others on the system call path: waited for, but not twice for those that stay.

    Args:
        count: How many programs are on the path.
    """

    def __init__(self, count: Callable[[], int] = hooked) -> None:
        self._count = count
        self.staying = 0  # at most

    def leave(self, seconds: float) -> None:
        """Waits until nobody is there but who stayed the last time."""
        end = time.monotonic() + seconds
        while (found := self._count()) > self.staying:
            if time.monotonic() > end:
                self.staying = found
                break
            time.sleep(0.2)


NEIGHBOURS = Neighbours()


def alone(seconds: float = 60.0) -> None:
    """Waits until nobody else's program is on the system call path; what stays, all configurations pay."""
    NEIGHBOURS.leave(seconds)


def cpu_of(cgroup: Path) -> int:
    """CPU microseconds that a cgroup has used, in user and kernel; what it used in interrupts is charged to whom they hit."""
    line = next(x for x in (cgroup / "cpu.stat").read_text().splitlines() if x.startswith("usage_usec"))
    return int(line.split()[1])
