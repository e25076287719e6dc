"""A container as uid 0 cannot stop, blind, unload or read the sensor, nor reach what driftline listens on."""

from __future__ import annotations

import errno
import json
import os
import subprocess

import pytest

from sensor.probes import pins
from tests.kernel.lab import PYTHON, is_loaded, left_in_kernel, until
from tests.threat import attempts
from tests.threat.conftest import script

pytestmark = pytest.mark.kernel
EXECS = "import os\nfor _ in range(23):\n    if os.fork() == 0: os.execv('/usr/bin/true', ['true'])\n    os.wait()"


@pytest.fixture
def box(lab):
    with lab.sensor() as running:
        made = running.cgroup("victim")
        made.sensor = running
        yield made


def test_nothing_that_it_tries_against_the_sensor_is_done(box, contained, tmp_path):
    said = json.loads(contained(box, *script("attempts.py", os.getpid(), pins.folder(box.sensor.settings.name))))
    assert len(said) > 20
    assert [name for name, ended in said.items() if ended == "done"] == []
    assert {said[n] for n in ("load a program", "list maps", "open a map", "mount a bpffs")} == {"EPERM"}
    assert {said[n] for n in ("signal the sensor", "trace the sensor", "open the sensor's pidfd")} == {"ESRCH"}


def test_after_all_that_it_is_seen_as_before(box, contained):
    sensor = box.sensor
    contained(box, *script("attempts.py", os.getpid(), pins.folder(sensor.settings.name)))
    assert left_in_kernel(sensor.settings.name)
    contained(box, PYTHON, "-S", "-E", "-c", EXECS)
    said = sensor.all_of(box)
    assert said.counts("exec:")[next(b for b in said.counts("exec:") if b.startswith("exec:/usr/bin/true<"))] == 23
    assert not said.loss()
    assert set(sensor.agent.loaded.probes.values()) == {"on"}


def test_what_it_does_in_namespaces_of_its_own_is_seen_as_its_own(box, contained):
    """Its cgroup, its pids as the host counts, its files by the paths that it sees."""
    code = "import os\nopen('/tmp/secret-plan', 'w').write('x')\nprint(os.getpid())\n" + EXECS
    assert contained(box, PYTHON, "-S", "-E", "-c", code).strip() == "1"
    said = box.sensor.all_of(box)
    opened = [e for e in said.events("open") if "secret-plan" in str(e.data.get("path"))]
    assert opened and opened[0].data["path"] == "/tmp/secret-plan"
    assert all(int(e.data["pid"]) > 1 for e in said.events("exec"))


def test_the_programs_are_still_loaded_when_it_is_gone(box, contained):
    """A container that ends takes nothing with it, although it was the only one observed."""
    held = _programs(box.sensor)
    contained(box, *script("attempts.py", os.getpid(), "/sys/fs/bpf"))
    assert held and all(is_loaded(program) for program in held)


def _programs(sensor):
    """Ids of the programs behind the links of this sensor."""
    shown = json.loads(subprocess.run(["bpftool", "-j", "-f", "link"], capture_output=True, check=True).stdout)
    name = sensor.settings.name
    return {str(link["prog_id"]) for link in shown for pin in link.get("pinned", ()) if name in pin}


def test_it_reaches_no_socket_of_the_classifier(box, contained, daemon):
    """Neither by path, for it has a root of its own, nor over the network, for it has one of its own, nor by abstract names."""
    running = daemon().start()
    paths = [str(running.folder / name) for name in ("classifier.sock", "control.sock")]
    assert all(os.path.exists(p) for p in paths)
    said = json.loads(contained(box, *script("attempts.py", running.process.pid, "/sys/fs/bpf", *paths)))
    assert {said[f"connect to {p}"] for p in paths} == {"ENOENT"}
    assert said["reach an abstract socket"] == "ENOENT"
    assert said["reach the host's loopback"] in ("ENETUNREACH", "ECONNREFUSED")
    assert said["signal the sensor"] == "ESRCH"  # here the classifier's pid
    until(running.answers, "an answer")


DESCRIPTORS = ("open a program", "open a map", "load a program", "count events of a processor")
CONTROL = ("list programs", "list maps", *DESCRIPTORS)


def test_the_attempts_themselves_work(box):
    """Outside of the container, as root of the machine, the same calls are done: so what refuses them is the container."""
    with subprocess.Popen([PYTHON, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as victim:
        tried = attempts.attempts(victim.pid, "/sys/fs/bpf", [])
        for name in (*CONTROL, "read the sensor's memory", "signal the sensor"):
            try:
                given = tried[name]()
            except OSError as e:
                assert (name, e.errno) == (
                    "read the sensor's memory",
                    errno.EFAULT,
                )  # it is found, but not at that address
            else:
                if name in DESCRIPTORS:
                    os.close(given)
        assert victim.wait(60) == -9
