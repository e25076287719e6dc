"""Tries on a process of our own whether a probe at a function's return does harm where system calls are filtered.

From Linux 6.11 on x86 such a return is a system call (`uretprobe`, 335), which container filters of that time deny; kernels before
the filter let it pass kill the process then (systemd issue 34615, opensnitch issue 1205). An agent in a container must not die of
being watched, so this is tried, once, before anything is attached.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from sensor.probes.symbols import Elf, ElfError
from sensor.probes.uprobes import UprobeError, watch_bare

SECONDS = 20.0

# Denies system call 335 and nothing else, as a container's filter would; then returns once from a function that is watched.
CHILD = """
import ctypes, struct, sys
libc = ctypes.CDLL(None)
rows = b"".join(struct.pack("<HBBI", *r) for r in
    ((0x20, 0, 0, 0), (0x15, 0, 1, 335), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)))
text = ctypes.create_string_buffer(rows)
head = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", 4, ctypes.addressof(text)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, head, 0, 0) == 0
print([l.split()[5] for l in open("/proc/self/maps") if "libc.so" in l or "libc-" in l or "ld-musl" in l][0], flush=True)
sys.stdin.readline()
libc.getppid()
print("alive", flush=True)
"""


def harm() -> str:
    """What a probe at a return would do to a filtered process; "" where it does nothing, or where that cannot be tried."""
    if platform.machine() != "x86_64":
        return ""
    child = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        return _tried(child)
    except (OSError, ElfError, UprobeError, subprocess.TimeoutExpired):
        return ""  # attaching to an agent will fail for the same reason, and be told there
    finally:
        child.kill()
        child.communicate()


def _tried(child: subprocess.Popen) -> str:
    assert child.stdout is not None
    path = Path(os.fsdecode(child.stdout.readline().strip()))
    with open(path, "rb", buffering=0) as file:
        place = Elf(file).functions(frozenset({"getppid"}))
        event = watch_bare(file.fileno(), place.get("getppid", 0), pid=child.pid, at_return=True) if place else -1
    if event < 0:
        return ""
    try:
        said, _ = child.communicate(b"\n", timeout=SECONDS)
    finally:
        os.close(event)
    if b"alive" in said:
        return ""
    return "this kernel kills processes under a seccomp filter when a function's return is watched; Linux 6.14 does not"
