"""Layouts that the kernel side and Python share, as NumPy types; tests compare them with the C structs."""

from __future__ import annotations

import numpy as np

CALLS = 512
GRAM_WORDS = 2048
SEATS = 16384
OUTSIDE = 16383

(SEAT, LEFT, SYSCALL, GRAM, FORK, EXIT, EXEC, FLOW, OPEN, DNS, HELLO, FOUND, DIAL, RING) = range(1, 15)
LOSSES = ("facts", "paths", "execs", "payloads", "flows", "files", "processes", "seats", "rows")
SHARED = ("files", "flows")  # tables of which each slot has a share

CUT_PATH, CUT_ARGV, CUT_CWD, HAS_TTY, IS_MEMFD, IS_WRITE, IS_UNLINKED, KEPT_SCRIPT = (1 << i for i in range(8))
SCRIPT_BYTES = 256

_FACT = [
    ("time", "<u8"),
    ("kind", "<u2"),
    ("flags", "<u2"),
    ("slot", "<u4"),
    ("generation", "<u4"),
    ("pid", "<u4"),
    ("tid", "<u4"),
    ("uid", "<u4"),
    ("image", "<u8"),
    ("a", "<u8"),
    ("b", "<u8"),
    ("c", "<u8"),
]
FACT = np.dtype(_FACT)
PATH = np.dtype([("length", "<u4"), ("parts", "<u4"), ("text", "V640")])
PATH_FACT = np.dtype([*_FACT, ("path", PATH)])
EXEC_FACT = np.dtype(
    [
        *_FACT,
        ("path", PATH),
        ("cwd", PATH),
        ("argv_bytes", "<u4"),
        ("links", "<u4"),
        ("argv", "V512"),
        ("script_bytes", "<u4"),
        ("reserved", "<u4"),
        ("script", f"V{SCRIPT_BYTES}"),
    ]
)
PAYLOAD_FACT = np.dtype(
    [
        *_FACT,
        ("peer", "V16"),
        ("port", "<u2"),
        ("local_port", "<u2"),
        ("length", "<u4"),
        ("whole", "<u4"),
        ("reserved", "<u4"),
        ("data", "V2048"),
    ]
)
SLOT = np.dtype(
    [
        ("cgroup", "<u8"),
        ("taken", "<u8"),
        ("left", "<u8"),
        ("generation", "<u4"),
        ("rings", "<u4"),
        ("told", "<u8"),
        ("lost", "<u8", (len(LOSSES),)),
        ("lost_told", "<u8", (len(LOSSES),)),
        ("took", "<u8", (len(SHARED),)),
        ("gave", "<u8", (len(SHARED),)),
    ]
)
CALLS_ROW = np.dtype([("count", "<u8", (CALLS,)), ("foreign", "<u8"), ("beyond", "<u8"), ("reserved", "<u8", (6,))])
RING_OPS = 80
RING_ROW = np.dtype([("count", "<u8", (RING_OPS,))])
GRAM_ROW = np.dtype([("word", "<u8", (GRAM_WORDS,))])
CAPTURE_BATCH = 128
CAPTURE_ROW = np.dtype([("time", "<u8"), ("tid", "<u4"), ("nr", "<u2"), ("slot", "<u2")])
BATCH = np.dtype([("sequence", "<u8"), ("cpu", "<u4"), ("count", "<u4"), ("row", CAPTURE_ROW, (CAPTURE_BATCH,))])
FOREIGN = 0x8000  # bit of a row's call number: a 32-bit call
FILE_USE = np.dtype(
    [
        ("image", "<u8"),
        ("file", "<u8"),
        ("slot", "<u4"),
        ("generation", "<u4"),
        ("writes", "<u4"),
        ("used", "<u4"),
        ("count", "<u8"),
        ("first", "<u8"),
        ("last", "<u8"),
        ("told", "<u8"),
    ]
)
FLOW_ROW = np.dtype(
    [
        ("image", "<u8"),
        ("peer", "V16"),
        ("slot", "<u4"),
        ("generation", "<u4"),
        ("port", "<u2"),
        ("protocol", "u1"),
        ("ingress", "u1"),
        ("used", "<u4"),
        ("opens", "<u8"),
        ("bytes_out", "<u8"),
        ("bytes_in", "<u8"),
        ("packets_out", "<u8"),
        ("packets_in", "<u8"),
        ("first", "<u8"),
        ("last", "<u8"),
        ("pid", "<u4"),
        ("reserved", "<u4"),
        ("told", "<u8", (5,)),
        ("tick", "<u8"),
        ("spare", "<u8", (5,)),
    ]
)
PROCESS = np.dtype(
    [
        ("image", "<u8"),
        ("parent_image", "<u8"),
        ("started", "<u8"),
        ("slot", "<u4"),
        ("generation", "<u4"),
        ("ppid", "<u4"),
        ("home", "<u4"),
        ("by_env", "<u4"),
        ("reserved", "<u4"),
    ]
)
