"""Compiles bpf/tls.c with bcc, hands its descriptors over a socket, and exits: nothing is pinned, LLVM's memory goes.

Runs under the distribution's Python: `python3 -m sensor.probes.tls_loader FD` with a plan as JSON on standard input; FD is a
unix socket that the descriptors go through. What went wrong is said there as JSON.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
import tempfile
from pathlib import Path

from sensor.probes import headers, loader

PROGRAMS = ("tls_enter_plain", "tls_enter_ex", "tls_leave_sent", "tls_leave_received", "tls_made", "tls_freed")
MAPS = ("tls_chunks", "tls_workloads", "tls_streams")
KPROBE = 2  # enum bpf_prog_type: what runs at functions, of the kernel and of processes


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
        f"-DRETURN_ADDRESS={8 if platform.machine() == 'x86_64' else 0}",  # what a call leaves on the stack
        "-Wno-macro-redefined",
        "-Wno-unused-function",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        source = headers.find(Path(scratch) / "headers")
        if source:
            os.environ["BCC_KERNEL_SOURCE"] = source
        program = loader._bpf((loader.SOURCES / "tls.c").read_text(), flags)
    loaded = [program.load_func(name, KPROBE).fd for name in PROGRAMS]
    return loaded + [program[name].map_fd for name in MAPS]


if __name__ == "__main__":
    sys.exit(main())
