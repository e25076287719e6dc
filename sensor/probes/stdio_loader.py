"""Compiles bpf/stdio.c with bcc, hands its descriptors over a socket, and exits: nothing is pinned, LLVM's memory goes.

Runs under the distribution's Python: `python3 -m sensor.probes.stdio_loader FD` with a plan as JSON on standard input; FD is a
unix socket that the descriptors go through. What went wrong is said there as JSON. Nothing is attached here.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
import tempfile
from pathlib import Path

from sensor.probes import btf, headers, loader
from sensor.probes.catalogue import RAW_TRACEPOINT

PROGRAMS = ("stdio_exit",)
MAPS = ("stdio_chunks", "stdio_seats", "stdio_workloads", "stdio_lanes", "stdio_verdicts")
OFFSETS = {  # beside those of `btf.MEMBERS`
    "FILE_INODE": "file.f_inode",
    "FILE_PRIVATE": "file.private_data",
    "SOCKET_SK": "socket.sk",
    "SOCKET_TYPE": "socket.type",
    "SOCKET_FILE": "socket.file",
    "SOCK_SOCKET": "sock.sk_socket",
    "UNIX_PEER": "unix_sock.peer",
    "UNIX_ADDR": "unix_sock.addr",
}
SHARED = (
    "TASK_CGROUPS TASK_FILES CSS_SET_DFL CGROUP_KN KN_ID FILES_FDT FDT_FD FDT_MAX INODE_INO INODE_SB INODE_MODE SB_MAGIC "
    "SOCK_FAMILY"
).split()
REGISTERS = {  # of a system call, where struct pt_regs keeps them behind it: its number, its first four arguments
    "x86_64": {"NUMBER": 120, "A": 112, "B": 104, "C": 96, "D": 56},
    "aarch64": {"NUMBER": 64, "A": 272, "B": 8, "C": 16, "D": 24},
}
CALLS = (
    "READ READV PREADV2 RECVFROM RECVMSG SPLICE WRITE WRITEV PWRITEV2 SENDTO SENDMSG SENDMMSG VMSPLICE SENDFILE".split()
)
NUMBERS = {
    "x86_64": dict(zip(CALLS, (0, 19, 327, 45, 47, 275, 1, 20, 328, 44, 46, 307, 278, 40), strict=True)),
    "aarch64": dict(zip(CALLS, (63, 65, 286, 207, 212, 76, 64, 66, 287, 206, 211, 269, 75, 71), strict=True)),
}


def main() -> int:
    plan = json.load(sys.stdin)
    with socket.socket(fileno=int(sys.argv[1])) as parent:
        try:
            descriptors = load(plan)
        except Exception as e:  # bcc raises bare Exception; the parent says it to the user
            parent.send(json.dumps({"error": str(e)}).encode())
            return 1
        socket.send_fds(parent, [b"{}"], descriptors)
    return 0


def load(plan: dict) -> list[int]:
    """Descriptors of `PROGRAMS`, then of `MAPS`; valid while this process lives, or whoever was handed them.

    Args:
        plan: scope_cgroup (id), scope_level, chunk_pages, workloads.
    """
    flags = [
        f"-DSCOPE_LEVEL={plan['scope_level']}",
        f"-DSCOPE_CGROUP={plan['scope_cgroup']}ULL",
        f"-DCHUNK_PAGES={plan['chunk_pages']}",
        f"-DMAX_WORKLOADS={plan['workloads']}",
        *machine(platform.machine()),
        *(f"-DOFF_{name}={at}" for name, at in offsets().items()),
        "-Wno-macro-redefined",
        "-Wno-unused-function",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        source = headers.find(Path(scratch) / "headers")
        if source:
            os.environ["BCC_KERNEL_SOURCE"] = source
        program = loader._bpf((loader.SOURCES / "stdio.c").read_text(), flags)
    loaded = [program.load_func(name, RAW_TRACEPOINT).fd for name in PROGRAMS]
    return loaded + [program[name].map_fd for name in MAPS]


def machine(name: str) -> list[str]:
    """Flags that say where system calls keep what, by the machine's name.

    Raises:
        LoadError: Nobody has told yet for this one.
    """
    if name not in REGISTERS:
        raise loader.LoadError(f"the numbers of system calls on {name} are not known to driftline")
    places = REGISTERS[name].values()
    status = "*(u32 *)(task + OFF_TASK_STATUS) & 2" if name == "x86_64" else "0"  # TS_COMPAT
    return [
        *(f"-DREG_{register}={at}" for register, at in REGISTERS[name].items()),
        *(f"-DNR_{call}={number}" for call, number in NUMBERS[name].items()),
        f"-DREGS_FROM={min(places)}",
        f"-DREGS={(max(places) - min(places)) // 8 + 1}",
        f"-DIS_32_BIT=({status})",
    ]


def offsets() -> dict[str, int]:
    """Where this kernel keeps the members that are read.

    Raises:
        BtfError: It lacks one.
    """
    shared = btf.offsets()
    kernel = btf.Kernel()
    try:
        own = {name: at for name, path in OFFSETS.items() if (at := kernel.offset(path)) is not None}
    finally:
        kernel.close()
    wanted = [*SHARED, *(["TASK_STATUS"] if platform.machine() == "x86_64" else [])]
    missing = [n for n in (*wanted, *OFFSETS) if n not in shared and n not in own]
    if missing:
        raise btf.BtfError(f"this kernel's BTF lacks {', '.join(missing)}")
    return {name: shared[name] for name in wanted} | own


def missing() -> str:
    """Why this machine cannot have the program, as far as that is known without loading it; "" where it can."""
    try:
        machine(platform.machine())
        offsets()
    except (loader.LoadError, btf.BtfError, OSError) as e:
        return str(e)
    return ""


if __name__ == "__main__":
    sys.exit(main())
