"""Source of BPF programs to instructions and maps, compiled on this machine for the kernel of a guest.

Runs under the distribution's Python, as driftline's own loader does: a request as JSON on standard input, the answer as JSON on
standard output. Debian's clang takes half a minute for driftline's probes under emulation and two seconds here. It is the same
clang with the same headers in both, since a guest's files are this machine's; what differs, offsets and versions, the guest tells.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import re
import sys
import tempfile
from pathlib import Path

# What bcc's Python package does not declare itself.
NUMBERS = ("bpf_table_key_size_id", "bpf_table_leaf_size_id")
STEP, WIDE = 8, 0x18  # bytes of an instruction; the operation that takes two of them and may name a map
MAP = 1  # src_reg of such a one whose number is a map's descriptor


def main() -> int:
    request, out = json.load(sys.stdin), os.dup(1)
    os.dup2(2, 1)  # libbcc says things of its own there
    try:
        answer = compiled(request["text"], request["flags"], request["release"])
    except Exception as e:  # bcc raises bare Exception; the guest says it to whoever asked
        answer = {"error": str(e)}
    with open(out, "w") as file:
        json.dump(answer, file)
    return 0


def compiled(text: str, flags: list[str], release: str) -> dict:
    """Maps, functions with the places that name a map, and the licence."""
    from sensor.probes import headers

    os.environ["BCC_LINUX_VERSION_CODE"] = str(version_code(release))
    with tempfile.TemporaryDirectory() as scratch:
        source = headers.find(Path(scratch) / "headers")
        if source:
            os.environ["BCC_KERNEL_SOURCE"] = source
        lib, module = _module(text, flags)
    tables = range(lib.bpf_num_tables(module))
    numbers = {lib.bpf_table_fd_id(module, i): i for i in tables}
    return {
        "maps": [_map(lib, module, i) for i in tables],
        "functions": dict(_function(lib, module, i, numbers) for i in range(lib.bpf_num_functions(module))),
        "license": (lib.bpf_module_license(module) or b"").decode(),
    }


def _module(text: str, flags: list[str]):
    from bcc import BPF, lib

    BPF._auto_includes = {}
    BPF._BPF__auto_attach = BPF._trace_autoload = lambda self: None
    for name in ("bpf_num_tables", "bpf_table_max_entries_id", *NUMBERS):
        getattr(lib, name).restype = ctypes.c_size_t
    lib.bpf_num_tables.argtypes = [ctypes.c_void_p]
    lib.bpf_table_name.restype = ctypes.c_char_p
    for name in ("bpf_table_fd_id", "bpf_table_name", *NUMBERS):
        getattr(lib, name).argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    program = BPF(text=text, cflags=flags)
    return lib, program.module


def version_code(release: str) -> int:
    """As the kernel's own headers make it, in which a third part beyond 255 is 255.

    >>> version_code("6.12.117+deb12-cloud-amd64") == (6 << 16) + (12 << 8) + 117
    True
    """
    major, minor, patch = [int(n) for n in re.match(r"(\d+)\.(\d+)\.(\d+)", release).groups()]
    return (major << 16) + (minor << 8) + min(patch, 255)


def _map(lib, module, i: int) -> dict:
    return {
        "name": lib.bpf_table_name(module, i).decode(),
        "type": lib.bpf_table_type_id(module, i),
        "key": lib.bpf_table_key_size_id(module, i),
        "leaf": lib.bpf_table_leaf_size_id(module, i),
        "entries": lib.bpf_table_max_entries_id(module, i),
        "flags": lib.bpf_table_flags_id(module, i),
    }


def _function(lib, module, i: int, numbers: dict[int, int]) -> tuple[str, dict]:
    name = lib.bpf_function_name(module, i)
    code = ctypes.string_at(lib.bpf_function_start(module, name), lib.bpf_function_size(module, name))
    uses = [[at, numbers[number]] for at, number in map_uses(code)]
    return name.decode(), {"code": base64.b64encode(code).decode(), "maps": uses}


def map_uses(code: bytes) -> list[tuple[int, int]]:
    """Places that name a map, and the descriptor that they name it by.

    >>> map_uses(bytes([0x95]) + bytes(7) + bytes([0x18, 0x11, 0, 0, 5, 0, 0, 0]) + bytes(8))
    [(8, 5)]
    """
    found, at = [], 0
    while at < len(code):
        wide = code[at] == WIDE
        if wide and code[at + 1] >> 4 == MAP:
            found.append((at, int.from_bytes(code[at + 4 : at + 8], "little", signed=True)))
        at += 2 * STEP if wide else STEP
    return found


if __name__ == "__main__":
    sys.exit(main())
