"""Stands in for bcc inside a guest: the machine around it compiles, this loads what came of it into the guest's own kernel.

Of bcc's BPF it has what driftline's loaders use. Verifying, loading and attaching are the guest's; only clang is not.
"""

import base64
import ctypes
import errno
import json
import os
import platform
import time
from pathlib import Path

WAIT = 300.0  # seconds for the port, which one process at a time can open
bpf = ctypes.CDLL("libbcc_bpf.so.0", use_errno=True)  # bcc's loader without its compiler


class _Options(ctypes.Structure):
    """libbpf's struct bpf_prog_load_opts, as far as it is needed."""

    _fields_ = (
        ("size", ctypes.c_size_t),
        ("attempts", ctypes.c_int),
        ("expected_attach_type", ctypes.c_int),
        ("rest", ctypes.c_uint64 * 16),
    )


class _Table:
    def __init__(self, fd):
        self.map_fd = fd


class _Function:
    def __init__(self, name, fd):
        self.name, self.fd = name, fd


class BPF:
    def __init__(self, text, cflags=()):
        answer = _asked({"text": text, "flags": list(cflags), "release": platform.release()})
        if "error" in answer:
            raise Exception(answer["error"])
        self._functions, self._license = answer["functions"], answer["license"].encode()
        self._fds = [_checked(_made(m), f"map {m['name']}") for m in answer["maps"]]
        self.tables = {m["name"].encode(): _Table(fd) for m, fd in zip(answer["maps"], self._fds, strict=False)}
        self.funcs = {}

    def __getitem__(self, name):
        return self.tables[name.encode()]

    def load_func(self, name, kind, device=None, attach_type=-1):
        if name not in self.funcs:
            self.funcs[name] = _Function(name, self._load(name, kind, max(attach_type, 0)))
        return self.funcs[name]

    def dump_func(self, name):
        found = self._functions[name.decode()]
        code = bytearray(base64.b64decode(found["code"]))
        for at, number in found["maps"]:
            code[at + 4 : at + 8] = self._fds[number].to_bytes(4, "little")
        return bytes(code)

    def _load(self, name, kind, attach):
        code = bytearray(self.dump_func(name.encode()))
        options = _Options(ctypes.sizeof(_Options), 0, attach)
        text = (ctypes.c_char * len(code)).from_buffer(code)
        said = ctypes.create_string_buffer(1 << 16)
        size = ctypes.c_uint(len(said))
        end = (len(code), said, size, ctypes.c_bool(True))
        fd = bpf.bcc_prog_load_xattr(kind, name.encode(), self._license, text, ctypes.byref(options), *end)
        return _checked(fd, f"program {name}: {said.value[-300:].decode(errors='replace')}")


def _made(m):
    return bpf.bcc_create_map(m["type"], m["name"].encode(), m["key"], m["leaf"], m["entries"], m["flags"])


def _checked(fd, what):
    if fd < 0:
        raise Exception(f"Failed to load BPF {what}: {os.strerror(ctypes.get_errno())}")
    return fd


def _asked(request):
    """One line there, one line back. An answer to somebody who did not wait for it is passed over."""
    port, number = _port(), f"{os.getpid()}-{time.monotonic_ns()}"
    try:
        left = json.dumps(request | {"id": number}).encode() + b"\n"
        while left:
            left = left[os.write(port, left) :]
        lines = _lines(port)
        return next(answer for answer in map(json.loads, lines) if answer["id"] == number)
    finally:
        os.close(port)


def _lines(port):
    kept = b""
    while True:
        *whole, kept = (kept + os.read(port, 1 << 16)).split(b"\n")
        yield from whole


def _port():
    [name] = [p.parent.name for p in Path("/sys/class/virtio-ports").glob("*/name") if p.read_text() == "compiler\n"]
    end = time.monotonic() + WAIT
    while True:
        try:
            return os.open(f"/dev/{name}", os.O_RDWR)
        except OSError as e:
            if e.errno != errno.EBUSY or time.monotonic() > end:
                raise
        time.sleep(0.05)
