"""The same bytes mean the same in C and in Python: sizes, offsets and numbers of bpf/ against sensor/probes/abi.py."""

import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from sensor.adopt import SOCKET
from sensor.probes import abi, tls

BPF = Path(__file__).parents[2] / "bpf"
TEXT = "\n".join(p.read_text() for p in [BPF / "common.h", *sorted(BPF.glob("*.c"))])

LAYOUTS = {
    "fact": abi.FACT,
    "path": abi.PATH,
    "path_fact": abi.PATH_FACT,
    "exec_fact": abi.EXEC_FACT,
    "payload_fact": abi.PAYLOAD_FACT,
    "slot": abi.SLOT,
    "process": abi.PROCESS,
    "calls": abi.CALLS_ROW,
    "gram_bits": abi.GRAM_ROW,
    "ring_ops": abi.RING_ROW,
    "file_use": abi.FILE_USE,
    "flow": abi.FLOW_ROW,
    "batch": abi.BATCH,
    "row": abi.CAPTURE_ROW,
    "tls_workload": tls.WORKLOAD,
    "tls_stream": tls.STREAM,
}
OTHER_NAMES = {("row", "nr"): "number"}
IN_FACT = set(abi.FACT.names)  # members that a bigger record holds within its `f`


def declarations():
    """Constants, enums and structs of the kernel side, as C that any compiler takes."""
    defines = re.findall(r"^#define \w+ .*$", TEXT, re.M)
    plain = [d for d in defines if not re.search(r"BPF|PEEK|CAPTURE_PAGES", d)]
    enums = re.findall(r"^enum \w+ \{.*?^\};", TEXT, re.M | re.S)
    structs = re.findall(r"^struct \w+ \{.*?^\};", TEXT, re.M | re.S)
    types = "".join(
        f"typedef unsigned {t} u{n};" for t, n in (("char", 8), ("short", 16), ("int", 32), ("long long", 64))
    )
    return "\n".join(["#include <stddef.h>", "#include <stdio.h>", types, *plain, *enums, *structs])


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the compiler says of each expression."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    folder = tmp_path_factory.mktemp("abi")

    def ask(expressions):
        lines = "".join(f'printf("%ld\\n", (long)({e}));' for e in expressions)
        (folder / "ask.c").write_text(f"{declarations()}\nint main(void) {{ {lines} return 0; }}\n")
        subprocess.run(["gcc", "-w", "-o", folder / "ask", folder / "ask.c"], check=True)
        out = subprocess.run([folder / "ask"], check=True, capture_output=True, text=True).stdout
        return [int(n) for n in out.split()]

    return ask


def member(layout, name):
    name = OTHER_NAMES.get((layout, name), name)
    return f"f.{name}" if layout.endswith("_fact") and name in IN_FACT else name


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_record_has_one_layout(said, layout):
    dtype = LAYOUTS[layout]
    members = [member(layout, n) for n in dtype.names]
    offsets = said([f"offsetof(struct {layout}, {m})" for m in members])
    sizes = said([f"sizeof(((struct {layout} *)0)->{m})" for m in members])
    assert dict(zip(members, offsets, strict=True)) == {
        m: dtype.fields[n][1] for m, n in zip(members, dtype.names, strict=True)
    }
    assert sizes == [dtype.fields[n][0].itemsize for n in dtype.names]
    assert said([f"sizeof(struct {layout})"]) == [dtype.itemsize]


def test_what_is_remembered_of_a_socket_has_one_layout(said):
    names = ("image", "pid", "slot", "row", "peer_port", "known", "greeted", "ingress", "generation", "peer")
    values = (1, 2, 3, 4, 5, 6, 7, 8, 9, bytes(range(16)))
    packed = SOCKET.pack(*values)
    offsets = said([f"offsetof(struct talk, {n})" for n in names])
    sizes = said([f"sizeof(((struct talk *)0)->{n})" for n in names])
    for value, at, size in zip(values, offsets, sizes, strict=True):
        assert packed[at : at + size] == (value if isinstance(value, bytes) else value.to_bytes(size, "little"))
    assert said(["sizeof(struct talk)"]) == [SOCKET.size]


@pytest.mark.parametrize(
    "layout, form",
    [("file_id", "<QQII"), ("flow_id", "<Q16sIHBB"), ("listener", "<IHH")],
    ids=["files", "flows", "listeners"],
)
def test_keys_have_the_size_that_python_packs(said, layout, form):
    assert said([f"sizeof(struct {layout})"]) == [struct.calcsize(form)]


KINDS = "SEAT LEFT SYSCALL GRAM FORK EXIT EXEC FLOW OPEN DNS HELLO FOUND DIAL RING".split()
FLAGS = "CUT_PATH CUT_ARGV CUT_CWD HAS_TTY IS_MEMFD IS_WRITE IS_UNLINKED KEPT_SCRIPT".split()
SIZES = "SCRIPT_BYTES CALLS GRAM_WORDS SEATS OUTSIDE FOREIGN RING_OPS".split()


def test_kinds_flags_and_sizes_have_one_number(said):
    assert said([f"FACT_{k}" for k in KINDS]) == [getattr(abi, k) for k in KINDS]
    assert said(FLAGS + SIZES) == [getattr(abi, n) for n in FLAGS + SIZES]
    assert said([f"SHARED_{t.upper()}" for t in abi.SHARED] + ["SHARED"]) == list(range(len(abi.SHARED) + 1))
    assert said(["BATCH", "LOSSES"]) == [abi.CAPTURE_BATCH, len(abi.LOSSES)]


def test_reasons_of_losses_are_in_one_order():
    [enum] = re.findall(r"enum loss \{(.*?)\};", TEXT, re.S)
    names = [n.removeprefix("LOST_").lower() for n in re.findall(r"LOST_\w+", enum)]
    assert [reason.rstrip("s") for reason in abi.LOSSES] == [
        n.replace("process", "processe").rstrip("s") for n in names
    ]


def test_arrays_have_no_padding_that_the_compiler_would_not_have():
    for dtype in LAYOUTS.values():
        assert dtype.itemsize % 8 == 0 or dtype is abi.CAPTURE_ROW
        assert np.zeros(2, dtype).strides == (dtype.itemsize,)


def test_a_chunk_of_plaintext_has_one_layout(said):
    names = "time cgroup ssl born offset received pid tid length direction kind flags".split()
    packed = tls.CHUNK.pack(*range(1, len(names) + 1))
    for value, at in enumerate(said([f"offsetof(struct tls_chunk, {n})" for n in names]), 1):
        assert packed[at] == value
    assert said(["sizeof(struct tls_chunk)"]) == [tls.CHUNK.size]


def test_what_is_lost_of_plaintext_has_one_order(said):
    names = [f"TLS_LOST_{n.upper().rstrip('S')}" for n in tls.LOSSES]
    assert said([*names, "TLS_LOSSES"]) == list(range(len(tls.LOSSES) + 1))
