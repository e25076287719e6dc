"""The pipes' kernel side, as far as it needs no kernel: layouts, numbers of calls, what a machine lacks, a loader that fails."""

import os
import re
from pathlib import Path

import pytest

from sensor.probes import client, handover, stdio, stdio_loader
from sensor.probes.client import ProbeError
from sensor.probes.loader import SOURCES, LoadError

TEXT = (SOURCES / "stdio.c").read_text()


def test_layouts_are_those_of_the_source():
    sizes = dict(re.findall(r"sizeof\(struct stdio_(\w+)\) == (\d+)", TEXT))
    assert int(sizes["chunk"]) == stdio.CHUNK.size
    assert int(sizes["workload"]) == stdio.WORKLOAD.itemsize
    assert int(sizes["lane"]) == stdio.LANE.size
    assert f"#define STDIO_SEATS {stdio.SEATS}\n" in TEXT


def test_reasons_of_loss_are_in_the_order_of_the_source():
    (row,) = re.findall(r"enum stdio_loss \{(.*?)\}", TEXT, re.S)
    names = re.findall(r"STDIO_LOST_(\w+)", row)
    assert [n.lower().rstrip("s") for n in names] == [n.rstrip("s") for n in stdio.LOSSES]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_call_that_the_source_names_has_a_number(machine):
    flags = stdio_loader.machine(machine)
    named = set(re.findall(r"NR_(\w+)", TEXT))
    assert named == {f.split("_", 1)[1].split("=")[0] for f in flags if f.startswith("-DNR_")}
    assert len(set(stdio_loader.NUMBERS[machine].values())) == len(stdio_loader.CALLS)


def test_a_machine_whose_numbers_nobody_has_told_is_refused():
    with pytest.raises(LoadError, match="riscv64 are not known"):
        stdio_loader.machine("riscv64")


def test_every_offset_that_the_source_reads_is_asked_of_the_kernel():
    read = set(re.findall(r"OFF_(\w+)", TEXT))
    assert read == {*stdio_loader.SHARED, *stdio_loader.OFFSETS}


@pytest.fixture
def loader(monkeypatch, tmp_path):
    """Makes a loader that runs a text."""

    def make(text):
        package = tmp_path / "played"
        package.mkdir(exist_ok=True)
        (package / "loader.py").write_text("import os, socket, sys\nfd = int(sys.argv[1])\n" + text)
        monkeypatch.setattr(client, "ROOT", tmp_path)
        return "played.loader"

    return make


@pytest.mark.parametrize(
    "text,said",
    [
        pytest.param('socket.socket(fileno=fd).send(b\'{"error": "no BTF"}\')', "no BTF", id="it-says-why"),
        pytest.param("sys.exit('boom')", "boom", id="it-dies"),
        pytest.param("os._exit(1)", "the loader died", id="without-a-word"),
        pytest.param("socket.send_fds(socket.socket(fileno=fd), [b'{}'], [0])", "the loader died", id="too-few"),
    ],
)
def test_a_loader_that_fails_is_told_by_its_reason(loader, text, said):
    with pytest.raises(ProbeError, match=f"cannot load bpf/x.c: {said}"):
        handover.descriptors(loader(text), {}, ("a", "b"), "bpf/x.c")


def test_descriptors_have_the_names_that_were_asked_for(loader):
    module = loader("socket.send_fds(socket.socket(fileno=fd), [b'{}'], [0, 0])")
    found = handover.descriptors(module, {}, ("a", "b"), "bpf/x.c")
    assert list(found) == ["a", "b"]
    for fd in found.values():
        os.close(fd)


def test_a_plan_names_the_scope_by_id_and_depth(tmp_path, monkeypatch):
    monkeypatch.setattr(client, "cgroup_root", lambda: tmp_path)
    (tmp_path / "a/b").mkdir(parents=True)
    plan = handover.plan_for(tmp_path / "a/b", chunk_pages=4, workloads=2)
    assert plan["scope_level"] == 2
    assert plan["scope_cgroup"] == Path(tmp_path / "a/b").stat().st_ino
