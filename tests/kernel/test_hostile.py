"""Names that a workload chose to do harm: they become valid records and nothing else."""

import os

import pytest

from tests.kernel.lab import until
from wire.records import Event, Identity, Window

NAMES = [
    pytest.param(b"a\nb\x1b[31mc", id="control"),
    pytest.param(b"x" * 250, id="long"),
    pytest.param(b"\xff\xfe\x80", id="no-utf8"),
    pytest.param("e\u202e\u2028\u00a0x".encode(), id="unicode"),
    pytest.param(b"a b<c>*\\x41", id="signs"),
    pytest.param(b"..data", id="dots"),
]


def texts(said):
    for event in said.records(Event):
        yield from (event.behaviour or "", *(v for v in event.data.values() if isinstance(v, str)))
    for window in said.records(Window):
        for use in window.uses:
            yield from (use.behaviour, *(v for v in use.data.values() if isinstance(v, str)))


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files_arguments_and_programs(sensor, box, tmp_path, name):
    folder = os.fsencode(tmp_path)
    program, file = os.path.join(folder, name), os.path.join(folder, b"f-" + name[:248])
    for path, mode in ((program, 0o755), (file, 0o644)):
        with open(path, "wb") as f:
            f.write((box.programs / "load").read_bytes())
        os.chmod(path, mode)
    box.run(program, b"opens", b"3", file, cwd=folder)
    said = sensor.all_of(box)
    assert said.events("exec") and said.counts("exec:")
    assert 3 in said.counts("open:").values()
    bad = [t for t in texts(said) for c in t if not c.isprintable()]
    assert not bad
    assert all(len(t) <= 512 for e in said.records(Event) for t in [e.behaviour or ""])


@pytest.mark.parametrize("name", [n for n in NAMES if n.id != "dots"])
def test_names_of_cgroups(sensor, name):
    box = sensor.cgroup(name.replace(b"\n", b"?"))
    box.run("/bin/true")
    said = sensor.all_of(box)
    assert said.counts("exec:") == {"exec:/usr/bin/true<-": 1}
    assert said.records(Identity)[0].path.startswith(("/driftline-", "…/"))


def test_a_cgroup_deep_below_has_its_whole_path(sensor, box):
    inner = box
    for i in range(10):
        inner = inner.child(f"level-{i}")
    inner.run("/bin/true")
    said = sensor.of(inner)
    until(said.identities, "its identity")
    assert said.identities()[0].path == "/" + str(inner.path.relative_to(sensor.agent.loaded.base))
