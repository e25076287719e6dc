"""Run inside of a container: what may be tried against a sensor, and how each attempt ended. Only the standard library.

`python3 attempts.py SENSOR_PID PINS PATH...`: the sensor's pid and the folder of its pins as the host knows them, and sockets of
driftline. Prints a JSON object: attempt → "done" or the name of the error.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import sys
from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
BPF, PIDFD_OPEN, PTRACE_ATTACH, PERF, INIT_MODULE, READV = 321, 434, 16, 298, 175, 310  # x86-64
BPF_OBJ_GET, PROG_GET_NEXT, MAP_GET_NEXT, PROG_BY_ID, MAP_BY_ID, LINK_BY_ID = 7, 11, 12, 13, 14, 30
PROG_LOAD = 5
IDS = 1 << 21  # of programs, maps and links that are tried


def checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def bpf(command: int, attributes: bytes) -> int:
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    return checked(LIBC.syscall(BPF, command, buffer, 128))


def of_path(path: str) -> bytes:
    name = ctypes.create_string_buffer(path.encode())
    of_path.kept = name  # the kernel reads it later
    return ctypes.addressof(name).to_bytes(8, "little")


def any_of(command: int) -> int:
    """The kernel's answer for the first id that there is; ids only grow, so on an old machine that is a large one."""
    for number in range(1, IDS):
        try:
            return bpf(command, number.to_bytes(4, "little"))
        except OSError as e:
            if e.errno != errno.ENOENT:
                raise
    raise OSError(errno.ENOENT, "")


def load_program() -> int:
    """A tracing program of two instructions: r0 = 0, exit."""
    code = ctypes.create_string_buffer(bytes.fromhex("b7000000000000009500000000000000"))
    licence = ctypes.create_string_buffer(b"GPL")
    head = (17).to_bytes(4, "little") + (2).to_bytes(4, "little")  # BPF_PROG_TYPE_RAW_TRACEPOINT
    return bpf(PROG_LOAD, head + b"".join(ctypes.addressof(b).to_bytes(8, "little") for b in (code, licence)))


def mount(kind: str) -> None:
    os.makedirs(f"/tmp/{kind}", exist_ok=True)
    checked(LIBC.mount(kind.encode(), f"/tmp/{kind}".encode(), kind.encode(), 0, None))


def perf() -> int:
    attributes = ctypes.create_string_buffer((1).to_bytes(4, "little") + (128).to_bytes(4, "little"), 128)
    return checked(LIBC.syscall(PERF, attributes, -1, 0, -1, 0))


def connect(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)


def first_abstract() -> None:
    """A socket without a file, of anybody: there is none in an own network namespace."""
    with open("/proc/net/unix") as table:
        names = [name for line in table if (name := line.split()[-1]).startswith("@")]
    if not names:
        raise OSError(errno.ENOENT, "")
    connect("\0" + names[0][1:])


def to_host() -> None:
    with socket.socket() as s:
        s.settimeout(2.0)
        s.connect(("127.0.0.1", 22))


def setns(pid: int) -> None:
    fd = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    checked(LIBC.setns(fd, 0))


def read_memory(pid: int) -> int:
    mine = ctypes.create_string_buffer(1)
    here, there = ((ctypes.c_uint64 * 2)(at, 1) for at in (ctypes.addressof(mine), 0x10000))
    one = ctypes.c_ulong(1)
    return checked(LIBC.syscall(READV, pid, here, one, there, one, ctypes.c_ulong(0)))


def attempts(sensor: int, pins: str, sockets: list[str]) -> dict[str, Callable[[], object]]:
    return {
        "signal the sensor": lambda: os.kill(sensor, 9),
        "open the sensor's pidfd": lambda: checked(LIBC.syscall(PIDFD_OPEN, sensor, 0)),
        "trace the sensor": lambda: checked(LIBC.ptrace(PTRACE_ATTACH, sensor, 0, 0)),
        "read the sensor's memory": lambda: read_memory(sensor),
        "see the sensor in /proc": lambda: os.stat(f"/proc/{sensor}"),
        "enter the sensor's namespaces": lambda: setns(sensor),
        "open a pin": lambda: bpf(BPF_OBJ_GET, of_path(f"{pins}/files")),
        "see the pins": lambda: os.stat(pins),
        "mount a bpffs": lambda: mount("bpf"),
        "mount cgroups": lambda: mount("cgroup2"),
        "mount tracefs": lambda: mount("tracefs"),
        "list programs": lambda: bpf(PROG_GET_NEXT, b""),
        "list maps": lambda: bpf(MAP_GET_NEXT, b""),
        "open a program": lambda: any_of(PROG_BY_ID),
        "open a map": lambda: any_of(MAP_BY_ID),
        "open a link": lambda: any_of(LINK_BY_ID),
        "load a program": load_program,
        "count events of a processor": perf,
        "load a module": lambda: checked(LIBC.syscall(INIT_MODULE, None, 0, b"")),
        "write a switch of the kernel": lambda: open("/proc/sys/kernel/hostname", "w"),
        "reach an abstract socket": first_abstract,
        "reach the host's loopback": to_host,
        **{f"connect to {path}": (lambda path=path: connect(path)) for path in sockets},
    }


def main() -> None:
    sensor, pins, *sockets = sys.argv[1:]
    said = {}
    for name, attempt in attempts(int(sensor), pins, sockets).items():
        try:
            attempt()
            said[name] = "done"
        except OSError as e:
            said[name] = errno.errorcode.get(e.errno or 0, str(e))
    print(json.dumps(said))


if __name__ == "__main__":
    main()
