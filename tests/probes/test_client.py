"""Plans and locks, as far as they need no kernel."""

import json
import os

import pytest

from sensor.probes import client, pins
from sensor.settings import SensorSettings, Sizes


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setattr(pins, "BPFFS", tmp_path / "bpf")
    base = tmp_path / "cgroup"
    (base / "lab/inner").mkdir(parents=True)
    monkeypatch.setattr(client, "cgroup_root", lambda: base)
    return lambda **changes: SensorSettings(
        **({"name": f"t-{os.getpid()}", "scope": base / "lab", "run_dir": tmp_path / "run"} | changes)
    )


def test_a_plan_names_the_scope_by_id_and_depth(settings, tmp_path):
    plan, base = client._plan(settings(scope=tmp_path / "cgroup/lab/inner"))
    assert (plan["scope_level"], base) == (2, tmp_path / "cgroup")
    assert plan["scope_cgroup"] == os.stat(tmp_path / "cgroup/lab/inner").st_ino


def test_slots_stay_below_the_number_that_means_outside(settings):
    plan, _ = client._plan(settings(sizes=Sizes(slots=100_000)))
    assert plan["sizes"]["MAX_SLOTS"] == 16382


@pytest.mark.parametrize("outside", ["absent", "..", "lab/../.."])
def test_a_scope_outside_is_refused(settings, tmp_path, outside):
    with pytest.raises(client.ProbeError, match="no cgroup below"):
        client._plan(settings(scope=tmp_path / "cgroup" / outside))


def test_any_change_of_the_plan_is_another_plan(settings):
    plans = [
        client._digest(client._plan(settings(**c))[0])
        for c in ({}, {"probes": ("syscalls",)}, {"sizes": Sizes(slots=7)})
    ]
    assert len(set(plans)) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", '{"plan": "other"}', "null"])
def test_a_damaged_state_is_no_state(settings, text):
    s = settings()
    s.run_dir.mkdir()
    client._state_file(s).write_text(text)
    pins.folder(s.name).mkdir(parents=True)
    plan, base = client._plan(s)
    assert client._kept(s, plan, base) is None


def test_the_state_changes_as_a_whole(settings, monkeypatch):
    """Who looked at the wrong moment, or after a kill, found an empty file, and took good pins for damaged ones."""
    s, seen = settings(), []
    s.run_dir.mkdir()
    client._keep(s, {"epoch": "one"})
    monkeypatch.setattr(client.json, "dump", lambda *_: seen.append(client._state_file(s).read_text()))
    client._keep(s, {"epoch": "two"})
    assert seen == ['{"epoch": "one"}']


def test_a_name_is_held_once_whatever_the_folder(settings, tmp_path):
    lock = client.Lock(settings())
    for other in (settings(), settings(run_dir=tmp_path / "other")):
        with pytest.raises(client.ProbeError, match="runs already"):
            client.Lock(other)
    lock.release()
    client.Lock(settings()).release()


def test_cgroups_with_processes_are_found_and_odd_ones_passed_over(settings, tmp_path):
    for name, procs in (("a", "12\n"), ("b", ""), ("c", None)):
        (tmp_path / "cgroup/lab" / name).mkdir()
        if procs is not None:
            (tmp_path / "cgroup/lab" / name / "cgroup.procs").write_text(procs)
    (tmp_path / "cgroup/lab/c/cgroup.procs").mkdir()  # cannot be read, as that of a threaded cgroup
    assert client._populated(tmp_path / "cgroup") == {os.stat(tmp_path / "cgroup/lab/a").st_ino}


def test_a_state_is_plain(settings):
    plan, _ = client._plan(settings())
    assert json.loads(json.dumps(plan)) == plan


def test_files_of_a_sensor_are_its_own_and_go_with_an_unload(settings):
    from console.cli.sensor import take_out
    from sensor.observe.memory import Memory

    s, before = settings(), os.umask(0)
    try:
        lock = client.Lock(s)
        client._keep(s, {"plan": "x"})
        Memory(client.names_file(s), "e").begin([["sni", 1, "n"]])
    finally:
        os.umask(before)
    assert s.run_dir.stat().st_mode & 0o777 == 0o750
    assert {p.suffix: p.stat().st_mode & 0o777 for p in s.run_dir.iterdir()} == {
        ".lock": 0o600,
        ".json": 0o600,
        ".names": 0o600,
    }
    lock.release()
    take_out(s)
    assert list(s.run_dir.iterdir()) == []
